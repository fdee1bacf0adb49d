"""What a recipe says of budding yeast: distributions in um and 1/um. There are no defaults."""

import numpy as np
from pydantic import Field, field_validator

from sxtbench.distributions import Distribution, Parameters
from sxtbench.errors import InputError
from sxtbench.specimens.deformation import DeformationParameters

Count = Distribution | tuple[float, ...]
"""A number of things: a list gives the probabilities of 0, 1, 2, ...; a uniform distribution takes its whole numbers
with equal probability; a normal one is rounded."""


class WallParameters(Parameters):
    """The cell wall, labelled cytoplasm; the cell's radius includes it."""

    thickness_um: Distribution
    lac_per_um: Distribution


class CellParameters(Parameters):
    """Cells and how they lie.

    Parameters
    ----------
    count : Count
        Cells packed about the centre of the field.
    neighbour_count : Count
        Further cells beyond the field's edges in x, where the simulated volume is wider than the field; may be cut.
    radius_um : Distribution, um
        Radius of a cell, wall included.
    axis_ratio : Distribution
        Each semi-axis over the radius.
    depth_offset_um : Distribution, um
        Offset of each cell along y, off the plane of the grid.
    plane_offset_um : Distribution, um
        Offset of the packed cells from the field's centre, along z and along x, as far as the field has room.
    wall : WallParameters
        Wall, drawn once a cell.
    cytoplasm_lac_per_um : Distribution, 1/um
        LAC of the cytoplasm, drawn once a cell.
    """

    count: Count
    neighbour_count: Count
    radius_um: Distribution
    axis_ratio: Distribution
    depth_offset_um: Distribution
    plane_offset_um: Distribution
    wall: WallParameters
    cytoplasm_lac_per_um: Distribution


class FragmentationParameters(Parameters):
    """A vacuole broken into spheres of the same total volume (Apollonian packing of depth one).

    Parameters
    ----------
    probability : float
        Of a vacuole being broken.
    radius_factor : float
        Shrinks the volume-matched spheres.
    kept_probability : float
        Of each sphere being kept.
    smallest_radius_um : float, um
        Smaller fragments are left out.
    droplet_probability : float
        Of a fragment that is too small turning into a lipid droplet instead.
    """

    probability: float = Field(ge=0, le=1)
    radius_factor: float = Field(gt=0, le=1)
    kept_probability: float = Field(ge=0, le=1)
    smallest_radius_um: float = Field(ge=0)
    droplet_probability: float = Field(ge=0, le=1)


class VacuoleParameters(Parameters):
    """Vacuoles.

    Parameters
    ----------
    count : Count
        Before fragmentation.
    radius_fraction : Distribution
        Radius of a single vacuole over the cell's radius.
    count_exponent : float
        Each of n vacuoles draws its own radius and divides it by n to this power (1/3 keeps the volume).
    smallest_radius_um : float, um
        Smaller radii are drawn again (never clipped: values would pile up).
    axis_ratio : Distribution
        Each semi-axis over the radius.
    lac_per_um : Distribution, 1/um
        LAC, drawn once a vacuole.
    lac_above_ice_per_um, lac_below_cytoplasm_per_um : float or None, 1/um
        The LAC is clipped to [ice + first, cytoplasm - second]; None leaves that side open.
    fragmentation : FragmentationParameters
        How vacuoles break.
    """

    count: Count
    radius_fraction: Distribution
    count_exponent: float = Field(ge=0)
    smallest_radius_um: float = Field(ge=0)
    axis_ratio: Distribution
    lac_per_um: Distribution
    lac_above_ice_per_um: float | None
    lac_below_cytoplasm_per_um: float | None
    fragmentation: FragmentationParameters


