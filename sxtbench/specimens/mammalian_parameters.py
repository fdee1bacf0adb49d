"""What a recipe says of a mammalian cell in suspension: distributions in um and 1/um. There are no defaults."""

from pydantic import Field

from sxtbench.distributions import Distribution, Parameters
from sxtbench.specimens.capillary import CapillaryParameters
from sxtbench.specimens.deformation import DeformationParameters
from sxtbench.specimens.texture import TextureParameters
from sxtbench.specimens.yeast_parameters import Count


class MembraneParameters(Parameters):
    """A bilayer, much thinner than a voxel: it counts as surface density, (LAC - local) * thickness."""

    thickness_um: float = Field(ge=0)
    lac_per_um: float = Field(ge=0)


class CellParameters(Parameters):
    """The cell and its cytosol.

    Parameters
    ----------
    diameter_um : Distribution, um
        Of the narrowest cylinder about z that holds the cell: what must fit the bore.
    axis_ratio : Distribution
        Each semi-axis over the radius, before the cell is scaled to its diameter.
    irregularity : DeformationParameters
        Smooth displacement of the ellipsoid's surface, before the cell is scaled.
    centre_z_um : Distribution, um
        Offset of the cell's centre along z.
    cytosol_lac_per_um : Distribution, 1/um
        LAC of the cytosol.
    membrane : MembraneParameters or None
        Plasma membrane, just inside the surface.
    """

    diameter_um: Distribution
    axis_ratio: Distribution
    irregularity: DeformationParameters
    centre_z_um: Distribution
    cytosol_lac_per_um: Distribution
    membrane: MembraneParameters | None


class ChromatinParameters(Parameters):
    """Heterochromatin: patches throughout the nucleus and a broken layer under its surface.

    Parameters
    ----------
    share : float
        Share of the nucleus in patches.
    patch_um : float, um
        Lattice spacing of the noise whose peaks are patches: they are about half as wide.
    layer_um : float, um
        Thickness of the layer under the surface.
    layer_share : float
        Share of the surface with a layer.
    lac_per_um : Distribution, 1/um
        LAC of heterochromatin.
    """

    share: float = Field(ge=0, le=1)
    patch_um: float = Field(gt=0)
    layer_um: float = Field(ge=0)
    layer_share: float = Field(ge=0, le=1)
    lac_per_um: Distribution


class NucleolusParameters(Parameters):
    """Nucleoli.

    Parameters
    ----------
    count : Count
        In a nucleus.
    diameter_um : Distribution, um
        Twice the radius that the semi-axes are relative to.
    axis_ratio : Distribution
        Each semi-axis over the radius.
    irregularity : DeformationParameters
        Smooth displacement of the ellipsoid's surface.
    lac_per_um : Distribution, 1/um
        LAC, drawn once a nucleolus.
    """

    count: Count
    diameter_um: Distribution
    axis_ratio: Distribution
    irregularity: DeformationParameters
    lac_per_um: Distribution


class NucleusParameters(Parameters):
    """The nucleus.

    Parameters
    ----------
    diameter_um : Distribution, um
        Twice the radius that the semi-axes are relative to.
    axis_ratio : Distribution
        Each semi-axis over the radius.
    irregularity : DeformationParameters
        Smooth displacement of the ellipsoid's surface.
    clearance_um : float, um
        Least distance from the cell's surface.
    lac_per_um : Distribution, 1/um
        LAC of euchromatin.
    heterochromatin : ChromatinParameters
        Denser patches.
    nucleolus : NucleolusParameters
        Nucleoli.
    """

    diameter_um: Distribution
    axis_ratio: Distribution
    irregularity: DeformationParameters
    clearance_um: float = Field(ge=0)
    lac_per_um: Distribution
    heterochromatin: ChromatinParameters
    nucleolus: NucleolusParameters


class TubeParameters(Parameters):
    """Mitochondria: bent tubes.

    Parameters
    ----------
    count : Count
        In a cell.
    diameter_um, length_um : Distribution, um
        Of each tube; it stays shorter where there is no room.
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


class SheetParameters(Parameters):
    """Endoplasmic reticulum: sheets that follow the nucleus's surface, in patches.

    Parameters
    ----------
    count : Count
        Sheets about the nucleus.
    thickness_um : float, um
        Thickness of each.
    first_um, spacing_um : Distribution, um
        Distance of the first sheet from the nucleus, and from each sheet to the next.
    share : float
        Share of each sheet's surface that is there.
    patch_um : float, um
        Lattice spacing of the noise that decides where: patches are about half as wide.
    undulation_um : float, um
        Standard deviation of the distance along a sheet, the same for all.
    clearance_um : float, um
        Least distance from the cell's surface.
    lac_per_um : Distribution, 1/um
        LAC, drawn once a cell.
    labelled : bool
        Whether sheets carry a label of their own; otherwise that of the cytoplasm.
    """

    count: Count
    thickness_um: float = Field(gt=0)
    first_um: Distribution
    spacing_um: Distribution
    share: float = Field(ge=0, le=1)
    patch_um: float = Field(gt=0)
    undulation_um: float = Field(ge=0)
    clearance_um: float = Field(ge=0)
    lac_per_um: Distribution
    labelled: bool


class BallParameters(Parameters):
    """Round organelles.

    Parameters
    ----------
    count : Count
        In a cell.
    radius_um : Distribution, um
        Radius of each.
    lac_per_um : Distribution, 1/um
        LAC, drawn once each.
    """

    count: Count
    radius_um: Distribution
    lac_per_um: Distribution


class MammalianParameters(Parameters):
    """All that a mammalian specimen is drawn from. There are no defaults: a recipe names everything.

    Parameters
    ----------
    capillary : CapillaryParameters or None
        What holds the cell; None leaves it in vacuum, about the origin.
    cell, nucleus, mitochondria, endoplasmic_reticulum, endosomes, droplets : parameters
        One group a structure.
    texture : TextureParameters
        Band-limited texture of all but droplets.
    gap_um : float, um
        Least distance between any two of nucleus, mitochondria, endosomes, droplets and the cell's surface, and from
        the cell to the bore.
    """

    capillary: CapillaryParameters | None
    cell: CellParameters
    nucleus: NucleusParameters
    mitochondria: TubeParameters
    endoplasmic_reticulum: SheetParameters
    endosomes: BallParameters
    droplets: BallParameters
    texture: TextureParameters
    gap_um: float = Field(ge=0)
