"""Normalised cross-correlation of two images over their overlap, as tables over whole shifts and smooth in between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

from sxtbench.errors import InputError

_CHUNK = 32  # pairs of images in memory at a time
_FLAT = 1e-10  # of an image's variance: an overlap with less has no structure


def overlap_ncc(
    moved: ArrayLike,
    fixed: ArrayLike,
    *,
    reach: tuple[int, int],
    start: tuple[int, int] = (0, 0),
    least_overlap: float = 0.25,
) -> NDArray[np.float64]:
    """Correlate pairs of images over their overlap, at all whole shifts of a window.

    Sums over the overlap come from the Fourier transform (products) and from running sums (each image alone), so the
    cost does not depend on the size of the window.

    Parameters
    ----------
    moved : array_like, shape (n, rows, columns)
        Images that are moved.
    fixed : array_like, shape (n, rows', columns')
        Images that they are compared with, of the same or another size.
    reach : tuple of two int, pixels
        Greatest shift along (z, u) about `start`.
    start : tuple of two int, pixels
        Where the first pixel of `moved` lies on `fixed` at shift 0.
    least_overlap : float
        Share of `moved` that must lie on `fixed`; the table is 0 where less does.

    Returns
    -------
    ndarray, shape (n, 2 * reach[0] + 1, 2 * reach[1] + 1), float64
        Entry `[k, reach[0] + dz, reach[1] + du]`: the correlation coefficient of `fixed[k]` and `moved[k]` after a move
        by (dz, du), means and variances taken over the overlap; 0 where one of the two is flat.

    Raises
    ------
    InputError
        For images that are not two stacks of the same length.

    References
    ----------
    Padfield, IEEE Trans. Image Process. 21 (2012) 2706, doi 10.1109/TIP.2011.2181402.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((1, 8, 8))
    >>> table = overlap_ncc(image[:, 2:, :7], image[:, :6, 1:], reach=(3, 3))
    >>> np.unravel_index(np.argmax(table[0]), (7, 7)), table.max().round(6)
    ((np.int64(5), np.int64(2)), np.float64(1.0))
    """
    a, b = np.asarray(moved, np.float64), np.asarray(fixed, np.float64)
    if a.ndim != 3 or b.ndim != 3 or len(a) != len(b):
        raise InputError(f"images have shapes {a.shape} and {b.shape}, expected two stacks (n, rows, columns) of one n")
    rows = _Line(a.shape[1], b.shape[1], start[0] + np.arange(-reach[0], reach[0] + 1))
    columns = _Line(a.shape[2], b.shape[2], start[1] + np.arange(-reach[1], reach[1] + 1))
    count = rows.overlap[:, None] * columns.overlap
    out = np.zeros((len(a), *count.shape))
    enough = count >= max(least_overlap * a.shape[1] * a.shape[2], 2)
    size = tuple(fft.next_fast_len(line.size, real=True) for line in (rows, columns))
    place_z, place_u = (rows.shift % size[0])[:, None], columns.shift % size[1]
    for first in range(0, len(a), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        x = a[chunk] - a[chunk].mean(axis=(1, 2), keepdims=True)
        y = b[chunk] - b[chunk].mean(axis=(1, 2), keepdims=True)
        spectrum = fft.rfft2(y, size) * np.conj(fft.rfft2(x, size))
        products = fft.irfft2(spectrum, size)[:, place_z, place_u]
        mean_x, square_x = (_box_sums(v, rows.in_moved, columns.in_moved) for v in (x, x**2))
        mean_y, square_y = (_box_sums(v, rows.in_fixed, columns.in_fixed) for v in (y, y**2))
        n = np.maximum(count, 1)
        covariance = products - mean_x * mean_y / n
        spread_x, spread_y = square_x - mean_x**2 / n, square_y - mean_y**2 / n
        sound = enough & (spread_x > _FLAT * n * _variance(x)) & (spread_y > _FLAT * n * _variance(y))
        spread = np.where(sound, spread_x * spread_y, 1)
        np.divide(covariance, np.sqrt(spread), out=out[chunk], where=sound)
    return np.clip(out, -1, 1, out=out)


def _variance(images: NDArray[np.float64]) -> NDArray[np.float64]:
    variance: NDArray[np.float64] = images.var(axis=(1, 2), keepdims=True)
    return variance


class _Line:
    """One axis: for each shift, which part of the moved and of the fixed image overlaps."""

    def __init__(self, moved: int, fixed: int, shift: NDArray[np.int64]) -> None:
        self.shift = shift
        low, high = np.maximum(shift, 0), np.minimum(shift + moved, fixed)
        high = np.maximum(high, low)
        self.overlap = high - low
        self.in_fixed = np.minimum(low, fixed), np.minimum(high, fixed)
        self.in_moved = np.clip(low - shift, 0, moved), np.clip(high - shift, 0, moved)
        self.size = max(moved, fixed) + max(int(np.abs(shift).max()), min(moved, fixed))


def _box_sums(
    images: NDArray[np.float64],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    columns: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.float64]:
    """Sum of each image over all boxes rows x columns."""
    total = np.zeros((len(images), images.shape[1] + 1, images.shape[2] + 1))
    np.cumsum(np.cumsum(images, axis=1), axis=2, out=total[:, 1:, 1:])
    strips = total[:, rows[1]] - total[:, rows[0]]
    boxes: NDArray[np.float64] = strips[:, :, columns[1]] - strips[:, :, columns[0]]
    return boxes


@dataclass(frozen=True, eq=False)
class Tables:
    """Cached tables with bicubic interpolation: the cubic B-spline through the entries of each.

    Parameters
    ----------
    values : ndarray, shape (n, 2 * rz + 1, 2 * ru + 1), float64
        Entries at whole shifts about the centre.
    coefficients : ndarray, the same shape, float64
        Of the splines.
    """

    values: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Tables":
        """Fit the splines."""
        coefficients = ndimage.spline_filter1d(values, 3, axis=1, mode="mirror")
        return cls(values, ndimage.spline_filter1d(coefficients, 3, axis=2, mode="mirror"))

    @property
    def reach(self) -> NDArray[np.int64]:
        """Greatest shift (z, u), pixels."""
        return (np.array(self.values.shape[1:]) - 1) // 2

    def __call__(self, shifts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Value and gradient of each table at its own shift.

        Parameters
        ----------
        shifts : ndarray, shape (n, 2), float64, pixels
            (dz, du); beyond the window the value at its edge, with a gradient of 0 across it.

        Returns
        -------
        tuple of ndarray, shapes (n,) and (n, 2), float64
        """
        reach = self.reach
        inside = np.clip(shifts, -reach, reach)
        place = inside + reach
        cell = np.minimum(np.floor(place), 2 * reach - 1).astype(np.int64)
        weights, slopes = _b_spline(place - cell)
        taps = np.abs(cell[:, :, None] + np.arange(-1, 3))  # mirrored at both ends
        taps = np.minimum(taps, 2 * (2 * reach[:, None]) - taps)
        patch = self.coefficients[np.arange(len(cell))[:, None, None], taps[:, 0, :, None], taps[:, 1, None, :]]
        along_u, slope_u = ((patch * w[:, 1, None, :]).sum(axis=2) for w in (weights, slopes))
        value = (along_u * weights[:, 0]).sum(axis=1)
        gradient = np.stack([(along_u * slopes[:, 0]).sum(axis=1), (slope_u * weights[:, 0]).sum(axis=1)], axis=1)
        return value, np.where(inside == shifts, gradient, 0.0)


def _b_spline(t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of the four taps about a place t in [0, 1] of a cell, and their derivatives; last axis: tap."""
    s = 1 - t
    weights = np.stack([s**3, 4 - 6 * t**2 + 3 * t**3, 4 - 6 * s**2 + 3 * s**3, t**3], axis=-1) / 6
    slopes = np.stack([-(s**2), 3 * t**2 - 4 * t, 4 * s - 3 * s**2, t**2], axis=-1) / 2
    return weights, slopes
