"""The image of a point behind an ideal circular lens, in and out of focus, under incoherent light."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import j0

from sxtbench.errors import InputError
from sxtbench.jit import kernel

_NODES = 120  # enough up to a phase of 120 rad; beyond, they grow with it
_SPARE_NODES = 60
_NODE_STEP = 40


def point_intensity(u: ArrayLike, v: ArrayLike) -> NDArray[np.float64]:
    """Return the intensity of a point's image, 1 at the geometric focus.

    |2 int_0^1 J0(v rho) exp(-i u rho^2 / 2) rho d rho|^2 by Gauss-Legendre quadrature. Lommel's series for the same
    integral cancels to nothing for u above some 60; the quadrature stays exact to rounding, as its nodes grow with the
    phase.

    Parameters
    ----------
    u : array_like, shape (n,)
        Optical distance from focus, (2 pi / lambda) NA^2 z.
    v : array_like, shape (m,)
        Optical distance from the axis, (2 pi / lambda) NA r.

    Returns
    -------
    ndarray, shape (n, m), float64
        Intensity.

    References
    ----------
    Born and Wolf, Principles of Optics, section 8.8, doi 10.1017/CBO9781139644181.

    Examples
    --------
    >>> point_intensity([0, 4 * np.pi], [0]).round(6).tolist()
    [[1.0], [0.0]]
    """
    depths, radii = np.asarray(u, np.float64), np.asarray(v, np.float64)
    if depths.ndim != 1 or radii.ndim != 1:
        raise InputError(f"u has shape {depths.shape} and v {radii.shape}, expected one-dimensional both")
    out = np.empty((depths.size, radii.size))
    if out.size:
        phase = float(np.max(np.abs(radii))) + float(np.max(np.abs(depths))) / 2
        needed = math.ceil((phase / 2 + _SPARE_NODES) / _NODE_STEP) * _NODE_STEP
        nodes, weights = _gauss_legendre(max(_NODES, needed))
        rho = (nodes + 1) / 2
        _intensities(depths, rho**2 / 2, j0(radii[:, None] * rho) * (weights * rho), out)
    return out


def defocused_windows(
    depths_nm: NDArray[np.float64],
    *,
    wavelengths_nm: NDArray[np.float64],
    shifts_nm: NDArray[np.float64],
    weights: NDArray[np.float64],
    numerical_aperture: float,
    pixel_size_nm: float,
    half_width: int,
) -> NDArray[np.float64]:
    """Return the images of points at some depths on a window of pixels, averaged over a spectrum.

    Intensities are taken at pixel centres. Each monochromatic image is scaled to sum to 1 on its window before it
    enters the average.

    Parameters
    ----------
    depths_nm : ndarray, shape (n,), float64, nm
        Distances from the focal plane of the spectrum's centre.
    wavelengths_nm, shifts_nm, weights : ndarray, shape (k,), float64
        The spectrum: wavelengths, what each adds to the depths, and shares that sum to 1.
    numerical_aperture : float
        Of all wavelengths.
    pixel_size_nm : float, nm
        Distance of the samples.
    half_width : int, pixels
        Pixels on each side of the middle.

    Returns
    -------
    ndarray, shape (n, 2 half_width + 1, 2 half_width + 1), float64
        Windows, symmetric about their middle, each summing to 1.
    """
    offset = np.arange(-half_width, half_width + 1)
    squares, ring, pixels = np.unique(
        offset[:, None] ** 2 + offset[None, :] ** 2, return_inverse=True, return_counts=True
    )
    radii_nm = np.sqrt(squares) * pixel_size_nm
    mean = np.zeros((depths_nm.size, squares.size))
    for wavelength, shift, weight in zip(wavelengths_nm, shifts_nm, weights, strict=True):
        wave_number = 2 * np.pi / wavelength
        image = point_intensity(
            wave_number * numerical_aperture**2 * (depths_nm + shift), wave_number * numerical_aperture * radii_nm
        )
        mean += weight * image / (image * pixels).sum(axis=1, keepdims=True)
    windows: NDArray[np.float64] = mean[:, ring.reshape(offset.size, offset.size)]
    return windows


@lru_cache(maxsize=16)
def _gauss_legendre(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes on [-1, 1] and weights; finding them takes longer than using them."""
    return np.polynomial.legendre.leggauss(nodes)


@kernel
def _intensities(depths: Any, half_squares: Any, bessel: Any, out: Any) -> Any:
    """Fill `out` (depth, radius) from the weighted Bessel functions (radius, node)."""
    nodes = half_squares.size
    real = np.empty(nodes)
    imaginary = np.empty(nodes)
    for i in range(depths.size):
        for k in range(nodes):
            phase = depths[i] * half_squares[k]
            real[k] = np.cos(phase)
            imaginary[k] = np.sin(phase)
        for r in range(bessel.shape[0]):
            a = 0.0
            b = 0.0
            for k in range(nodes):
                a += bessel[r, k] * real[k]
                b += bessel[r, k] * imaginary[k]
            out[i, r] = a * a + b * b
