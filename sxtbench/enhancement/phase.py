"""Paganin's single-distance filter, in the forms that are used on projections and on volumes.

`1 / (1 + alpha k^2)`, k = 2 pi f, alpha = z lambda delta / (4 pi beta): a low-pass whose length `sqrt(alpha)` follows
from distance and material. It retrieves the phase of *coherent* light behind one material, where a pixel's Fresnel
number is far above one. Of what a zone plate images in focus, and of incoherent light, it is a low-pass and no more.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.cores import available_cores
from sxtbench.errors import InputError

Form = Literal["standard", "generalised"]

_FORMS = ("standard", "generalised")
_HC_EV_NM = 1239.84198
_REACH = 6  # lengths within which 99 % of the kernel's weight lies: 1 - 6 K1(6)


def paganin(
    transmission: ArrayLike,
    *,
    distance_um: float,
    energy_ev: float,
    pixel_size_nm: float,
    delta: float | None = None,
    beta: float | None = None,
    form: Form = "standard",
) -> NDArray[np.floating]:
    """Filter images of transmission by Paganin's method and return the line integral of absorption.

    `-ln(F^-1 F(I / I0) / (1 + alpha k^2))`, the projected thickness times mu. A filtered transmission is no filtered
    absorbance: where the specimen varies within the kernel, the result lies below the mean absorbance (Jensen), and
    LAC with it. `paganin_absorbance` has no such bias.

    Parameters
    ----------
    transmission : array_like, shape (..., z, u), I / I0
        Images, each filtered on its own; above zero.
    distance_um : float, um
        Propagation distance, or effective defocus.
    energy_ev : float, eV
        Photon energy.
    pixel_size_nm : float, nm
        Edge of a pixel in the object plane.
    delta, beta : float
        Of the specimen, or of its difference to what it displaces (`material`).
    form : {"standard", "generalised"}
        The generalised form replaces k^2 by that of the pixels' finite differences, and smooths a little less near the
        Nyquist frequency.

    Returns
    -------
    ndarray, shape of `transmission`, float32 (float64 if that was given), absorbance

    Raises
    ------
    InputError
        If delta or beta is missing, a transmission is not above zero, or the filter is longer than the image.

    References
    ----------
    Paganin et al., J. Microsc. 206 (2002) 33, doi 10.1046/j.1365-2818.2002.01010.x; generalised: Paganin et al., J.
    Opt. 22 (2020) 115607, doi 10.1088/2040-8986/abbab9.

    Examples
    --------
    >>> slab = np.full((32, 32), 0.5)
    >>> lens = {"distance_um": 2.0, "energy_ev": 500, "pixel_size_nm": 30, "delta": 1e-3, "beta": 3e-4}
    >>> paganin(slab, **lens)[0, 0].round(6)
    np.float64(0.693147)
    """
    images = _checked(transmission, least_axes=2, what="transmission")
    bad = images.size - int(np.count_nonzero(images > 0))
    if bad:
        raise InputError(
            f"transmission is zero or below in {bad} of {images.size} pixels, expected I / I0 above zero: give pixels "
            "without a photon half a count"
        )
    length = paganin_length_nm(distance_um=distance_um, delta=delta, beta=beta, energy_ev=energy_ev)
    return np.asarray(-np.log(_filtered(images, length, pixel_size_nm, 2, form)))


def paganin_absorbance(
    projections: ArrayLike,
    *,
    distance_um: float,
    energy_ev: float,
    pixel_size_nm: float,
    delta: float | None = None,
    beta: float | None = None,
    form: Form = "standard",
) -> NDArray[np.floating]:
    """Filter absorbance itself: linear, and the mean LAC stays what it was.

    Parameters
    ----------
    projections : array_like, shape (..., z, u), absorbance
        Images, each filtered on its own.
    distance_um, energy_ev, pixel_size_nm, delta, beta, form
        As in `paganin`.

    Returns
    -------
    ndarray, shape of `projections`, float32 (float64 if that was given), absorbance

    Raises
    ------
    InputError
        As `paganin`.

    Examples
    --------
    >>> noisy = np.random.default_rng(1).normal(0.7, 0.2, (64, 64))
    >>> lens = {"distance_um": 2.0, "energy_ev": 500, "pixel_size_nm": 30, "delta": 1e-3, "beta": 3e-4}
    >>> smooth = paganin_absorbance(noisy, **lens)
    >>> bool(abs(smooth.mean() - noisy.mean()) < 2e-3), bool(smooth.std() < noisy.std() / 2)
    (True, True)
    """
    images = _checked(projections, least_axes=2, what="projections")
    length = paganin_length_nm(distance_um=distance_um, delta=delta, beta=beta, energy_ev=energy_ev)
    return _filtered(images, length, pixel_size_nm, 2, form)


def paganin_volume(
    volume: ArrayLike,
    *,
    distance_um: float,
    energy_ev: float,
    voxel_size_nm: float,
    delta: float | None = None,
    beta: float | None = None,
    form: Form = "standard",
) -> NDArray[np.floating]:
    """Filter a reconstructed volume with the same transfer in three dimensions.

    Unlike the filter of projections, it smooths alike along all axes, also where tilts are missing.

    Parameters
    ----------
    volume : array_like, shape (z, y, x), 1/um
        LAC.
    distance_um, energy_ev, delta, beta, form
        As in `paganin`.
    voxel_size_nm : float, nm
        Edge of a voxel.

    Returns
    -------
    ndarray, shape (z, y, x), float32 (float64 if that was given), 1/um

    Raises
    ------
    InputError
        As `paganin`.

    References
    ----------
    Brun et al., 3-D post-reconstruction phase retrieval (PhRT3D), 2019.
    """
    values = _checked(volume, least_axes=3, what="volume")
    if values.ndim != 3:
        raise InputError(f"the volume has shape {values.shape}, expected (z, y, x)")
    length = paganin_length_nm(distance_um=distance_um, delta=delta, beta=beta, energy_ev=energy_ev)
    return _filtered(values, length, voxel_size_nm, 3, form)


def paganin_length_nm(
    *, distance_um: float, energy_ev: float, delta: float | None = None, beta: float | None = None
) -> float:
    """Return the length `sqrt(alpha)` of the filter; the transfer is one half at k = 1 / length.

    Parameters
    ----------
    distance_um, energy_ev, delta, beta
        As in `paganin`.

    Returns
    -------
    float, nm

    Examples
    --------
    >>> round(paganin_length_nm(distance_um=2.0, delta=1.065e-3, beta=2.949e-4, energy_ev=500), 1)
    37.8
    """
    for name, value in (("delta", delta), ("beta", beta)):
        if value is None:
            raise InputError(
                f"{name} is missing: the filter needs delta and beta of a material; "
                "sxtbench.enhancement.material('protein', 500) has both"
            )
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}, expected a number above zero")
    if not (math.isfinite(distance_um) and distance_um >= 0):
        raise InputError(f"distance_um is {distance_um}, expected 0 um or more")
    if not (math.isfinite(energy_ev) and energy_ev > 0):
        raise InputError(f"energy_ev is {energy_ev}, expected a number of eV above zero")
    assert delta is not None
    assert beta is not None
    return math.sqrt(1000 * distance_um * _HC_EV_NM / energy_ev * delta / (4 * math.pi * beta))


def paganin_transfer(
    frequency_per_nm: ArrayLike, *, length_nm: float, pixel_size_nm: float | None = None
) -> NDArray[np.float64]:
    """Return the transfer of the filter.

    Parameters
    ----------
    frequency_per_nm : array_like, cycles per nm
        Spatial frequency f: its magnitude, or for the generalised form its component along one axis.
    length_nm : float, nm
        As `paganin_length_nm` returns it.
    pixel_size_nm : float, optional, nm
        Where given, that of the generalised form.

    Returns
    -------
    ndarray, float64
        `1 / (1 + (2 pi f length)^2)`; generalised, with `2 sin(pi f W) / W` for 2 pi f.

    Examples
    --------
    >>> paganin_transfer([0, 1 / (2 * np.pi * 40)], length_nm=40).round(6).tolist()
    [1.0, 0.5]
    """
    f = np.asarray(frequency_per_nm, np.float64)
    k = 2 * np.pi * f if pixel_size_nm is None else 2 / pixel_size_nm * np.sin(np.pi * f * pixel_size_nm)
    return np.asarray(1 / (1 + (k * length_nm) ** 2))


def _filtered(
    values: NDArray[np.floating], length_nm: float, pixel_size_nm: float, axes: int, form: Form
) -> NDArray[np.floating]:
    """Filter the last axes; beyond its edges an image goes on with the edge's value."""
    import scipy.fft

    if form not in _FORMS:
        raise InputError(f"form is {form!r}, expected one of {', '.join(map(repr, _FORMS))}")
    if not (math.isfinite(pixel_size_nm) and pixel_size_nm > 0):
        raise InputError(f"the pixel size is {pixel_size_nm}, expected a number of nm above zero")
    if length_nm == 0:
        return values.copy()
    sides = values.shape[-axes:]
    reach = math.ceil(_REACH * length_nm / pixel_size_nm)
    if reach > min(sides):
        raise InputError(
            f"the filter is longer than the image: 99 % of its weight reaches {reach} pixels far (6 times its length, "
            f"{length_nm:.4g} nm), and the shortest side has {min(sides)}"
        )
    padded = [scipy.fft.next_fast_len(n + 2 * reach, real=True) for n in sides]
    pads = [(reach, size - n - reach) for size, n in zip(padded, sides, strict=True)]
    squares: NDArray[np.float64] = np.zeros([1] * axes)
    for axis, size in enumerate(padded):
        f = (scipy.fft.rfftfreq(size) if axis == axes - 1 else scipy.fft.fftfreq(size)) / pixel_size_nm
        k = 2 * np.pi * f if form == "standard" else 2 / pixel_size_nm * np.sin(np.pi * f * pixel_size_nm)
        squares = squares + (k**2).reshape([-1 if i == axis else 1 for i in range(axes)])
    transfer = (1 / (1 + length_nm**2 * squares)).astype(values.dtype)
    inner = tuple(slice(before, before + n) for (before, _), n in zip(pads, sides, strict=True))
    flat = values.reshape(-1, *sides)
    out = np.empty_like(flat)
    for image, result in zip(flat, out, strict=True):
        spectrum = scipy.fft.rfftn(np.pad(image, pads, mode="edge"), workers=available_cores())
        result[...] = scipy.fft.irfftn(spectrum * transfer, padded, workers=available_cores())[inner]
    return out.reshape(values.shape)


def _checked(values: ArrayLike, *, least_axes: int, what: str) -> NDArray[np.floating]:
    array = np.asarray(values)
    if array.dtype != np.float64:
        array = array.astype(np.float32)
    if array.ndim < least_axes or array.size == 0:
        raise InputError(f"{what} has shape {array.shape}, expected {least_axes} axes or more, none of them empty")
    if not np.isfinite(array).all():
        raise InputError(f"{what} holds NaN or infinity, expected finite values")
    return array
