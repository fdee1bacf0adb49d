"""A mammalian cell in suspension: irregular surfaces, a nucleus with chromatin, and organelles in what room is left.

All of it is drawn in um about the capillary's axis (z) and can be rendered on any grid about the same centre.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sxtbench import labels
from sxtbench.distributions import Distribution
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.capillary import CapillaryParameters, fill_capillary
from sxtbench.specimens.deformation import Deformation, DeformationParameters, draw_deformation, identity
from sxtbench.specimens.implicit import Band, Blob, Noise, Region, Sum, add_membrane, noise_above
from sxtbench.specimens.mammalian_parameters import (
    BallParameters,
    MammalianParameters,
    MembraneParameters,
    NucleolusParameters,
    NucleusParameters,
    SheetParameters,
)
from sxtbench.specimens.room import Room
from sxtbench.specimens.shapes import Body, Shape, random_directions, spheroid
from sxtbench.specimens.specimen import Specimen, body_mask, object_table
from sxtbench.specimens.texture import texture_spacings_um
from sxtbench.specimens.voxelise import Texture, voxelise
from sxtbench.specimens.yeast_parameters import draw_count

__all__ = ["Mammalian", "MammalianParameters", "draw_mammalian", "render_mammalian"]

CELL, NUCLEUS, HETEROCHROMATIN, NUCLEOLUS = "cell", "nucleus", "heterochromatin", "nucleolus"
MITOCHONDRION, SHEET, ENDOSOME, DROPLET = "mitochondrion", "endoplasmic reticulum", "endosome", "droplet"

_MASKS = {"endoplasmic_reticulum": SHEET, "heterochromatin": HETEROCHROMATIN}
_PLACES = 300  # looked at for a nucleus or nucleolus
_SHRINKS = 5  # of one that finds no room, by a twentieth each
_PROBES = 256  # points of a surface that must be clear
_CIRCLE_STEPS = 300
_FINE_PATCHES = 0.4  # weight of a second octave, which makes the outlines of patches less smooth


@dataclass(frozen=True, eq=False)
class Mammalian:
    """A specimen in world coordinates, to be rendered on any grid.

    Parameters
    ----------
    bodies : tuple of Body
        In painting order: cell (its cytosol), endoplasmic reticulum, nucleus, heterochromatin, nucleoli, mitochondria,
        endosomes, droplets. What found no room is not there.
    cell, nucleus : Blob
        Their surfaces.
    membrane : MembraneParameters or None
        Plasma membrane.
    capillary : CapillaryParameters or None
        What holds the cell.
    texture : Texture
        Texture, for the coarsest grid that will be used.
    """

    bodies: tuple[Body, ...]
    cell: Blob
    nucleus: Blob
    membrane: MembraneParameters | None
    capillary: CapillaryParameters | None
    texture: Texture


def draw_mammalian(
    parameters: MammalianParameters, *, field: VolumeGrid, generator_of: Callable[[str], np.random.Generator]
) -> Mammalian:
    """Draw a specimen.

    Parameters
    ----------
    parameters : MammalianParameters
        The recipe.
    field : VolumeGrid
        Grid of the target: texture finer than its voxels is left out, so that the target and a finer simulation show
        the same specimen.
    generator_of : callable
        Stage (`specimen`, `deformation`, `texture`; `sxtbench.randomness`) -> its generator.

    Returns
    -------
    Mammalian
        To be rendered with `render_mammalian`.

    Raises
    ------
    InputError
        Where the cell does not fit the bore, or the nucleus the cell.
    """
    p = parameters
    cell_rng, nucleus_rng, nucleolus_rng, ball_rng, tube_rng, sheet_rng = generator_of("specimen").spawn(6)
    cell_bend, nucleus_bend, nucleolus_bend = generator_of("deformation").spawn(3)
    cell = _cell(p, cell_rng, cell_bend)
    nucleus = _nucleus(p.nucleus, cell, nucleus_rng, nucleus_bend)
    rough = p.texture.sd_per_um

    bodies = [_blob_body(CELL, labels.CYTOPLASM, cell, p.cell.cytosol_lac_per_um.draw(cell_rng), rough)]
    bodies += _sheets(p.endoplasmic_reticulum, cell, nucleus, rough, sheet_rng)
    bodies.append(_blob_body(NUCLEUS, labels.NUCLEUS, nucleus, p.nucleus.lac_per_um.draw(nucleus_rng), rough))
    bodies += _heterochromatin(p.nucleus, nucleus, rough, nucleus_rng)
    bodies += _nucleoli(p.nucleus.nucleolus, p.gap_um, nucleus, rough, nucleolus_rng, nucleolus_bend)

    room = Room(cell, [nucleus], p.gap_um)
    droplets = _balls(p.droplets, DROPLET, labels.DROPLET, 0.0, room, ball_rng)
    endosomes = _balls(p.endosomes, ENDOSOME, labels.ENDOSOME, rough, room, ball_rng)
    m = p.mitochondria
    for _ in range(draw_count(m.count, tube_rng)):
        radius, length, lac = (d.draw(tube_rng) for d in (m.diameter_um, m.length_um, m.lac_per_um))
        tube = room.tube(radius / 2, length, m.segment_um, m.bend, tube_rng)
        if tube:
            bodies.append(Body(MITOCHONDRION, labels.MITOCHONDRION, 1, lac, rough, tube))
    spacings = texture_spacings_um(p.texture.correlation_um, field.voxel_size_um)
    texture = Texture(tuple(spacings), _key(generator_of("texture")))
    return Mammalian((*bodies, *endosomes, *droplets), cell, nucleus, p.cell.membrane, p.capillary, texture)


def render_mammalian(mammalian: Mammalian, grid: VolumeGrid, *, workers: int | None = None) -> Specimen:
    """Render a specimen on a grid; the result does not depend on the number of threads.

    Parameters
    ----------
    mammalian : Mammalian
        What `draw_mammalian` drew.
    grid : VolumeGrid
        Any grid about the same centre: a cube or a slab.
    workers : int, optional
        Threads, default one a core.

    Returns
    -------
    Specimen
        `lac` is the whole scene (cell, ice in the bore, glass, vacuum 0), `coverage` the share of each voxel inside
        the bore (of the cell where there is no capillary), `labels` hold glass, `bodies` neither glass nor ice. Masks:
        `cells`, `endoplasmic_reticulum` and `heterochromatin` (which carries the label of the nucleus).
    """
    voxels = voxelise(mammalian.bodies, grid, texture=mammalian.texture, workers=workers)
    fill_capillary(voxels, grid, mammalian.capillary)
    membrane = mammalian.membrane
    if membrane is not None:
        add_membrane(
            voxels.lac, grid, mammalian.cell,
            thickness_um=membrane.thickness_um, lac_per_um=membrane.lac_per_um, workers=workers,
        )  # fmt: skip
    masks = {name: body_mask(voxels, [b.kind == kind for b in mammalian.bodies]) for name, kind in _MASKS.items()}
    deepest = float(np.abs(mammalian.cell.bounds_um[:, 1]).max())
    return Specimen(
        grid=grid,
        labels=voxels.labels,
        bodies=voxels.bodies,
        lac=voxels.lac,
        coverage=voxels.coverage,
        masks={"cells": voxels.bodies > 0, **masks},
        objects=object_table(mammalian.bodies, identity(), voxels.volumes_um3),
        half_depth_um=deepest if mammalian.capillary is None else mammalian.capillary.outer_radius_um,
    )


def _blob(
    diameter_um: float,
    axis_ratio: Distribution,
    irregularity: DeformationParameters,
    rng: np.random.Generator,
    bend: np.random.Generator,
) -> Blob:
    """Draw an irregular ellipsoid about the origin, which its displacement field leaves in place."""
    shape = spheroid(diameter_um / 2, axis_ratio, rng)
    edge = 2.5 * float(shape.radii_um.max())
    u = draw_deformation(irregularity, (edge, edge, edge), bend)
    return Blob(shape, Deformation(u.coefficients - u.at(np.zeros(3)).reshape(3, 1, 1, 1), u.spacing_um))


def _cell(p: MammalianParameters, rng: np.random.Generator, bend: np.random.Generator) -> Blob:
    """Draw the cell in the narrowest cylinder of its diameter, and that at random in the bore."""
    diameter = p.cell.diameter_um.draw(rng)
    raw = _blob(diameter, p.cell.axis_ratio, p.cell.irregularity, rng, bend)
    centre, radius = _enclosing_circle(raw.surface_um[:, 1:])
    factor = diameter / 2 / radius
    cell = raw.scaled(factor)
    azimuth, share = rng.uniform(0.0, 2.0 * np.pi), np.sqrt(rng.random())
    z = p.cell.centre_z_um.draw(rng)
    if p.capillary is None:
        return cell.moved(np.array([z, *(-factor * centre)]))
    free = p.capillary.bore_um / 2 - p.gap_um - diameter / 2
    if free < 0:
        raise InputError(
            f"the recipe drew a cell of {diameter:.2f} um for a bore of {p.capillary.bore_um:.2f} um; with gap_um "
            f"{p.gap_um} on each side cell.diameter_um may be at most {p.capillary.bore_um - 2 * p.gap_um:.2f}"
        )
    place = free * share * np.array([np.sin(azimuth), np.cos(azimuth)]) - factor * centre
    return cell.moved(np.array([z, *place]))


def _enclosing_circle(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Centre and radius of a circle about points, shape (n, 2), hardly larger than the smallest (Badoiu, Clarkson)."""
    centre = points.mean(axis=0)
    for step in range(2, _CIRCLE_STEPS):
        centre = centre + (points[np.argmax(((points - centre) ** 2).sum(axis=1))] - centre) / step
    return centre, float(np.sqrt(((points - centre) ** 2).sum(axis=1).max())) * 1.005


