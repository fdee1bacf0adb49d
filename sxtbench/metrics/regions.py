"""Where a volume is scored (PROTOCOL 3 and 4): the inscribed cylinder, the cells with a halo, an interior scan."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.jit import exact_kernel
from sxtbench.specimens.blocks import in_blocks

_BLOCK = 16  # slices
_FARTHEST = 1000  # voxels: sums of their squares are exact in float32


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


def dilated(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Dilate by a ball: all voxels within `radius` (Euclidean, voxel centres) of the mask.

    Squared distances are found axis by axis, no farther than the ball reaches, in the box that it reaches.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x), bool
        What to dilate.
    radius : float, voxels
        Radius of the ball.

    Returns
    -------
    ndarray, shape (z, y, x), bool
    """
    result = np.zeros(mask.shape, bool)
    if not mask.any():
        return result
    reach = int(radius)
    if reach > _FARTHEST:
        raise InputError(f"radius is {radius} voxels, expected at most {_FARTHEST}")
    rows = np.zeros(mask.shape[:2], np.bool_)
    columns = in_blocks(lambda a, b: _occupied(mask[a:b], rows[a:b]), len(mask), block=_BLOCK)
    box = []
    for one in (rows.any(axis=1), rows.any(axis=0), np.any(columns, axis=0)):
        occupied = np.flatnonzero(one)
        box.append(slice(max(0, occupied[0] - reach), occupied[-1] + reach + 1))
    part, out = mask[tuple(box)], result[tuple(box)]

    limit = np.float32(radius * radius)

    def block(first: int, last: int) -> None:
        _dilate(part, first, last, reach, limit, out)

    in_blocks(block, len(part), block=max(_BLOCK, reach))
    return result


@exact_kernel
def _occupied(mask: NDArray[np.bool_], rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the rows (z, y) with anything in them, and return the columns (x) with anything."""
    columns = np.zeros(mask.shape[2], np.bool_)
    for k in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            found = False
            for i in range(mask.shape[2]):
                found |= mask[k, j, i]
                columns[i] |= mask[k, j, i]
            rows[k, j] = found
    return columns


@exact_kernel
def _dilate(
    mask: NDArray[np.bool_], first: int, last: int, reach: int, limit: np.float32, out: NDArray[np.bool_]
) -> None:
    """Dilate the slices first .. last - 1 by a ball of squared radius `limit`, whose integer radius is `reach`."""
    n_z, n_y, n_x = mask.shape
    one, beyond = np.float32(1), np.float32(reach + 1)  # whole numbers, exact in float32
    along = np.empty((last - first, n_y, n_x), np.float32)  # squared distance along z
    reached = np.zeros((last - first, n_y), np.bool_)
    steps = np.empty(n_x, np.float32)
    for j in range(n_y):
        steps[:] = beyond
        for k in range(max(first - reach, 0), last):
            for i in range(n_x):
                further = steps[i] + one
                further = further if further < beyond else beyond
                steps[i] = np.float32(0) if mask[k, j, i] else further
            if k >= first:
                along[k - first, j] = steps
        steps[:] = beyond
        for k in range(min(last + reach, n_z) - 1, first - 1, -1):
            for i in range(n_x):
                further = steps[i] + one
                further = further if further < beyond else beyond
                steps[i] = np.float32(0) if mask[k, j, i] else further
            if k < last:
                least = beyond
                for i in range(n_x):
                    closer = along[k - first, j, i]
                    closer = closer if closer < steps[i] else steps[i]
                    least = least if least < closer else closer
                    along[k - first, j, i] = closer * closer
                reached[k - first, j] = least < beyond
    near = np.empty(n_x + 2 * reach, np.float32)  # squared distance along z and y
    for k in range(last - first):
        for j in range(n_y):
            near[:] = beyond * beyond
            any_near = False
            for other in range(max(j - reach, 0), min(j + reach + 1, n_y)):
                if not reached[k, other]:
                    continue
                any_near = True
                away = np.float32((other - j) * (other - j))
                for i in range(n_x):
                    here = along[k, other, i] + away
                    near[reach + i] = here if here < near[reach + i] else near[reach + i]
            if not any_near:
                continue
            for shift in range(-reach, reach + 1):
                room = limit - np.float32(shift * shift)
                for i in range(n_x):
                    out[first + k, j, i] |= near[reach + i + shift] <= room
