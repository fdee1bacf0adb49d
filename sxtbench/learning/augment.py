"""Random changes to training slabs that leave the labels true: the SimAQ paper's list, seeded and on numpy alone.

Flips of x, y and z are symmetries of the acquisition: a flip of x or y mirrors the tilt range, which is drawn
symmetrically about zero. Quarter turns and transposition are left out, and crops keep the aspect ratio: with a limited
tilt range the missing wedge lies along the beam, y, so x and y are not alike.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage
from scipy.interpolate import BSpline

from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.labels import UNLABELLED

__all__ = ["AugmentParameters", "augment"]

_CUBIC = 3


class AugmentParameters(Parameters):
    """How often, and how much.

    The SimAQ paper names the changes, its code gives the blur (3 x 3 kernel, sigma up to 2 pixels: 0.8 pixels in
    effect), cubic interpolation, one elastic field for all slices, and of the specimens' own deformation 0.9 pixels RMS
    with a correlation of 40 in 512. All probabilities and the remaining strengths are *nominal*: the file that held
    them is lost. Strengths of brightness, contrast and noise are shares of the channel's standard deviation, so a
    channel that is constant (a mask, a description of the geometry) keeps its value.

    Parameters
    ----------
    flip_probability : float
        Of a flip of z, of y (the beam's direction reversed), and of x, each.
    elastic_probability : float
        Of a smooth in-plane deformation.
    elastic_rms_px : float, pixels
        Root mean square of the displacement along each axis.
    elastic_length : float
        Standard deviation of the bumps it is made of, over the slab's longer side.
    crop_probability : float
        Of a square window of the slab being magnified to its full size.
    smallest_crop : float
        The window's side over the slab's is drawn between this and 1. Slices stay as far apart as they were.
    brightness_probability, brightness : float
        A constant is added, at most `brightness`.
    contrast_probability, contrast : float
        Deviations from the mean are multiplied by 1 - `contrast` to 1 + `contrast`.
    blur_probability, blur_sigma_px : float
        Gaussian in each slice, sigma at most `blur_sigma_px` pixels.
    noise_probability, noise : float
        White normal noise, standard deviation at most `noise`.
    inversion_probability : float
        Of values being mirrored about their mean. 0 here, unlike in the paper: LAC has a sign.
    """

    flip_probability: float = Field(default=0.5, ge=0, le=1)
    elastic_probability: float = Field(default=0.2, ge=0, le=1)
    elastic_rms_px: float = Field(default=0.9, ge=0)
    elastic_length: float = Field(default=0.08, gt=0, le=1)
    crop_probability: float = Field(default=0.2, ge=0, le=1)
    smallest_crop: float = Field(default=0.8, ge=0.1, le=1)
    brightness_probability: float = Field(default=0.2, ge=0, le=1)
    brightness: float = Field(default=0.2, ge=0)
    contrast_probability: float = Field(default=0.2, ge=0, le=1)
    contrast: float = Field(default=0.2, ge=0, lt=1)
    blur_probability: float = Field(default=0.1, ge=0, le=1)
    blur_sigma_px: float = Field(default=0.8, ge=0)
    noise_probability: float = Field(default=0.2, ge=0, le=1)
    noise: float = Field(default=0.2, ge=0)
    inversion_probability: float = Field(default=0.0, ge=0, le=1)


def augment(
    slab: NDArray[np.float32], target: NDArray[Any], parameters: AugmentParameters, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Change a slab and its target at random.

    Parameters
    ----------
    slab : ndarray, shape (channels, slices, H, W), float32, any unit
        What a network sees; rows run along y, the beam's direction at 0 degrees.
    target : ndarray, shape (H, W) or (slices, H, W), uint8 or float32
        Labels of the middle slice, or of all slices. Labels move by nearest neighbour, and what came from beyond the
        slab is 255. A float target (LAC) moves as the slab does, and none of the changes of intensity is made to it;
        where it is NaN, and 2 pixels about it, it is NaN after a deformation.
    parameters : AugmentParameters
        How often, and how much.
    rng : numpy.random.Generator
        Draws everything.

    Returns
    -------
    slab : ndarray, shape (channels, slices, H, W), float32
        A new array, contiguous.
    target : ndarray, shape and dtype of `target`
        A new array, contiguous.

    Raises
    ------
    InputError
        If a shape or a dtype is another, or the number of slices is even and the target is the middle one.

    References
    ----------
    Egebjerg and Wuestner 2025, SimAQ, doi 10.48550/arXiv.2508.10821.
    """
    _check(slab, target)
    p = parameters
    gates = rng.random(10)  # all of them at once: what one step draws does not decide whether another is made
    for axis, gate in zip((-3, -2, -1), gates[:3], strict=True):
        if gate < p.flip_probability:
            slab = np.flip(slab, axis)
            target = target if target.ndim + axis < 0 else np.flip(target, axis)
    elastic, crop = gates[3] < p.elastic_probability, gates[4] < p.crop_probability
    if elastic or crop:
        side = rng.uniform(p.smallest_crop, 1.0) if crop else 1.0
        places = _window(target.shape[-2:], side, rng)
        if elastic:
            places = places + _displacement(target.shape[-2:], p, rng)
        slab = _resample(slab, places)
        target = _resample_known(target, places) if target.dtype.kind == "f" else _nearest(target, places)
    slab, target = np.array(slab, order="C"), np.array(target, order="C")
    changes: tuple[tuple[float, Callable[..., None]], ...] = (
        (p.brightness_probability, _brighten),
        (p.contrast_probability, _stretch),
        (p.blur_probability, _blur),
        (p.noise_probability, _add_noise),
    )
    for gate, (probability, change) in zip(gates[5:9], changes, strict=True):
        if gate < probability:
            change(slab, p, rng)
    if gates[9] < p.inversion_probability:
        np.subtract(2 * _mean(slab), slab, out=slab)
    return slab, target


def _window(shape: tuple[int, ...], side: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return where each pixel of a magnified window comes from, shape (2, H, W); all of it lies in the slab."""
    start = rng.random(2) * (1 - side) if side < 1 else np.zeros(2)
    rows, columns = ((np.arange(n) + 0.5) * side + s * n - 0.5 for n, s in zip(shape, start, strict=True))
    return np.stack(np.meshgrid(rows, columns, indexing="ij"))


def _displacement(shape: tuple[int, ...], p: AugmentParameters, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a smooth field: cubic B-splines with normal coefficients, shape (2, H, W), pixels."""
    spacing = p.elastic_length * max(shape) * np.sqrt(3)  # a cubic B-spline's variance is a third of its knots' spacing
    rows, columns = (_splines(n, spacing) for n in shape)
    coefficients = rng.standard_normal((2, rows.shape[1], columns.shape[1]))
    field: NDArray[np.float64] = rows @ coefficients @ columns.T
    field *= p.elastic_rms_px / np.sqrt((rows**2).sum(axis=1).mean() * (columns**2).sum(axis=1).mean())
    return field


def _splines(n: int, spacing: float) -> NDArray[np.float64]:
    """Return the cubic B-splines on knots `spacing` apart at n pixels, shape (n, splines)."""
    intervals = max(int(np.ceil((n - 1) / spacing)), 1)
    knots = np.arange(-_CUBIC, intervals + _CUBIC + 1) * spacing
    places = np.clip(np.arange(n) + (intervals * spacing - (n - 1)) / 2, 0, intervals * spacing)
    matrix: NDArray[np.float64] = BSpline.design_matrix(places, knots, _CUBIC).toarray()
    return matrix


def _resample(images: NDArray[Any], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate each plane; beyond the edges the planes are mirrored."""
    planes: NDArray[np.float32] = images.reshape(-1, *images.shape[-2:])
    out = np.empty_like(planes)
    plane: NDArray[np.float32]
    for index, plane in enumerate(planes):
        out[index] = ndimage.map_coordinates(plane, places, order=3, mode="mirror")
    return out.reshape(images.shape)


def _resample_known(lac: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate a LAC that is NaN where it is not known; cubic splines reach about 2 pixels."""
    unknown = np.isnan(lac)
    if not unknown.any():
        return _resample(lac, places)
    reach = np.ones((1,) * (lac.ndim - 2) + (5, 5), bool)
    near = ndimage.binary_dilation(unknown, reach).astype(np.uint8)
    filled = np.where(unknown, lac[~unknown].mean() if not unknown.all() else 0, lac).astype(np.float32)
    return np.where(_nearest(near, places) == 0, _resample(filled, places), np.float32(np.nan))


def _nearest(labels: NDArray[np.uint8], places: NDArray[np.float64]) -> NDArray[np.uint8]:
    rows, columns = np.rint(places).astype(np.intp)
    height, width = labels.shape[-2:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    moved = labels[..., np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return np.where(inside, moved, np.uint8(UNLABELLED))


def _brighten(slab: NDArray[np.float32], p: AugmentParameters, rng: np.random.Generator) -> None:
    slab += np.float32(rng.uniform(-p.brightness, p.brightness)) * _sd(slab)


def _stretch(slab: NDArray[np.float32], p: AugmentParameters, rng: np.random.Generator) -> None:
    mean = _mean(slab)
    slab -= mean
    slab *= np.float32(rng.uniform(1 - p.contrast, 1 + p.contrast))
    slab += mean


def _blur(slab: NDArray[np.float32], p: AugmentParameters, rng: np.random.Generator) -> None:
    ndimage.gaussian_filter(slab, rng.uniform(0, p.blur_sigma_px), axes=(-2, -1), output=slab, mode="nearest")


def _add_noise(slab: NDArray[np.float32], p: AugmentParameters, rng: np.random.Generator) -> None:
    sd = np.float32(rng.uniform(0, p.noise)) * _sd(slab)
    slab += sd * rng.standard_normal(slab.shape, np.float32)


def _mean(slab: NDArray[np.float32]) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = slab.mean(axis=(1, 2, 3), keepdims=True)
    return mean


def _sd(slab: NDArray[np.float32]) -> NDArray[np.float32]:
    sd: NDArray[np.float32] = slab.std(axis=(1, 2, 3), keepdims=True)
    return sd


def _check(slab: NDArray[Any], target: NDArray[Any]) -> None:
    if slab.ndim != 4 or slab.dtype != np.float32:
        raise InputError(
            f"the slab is {slab.dtype} of shape {slab.shape}, expected float32 of shape (channels, slices, H, W)"
        )
    if target.shape not in (slab.shape[2:], slab.shape[1:]):
        raise InputError(
            f"the target has shape {target.shape}, expected {slab.shape[2:]} (the middle slice) or {slab.shape[1:]}"
        )
    if target.dtype not in (np.uint8, np.float32):
        raise InputError(f"the target is {target.dtype}, expected uint8 labels or float32 LAC")
    if target.ndim == 2 and slab.shape[1] % 2 == 0:
        raise InputError(f"the slab has {slab.shape[1]} slices, expected an odd number: the target is the middle one")
