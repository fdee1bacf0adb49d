"""Budding yeast of smooth implicit surfaces: the specimens of the `shifted` domain, which nothing is trained on.

Same labels, same kinds of things and same grids as `yeast`, drawn by other code: mothers with buds in place of
ellipsoids, lobed vacuoles and an irregular nucleus in place of spheroids, each body bent by a field of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sxtbench import labels
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.budding_parameters import BuddingCellParameters, BuddingParameters
from sxtbench.specimens.deformation import identity
from sxtbench.specimens.implicit import Band, Region
from sxtbench.specimens.lobed import Inset, Lobed, draw_lobed, enclosing_ball, place_inside
from sxtbench.specimens.room import Room
from sxtbench.specimens.shapes import Body, Shape
from sxtbench.specimens.specimen import Specimen, body_mask, object_table
from sxtbench.specimens.texture import texture_spacings_um
from sxtbench.specimens.voxelise import Texture, voxelise
from sxtbench.specimens.yeast import plane_centres
from sxtbench.specimens.yeast_interior import CELL, CYTOPLASM, DROPLET, MITOCHONDRION, NUCLEUS, VACUOLE
from sxtbench.specimens.yeast_parameters import draw_count

__all__ = ["Budding", "BuddingParameters", "draw_budding", "render_budding"]

_MASKS = {"nucleus": NUCLEUS, "mitochondria": MITOCHONDRION}
_SHRINKS = 6  # of a vacuole or nucleus that finds no room, by 7 % each
_SHRINK = 0.93
_PLACES = 64  # looked at for a neighbour


@dataclass(frozen=True, eq=False)
class Budding:
    """A specimen in world coordinates, to be rendered on any grid.

    Parameters
    ----------
    bodies : tuple of Body
        In painting order: for each cell its outside (`cell`: the wall), cytoplasm, nucleus, mitochondria, vacuoles and
        droplets. What found no room is not there.
    cells : tuple of Lobed
        Outer surfaces: the packed cells, then their neighbours.
    texture : Texture
        Texture, for the coarsest grid that will be used.
    half_depth_um : float, um
        Largest |y| of any cell: the ice must reach beyond it.
    """

    bodies: tuple[Body, ...]
    cells: tuple[Lobed, ...]
    texture: Texture
    half_depth_um: float


def draw_budding(
    parameters: BuddingParameters,
    *,
    field: VolumeGrid,
    extended: VolumeGrid,
    ice_lac_per_um: float,
    generator_of: Callable[[str], np.random.Generator],
) -> Budding:
    """Draw a specimen.

    Parameters
    ----------
    parameters : BuddingParameters
        The recipe.
    field : VolumeGrid
        Grid of the target: cells are packed about its centre, and texture finer than its voxels is left out.
    extended : VolumeGrid
        Grid of the simulation, the same or wider in x (and finer); neighbours lie where it is wider.
    ice_lac_per_um : float, 1/um
        LAC of the ice, which bounds that of vacuoles.
    generator_of : callable
        Stage (`specimen`, `deformation`, `texture`; `sxtbench.randomness`) -> its generator.

    Returns
    -------
    Budding
        To be rendered with `render_budding`.

    Raises
    ------
    InputError
        Where the recipe draws no cell, or a wall thicker than a cell.
    """
    p = parameters
    place_rng, inside_rng, drift_rng = generator_of("specimen").spawn(3)
    outline_bend, inside_bend = generator_of("deformation").spawn(2)
    n = draw_count(p.cells.count, place_rng)
    if n < 1:
        raise InputError("the recipe drew a specimen without cells; cells.count must be at least 1")
    outlines = [_outline(p.cells, place_rng, outline_bend) for _ in range(n)]
    reaches = np.array([reach for _, reach in outlines])
    offsets = {"plane_offset_um": p.cells.plane_offset_um, "depth_offset_um": p.cells.depth_offset_um}
    places = plane_centres(reaches, field.size_um, gap_um=p.gap_um, rng=place_rng, **offsets)
    balls = [(place, reach) for place, reach in zip(places, reaches, strict=True)]
    cells = [outline.moved(outline.centre_um + place) for (outline, _), place in zip(outlines, places, strict=True)]
    if extended.size_um[2] > field.size_um[2]:
        for _ in range(draw_count(p.cells.neighbour_count, place_rng)):
            outline, reach = _outline(p.cells, place_rng, outline_bend)
            free = _beside(p, reach, balls, field, extended, place_rng)
            if free is not None:
                balls.append((free, reach))
                cells.append(outline.moved(outline.centre_um + free))
    factor = p.lac_factor.draw(drift_rng)
    bodies: list[Body] = []
    children = zip(inside_rng.spawn(len(cells)), inside_bend.spawn(len(cells)), strict=True)
    for number, (cell, (rng, bend)) in enumerate(zip(cells, children, strict=True), 1):
        bodies += _furnish(p, cell, number, ice_lac_per_um, factor, rng, bend)
    spacings = texture_spacings_um(p.texture.correlation_um, field.voxel_size_um)
    key = int(generator_of("texture").integers(2**64, dtype=np.uint64))
    deepest = max(float(np.abs(cell.bounds_um[:, 1]).max()) for cell in cells)
    return Budding(tuple(bodies), tuple(cells), Texture(tuple(spacings), key), deepest)


def render_budding(
    budding: Budding, grid: VolumeGrid, *, columns: int | None = None, workers: int | None = None
) -> Specimen:
    """Render a specimen on a grid; the result does not depend on the number of threads.

    Parameters
    ----------
    budding : Budding
        What `draw_budding` drew.
    grid : VolumeGrid
        Any grid about the same centre.
    columns : int, optional
        As of `render_yeast`.
    workers : int, optional
        Threads, default one a core.

    Returns
    -------
    Specimen
        As of `render_yeast`. In the table of objects cells, vacuoles and nuclei have the semi-axes of their first
        ellipsoid and no `volume_um3`.
    """
    bodies = budding.bodies
    voxels = voxelise(bodies, grid, texture=budding.texture, columns=columns, workers=workers)
    masks = {name: body_mask(voxels, [body.kind == kind for body in bodies]) for name, kind in _MASKS.items()}
    rows = object_table(bodies, identity(), voxels.volumes_um3)
    for body, row in zip(bodies, rows, strict=True):
        row["volume_um3"] = None if body.region is not None else row["volume_um3"]
    return Specimen(
        grid=grid,
        labels=voxels.labels,
        bodies=voxels.bodies,
        lac=voxels.lac,
        coverage=voxels.coverage,
        masks=masks,
        objects=rows,
        half_depth_um=budding.half_depth_um,
    )


def _outline(p: BuddingCellParameters, rng: np.random.Generator, bend: np.random.Generator) -> tuple[Lobed, float]:
    """Draw a cell in the smallest ball about it, that ball about the origin, and the ball's radius."""
    raw = draw_lobed(p.form, rng, bend)
    centre, radius = enclosing_ball(raw.offsets_um)
    reach = p.reach_um.draw(rng)
    factor = reach / radius
    return raw.scaled(factor).moved(-factor * centre), reach


