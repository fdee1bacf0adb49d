"""The reference reconstructions that a sample offers, with the settings that the task pins."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.series import TiltSeries
from sxtbench.datasets.cube_recipe import AnyCubeRecipe
from sxtbench.datasets.spec import DatasetSpec
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import cgne, fbp
from sxtbench.reconstruction.extended import cgne_extended

RECONSTRUCTION_STEP_EXPONENT = 11
"""Stored reconstructions are rounded to multiples of 2^-11 1/um, far below the noise (0.067/um)."""


def reconstruct(
    name: str, spec: DatasetSpec, series: Mapping[str, TiltSeries], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return a reference reconstruction of one level, not rounded.

    Parameters
    ----------
    name : str
        `fbp` or `cgne`.
    spec : DatasetSpec
        Gives the settings.
    series : mapping of TiltSeries
        The level's tilts: `main`, or of two scans the `interior` one.
    shape : tuple of three int
        Voxels of the volume, (z, y, x).

    Returns
    -------
    ndarray, shape (z, y, x), float32, LAC in 1/um
    """
    depth, height, width = shape
    chosen = series["main"] if "main" in series else series["interior"]
    if name == "fbp":
        return fbp(chosen.projections, chosen.geometry, volume_shape=(depth, height, width), **(spec.fbp or {}))
    if isinstance(spec.recipe, AnyCubeRecipe):  # nothing lies beside the field
        beam = ParallelBeam(chosen.geometry, volume_shape=(depth, height, width))
        volume: NDArray[np.float32] = cgne(beam, chosen.projections, **(spec.cgne or {}))
        return volume
    return cgne_extended(chosen.projections, chosen.geometry, (depth, height, width), **(spec.cgne or {}))
