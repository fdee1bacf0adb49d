"""What flat-field correction leaves behind: each projection's intensity is off by a smooth factor and by a constant."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

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


def flat_field_error(
    shape: tuple[int, int, int],
    parameters: FlatFieldParameters,
    rng: np.random.Generator,
    *,
    columns: int | None = None,
) -> NDArray[np.float32]:
    """Draw the factors by which flat-field correction is wrong, one image a view.

    The log-amplitude is normal with mean zero; its standard deviation is the same in every pixel.

    Parameters
    ----------
    shape : tuple of three int
        (n_angles, z, u) of the projections.
    parameters : FlatFieldParameters
        Amplitudes and correlation length.
    rng : numpy.random.Generator
        How much is drawn depends on the field's aspect ratio only, not on its sampling.
    columns : int, optional
        Columns that make up the field if the images are wider (a margin); the images' columns by default.

    Returns
    -------
    ndarray, shape (n_angles, z, u), float32
        Factors of the intensity.
    """
    views, nz, nu = shape
    field = columns or nu
    spacing = parameters.correlation_share * field
    weights_z = _spline_weights(nz, nz, spacing)
    weights_u = _spline_weights(nu, field, spacing)
    nodes = rng.standard_normal((views, weights_z.shape[1], weights_u.shape[1])).astype(np.float32)
    constant = rng.standard_normal(views).astype(np.float32)
    log = np.matmul(np.matmul(weights_z, nodes), weights_u.T)
    log *= np.float32(parameters.smooth_sd)
    log += np.float32(parameters.global_sd) * constant[:, None, None]
    factors: NDArray[np.float32] = np.exp(log, out=log)
    return factors


def _spline_weights(pixels: int, field: int, spacing: float) -> NDArray[np.float32]:
    """Weights of a lattice's nodes in each pixel, shape (pixels, nodes): cubic B-splines, scaled to unit variance."""
    reach = int(np.ceil(0.75 * field / spacing)) + 2  # of the field and a margin of half as much
    node = np.arange(-reach, reach + 1)
    position = (np.arange(pixels) - (pixels - 1) / 2) / spacing
    d = np.abs(position[:, None] - node[None, :])
    weights = np.where(d < 1, 2 / 3 - d**2 + d**3 / 2, np.maximum(2 - d, 0) ** 3 / 6)
    unit: NDArray[np.float32] = (weights / np.sqrt(np.sum(weights**2, axis=1, keepdims=True))).astype(np.float32)
    return unit
