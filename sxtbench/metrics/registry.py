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
Centre = Literal["mean", "median"]
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
    direction : {"higher", "lower", "nearest"}
        Which values are better; `nearest`: those nearest to `ideal`.
    ideal : float
        The best value of a `nearest` metric.
    digits : int
        Decimals that are printed.
    unit : str
        Of the values; empty for a ratio.
    bounds : tuple of two float
        Least and greatest possible value; intervals are clipped to them.
    scale : {"linear", "log2", "log10"}
        On which values are averaged and compared (DESIGN 10).
    centre : {"mean", "median"}
        What is told of specimens.
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
    direction: Literal["higher", "lower", "nearest"]
    bounds: tuple[float, float]
    description: str
    ideal: float = 0.0
    digits: int = 3
    unit: str = ""
    scale: Scale = "linear"
    centre: Centre = "mean"
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
        Metric(
            id="nsd_1@1",
            name="NSD, 1 voxel",
            direction="higher",
            bounds=(0.0, 1.0),
            per_class=True,
            description="Share of the surfaces of answer and truth that lie within 1 voxel of each other.",
            undefined="the class is neither in the truth nor in the answer",
        ),
        Metric(
            id="nsd_2@1",
            name="NSD, 2 voxels",
            direction="higher",
            bounds=(0.0, 1.0),
            per_class=True,
            description="Share of the surfaces of answer and truth that lie within 2 voxels of each other.",
            undefined="the class is neither in the truth nor in the answer",
        ),
        Metric(
            id="hd95@1",
            name="HD95",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=0,
            unit="nm",
            per_class=True,
            description="95th percentile of the distances between the surfaces; the diagonal where one has none.",
            undefined="the class is neither in the truth nor in the answer",
        ),
        Metric(
            id="volume_error@1",
            name="volume error",
            direction="nearest",
            bounds=(-1.0, math.inf),
            per_class=True,
            description="Volume of a class in the answer over that in the truth, less 1.",
            undefined="the class is not in the truth",
        ),
        Metric(
            id="count_error@1",
            name="count error",
            direction="nearest",
            bounds=(-1.0, math.inf),
            per_class=True,
            description="Number of objects of a class in the answer over that in the truth, less 1.",
            undefined="no object of the class is in the truth",
        ),
        Metric(
            id="pq@1",
            name="panoptic quality",
            direction="higher",
            bounds=(0.0, 1.0),
            per_class=True,
            description="IoU summed over objects that match by more than 1/2, over the mean number of objects.",
            undefined="no object of the class is in the truth or in the answer",
        ),
        *(
            Metric(
                id=f"recall_{name}@1",
                name=f"{name} droplets found",
                direction="higher",
                bounds=(0.0, 1.0),
                digits=2,
                description=f"Share of the true droplets of a radius {radii} that the answer finds (IoU from 0.1).",
                undefined="no droplet of that size is in the truth",
            )
            for name, radii in (
                ("small", "below 0.22 um"),
                ("medium", "from 0.22 to 0.30 um"),
                ("large", "of 0.30 um or more"),
            )
        ),
        Metric(
            id="psnr_lac@1",
            name="PSNR",
            direction="higher",
            bounds=(-math.inf, 20 * math.log10(0.5 / 1e-4)),
            margin=0.2,
            digits=2,
            unit="dB",
            description="20 log10(R / RMSE) of the LAC over the scored region, R = 0.5/um, RMSE at least 1e-4/um.",
        ),
        Metric(
            id="rmse@1",
            name="RMSE",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=4,
            unit="1/um",
            description="Root mean square error of the LAC over the scored region.",
        ),
        Metric(
            id="psnr_affine@1",
            name="affine-fitted PSNR",
            direction="higher",
            bounds=(-math.inf, 20 * math.log10(0.5 / 1e-4)),
            digits=2,
            unit="dB",
            description="PSNR after the best gain and offset for each sample: what is left when calibration is free.",
        ),
        Metric(
            id="ssim@1",
            name="SSIM",
            direction="higher",
            bounds=(-1.0, 1.0),
            description="Structural similarity, range 0.5/um, Gaussian window of sd 1.5 voxels, mean over the region.",
        ),
        Metric(
            id="lac_bias@1",
            name="LAC bias",
            direction="nearest",
            bounds=(-math.inf, math.inf),
            digits=4,
            unit="1/um",
            per_class=True,
            description="Mean of the answer less mean of the truth over the voxels of a label.",
            undefined="no voxel of the label is in the scored region",
        ),
        Metric(
            id="lac_slope@1",
            name="LAC slope",
            direction="nearest",
            ideal=1.0,
            bounds=(-math.inf, math.inf),
            description="Slope of the regression of the answer on the truth over the scored region.",
            undefined="the truth is constant over the scored region",
        ),
        Metric(
            id="lac_intercept@1",
            name="LAC intercept",
            direction="nearest",
            bounds=(-math.inf, math.inf),
            digits=4,
            unit="1/um",
            description="Intercept of the regression of the answer on the truth over the scored region.",
            undefined="the truth is constant over the scored region",
        ),
        Metric(
            id="fsc_mean_in@1",
            name="FSC in the cone",
            direction="higher",
            bounds=(-1.0, 1.0),
            description="Mean Fourier shell correlation with the truth up to Nyquist, directions that were measured.",
            undefined="the answer is constant",
        ),
        Metric(
            id="fsc_mean_out@1",
            name="FSC out of the cone",
            direction="higher",
            bounds=(-1.0, 1.0),
            description="Mean Fourier shell correlation with the truth up to Nyquist, directions not measured.",
            undefined="the answer is constant, or every direction was measured",
        ),
        Metric(
            id="fsc_resolution_in@1",
            name="FSC 1/2 in the cone",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=0,
            unit="nm",
            description="Period at which the correlation with the truth in measured directions falls below 1/2.",
            undefined="the correlation does not cross 1/2 below the Nyquist frequency, or the answer is constant",
        ),
        Metric(
            id="fsc_resolution_out@1",
            name="FSC 1/2 out of the cone",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=0,
            unit="nm",
            description="Period at which the correlation with the truth in other directions falls below 1/2.",
            undefined="the correlation does not cross 1/2 below the Nyquist frequency, or the answer is constant",
        ),
        Metric(
            id="mtf50@1",
            name="MTF50",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=0,
            unit="nm",
            description="Period at which the regression of the answer on the truth, in the cone, falls to one half.",
            undefined="the transfer does not fall to one half below the Nyquist frequency, or the answer is constant",
        ),
        Metric(
            id="data_consistency@1",
            name="reprojection chi-square",
            direction="nearest",
            ideal=1.0,
            bounds=(0.0, math.inf),
            digits=2,
            description="Mean squared residual of the counts over their Poisson variance, rays inside the field.",
            undefined="no ray passes the ice within the field alone",
        ),
        Metric(
            id="psnr_roi@1",
            name="PSNR in the region",
            direction="higher",
            bounds=(-math.inf, 20 * math.log10(0.5 / 1e-4)),
            margin=0.2,
            digits=2,
            unit="dB",
            description="20 log10(R / RMSE) of the LAC in 0.95 of the interior scan's width, no glass; R = 0.5/um.",
        ),
        Metric(
            id="region_bias@1",
            name="mean error",
            direction="nearest",
            bounds=(-math.inf, math.inf),
            digits=4,
            unit="1/um",
            description="Mean of the answer less mean of the truth over the region.",
        ),
        Metric(
            id="cupping@1",
            name="cupping",
            direction="nearest",
            bounds=(-math.inf, math.inf),
            digits=4,
            unit="1/um",
            description="Slope of the error against the squared distance from the region's axis over its half width.",
            undefined="the region has one distance from its axis only",
        ),
        Metric(
            id="ring_rmse@1",
            name="RMSE at the rim",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=4,
            unit="1/um",
            description="Root mean square error of the LAC between 0.95 and 1 of the interior scan's width.",
            undefined="the rim holds no voxel",
        ),
        Metric(
            id="frc_half@1",
            name="FRC 1/2",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=0,
            unit="nm",
            description="Period at which the ring correlation with the truth, in the region's slices, falls below 1/2.",
            undefined="the correlation does not cross 1/2 below the Nyquist frequency, or the answer is constant",
        ),
        Metric(
            id="frc_seventh@1",
            name="FRC 1/7",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=0,
            unit="nm",
            description="The same at 1/7, to compare with the interior paper; against the truth 1/2 is the threshold.",
            undefined="the correlation does not cross 1/7 below the Nyquist frequency, or the answer is constant",
        ),
        Metric(
            id="alignment_error@1",
            name="alignment error",
            direction="lower",
            bounds=(0.0, 10.0),
            margin=0.05,
            digits=2,
            unit="px",
            description="Mean distance of the shifts from the true ones, at most 10 pixels a view; no gauge removed.",
        ),
        Metric(
            id="alignment_median@1",
            name="median error",
            direction="lower",
            bounds=(0.0, 10.0),
            digits=2,
            unit="px",
            description="Median distance over the views.",
        ),
        Metric(
            id="alignment_p95@1",
            name="95th percentile",
            direction="lower",
            bounds=(0.0, 10.0),
            digits=2,
            unit="px",
            description="95th percentile of the distance over the views.",
        ),
        Metric(
            id="alignment_error_nm@1",
            name="alignment error",
            direction="lower",
            bounds=(0.0, math.inf),
            digits=0,
            unit="nm",
            description="Mean distance of the shifts from the true ones.",
        ),
        Metric(
            id="alignment_error_free@1",
            name="gauge-free error",
            direction="lower",
            bounds=(0.0, 10.0),
            digits=2,
            unit="px",
            description="Mean distance after removing what a move of the whole specimen explains.",
        ),
        Metric(
            id="cnr_gain_matched@1",
            name="CNR gain at matched resolution",
            direction="higher",
            bounds=(2.0**-10, math.inf),
            scale="log2",
            margin=0.05,
            description="CNR over that of the low-passed FBP with the same MTF50, geometric mean over interfaces.",
            undefined="no interface has regions that are large enough",
        ),
        Metric(
            id="cnr_mean@1",
            name="CNR",
            direction="higher",
            bounds=(2.0**-10, math.inf),
            scale="log2",
            digits=2,
            description="Contrast over the noise beside the truth, geometric mean over the interfaces of a specimen.",
            undefined="no interface has regions that are large enough",
        ),
        Metric(
            id="cnr@1",
            name="CNR",
            direction="higher",
            bounds=(0.0, math.inf),
            digits=2,
            per_class=True,
            description="Difference of the means of a label and the cytoplasm over the deviation of the error.",
            undefined="a region of the interface is too small",
        ),
        Metric(
            id="cnr_cell@1",
            name="CNR cell in ice",
            direction="higher",
            bounds=(0.0, math.inf),
            digits=2,
            description="Difference of the means of cells and ice over the deviation of the error.",
            undefined="a region of the interface is too small",
        ),
        Metric(
            id="gcnr@1",
            name="gCNR",
            direction="higher",
            bounds=(0.0, 1.0),
            per_class=True,
            description="One less the overlap of the histograms of a label and the cytoplasm; no remapping changes it.",
            undefined="a region of the interface is too small",
        ),
        Metric(
            id="gcnr_cell@1",
            name="gCNR cell in ice",
            direction="higher",
            bounds=(0.0, 1.0),
            description="One less the overlap of the histograms of cells and ice; no remapping changes it.",
            undefined="a region of the interface is too small",
        ),
        Metric(
            id="matched_sigma@1",
            name="matched sigma",
            direction="nearest",
            bounds=(0.0, math.inf),
            digits=2,
            unit="voxels",
            description="Standard deviation of the Gaussian behind which the FBP is as blurred as the answer.",
        ),
        Metric(
            id="outside_family@1",
            name="beyond the low-passes",
            direction="lower",
            bounds=(0.0, 1.0),
            digits=2,
            description="Share of specimens whose answer is sharper than the FBP or smoother than its widest low-pass.",
        ),
        Metric(
            id="overshoot@1",
            name="overshoot",
            direction="nearest",
            bounds=(-math.inf, math.inf),
            description="Depth of the dark halo around cells over their contrast; below 0 the edge is blurred.",
            undefined="there is no ice beside a cell",
        ),
        Metric(
            id="downstream_iou@1",
            name="downstream IoU",
            direction="higher",
            bounds=(0.0, 1.0),
            description="Mean IoU of what fbp-otsu segments in the answer, cut to 0 to 1/um; yeast at the reference.",
            undefined="no yeast, or no scored class in the truth or in the answer",
        ),
        Metric(
            id="equivalent_dose@1",
            name="equivalent dose",
            direction="higher",
            bounds=(0.1, 100.0),
            scale="log10",
            margin=0.05,
            digits=2,
            description="Dose at which plain FBP holds as much information, over the dose that was used.",
        ),
        Metric(
            id="equivalent_dose_median@1",
            name="median equivalent dose",
            direction="higher",
            bounds=(0.1, 100.0),
            scale="log10",
            centre="median",
            digits=2,
            description="The same, the median over specimens: it does not feel how far a few lie beyond the scale.",
        ),
        Metric(
            id="information@1",
            name="information",
            direction="higher",
            bounds=(-1.0, 1.0),
            description="Mean Fourier shell correlation with the truth in the cell, periods of 1000 nm to 4 voxels.",
        ),
        Metric(
            id="at_the_ends@1",
            name="clipped",
            direction="lower",
            bounds=(0.0, 1.0),
            digits=2,
            description="Share of specimens whose equivalent dose lies beyond an end of the scale or of their curve.",
        ),
        Metric(
            id="above_noise_free@1",
            name="above noise-free FBP",
            direction="lower",
            bounds=(0.0, 1.0),
            digits=2,
            description="Share of specimens with more information than the noise-free FBP of the same views: a flag.",
        ),
        Metric(
            id="hallucination@1",
            name="hallucination",
            direction="nearest",
            bounds=(-math.inf, math.inf),
            digits=2,
            description="Contrast where droplets were taken out, over what they had: 0 is right, 1 is invention.",
            undefined="the specimen has no twin",
        ),
        Metric(
            id="kept_contrast@1",
            name="droplet contrast",
            direction="nearest",
            ideal=1.0,
            bounds=(-math.inf, math.inf),
            digits=2,
            description="Contrast of the droplets that the twin lacks, where they are, over the true one.",
            undefined="the specimen has no twin",
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
