"""Contrast at matched sharpness: CNR and gCNR between regions, and the gain over a low-pass of the same resolution.

A low-pass raises any contrast-to-noise ratio. What an enhancement adds is its ratio to that of the Gaussian which is as
blurred: `r = 1 / k50`, where the transfer of the answer falls to one half, is the same for both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.labels import BACKGROUND, CYTOPLASM, GLASS
from sxtbench.metrics.dilation import dilated
from sxtbench.metrics.fidelity import lac_bias, lac_regression
from sxtbench.metrics.probe import TransferProbe
from sxtbench.metrics.regions import cylinder
from sxtbench.metrics.resolution import TransferCurve, correlation_curve, transfer_curve
from sxtbench.metrics.shells import shell_sums, softened

Score = tuple[str, int | None, float]

CELL = BACKGROUND
"""Name of the interface between cells and ice; the others are named after the label that borders on cytoplasm."""

LEAST_SD = 0.005
"""Of the error in a region, 1/um: below it a region counts as free of noise."""

SIGMA_STEP = 0.125
GAIN_BOUNDS = (2.0**-10, 2.0**10)
_WIDEST = 32  # the widest Gaussian is the side over this
_BINS = (4, 64)
_ICE_FROM_VOXELS, _ICE_TO_UM = 2.0, 0.6


@dataclass(frozen=True, eq=False)
class ContrastRegions:
    """Where contrast is measured in one specimen.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), uint8
        Labels eroded on their own; 0 elsewhere.
    cell : ndarray, shape (z, y, x), bool
        Cells as a whole, eroded.
    ice : ndarray, shape (z, y, x), bool
        Ice inside the holder, 2 voxels to 0.6 um outside of cells.
    rim : ndarray, shape (z, y, x), bool
        Ice inside the holder nearer than that.
    """

    labels: NDArray[np.uint8]
    cell: NDArray[np.bool_]
    ice: NDArray[np.bool_]
    rim: NDArray[np.bool_]

    def pair(self, interface: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the two regions of an interface: `CELL` (cell, ice), else (label, cytoplasm)."""
        if interface == CELL:
            return self.cell, self.ice
        return self.labels == interface, self.labels == CYTOPLASM

    def present(self, interfaces: Sequence[int], least_voxels: int) -> list[int]:
        """Return the interfaces both of whose regions hold enough voxels."""
        return [name for name in interfaces if min(np.count_nonzero(part) for part in self.pair(name)) >= least_voxels]


@dataclass(frozen=True, eq=False)
class LowPassFamily:
    """What Gaussians of growing width make of a reconstruction: the scale that a gain is measured on.

    Parameters
    ----------
    sigma_px : ndarray, shape (n,), float64, voxels
        Standard deviations, ascending from 0.
    resolution_nm : ndarray, shape (n,), float64, nm
        `r` of each; not falling.
    cnr : ndarray, shape (n, interfaces), float64
        CNR of each.
    interfaces : tuple of int
        Names of the columns of `cnr`.
    """

    sigma_px: NDArray[np.float64]
    resolution_nm: NDArray[np.float64]
    cnr: NDArray[np.float64]
    interfaces: tuple[int, ...]

    def matched(self, resolution_nm: float) -> tuple[NDArray[np.float64], float, bool]:
        """Return the CNR of the Gaussian of a resolution, its sigma, and whether it lies beyond an end of the family.

        Parameters
        ----------
        resolution_nm : float, nm
            `r` of an answer; infinite where it shows nothing of the truth.
        """
        # where noise makes the resolution stand still, the widest Gaussian that has it
        at = np.asarray(self.resolution_nm) * (1 - 1e-9 * np.arange(len(self.resolution_nm))[::-1])
        sigma = float(np.interp(resolution_nm, at, self.sigma_px))
        logarithms = np.log(np.maximum(self.cnr, 1e-12))
        cnr = np.exp([np.interp(sigma, self.sigma_px, column) for column in logarithms.T])
        slack = 1e-3 * at[0]  # a reconstruction may have been rounded
        outside = not at[0] - slack <= resolution_nm <= at[-1] + slack
        return cnr, sigma, outside