def _beside(
    p: BuddingParameters,
    reach_um: float,
    balls: Sequence[tuple[NDArray[np.float64], float]],
    field: VolumeGrid,
    extended: VolumeGrid,
    rng: np.random.Generator,
) -> NDArray[np.float64] | None:
    """Find a place for one more ball whose centre lies beyond the field's edge in x, clear of all others."""
    depth = p.cells.depth_offset_um.draw(rng)
    z = rng.uniform(-field.size_um[0] / 2, field.size_um[0] / 2, _PLACES)
    x = rng.uniform(field.size_um[2] / 2, extended.size_um[2] / 2, _PLACES) * rng.choice([-1.0, 1.0], _PLACES)
    for place in np.stack([z, np.full(_PLACES, depth), x], axis=1):
        if all(((place - centre) ** 2).sum() >= (reach_um + other + p.gap_um) ** 2 for centre, other in balls):
            return np.asarray(place)
    return None


def _furnish(
    p: BuddingParameters,
    cell: Lobed,
    number: int,
    ice_lac_per_um: float,
    factor: float,
    rng: np.random.Generator,
    bend: np.random.Generator,
) -> list[Body]:
    """Return a cell with all that is in it, in painting order."""
    wall_um = p.cells.wall.thickness_um.draw(rng)
    if not 0 <= wall_um < cell.radius_um / 2:
        raise InputError(
            f"the recipe drew a wall of {wall_um:.3f} um about a cell of radius {cell.radius_um:.3f} um, expected less "
            "than half of that"
        )
    inside = Inset(cell, wall_um)
    rough, smooth = p.texture.cytoplasm_sd_per_um, p.texture.vacuole_sd_per_um
    cytoplasm_lac = factor * p.cells.cytoplasm_lac_per_um.draw(rng)
    wall_lac = factor * p.cells.wall.lac_per_um.draw(rng)

    def lobed(kind: str, label: int, lac: float, sd: float, surface: Lobed, inset_um: float = 0.0) -> Body:
        first = surface.lobes[0].moved(surface.centre_um + surface.lobes[0].centre_um)
        return Body(kind, label, number, lac, sd, (first,), Region((Band(surface, high=-inset_um),), surface.bounds_um))

    def simple(kind: str, label: int, lac: float, sd: float, shapes: tuple[Shape, ...]) -> Body:
        return Body(kind, label, number, lac, sd, shapes)

    vacuoles = _vacuoles(p, cell, inside, rng, bend)
    nucleus = _nucleus(p, cell, inside, vacuoles, rng, bend)
    room = Room(inside, [*vacuoles, *nucleus], p.gap_um)
    droplets = []
    for _ in range(draw_count(p.droplets.count, rng)):
        radius, lac = p.droplets.radius_um.draw(rng), factor * p.droplets.lac_per_um.draw(rng)
        placed = room.ball(radius, rng)
        if placed is not None:
            lac = max(lac, cytoplasm_lac + p.droplets.lac_above_cytoplasm_per_um)
            droplets.append(simple(DROPLET, labels.DROPLET, lac, 0.0, (placed,)))
    m, tubes = p.mitochondria, []
    for _ in range(draw_count(m.count, rng)):
        diameter, length, lac = (d.draw(rng) for d in (m.diameter_um, m.length_um, m.lac_per_um))
        tube = room.tube(diameter / 2, length, m.segment_um, m.bend, rng)
        if tube:
            tubes.append(simple(MITOCHONDRION, labels.CYTOPLASM, factor * lac, rough, tube))
    low, high = ice_lac_per_um + p.vacuoles.lac_above_ice_per_um, cytoplasm_lac - p.vacuoles.lac_below_cytoplasm_per_um
    return [
        lobed(CELL, labels.CYTOPLASM, wall_lac, rough, cell),
        lobed(CYTOPLASM, labels.CYTOPLASM, cytoplasm_lac, rough, cell, wall_um),
        *(lobed(NUCLEUS, labels.CYTOPLASM, factor * p.nucleus.lac_per_um.draw(rng), rough, one) for one in nucleus),
        *tubes,
        *(
            lobed(
                VACUOLE, labels.VACUOLE, max(low, min(factor * p.vacuoles.lac_per_um.draw(rng), high)), smooth, vacuole
            )
            for vacuole in vacuoles
        ),
        *droplets,
    ]


