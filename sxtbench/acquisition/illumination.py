"""What flat-field correction leaves behind: each projection's intensity is off by a smooth factor and by a constant."""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sxtbench.acquisition.ordered_product import ordered_product
from sxtbench.cores import available_cores
from sxtbench.distributions import Parameters


class FlatFieldParameters(Parameters):
    """The error of a flat-field correction, as log-amplitude of the intensity.

    Parameters
    ----------
    smooth_sd : float
        Standard deviation of the part of low spatial frequency.
    global_sd : float
        Standard deviation of the part that is constant over a projection.
    correlation_share : float
        Distance over which the smooth part changes, as a share of the field's width.
    """

    smooth_sd: Annotated[float, Field(ge=0)]
    global_sd: Annotated[float, Field(ge=0)]
    correlation_share: Annotated[float, Field(gt=0, le=1)]


def spoil_flat_field(
    light: NDArray[np.float32],
    parameters: FlatFieldParameters,
    rng: np.random.Generator,
    *,
    columns: int | None = None,
    divided: bool = False,
    threads: int | None = None,
) -> None:
    """Draw the factors by which flat-field correction is wrong, and multiply the images by them, in place.

    The log-amplitude is normal with mean zero; its standard deviation is the same in every pixel.

    Parameters
    ----------
    light : ndarray, shape (n_angles, z, u), float32
        Intensities.
    parameters : FlatFieldParameters
        Amplitudes and correlation length.
    rng : numpy.random.Generator
        How much is drawn depends on the field's aspect ratio only, not on its sampling.
    columns : int, optional
        Columns that make up the field if the images are wider (a margin); the images' columns by default.
    divided : bool
        Add as some of the first data were added up (`sxtbench.acquisition.ordered_product`).
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.
    """
    views, nz, nu = light.shape
    field = columns or nu
    spacing = parameters.correlation_share * field
    weights_z = _spline_weights(nz, nz, spacing)
    weights_u = _spline_weights(nu, field, spacing)
    nodes = rng.standard_normal((views, weights_z.shape[1], weights_u.shape[1])).astype(np.float32)
    constant = rng.standard_normal((views,)).astype(np.float32)

    def one(view: int) -> None:
        log = ordered_product(ordered_product(weights_z, nodes[view], divided=divided), weights_u.T, divided=divided)
        log *= np.float32(parameters.smooth_sd)
        log += np.float32(parameters.global_sd) * constant[view]
        light[view] *= np.exp(log, out=log)

    with ThreadPoolExecutor(threads or available_cores()) as pool:
        list(pool.map(one, range(views)))


def _spline_weights(pixels: int, field: int, spacing: float) -> NDArray[np.float32]:
    """Weights of a lattice's nodes in each pixel, shape (pixels, nodes): cubic B-splines, scaled to unit variance."""
    reach = int(np.ceil(0.75 * field / spacing)) + 2  # of the field and a margin of half as much
    node = np.arange(-reach, reach + 1)
    position = (np.arange(pixels) - (pixels - 1) / 2) / spacing
    d = np.abs(position[:, None] - node[None, :])
    weights = np.where(d < 1, 2 / 3 - d**2 + d**3 / 2, np.maximum(2 - d, 0) ** 3 / 6)
    unit: NDArray[np.float32] = (weights / np.sqrt(np.sum(weights**2, axis=1, keepdims=True))).astype(np.float32)
    return unit
