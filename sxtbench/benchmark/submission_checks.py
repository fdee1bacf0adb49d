"""Validate a submission, every byte of it a stranger's, and score one that is valid.

Only files that the task asks for are read, each at most as far as its answer can reach, so that a bomb costs no more
than the honest submission would. Nothing is unpacked to disk.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sxtbench.benchmark.answer_files import Form, scan
from sxtbench.benchmark.evaluate import score_answers
from sxtbench.benchmark.hostile import MOST_MEMBERS, Container, Unreadable, blocks, opened, shown, whole
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.submission import CHECKSUMS, PREDICTIONS, STATEMENT, Frame, Submission, parse
from sxtbench.benchmark.task import SHIFTED, Task, get_task
from sxtbench.benchmark.training import answer_key, answers_wanted
from sxtbench.datasets.build import missing_specimens
from sxtbench.datasets.dataset import Dataset, Sample, home
from sxtbench.datasets.spec import PRIVATE
from sxtbench.errors import InputError
from sxtbench.hashing import sha256_bytes

_MOST_STATEMENT = 1 << 20
_MOST_CHECKSUMS = 4 << 20
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
SPLITS = ("test", PRIVATE)
"""What is submitted: never what methods learn from."""

FindTask = Callable[[str, str], Task]
Progress = Callable[[str], None]


@dataclass
class Findings:
    """What validation found.

    Attributes
    ----------
    faults : list of str
        One line each; none where the submission is valid.
    unchecked : str
        Why the answers could not be looked at, where they could not.
    submission : Submission or None
        What it says of itself, where that can be read.
    task : Task or None
        What it answers.
    answers : int
        Files of answers that were checked.
    """

    faults: list[str] = field(default_factory=list)
    unchecked: str = ""
    submission: Submission | None = None
    task: Task | None = None
    answers: int = 0


def check_submission(path: Path, *, find_task: FindTask = get_task, progress: Progress | None = None) -> Findings:
    """Validate a submission and return every fault of it.

    Parameters
    ----------
    path : Path
        A ZIP or a folder.
    find_task : callable
        From the names of a task and a tier to the task; raises `InputError` where there is none.
    progress : callable, optional
        Called with the name of each answer that is done.

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        Where there is no file or folder, or no ZIP that can be read.
    """
    with opened(path) as container:
        found = Findings(faults=list(container.faults))
        sums = _checksums(container, found.faults)
        frame = _statement(container, sums, found)
        if frame is None:
            found.unchecked = f"the answers were not checked: {STATEMENT} does not say what they are for"
            return found
        try:
            found.task = find_task(frame.task, frame.tier)
        except InputError as error:
            found.faults.append(f"{STATEMENT}: {error}")
            found.unchecked = "the answers were not checked: it names no task or tier that is taken here"
            return found
        datasets = _datasets(frame, found.task, found)
        if datasets is None:
            return found
        wanted = _wanted(frame, found.task, *datasets)
        _names(container, sums, wanted, found.faults)
        for name, sample in wanted.items():
            if name in container.sizes:
                _answer(container, name, found.task, sample, sums, found.faults)
                found.answers += 1
            if progress:
                progress(name)
    return found


def score_submission(path: Path, submission: Submission, task: Task, *, progress: Progress | None = None) -> Result:
    """Score a submission that `check_submission` found valid.

    Time, memory, device and environment are those that it states: two scorings give the same bytes, wherever they run.

    Parameters
    ----------
    path : Path
        A ZIP or a folder.
    submission : Submission
        What it says of itself.
    task : Task
        What it answers.
    progress : callable, optional
        Called with the id of each sample that is scored.

    Raises
    ------
    InputError
        Where an answer has changed since it was checked.
    """
    split = submission.split
    datasets = [task.dataset(name) for name in (split, *_beside(submission))]
    statement: dict[str, Any] = {
        "fingerprint": submission.fingerprint,
        f"fingerprint_{SHIFTED}": submission.shifted_fingerprint,
        "fits_apart": submission.fits_apart,
        "resumed": submission.resumed,
        "method": submission.method.model_dump(),
        "resources": submission.resources.model_dump(),
        "environment": submission.environment.model_dump(),
    }
    by_name = {name: sample for data in datasets for name, sample in ((_file(s.id), s) for s in data)}
    with opened(path) as container:

        def load(key: str) -> NDArray[Any]:
            name = _file(key)
            sample = by_name[_file(key.rpartition("/")[2])]
            if name not in container.sizes:
                raise InputError(f"{path}: {name} is missing")
            found = scan(blocks(container, name), container.sizes[name], _form(task, sample), keep=True)
            if found.array is None:
                raise InputError(f"{path}: {name}: {found.faults[0]}")
            return found.array

        return score_answers(task, datasets[0], datasets[1:], statement, load, progress)


def _beside(frame: Frame) -> tuple[str, ...]:
    return (SHIFTED,) if frame.shifted_fingerprint else ()


def _file(key: str) -> str:
    return f"{PREDICTIONS}{key}.npy"


def _checksums(container: Container, faults: list[str]) -> dict[str, str]:
    """Read `SHA256SUMS`, as coreutils writes it."""
    try:
        text = whole(container, CHECKSUMS, _MOST_CHECKSUMS).decode("utf-8")
    except UnicodeDecodeError:
        faults.append(f"{CHECKSUMS}: is not UTF-8")
        return {}
    except Unreadable as error:
        faults.append(f"{CHECKSUMS}: {error}")
        return {}
    sums: dict[str, str] = {}
    if text.count("\n") > MOST_MEMBERS:
        faults.append(f"{CHECKSUMS}: has more than {MOST_MEMBERS} lines")
        return {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        parts = _LINE.fullmatch(line.removesuffix("\r"))
        if parts is None:
            faults.append(f"{CHECKSUMS}: line {number} is {shown(line, 60)}, expected <sha256>  <file>")
        elif parts[2] in sums:
            faults.append(f"{CHECKSUMS}: line {number}: {shown(parts[2])} stands twice")
        else:
            sums[parts[2]] = parts[1]
    return sums


def _statement(container: Container, sums: Mapping[str, str], found: Findings) -> Frame | None:
    try:
        raw = whole(container, STATEMENT, _MOST_STATEMENT)
    except Unreadable as error:
        found.faults.append(f"{STATEMENT}: {error}")
        return None
    _compare(STATEMENT, sha256_bytes(raw), sums, found.faults)
    frame, faults = parse(raw)
    found.faults += faults
    if isinstance(frame, Submission):
        found.submission = frame
    return frame


def _compare(name: str, found: str, sums: Mapping[str, str], faults: list[str]) -> None:
    if name in sums and sums[name] != found:
        faults.append(f"{name}: has SHA-256 {found[:12]}..., {CHECKSUMS} says {sums[name][:12]}...")


def _datasets(frame: Frame, task: Task, found: Findings) -> tuple[Dataset, list[Dataset]] | None:
    """Return what was answered, if it is here: a stranger's file shall not make us generate anything."""
    faults = found.faults
    if frame.version != task.protocol.version:
        faults.append(f"{STATEMENT}: version is {frame.version}, this sxtbench has {task.name}@{task.protocol.version}")
    if frame.task_hash != task.hash:
        faults.append(f"{STATEMENT}: task_hash is {frame.task_hash[:12]}..., this task has {task.hash[:12]}...")
    allowed = [PRIVATE] if task.private_spec else [split for split in SPLITS if split in task.dataset_spec.sizes]
    if frame.split not in allowed:
        faults.append(f"{STATEMENT}: split is {frame.split}, expected {' or '.join(allowed)}")
        found.unchecked = "the answers were not checked: no such split is submitted"
        return None
    if frame.shifted_fingerprint and SHIFTED not in task.beside(frame.split):
        faults.append(f"{STATEMENT}: shifted_fingerprint: the task has no shifted domain at tier {frame.tier}")
        frame = frame.model_copy(update={"shifted_fingerprint": None})
    datasets = []
    for split, stated in ((frame.split, frame.fingerprint), (SHIFTED, frame.shifted_fingerprint)):
        if stated is None:
            continue
        spec, place = task.place_of(split)
        if missing_specimens(spec, place or home() / "datasets" / spec.name, [split]):
            found.unchecked = (
                f"the answers were not checked: the {split} split of {spec.name} is not here; "
                f"`sxtbench generate {task.name} --tier {task.tier} --splits {split}` makes it"
            )
            return None
        dataset = task.dataset(split)
        if stated != dataset.fingerprint:
            which = "fingerprint" if split == frame.split else "shifted_fingerprint"
            here = dataset.fingerprint[:12]
            faults.append(f"{STATEMENT}: {which} is {stated[:12]}..., that of the {split} split is {here}...")
        datasets.append(dataset)
    return datasets[0], datasets[1:]


