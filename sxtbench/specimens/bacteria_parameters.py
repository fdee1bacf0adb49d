"""What a recipe says of bacteria in a capillary: distributions in um and 1/um. There are no defaults."""

from pydantic import Field, model_validator

from sxtbench.distributions import Distribution, Parameters
from sxtbench.specimens.capillary import CapillaryParameters
from sxtbench.specimens.deformation import DeformationParameters
from sxtbench.specimens.texture import TextureParameters
from sxtbench.specimens.yeast_parameters import Count


class RodParameters(Parameters):
    """Spherocylinders and how they lie.

    Parameters
    ----------
    count : Count
        Rods that cross the field, whatever its height; further ones lie above and below, as densely.
    reach_um : float, um
        Height above and below the field that is filled too, for grids that are taller than the field.
    width_um, length_um : Distribution, um
        Of each rod, envelope and caps included.
    touching_share : float
        Share of rods that touch another; all others keep `gap_um`.
    lac_per_um : Distribution, 1/um
        LAC of the cytoplasm, drawn once a rod.
    """

    count: Count
    reach_um: float = Field(ge=0)
    width_um: Distribution
    length_um: Distribution
    touching_share: float = Field(ge=0, le=1)
    lac_per_um: Distribution


class EnvelopeParameters(Parameters):
    """The envelope, inside a rod's width.

    Parameters
    ----------
    thickness_um : float, um
        Thickness.
    lac_above_cytoplasm_per_um : float, 1/um
        LAC above that of the cytoplasm.
    """

    thickness_um: float = Field(ge=0)
    lac_above_cytoplasm_per_um: float


class NucleoidParameters(Parameters):
    """The nucleoid: a thinner rod inside.

    Parameters
    ----------
    width_fraction, length_fraction : Distribution
        Its radius and its straight part over those of the cytoplasm.
    lac_below_cytoplasm_per_um : float, 1/um
        LAC below that of the cytoplasm.
    """

    width_fraction: Distribution
    length_fraction: Distribution
    lac_below_cytoplasm_per_um: float


class GranuleParameters(Parameters):
    """Storage granules: balls inside the cytoplasm.

    Parameters
    ----------
    count : Count
        In a rod.
    radius_um : Distribution, um
        Radius of each.
    lac_per_um : Distribution, 1/um
        LAC, drawn once a granule.
    """

    count: Count
    radius_um: Distribution
    lac_per_um: Distribution


class BacteriaParameters(Parameters):
    """All that a specimen of bacteria is drawn from. There are no defaults: a recipe names everything.

    Parameters
    ----------
    capillary : CapillaryParameters or None
        What holds the rods; None leaves them in vacuum, in a cylinder of `bundle_um`.
    bundle_um : float or None, um
        Diameter of the cylinder about z that the rods lie in; None where the capillary's bore gives it.
    rods, envelope, nucleoid, granules : parameters
        One group a structure.
    texture : TextureParameters
        Band-limited texture of all but granules.
    deformation : DeformationParameters
        Gentle irregularity of the whole.
    gap_um : float, um
        Least distance between rods that do not touch, from rods to the bore, and of granules in a rod.
    """

    capillary: CapillaryParameters | None
    bundle_um: float | None = Field(gt=0)
    rods: RodParameters
    envelope: EnvelopeParameters
    nucleoid: NucleoidParameters
    granules: GranuleParameters
    texture: TextureParameters
    deformation: DeformationParameters
    gap_um: float = Field(ge=0)

    @model_validator(mode="after")
    def _one_width(self) -> "BacteriaParameters":
        if (self.capillary is None) == (self.bundle_um is None):
            raise ValueError("the rods need either a capillary or bundle_um, and the other must be null")
        return self
