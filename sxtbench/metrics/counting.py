"""Objects of an answer against those of the truth: panoptic quality, counts, volumes, which sizes are found.

Objects of both come from their labels by the same rules (`metrics.instances`), so the truth itself scores 1; what the
rules make of the true objects is another matter, which `docs/quantification.md` measures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.labels import DROPLET, UNLABELLED
from sxtbench.metrics.instances import OTHER_RULE, RULES, box_of, checked_labels, edges_um, split
from sxtbench.metrics.surfaces import surface_distances

__all__ = ["COUNTED", "QUANTITIES", "SIZES_UM", "Matching", "match_objects", "score_quantities"]

Score = tuple[str, int | None, float]

COUNTED = tuple(sorted(RULES))
"""Classes that have objects."""

SIZES_UM = {"small": (0.0, 0.22), "medium": (0.22, 0.30), "large": (0.30, math.inf)}
"""Equivalent radii of true droplets, um, by the name of the bin; the lower end is in it."""

_BY_CLASS = ("nsd_1@1", "nsd_2@1", "hd95@1", "volume_error@1", "count_error@1", "pq@1")
QUANTITIES = (*_BY_CLASS, *(f"recall_{name}@1" for name in SIZES_UM))
"""Ids of the metrics that `score_quantities` gives."""

_SAME = 0.5  # IoU above which two objects can have no other partner
_FOUND = 0.1  # IoU from which a droplet counts as found


@dataclass(frozen=True, eq=False)
class Matching:
    """Objects of an answer and of the truth, and how far each two overlap.

    Parameters
    ----------
    answer_voxels, truth_voxels : ndarray, shape (n,) and (m,), int64, voxels
        Sizes.
    pairs : ndarray, shape (k, 2), int64
        (answer, truth) of objects that share a voxel.
    iou : ndarray, shape (k,), float64
        Of the pairs.
    """

    answer_voxels: NDArray[np.int64]
    truth_voxels: NDArray[np.int64]
    pairs: NDArray[np.int64]
    iou: NDArray[np.float64]

    def panoptic_quality(self) -> float:
        """Return sum of the IoU of pairs above 1/2 over (pairs + half of the objects without a partner).

        Kirillov et al. 2019, doi 10.1109/CVPR.2019.00963. NaN where there is no object at all.
        """
        same = self.iou[self.iou > _SAME]
        total = len(self.answer_voxels) + len(self.truth_voxels)  # pairs count twice in it
        return 2 * float(same.sum()) / total if total else math.nan

    def found(self, least_iou: float = _FOUND) -> NDArray[np.bool_]:
        """Return which true objects have a partner of at least this IoU, each answered object being one's only.

        The best pairs are taken first, so that an object which covers two true ones finds one of them.
        """
        taken, found = np.zeros(len(self.answer_voxels), bool), np.zeros(len(self.truth_voxels), bool)
        for k in np.argsort(-self.iou, kind="stable"):
            mine, right = self.pairs[k]
            if self.iou[k] >= least_iou and not taken[mine] and not found[right]:
                taken[mine] = found[right] = True
        return found


def match_objects(
    pred: ArrayLike,
    truth: ArrayLike,
    *,
    label: int,
    voxel_size_nm: float | Sequence[float],
    mask: ArrayLike | None = None,
) -> Matching:
    """Find the objects of one class in both volumes and what they share.

    Parameters and errors as of `sxtbench.metrics.surfaces.surface_distances`. Objects end where the mask does, and
    where the truth is unlabelled.

    Examples
    --------
    >>> truth = np.zeros((8, 8, 16), np.uint8)
    >>> truth[2:6, 2:6, 2:6] = truth[2:6, 2:6, 9:13] = 3
    >>> pred = truth.copy()
    >>> pred[:, :, :8] = 0
    >>> found = match_objects(pred, truth, label=3, voxel_size_nm=50)
    >>> found.panoptic_quality(), found.found().tolist()
    (0.6666666666666666, [False, True])
    """
    answer, reference = checked_labels(pred), checked_labels(truth)
    scored = reference != UNLABELLED if mask is None else (reference != UNLABELLED) & np.asarray(mask)
    edges, rule = edges_um(voxel_size_nm), RULES.get(label, OTHER_RULE)
    masks = [(labels == label) & scored for labels in (answer, reference)]
    inside = box_of(masks[0] | masks[1]) or (slice(0),) * 3
    numbers, sizes = [], []
    for own in masks:
        parts = split(own[inside], edges, rule)
        number = np.zeros(own[inside].shape, np.int32)
        for i, (box, part) in enumerate(parts, start=1):
            number[box][part] = i
        numbers.append(number)
        sizes.append(np.array([np.count_nonzero(part) for _, part in parts], np.int64))
    shared = (numbers[0] > 0) & (numbers[1] > 0)
    codes = (numbers[0][shared].astype(np.int64) - 1) * len(sizes[1]) + numbers[1][shared] - 1
    counts = np.bincount(codes, minlength=1)
    common = counts[found := np.flatnonzero(counts)]
    pairs = np.stack(np.divmod(found, max(1, len(sizes[1]))), axis=1)
    union = sizes[0][pairs[:, 0]] + sizes[1][pairs[:, 1]] - common
    return Matching(sizes[0], sizes[1], pairs, common / union)


def score_quantities(
    pred: ArrayLike,
    truth: ArrayLike,
    region: ArrayLike | None,
    classes: Sequence[int],
    *,
    voxel_size_nm: float | Sequence[float],
) -> list[Score]:
    """Score what a biologist would read off one label volume: surfaces, volumes, counts.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), integer, labels
        Answer and truth; 255 in the truth counts nowhere.
    region : ndarray, shape (z, y, x), bool, or None
        The scored region; None scores every voxel.
    classes : sequence of int
        The task's classes. Objects are counted of those in `COUNTED`.
    voxel_size_nm : float or three float, nm
        Edge of a voxel, or edges along (z, y, x).

    Returns
    -------
    list of (str, int or None, float)
        (metric id, class or None, value); NaN where undefined.
    """
    answer, reference = checked_labels(pred), checked_labels(truth)
    edge = min(edges_um(voxel_size_nm)) * 1000
    scored = reference != UNLABELLED if region is None else (reference != UNLABELLED) & np.asarray(region)
    scores: list[Score] = []
    for label in classes:
        near = surface_distances(answer, reference, label=label, voxel_size_nm=voxel_size_nm, mask=scored)
        scores += [("nsd_1@1", label, near.nsd(edge)), ("nsd_2@1", label, near.nsd(2 * edge))]
        scores.append(("hd95@1", label, near.hd95()))
        mine, right = (int(np.count_nonzero((labels == label) & scored)) for labels in (answer, reference))
        scores.append(("volume_error@1", label, (mine - right) / right if right else math.nan))
        if label in COUNTED:
            objects = match_objects(answer, reference, label=label, voxel_size_nm=voxel_size_nm, mask=scored)
            n_mine, n_right = len(objects.answer_voxels), len(objects.truth_voxels)
            scores.append(("count_error@1", label, (n_mine - n_right) / n_right if n_right else math.nan))
            scores.append(("pq@1", label, objects.panoptic_quality()))
            if label == DROPLET:
                scores += _recalls(objects, math.prod(edges_um(voxel_size_nm)))
    return scores


def _recalls(objects: Matching, voxel_um3: float) -> list[Score]:
    radii = np.cbrt(objects.truth_voxels * voxel_um3 * 3 / (4 * math.pi))
    found = objects.found()
    scores: list[Score] = []
    for name, (low, high) in SIZES_UM.items():
        inside = (radii >= low) & (radii < high)
        scores.append((f"recall_{name}@1", None, float(found[inside].mean()) if inside.any() else math.nan))
    return scores
