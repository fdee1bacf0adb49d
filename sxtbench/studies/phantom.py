"""Phantoms of the studies: our mammalian cell by default, or a cell from a folder of OpenOrganelle.

Both give two cuts, the ones that the interior-tomography paper makes of its macrophage: a cylinder about the rotation
axis that the cell fills to its edge (figures 3, 5, 12), and a whole cell that a detector can hold (figure 2).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import yaml
from numpy.typing import NDArray

from sxtbench.geometry import VolumeGrid
from sxtbench.randomness import generator
from sxtbench.specimens.mammalian import MammalianParameters, draw_mammalian, render_mammalian

CYTOPLASM, RETICULUM, MITOCHONDRIA = 0.20, 0.29, 0.33  # LAC, 1/um: what the paper's code scales its cell to
_CELL_VOXEL_NM = 40.0


class PhantomSource(Protocol):
    """Where phantoms come from."""

    @property
    def description(self) -> str:
        """What they are made of, for the page."""
        ...

    def cylinder(self, *, radius_um: float, slices: int, voxel_size_nm: float) -> NDArray[np.float32]:
        """Return a cell cut to a cylinder about z.

        Parameters
        ----------
        radius_um : float, um
            Radius of the cylinder; zero outside.
        slices : int
            Voxels along z.
        voxel_size_nm : float, nm
            Edge of a voxel.

        Returns
        -------
        ndarray, shape (slices, n, n), n = 2 * round(radius / voxel) + 1, float32, LAC in 1/um
        """
        ...

    def cell(self, *, shape: tuple[int, int, int], voxel_size_nm: float) -> NDArray[np.float32]:
        """Return a cell that lies within the slices.

        Parameters
        ----------
        shape : tuple of three int
            Voxels along (z, y, x).
        voxel_size_nm : float, nm
            Edge of a voxel.

        Returns
        -------
        ndarray, shape (z, y, x), float32, LAC in 1/um
            Zero outside the cell.
        """
        ...


def phantom_source(folder: Path | None, seed: int) -> PhantomSource:
    """Return the source of phantoms that a user asked for.

    Parameters
    ----------
    folder : Path or None
        A dataset of OpenOrganelle, N5 or Zarr; None for our own specimen.
    seed : int
        Of our own specimen.

    Raises
    ------
    InputError
        For a folder that is no such dataset.
    """
    if folder is None:
        return SyntheticCell(seed)
    from sxtbench.studies.openorganelle import OpenOrganelleCell

    return OpenOrganelleCell(folder)


def inside_cylinder(shape: tuple[int, ...], radius_px: float) -> NDArray[np.bool_]:
    """Return where (y, x) lies within a radius of the centre.

    >>> inside_cylinder((3, 3), 1.0).astype(int).tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape[-2:])
    return np.asarray(np.hypot(y[:, None], x[None, :]) <= radius_px)


@dataclass(frozen=True)
class SyntheticCell:
    """Our own mammalian cell, as wide as the paper's macrophage: `macrophage.yaml` beside this file.

    Parameters
    ----------
    seed : int
        Of the specimen.
    """

    seed: int

    @property
    def description(self) -> str:
        """In words, for the page."""
        return f"the suite's synthetic mammalian cell at the size of a macrophage, seed {self.seed}"

    def cylinder(self, *, radius_um: float, slices: int, voxel_size_nm: float) -> NDArray[np.float32]:
        """Return the cell cut to a cylinder about z; see `PhantomSource`."""
        n = 2 * round(1000 * radius_um / voxel_size_nm) + 1
        lac = self._render(VolumeGrid((slices, n, n), voxel_size_nm))
        lac *= inside_cylinder(lac.shape, 1000 * radius_um / voxel_size_nm)
        return lac

    def cell(self, *, shape: tuple[int, int, int], voxel_size_nm: float) -> NDArray[np.float32]:
        """Return the whole cell; see `PhantomSource`. Coarse voxels are means over those of about 40 nm."""
        factor = max(1, round(voxel_size_nm / _CELL_VOXEL_NM))
        fine = self._render(VolumeGrid(shape, voxel_size_nm).refined(factor))
        z, y, x = shape
        blocks = fine.reshape(z, factor, y, factor, x, factor)
        return np.asarray(blocks.mean(axis=(1, 3, 5), dtype=np.float64), np.float32)

    def _render(self, grid: VolumeGrid) -> NDArray[np.float32]:
        content = yaml.safe_load((Path(__file__).parent / "macrophage.yaml").read_text(encoding="utf-8"))
        cell = draw_mammalian(
            MammalianParameters.model_validate(content),
            field=grid,
            generator_of=lambda stage: generator(self.seed, "study", 0, stage),
        )
        return np.maximum(render_mammalian(cell, grid).lac, 0)
