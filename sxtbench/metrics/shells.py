"""Sums over shells of Fourier space: what correlations and transfer functions are made of.

Shell s of an n-cube (a ring of an n-square) holds the frequencies with `round(|k|) = s`, k in cycles per field, from 0
to `n // 2`, the Nyquist frequency; the corners beyond are left out. Only half of the spectrum of a real volume is
computed; its other half counts through weights.

**Cone.** A projection at angle theta measures the plane spanned by kz and `(kx, ky) = (cos, sin)(theta)`, the direction
of u. A coefficient is inside the cone if the direction of its (kx, ky) lies in the measured range less 3 degrees at
either end; `kx = ky = 0` lies in every plane. Outside is all the rest.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.cores import available_cores
from sxtbench.errors import InputError

CONE_MARGIN_DEG = 3.0
SOFT_EDGE = 6  # voxels
_FULL_GAPS = 5  # gaps up to this many median gaps are dropped views, a wider one is a missing wedge
_SAME_DEG = 1e-6  # angles closer than this are one direction


class ShellSums(NamedTuple):
    """Sums over shells, arrays of shape (2, shells), float64: row 0 inside the cone, row 1 outside.

    `cross` is the sum of `Re(A B*)`, `power_a` and `power_b` of `|A|^2` and `|B|^2`, `samples` half the number of
    Fourier coefficients: a real volume has them in conjugate pairs, of which one is independent; a coefficient that is
    its own conjugate is a real number, half a complex one. Over all of Fourier space, `samples` would add up to half
    the number of voxels. `side` is that of the cube, in voxels.
    """

    cross: NDArray[np.float64]
    power_a: NDArray[np.float64]
    power_b: NDArray[np.float64]
    samples: NDArray[np.float64]
    side: int

    def within(self, cone: str | None) -> tuple[NDArray[np.float64], ...]:
        """Return the four sums "in" the cone, "out" of it, or over all directions (None)."""
        if cone not in ("in", "out", None):
            raise InputError(f"cone is {cone!r}, expected 'in', 'out' or None")
        sums = (self.cross, self.power_a, self.power_b, self.samples)
        if cone is None:
            return tuple(rows.sum(axis=0) for rows in sums)
        return tuple(rows[0 if cone == "in" else 1] for rows in sums)


def shell_sums(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    weight: NDArray[np.floating] | None = None,
    angles_deg: ArrayLike | None = None,
) -> ShellSums:
    """Sum products of two volumes' Fourier coefficients over shells.

    The weighted mean is taken off each volume, then the weight is applied, then zeros are appended up to a cube.

    Parameters
    ----------
    a, b : ndarray, shape (z, y, x) or (y, x), real
        Transformed in single precision if float32, else in double.
    weight : ndarray, shape of `a`, real, optional
        Such as `softened` gives; 1 if left out.
    angles_deg : array_like, shape (n_angles,), degrees, optional
        Nominal tilt angles; only for three axes. Without them every direction is inside.

    Returns
    -------
    ShellSums

    Raises
    ------
    InputError
        If shapes disagree, values are not finite, or the weight is zero everywhere.
    """
    if a.shape != b.shape or a.ndim not in (2, 3) or max(a.shape, default=0) < 2:
        raise InputError(
            f"shapes are {a.shape} and {b.shape}, expected two equal ones of 2 or 3 axes, 2 voxels or more"
        )
    if weight is not None and (weight.shape != a.shape or not weight.any()):
        raise InputError(f"the mask has shape {weight.shape}, expected {a.shape} with at least one voxel inside")
    if angles_deg is not None and a.ndim != 3:
        raise InputError(f"a cone needs a volume (z, y, x), got shape {a.shape}")
    side = max(a.shape)
    half = shells = side // 2 + 1
    first = weighted_spectrum(a, weight, side, "first")
    second = first if b is a else weighted_spectrum(b, weight, side, "second")
    k = np.fft.fftfreq(side, 1 / side)
    across = np.square(k)[:, None] + np.square(np.arange(half))[None, :]
    twice = mirror_weights(side)
    outside = np.zeros((side, half), np.intp)
    if angles_deg is not None:
        outside = np.where(inside_cone(side, angles_deg), 0, shells + 1)
    sums = np.zeros((4, 2 * (shells + 1)))
    planes = range(half) if a.ndim == 3 else range(1)
    for plane in planes:
        index = np.rint(np.sqrt(across + plane * plane)).astype(np.intp)
        np.minimum(index, shells, out=index)
        index += outside
        flat = index.reshape(-1)
        both = (plane,) if plane in (0, side - plane) else (plane, side - plane)
        products = np.zeros((3, side, half))
        for row in both:
            x, y = first[row], second[row]
            products[0] += x.real * y.real + x.imag * y.imag
            products[1] += np.square(x.real) + np.square(x.imag)
            products[2] += np.square(y.real) + np.square(y.imag)
        products *= twice
        for total, product in zip(sums, products, strict=False):
            total += np.bincount(flat, product.reshape(-1), total.size)
        sums[3] += np.bincount(flat, np.broadcast_to(twice * len(both) / 2, index.shape).reshape(-1), sums.shape[1])
    cross, power_a, power_b, samples = sums.reshape(4, 2, shells + 1)[:, :, :shells]
    return ShellSums(cross, power_a, power_b, samples, side)


def independent_share(weight: NDArray[np.floating] | None, shape: tuple[int, ...]) -> float:
    """Return which share of a shell's samples is independent under a weight and zero-padding; 1 without either.

    A weight w mixes neighbouring coefficients: their covariance for white noise is the transform W of w^2. Over a shell
    one sample thick and large against the width of W the share is `|W(0)|^2 / sum |W(q)|^2 g(q)`, where g is the share
    of the shell's orientations whose tangent plane passes within half a sample of q: `min(1, 1 / (2 |q|))` for a volume
    and `(2 / pi) asin(min(1, 1 / (2 |q|)))` for an image. (van Heel and Schatz, 2005, ask for
    such a correction and give it for an object of a given size.)

    Parameters
    ----------
    weight : ndarray, shape `shape`, real, or None
        The softened mask.
    shape : tuple of int
        Of the volume or image.

    Returns
    -------
    float
        In (0, 1].
    """
    import scipy.fft

    side = max(shape)
    if weight is None and set(shape) == {side}:
        return 1.0
    squared = np.ones(shape, np.float32) if weight is None else np.square(np.asarray(weight, np.float32))
    spectrum = scipy.fft.rfftn(squared, (side,) * len(shape), workers=available_cores())
    k = np.square(np.fft.fftfreq(side, 1 / side))
    across = k[:, None] + np.square(np.arange(side // 2 + 1))[None, :]
    twice = mirror_weights(side)
    planes = k if len(shape) == 3 else np.zeros(1)
    total = 0.0
    for plane, part in zip(planes, spectrum.reshape(len(planes), side, -1), strict=True):
        near = 1 / np.maximum(2 * np.sqrt(across + plane), 1)
        if len(shape) == 2:
            near = 2 / np.pi * np.arcsin(near)
        total += float(np.sum((np.square(part.real) + np.square(part.imag)) * near * twice))
    return float(abs(spectrum.flat[0]) ** 2 / total)


def softened(mask: ArrayLike, width: int = SOFT_EDGE) -> NDArray[np.float32]:
    """Soften a mask inwards: the weight rises from 0 outside to 1 at `width` voxels within, as `(1 - cos) / 2`.

    Inwards, so that nothing outside the mask counts, not even a bead that was cut out of it. What lies beyond the
    array counts as outside.

    Parameters
    ----------
    mask : ndarray, bool
        Where to count.
    width : int, voxels
        Of the edge, 1 to 11; distances are Euclidean, to the nearest voxel outside.

    Returns
    -------
    ndarray, shape of `mask`, float32, in [0, 1]

    Raises
    ------
    InputError
        If the mask is not boolean or the width out of range.

    Examples
    --------
    >>> softened(np.ones(9, bool), width=4)[:5].round(2)
    array([0.15, 0.5 , 0.85, 1.  , 1.  ], dtype=float32)
    """
    inside = np.asarray(mask)
    if inside.dtype != np.bool_:
        raise InputError(f"the mask has dtype {inside.dtype}, expected bool")
    if not 1 <= width <= 11:
        raise InputError(f"the width is {width}, expected 1 to 11 voxels")
    far = np.uint8(width * width)  # squared distances are cut off here, so that their sums stay below 256
    squared = np.pad(np.where(inside, far, np.uint8(0)), 1)
    for axis in range(inside.ndim):
        before = np.moveaxis(squared, axis, 0)
        nearest = before.copy(order="K")  # in the layout of the volume, whichever axis is in front
        for step in range(1, min(width, len(before))):
            away = np.uint8(step * step)
            np.minimum(nearest[step:], before[:-step] + away, out=nearest[step:])
            np.minimum(nearest[:-step], before[step:] + away, out=nearest[:-step])
        squared = np.moveaxis(nearest, 0, axis)
    weights = (0.5 - 0.5 * np.cos(np.pi * np.sqrt(np.arange(int(far) + 1)) / width)).astype(np.float32)
    soft = np.empty(inside.shape, np.float32)
    for plane, source in zip(soft, squared[1:-1], strict=True) if inside.ndim > 1 else [(soft, squared)]:
        plane[...] = weights[source[(slice(1, -1),) * plane.ndim]]
    return soft


def measured_range(angles_deg: ArrayLike) -> tuple[float, float]:
    """Return the range of measured directions as (first, width) in degrees, directions being angles mod 180.

    The range is all but the widest gap. Gaps of up to five median gaps are dropped views: without a wider one the
    rotation is full, and the range is (0, 180).

    Parameters
    ----------
    angles_deg : array_like, shape (n_angles,), degrees
        Nominal angles, in any order.

    Returns
    -------
    tuple of two float, degrees

    Raises
    ------
    InputError
        If the angles are not a list of finite numbers.

    Examples
    --------
    >>> measured_range([-50, -25, 0, 40, 50, 25])
    (0.0, 180.0)
    >>> measured_range(range(-50, 51, 2))
    (130.0, 100.0)
    """
    angles = np.asarray(angles_deg, np.float64)
    if angles.ndim != 1 or angles.size == 0 or not np.all(np.isfinite(angles)):
        raise InputError(f"angles_deg has shape {angles.shape}, expected one or more finite angles in a 1-D list")
    turn = round(180 / _SAME_DEG)
    directions = np.unique(np.round(angles / _SAME_DEG).astype(np.int64) % turn)
    gaps = np.diff(np.append(directions, directions[0] + turn))
    widest = int(np.argmax(gaps))
    if len(directions) > 1 and gaps[widest] <= _FULL_GAPS * np.median(gaps):
        return 0.0, 180.0
    first = directions[(widest + 1) % len(directions)]
    return float(first * _SAME_DEG), float((turn - gaps[widest]) * _SAME_DEG)


def inside_cone(side: int, angles_deg: ArrayLike) -> NDArray[np.bool_]:
    """Return which (ky, kx) of the half spectrum of a cube lie inside the cone; the same for every kz.

    At the Nyquist frequency of an even side a coefficient stands for both signs, and must be inside with both.

    Parameters
    ----------
    side : int
        Voxels of the cube's side.
    angles_deg : array_like, shape (n_angles,), degrees
        Nominal angles.

    Returns
    -------
    ndarray, shape (side, side // 2 + 1), bool
        ky in the order of `numpy.fft.fftfreq`, kx from 0 up.

    Examples
    --------
    >>> inside_cone(4, range(-40, 41, 2)).astype(int).tolist()      # rows ky = 0, 1, -2, -1
    [[1, 1, 1], [0, 0, 1], [0, 0, 0], [0, 0, 1]]
    """
    first, width = measured_range(angles_deg)
    if width >= 180:
        return np.ones((side, side // 2 + 1), bool)
    ky, kx = np.fft.fftfreq(side, 1 / side)[:, None], np.arange(side // 2 + 1.0)[None, :]
    direction = np.rad2deg(np.arctan2(ky, kx))

    def measured(degrees: NDArray[np.float64]) -> NDArray[np.bool_]:
        offset = (degrees - first + _SAME_DEG) % 180 - _SAME_DEG
        return (offset >= CONE_MARGIN_DEG - _SAME_DEG) & (offset <= width - CONE_MARGIN_DEG + _SAME_DEG)

    inside = measured(direction)
    both_signs = (np.abs(ky) * 2 == side) | (kx * 2 == side)
    inside &= ~both_signs | measured(-direction)
    inside[0, 0] = True
    return inside


def weighted_spectrum(
    volume: NDArray[np.floating], weight: NDArray[np.floating] | None, side: int, which: str
) -> NDArray[np.complexfloating]:
    """Return the half spectrum of the volume less its mean, weighted, padded to a cube; an image's as one plane."""
    import scipy.fft

    if volume.dtype.kind not in "fiub":
        raise InputError(f"the {which} volume has dtype {volume.dtype}, expected real numbers")
    dtype: Any = np.float32 if volume.dtype == np.float32 else np.float64
    factor: NDArray[Any] | None = None if weight is None else weight.astype(dtype, copy=False)
    # what the mask leaves out may be anything
    values: NDArray[Any] = np.array(volume if factor is None else np.where(factor > 0, volume, 0), dtype)
    if not np.isfinite(values).all():
        raise InputError(f"the {which} volume holds NaN or infinity, expected finite values")
    largest = np.abs(values).max()
    mean = (
        values.mean(dtype=np.float64)
        if factor is None
        else np.sum(values * factor, dtype=np.float64) / factor.sum(dtype=np.float64)
    )
    values -= dtype(mean)
    if factor is not None:
        values *= factor
    if np.abs(values).max() <= 4 * np.finfo(dtype).eps * largest:  # a constant: nothing but rounding is left
        values[...] = 0
    spectrum: NDArray[Any] = scipy.fft.rfftn(values, (side,) * volume.ndim, workers=available_cores(), overwrite_x=True)
    return spectrum if volume.ndim == 3 else spectrum[None]


def mirror_weights(side: int) -> NDArray[np.float64]:
    """Return how many coefficients of the full spectrum each column of the half spectrum stands for."""
    twice = np.full(side // 2 + 1, 2.0)
    twice[0] = 1
    if side % 2 == 0:
        twice[-1] = 1
    return twice
