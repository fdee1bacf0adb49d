"""The lens: numerical aperture, and the lateral blur of an incoherent image in focus (PROTOCOL 1.5)."""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from sxtbench.errors import InputError

_HC_EV_NM = 1239.84198
_PAD_ZONES = 16  # edge padding in outer zone widths: 99 % of an in-focus point's light falls within


def wavelength_nm(energy_ev: float) -> float:
    """Return the photons' wavelength in nm.

    >>> round(wavelength_nm(517), 4)
    2.3981
    """
    return _HC_EV_NM / energy_ev


def numerical_aperture(energy_ev: float, outer_zone_width_nm: float) -> float:
    """Return the numerical aperture of a zone plate, lambda / (2 dr).

    >>> round(numerical_aperture(517, 35), 4)
    0.0343
    """
    return wavelength_nm(energy_ev) / (2 * outer_zone_width_nm)


def incoherent_otf(frequency_per_nm: ArrayLike, outer_zone_width_nm: float) -> NDArray[np.float64]:
    """Optical transfer function of a zone plate in focus under incoherent light.

    Parameters
    ----------
    frequency_per_nm : array_like, cycles per nm
        Spatial frequency in the object plane.
    outer_zone_width_nm : float, nm
        Outermost zone width dr; the cutoff 2 NA / lambda is 1 / dr.

    Returns
    -------
    ndarray, float64
        (2 / pi) (acos rho - rho sqrt(1 - rho^2)) with rho = k dr; 0 beyond the cutoff.

    >>> incoherent_otf([0, 1 / 80, 1 / 40], 40).round(4).tolist()
    [1.0, 0.391, 0.0]
    """
    rho = np.clip(np.abs(np.asarray(frequency_per_nm, np.float64)) * outer_zone_width_nm, 0, 1)
    return 2 / np.pi * (np.arccos(rho) - rho * np.sqrt(1 - rho**2))


def blur_in_focus(
    images: NDArray[np.float32],
    *,
    pixel_size_nm: float,
    outer_zone_width_nm: float,
    shifts_px: NDArray[np.float64] | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Blur images of *intensity* by the in-focus lens, and move them by fractions of a pixel if asked.

    Images go on beyond their edges with the edge's value. What the band limit of the pixels would take below zero is
    set to zero, as light is not negative.

    Parameters
    ----------
    images : ndarray, shape (n, z, u), float32
        Intensities.
    pixel_size_nm, outer_zone_width_nm : float, nm
        Sampling of the images and the lens's outermost zone width.
    shifts_px : ndarray, shape (n, 2), float64, pixels, optional
        Displacement (dz, du) of each image's content.
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray, shape (n, z, u), float32
        Blurred intensities.
    """
    if images.ndim != 3:
        raise InputError(f"the images have shape {images.shape}, expected (n, z, u)")
    n, nz, nu = images.shape
    if shifts_px is not None and np.shape(shifts_px) != (n, 2):
        raise InputError(f"shifts_px has shape {np.shape(shifts_px)}, expected ({n}, 2)")
    reach = math.ceil(_PAD_ZONES * outer_zone_width_nm / pixel_size_nm)
    if shifts_px is not None and n:
        reach += math.ceil(float(np.max(np.abs(shifts_px))))
    shape = fft.next_fast_len(nz + 2 * reach), fft.next_fast_len(nu + 2 * reach, real=True)
    pads = [
        ((size - length) // 2, size - length - (size - length) // 2)
        for size, length in zip(shape, (nz, nu), strict=True)
    ]
    kz = fft.fftfreq(shape[0])[:, None]
    ku = fft.rfftfreq(shape[1])[None, :]
    otf = incoherent_otf(np.hypot(kz, ku) / pixel_size_nm, outer_zone_width_nm).astype(np.float32)
    out = np.empty(images.shape, np.float32)

    def one(i: int) -> None:
        spectrum = fft.rfft2(np.pad(images[i], pads, mode="edge"), workers=1)
        spectrum *= otf
        if shifts_px is not None:
            dz, du = shifts_px[i]
            spectrum *= (np.exp(-2j * np.pi * dz * kz) * np.exp(-2j * np.pi * du * ku)).astype(np.complex64)
        blurred = fft.irfft2(spectrum, s=shape, workers=1)
        np.maximum(blurred[pads[0][0] : pads[0][0] + nz, pads[1][0] : pads[1][0] + nu], 0, out=out[i])

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(one, range(n)))
    return out
