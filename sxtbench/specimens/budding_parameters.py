"""What a recipe says of budding yeast made of smooth implicit surfaces. There are no defaults."""

from pydantic import Field

from sxtbench.distributions import Distribution, Parameters
from sxtbench.specimens.mammalian_parameters import BallParameters
from sxtbench.specimens.yeast_parameters import Count, MitochondriaParameters, TextureParameters, WallParameters


class FormParameters(Parameters):
    """A form without a size: ellipsoids that melt into each other, in a bent space. Lengths are shares of the radius.

    Parameters
    ----------
    axis_ratio : Distribution
        Each semi-axis of the first ellipsoid over the radius; its directions are random.
    lobes : Count
        Further ellipsoids, each at a random place of the first one's surface. Of a cell they are its buds.
    lobe_radius_fraction : Distribution
        Radius of each over the first one's.
    neck_fraction : Distribution
        Radius of the neck between the two over the further one's own, before they melt.
    blend_fraction : float
        Distance over which surfaces melt into each other.
    irregularity_fraction : float
        Standard deviation of each component of the displacement that bends the space.
    irregularity_length_fraction : float
        Distance over which the displacement changes.
    """

    axis_ratio: Distribution
    lobes: Count
    lobe_radius_fraction: Distribution
    neck_fraction: Distribution
    blend_fraction: float = Field(ge=0)
    irregularity_fraction: float = Field(ge=0)
    irregularity_length_fraction: float = Field(gt=0)


class BuddingCellParameters(Parameters):
    """Cells and how they lie.

    Parameters
    ----------
    count, neighbour_count, depth_offset_um, plane_offset_um, wall, cytoplasm_lac_per_um
        As `yeast_parameters.CellParameters`.
    reach_um : Distribution, um
        Radius of the smallest ball about a cell with its buds, wall included.
    form : FormParameters
        Mother and buds.
    """

    count: Count
    neighbour_count: Count
    reach_um: Distribution
    form: FormParameters
    depth_offset_um: Distribution
    plane_offset_um: Distribution
    wall: WallParameters
    cytoplasm_lac_per_um: Distribution


class LobedVacuoleParameters(Parameters):
    """Vacuoles.

    Parameters
    ----------
    count : Count
        In a cell.
    radius_fraction : Distribution
        Radius of a ball of a single vacuole's volume over the mother's radius; each of n is smaller by n^(1/3).
    smallest_radius_um : float, um
        Smaller ones are left out.
    form : FormParameters
        Form of each.
    lac_per_um : Distribution, 1/um
        LAC, drawn once a vacuole.
    lac_above_ice_per_um, lac_below_cytoplasm_per_um : float, 1/um
        The LAC is clipped to [ice + first, cytoplasm - second].
    """

    count: Count
    radius_fraction: Distribution
    smallest_radius_um: float = Field(ge=0)
    form: FormParameters
    lac_per_um: Distribution
    lac_above_ice_per_um: float
    lac_below_cytoplasm_per_um: float


class BuddingNucleusParameters(Parameters):
    """The nucleus, labelled cytoplasm with a mask of its own.

    Parameters
    ----------
    radius_fraction : Distribution
        Radius of a ball of its volume over the mother's radius.
    form : FormParameters
        Form.
    lac_per_um : Distribution, 1/um
        LAC.
    """

    radius_fraction: Distribution
    form: FormParameters
    lac_per_um: Distribution


class BuddingDropletParameters(BallParameters):
    """Lipid droplets in the cytoplasm.

    Parameters
    ----------
    count, radius_um, lac_per_um
        As `mammalian_parameters.BallParameters`.
    lac_above_cytoplasm_per_um : float, 1/um
        The LAC is at least the cytoplasm's plus this.
    """

    lac_above_cytoplasm_per_um: float


class BuddingParameters(Parameters):
    """All that a specimen is drawn from. There are no defaults: a recipe names everything.

    Parameters
    ----------
    cells, vacuoles, nucleus, mitochondria, droplets, texture : parameters
        One group a structure.
    lac_factor : Distribution
        Factor of every LAC of the cells, drawn once a specimen: a drift. The ice keeps its own.
    gap_um : float, um
        Least distance between any two things, and from any thing to the wall.
    """

    cells: BuddingCellParameters
    vacuoles: LobedVacuoleParameters
    nucleus: BuddingNucleusParameters
    mitochondria: MitochondriaParameters
    droplets: BuddingDropletParameters
    texture: TextureParameters
    lac_factor: Distribution
    gap_um: float = Field(ge=0)
