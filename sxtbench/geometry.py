"""Where things are: the tilt series' geometry and the sampling of a volume. Declarations only, no computation.

Conventions (docs/conventions.md): volumes are `(z, y, x)`, z is the rotation axis, projections are `(angle, z, u)` with
`u = x cos(theta) + y sin(theta)` measured from the volume's centre `(n - 1) / 2`; depth along the beam is
`v = -x sin(theta) + y cos(theta)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError


@dataclass(frozen=True)
class VolumeGrid:
    """Sampling of a volume: voxel `i` of an axis with `n` voxels lies at `(i - (n - 1) / 2) * voxel_size_nm`.

    Parameters
    ----------
    shape : tuple of three int
        Voxels along (z, y, x).
    voxel_size_nm : float
        Edge of a voxel, nm.
    """

    shape: tuple[int, int, int]
    voxel_size_nm: float

    @property
    def voxel_size_um(self) -> float:
        """Edge of a voxel, um."""
        return self.voxel_size_nm / 1000.0

    @property
    def size_um(self) -> tuple[float, float, float]:
        """Extent along (z, y, x), um."""
        z, y, x = self.shape
        edge = self.voxel_size_um
        return z * edge, y * edge, x * edge

    def axes_um(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates of the voxel centres along (z, y, x), um."""
        z, y, x = (np.arange(n, dtype=np.float64) - (n - 1) / 2 for n in self.shape)
        return z * self.voxel_size_um, y * self.voxel_size_um, x * self.voxel_size_um

    def refined(self, factor: int) -> "VolumeGrid":
        """Return the grid of the same extent with `factor` times as many voxels an axis."""
        z, y, x = self.shape
        return VolumeGrid(shape=(z * factor, y * factor, x * factor), voxel_size_nm=self.voxel_size_nm / factor)


def _per_angle(value: ArrayLike, n_angles: int, name: str) -> NDArray[np.float64]:
    array = np.asarray(value, np.float64)
    if array.ndim > 1 or array.size not in (1, n_angles):
        raise InputError(
            f"{name} has shape {array.shape}, expected a scalar or one value for each of {n_angles} angles"
        )
    if not np.all(np.isfinite(array)):
        raise InputError(f"{name} holds NaN or infinity")
    return np.broadcast_to(array.reshape(-1), (n_angles,)).copy()


@dataclass(frozen=True, kw_only=True, eq=False)
class ParallelGeometry:
    """Parallel-beam tilt geometry.

    Column `j` lies at `u = (j - (columns - 1) / 2 + column_offset_px) * pixel_size_nm`, row `i` at
    `z = (i - (slices - 1) / 2 + slice_offset_px) * pixel_size_nm`.

    Parameters
    ----------
    angles_deg : array_like, shape (n_angles,), degrees
        Any finite angles, in any order.
    columns, slices : int
        Detector columns (u) and rows (z).
    pixel_size_nm : float
        Edge of a detector pixel, nm.
    column_offset_px, slice_offset_px : float or array_like, shape (n_angles,), pixels
        Position of the detector's centre; one value, or one for each angle.

    Raises
    ------
    InputError
        For empty or non-finite angles, sizes below one, or offsets of another length.
    """

    angles_deg: NDArray[np.float64] | Sequence[float]
    columns: int
    slices: int
    pixel_size_nm: float
    column_offset_px: NDArray[np.float64] | Sequence[float] | float = 0.0
    slice_offset_px: NDArray[np.float64] | Sequence[float] | float = 0.0

    def __post_init__(self) -> None:
        angles = np.array(self.angles_deg, np.float64)
        if angles.ndim != 1 or angles.size == 0:
            raise InputError(f"angles_deg has shape {angles.shape}, expected one or more angles in a 1-D list")
        if not np.all(np.isfinite(angles)):
            raise InputError("angles_deg holds NaN or infinity")
        if self.columns < 1 or self.slices < 1:
            raise InputError(f"columns and slices must be at least 1, got {self.columns} and {self.slices}")
        if not self.pixel_size_nm > 0:
            raise InputError(f"pixel_size_nm must be positive, got {self.pixel_size_nm}")
        for name, value in (
            ("angles_deg", angles),
            ("column_offset_px", _per_angle(self.column_offset_px, angles.size, "column_offset_px")),
            ("slice_offset_px", _per_angle(self.slice_offset_px, angles.size, "slice_offset_px")),
        ):
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the projections, (n_angles, slices, columns)."""
        return len(self.angles_deg), self.slices, self.columns
