"""Where a volume is scored (PROTOCOL 3 and 4): the inscribed cylinder, the cells with a halo, an interior scan."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sxtbench.metrics.dilation import dilated


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


SCORED_SHARE = 0.95
"""Diameter of the scored cylinder of an interior scan over the scan's width; what is beyond is the ring."""

_END_ROWS = 0.1


def interior_cylinder(
    shape: tuple[int, int, int], voxel_size_nm: float, centre_um: tuple[float, float], diameter_um: float
) -> NDArray[np.bool_]:
    """Return a cylinder along z about an interior scan's axis, rows floor(0.1 n) to ceil(0.9 n) (PROTOCOL 4).

    Parameters
    ----------
    shape : tuple of three int
        Voxels along (z, y, x).
    voxel_size_nm : float
        Edge of a voxel, nm.
    centre_um : tuple of two float, um
        Its axis (y, x), from the rotation axis.
    diameter_um : float
        Its diameter, um.

    Returns
    -------
    ndarray, shape (z, y, x), bool

    Examples
    --------
    >>> interior_cylinder((10, 8, 8), 1000.0, (0.0, 1.0), 3.0).sum(axis=(1, 2)).tolist()
    [0, 4, 4, 4, 4, 4, 4, 4, 4, 0]
    """
    nz, ny, nx = shape
    y = (np.arange(ny) - (ny - 1) / 2)[:, None] * voxel_size_nm / 1000 - centre_um[0]
    x = (np.arange(nx) - (nx - 1) / 2)[None, :] * voxel_size_nm / 1000 - centre_um[1]
    region = np.zeros(shape, np.bool_)
    # rounded first: 0.9 * 10 is a little more than 9
    region[int(_END_ROWS * nz) : math.ceil(round((1 - _END_ROWS) * nz, 9))] = x * x + y * y <= (diameter_um / 2) ** 2
    return region


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
    spoiled = np.zeros(labels.shape, bool)
    for mask in artefacts.values():
        spoiled |= mask
    halo = dilated(labels - np.uint8(1) < 8, 500.0 / voxel_size_nm)
    halo &= cylinder(labels.shape)
    np.greater(halo, dilated(spoiled, 3.0), out=halo)
    return halo
