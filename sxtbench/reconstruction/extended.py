"""Iterative solvers on a grid other than the answer's, as flat-grid data need it (PROTOCOL 1.10)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction.cgne import cgne

EXTENSION_X = 1.6
DEPTH_UM = 9.0

Shape = tuple[int, int, int]


def extended_shape(
    shape: Shape, voxel_size_nm: float, *, extension_x: float = EXTENSION_X, depth_um: float | None = None
) -> Shape:
    """Return a grid about the answer's: wider in x, and in y as deep as the matter is.

    Parameters
    ----------
    shape : tuple of three int
        Voxels of the answer, (z, y, x).
    voxel_size_nm : float
        Edge of a voxel, nm.
    extension_x : float
        Width over the answer's, 1 or more.
    depth_um : float, optional
        Depth of the grid, um: a bound of the ice's thickness, which may be less than the answer's depth. Left out: at
        least 9 um, and no less than the answer's.

    Returns
    -------
    tuple of three int
        Differs from `shape` by even numbers, so that a crop is by whole voxels.

    Examples
    --------
    >>> extended_shape((64, 64, 64), 90.0)
    (64, 100, 102)
    >>> extended_shape((64, 64, 64), 90.0, extension_x=2.0, depth_um=5.0)
    (64, 56, 128)
    """
    z, y, x = shape
    if not extension_x >= 1:
        raise InputError(f"extension_x is {extension_x}, expected 1 or more")
    if depth_um is not None and not depth_um * 1000 >= 2 * voxel_size_nm:
        raise InputError(f"depth_um is {depth_um}, expected at least two voxels of {voxel_size_nm:g} nm")
    wide = x + 2 * round(x * (extension_x - 1) / 2)
    wanted = max(DEPTH_UM * 1000 / voxel_size_nm, y) if depth_um is None else depth_um * 1000 / voxel_size_nm
    return z, y + 2 * int(np.ceil((wanted - y) / 2)), wide


def extended(
    solver: Callable[..., NDArray[np.float32]],
    projections: ArrayLike,
    geometry: ParallelGeometry,
    shape: Shape,
    *,
    extension_x: float = EXTENSION_X,
    depth_um: float | None = None,
    **options: Any,
) -> NDArray[np.float32]:
    """Solve on an extended grid and return the answer's part of it.

    Matter beside the answer's volume is in the projections; without a place to go it would end up inside. A grid that
    is no deeper than the ice is a prior: what lies beyond is vacuum, and 0 in the answer.

    Parameters
    ----------
    solver : callable
        `cgne`, `sirt`, `sart`, `tv` or another that is called as `solver(A, y, **options)`.
    projections : array_like, shape (n_angles, z, u), float32, absorbance
        A flat-grid tilt series.
    geometry : ParallelGeometry
        Of the series; the voxel size is its pixel size.
    shape : tuple of three int
        Voxels (z, y, x) of the answer.
    extension_x, depth_um
        Of the grid, as in `extended_shape`.
    **options
        For the solver. A `callback` sees the extended grid; `placed` crops.

    Returns
    -------
    ndarray, shape (z, y, x), float32, LAC in 1/um

    Examples
    --------
    >>> from sxtbench.reconstruction import sirt
    >>> geometry = ParallelGeometry(angles_deg=[-40, 0, 40], columns=16, slices=1, pixel_size_nm=500)
    >>> extended(sirt, np.zeros((3, 1, 16)), geometry, (1, 16, 16), iterations=2, depth_um=4.0).shape
    (1, 16, 16)
    """
    grid = extended_shape(shape, geometry.pixel_size_nm, extension_x=extension_x, depth_um=depth_um)
    return placed(solver(ParallelBeam(geometry, volume_shape=grid), projections, **options), shape)


def placed(volume: NDArray[np.float32], shape: Sequence[int]) -> NDArray[np.float32]:
    """Return a volume about the same centre in another shape: cropped where it is larger, 0 where it is smaller.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x)
        Differs from `shape` by even numbers of voxels.
    shape : tuple of three int
        Wanted.

    Returns
    -------
    ndarray, shape `shape`, in C order

    Examples
    --------
    >>> placed(np.ones((1, 2, 6), np.float32), (1, 4, 2)).tolist()
    [[[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]]
    """
    margins = [(have - want) // 2 for have, want in zip(volume.shape, shape, strict=True)]
    inner = volume[tuple(slice(max(0, m), n - max(0, m)) for m, n in zip(margins, volume.shape, strict=True))]
    return np.ascontiguousarray(np.pad(inner, [(max(0, -m), max(0, -m)) for m in margins]))


def cgne_extended(
    projections: ArrayLike, geometry: ParallelGeometry, shape: Shape, *, iterations: int
) -> NDArray[np.float32]:
    """Return the suite's reference CGNE: `extended(cgne, ...)` on the grid of PROTOCOL 1.10."""
    return extended(cgne, projections, geometry, shape, iterations=iterations)
