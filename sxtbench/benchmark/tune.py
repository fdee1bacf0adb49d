"""Find a baseline's constants on the validation split: one parameter after the other, over the values of its config.

`config.yaml` names the values to try under `search`; the constants of each tier stand under `parameters: tiers`, those
that differ at a level of an axis under `levels` there. Where a task has a gate, what misses it is not chosen.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sxtbench.benchmark.answer import answer_kind, checked
from sxtbench.benchmark.constants import key_of
from sxtbench.benchmark.gate import missed
from sxtbench.benchmark.method import (
    baseline_folder,
    fit_method,
    learns,
    load_method,
    predict_sample,
    require_task,
)
from sxtbench.benchmark.scoring import score_for_search
from sxtbench.benchmark.statistics import mean_on_scale
from sxtbench.benchmark.task import Task, suggestion
from sxtbench.benchmark.training import training_data
from sxtbench.datasets.dataset import Dataset
from sxtbench.datasets.recipe import read_yaml
from sxtbench.errors import InputError
from sxtbench.files import write_text
from sxtbench.metrics.registry import get_metric

Constants = dict[str, Any]


@dataclass(frozen=True)
class Tuned:
    """What a search found at one level.

    Parameters
    ----------
    level : str
        `reference`, or `<axis>=<level>`.
    parameters : dict
        The best constants.
    score, start : float
        Their score on validation, and that of the constants before.
    tried : int
        Evaluations made.
    """

    level: str
    parameters: Constants
    score: float
    start: float
    tried: int


def tune(
    baseline: str,
    task: Task,
    *,
    rounds: int = 2,
    specimens: int | None = None,
    levels: bool | Sequence[str] = False,
    only: Sequence[str] = (),
    config_path: Path | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Tuned]:
    """Tune a baseline on the validation split and write its `config.yaml` after each level.

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
    levels : bool, or sequence of str
        Also search at every other level of each axis, or at those that are named, such as `photons=10`, from the
        constants of the reference.
    only : sequence of str
        Constants to search; all of `search` where empty.
    config_path : Path, optional
        Where to write, instead of the baseline's own config.
    report : callable, optional
        Called with a line for each evaluation.

    Returns
    -------
    list of Tuned
        The reference level first.

    Raises
    ------
    InputError
        For a baseline of another task or without `search`, a name in `only` that is not in it, and where every value
        misses the task's gate.
    """
    own = baseline_folder(baseline) / "config.yaml"
    config = read_yaml(own)
    require_task(baseline, config, task)  # constants of a tier are found before a result of it ships
    search: dict[str, list[Any]] = config.get("search") or {}
    if not search:
        raise InputError(f"{own}: has no 'search' with the values to try, so there is nothing to tune")
    for name in only:
        if name not in search:
            raise InputError(f"{own}: 'search' has no {name!r}{suggestion(name, search)}")
    chosen = {name: values for name, values in search.items() if not only or name in only}
    tiers = config["parameters"]["tiers"]
    dataset = f"{task.dataset_spec.task}-{task.tier}"
    key = dataset if dataset in tiers else task.tier
    current: Constants = dict(tiers[key_of(tiers, dataset, task.tier)])
    current.pop("levels", None)
    if "voxel_size_nm" in current:
        current["voxel_size_nm"] = task.dataset_spec.recipe.voxel_size_nm
    validation = task.dataset("validation", targets=True)
    spec = task.dataset_spec
    found: list[Tuned] = []
    conditions = {spec.sample_id("", one).removeprefix("~") or "reference": one for one in spec.conditions()}
    chosen_levels = list(conditions) if levels is True else ["reference", *(levels or ())]
    for name in chosen_levels:
        if name not in conditions:
            raise InputError(f"{task.name}: no level {name!r}{suggestion(name, conditions)}")
    for name in chosen_levels:
        condition = conditions[name]
        samples = validation.at(condition).first(specimens)
        at_level = _search(baseline, task, samples, name, current, chosen, rounds, report)
        found.append(at_level)
        if condition == spec.reference:
            current = at_level.parameters
            tiers[key] = dict(current)
        else:
            differing = {key: value for key, value in at_level.parameters.items() if value != current[key]}
            if differing:
                tiers[key].setdefault("levels", {})[name] = differing
        write_text(config_path or own, yaml.safe_dump(config, sort_keys=False, width=110, allow_unicode=True))
    return found


def _search(
    baseline: str,
    task: Task,
    samples: Dataset,
    level: str,
    start: Constants,
    search: dict[str, list[Any]],
    rounds: int,
    report: Callable[[str], None] | None,
) -> Tuned:
    """Walk along one parameter after the other; keep what scores better."""
    metric = get_metric(task.protocol.primary.id)
    gate = task.report.gate
    right = _score(load_method(gate.like), task, samples)[1] if gate else {}
    scores: dict[str, float] = {}

    def measured(parameters: Constants) -> float:
        key = repr(sorted(parameters.items()))
        if key not in scores:
            score, classes = _score(load_method(baseline, tiers={task.tier: parameters}), task, samples)
            miss = missed(classes, right, gate) if gate else ""
            scores[key] = (-math.inf if metric.direction == "higher" else math.inf) if miss else score
            if report:
                constants = ", ".join(f"{k}={parameters[k]}" for k in search)
                report(f"{level}: {score:.4f}  {constants}{f'  (not chosen: {miss})' * bool(miss)}")
        return scores[key]

    current = dict(start)
    first = best = measured(current)
    for _ in range(rounds):
        before = dict(current)
        for name, values in search.items():
            for value in values:
                candidate = {**current, name: value}
                score = measured(candidate)
                if score > best if metric.direction == "higher" else score < best:
                    best, current = score, candidate
        if current == before:
            break
    if math.isinf(best):
        raise InputError(
            f"{baseline}, {level}: every value tried misses the gate of {task.name}; 'search' needs others"
        )
    return Tuned(level=level, parameters=current, score=best, start=first, tried=len(scores))


def _score(method: Any, task: Task, samples: Dataset) -> tuple[float, dict[int, float]]:
    """Mean of the primary metric over samples, each a specimen, on the metric's scale; the gate's metric by class."""
    if learns(method, task.protocol.answer.kinds[0]):
        fit_method(method, training_data(task), task.dataset("validation"))
    kind = answer_kind(method, task)
    primary, gate = get_metric(task.protocol.primary.id), task.report.gate
    values: list[float] = []
    classes: dict[int, list[float]] = {}
    for sample, truth in zip(samples.without_targets, samples, strict=True):
        answer = checked(task, sample, predict_sample(method, sample), kind=kind)
        for metric, class_, value in score_for_search(task, truth, answer):
            if metric == primary.id and class_ is None:
                values.append(value)
            elif gate and metric == gate.metric and class_ is not None and not math.isnan(value):
                classes.setdefault(class_, []).append(value)
    means = {class_: math.fsum(found) / len(found) for class_, found in classes.items()}
    return mean_on_scale(values, primary.scale), means