def contrast_regions(
    labels: NDArray[np.uint8], holder: NDArray[np.bool_], *, voxel_size_nm: float, erosion_voxels: float
) -> ContrastRegions:
    """Return where contrast is measured (PROTOCOL 4).

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), uint8
        True labels, suite-wide.
    holder : ndarray, shape (z, y, x), bool
        Inside of the holder, a slab of ice or a bore, without what lies in the ice.
    voxel_size_nm : float
        Edge of a voxel, nm.
    erosion_voxels : float
        A label's region is farther than this from every other label.

    Returns
    -------
    ContrastRegions
        All within the inscribed cylinder.
    """
    within = cylinder(labels.shape)
    cells = (labels >= 1) & (labels < GLASS)
    eroded = np.zeros(labels.shape, np.uint8)
    for label in np.unique(labels[cells]):
        part = labels == label
        eroded[part & ~dilated(~part, erosion_voxels) & within] = label
    near = dilated(cells, _ICE_FROM_VOXELS - 1e-6)
    reached = dilated(cells, _ICE_TO_UM * 1000 / voxel_size_nm)
    ice = (labels == BACKGROUND) & ~dilated(~holder, erosion_voxels) & within
    return ContrastRegions(
        labels=eroded,
        cell=cells & ~dilated(~cells, erosion_voxels) & within,
        ice=ice & reached & ~near,
        rim=ice & near,
    )


def cnr(pred: ArrayLike, truth: ArrayLike, first: ArrayLike, second: ArrayLike, *, slope: float = 1.0) -> float:
    """Contrast-to-noise ratio between two regions; noise is the standard deviation of the error in each.

    `|mean_a - mean_b| / max(sqrt((s_a^2 + s_b^2) / 2), 0.005)`, s the standard deviation of answer less truth, so that
    the specimen's own texture is no noise. With a slope, the answer is divided by it first: a gain alone changes
    nothing then, where without one it would restore part of the texture that a blur took away.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), float, 1/um
        Answer and truth.
    first, second : ndarray, shape (z, y, x), bool
        Regions.
    slope : float
        Of the regression of the answer on the truth.

    Returns
    -------
    float
        NaN where a region is empty; 0 where the slope is not positive.

    Examples
    --------
    >>> truth = np.array([0.1, 0.1, 0.3, 0.3])
    >>> noisy = truth + [0.1, -0.1, 0.1, -0.1]
    >>> round(cnr(noisy, truth, truth < 0.2, truth > 0.2), 6)
    2.0
    """
    answer, reference = _volumes(pred, truth)
    return _ratio([(answer[part], reference[part]) for part in (np.asarray(first), np.asarray(second))], slope)


def _ratio(regions: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]], slope: float) -> float:
    """CNR of two regions from the values of answer and truth in each."""
    means, squares = [], 0.0
    for answer, truth in regions:
        if not answer.size:
            return math.nan
        if not slope > 0:
            return 0.0
        values = answer.astype(np.float64) / slope
        means.append(values.mean())
        squares += float((values - truth).var())
    return float(abs(means[0] - means[1]) / max(math.sqrt(squares / 2), LEAST_SD))


