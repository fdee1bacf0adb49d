"""What a dose is worth: the information in a volume, and the dose at which plain FBP has as much (PROTOCOL 4).

Information is the mean Fourier shell correlation with the truth, in the cells, between 1/(1000 nm) and 1/(4 voxels).
A correlation under a mask is not free of filters: the mask's edge scatters the strong low frequencies of a smoothed
volume into its weak high ones. So both volumes are flattened first: a smooth radial gain gives all shells about the
same power before the mask is applied. An isotropic linear filter then cancels.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.labels import CYTOPLASM, DROPLET, ENDOSOME, MITOCHONDRION, NUCLEOLUS, NUCLEUS
from sxtbench.metrics.fidelity import LAC_RANGE, lac_bias, psnr_affine, psnr_lac, ssim
from sxtbench.metrics.resolution import correlation_curve, transfer_curve
from sxtbench.metrics.shells import shell_sums, softened

Score = tuple[str, int | None, float]

LONGEST_NM = 1000.0
"""Longest period that counts."""

SHORTEST_VOXELS = 4
"""Shortest period that counts."""

_CLASSES = (CYTOPLASM, DROPLET, NUCLEUS, NUCLEOLUS, MITOCHONDRION, ENDOSOME)
_BEYOND = 3  # shells above the last that are kept, as the mask mixes neighbours
_DEGREE = 4  # of the polynomial in k that the logarithm of a gain is
_STEPS = 4000  # of log m, in which the reference curve is inverted
LEAST, MOST = 0.1, 100.0
"""Ends of the scale of equivalent doses."""


class DoseInformation:
    """Correlation of volumes with one truth: what depends on the truth alone is computed once.

    Parameters
    ----------
    truth : array_like, shape (z, y, x), float, 1/um
        The scene.
    cells : array_like, shape (z, y, x), bool
        Where to compare; softened inwards over 6 voxels.
    voxel_size_nm : float
        Edge of a voxel, nm.

    Raises
    ------
    InputError
        If shapes disagree, the mask is empty, or no shell lies between the two periods.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.normal(size=(32, 32, 32)).astype(np.float32)
    >>> information = DoseInformation(truth, np.ones(truth.shape, bool), voxel_size_nm=100.0)
    >>> round(information.of(3 - 2 * truth), 3), round(information.of(truth + rng.normal(size=truth.shape)), 1)
    (-1.0, 0.7)
    """

    def __init__(self, truth: ArrayLike, cells: ArrayLike, *, voxel_size_nm: float) -> None:
        volume, inside = np.asarray(truth), np.asarray(cells)
        if volume.ndim != 3 or inside.shape != volume.shape or not inside.any():
            raise InputError(
                f"truth has shape {volume.shape} and cells {inside.shape}, expected two equal ones (z, y, x) with at "
                "least one voxel inside"
            )
        self.shape = volume.shape
        self._side = max(volume.shape)
        self.shells = scored_shells(self._side, voxel_size_nm)
        first, last = self.shells
        self._coarse = min(self._side, 2 * (-(-3 * last // 2) + _BEYOND))  # enough for what is left of the spectrum
        k = np.fft.fftfreq(self._coarse, 1 / self._coarse).astype(np.float32)
        half = np.arange(self._coarse // 2 + 1, dtype=np.float32)
        radius = np.sqrt(np.square(k)[:, None, None] + np.square(k)[:, None] + np.square(half))
        shell = np.rint(radius).astype(np.int32)
        twice = np.broadcast_to(np.where((half == 0) | (half * 2 == self._coarse), 1.0, 2.0), shell.shape)
        self._kept = np.flatnonzero((shell > 0) & (shell <= last + _BEYOND))
        self._radius = radius.flat[self._kept]
        self._kept_shell, self._kept_twice = shell.flat[self._kept], twice.flat[self._kept]
        self._scored = np.flatnonzero((shell >= first) & (shell <= last))
        self._scored_shell, self._scored_twice = shell.flat[self._scored] - first, twice.flat[self._scored]
        self._samples = np.bincount(self._kept_shell, self._kept_twice)[1:]
        self._middle = np.bincount(self._kept_shell, self._kept_twice * self._radius)[1:] / self._samples
        self._weight = self._resampled(self._spectrum(softened(inside)))
        self._total = float(self._weight.sum(dtype=np.float64))
        self._truth = self._coefficients(volume, "the truth")
        self._power = self._sums(np.square(np.abs(self._truth)))

    def of(self, answer: ArrayLike) -> float:
        """Return the information in a volume: the mean over shells, in [-1, 1]; 0 for a constant.

        Parameters
        ----------
        answer : array_like, shape of the truth, float
            Any gain, offset and isotropic filter cancels.
        """
        volume = np.asarray(answer)
        if volume.shape != self.shape:
            raise InputError(f"the answer has shape {volume.shape}, expected {self.shape}")
        found = self._coefficients(volume, "the answer")
        cross = self._sums((found * self._truth.conj()).real)
        norm = np.sqrt(self._sums(np.square(np.abs(found))) * self._power)
        return float(np.divide(cross, norm, out=np.zeros_like(cross), where=norm > 0).mean())

    def _coefficients(self, volume: NDArray[np.floating], which: str) -> NDArray[np.complex64]:
        """Return the Fourier coefficients of the scored shells of the flattened volume under the mask."""
        import scipy.fft

        flat = self._flattened(volume, which)
        flat -= np.float32(np.sum(flat * self._weight, dtype=np.float64) / self._total)
        flat *= self._weight
        spectrum: NDArray[np.complex64] = scipy.fft.rfftn(flat, workers=available_cores())
        return spectrum.reshape(-1)[self._scored]

    def _flattened(self, volume: NDArray[np.floating], which: str) -> NDArray[np.float32]:
        """Give the shells up to just above the scored ones the same mean power, as far as a smooth gain can.

        A gain that followed each shell would ring across the volume, and carry the wall of a capillary into the cell.
        The logarithm of a Gaussian is a polynomial: it cancels.
        """
        if not np.isfinite(volume).all():
            raise InputError(f"{which} holds NaN or infinity, expected finite values")
        values = volume.astype(np.float32) - np.float32(volume.mean(dtype=np.float64))
        if np.ptp(values) <= 4 * np.finfo(np.float32).eps * max(-float(volume.min()), float(volume.max())):
            return np.zeros_like(self._weight)  # a constant: nothing but rounding is left
        spectrum = self._spectrum(values).reshape(-1)
        kept = spectrum[self._kept]
        power = np.bincount(self._kept_shell, np.square(np.abs(kept)) * self._kept_twice)[1:] / self._samples
        if not (power > 0).all():
            power += np.finfo(np.float64).tiny
        level = np.polynomial.Polynomial.fit(self._middle, np.log(power) / -2, _DEGREE)
        gain = level(self._radius.astype(np.float64))
        spectrum[...] = 0
        spectrum[self._kept] = kept * np.exp(gain - gain.max()).astype(np.float32)
        flat = self._resampled(spectrum.reshape(self._coarse, self._coarse, -1))
        flat /= np.float32(max(float(flat.std()), float(np.finfo(np.float32).tiny)))
        return flat

    def _spectrum(self, volume: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Return the low half spectrum of a volume that is padded with zeros to a cube."""
        import scipy.fft

        n, m = self._side, self._coarse
        low = np.fft.fftfreq(m, 1 / m).astype(np.intp)
        spectrum = scipy.fft.rfft(volume, n, axis=2, workers=available_cores())[:, :, : m // 2 + 1]
        spectrum = scipy.fft.fft(spectrum, n, axis=1, workers=available_cores())[:, low]
        cut: NDArray[np.complex64] = scipy.fft.fft(spectrum, n, axis=0, workers=available_cores())[low]
        return cut

    def _resampled(self, spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        import scipy.fft

        found: NDArray[np.float32] = scipy.fft.irfftn(spectrum, (self._coarse,) * 3, workers=available_cores())
        return found

    def _sums(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(self._scored_shell, values * self._scored_twice), np.float64)


def scored_shells(side: int, voxel_size_nm: float) -> tuple[int, int]:
    """Return the first and the last shell between the periods of 1000 nm and 4 voxels.

    Parameters
    ----------
    side : int
        Voxels of the cube's side.
    voxel_size_nm : float
        Edge of a voxel, nm.

    Examples
    --------
    >>> scored_shells(64, 160.0), scored_shells(128, 80.0)
    ((11, 16), (11, 32))
    """
    if not (math.isfinite(voxel_size_nm) and voxel_size_nm > 0):
        raise InputError(f"the voxel size is {voxel_size_nm}, expected a positive number of nm")
    first, last = math.ceil(side * voxel_size_nm / LONGEST_NM), side // SHORTEST_VOXELS
    if first > last:
        raise InputError(
            f"no shell lies between periods of {LONGEST_NM:g} nm and {SHORTEST_VOXELS} voxels of {voxel_size_nm:g} nm"
        )
    return first, last


class EquivalentDose(NamedTuple):
    """A dose over the one that was used, and whether it lies beyond an end of the reference curve (-1, 0, 1)."""

    dose: float
    beyond: int


def equivalent_dose(information: float, doses: ArrayLike, reference: ArrayLike, *, dose_used: float) -> EquivalentDose:
    """Return the dose at which plain FBP has the same information, over the dose that was used.

    The curve is a monotone cubic in the logarithm of the dose (Fritsch and Carlson 1980). A value on a plateau gives
    its middle.

    Parameters
    ----------
    information : float
        Of the answer, from `DoseInformation.of`.
    doses : array_like, shape (n,), ascending
        Doses of the reference curve, in any unit.
    reference : array_like, shape (n,), not falling
        Information of the FBP at each.
    dose_used : float
        Dose of the tilt series that the answer was made from, in the same unit.

    Returns
    -------
    EquivalentDose
        Clipped to [0.1, 100] and to the ends of the curve.

    Raises
    ------
    InputError
        For a curve that falls, or a dose that is not positive.

    Examples
    --------
    >>> found = equivalent_dose(0.5, [0.01, 0.1, 1, 10], [0.1, 0.5, 0.9, 1.0], dose_used=0.1)
    >>> round(found.dose, 3), found.beyond
    (1.0, 0)
    >>> equivalent_dose(1.0, [0.01, 0.1, 1], [0.1, 0.5, 0.9], dose_used=0.1)
    EquivalentDose(dose=10.0, beyond=1)
    """
    from scipy.interpolate import PchipInterpolator

    x, y = np.log10(np.asarray(doses, np.float64)), np.asarray(reference, np.float64)
    if x.shape != y.shape or x.ndim != 1 or not (np.diff(x) > 0).all() or not (np.diff(y) >= 0).all():
        raise InputError(f"the reference curve has doses {x.shape} and values {y.shape}, expected two that both rise")
    if not dose_used > 0:
        raise InputError(f"dose_used is {dose_used}, expected a positive dose")
    used = math.log10(dose_used)
    low, high = max(x[0], used + math.log10(LEAST)), min(x[-1], used + math.log10(MOST))
    steps = np.linspace(low, high, _STEPS)
    curve = np.maximum.accumulate(PchipInterpolator(x, y)(steps))
    before, after = int(np.searchsorted(curve, information, "left")), int(np.searchsorted(curve, information, "right"))
    if information < curve[0]:
        return EquivalentDose(float(10 ** round(low - used, 9)), -1)
    if information > curve[-1]:
        return EquivalentDose(float(10 ** round(high - used, 9)), 1)
    if before < after:
        at = (steps[before] + steps[after - 1]) / 2
    else:
        share = (information - curve[before - 1]) / (curve[before] - curve[before - 1])
        at = steps[before - 1] + share * (steps[before] - steps[before - 1])
    return EquivalentDose(float(10 ** (at - used)), 0)


def score_dose(
    answer: ArrayLike,
    truth: ArrayLike,
    cells: ArrayLike,
    labels: ArrayLike,
    *,
    voxel_size_nm: float,
    doses: ArrayLike,
    reference: ArrayLike,
    noise_free: float,
    dose_used: float,
) -> list[Score]:
    """Score one volume: the primary metric and the columns of PROTOCOL 4.

    Parameters
    ----------
    answer, truth : array_like, shape (z, y, x), float, 1/um
        Answer and scene.
    cells : array_like, shape (z, y, x), bool
        Where to compare.
    labels : array_like, shape (z, y, x), integer
        True labels of the suite.
    voxel_size_nm : float
        Edge of a voxel, nm.
    doses, reference, dose_used
        As for `equivalent_dose`.
    noise_free : float
        Information of the noise-free FBP.

    Returns
    -------
    list of (str, int or None, float)
        (metric id, class or None, value); NaN where undefined.
    """
    volume, scene, inside = np.asarray(answer), np.asarray(truth), np.asarray(cells)
    information = DoseInformation(scene, inside, voxel_size_nm=voxel_size_nm).of(volume)
    found = equivalent_dose(information, doses, reference, dose_used=dose_used)
    bias = lac_bias(volume, scene, labels, mask=inside, classes=_CLASSES)
    sums = shell_sums(volume, scene, softened(inside))
    resolution = correlation_curve(sums, voxel_size_nm, cone=None).resolution_nm(1 / 2)
    mtf50 = transfer_curve(sums, voxel_size_nm, cone=None).resolution_nm()
    return [
        ("equivalent_dose@1", None, found.dose),
        ("equivalent_dose_median@1", None, found.dose),
        ("information@1", None, information),
        ("at_the_ends@1", None, float(found.beyond != 0)),
        ("above_noise_free@1", None, float(information > noise_free)),
        ("psnr_lac@1", None, psnr_lac(volume, scene, inside)),
        ("psnr_affine@1", None, psnr_affine(volume, scene, inside)),
        ("ssim@1", None, ssim(volume, scene, data_range=LAC_RANGE, mask=inside)),
        *(("lac_bias@1", label, value) for label, value in bias.items()),
        ("fsc_resolution_in@1", None, math.nan if resolution is None else resolution),
        ("mtf50@1", None, math.nan if mtf50 is None else mtf50),
    ]


def hallucination(
    answer: ArrayLike,
    truth: ArrayLike,
    with_them: ArrayLike,
    spheres_um: ArrayLike,
    *,
    voxel_size_nm: float,
) -> float:
    """Return how much of things that are not there an answer shows: 0 is right, 1 is invention.

    The difference between a sphere and the shell 2 to 4 voxels around it, in the answer less that in the truth, over
    what it would be with the thing; mean over the spheres.

    Parameters
    ----------
    answer, truth : array_like, shape (z, y, x), float, 1/um
        Of the twin, which lacks the things.
    with_them : array_like, shape (z, y, x), float, 1/um
        The truth of the specimen that has them.
    spheres_um : array_like, shape (n, 4), um
        Where they would be: centre (z, y, x) from the volume's, and radius.
    voxel_size_nm : float
        Edge of a voxel, nm.

    Examples
    --------
    >>> empty, sphere = np.zeros((16, 16, 16)), [[0, 0, 0, 2.0]]
    >>> grid = np.indices(empty.shape) - 7.5
    >>> ball = (np.square(grid).sum(axis=0) <= 4).astype(float)
    >>> [hallucination(x, empty, ball, sphere, voxel_size_nm=1000) for x in (empty, ball, 0.3 * ball)]
    [0.0, 1.0, 0.3]
    """
    return _contrast(answer, truth, with_them, spheres_um, voxel_size_nm)


def kept_contrast(
    answer: ArrayLike,
    truth: ArrayLike,
    without_them: ArrayLike,
    spheres_um: ArrayLike,
    *,
    voxel_size_nm: float,
) -> float:
    """Return how much of the contrast of things that are there an answer shows: 1 is right, 0 has lost them.

    The other side of `hallucination`, on the specimen that has them.

    Parameters
    ----------
    answer, truth : array_like, shape (z, y, x), float, 1/um
        Of the specimen with the things.
    without_them : array_like, shape (z, y, x), float, 1/um
        The truth of its twin.
    spheres_um : array_like, shape (n, 4), um
        As for `hallucination`.
    voxel_size_nm : float
        Edge of a voxel, nm.
    """
    return 1 - _contrast(answer, truth, without_them, spheres_um, voxel_size_nm)


def _contrast(
    answer: ArrayLike, truth: ArrayLike, other: ArrayLike, spheres_um: ArrayLike, voxel_size_nm: float
) -> float:
    """Return (answer - truth) over (other - truth), each a sphere less its surroundings; mean over spheres."""
    volumes = [np.asarray(volume, np.float64) for volume in (answer, truth, other)]
    shares = []
    for *centre, radius in np.asarray(spheres_um, np.float64) * 1000 / voxel_size_nm:
        box, distance = _around(volumes[0].shape, centre, radius + 4)
        sphere = distance <= max(radius, 1.0)
        shell = (distance >= radius + 2) & (distance <= radius + 4)
        found, right, wrong = (v[box][sphere].mean() - v[box][shell].mean() for v in volumes)
        shares.append((found - right) / (wrong - right))
    return math.fsum(shares) / len(shares) if shares else math.nan


def _around(shape: tuple[int, ...], centre: list[float], reach: float) -> tuple[tuple[slice, ...], NDArray[np.float64]]:
    """Return a box about a place, and the distance of its voxels from it."""
    middle = [c + (n - 1) / 2 for c, n in zip(centre, shape, strict=True)]
    spans = [
        (max(0, math.floor(m - reach)), min(n, math.ceil(m + reach) + 1)) for m, n in zip(middle, shape, strict=True)
    ]
    grid = np.ogrid[tuple(slice(first, last) for first, last in spans)]
    distance = np.sqrt(sum(np.square(g - m) for g, m in zip(grid, middle, strict=True)))
    return tuple(slice(first, last) for first, last in spans), distance
