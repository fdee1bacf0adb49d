"""The reference reconstructions that a sample offers, with the settings that the task pins."""

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.series import TiltSeries
from sxtbench.datasets.spec import DatasetSpec
from sxtbench.reconstruction import fbp
from sxtbench.reconstruction.extended import cgne_extended

RECONSTRUCTION_STEP_EXPONENT = 11
"""Stored reconstructions are rounded to multiples of 2^-11 1/um, far below the noise (0.067/um)."""


def reconstruct(name: str, spec: DatasetSpec, series: TiltSeries) -> NDArray[np.float32]:
    """Return a reference reconstruction of one level, not rounded.

    Parameters
    ----------
    name : str
        `fbp` or `cgne`.
    spec : DatasetSpec
        Gives the settings and the shape.
    series : TiltSeries
        The level's tilts.

    Returns
    -------
    ndarray, shape (z, y, x), float32, LAC in 1/um
    """
    shape = spec.recipe.grid.shape
    if name == "fbp":
        return fbp(series.projections, series.geometry, volume_shape=shape, **spec.fbp)
    return cgne_extended(series.projections, series.geometry, shape, **spec.cgne)
