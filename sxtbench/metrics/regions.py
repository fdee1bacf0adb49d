"""Where a volume is scored (PROTOCOL 3): the inscribed cylinder, and the cells with a halo."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def cylinder(shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return `cyl`: the inscribed cylinder about z, radius `n / 2 - 2` voxels, where n is the shorter side.

    Parameters
    ----------
    shape : tuple of three int
        Voxels along (z, y, x).

    Returns
    -------
    ndarray, shape (z, y, x), bool
        A read-only view: the same disc in every slice.
    """
    _, ny, nx = shape
    y = (np.arange(ny) - (ny - 1) / 2)[:, None]
    x = (np.arange(nx) - (nx - 1) / 2)[None, :]
    disc = y * y + x * x <= (min(ny, nx) / 2 - 2) ** 2
    return np.broadcast_to(disc, shape)


def cell_halo(
    labels: NDArray[np.uint8], artefacts: Mapping[str, NDArray[np.bool_]], voxel_size_nm: float
) -> NDArray[np.bool_]:
    """Return `cell_halo`: cells dilated by 0.5 um, within `cyl`, without artefacts dilated by 3 voxels.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), uint8
        Suite-wide ids; cells are labels 1-8.
    artefacts : mapping of ndarray, shape (z, y, x), bool
        Fiducials, cracks, impurities.
    voxel_size_nm : float
        Edge of a voxel, nm.

    Returns
    -------
    ndarray, shape (z, y, x), bool
    """
    from scipy.ndimage import distance_transform_edt

    def within(mask: NDArray[np.bool_], voxels: float) -> NDArray[np.bool_]:
        if not mask.any():
            return np.zeros(mask.shape, bool)
        distance: NDArray[Any] = distance_transform_edt(~mask)
        return distance <= voxels

    spoiled = np.zeros(labels.shape, bool)
    for mask in artefacts.values():
        spoiled |= mask
    cells = (labels >= 1) & (labels <= 8)
    return within(cells, 500.0 / voxel_size_nm) & ~within(spoiled, 3.0) & cylinder(labels.shape)
