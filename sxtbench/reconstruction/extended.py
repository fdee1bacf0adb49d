"""CGNE on a grid wider than the answer, as flat-grid data need it (PROTOCOL 1.10)."""

import numpy as np
from numpy.typing import NDArray

from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction.cgne import cgne

EXTENSION_X = 1.6
DEPTH_UM = 9.0


def extended_shape(shape: tuple[int, int, int], voxel_size_nm: float) -> tuple[int, int, int]:
    """Return `shape` extended by whole voxels on both sides: in x by 1.6, in y to at least 9 um.

    >>> extended_shape((64, 64, 64), 90.0)
    (64, 100, 102)
    """
    z, y, x = shape
    wide = x + 2 * round(x * (EXTENSION_X - 1) / 2)
    short = max(0.0, DEPTH_UM * 1000 / voxel_size_nm - y)
    deep = y + 2 * int(np.ceil(short / 2))
    return z, deep, wide


def cgne_extended(
    projections: NDArray[np.float32], geometry: ParallelGeometry, shape: tuple[int, int, int], *, iterations: int
) -> NDArray[np.float32]:
    """Solve by CGNE on the extended grid and crop.

    Matter beside and before the answer's volume is in the projections; without a place to go it would end up inside.

    Parameters
    ----------
    projections : ndarray, shape (n_angles, z, u), float32, absorbance
        A flat-grid tilt series.
    geometry : ParallelGeometry
        Of the series; the voxel size is its pixel size.
    shape : tuple of three int
        Voxels (z, y, x) of the answer.
    iterations : int
        Pinned by the task.

    Returns
    -------
    ndarray, shape (z, y, x), float32, 1/um
    """
    wide = extended_shape(shape, geometry.pixel_size_nm)
    volume = cgne(ParallelBeam(geometry, volume_shape=wide), projections, iterations=iterations)
    y, x = ((large - small) // 2 for large, small in zip(wide[1:], shape[1:], strict=True))
    return np.ascontiguousarray(volume[:, y : y + shape[1], x : x + shape[2]])
