"""Fit, predict and score: in one call (`evaluate`), or in halves with files between them (`predict`, `score`)."""

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.answer import Answer, answer_kind, checked, read_answer
from sxtbench.benchmark.controls import SEE_TARGETS, TRUTH
from sxtbench.benchmark.environment import cpu, packages, peak_memory_mb
from sxtbench.benchmark.method import Method, fit_method, learns, predict_sample, require_meant_for
from sxtbench.benchmark.result import (
    Axis,
    Environment,
    Preview,
    Resources,
    Result,
    Row,
    Shifted,
    WallTime,
    aggregate,
)
from sxtbench.benchmark.result import Method as MethodStatement
from sxtbench.benchmark.scoring import rows_of_sample
from sxtbench.benchmark.spread import Spread, spread_answers, spread_rows
from sxtbench.benchmark.task import Task
from sxtbench.benchmark.training import answer_key, answers_wanted, fits_of, folder_of, training_data
from sxtbench.datasets.dataset import Dataset
from sxtbench.datasets.spec import group_id
from sxtbench.errors import InputError
from sxtbench.files import atomic_path, require_writable, saying_what_is_safe, write_text
from sxtbench.pictures import grey_slice_png, sinogram, slice_png
from sxtbench.writer import is_unused, one_writer

Report = Callable[[str], None]
SpreadRows = Callable[..., Iterator[tuple[str, list[Row]]]]
STATEMENT = "predictions.json"
_IDENTITY = "identity.json"
SEVERAL_RUNS = "predicted in several runs: wall time and memory are those of the last"
"""Flag of a result whose predictions were interrupted."""
SIDE_BY_SIDE = "predicted side by side on several processes: wall time and memory are not recorded"
"""Flag of a result whose predictions were made by several workers."""


def evaluate(
    method: Method,
    task: Task,
    split: str = "test",
    *,
    seed: int = 0,
    progress: Report | None = None,
) -> Result:
    """Fit a method where it learns, predict every sample of a split without its targets, and score.

    Where a task has a shifted domain, the same fitted method also answers that beside `test` (`Result.shifted`).

    Parameters
    ----------
    method : Method
        From `load_method`, or any object with `name` and `predict(sample)`.
    task : Task
        From `get_task`.
    split : str
        `test`, or `validation` while a method is developed.
    seed : int
        Handed to `fit`.
    progress : callable, optional
        Called with the id of each sample that is done.

    Returns
    -------
    Result
    """
    answers: dict[str, Answer] = {}
    dataset, beside = task.dataset(split), [task.dataset(other) for other in task.beside(split)]
    statement = _predict_all(method, task, dataset, beside, seed, answers.__contains__, answers.__setitem__, progress)
    return score_answers(task, dataset, beside, statement, answers.__getitem__)


