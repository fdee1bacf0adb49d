"""A thin-wall glass capillary along z, the rotation axis: cells frozen in its bore, vacuum around."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sxtbench import labels
from sxtbench.distributions import Parameters
from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.voxelise import Voxels


class CapillaryParameters(Parameters):
    """A capillary.

    Parameters
    ----------
    bore_um : float, um
        Inner diameter.
    wall_um : float, um
        Thickness of the wall.
    glass_lac_per_um, ice_lac_per_um : float, 1/um
        LAC of the wall, and of the ice that fills the bore outside cells.

    >>> CapillaryParameters(bore_um=8.6, wall_um=0.2, glass_lac_per_um=1.09, ice_lac_per_um=0.103).outer_radius_um
    4.5
    """

    bore_um: float = Field(gt=0)
    wall_um: float = Field(ge=0)
    glass_lac_per_um: float = Field(ge=0)
    ice_lac_per_um: float = Field(ge=0)

    @property
    def outer_radius_um(self) -> float:
        """Outer radius of the wall, um."""
        return self.bore_um / 2 + self.wall_um


def fill_capillary(voxels: Voxels, grid: VolumeGrid, capillary: CapillaryParameters | None) -> None:
    """Put cells into a capillary, in place: from cells to the whole scene.

    Parameters
    ----------
    voxels : Voxels
        Cells (`voxelise`), all of them inside the bore. Afterwards `lac` holds cells, ice, glass and vacuum (0) by
        their shares of each voxel, `coverage` the share of the voxel inside the bore, and `labels` `labels.GLASS` where
        a voxel's centre lies in the wall.
    grid : VolumeGrid
        Their grid.
    capillary : CapillaryParameters or None
        None leaves the cells as they are, in vacuum.
    """
    if capillary is None:
        return
    _, y, x = grid.axes_um()
    inner, outer = capillary.bore_um / 2, capillary.outer_radius_um
    bore, all_within = (disc_share(radius, y, x, grid.voxel_size_um) for radius in (inner, outer))
    glass_lac = np.float32(capillary.glass_lac_per_um) * (all_within - bore)
    ice_lac = np.float32(capillary.ice_lac_per_um)
    away = np.hypot(y[:, None], x[None, :])
    wall = (away > inner) & (away <= outer)
    for named, lac, coverage in zip(voxels.labels, voxels.lac, voxels.coverage, strict=True):
        lac += glass_lac + ice_lac * np.maximum(bore - coverage, np.float32(0.0))
        coverage[...] = bore
        named[wall & (named == labels.BACKGROUND)] = labels.GLASS


def disc_share(
    radius_um: float, y_um: NDArray[np.float64], x_um: NDArray[np.float64], edge_um: float
) -> NDArray[np.float32]:
    """Share of each voxel within a cylinder about z, from 3 x 3 points in the plane, shape (n_y, n_x), float32."""
    inside = np.zeros((len(y_um), len(x_um)))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            away = np.hypot((y_um + dy * edge_um / 3)[:, None], (x_um + dx * edge_um / 3)[None, :])
            inside += away <= radius_um
    return np.asarray(inside / 9.0, np.float32)