def gcnr(pred: ArrayLike, first: ArrayLike, second: ArrayLike) -> float:
    """Generalised CNR: one less the overlap of the two regions' histograms, which no remapping of grey values changes.

    Bins hold equal shares of the pooled values; there are as many as the root of the smaller region's voxels, 4 to 64.

    Parameters
    ----------
    pred : ndarray, shape (z, y, x), float
        Answer.
    first, second : ndarray, shape (z, y, x), bool
        Regions.

    Returns
    -------
    float
        From 0 (alike) to 1 (apart, less one bin's share); NaN where a region is empty.

    References
    ----------
    Rodriguez-Molares et al., IEEE Trans. Ultrason. 67 (2020) 745, doi 10.1109/TUFFC.2019.2956855.

    Examples
    --------
    >>> values = np.arange(4096.0)
    >>> [round(gcnr(v, values < 2048, values >= 2048), 3) for v in (values, np.exp(values / 400))]
    [0.978, 0.978]
    """
    answer = np.asarray(pred)
    a, b = (answer[np.asarray(region)].astype(np.float64) for region in (first, second))
    if not (a.size and b.size):
        return math.nan
    bins = int(np.clip(math.sqrt(min(a.size, b.size)), *_BINS))
    edges = np.unique(np.quantile(np.concatenate([a, b]), np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [np.bincount(np.searchsorted(edges, v, side="right"), minlength=len(edges) + 1) / v.size for v in (a, b)]
    return float(1 - np.minimum(*shares).sum())


def half_transfer_nm(curve: TransferCurve, voxel_size_nm: float) -> float:
    """Return `r`: the period at which the transfer falls to one half.

    Parameters
    ----------
    curve : TransferCurve
        Of an answer.
    voxel_size_nm : float
        Edge of a voxel, nm.

    Returns
    -------
    float
        nm; infinite where the answer shows nothing of the truth. Where the transfer is still h > 1/2 at the Nyquist
        frequency it is two voxels times 3/2 - h, so that it goes on falling as answers get sharper.
    """
    normalised = curve.normalised()
    if not np.isfinite(normalised).any():
        return math.inf
    found = curve.resolution_nm()
    if found is not None:
        return found
    at_nyquist = float(normalised[np.isfinite(normalised)][-1])
    return 2 * voxel_size_nm * max(1.5 - at_nyquist, 0.0)


def low_pass_family(
    reconstruction: NDArray[np.float32],
    truth: NDArray[np.float32],
    regions: ContrastRegions,
    region: NDArray[np.bool_],
    interfaces: Sequence[int],
    *,
    voxel_size_nm: float,
    angles_deg: ArrayLike,
) -> LowPassFamily:
    """Measure a reconstruction behind Gaussians in Fourier space, sigma 0 to n / 32 voxels in steps of 0.125.

    Parameters
    ----------
    reconstruction, truth : ndarray, shape (z, y, x), float32, 1/um
        Ram-Lak FBP and scene.
    regions : ContrastRegions
        Where.
    region : ndarray, shape (z, y, x), bool
        Where transfer and slope are measured, such as `cell_halo`.
    interfaces : sequence of int
        Those that are measured.
    voxel_size_nm : float
        Edge of a voxel, nm.
    angles_deg : array_like, shape (n_angles,), degrees
        Nominal angles.

    Returns
    -------
    LowPassFamily
        Its resolutions are the running maximum, so that noise cannot make a wider Gaussian sharper.
    """
    sigmas = np.arange(round(min(truth.shape) / _WIDEST / SIGMA_STEP) + 1) * SIGMA_STEP
    pairs = [tuple(np.flatnonzero(part) for part in regions.pair(name)) for name in interfaces]
    reference = truth.reshape(-1)
    inside, weight = np.flatnonzero(region), softened(region)
    probe = TransferProbe(truth, weight, voxel_size_nm=voxel_size_nm, angles_deg=angles_deg)
    resolution, ratios = [], []
    for sigma in sigmas:
        smooth = gaussian_low_pass(reconstruction, float(sigma))
        resolution.append(half_transfer_nm(probe(smooth), voxel_size_nm))
        flat = smooth.reshape(-1)
        slope = lac_regression(flat[inside], reference[inside])[0]
        ratios.append([_ratio([(flat[part], reference[part]) for part in pair], slope) for pair in pairs])
    return LowPassFamily(
        sigma_px=sigmas,
        resolution_nm=np.maximum.accumulate(resolution),
        cnr=np.array(ratios, np.float64).reshape(len(sigmas), len(pairs)),
        interfaces=tuple(interfaces),
    )


def gaussian_low_pass(volume: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Multiply a volume's spectrum by that of a Gaussian; opposite edges are neighbours.

    >>> gaussian_low_pass(np.eye(4, dtype=np.float32)[None], 0.0)[0, 1].tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    import scipy.fft

    if sigma_px == 0:
        return volume
    spectrum = scipy.fft.rfftn(volume, workers=available_cores())
    for axis, size in enumerate(volume.shape):
        k = scipy.fft.rfftfreq(size) if axis == volume.ndim - 1 else scipy.fft.fftfreq(size)
        shape = [1] * volume.ndim
        shape[axis] = k.size
        spectrum *= np.exp(-2 * (np.pi * sigma_px * k) ** 2).astype(np.float32).reshape(shape)
    return np.asarray(scipy.fft.irfftn(spectrum, volume.shape, workers=available_cores(), overwrite_x=True), np.float32)


def score_contrast(
    pred: ArrayLike,
    truth: ArrayLike,
    labels: ArrayLike,
    regions: ContrastRegions,
    region: ArrayLike,
    family: LowPassFamily,
    *,
    voxel_size_nm: float,
    angles_deg: ArrayLike,
) -> list[Score]:
    """Score one enhanced volume: `cnr_gain_matched@1` and its columns.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), float, 1/um
        Answer and scene.
    labels : ndarray, shape (z, y, x), integer
        True labels, not eroded: of the LAC bias.
    regions : ContrastRegions
        Where contrast is measured.
    region : ndarray, shape (z, y, x), bool
        Where transfer, correlation and bias are measured, such as `cell_halo`.
    family : LowPassFamily
        Of the plain reconstruction of the same tilt series.
    voxel_size_nm : float
        Edge of a voxel, nm.
    angles_deg : array_like, shape (n_angles,), degrees
        Nominal angles.

    Returns
    -------
    list of (str, int or None, float)
        (metric id, class or None, value); NaN where undefined.

    Raises
    ------
    InputError
        If shapes disagree or a value is not finite.
    """
    answer, reference = _volumes(pred, truth)
    inside = np.asarray(region)
    sums = shell_sums(answer, reference, softened(inside), angles_deg)
    transfer = transfer_curve(sums, voxel_size_nm)
    mtf50, information = transfer.resolution_nm(), correlation_curve(sums, voxel_size_nm, cone="in").resolution_nm()
    matched, sigma, outside = family.matched(half_transfer_nm(transfer, voxel_size_nm))
    slope = lac_regression(answer, reference, inside)[0]
    ratios = {name: cnr(answer, reference, *regions.pair(name), slope=slope) for name in family.interfaces}
    overlaps = {name: gcnr(answer, *regions.pair(name)) for name in family.interfaces}
    of_labels = [name for name in family.interfaces if name != CELL]
    bias = lac_bias(answer, reference, labels, mask=inside, classes=[BACKGROUND, CYTOPLASM, *of_labels])
    both = np.array([list(ratios.values()), matched]).reshape(2, -1)
    return [
        ("cnr_gain_matched@1", None, _gain(*both)),
        ("cnr_mean@1", None, _geometric_mean(both[0])),
        *(("cnr@1", name, ratios[name]) for name in of_labels),
        ("cnr_cell@1", None, ratios.get(CELL, math.nan)),
        *(("gcnr@1", name, overlaps[name]) for name in of_labels),
        ("gcnr_cell@1", None, overlaps.get(CELL, math.nan)),
        ("mtf50@1", None, math.nan if mtf50 is None else mtf50),
        ("matched_sigma@1", None, sigma),
        ("outside_family@1", None, float(outside)),
        ("fsc_resolution_in@1", None, math.nan if information is None else information),
        *(("lac_bias@1", label, value) for label, value in bias.items()),
        ("overshoot@1", None, overshoot(answer, reference, regions)),
    ]


def overshoot(pred: ArrayLike, truth: ArrayLike, regions: ContrastRegions) -> float:
    """Return the dark halo around cells: how far the error in the rim lies below that in the ice, over the contrast.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x), float, 1/um
        Answer and truth.
    regions : ContrastRegions
        Where; the contrast is the true one of cell and ice.

    Returns
    -------
    float
        0 is right, above it edges are overdone, below it they are blurred; NaN where a region is empty.
    """
    answer, reference = _volumes(pred, truth)
    if not (regions.rim.any() and regions.ice.any() and regions.cell.any()):
        return math.nan
    near, far = (float((answer[m] - reference[m]).mean(dtype=np.float64)) for m in (regions.rim, regions.ice))
    contrast = reference[regions.cell].mean(dtype=np.float64) - reference[regions.ice].mean(dtype=np.float64)
    return float((far - near) / contrast)


def _gain(own: NDArray[np.float64], of_gaussian: NDArray[np.float64]) -> float:
    """Geometric mean of the ratios, within bounds; NaN where no interface is left."""
    if not own.size:
        return math.nan
    with np.errstate(divide="ignore"):
        return float(np.clip(np.exp(np.mean(np.log(own / of_gaussian))), *GAIN_BOUNDS))


def _geometric_mean(values: NDArray[np.float64]) -> float:
    if not values.size:
        return math.nan
    return float(np.exp(np.mean(np.log(np.maximum(values, GAIN_BOUNDS[0])))))


def _volumes(pred: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    answer, reference = np.asarray(pred), np.asarray(truth)
    if answer.shape != reference.shape:
        raise InputError(f"the answer has shape {answer.shape}, expected {reference.shape}, that of the truth")
    return answer, reference


def family_arrays(families: Mapping[str, LowPassFamily]) -> dict[str, NDArray[np.generic]]:
    """Return low-pass families, by the name of their light, as arrays to be stored."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, family in families.items():
        arrays["low_pass_interfaces"] = np.array(family.interfaces, np.int64)
        arrays["low_pass_sigma_px"] = family.sigma_px
        arrays[f"low_pass_resolution_nm_{name}"] = family.resolution_nm
        arrays[f"low_pass_cnr_{name}"] = family.cnr
    return arrays


def family_of_arrays(arrays: Mapping[str, NDArray[np.generic]], name: str) -> LowPassFamily:
    """Return the family of one light from stored arrays."""
    return LowPassFamily(
        sigma_px=np.asarray(arrays["low_pass_sigma_px"], np.float64),
        resolution_nm=np.asarray(arrays[f"low_pass_resolution_nm_{name}"], np.float64),
        cnr=np.asarray(arrays[f"low_pass_cnr_{name}"], np.float64),
        interfaces=tuple(int(i) for i in arrays["low_pass_interfaces"]),
    )
