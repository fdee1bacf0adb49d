"""Unsharp masking with one convention, `I + amount (I - G I)`, and what others' numbers mean in it."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError

_TRUNCATE = 4.0  # standard deviations of the Gaussian that are summed


def unsharp_mask(values: ArrayLike, *, sigma_px: float, amount: float) -> NDArray[np.floating]:
    """Sharpen an image or a volume: add `amount` times what a Gaussian takes away.

    The mean stays, nothing is clipped; overshoots at edges are the price. Beyond its edges the image goes on with the
    edge's value.

    Parameters
    ----------
    values : array_like, any shape, real
        Image or volume; all axes are sharpened.
    sigma_px : float, pixels
        Standard deviation of the Gaussian.
    amount : float
        What is added; the largest gain is 1 + amount.

    Returns
    -------
    ndarray, shape of `values`, float32 (float64 if that was given)

    Raises
    ------
    InputError
        For values that are not finite, a sigma that is not positive, a negative amount, a filter longer than the image.

    Examples
    --------
    >>> step = np.repeat([0.0, 1.0], 16)
    >>> sharp = unsharp_mask(step, sigma_px=1.0, amount=1.0)
    >>> sharp.min().round(3), sharp.max().round(3), sharp.mean().round(3)
    (np.float64(-0.301), np.float64(1.301), np.float64(0.5))
    """
    from scipy.ndimage import gaussian_filter

    array = np.asarray(values)
    if array.dtype != np.float64:
        array = array.astype(np.float32)
    if array.ndim == 0 or not np.isfinite(array).all():
        raise InputError(f"the image has shape {array.shape}, expected one axis or more and finite values")
    _require(sigma_px, amount)
    reach = int(_TRUNCATE * sigma_px + 0.5)
    if reach > min(array.shape):
        raise InputError(
            f"the filter is longer than the image: sigma_px {sigma_px:g} reaches {reach} pixels far, and the shortest "
            f"side has {min(array.shape)}"
        )
    blurred = gaussian_filter(array, sigma_px, mode="nearest", truncate=_TRUNCATE)
    return np.asarray(array + array.dtype.type(amount) * (array - blurred))


def unsharp_transfer(frequency_per_px: ArrayLike, *, sigma_px: float, amount: float) -> NDArray[np.float64]:
    """Return the transfer `1 + amount (1 - exp(-2 pi^2 sigma^2 f^2))`.

    Parameters
    ----------
    frequency_per_px : array_like, cycles per pixel
        Magnitude of the spatial frequency.
    sigma_px, amount
        As in `unsharp_mask`.

    Returns
    -------
    ndarray, float64

    Examples
    --------
    >>> unsharp_transfer([0, 0.5], sigma_px=2.0, amount=0.8).round(3).tolist()
    [1.0, 1.8]
    """
    _require(sigma_px, amount)
    f = np.asarray(frequency_per_px, np.float64)
    return np.asarray(1 + amount * -np.expm1(-2 * (np.pi * sigma_px * f) ** 2))


def amount_from_mask_weight(weight: float) -> float:
    """Return the amount that equals a mask weight of ImageJ, `(I - weight G I) / (1 - weight)`: the same filter.

    >>> amount_from_mask_weight(0.6)
    1.4999999999999998
    """
    if not 0 <= weight < 1:
        raise InputError(f"the mask weight is {weight}, expected 0 to below 1")
    return weight / (1 - weight)


def amount_from_log(coefficient: float, *, sigma_px: float) -> float:
    """Return the amount that sharpens coarse structure as `I - coefficient LoG I` does.

    The Laplacian of a Gaussian sharpens a band and leaves the highest frequencies alone; the two agree to second order
    in the frequency, not beyond. (Packages that *add* the filter have its sign in the kernel.)

    Parameters
    ----------
    coefficient : float, pixels squared
        Factor of the Laplacian of the Gaussian.
    sigma_px : float, pixels
        Of both filters' Gaussian.

    Examples
    --------
    >>> amount_from_log(2.0, sigma_px=2.0)
    1.0
    """
    _require(sigma_px, coefficient)
    return 2 * coefficient / sigma_px**2


def _require(sigma_px: float, amount: float) -> None:
    if not (math.isfinite(sigma_px) and sigma_px > 0):
        raise InputError(f"sigma_px is {sigma_px}, expected a number of pixels above zero")
    if not (math.isfinite(amount) and amount >= 0):
        raise InputError(f"the amount is {amount}, expected 0 or more")
