"""Sampling of a target volume and of the finer, wider grid that its simulation runs on."""

from pydantic import Field, model_validator

from sxtbench.distributions import Parameters
from sxtbench.geometry import VolumeGrid


class GridParameters(Parameters):
    """Sampling of the target volume and of the finer, wider grid that the simulation runs on."""

    shape: tuple[int, int, int] = Field(description="voxels along (z, y, x)")
    voxel_size_nm: float = Field(gt=0)
    simulation_refinement: int = Field(ge=1, le=4, description="simulation voxels along an edge of a target voxel")
    extension_x: float = Field(ge=1, le=3, description="width of the simulated slab over the width of the target")

    @model_validator(mode="after")
    def _sizes(self) -> "GridParameters":
        if min(self.shape) < 8:
            raise ValueError(f"shape is {self.shape}, every side must be at least 8 voxels")
        return self

    @property
    def target(self) -> VolumeGrid:
        """Grid of the targets and of the reconstructions."""
        return VolumeGrid(shape=self.shape, voxel_size_nm=self.voxel_size_nm)

    @property
    def simulation(self) -> VolumeGrid:
        """Grid of the simulation: the target, extended in x by whole voxels on both sides, then refined."""
        z, y, x = self.shape
        margin = round(x * (self.extension_x - 1) / 2)
        return VolumeGrid(shape=(z, y, x + 2 * margin), voxel_size_nm=self.voxel_size_nm).refined(
            self.simulation_refinement
        )
