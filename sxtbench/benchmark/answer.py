"""Check an answer against what a task asks for, before anything is scored or stored."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError

if TYPE_CHECKING:
    from sxtbench.benchmark.method import Method
    from sxtbench.benchmark.task import Task
    from sxtbench.datasets.dataset import Sample

Answer = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]

_VALUES = {"volume": ("LAC in 1/um", "voxels"), "projections": ("absorbance", "pixels")}
"""What answers of numbers are, and what they consist of."""


def check_answer(answer: Any, *, kind: str, shape: tuple[int, ...], classes: tuple[int, ...], where: str) -> Answer:
    """Return an answer in its own dtype, or raise with one line that says what is wrong.

    Labels become uint8, volumes and projections float32, shifts float64.

    Parameters
    ----------
    answer : ndarray, shape (z, y, x), of projections (n_angles, z, u), or of shifts (n_views, 2)
        What a method returned, or what stood in a file.
    kind : {"labels", "volume", "projections", "shifts"}
        What the task asks for.
    shape : tuple of int
        The shape that is right.
    classes : tuple of int
        For labels: the values that are allowed.
    where : str
        Names the sample in errors.

    Raises
    ------
    InputError
        For another type, shape or dtype, NaN or infinity, or a label out of the range.
    """
    if not isinstance(answer, np.ndarray):
        raise InputError(f"{where}: the answer is a {type(answer).__name__}, expected a numpy array of shape {shape}")
    if answer.shape != shape:
        raise InputError(f"{where}: prediction has shape {answer.shape}, expected {shape}")
    if kind == "labels":
        return _labels(answer, classes, where)
    return _shifts(answer, where) if kind == "shifts" else _values(answer, where, *_VALUES[kind])


def _shifts(answer: NDArray[Any], where: str) -> NDArray[np.float64]:
    if not np.issubdtype(answer.dtype, np.floating):
        raise InputError(f"{where}: prediction has dtype {answer.dtype}, expected shifts in pixels as a float dtype")
    bad = int(np.count_nonzero(~np.isfinite(answer).all(axis=1)))
    if bad:
        raise InputError(f"{where}: prediction holds NaN or infinity in {bad} views, expected finite shifts in pixels")
    return answer.astype(np.float64, copy=False)


def _values(answer: NDArray[Any], where: str, what: str, places: str) -> NDArray[np.float32]:
    if not np.issubdtype(answer.dtype, np.floating):
        raise InputError(f"{where}: prediction has dtype {answer.dtype}, expected {what} as a float dtype")
    with np.errstate(over="ignore"):  # what overflows is infinite, and said to be
        volume = answer.astype(np.float32, copy=False)
    bad = volume.size - int(np.count_nonzero(np.isfinite(volume)))
    if bad:
        raise InputError(f"{where}: prediction holds NaN or infinity in {bad} {places}, expected finite {what}")
    return volume


def _labels(answer: NDArray[Any], classes: tuple[int, ...], where: str) -> NDArray[np.uint8]:
    if np.issubdtype(answer.dtype, np.floating) and not np.all(np.isfinite(answer)):
        raise InputError(
            f"{where}: prediction has dtype {answer.dtype} and holds NaN or infinity, expected integer labels"
        )
    if not np.issubdtype(answer.dtype, np.integer):
        raise InputError(f"{where}: prediction has dtype {answer.dtype}, expected an integer dtype such as uint8")
    found = np.unique(answer)
    strange = [int(value) for value in found if int(value) not in classes]
    if strange:
        raise InputError(f"{where}: prediction holds the labels {strange[:5]}, expected only {list(classes)}")
    return answer.astype(np.uint8, copy=False)


def read_answer(file: Path, where: str) -> NDArray[Any]:
    """Read an answer from a `.npy` file; `where` names it in the one line of an `InputError`."""
    try:
        answer: NDArray[Any] = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{where}: prediction is missing, expected {file}") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{where}: {file} is not a readable .npy file ({error})") from None
    return answer


def checked(task: "Task", sample: "Sample", answer: Any, *, kind: str | None = None) -> Answer:
    """Return an answer to a sample as the task scores it, or raise with one line.

    Where a task takes projections beside volumes, it scores what the pinned FBP makes of them.

    Parameters
    ----------
    task : Task
        Says which kinds of answer there are.
    sample : Sample
        Gives the shapes that are right.
    answer : ndarray
        What a method returned, or what stood in a file.
    kind : str, optional
        What the method says that it is. Left out, the shape tells.
    """
    wanted = task.protocol.answer
    of_projections = "projections" in wanted.kinds and np.shape(answer) == sample.tilt_series.counts.shape
    kind = kind or ("projections" if of_projections else wanted.kinds[0])
    found = check_answer(
        answer,
        kind=kind,
        shape=sample.tilt_series.counts.shape if kind == "projections" else sample.answer_shape,
        classes=wanted.classes,
        where=f"{task.name}/{sample.id}",
    )
    return sample.from_projections(found) if kind == "projections" else found


def answer_kind(method: "Method", task: "Task") -> str:
    """Return which kind of answer a method gives: what its `answer` names, if that is a text, else the task's first.

    Raises
    ------
    InputError
        For a kind that the task does not take.
    """
    kinds = task.protocol.answer.kinds
    named = getattr(method, "answer", None)  # may be anything in a class of a user's
    kind = named if isinstance(named, str) else kinds[0]
    if kind not in kinds:
        raise InputError(f"{method.name}: answers with {kind!r}; {task.name} takes {' or '.join(kinds)}")
    return kind
