"""Run a method in a process of its own, so that peak memory and wall time are its own, and score what it wrote."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sxtbench.benchmark.combine import combine
from sxtbench.benchmark.evaluate import file_name, score, write_previews
from sxtbench.benchmark.method import Method, learns, load_for
from sxtbench.benchmark.result import Result, load_result
from sxtbench.benchmark.seeds import FEWEST_SEEDS
from sxtbench.benchmark.task import Task
from sxtbench.content import content_folder
from sxtbench.errors import InputError


class MethodFailed(SystemExit):
    """The method's process ended badly and has said why on stderr; this one ends with the same status."""


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what it makes.

    Parameters
    ----------
    root : Path
        Holds `predictions/`, `results/<task>/<tier>/<method>.json` and `previews/<task>/<tier>/`.
    task : Task
        What is run.
    """

    root: Path
    task: Task

    def predictions(self, method: str, split: str) -> Path:
        """Return the folder of a method's answers."""
        task = f"{self.task.name}-{self.task.tier}{self.task.dataset_spec.suffix}"
        return self.root / "predictions" / f"{task}-{split}" / file_name(method)

    def result(self, method: str) -> Path:
        """Return the path of a method's result."""
        return self.root / "results" / self.task.name / self.task.tier / f"{file_name(method)}.json"

    @property
    def previews(self) -> Path:
        """The folder of the pictures of this task and tier."""
        return self.root / "previews" / self.task.name / self.task.tier


def run(
    spec: str,
    task: Task,
    root: Path,
    split: str = "test",
    *,
    seed: int = 0,
    seeds: int = 1,
    weights: Path | None = None,
    recipe: Path | None = None,
    data_seed: int | None = None,
    scheduler: str | None = None,
) -> Result:
    """Fit and predict in a process of its own, score here, write the result and its pictures.

    With several seeds the method is fitted once a seed, each in a process of its own, and the result is of all.

    Parameters
    ----------
    spec : str
        As for `load_method`.
    task : Task
        From `get_task`; its dataset is generated where it is missing.
    root : Path
        A `RunFolder`.
    split : str
        `test` by default.
    seed : int
        Handed to `fit`.
    seeds : int
        How many fits, of seeds `seed`, `seed + 1` and so on: one, or at least three.
    weights : Path, optional
        As for `load_for`.
    recipe, data_seed
        With which `task` was made, where it is not the benchmark's own.
    scheduler : str, optional
        Address of a Dask scheduler whose workers answer and score the samples; all must see `root` and the data.

    Raises
    ------
    MethodFailed
        Where the process ends with an error that it has told.
    InputError
        Where it dies without a word, and for several seeds of a method that is not fitted.
    """
    method = load_for(task, spec, weights)
    require_seeds(method, task, seeds)
    place = RunFolder(root, task)
    names = [method.name] if seeds == 1 else [f"{method.name}-seed{k}" for k in range(seed, seed + seeds)]
    outs = [place.predictions(name, split) for name in names]
    results = []
    for k, out in enumerate(outs, seed):
        _predict(
            spec,
            task,
            out,
            split,
            name=method.name,
            seed=k,
            weights=weights,
            recipe=recipe,
            data_seed=data_seed,
            scheduler=scheduler,
        )
        result = score(task, out, split, scheduler=scheduler)
        results.append(result.model_copy(update={"origin": "reproduced"}))  # what answered ran here
    result = results[0] if seeds == 1 else combine(results)
    dataset, first = task.dataset(split, targets=True), outs[0]
    result = write_previews(result, task, dataset, lambda key: np.load(first / f"{key}.npy"), place.previews)
    result.save(place.result(method.name))
    return result


def require_seeds(method: Method, task: Task, seeds: int) -> None:
    """Raise `InputError` where so many seeds tell nothing: two of them, or several of a method that is not fitted."""
    if 1 < seeds < FEWEST_SEEDS or seeds < 1:
        raise InputError(f"{seeds} seeds: expected 1, or at least {FEWEST_SEEDS} to tell how much seeds matter")
    if seeds > 1 and not learns(method, task.protocol.answer.kinds[0]):
        raise InputError(f"{method.name}: is not fitted here, so that every seed gives the same answers")


def _predict(
    spec: str,
    task: Task,
    out: Path,
    split: str,
    *,
    name: str,
    seed: int,
    weights: Path | None,
    recipe: Path | None,
    data_seed: int | None,
    scheduler: str | None,
) -> None:
    command = [sys.executable, "-m", "sxtbench", "predict", spec, task.name, "--tier", task.tier, "--split", split]
    command += ["--out", str(out), "--seed", str(seed)]
    command += ["--data", str(task.data)] if task.data else []
    command += ["--weights", str(weights)] if weights else []
    command += ["--recipe", str(recipe)] if recipe else []
    command += ["--data-seed", str(data_seed)] if data_seed is not None else []
    command += ["--scheduler", scheduler] if scheduler else []
    status = subprocess.run(command, check=False).returncode
    if status in (1, 2, 130):
        raise MethodFailed(status)
    if status != 0:
        raise InputError(f"{name}: its process died with status {status} (out of memory?)")


def shipped_results(task: Task, split: str = "test") -> list[Result]:
    """Return the results that ship with this version for the same task, tier, split and data."""
    folder = content_folder("leaderboard") / "results" / task.name / task.tier
    fingerprint = task.dataset(split).fingerprint
    found = [load_result(path) for path in sorted(folder.glob("*.json"))]
    return [r for r in found if (r.task_hash, r.split, r.fingerprint) == (task.hash, split, fingerprint)]
