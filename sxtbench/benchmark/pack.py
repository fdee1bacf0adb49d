"""Pack answers into a submission: a ZIP whose bytes repeat, and that `check_submission` finds valid."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sxtbench.benchmark.answer import check_answer, read_answer
from sxtbench.benchmark.evaluate import STATEMENT as PREDICTED
from sxtbench.benchmark.evaluate import here
from sxtbench.benchmark.submission import CHECKSUMS, PREDICTIONS, STATEMENT, Submission
from sxtbench.benchmark.submission_checks import check_submission
from sxtbench.benchmark.task import SHIFTED, Task
from sxtbench.benchmark.training import answer_key, answers_wanted, fits_of, folder_of
from sxtbench.datasets.dataset import Sample
from sxtbench.errors import CheckError, InputError
from sxtbench.files import atomic_path
from sxtbench.hashing import sha256_bytes

_DATE = (1980, 1, 1, 0, 0, 0)
_LEVEL = 1  # of deflate; labels shrink a hundredfold at any level, noise not at the highest
_FLAGS = {"authors": "--author", "licence": "--licence", "training_data": "--training-data", "name": "--name"}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """A folder of answers.

    Parameters
    ----------
    folder : Path
        `<sample id>.npy`, and below `<axis>=<level>/` the answers after other fits.
    task, tier, split : str
        What they answer, where `predict` wrote it beside them; else empty.
    """

    folder: Path
    task: str = ""
    tier: str = ""
    split: str = ""


def find_answers(folder: Path) -> Source:
    """Find the answers in a folder that `predict` or `run` left, or that holds `<sample id>.npy` made elsewhere.

    Raises
    ------
    InputError
        Where there are none, or a run's folder holds those of several methods.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of predictions")
    if (folder / "identity.json").is_file():
        return _source(folder)
    left = sorted(path.parent for path in (folder / "predictions").glob("*/*/identity.json"))
    if len(left) > 1:
        raise InputError(f"{folder}: holds the answers of {len(left)} runs; name one: {', '.join(map(str, left[:5]))}")
    if left:
        return _source(left[0])
    if not any(folder.glob("*.npy")):
        raise InputError(f"{folder}: holds no answers, expected <sample id>.npy as `sxtbench predict` writes them")
    return Source(folder)


def _source(folder: Path) -> Source:
    identity = _read(folder / "identity.json")
    try:
        return Source(folder, identity["task"], identity["tier"], identity["split"])
    except KeyError as error:
        raise InputError(f"{folder / 'identity.json'}: says nothing of {error}; predict again") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a JSON {type(content).__name__}, expected what `sxtbench predict` wrote")
    return content


def describe(
    source: Source, task: Task, split: str = "test", *, method: Mapping[str, Any], resources: Mapping[str, Any]
) -> Submission:
    """Say how answers were made: from what `predict` wrote beside them, and from their author.

    Parameters
    ----------
    source : Source
        From `find_answers`.
    task : Task
        That they answer.
    split : str
        `test`.
    method, resources : mapping
        Fields of `SubmittedMethod` and `SubmittedResources` in place of what is written there; empty ones count as left
        out.

    Raises
    ------
    InputError
        For answers to another version of the task, and where something has to be said that nobody has said.
    """
    known: dict[str, Any] = {}
    if (source.folder / PREDICTED).is_file():
        known = _read(source.folder / PREDICTED)
        if known.get("task_hash") != task.hash:
            where = f"{source.folder / PREDICTED}"
            raise InputError(f"{where}: made for another version of {task.name} ({task.tier}); predict again")
    dataset = task.dataset(split)
    shifted = None
    if SHIFTED in task.beside(split):
        ids = [f"{SHIFTED}-{index:05d}" for index in range(task.place_of(SHIFTED)[0].sizes[SHIFTED])]
        if f"fingerprint_{SHIFTED}" in known or any((source.folder / f"{name}.npy").is_file() for name in ids):
            shifted = task.dataset(SHIFTED).fingerprint
    apart = any((source.folder / folder_of(fit)).is_dir() for fit in fits_of(task)[:-1])
    content = {
        "schema_version": 1,
        "task": task.name,
        "version": task.protocol.version,
        "task_hash": task.hash,
        "tier": task.tier,
        "split": split,
        "fingerprint": known.get("fingerprint", dataset.fingerprint),
        "shifted_fingerprint": known.get(f"fingerprint_{SHIFTED}", shifted),
        "fits_apart": known.get("fits_apart", apart),
        "method": {**known.get("method", {}), **_said(method)},
        "resources": {**known.get("resources", {}), **_said(resources)},
        "environment": known.get("environment") or here().model_dump(),
        "resumed": known.get("resumed", False),
    }
    try:
        return Submission.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise InputError(f"{source.folder}: {'; '.join(_problems(error))}") from None