def predict(
    method: Method,
    task: Task,
    out: Path,
    split: str = "test",
    *,
    seed: int = 0,
    spread: Spread | None = None,
    progress: Report | None = None,
) -> Path:
    """Write the answers of a method to `out/<sample id>.npy` and a statement of how they were made.

    Where a task has an axis of kind `training` and the method learns, `out/<axis>=<level>/<sample id>.npy` are those
    after each other fit.

    A rerun continues: answers that stand there from the same code, settings, task and data are kept; those of an
    earlier state of the same method are made anew.

    With `spread` samples are answered side by side by workers that load the method themselves; what it costs is then
    not recorded, and a method that has to be fitted is refused.

    Raises
    ------
    InputError
        For a folder that cannot be written, holds the answers of something else or is being written by another process;
        for a full disk, with how many answers are there; and for what a method does wrong.
    """
    require_writable(out)
    dataset, beside = task.dataset(split), [task.dataset(other) for other in task.beside(split)]
    slot = {"method": method.name, "task": task.name, "tier": task.tier, "split": split}
    identity = {
        **slot,
        "config": getattr(method, "config", {}),
        "source_sha256": getattr(method, "source_sha256", ""),
        "task_hash": task.hash,
        "seed": seed,
        "fingerprint": dataset.fingerprint,
        **{f"fingerprint_{other.split}": other.fingerprint for other in beside},
    }
    _require_room(out, slot)  # before the lock, which leaves a file

    def answers() -> list[Path]:
        return [*out.glob("*.npy"), *out.glob("*=*/*.npy")]

    def save(key: str, answer: Answer) -> None:
        with atomic_path(out / f"{key}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, answer, allow_pickle=False)

    def has(key: str) -> bool:
        return (out / f"{key}.npy").is_file()

    def so_far() -> str:
        return f"{len(answers())} answers are there, each whole; the same command continues"

    with saying_what_is_safe(out, so_far), one_writer(out):
        if _require_room(out, slot) not in (None, json.loads(json.dumps(identity))):
            for stale in (*answers(), out / STATEMENT):
                stale.unlink(missing_ok=True)
        write_text(out / _IDENTITY, json.dumps(identity, indent=1, sort_keys=True) + "\n")
        spread_out = None if spread is None else partial(spread_answers, spread, method, task, out)
        statement = _predict_all(method, task, dataset, beside, seed, has, save, progress, spread_out)
        known = out / STATEMENT
        if not (known.is_file() and statement["resumed"]):
            write_text(known, json.dumps(statement, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return known


def _require_room(out: Path, slot: Mapping[str, str]) -> dict[str, Any] | None:
    """Return of which predictions a folder is, None for an empty one; others than those of `slot` are an error."""
    path = out / _IDENTITY
    if not path.is_file():
        if not is_unused(out):
            raise InputError(f"{out}: is not empty and holds no predictions; choose another --out")
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if any(found.get(key) != value for key, value in slot.items()):
        raise InputError(f"{out}: holds predictions of {found.get('method')!r}; choose another --out")
    return found


def score(
    task: Task,
    folder: Path,
    split: str = "test",
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Report | None = None,
) -> Result:
    """Score the answers that `predict` wrote, or that were made elsewhere in the same form.

    Parameters
    ----------
    task : Task
        The task that they answer.
    folder : Path
        `<sample id>.npy` for every sample of the split, and optionally `predictions.json`. Without a folder
        `<axis>=<level>` for a level of a training axis, the same answers count for all of its levels. Answers to the
        shifted domain, where the task has one, lie beside the others; without any, the result says nothing of it.
    workers, scheduler
        As of `sxtbench.engines.run_jobs`: samples are scored side by side, with the same result.

    Raises
    ------
    InputError
        For an answer that is missing, of another shape or dtype, NaN, or out of the label range.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of predictions")
    path = folder / STATEMENT
    if path.is_file():
        try:
            statement = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON ({error})") from None
        if statement.get("task_hash") != task.hash:
            raise InputError(f"{path}: made for another version of {task.name} ({task.tier}); predict again")
    else:
        apart = any((folder / folder_of(fit)).is_dir() for fit in fits_of(task)[:-1])
        statement = {"method": {"name": folder.resolve().name}, "fits_apart": apart}

    def load(key: str) -> NDArray[Any]:
        return read_answer(folder / f"{key}.npy", f"{task.name}/{key}")

    named = [s for s in task.beside(split) if f"fingerprint_{s}" in statement or _is_answered(task, s, folder)]
    beside = [task.dataset(other) for other in named]
    rows = None
    if workers > 1 or scheduler is not None:
        rows = partial(spread_rows, task, folder, workers=workers, scheduler=scheduler)
    return score_answers(task, task.dataset(split), beside, statement, load, progress, rows)


def _is_answered(task: Task, split: str, folder: Path) -> bool:
    """Whether any answer to a split is there; looked up without opening the dataset, which may have to be made."""
    count = task.place_of(split)[0].sizes[split]
    return any((folder / f"{group_id(split, index)}.npy").is_file() for index in range(count))


def _predict_all(
    method: Method,
    task: Task,
    dataset: Dataset,
    beside: Sequence[Dataset],
    seed: int,
    has: Callable[[str], bool],
    save: Callable[[str, Answer], None],
    progress: Report | None,
    answers: Callable[[Mapping[str, tuple[str, str]]], Iterator[str]] | None = None,
) -> dict[str, Any]:
    """Predict what is not there yet, the splits beside after the last fit; return the statement of how.

    `answers`, where given, writes those to (split, sample id) in place of `save` and yields their keys.
    """
    require_meant_for(method.name, getattr(method, "config", {}), task)
    for some in (dataset, *beside):
        some.require_whole()
    if isinstance(method, SEE_TARGETS):
        dataset, beside = dataset.with_targets, [other.with_targets for other in beside]
    kind, learned = answer_kind(method, task), learns(method, task.protocol.answer.kinds[0])
    if answers is not None and learned:
        raise InputError(f"{method.name}: has to be fitted, and what it learns does not travel; predict in one process")
    resumed, fit_seconds, seconds = False, None, 0.0
    for fit, samples in answers_wanted(task, dataset, learned=learned):
        wanted = (samples, *beside) if fit == fits_of(task)[-1] else (samples,)
        keys = {sample_id: answer_key(task, fit, sample_id) for some in wanted for sample_id in some.ids}
        resumed |= any(has(key) for key in keys.values())
        if answers is not None:
            todo = {keys[one]: (some.split, one) for some in wanted for one in some.ids if not has(keys[one])}
            for key in chain((key for key in keys.values() if key not in todo), answers(todo)):
                if progress:
                    progress(key)
            continue
        fitted = method
        if learned and not all(has(key) for key in keys.values()):
            if fit != fits_of(task)[-1]:
                fitted = deepcopy(method)  # so that no fit starts from what another has learned
            start = time.perf_counter()
            fit_method(fitted, training_data(task, fit), task.dataset("validation"), seed=seed)
            fit_seconds = (fit_seconds or 0.0) + time.perf_counter() - start
        for sample in chain(*wanted):
            key = keys[sample.id]
            if not has(key):
                start = time.perf_counter()
                answer = predict_sample(fitted, sample)
                seconds += time.perf_counter() - start
                save(key, checked(task, sample, answer, kind=kind))
            if progress:
                progress(key)
    config = getattr(method, "config", {})
    return {
        "task": task.name,
        "task_hash": task.hash,
        "fingerprint": dataset.fingerprint,
        **{f"fingerprint_{other.split}": other.fingerprint for other in beside},
        "resumed": resumed,
        "fits_apart": learned,
        "method": {
            "name": method.name,
            "description": config.get("description") or getattr(method, "description", ""),
            "authors": config.get("authors", []),
            "links": config.get("links", []),
            "licence": config.get("licence", ""),
            "track": config.get("track", "fixed"),
            "training_data": config.get("training_data", ""),
            "seeds": [seed] if fit_seconds is not None else [],
            "parameters": config.get("parameters") or {},
        },
        "side_by_side": answers is not None,
        "resources": {
            "device": "cpu",
            "parameters": getattr(method, "trained_parameters", None),
            **(
                {"wall_time_s": {"fit": fit_seconds, "predict": seconds}, "peak_memory_mb": peak_memory_mb()}
                if answers is None  # what answered elsewhere has its time and memory there
                else {}
            ),
        },
        "environment": here().model_dump(),
    }


def score_answers(
    task: Task,
    dataset: Dataset,
    beside: Sequence[Dataset],
    statement: Mapping[str, Any],
    load: Callable[[str], Any],
    progress: Report | None = None,
    spread: SpreadRows | None = None,
) -> Result:
    """Score answers from wherever they are kept.

    Parameters
    ----------
    task : Task
        The task that they answer.
    dataset : Dataset
        The split that they answer.
    beside : sequence of Dataset
        The shifted domain, where it was answered too.
    statement : mapping
        How they were made: what `predict` writes to `predictions.json`.
    load : callable
        From the key of an answer (`sxtbench.benchmark.training.answer_key`) to the answer.
    progress : callable, optional
        Called with the id of each sample that is done.
    spread : callable, optional
        In place of `load`: `sxtbench.benchmark.spread.spread_rows` of a task and a folder.
    """
    dataset = dataset.with_targets
    dataset.require_whole()
    if statement.get("fingerprint", dataset.fingerprint) != dataset.fingerprint:
        raise InputError(f"{task.name}: predictions were made on other data ({dataset.split} has another fingerprint)")
    apart = statement.get("fits_apart", False)
    rows = _rows(task, dataset, load, progress, spread, apart=apart, beside=False)
    axes = {name: Axis(levels=axis.levels, reference=axis.reference) for name, axis in task.protocol.axes.items()}
    shifted = [_score_beside(task, other, statement, load, axes, progress, spread) for other in beside]
    return Result(
        task=task.name,
        version=task.protocol.version,
        task_hash=task.hash,
        tier=task.tier,
        split=dataset.split,
        fingerprint=dataset.fingerprint,
        data_origin=dataset.origin,
        primary=task.protocol.primary.id,
        axes=axes,
        method=MethodStatement.model_validate(statement["method"]),
        origin="scored",
        flags=tuple(_flags(task, statement)),
        environment=Environment(**statement["environment"]) if "environment" in statement else here(),
        resources=Resources(**_resources(statement)),
        rows=tuple(rows),
        aggregates=aggregate(rows, axes),
        shifted=shifted[0] if shifted else None,
    )


def _rows(
    task: Task,
    dataset: Dataset,
    load: Callable[[str], Any],
    progress: Report | None,
    spread: SpreadRows | None,
    *,
    apart: bool,
    beside: bool,
) -> list[Row]:
    """Score every sample, here or elsewhere; the rows are in the order of the samples in both cases."""
    found: dict[str, list[Row]] = {}
    here = ((s.id, rows_of_sample(task, s, dataset.split, load, apart=apart, beside=beside)) for s in dataset)
    for sample_id, rows in here if spread is None else spread(dataset, apart=apart, beside=beside):
        found[sample_id] = rows
        if progress:
            progress(sample_id)
    return [row for sample_id in dataset.ids for row in found[sample_id]]


def _score_beside(
    task: Task,
    dataset: Dataset,
    statement: Mapping[str, Any],
    load: Callable[[str], Any],
    axes: Mapping[str, Axis],
    progress: Report | None,
    spread: SpreadRows | None,
) -> Shifted:
    if statement.get(f"fingerprint_{dataset.split}", dataset.fingerprint) != dataset.fingerprint:
        raise InputError(f"{task.name}: predictions were made on other data ({dataset.split} has another fingerprint)")
    rows = _rows(task, dataset.with_targets, load, progress, spread, apart=False, beside=True)
    return Shifted(fingerprint=dataset.fingerprint, rows=tuple(rows), aggregates=aggregate(rows, axes))


def here() -> Environment:
    """Return where this process runs."""
    return Environment(python=platform.python_version(), platform=platform.platform(), cpu=cpu(), packages=packages())


def _resources(statement: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(statement.get("resources", {}))
    if "wall_time_s" in found:
        found["wall_time_s"] = WallTime(**found["wall_time_s"])
    return found


def _flags(task: Task, statement: Mapping[str, Any]) -> list[str]:
    flags = []
    if task.dataset_spec.suffix:
        flags.append(f"dataset {task.dataset_spec.name} is not the benchmark's own")
    if statement.get("side_by_side"):
        flags.append(SIDE_BY_SIDE)
    elif statement.get("resumed"):
        flags.append(SEVERAL_RUNS)
    return flags


def write_previews(result: Result, task: Task, dataset: Dataset, load: Callable[[str], Any], folder: Path) -> Result:
    """Write the pictures of the first specimen (input, truth, answer; central slice) and return the result with them.

    Parameters
    ----------
    result : Result
        Of the method whose answers `load` gives.
    task : Task
        That the answers are for.
    dataset : Dataset
        The scored split, with targets.
    load : callable
        From a sample's id to its answer.
    folder : Path
        Where the PNGs go.
    """
    sample = dataset.at_reference.with_targets[0]
    name = result.method.name
    kind = task.protocol.answer.kinds[0]
    truth, found = sample.targets[TRUTH[kind]], load(sample.id)
    drawn: list[tuple[Callable[[Any, Path], Path], NDArray[Any]]]
    if kind == "shifts":
        views = sample.series["interior"].projections
        middle = views.shape[1] // 2
        stem, caption = f"{sample.id}-row{middle}", f"row {middle} of every view (angle, u)"
        low, high = np.percentile(views[:, middle], (1, 99))
        draw = partial(grey_slice_png, low=float(low), high=float(high))
        drawn = [(draw, sinogram(views, shifts, middle)) for shifts in (np.zeros_like(truth), truth, found)]
    else:
        middle = sample.shape[0] // 2
        stem, caption = f"{sample.id}-z{middle}", f"z slice {middle} (y, x)"
        drawn = [(partial(slice_png, "volume"), sample.reconstructions["fbp"][middle])]
        drawn += [(partial(slice_png, kind), volume[middle]) for volume in (truth, found)]
    answer = f"{stem}-{file_name(name)}.png"
    for (write, picture), file in zip(drawn, (f"{stem}-input.png", f"{stem}-truth.png", answer), strict=True):
        write(picture, folder / file)
    previews = (
        Preview(file=f"{stem}-input.png", kind="input", sample=sample.id, caption=caption),
        Preview(file=f"{stem}-truth.png", kind="truth", sample=sample.id, caption=caption),
        Preview(file=answer, kind="answer", sample=sample.id, caption=caption),
    )
    return result.model_copy(update={"previews": previews})


def file_name(method: str) -> str:
    """Return a method's name as a file name: ASCII letters, digits, dots, dashes and underscores.

    >>> file_name("my méthod/2")
    'my-m-thod-2'
    """
    return "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "-" for c in method)
