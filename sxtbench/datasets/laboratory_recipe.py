"""The recipe of what a laboratory microscope sees: yeast on a grid and mammalian cells in a capillary, by turns."""

from typing import Literal

from pydantic import Field, model_validator

from sxtbench.acquisition.laboratory import LaboratoryParameters
from sxtbench.acquisition.scene import SceneParameters
from sxtbench.datasets.grid import GridParameters
from sxtbench.distributions import Parameters
from sxtbench.hashing import sha256_json
from sxtbench.specimens.mammalian import MammalianParameters
from sxtbench.specimens.yeast import YeastParameters


class ContrastParameters(Parameters):
    """Where contrast is measured.

    Parameters
    ----------
    interfaces : tuple of int
        Labels against the cytoplasm; 0 is the cell against ice.
    erosion_voxels : int, voxels
        A region is what lies farther than this from every other label.
    least_voxels : int
        A region with fewer leaves its interfaces out.
    """

    interfaces: tuple[int, ...] = Field(min_length=1)
    erosion_voxels: int = Field(ge=1)
    least_voxels: int = Field(ge=1)


class YeastOnGrid(Parameters):
    """Yeast in its slab of ice.

    Parameters
    ----------
    grid : GridParameters
        Sampling.
    detected_photons_per_pixel : float
        Mean count behind the cells at 0 degrees.
    contrast : ContrastParameters
        Its interfaces.
    specimen : YeastParameters
        Cells.
    scene : SceneParameters
        Ice and what lies in it.
    """

    grid: GridParameters
    detected_photons_per_pixel: float = Field(gt=0)
    contrast: ContrastParameters
    specimen: YeastParameters
    scene: SceneParameters


class MammalianInCapillary(Parameters):
    """A mammalian cell, whole in its capillary.

    Parameters
    ----------
    grid : GridParameters
        Sampling; nothing lies beside the field.
    detected_photons_per_pixel : float
        Mean count behind the bore at 0 degrees.
    contrast : ContrastParameters
        Its interfaces.
    specimen : MammalianParameters
        Cell and capillary.
    """

    grid: GridParameters
    detected_photons_per_pixel: float = Field(gt=0)
    contrast: ContrastParameters
    specimen: MammalianParameters

    @model_validator(mode="after")
    def _the_capillary_is_inside(self) -> "MammalianInCapillary":
        if self.specimen.capillary is None:
            raise ValueError("specimen.capillary is missing: the exposure is set behind its bore")
        outer, field = 2 * self.specimen.capillary.outer_radius_um, self.grid.target.size_um[2]
        if outer > field or self.grid.extension_x != 1:
            raise ValueError(f"the capillary is {outer:g} um wide and the field {field:g} um: it must be seen whole")
        return self


class LaboratoryFamilies(Parameters):
    """The families of a dataset; specimens take turns in this order."""

    yeast: YeastOnGrid
    mammalian: MammalianInCapillary


class LaboratoryRecipe(Parameters):
    """Everything that decides the bytes of a dataset of a laboratory microscope, for one tier."""

    family: Literal["laboratory"]
    scored: bool = Field(description="false for parity recipes, which never make a scored dataset")
    data_major: int = Field(ge=1, description="raised when the data change meaning")
    seed: int = Field(ge=0)
    families: LaboratoryFamilies
    acquisition: LaboratoryParameters

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON of the recipe."""
        return sha256_json(self.model_dump(mode="json"))

    @property
    def voxel_size_nm(self) -> float:
        """Edge of a voxel of the first family, nm; each sample has its own."""
        return self.families.yeast.grid.voxel_size_nm

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Shapes (z, y, x) that answers have, in the order of the families."""
        return [self.families.yeast.grid.shape, self.families.mammalian.grid.shape]
