"""Check an answer against what a task asks for, before anything is scored or stored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError


def check_labels(answer: Any, *, shape: tuple[int, ...], classes: tuple[int, ...], where: str) -> NDArray[np.uint8]:
    """Return an answer of labels as uint8, or raise with one line that says what is wrong.

    Parameters
    ----------
    answer : ndarray, shape (z, y, x), any integer dtype
        Labels from the class set; bool and float are refused.
    shape : tuple of int
        The shape that is right.
    classes : tuple of int
        The values that are allowed.
    where : str
        Names the sample in errors.
    """
    if not isinstance(answer, np.ndarray):
        raise InputError(f"{where}: the answer is a {type(answer).__name__}, expected a numpy array of shape {shape}")
    if answer.shape != shape:
        raise InputError(f"{where}: prediction has shape {answer.shape}, expected {shape}")
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
