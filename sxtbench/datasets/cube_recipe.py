"""The recipe of a cell in a capillary that is seen whole: one in-focus tilt series over half a turn."""

from typing import Literal

from pydantic import Field, model_validator

from sxtbench.acquisition.illumination import FlatFieldParameters
from sxtbench.acquisition.series import AcquisitionParameters
from sxtbench.acquisition.tilt import TiltParameters
from sxtbench.distributions import Parameters
from sxtbench.geometry import VolumeGrid
from sxtbench.hashing import sha256_json
from sxtbench.specimens.mammalian import MammalianParameters


class RotationParameters(Parameters):
    """Views over half a turn, evenly about 0 degrees.

    Parameters
    ----------
    views : int
        Directions, 180 / views degrees apart.
    jitter_sd_deg : float, degrees
        Standard deviation of true minus nominal angle.
    """

    views: int = Field(ge=2)
    jitter_sd_deg: float = Field(ge=0)

    @model_validator(mode="after")
    def _views_stay_apart(self) -> "RotationParameters":
        if 6 * self.jitter_sd_deg >= 90 / self.views:
            raise ValueError(
                f"jitter_sd_deg is {self.jitter_sd_deg:g}: six of it reach the middle between two of {self.views} "
                f"views, {90 / self.views:g} degrees away"
            )
        return self

    @property
    def tilt(self) -> TiltParameters:
        """The same as a tilt scheme: half a step from -90 to half a step from 90 degrees, nothing lost."""
        step = 180 / self.views
        return TiltParameters.model_validate(
            {
                "range_deg": 180 - step,
                "step_deg": step,
                "offset_deg": 0.0,
                "dropped_share": 0.0,
                "longest_dropped_run": 1,
                "jitter_sd_deg": self.jitter_sd_deg,
            }
        )


class RotationSeriesParameters(Parameters):
    """How a cube is imaged.

    Parameters
    ----------
    energy_ev : float, eV
        Photon energy.
    outer_zone_width_nm : float, nm
        Outermost zone width of the lens, in focus over the whole depth.
    detected_photons_per_pixel : float
        Mean count behind the bore at 0 degrees (PROTOCOL 1.4).
    rotation : RotationParameters
        Angles.
    flat_field : FlatFieldParameters or None
        Error of the flat-field correction.
    """

    energy_ev: float = Field(gt=0)
    outer_zone_width_nm: float = Field(gt=0)
    detected_photons_per_pixel: float = Field(gt=0)
    rotation: RotationParameters
    flat_field: FlatFieldParameters | None

    @property
    def series(self) -> AcquisitionParameters:
        """The same as `acquire` takes it."""
        return AcquisitionParameters(
            energy_ev=self.energy_ev,
            outer_zone_width_nm=self.outer_zone_width_nm,
            detected_photons_per_pixel=self.detected_photons_per_pixel,
            tilt=self.rotation.tilt,
            flat_field=self.flat_field,
            misalignment=None,
        )


class AnyCubeRecipe(Parameters):
    """What recipes of mammalian cells have in common, each cell whole in its capillary."""

    family: str
    scored: bool = Field(description="false for parity recipes, which never make a scored dataset")
    data_major: int = Field(ge=1, description="raised when the data change meaning")
    seed: int = Field(ge=0)
    shape: tuple[int, int, int] = Field(description="voxels along (z, y, x), y = x")
    voxel_size_nm: float = Field(gt=0)
    simulation_refinement: int = Field(ge=1, le=4, description="simulation voxels along an edge of a target voxel")
    specimen: MammalianParameters
    acquisition: RotationSeriesParameters

    @model_validator(mode="after")
    def _the_capillary_is_inside(self) -> "AnyCubeRecipe":
        _, y, x = self.shape
        if y != x or min(self.shape) < 8:
            raise ValueError(f"shape is {self.shape}, expected (z, n, n) with every side at least 8 voxels")
        if self.specimen.capillary is None:
            raise ValueError("specimen.capillary is missing: the exposure is set behind its bore")
        outer, field = 2 * self.specimen.capillary.outer_radius_um, x * self.voxel_size_nm / 1000
        if outer > field:
            raise ValueError(f"the capillary is {outer:g} um wide and the field {field:g} um: it must be seen whole")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON of the recipe."""
        return sha256_json(self.model_dump(mode="json"))

    @property
    def target(self) -> VolumeGrid:
        """Grid of the targets and of the reconstructions."""
        return VolumeGrid(shape=self.shape, voxel_size_nm=self.voxel_size_nm)

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Shapes (z, y, x) that answers have."""
        return [self.shape]


class CubeRecipe(AnyCubeRecipe):
    """Everything that decides the bytes of a dataset of mammalian cells, for one tier."""

    family: Literal["cube"]


class ReferenceCurveParameters(Parameters):
    """Fresh exposures of each specimen, whose FBP says what a dose is worth.

    Parameters
    ----------
    least_counts : float
        Mean count behind the bore of the lowest dose.
    most : float
        The highest dose, over the full one.
    points : int
        Doses, evenly spread in their logarithm.
    seeds : int
        Exposures of each dose.
    """

    least_counts: float = Field(gt=0)
    most: float = Field(gt=1)
    points: int = Field(ge=4)
    seeds: int = Field(ge=1)


class TwinParameters(Parameters):
    """Test specimens that are imaged once more without some of their droplets.

    Parameters
    ----------
    every : int
        The first of so many test specimens has a twin.
    droplets : int
        How many droplets the twin lacks: the largest.
    """

    every: int = Field(ge=1)
    droplets: int = Field(ge=1)


class LowDoseParameters(Parameters):
    """What a study of dose needs beside the tilt series of the full dose.

    Parameters
    ----------
    pairs : "sibling"
        The pairs of full-dose and low-dose tilts show another specimen of the recipe, which is never scored.
    paired_views : int
        Tilts of that specimen, evenly over half a turn.
    reference : ReferenceCurveParameters
        Doses at which the FBP of the specimen is known.
    twins : TwinParameters
        Specimens without some of their droplets.
    """

    pairs: Literal["sibling"]
    paired_views: int = Field(ge=2)
    reference: ReferenceCurveParameters
    twins: TwinParameters


class LowDoseRecipe(AnyCubeRecipe):
    """Everything that decides the bytes of a dataset of mammalian cells at low dose, for one tier."""

    family: Literal["low-dose-cube"]
    low_dose: LowDoseParameters

    @property
    def calibration(self) -> "LowDoseRecipe":
        """The recipe of the calibration specimen, which is imaged from few directions."""
        rotation = self.acquisition.rotation.model_copy(update={"views": self.low_dose.paired_views})
        return self.model_copy(update={"acquisition": self.acquisition.model_copy(update={"rotation": rotation})})

    @property
    def reference_doses(self) -> tuple[float, ...]:
        """Doses of the reference curve over the full one, ascending."""
        r = self.low_dose.reference
        least = r.least_counts / self.acquisition.detected_photons_per_pixel
        return tuple(least * (r.most / least) ** (i / (r.points - 1)) for i in range(r.points))