class NucleusParameters(Parameters):
    """The nucleus, labelled cytoplasm with a mask of its own.

    Parameters
    ----------
    probability : float
        Of a cell having one.
    smallest_radius_fraction, largest_radius_fraction : float
        Bounds of its radius (uniform) over the cell's.
    room_fraction : float
        The upper bound is at most this less the largest vacuole's radius over the cell's.
    axis_ratio : Distribution
        Each semi-axis over the radius.
    lac_per_um : Distribution, 1/um
        LAC.
    """

    probability: float = Field(ge=0, le=1)
    smallest_radius_fraction: float = Field(gt=0, lt=1)
    largest_radius_fraction: float = Field(gt=0, lt=1)
    room_fraction: float = Field(gt=0, le=1)
    axis_ratio: Distribution
    lac_per_um: Distribution


class MitochondriaParameters(Parameters):
    """Mitochondria: bent tubes, labelled cytoplasm with a mask of their own.

    Parameters
    ----------
    count : Count
        In a cell.
    diameter_um, length_um : Distribution, um
        Of each tube; it ends early where there is no room.
    segment_um : float, um
        Length of a straight piece.
    bend : float
        Standard deviation of a piece's turn, in radians about each of two axes.
    lac_per_um : Distribution, 1/um
        LAC, drawn once a tube.
    """

    count: Count
    diameter_um: Distribution
    length_um: Distribution
    segment_um: float = Field(gt=0)
    bend: float = Field(ge=0)
    lac_per_um: Distribution


class DropletParameters(Parameters):
    """Lipid droplets: spheres in the cytoplasm or inside vacuoles.

    Parameters
    ----------
    count : Count
        In a cell.
    radius_um : Distribution, um
        Radius of each.
    lac_per_um : Distribution, 1/um
        LAC, drawn once a droplet.
    lac_above_cytoplasm_per_um : float or None, 1/um
        The LAC is at least the cytoplasm's plus this; None leaves it open.
    inside_vacuoles : bool
        Whether a droplet may lie wholly inside a vacuole.
    """

    count: Count
    radius_um: Distribution
    lac_per_um: Distribution
    lac_above_cytoplasm_per_um: float | None
    inside_vacuoles: bool


class TextureParameters(Parameters):
    """Band-limited texture.

    Parameters
    ----------
    correlation_um : tuple of two float, um
        Shortest and longest correlation length.
    cytoplasm_sd_per_um, vacuole_sd_per_um : float, 1/um
        Standard deviation in the cytoplasm (with wall, nucleus, mitochondria) and in vacuoles; droplets have none.
    """

    correlation_um: tuple[float, float]
    cytoplasm_sd_per_um: float = Field(ge=0)
    vacuole_sd_per_um: float = Field(ge=0)

    @field_validator("correlation_um")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1]:
            raise ValueError(f"correlation lengths are {value[0]} and {value[1]}, expected 0 < shortest <= longest")
        return value


class YeastParameters(Parameters):
    """All that a yeast specimen is drawn from. There are no defaults: a recipe names everything.

    Parameters
    ----------
    cells, vacuoles, nucleus, mitochondria, droplets, texture, deformation : parameters
        One group a structure.
    gap_um : float, um
        Least distance between any two things, and from any thing to the wall.
    """

    cells: CellParameters
    vacuoles: VacuoleParameters
    nucleus: NucleusParameters
    mitochondria: MitochondriaParameters
    droplets: DropletParameters
    texture: TextureParameters
    deformation: DeformationParameters
    gap_um: float = Field(ge=0)


def draw_count(count: Count, rng: np.random.Generator) -> int:
    """Draw a number of things.

    >>> draw_count((0.0, 0.0, 1.0), np.random.default_rng(0))
    2
    """
    if isinstance(count, tuple):
        probabilities = np.asarray(count, np.float64)
        return int(np.searchsorted(np.cumsum(probabilities / probabilities.sum()), rng.random(), side="right"))
    if count.mean is None:
        assert count.min is not None
        assert count.max is not None
        low, high = int(np.ceil(count.min)), int(np.floor(count.max))
        if low > high:
            raise InputError(f"a count from {count.min} to {count.max} holds no whole number")
        return int(rng.integers(low, high, endpoint=True))
    return round(count.draw(rng))
