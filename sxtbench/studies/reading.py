"""How the paper reads a reconstruction: its region, its PSNR, its annuli, its ring correlation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from sxtbench.errors import InputError
from sxtbench.metrics import first_crossing, frc, psnr

_PEAK_PERCENTILE = 99
_SMOOTHING_RINGS = 3.0


def region_cylinder(shape: tuple[int, int, int], width_px: float) -> NDArray[np.bool_]:
    """Return the paper's region: a cylinder about the axis, as high as it is wide, or as high as the volume.

    Parameters
    ----------
    shape : tuple of three int
        Voxels along (z, y, x).
    width_px : float, voxels
        Diameter.

    Returns
    -------
    ndarray, shape (z, y, x), bool

    Examples
    --------
    >>> int(region_cylinder((1, 5, 5), 3.0).sum())
    9
    """
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    disc = y[:, None] ** 2 + x[None, :] ** 2 < (width_px / 2) ** 2
    return np.asarray(disc[None] & (np.abs(z) < width_px / 2)[:, None, None])


def peak(reference: ArrayLike, mask: NDArray[np.bool_] | None = None) -> float:
    """Return the range of the paper's PSNR: the 99th percentile of the reference, zeros included unless masked."""
    values = np.asarray(reference) if mask is None else np.asarray(reference)[mask]
    return float(np.percentile(values, _PEAK_PERCENTILE))


def psnr_in(volume: NDArray[np.float32], reference: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> float:
    """Return the paper's PSNR, dB: the error in the mask, the range of the whole reference."""
    return psnr(volume, reference, data_range=peak(reference), mask=mask)


@dataclass(frozen=True, eq=False)
class AnnularErrors:
    """Squared errors of reconstructions in rings about the axis, of equal width, all slices together.

    Voxels count where the reference, after a minimum over 3 x 3 x 3 and with holes filled, is not zero; the range of
    PSNR is the reference's 99th percentile there.

    Parameters
    ----------
    radius_px : ndarray, shape (annuli,), float64, voxels
        Mean distance to the axis of each ring's voxels.
    count : ndarray, shape (annuli,), float64
        Voxels of each ring.
    squares : dict of ndarray, shape (annuli,), float64
        Sums of squared errors by the reconstruction's name.
    top : float
        Range of PSNR.
    """

    radius_px: NDArray[np.float64]
    count: NDArray[np.float64]
    squares: dict[str, NDArray[np.float64]]
    top: float

    def psnr(self, name: str) -> NDArray[np.float64]:
        """Return PSNR in each ring, dB; NaN for an empty one."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(10 * np.log10(self.top**2 * self.count / self.squares[name]))

    def psnr_between(self, name: str, low_px: float, high_px: float) -> float:
        """Return PSNR over the rings whose mean distance to the axis lies between two, dB."""
        chosen = (self.radius_px >= low_px) & (self.radius_px < high_px)
        return float(10 * np.log10(self.top**2 * self.count[chosen].sum() / self.squares[name][chosen].sum()))


def annular_errors(
    volumes: dict[str, NDArray[np.float32]], reference: NDArray[np.float32], *, radius_px: float, annuli: int = 20
) -> AnnularErrors:
    """Sum squared errors in rings about the axis (not cumulative).

    Parameters
    ----------
    volumes : dict of ndarray, shape (z, y, x), float32
        Reconstructions.
    reference : ndarray, shape (z, y, x), float32
        The phantom.
    radius_px : float, voxels
        Of the outermost ring.
    annuli : int
        Number of rings.

    Returns
    -------
    AnnularErrors
    """
    inside = ndimage.minimum_filter(reference, 3) > 0
    inside = np.stack([ndimage.binary_fill_holes(part) for part in inside])
    y, x = (np.arange(n) - (n - 1) / 2 for n in reference.shape[1:])
    distance = np.hypot(y[:, None], x[None, :])
    ring = np.minimum((distance / radius_px * annuli).astype(int), annuli)
    where = np.broadcast_to(ring, reference.shape)[inside]
    far = np.broadcast_to(distance, reference.shape)[inside]
    truth = reference[inside].astype(np.float64)
    count = np.bincount(where, minlength=annuli + 1)[:annuli].astype(np.float64)
    with np.errstate(invalid="ignore"):
        radius = np.bincount(where, far, annuli + 1)[:annuli] / count
    squares = {
        name: np.bincount(where, (volume[inside] - truth) ** 2, annuli + 1)[:annuli].astype(np.float64)
        for name, volume in volumes.items()
    }
    return AnnularErrors(radius, count, squares, peak(reference, inside))


@dataclass(frozen=True, eq=False)
class RingCorrelation:
    """Ring correlation of one slice against the phantom, raw and smoothed over rings.

    Parameters
    ----------
    frequency : ndarray, shape (n // 2 + 1,), float64
        In units of Nyquist.
    raw, smooth : ndarray, same shape, float64
        Correlation, and the same under a Gaussian of 3 rings.
    pixel_size_nm : float, nm
        Edge of a pixel.
    """

    frequency: NDArray[np.float64]
    raw: NDArray[np.float64]
    smooth: NDArray[np.float64]
    pixel_size_nm: float

    def crossing_nm(self, threshold: float = 1 / 7, *, of: str = "smooth") -> float | None:
        """Return the period at which the smoothed (or raw) curve first falls below a threshold, nm, or None."""
        return crossing_nm(self.frequency, getattr(self, of), threshold, self.pixel_size_nm)


def crossing_nm(frequency: ArrayLike, correlation: ArrayLike, threshold: float, pixel_size_nm: float) -> float | None:
    """Return the period of the first crossing of a curve over frequency in units of Nyquist.

    Parameters
    ----------
    frequency, correlation : array_like, shape (n,)
        The curve.
    threshold : float
        A constant.
    pixel_size_nm : float, nm
        Edge of a pixel: Nyquist is a period of two.

    Returns
    -------
    float or None
        nm, by linear interpolation; None where it does not fall so far.

    Examples
    --------
    >>> crossing_nm([0, 0.5, 1], [1, 0.5, 0], 0.25, 20.0)
    53.333333333333336
    """
    values = np.asarray(correlation, np.float64)
    crossing = first_crossing(frequency, values, np.full(values.shape, threshold))
    return None if crossing is None else 2 * pixel_size_nm / crossing


def ring_correlation(
    volume: NDArray[np.float32], reference: NDArray[np.float32], *, width_px: int, pixel_size_nm: float
) -> RingCorrelation:
    """Correlate the central slices of a volume and of the phantom in the central square, without a window.

    Parameters
    ----------
    volume, reference : ndarray, shape (z, y, x), float32
        Reconstruction and phantom.
    width_px : int, voxels
        Edge of the square.
    pixel_size_nm : float, nm
        Edge of a voxel.

    Returns
    -------
    RingCorrelation

    Raises
    ------
    InputError
        For a square that does not fit the slice.
    """
    if not 2 <= width_px <= min(reference.shape[1:]):
        raise InputError(f"the square is {width_px} px wide, the slice has {reference.shape[1:]}")
    z = reference.shape[0] // 2
    y, x = ((n - width_px) // 2 for n in reference.shape[1:])
    here = np.s_[z, y : y + width_px, x : x + width_px]
    curve = frc(volume[here], reference[here], pixel_size_nm=pixel_size_nm)
    raw = np.nan_to_num(curve.correlation)
    smooth = ndimage.gaussian_filter1d(raw, _SMOOTHING_RINGS, mode="nearest")
    return RingCorrelation(curve.frequency * 2 * pixel_size_nm, raw, smooth, pixel_size_nm)
