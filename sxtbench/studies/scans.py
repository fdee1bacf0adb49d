"""The paper's two lenses and its scans of a cylinder: full and interior, with the z-normalising flat field."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.depth import project_through_lens
from sxtbench.acquisition.optics import ZonePlate, xm2
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam
from sxtbench.studies.flat_field import z_normalising_flat_field
from sxtbench.studies.reading import region_cylinder

WINDOW_NM = 100.0
"""Half width of the paper's kernels: 5 pixels of 20 nm."""


def paper_lens(outer_zone_width_nm: int) -> ZonePlate:
    """Return a lens of XM-2 as the paper's code has it: 517 eV, aperture of 550 eV, monochromaticity 300.

    Parameters
    ----------
    outer_zone_width_nm : {35, 60}, nm
        Which.

    Examples
    --------
    >>> round(paper_lens(35).rayleigh_nm, 2), round(paper_lens(60).rayleigh_nm, 2)
    (45.43, 77.87)
    """
    return xm2(outer_zone_width_nm, design_energy_ev=550.0)


@dataclass(frozen=True, eq=False)
class Bench:
    """A cylinder, and the detector that sees it.

    Parameters
    ----------
    tall : ndarray, shape (z + 2 * margin, y, x), float32, LAC in 1/um
        The specimen, with rows above and below that blur into those that are reconstructed.
    margin : int
        Such rows at either end; also the half width of the kernels in voxels.
    voxel_size_nm : float, nm
        Edge of a voxel and of a detector pixel.
    region_px : int
        Columns of an interior scan, of the parity of the detector's.
    """

    tall: NDArray[np.float32]
    margin: int
    voxel_size_nm: float
    region_px: int

    @property
    def truth(self) -> NDArray[np.float32]:
        """The specimen that is reconstructed, (z, y, x)."""
        return self.tall[self.margin : self.tall.shape[0] - self.margin]

    @property
    def region(self) -> NDArray[np.bool_]:
        """The region that the paper scores, (z, y, x)."""
        z, y, x = self.truth.shape
        return region_cylinder((z, y, x), self.region_px)

    @property
    def columns(self) -> int:
        """Columns of a full scan: the cylinder and what the lens spreads beyond it."""
        return int(self.tall.shape[2]) + 2 * self.margin

    def angles(self, views: int) -> NDArray[np.float64]:
        """Angles of a scan over half a turn, degrees."""
        return np.linspace(0.0, 180.0, views, endpoint=False)

    def operator(self, views: int, *, interior: bool = False) -> ParallelBeam:
        """Return the projector of a scan."""
        z, y, x = self.truth.shape
        geometry = ParallelGeometry(
            angles_deg=self.angles(views),
            columns=self.region_px if interior else self.columns,
            slices=z,
            pixel_size_nm=self.voxel_size_nm,
        )
        return ParallelBeam(geometry, (z, y, x))

    def light(self, views: int) -> NDArray[np.float64]:
        """Return the paper's flat field, of a detector as wide as the slice's diagonal, (views, z, 1)."""
        seen = self.operator(views)(self.truth)
        width = int(np.ceil(np.hypot(*self.truth.shape[1:])))
        return z_normalising_flat_field(np.pad(seen, ((0, 0), (0, 0), (0, max(0, width - self.columns)))))

    def image(
        self, views: int, outer_zone_width_nm: int, *, infinite_depth_of_field: bool = False
    ) -> NDArray[np.float32]:
        """Project through a lens, without noise: absorbance, (views, z, columns)."""
        seen = project_through_lens(
            self.tall,
            self.angles(views),
            voxel_size_nm=self.voxel_size_nm,
            columns=self.columns,
            lens=paper_lens(outer_zone_width_nm),
            half_width=self.margin,
            infinite_depth_of_field=infinite_depth_of_field,
        )
        return seen[:, self.margin : seen.shape[1] - self.margin]

    def interior(self, scan: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut the columns of an interior scan out of a full one."""
        cut = (self.columns - self.region_px) // 2
        return np.ascontiguousarray(scan[:, :, cut : cut + self.region_px])


def make_bench(
    cylinder: Callable[..., NDArray[np.float32]],
    *,
    radius_um: float,
    slices: int,
    voxel_size_nm: float,
    region_um: float,
) -> Bench:
    """Return a bench for a cylinder.

    Parameters
    ----------
    cylinder : callable
        `PhantomSource.cylinder`.
    radius_um : float, um
        Of the cylinder.
    slices : int
        That are reconstructed.
    voxel_size_nm : float, nm
        Edge of a voxel.
    region_um : float, um
        Width of an interior scan.
    """
    margin = max(1, round(WINDOW_NM / voxel_size_nm))
    tall = cylinder(radius_um=radius_um, slices=slices + 2 * margin, voxel_size_nm=voxel_size_nm)
    region = int(1000 * region_um / voxel_size_nm)
    region += (tall.shape[2] - region) % 2  # the paper's crop rounds so too
    return Bench(tall, margin, voxel_size_nm, region)