def _vacuoles(
    p: BuddingParameters, cell: Lobed, inside: Inset, rng: np.random.Generator, bend: np.random.Generator
) -> list[Lobed]:
    placed: list[Lobed] = []
    n = draw_count(p.vacuoles.count, rng)
    for _ in range(n):
        body = draw_lobed(p.vacuoles.form, rng, bend)
        radius = p.vacuoles.radius_fraction.draw(rng) * cell.radius_um / n ** (1 / 3)
        if radius >= p.vacuoles.smallest_radius_um:
            placed += _placed(body, radius, p.vacuoles.smallest_radius_um, inside, placed, p.gap_um, rng)
    return placed


def _nucleus(
    p: BuddingParameters,
    cell: Lobed,
    inside: Inset,
    vacuoles: Sequence[Lobed],
    rng: np.random.Generator,
    bend: np.random.Generator,
) -> list[Lobed]:
    body, radius = draw_lobed(p.nucleus.form, rng, bend), p.nucleus.radius_fraction.draw(rng) * cell.radius_um
    return _placed(body, radius, 0.0, inside, vacuoles, p.gap_um, rng)


def _placed(
    body: Lobed,
    radius_um: float,
    smallest_um: float,
    inside: Inset,
    others: Sequence[Lobed],
    gap_um: float,
    rng: np.random.Generator,
) -> list[Lobed]:
    """Scale a body of unit radius to the volume of a ball, shrink it until it has room; empty where it has none."""
    unit = float(sum(shape.volume_um3 for shape in body.lobes) / (4 / 3 * np.pi)) ** (1 / 3)
    for shrink in range(_SHRINKS):
        radius = radius_um * _SHRINK**shrink
        if radius < smallest_um:
            break
        found = place_inside(body.scaled(radius / unit), inside, others, gap_um, rng)
        if found is not None:
            return [found]
    return []
