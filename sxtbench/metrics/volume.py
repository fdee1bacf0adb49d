"""The scores of one volume of LAC: the primary metric and the columns of PROTOCOL 4."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sxtbench.errors import InputError
from sxtbench.labels import BACKGROUND, CYTOPLASM, DROPLET, VACUOLE
from sxtbench.metrics.fidelity import LAC_RANGE, lac_bias, lac_regression, psnr_affine, psnr_lac, rmse, ssim
from sxtbench.metrics.resolution import CorrelationCurve, correlation_curve, transfer_curve
from sxtbench.metrics.shells import shell_sums, softened

Score = tuple[str, int | None, float]


def score_volume(
    pred: ArrayLike,
    truth: ArrayLike,
    region: ArrayLike,
    labels: ArrayLike,
    *,
    voxel_size_nm: float,
    angles_deg: ArrayLike,
    classes: Sequence[int] = (BACKGROUND, CYTOPLASM, VACUOLE, DROPLET),
) -> list[Score]:
    """Score one volume of LAC.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), float, 1/um
        Answer and truth.
    region : ndarray, shape (z, y, x), bool
        The scored region, such as `cell_halo`.
    labels : ndarray, shape (z, y, x), integer
        True labels.
    voxel_size_nm : float
        Edge of a voxel, nm.
    angles_deg : ndarray, shape (n_angles,), degrees
        Nominal angles of the tilts that the method was given: they say which directions were measured.
    classes : sequence of int
        Labels with a bias of their own.

    Returns
    -------
    list of (str, int or None, float)
        (metric id, class or None, value); NaN where undefined, or where a resolution is not crossed.

    Raises
    ------
    InputError
        If shapes disagree, a value is not finite, or the region is empty.

    Examples
    --------
    >>> truth = np.random.default_rng(1).random((16, 16, 16), np.float32) / 2
    >>> region, labels = np.ones(truth.shape, bool), np.ones(truth.shape, np.uint8)
    >>> scores = score_volume(truth, truth, region, labels, voxel_size_nm=90, angles_deg=range(-50, 51, 2))
    >>> [(name, label, round(value, 3)) for name, label, value in scores if not np.isnan(value)][:2]
    [('psnr_lac@1', None, 73.979), ('rmse@1', None, 0.0)]
    """
    answer, reference, inside = np.asarray(pred), np.asarray(truth), np.asarray(region)
    if answer.ndim != 3:
        raise InputError(f"the answer has shape {answer.shape}, expected a volume (z, y, x)")
    slope, intercept = lac_regression(answer, reference, inside)
    bias = lac_bias(answer, reference, labels, mask=inside, classes=classes)
    sums = shell_sums(answer, reference, softened(inside), angles_deg)
    within = correlation_curve(sums, voxel_size_nm, cone="in")
    beyond = correlation_curve(sums, voxel_size_nm, cone="out")
    mtf50 = transfer_curve(sums, voxel_size_nm).resolution_nm()
    return [
        ("psnr_lac@1", None, psnr_lac(answer, reference, inside)),
        ("rmse@1", None, rmse(answer, reference, inside)),
        ("psnr_affine@1", None, psnr_affine(answer, reference, inside)),
        ("ssim@1", None, ssim(answer, reference, data_range=LAC_RANGE, mask=inside)),
        *(("lac_bias@1", label, value) for label, value in bias.items()),
        ("lac_slope@1", None, slope),
        ("lac_intercept@1", None, intercept),
        ("fsc_mean_in@1", None, mean_correlation(within)),
        ("fsc_mean_out@1", None, mean_correlation(beyond)),
        ("fsc_resolution_in@1", None, _or_nan(within.resolution_nm(1 / 2))),
        ("fsc_resolution_out@1", None, _or_nan(beyond.resolution_nm(1 / 2))),
        ("mtf50@1", None, _or_nan(mtf50)),
    ]


def mean_correlation(curve: CorrelationCurve) -> float:
    """Mean of the correlation over the shells from the first to Nyquist; NaN where no shell has one.

    Examples
    --------
    >>> mean_correlation(CorrelationCurve(np.arange(3), np.array([1.0, 0.5, np.nan]), np.ones(3)))
    0.5
    """
    defined = curve.correlation[1:][np.isfinite(curve.correlation[1:])]
    return float(defined.mean()) if defined.size else math.nan


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