def _wanted(frame: Frame, task: Task, dataset: Dataset, beside: list[Dataset]) -> dict[str, Sample]:
    """Return the sample of each file that has to be there."""
    keys = {
        answer_key(task, fit, sample.id): sample
        for fit, samples in answers_wanted(task, dataset, learned=frame.fits_apart)
        for sample in samples
    }
    keys |= {sample.id: sample for other in beside for sample in other}
    return {_file(key): sample for key, sample in keys.items()}


def _names(container: Container, sums: Mapping[str, str], wanted: Mapping[str, Sample], faults: list[str]) -> None:
    """Compare the files that are there, those that are listed and those that the task wants."""
    for name in wanted:
        if name not in container.sizes:
            faults.append(f"{name}: is missing")
    for name in container.sizes:
        if name in (STATEMENT, *wanted):
            if name not in sums:
                faults.append(f"{name}: is not listed in {CHECKSUMS}")
        elif name != CHECKSUMS:
            hint = ", expected .npy" if name.endswith(".zarr.zip") else ""
            faults.append(f"{shown(name)}: is no file of such a submission{hint}")
    for name in sums:
        if name not in container.sizes:
            faults.append(f"{CHECKSUMS}: lists {shown(name)}, which is not there")


def _form(task: Task, sample: Sample) -> Form:
    answer = task.protocol.answer

    def other(shape: tuple[int, ...]) -> Form | None:
        right = "projections" in answer.kinds and len(shape) == 3 and shape == sample.tilt_series.counts.shape
        return Form(kind="projections", shape=shape) if right else None

    return Form(kind=answer.kinds[0], shape=sample.answer_shape, classes=answer.classes, other=other)


def _answer(
    container: Container, name: str, task: Task, sample: Sample, sums: Mapping[str, str], faults: list[str]
) -> None:
    result = scan(blocks(container, name), container.sizes[name], _form(task, sample))
    faults += [f"{name}: {fault}" for fault in result.faults]
    if result.sha256:
        _compare(name, result.sha256, sums, faults)
