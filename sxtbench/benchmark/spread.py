"""Samples answered and scored side by side, in processes of this machine or on a Dask cluster: a sample a job.

A method travels as what was typed to name it, with the hashes of its file and settings; a worker loads it once and
refuses where its copy is another. Answers are files in a folder that all workers see.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sxtbench.benchmark.answer import answer_kind, checked, read_answer
from sxtbench.benchmark.controls import SEE_TARGETS
from sxtbench.benchmark.method import Method, load_for, predict_sample
from sxtbench.benchmark.records import Row
from sxtbench.benchmark.scoring import rows_of_sample
from sxtbench.benchmark.task import Task
from sxtbench.datasets.dataset import Dataset
from sxtbench.engines import run_jobs
from sxtbench.errors import InputError
from sxtbench.files import atomic_path
from sxtbench.hashing import sha256_json


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Which method workers load, and where they run.

    Parameters
    ----------
    method : str
        As for `load_method`; a file has to be where every worker finds it.
    weights : Path, optional
        As for `load_for`.
    workers, scheduler
        As of `sxtbench.engines.run_jobs`.
    """

    method: str
    weights: Path | None = None
    workers: int = 1
    scheduler: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Split:
    """A split with what tells that a worker sees the same."""

    run: str
    task: Task
    split: str
    fingerprint: str
    folder: Path


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A sample to answer, and where to."""

    place: _Split
    sample: str
    method: str
    weights: Path | None
    said: str
    answer: Path


@dataclass(frozen=True, kw_only=True)
class _Answered:
    """A sample to score."""

    place: _Split
    sample: str
    answers: Path
    apart: bool
    beside: bool


_opened: dict[tuple[str, str], Dataset] = {}
_loaded: dict[str, Method] = {}


def spread_answers(
    spread: Spread, method: Method, task: Task, out: Path, wanted: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    """Let workers answer samples and write `out/<key>.npy`; yield each key when its file is there.

    Parameters
    ----------
    spread : Spread
        Which method, and where.
    method : Method
        The same as it was loaded here.
    task : Task
        What is answered.
    out : Path
        Where the answers go.
    wanted : mapping of str to (str, str)
        Split and sample id by the key of the answer.

    Raises
    ------
    InputError
        For what the method does wrong, where a worker finds another method or other data, and as `run_jobs`.
    """
    run, out = uuid.uuid4().hex, out.absolute()
    place, colon, name = spread.method.rpartition(":")
    spec = f"{Path(place).absolute()}{colon}{name}" if place.endswith(".py") else spread.method
    places = {split: _place(run, task, task.dataset(split)) for split in {split for split, _ in wanted.values()}}
    jobs = {
        key: _Question(
            place=places[split],
            sample=sample,
            method=spec,
            weights=spread.weights and spread.weights.absolute(),
            said=_identity(method),
            answer=out / f"{key}.npy",
        )
        for key, (split, sample) in wanted.items()
    }
    for key, _ in run_jobs(jobs, _answer, workers=spread.workers, scheduler=spread.scheduler, folder=out):
        yield key


def spread_rows(
    task: Task,
    folder: Path,
    dataset: Dataset,
    *,
    apart: bool,
    beside: bool,
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[tuple[str, list[Row]]]:
    """Let workers score the answers in a folder; yield the id of each sample with its rows, as they are done.

    Parameters
    ----------
    task : Task
        What was answered.
    folder : Path
        Holds the answers.
    dataset : Dataset
        The split.
    apart, beside
        As of `sxtbench.benchmark.scoring.rows_of_sample`.
    workers, scheduler
        As of `sxtbench.engines.run_jobs`.
    """
    place = _place(uuid.uuid4().hex, task, dataset)
    jobs = {
        sample: _Answered(place=place, sample=sample, answers=folder.absolute(), apart=apart, beside=beside)
        for sample in dataset.ids
    }
    return run_jobs(jobs, _score, workers=workers, scheduler=scheduler)


def _place(run: str, task: Task, dataset: Dataset) -> _Split:
    return _Split(
        run=run,
        task=replace(task, data=None, private_data=None),
        split=dataset.split,
        fingerprint=dataset.fingerprint,
        folder=dataset.folder.absolute(),
    )


def _identity(method: Method) -> str:
    """Return the hash of a method's file and settings."""
    return sha256_json([method.name, getattr(method, "source_sha256", ""), getattr(method, "config", {})])


def _dataset(place: _Split) -> Dataset:
    """Open a split once a run."""
    key = (place.run, place.split)
    if key not in _opened:
        if not place.folder.is_dir():
            raise InputError(f"{place.folder}: no such folder on the worker; put the data where all workers see them")
        found = Dataset(place.task.place_of(place.split)[0], place.folder, place.split, targets=True)
        if found.fingerprint != place.fingerprint:
            raise InputError(f"{place.folder}: the worker sees other data ({place.split} has another fingerprint)")
        for stale in [old for old in _opened if old[0] != place.run]:
            del _opened[stale]
        _opened[key] = found
    return _opened[key]


def _method(question: _Question) -> Method:
    """Load the method once a run; what it keeps from sample to sample it then keeps as in one process."""
    run = question.place.run
    if run not in _loaded:
        method = load_for(question.place.task, question.method, question.weights)
        if _identity(method) != question.said:
            raise InputError(f"{question.method}: the worker has another version of its file, settings or weights")
        _loaded.clear()
        _loaded[run] = method
    return _loaded[run]


def _answer(question: _Question) -> None:
    method, dataset, task = _method(question), _dataset(question.place), question.place.task
    sample = (dataset if isinstance(method, SEE_TARGETS) else dataset.without_targets).by_id(question.sample)
    answer = checked(task, sample, predict_sample(method, sample), kind=answer_kind(method, task))
    with atomic_path(question.answer) as temporary, temporary.open("wb") as file:
        np.save(file, answer, allow_pickle=False)


def _score(job: _Answered) -> list[Row]:
    task = job.place.task

    def load(key: str) -> np.ndarray:
        return read_answer(job.answers / f"{key}.npy", f"{task.name}/{key}")

    sample = _dataset(job.place).by_id(job.sample)
    return rows_of_sample(task, sample, job.place.split, load, apart=job.apart, beside=job.beside)
