"""What an interior reconstruction gets wrong in its own ways: cupping, the rim, and what is resolved inside."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.labels import BACKGROUND, BACTERIUM, CYTOPLASM, DROPLET, ENDOSOME, MITOCHONDRION, NUCLEOLUS, NUCLEUS
from sxtbench.metrics.fidelity import lac_bias, psnr_affine, psnr_lac, rmse
from sxtbench.metrics.regions import SCORED_SHARE, interior_cylinder
from sxtbench.metrics.resolution import CorrelationCurve, correlation_curve
from sxtbench.metrics.shells import ShellSums, independent_share, shell_sums

Score = tuple[str, int | None, float]
CLASSES = (BACKGROUND, CYTOPLASM, DROPLET, NUCLEUS, NUCLEOLUS, MITOCHONDRION, ENDOSOME, BACTERIUM)
"""Labels with a bias of their own."""


def score_interior(
    pred: ArrayLike,
    truth: ArrayLike,
    region: ArrayLike,
    labels: ArrayLike,
    *,
    voxel_size_nm: float,
    centre_um: tuple[float, float],
    width_um: float,
) -> list[Score]:
    """Score one volume of LAC in the region of an interior scan.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), float, 1/um
        Answer and truth of the whole field.
    region : ndarray, shape (z, y, x), bool
        The scored region, glass left out.
    labels : ndarray, shape (z, y, x), integer
        True labels.
    voxel_size_nm : float
        Edge of a voxel, nm.
    centre_um : tuple of two float, um
        Axis (y, x) of the scan, from the rotation axis.
    width_um : float, um
        Width of the scan.

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
    >>> truth = np.random.default_rng(1).random((4, 32, 32), np.float32) / 2
    >>> region = interior_cylinder(truth.shape, 40.0, (0.0, 0.0), 0.95)
    >>> labels = np.ones(truth.shape, np.uint8)
    >>> scores = score_interior(truth, truth, region, labels, voxel_size_nm=40.0, centre_um=(0.0, 0.0), width_um=1.0)
    >>> [(name, round(value, 3)) for name, label, value in scores if label is None and not math.isnan(value)][:3]
    [('psnr_roi@1', 73.979), ('rmse@1', 0.0), ('psnr_affine@1', 73.979)]
    """
    answer, reference, inside = np.asarray(pred), np.asarray(truth), np.asarray(region)
    if answer.ndim != 3 or not inside.any():
        raise InputError(f"the answer has shape {answer.shape} and the region {int(inside.sum())} voxels to score")
    depth, height, width = answer.shape
    shape = depth, height, width
    ring = interior_cylinder(shape, voxel_size_nm, centre_um, width_um)
    ring &= ~interior_cylinder(shape, voxel_size_nm, centre_um, SCORED_SHARE * width_um)
    curve = slice_frc(answer, reference, inside, voxel_size_nm=voxel_size_nm)
    return [
        ("psnr_roi@1", None, psnr_lac(answer, reference, inside)),
        ("rmse@1", None, rmse(answer, reference, inside)),
        ("psnr_affine@1", None, psnr_affine(answer, reference, inside)),
        ("region_bias@1", None, float(np.mean(answer[inside] - reference[inside], dtype=np.float64))),
        ("cupping@1", None, cupping(answer, reference, inside, voxel_size_nm, centre_um, width_um)),
        ("ring_rmse@1", None, rmse(answer, reference, ring)),
        *(
            ("lac_bias@1", label, value)
            for label, value in lac_bias(answer, reference, labels, mask=inside, classes=CLASSES).items()
        ),
        ("frc_half@1", None, _or_nan(curve.resolution_nm(1 / 2))),
        ("frc_seventh@1", None, _or_nan(curve.resolution_nm(1 / 7))),
    ]


def cupping(
    pred: NDArray[np.floating],
    truth: NDArray[np.floating],
    region: NDArray[np.bool_],
    voxel_size_nm: float,
    centre_um: tuple[float, float],
    width_um: float,
) -> float:
    """Return the slope of the error against the squared distance from the region's axis, over its half width.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), float, 1/um
        Answer and truth.
    region : ndarray, shape (z, y, x), bool
        Where the error is looked at.
    voxel_size_nm, centre_um, width_um
        As in `score_interior`.

    Returns
    -------
    float
        1/um; positive where the rim is too dense, as in a cup. NaN where the region has one distance only.
    """
    _, y, x = np.nonzero(region)
    ny, nx = region.shape[1:]
    edge = voxel_size_nm / 1000
    squared = ((y - (ny - 1) / 2) * edge - centre_um[0]) ** 2 + ((x - (nx - 1) / 2) * edge - centre_um[1]) ** 2
    place = squared / (width_um / 2) ** 2
    place -= place.mean()
    error = pred[region].astype(np.float64) - truth[region]
    spread = float(np.sum(place * place))
    return float(np.sum(place * (error - error.mean()))) / spread if spread else math.nan


def slice_frc(
    pred: NDArray[np.floating], truth: NDArray[np.floating], region: NDArray[np.bool_], *, voxel_size_nm: float
) -> CorrelationCurve:
    """Fourier ring correlation in the largest square inside a cylindrical region, summed over its z-slices.

    Each slice has its weighted mean taken off and a Hann window; ring sums of all slices are added before the quotient.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), float
        Answer and truth.
    region : ndarray, shape (z, y, x), bool
        A cylinder along z; what is left out of it (glass) is not left out of the square.
    voxel_size_nm : float
        Edge of a voxel, nm.

    Returns
    -------
    CorrelationCurve
    """
    rows = np.flatnonzero(region.any(axis=(1, 2)))
    y, x = (np.flatnonzero(region.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    side = int(min(len(y), len(x)) / math.sqrt(2))
    if side < 4:
        raise InputError(f"the region is {min(len(y), len(x))} voxels wide, too narrow for a ring correlation")
    top, left = (int(axis[0] + (len(axis) - side) // 2) for axis in (y, x))
    square = slice(top, top + side), slice(left, left + side)
    taper = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    window = np.outer(taper, taper)
    parts = [shell_sums(pred[z][square], truth[z][square], window) for z in rows]
    total = ShellSums(
        np.sum([part.cross for part in parts], axis=0),
        np.sum([part.power_a for part in parts], axis=0),
        np.sum([part.power_b for part in parts], axis=0),
        np.sum([part.samples for part in parts], axis=0),
        side,
    )
    return correlation_curve(total, voxel_size_nm, independent_share(window, window.shape), cone=None)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