def _problems(error: ValidationError) -> list[str]:
    """Say each problem in terms of the options that solve it."""
    told = []
    for problem in error.errors(include_url=False, include_input=False):
        field = str(problem["loc"][-1])
        nothing = problem["type"] in ("missing", "too_short", "string_too_short")
        said = f"is not said; give {_FLAGS[field]}" if nothing and field in _FLAGS else problem["msg"]
        told.append(f"{'.'.join(map(str, problem['loc']))}: {said.removeprefix('Value error, ')}")
    return told


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [], ())}


def pack(source: Source, submission: Submission, task: Task, out: Path, *, progress: Progress | None = None) -> Path:
    """Write a submission, whole or not at all.

    Answers are stored in the dtype in which they are scored (labels uint8, volumes float32, shifts float64). The same
    answers and statement give the same bytes.

    Parameters
    ----------
    source : Source
        From `find_answers`.
    submission : Submission
        From `describe`.
    task : Task
        That is answered.
    out : Path
        The ZIP.
    progress : callable, optional
        Called with the name of each answer, once when it is packed and once when it is checked.

    Raises
    ------
    InputError
        For an answer that is missing, of another shape or dtype, NaN, or out of the label range; for a path that cannot
        be written.
    CheckError
        Where what was packed is not valid.
    """
    if out.is_dir():
        raise InputError(f"{out}: is a folder, expected the path of a ZIP to write")
    statement = submission.to_json().encode()
    sums = {STATEMENT: sha256_bytes(statement)}
    try:
        with atomic_path(out) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                _add(archive, STATEMENT, statement)
                for key, sample in _samples(submission, task).items():
                    name = f"{PREDICTIONS}{key}.npy"
                    sums[name] = _add_answer(archive, name, _answer(source, key, task, sample))
                    if progress:
                        progress(key)
                lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
                _add(archive, CHECKSUMS, lines.encode())
            found = check_submission(temporary, find_task=lambda name, tier: task, progress=progress)
            if found.faults or found.unchecked:
                raise CheckError(f"{out}: not written; {'; '.join([*found.faults, found.unchecked][:5])}")
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error
    return out


def _samples(submission: Submission, task: Task) -> dict[str, Sample]:
    dataset = task.dataset(submission.split)
    found = {
        answer_key(task, fit, sample.id): sample
        for fit, samples in answers_wanted(task, dataset, learned=submission.fits_apart)
        for sample in samples
    }
    if submission.shifted_fingerprint:
        found |= {sample.id: sample for sample in task.dataset(SHIFTED)}
    return dict(sorted(found.items()))


def _answer(source: Source, key: str, task: Task, sample: Sample) -> NDArray[Any]:
    answer = read_answer(source.folder / f"{key}.npy", f"{task.name}/{key}")
    wanted = task.protocol.answer
    kind, shape = wanted.kinds[0], sample.answer_shape
    if "projections" in wanted.kinds and answer.shape != shape and answer.shape == sample.tilt_series.counts.shape:
        kind, shape = "projections", answer.shape
    return check_answer(answer, kind=kind, shape=shape, classes=wanted.classes, where=f"{task.name}/{key}")


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content, compresslevel=_LEVEL)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o100644 << 16, 3
    return info


def _add_answer(archive: zipfile.ZipFile, name: str, answer: NDArray[Any]) -> str:
    """Write an array in the order and byte order that are usual, and return its SHA-256."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(answer.astype(answer.dtype.newbyteorder("<"), copy=False)), allow_pickle=False)
    content = file.getvalue()
    _add(archive, name, content)
    return sha256_bytes(content)
