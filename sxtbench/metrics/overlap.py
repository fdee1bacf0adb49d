"""Overlap of label volumes: IoU and Dice per class, of classes taken as one, and the share of a region called a class.

Every function counts over voxels where the truth is labelled (not 255) and the mask, if any, is true. Rules for empty
classes (PROTOCOL 4): a class in neither volume is undefined (NaN), a class in exactly one of them scores 0.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.labels import UNLABELLED, VACUOLE

_LABELS = 256
_BLOCK = 1 << 22


def iou(
    pred: ArrayLike, truth: ArrayLike, *, classes: Sequence[int] = (1, 2, 3), mask: ArrayLike | None = None
) -> dict[int, float]:
    """Intersection over union of each class.

    Parameters
    ----------
    pred : ndarray, any shape, any integer dtype, labels in [0, 255]
        The answer.
    truth : ndarray, shape of `pred`, any integer dtype, labels in [0, 255]
        The truth; voxels of 255 are unlabelled and count nowhere.
    classes : sequence of int
        Labels to score, each in [0, 254].
    mask : ndarray, shape of `pred`, bool, optional
        Where to count; everywhere if left out.

    Returns
    -------
    dict
        `{class: value}` with values in [0, 1]; NaN for a class in neither volume, 0 for one in exactly one of them.

    Raises
    ------
    InputError
        If a dtype, a shape or a label is out of the contract.

    Examples
    --------
    >>> iou([[1, 1], [0, 2]], [[1, 0], [0, 2]], classes=[1, 2])
    {1: 0.5, 2: 1.0}
    """
    return iou_from_counts(joint_counts(pred, truth, mask=mask), classes)


def dice(
    pred: ArrayLike, truth: ArrayLike, *, classes: Sequence[int] = (1, 2, 3), mask: ArrayLike | None = None
) -> dict[int, float]:
    """Dice coefficient of each class, `2 |P and T| / (|P| + |T|)`; parameters and rules as in `iou`.

    Examples
    --------
    >>> dice([1, 1, 0, 2], [1, 0, 0, 2], classes=[2])
    {2: 1.0}
    """
    return dice_from_counts(joint_counts(pred, truth, mask=mask), classes)


def union_iou(pred: ArrayLike, truth: ArrayLike, *, classes: Sequence[int], mask: ArrayLike | None = None) -> float:
    """IoU of several classes taken as one: classes 1, 2 and 3 are the cell as a whole. Rules as in `iou`.

    Examples
    --------
    >>> union_iou([1, 2, 0, 0], [3, 3, 0, 0], classes=[1, 2, 3])
    1.0
    """
    return union_iou_from_counts(joint_counts(pred, truth, mask=mask), classes)


def share_called(pred: ArrayLike, region: ArrayLike, *, label: int = VACUOLE, truth: ArrayLike | None = None) -> float:
    """Share of a region's voxels that the answer calls `label`; NaN for an empty region.

    With the mask of the nucleus and the label of vacuoles: how often the natural confusion of the two is fallen for.

    Parameters
    ----------
    pred : ndarray, any shape, any integer dtype, labels in [0, 255]
        The answer.
    region : ndarray, shape of `pred`, bool
        Where to count.
    label : int
        The label that the answer should not give there.
    truth : ndarray, shape of `pred`, any integer dtype, labels in [0, 255], optional
        If given, its voxels of 255 count nowhere.

    Examples
    --------
    >>> share_called([2, 1, 2, 2], [True, True, False, False])
    0.5
    """
    answer = _labels(pred, "answer")
    inside = _mask(region, answer.shape, "region")
    if truth is not None:
        reference = _labels(truth, "truth")
        _same_shape(answer, reference)
        inside = inside & (reference != UNLABELLED)
    total = int(np.count_nonzero(inside))
    return int(np.count_nonzero(inside & (answer == label))) / total if total else math.nan


def joint_counts(pred: ArrayLike, truth: ArrayLike, *, mask: ArrayLike | None = None) -> NDArray[np.int64]:
    """Count voxels by (truth, answer): the one pass over the volumes behind every overlap.

    Parameters
    ----------
    pred, truth, mask
        As in `iou`.

    Returns
    -------
    ndarray, shape (256, 256), int64, voxels
        `[t, p]` is the number of voxels with truth `t` and answer `p`; row 255 (unlabelled) is zero.
    """
    answer, reference = _labels(pred, "answer"), _labels(truth, "truth")
    _same_shape(answer, reference)
    keep = None if mask is None else _mask(mask, answer.shape, "mask").reshape(-1)
    answer, reference = answer.reshape(-1), reference.reshape(-1)
    counts = np.zeros(_LABELS * _LABELS, np.int64)
    for start in range(0, answer.size, _BLOCK):  # blocks: bincount casts to int64, 1 GB at once for 512^3
        block = slice(start, start + _BLOCK)
        codes = reference[block].astype(np.uint16) << 8 | answer[block].astype(np.uint16)
        counts += np.bincount(codes if keep is None else codes[keep[block]], minlength=counts.size)
    table = counts.reshape(_LABELS, _LABELS)
    table[UNLABELLED] = 0
    return table


def iou_from_counts(counts: NDArray[np.int64], classes: Sequence[int]) -> dict[int, float]:
    """Return IoU per class from `joint_counts`."""
    truth, pred, both = _sizes(counts, classes)
    return {c: _ratio(both[c], truth[c] + pred[c] - both[c]) for c in truth}


def dice_from_counts(counts: NDArray[np.int64], classes: Sequence[int]) -> dict[int, float]:
    """Return Dice per class from `joint_counts`."""
    truth, pred, both = _sizes(counts, classes)
    return {c: _ratio(2 * both[c], truth[c] + pred[c]) for c in truth}


def union_iou_from_counts(counts: NDArray[np.int64], classes: Sequence[int]) -> float:
    """Return the IoU of `classes` taken as one from `joint_counts`."""
    members = _classes(classes)
    both = int(counts[np.ix_(members, members)].sum())
    return _ratio(both, int(counts[members].sum()) + int(counts[:, members].sum()) - both)


def _sizes(counts: NDArray[np.int64], classes: Sequence[int]) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    members = _classes(classes)
    truth, pred = counts.sum(axis=1), counts.sum(axis=0)
    return (
        {c: int(truth[c]) for c in members},
        {c: int(pred[c]) for c in members},
        {c: int(counts[c, c]) for c in members},
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _classes(classes: Sequence[int]) -> list[int]:
    members = [int(c) for c in classes]
    if not members or len(set(members)) != len(members) or not all(0 <= c < UNLABELLED for c in members):
        raise InputError(f"classes are {members}, expected one or more different labels in [0, 254]")
    return members


def _labels(labels: ArrayLike, what: str) -> NDArray[np.integer]:
    array = np.asarray(labels)
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"labels of the {what} have dtype {array.dtype}, expected an integer dtype such as uint8")
    if array.dtype != np.uint8 and array.size and not (array.min() >= 0 and array.max() < _LABELS):
        raise InputError(f"labels of the {what} span [{array.min()}, {array.max()}], expected values in [0, 255]")
    return array


def _same_shape(answer: NDArray[np.integer], truth: NDArray[np.integer]) -> None:
    if answer.shape != truth.shape:
        raise InputError(f"the answer has shape {answer.shape}, expected the truth's {truth.shape}")


def _mask(mask: ArrayLike, shape: tuple[int, ...], what: str) -> NDArray[np.bool_]:
    array = np.asarray(mask)
    if array.dtype != np.bool_ or array.shape != shape:
        raise InputError(f"the {what} is {array.dtype} of shape {array.shape}, expected bool of shape {shape}")
    return array