def _inside(blob: Blob, within: Blob, clearance_um: float, rng: np.random.Generator) -> Blob | None:
    """Move a blob to the first of many random places inside another with a clearance."""
    probes = blob.surface_um[:: max(1, len(blob.surface_um) // _PROBES)] - blob.shape.centre_um
    slack = max(within.radius_um - 0.8 * blob.radius_um - clearance_um, 0.0)
    for offset in random_directions(rng, _PLACES) * slack * rng.random((_PLACES, 1)) ** (1 / 3):
        place = within.shape.centre_um + offset
        if bool((within.depth_um(place + probes) >= clearance_um).all()):
            return blob.moved(place)
    return None


def _nucleus(p: NucleusParameters, cell: Blob, rng: np.random.Generator, bend: np.random.Generator) -> Blob:
    diameter = p.diameter_um.draw(rng)
    blob = _blob(diameter, p.axis_ratio, p.irregularity, rng, bend)
    for shrink in range(_SHRINKS):
        placed = _inside(blob.scaled(0.95**shrink), cell, p.clearance_um, rng)
        if placed is not None:
            return placed
    raise InputError(
        f"the recipe drew a nucleus of {diameter:.2f} um with a clearance of {p.clearance_um} um, which finds no room "
        f"in a cell of {2 * cell.radius_um:.2f} um; nucleus.diameter_um must be smaller or cell.diameter_um larger"
    )


def _blob_body(kind: str, label: int, blob: Blob, lac: float, texture_sd: float) -> Body:
    return Body(kind, label, 1, lac, texture_sd, (blob.shape,), Region((Band(blob),), blob.bounds_um))


def _heterochromatin(p: NucleusParameters, nucleus: Blob, texture_sd: float, rng: np.random.Generator) -> list[Body]:
    """Return patches, and a broken layer under the surface, as two bodies of one LAC."""
    h = p.heterochromatin
    lac = h.lac_per_um.draw(rng)
    inside, under = Band(nucleus), Band(nucleus, low=-h.layer_um)
    bodies = []
    for surface, share in ((inside, h.share), (under, h.layer_share)):
        patches = Band(_patches(h.patch_um, rng), noise_above(share), 0.0, np.inf)
        region = Region((surface, patches), nucleus.bounds_um)
        if share > 0:
            bodies.append(Body(HETEROCHROMATIN, labels.NUCLEUS, 1, lac, texture_sd, (nucleus.shape,), region))
    return bodies


def _patches(spacing_um: float, rng: np.random.Generator) -> Sum:
    coarse, fine = Noise(spacing_um, _key(rng)), Noise(spacing_um / 2, _key(rng))
    norm = float(np.sqrt(1.0 + _FINE_PATCHES**2))
    return Sum(((1.0 / norm, coarse), (_FINE_PATCHES / norm, fine)))


def _nucleoli(
    p: NucleolusParameters,
    gap_um: float,
    nucleus: Blob,
    texture_sd: float,
    rng: np.random.Generator,
    bend: np.random.Generator,
) -> list[Body]:
    placed: list[Blob] = []
    bodies = []
    for _ in range(draw_count(p.count, rng)):
        blob = _blob(p.diameter_um.draw(rng), p.axis_ratio, p.irregularity, rng, bend)
        lac = p.lac_per_um.draw(rng)
        for _ in range(_SHRINKS):
            at = _inside(blob, nucleus, gap_um, rng)
            if at is not None and all(bool((other.depth_um(at.surface_um) < -gap_um).all()) for other in placed):
                placed.append(at)
                bodies.append(_blob_body(NUCLEOLUS, labels.NUCLEOLUS, at, lac, texture_sd))
                break
    return bodies


def _sheets(p: SheetParameters, cell: Blob, nucleus: Blob, texture_sd: float, rng: np.random.Generator) -> list[Body]:
    """Return sheets about the nucleus: each a band of its distance, in patches, inside the cell."""
    lac = p.lac_per_um.draw(rng)
    label = labels.ENDOPLASMIC_RETICULUM if p.labelled else labels.CYTOPLASM
    about = Sum(((1.0, nucleus), (p.undulation_um, Noise(p.patch_um, _key(rng)))))
    clear = Band(cell, high=-p.clearance_um)
    half = p.thickness_um / 2
    steps = [p.spacing_um.draw(rng) for _ in range(draw_count(p.count, rng))]
    levels = p.first_um.draw(rng) + np.cumsum(steps) - np.array(steps)
    # One box for all, so that the distance, which they share, is sampled once.
    farthest = max(levels, default=0.0) + half + 4.0 * p.undulation_um
    outer = nucleus.scaled(1.0 + farthest / nucleus.radius_um).bounds_um
    box = np.stack([np.maximum(outer[0], cell.bounds_um[0]), np.minimum(outer[1], cell.bounds_um[1])])
    bodies = []
    for level in levels:
        patches = Band(_patches(p.patch_um, rng), noise_above(p.share), 0.0, np.inf)
        region = Region((Band(about, float(level), -half, half), patches, clear), box)
        followed = nucleus.scaled(1.0 + level / nucleus.radius_um).shape
        bodies.append(Body(SHEET, label, 1, lac, texture_sd, (followed,), region))
    return bodies


def _balls(
    p: BallParameters, kind: str, label: int, texture_sd: float, room: Room, rng: np.random.Generator
) -> list[Body]:
    bodies = []
    for _ in range(draw_count(p.count, rng)):
        radius, lac = p.radius_um.draw(rng), p.lac_per_um.draw(rng)
        placed: Shape | None = room.ball(radius, rng)
        if placed is not None:
            bodies.append(Body(kind, label, 1, lac, texture_sd, (placed,)))
    return bodies


def _key(rng: np.random.Generator) -> int:
    return int(rng.integers(2**64, dtype=np.uint64))
