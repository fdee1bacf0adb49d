"""Find a baseline's constants on the validation split: one parameter after the other, over the values of its config.

`config.yaml` names the values to try under `search`; the constants of each tier stand under `parameters: tiers`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sxtbench.benchmark.evaluate import evaluate
from sxtbench.benchmark.method import baseline_folder, load_method
from sxtbench.benchmark.task import Task
from sxtbench.datasets.recipe import read_yaml
from sxtbench.errors import InputError
from sxtbench.files import write_text


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Parameters
    ----------
    parameters : dict
        The best constants.
    score, start : float
        Their score on validation, and that of the constants before.
    tried : int
        Evaluations made.
    """

    parameters: dict[str, Any]
    score: float
    start: float
    tried: int


def tune(
    baseline: str,
    task: Task,
    *,
    rounds: int = 2,
    specimens: int | None = None,
    config_path: Path | None = None,
    report: Callable[[str], None] | None = None,
) -> Tuned:
    """Tune a baseline on the validation split and write its `config.yaml`.

    Parameters
    ----------
    baseline : str
        A baseline with a `search` in its config.
    task : Task
        Only its train and validation splits are read.
    rounds : int
        Passes over all parameters; a pass that changes nothing ends the search.
    specimens : int, optional
        Score only the first so many validation specimens.
    config_path : Path, optional
        Where to write, instead of the baseline's own config.
    report : callable, optional
        Called with a line for each evaluation.

    Raises
    ------
    InputError
        For a baseline without `search`.
    """
    own = baseline_folder(baseline) / "config.yaml"
    config = read_yaml(own)
    search: dict[str, list[Any]] = config.get("search") or {}
    if not search:
        raise InputError(f"{own}: has no 'search' with the values to try, so there is nothing to tune")
    current = dict(config["parameters"]["tiers"].get(task.tier) or next(iter(config["parameters"]["tiers"].values())))
    current["voxel_size_nm"] = task.dataset_spec.recipe.grid.voxel_size_nm
    scores: dict[str, float] = {}

    def measured(parameters: dict[str, Any]) -> float:
        key = repr(sorted(parameters.items()))
        if key not in scores:
            method = load_method(baseline, tiers={task.tier: parameters})
            scores[key] = evaluate(method, task, "validation", reference_only=True, specimens=specimens).headline.mean
            if report:
                report(f"{scores[key]:.4f}  {', '.join(f'{k}={v}' for k, v in parameters.items())}")
        return scores[key]

    start = best = measured(current)
    for _ in range(rounds):
        before = dict(current)
        for name, values in search.items():
            for value in values:
                candidate = {**current, name: value}
                found = measured(candidate)
                if found > best:
                    best, current = found, candidate
        if current == before:
            break
    config["parameters"]["tiers"][task.tier] = current
    write_text(config_path or own, yaml.safe_dump(config, sort_keys=False, width=110, allow_unicode=True))
    return Tuned(parameters=current, score=best, start=start, tried=len(scores))
