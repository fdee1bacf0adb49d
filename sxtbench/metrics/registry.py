"""The registry of metrics: what each number on the board means, which way is better, and how it is averaged.

An id carries its version (`miou@1`): a change of meaning is a new id, so that old results keep theirs.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sxtbench.errors import InputError
from sxtbench.labels import CYTOPLASM, DROPLET, VACUOLE
from sxtbench.metrics.overlap import (
    dice_from_counts,
    iou_from_counts,
    joint_counts,
    share_called,
    union_iou_from_counts,
)

Scale = Literal["linear", "log2", "log10"]
Score = tuple[str, int | None, float]
_CELL = (CYTOPLASM, VACUOLE, DROPLET)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric's declaration.

    Parameters
    ----------
    id : str
        Name and version, such as `miou@1`.
    name : str
        As printed in a column's head.
    direction : {"higher", "lower"}
        Which values are better.
    bounds : tuple of two float
        Least and greatest possible value; intervals are clipped to them.
    scale : {"linear", "log2", "log10"}
        On which values are averaged and compared (DESIGN 10).
    margin : float or None
        Differences up to this, on the scale, do not matter (PROTOCOL 5); None where no verdict is given.
    per_class : bool
        Whether a sample has one value a class.
    description : str
        One sentence.
    undefined : str
        Why a value may be missing.
    """

    id: str
    name: str
    direction: Literal["higher", "lower"]
    bounds: tuple[float, float]
    description: str
    scale: Scale = "linear"
    margin: float | None = None
    per_class: bool = False
    undefined: str = "undefined"


METRICS = {
    metric.id: metric
    for metric in (
        Metric(
            id="miou@1",
            name="mean IoU",
            direction="higher",
            bounds=(0.0, 1.0),
            margin=0.01,
            description="Intersection over union, averaged over the classes of a specimen and then over specimens.",
            undefined="no scored class is in the truth or in the answer",
        ),
        Metric(
            id="iou@1",
            name="IoU",
            direction="higher",
            bounds=(0.0, 1.0),
            margin=0.01,
            per_class=True,
            description="Intersection over union of one class, over the labelled voxels of the scored region.",
            undefined="the class is neither in the truth nor in the answer",
        ),
        Metric(
            id="dice@1",
            name="Dice",
            direction="higher",
            bounds=(0.0, 1.0),
            margin=0.01,
            per_class=True,
            description="Dice coefficient of one class, over the labelled voxels of the scored region.",
            undefined="the class is neither in the truth nor in the answer",
        ),
        Metric(
            id="cell_iou@1",
            name="cell IoU",
            direction="higher",
            bounds=(0.0, 1.0),
            margin=0.01,
            description="Intersection over union of the cell as a whole: cytoplasm, vacuole and droplets as one class.",
            undefined="no part of a cell is in the truth or in the answer",
        ),
        Metric(
            id="nucleus_as_vacuole@1",
            name="nucleus called vacuole",
            direction="lower",
            bounds=(0.0, 1.0),
            description="Share of the nucleus (scored as cytoplasm) that is called vacuole: the natural confusion.",
            undefined="no voxel of a nucleus is in the scored region",
        ),
    )
}


def get_metric(metric: str) -> Metric:
    """Return the declaration of a metric by its id.

    Raises
    ------
    InputError
        If there is none, with the nearest id.

    Examples
    --------
    >>> get_metric("miou@1").direction
    'higher'
    """
    if metric in METRICS:
        return METRICS[metric]
    near = difflib.get_close_matches(metric, METRICS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(METRICS)}"
    raise InputError(f"no metric is called {metric!r}: {hint}")


def score_labels(
    pred: ArrayLike,
    truth: ArrayLike,
    region: ArrayLike | None,
    classes: Sequence[int],
    nucleus: ArrayLike | None = None,
) -> list[Score]:
    """Score one label volume: the primary `miou@1` and its columns.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), integer, labels
        Answer and truth; 255 in the truth counts nowhere.
    region : ndarray, shape (z, y, x), bool, or None
        The scored region, such as the inscribed cylinder; None scores every voxel.
    classes : sequence of int
        The task's classes; `cell_iou@1` is given where they hold 1, 2 and 3.
    nucleus : ndarray, shape (z, y, x), bool, optional
        Mask of the nucleus; without it there is no `nucleus_as_vacuole@1`.

    Returns
    -------
    list of (str, int or None, float)
        (metric id, class or None, value); NaN where undefined.
    """
    counts = joint_counts(pred, truth, mask=region)
    ious, dices = iou_from_counts(counts, classes), dice_from_counts(counts, classes)
    scores: list[Score] = [("miou@1", None, mean_of_defined(list(ious.values())))]
    scores += [("iou@1", label, value) for label, value in ious.items()]
    scores += [("dice@1", label, value) for label, value in dices.items()]
    if set(_CELL) <= set(ious):
        scores.append(("cell_iou@1", None, union_iou_from_counts(counts, _CELL)))
    if nucleus is not None:
        inside = np.asarray(nucleus)
        if region is not None and inside.shape == np.shape(region):
            inside = inside & np.asarray(region)
        scores.append(("nucleus_as_vacuole@1", None, share_called(pred, inside, label=VACUOLE, truth=truth)))
    return scores


def mean_of_defined(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan
