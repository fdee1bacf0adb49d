"""How strongly to filter, by a criterion and not by eye: noise power in the bands that hold no information.

Two half sets (every second tilt, or two halves of the photons) tell signal from noise band by band. Beyond the
frequency where their correlation (FRC or FSC) falls below a threshold there is nothing left to keep; the shortest
filter that takes most of the noise power there is chosen. The choice never sees a truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.enhancement.phase import paganin_transfer
from sxtbench.errors import InputError
from sxtbench.metrics.resolution import frc, fsc

_BANDS = 16
_LENGTHS = 200
_LONGEST_PX = 8.0


@dataclass(frozen=True, eq=False)
class NoiseBands:
    """Noise power of the mean of two half sets, by band of spatial frequency.

    Parameters
    ----------
    frequency_per_nm : ndarray, shape (bands,), float64, cycles per nm
        Middle of each band, up to Nyquist.
    power : ndarray, shape (bands,), float64
        Summed over the band's coefficients, in any unit.
    correlation : ndarray, shape (bands,), float64
        Of the half sets, mean over the band.
    """

    frequency_per_nm: NDArray[np.float64]
    power: NDArray[np.float64]
    correlation: NDArray[np.float64]


def noise_bands(first: ArrayLike, second: ArrayLike, *, pixel_size_nm: float, bands: int = _BANDS) -> NoiseBands:
    """Measure noise and correlation of two half sets by band.

    Parameters
    ----------
    first, second : array_like, shape (y, x) or (z, y, x), real
        Images or volumes of one thing with independent noise.
    pixel_size_nm : float, nm
        Edge of a pixel or voxel.
    bands : int
        Bands of equal width from zero to Nyquist.

    Returns
    -------
    NoiseBands

    Raises
    ------
    InputError
        For shapes that differ or have other than 2 or 3 axes, and for fewer than 2 bands.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim not in (2, 3):
        raise InputError(f"half sets have shapes {a.shape} and {b.shape}, expected two equal ones of 2 or 3 axes")
    if bands < 2:
        raise InputError(f"bands is {bands}, expected 2 or more")
    if a.ndim == 2:
        curve = frc(a, b, pixel_size_nm=pixel_size_nm)
    else:
        curve = fsc(a, b, voxel_size_nm=pixel_size_nm)
    difference = np.abs(np.fft.fftn((a - b) / 2)) ** 2
    k = np.sqrt(sum(np.square(part) for part in np.meshgrid(*map(np.fft.fftfreq, a.shape), indexing="ij")))
    edges = np.linspace(0, 0.5, bands + 1)
    place = np.searchsorted(edges, k.ravel(), side="right") - 1
    inside = k.ravel() < 0.5
    power = np.bincount(place[inside], difference.ravel()[inside], bands)[:bands].astype(np.float64)
    of_curve = np.clip(np.searchsorted(edges, curve.frequency * pixel_size_nm, side="right") - 1, 0, bands - 1)
    known = np.isfinite(curve.correlation)
    known[0] = False
    counts = np.bincount(of_curve[known], minlength=bands)
    sums = np.bincount(of_curve[known], curve.correlation[known], bands)
    correlation = np.divide(sums, counts, out=np.full(bands, np.nan), where=counts > 0)
    return NoiseBands((edges[:-1] + edges[1:]) / 2 / pixel_size_nm, power, correlation)


def length_by_noise(
    bands: NoiseBands, *, kept: float = 0.1, threshold: float = 1 / 7, lengths_nm: Sequence[float] | None = None
) -> float:
    """Return the shortest filter that leaves no more than a share of the noise power where nothing correlates.

    Parameters
    ----------
    bands : NoiseBands
        From `noise_bands`.
    kept : float
        Share of the noise power that may stay beyond the last band whose correlation reaches the threshold.
    threshold : float
        Of the correlation; 1/7 for half sets.
    lengths_nm : sequence of float, optional, nm
        Lengths to choose from, ascending; by default 0 to 8 pixels in 200 steps.

    Returns
    -------
    float, nm
        Length for `paganin_transfer`; 0 where every band correlates.

    Raises
    ------
    InputError
        For a share that is not between 0 and 1, and where no length is long enough.

    Examples
    --------
    >>> f = (np.arange(8) + 0.5) / 16 / 20  # up to the Nyquist frequency of 20 nm
    >>> bands = NoiseBands(f, np.ones(8), np.where(f < 0.01, 0.9, 0.0))
    >>> round(length_by_noise(bands), 1)
    15.3
    """
    if not 0 < kept < 1:
        raise InputError(f"kept is {kept}, expected a share between 0 and 1")
    good = np.flatnonzero(bands.correlation >= threshold)
    beyond = slice(int(good[-1]) + 1 if good.size else 0, None)
    f, power = bands.frequency_per_nm[beyond], bands.power[beyond]
    if not power.sum() > 0:
        return 0.0
    pixel_nm = 0.5 / (bands.frequency_per_nm[-1] + bands.frequency_per_nm[0])
    lengths = np.linspace(0, _LONGEST_PX * pixel_nm, _LENGTHS) if lengths_nm is None else np.asarray(lengths_nm)
    for length in lengths:
        if float(np.sum(power * paganin_transfer(f, length_nm=float(length)) ** 2)) <= kept * float(power.sum()):
            return float(length)
    raise InputError(
        f"no length up to {lengths[-1]:.4g} nm takes {100 * (1 - kept):g} % of the noise away; allow to keep more, or "
        "give longer lengths"
    )
