"""Bacteria in a capillary: rods at random, some touching, each with envelope, nucleoid and granules.

All of it is drawn undeformed, in um about the capillary's axis (z); `deformation` bends the whole afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sxtbench import labels
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.bacteria_parameters import BacteriaParameters, GranuleParameters
from sxtbench.specimens.capillary import CapillaryParameters, fill_capillary
from sxtbench.specimens.deformation import Deformation, draw_deformation
from sxtbench.specimens.rods import Bore, Packing
from sxtbench.specimens.shapes import Body, Shape, capsule, ellipsoid, random_directions
from sxtbench.specimens.specimen import Specimen, body_mask, object_table
from sxtbench.specimens.texture import texture_spacings_um
from sxtbench.specimens.voxelise import Texture, voxelise
from sxtbench.specimens.yeast_parameters import draw_count

__all__ = ["Bacteria", "BacteriaParameters", "draw_bacteria", "render_bacteria"]

ENVELOPE, CYTOPLASM, NUCLEOID, GRANULE = "bacterium", "cytoplasm", "nucleoid", "granule"

_MASKS = {"nucleoid": NUCLEOID, "granules": GRANULE}
_BATCHES = 60  # of candidates for a rod, before it is given up
_ROD_TRIES = 4  # rods of other sizes tried in the place of one that finds no room
_RESTARTS = 12  # of the packing, where too few rods find room
_PLACES = 200  # looked at for a granule


@dataclass(frozen=True, eq=False)
class Bacteria:
    """A specimen in world coordinates, to be rendered on any grid.

    Parameters
    ----------
    bodies : tuple of Body
        In painting order: for each rod its outside (`bacterium`: the envelope), cytoplasm, nucleoid and granules.
    touching : ndarray, shape (n_rods,), bool
        Which rods touch another.
    deformation : Deformation
        Displacement field that bends them.
    capillary : CapillaryParameters or None
        What holds them.
    texture : Texture
        Texture, for the coarsest grid that will be used.
    half_depth_um : float, um
        Radius about z that holds everything.
    """

    bodies: tuple[Body, ...]
    touching: NDArray[np.bool_]
    deformation: Deformation
    capillary: CapillaryParameters | None
    texture: Texture
    half_depth_um: float


def draw_bacteria(
    parameters: BacteriaParameters, *, field: VolumeGrid, generator_of: Callable[[str], np.random.Generator]
) -> Bacteria:
    """Draw a specimen.

    Parameters
    ----------
    parameters : BacteriaParameters
        The recipe.
    field : VolumeGrid
        Grid of the target: its height is what `rods.count` rods cross, and texture finer than its voxels is left out.
    generator_of : callable
        Stage (`specimen`, `deformation`, `texture`; `sxtbench.randomness`) -> its generator.

    Returns
    -------
    Bacteria
        To be rendered with `render_bacteria`.

    Raises
    ------
    InputError
        Where the rods asked for find no room, or what a rod is drawn with does not fit into it.
    """
    p = parameters
    bore_um = p.bundle_um if p.capillary is None else p.capillary.bore_um
    assert bore_um is not None
    height = field.size_um[0]
    extent = (height + 2.0 * p.rods.reach_um, bore_um, bore_um)
    deformation = draw_deformation(p.deformation, extent, generator_of("deformation"))
    pack_rng, inside_rng = generator_of("specimen").spawn(2)
    packing = _pack(p, Bore(bore_um / 2 - p.gap_um - deformation.largest_um, p.gap_um), height, pack_rng)
    bodies: list[Body] = []
    for number, (rod, rng) in enumerate(zip(packing.shapes, inside_rng.spawn(len(packing)), strict=True), 1):
        bodies += _furnish(p, rod, number, rng)
    spacings = texture_spacings_um(p.texture.correlation_um, field.voxel_size_um)
    texture = Texture(tuple(spacings), int(generator_of("texture").integers(2**64, dtype=np.uint64)))
    outer = bore_um / 2 if p.capillary is None else p.capillary.outer_radius_um
    return Bacteria(tuple(bodies), packing.touching, deformation, p.capillary, texture, outer)


def render_bacteria(bacteria: Bacteria, grid: VolumeGrid, *, workers: int | None = None) -> Specimen:
    """Render a specimen on a grid; the result does not depend on the number of threads.

    Parameters
    ----------
    bacteria : Bacteria
        What `draw_bacteria` drew.
    grid : VolumeGrid
        Any grid about the same centre: a cube or a slab.
    workers : int, optional
        Threads, default one a core.

    Returns
    -------
    Specimen
        `lac` is the whole scene (rods, ice in the bore, glass, vacuum 0), `coverage` the share of each voxel inside the
        bore (of the rods where there is no capillary), `labels` hold glass, `bodies` neither glass nor ice. Masks:
        `cells`, `nucleoid` and `granules`, all labelled bacterium.
    """
    voxels = voxelise(
        bacteria.bodies, grid, deformation=bacteria.deformation, texture=bacteria.texture, workers=workers
    )
    fill_capillary(voxels, grid, bacteria.capillary)
    masks = {name: body_mask(voxels, [b.kind == kind for b in bacteria.bodies]) for name, kind in _MASKS.items()}
    return Specimen(
        grid=grid,
        labels=voxels.labels,
        bodies=voxels.bodies,
        lac=voxels.lac,
        coverage=voxels.coverage,
        masks={"cells": voxels.bodies > 0, **masks},
        objects=object_table(bacteria.bodies, bacteria.deformation, voxels.volumes_um3),
        half_depth_um=bacteria.half_depth_um,
    )


def _pack(p: BacteriaParameters, bore: Bore, height_um: float, rng: np.random.Generator) -> Packing:
    """Place the rods that cross the field, then those above and below, as densely as far as there is room."""
    n = draw_count(p.rods.count, rng)
    top = height_um / 2
    most = 0
    for _ in range(_RESTARTS):
        packing = Packing(bore)
        while len(packing) < n and _add_rod(p, packing, (-np.inf, top), rng):
            most = max(most, len(packing))
        if len(packing) == n:
            break
    else:
        raise InputError(
            f"the recipe drew {n} rods that cross a field of {height_um:.2f} um, and no more than {most} found room in "
            f"a bore of radius {bore.radius_um:.2f} um; rods.count must be smaller"
        )
    if n > 0:
        further = 2.0 * p.rods.reach_um / (height_um + float(packing.heights_um.mean()))
        for _ in range(round(n * further)):
            _add_rod(p, packing, (top, top + p.rods.reach_um), rng)
    return packing


def _add_rod(p: BacteriaParameters, packing: Packing, near_um: tuple[float, float], rng: np.random.Generator) -> bool:
    """Add one rod, touching another where that keeps the share of touching rods at most what the recipe says."""
    touch = len(packing) > 0 and packing.touching.sum() + 1 <= p.rods.touching_share * (len(packing) + 1)
    for _ in range(_ROD_TRIES):
        width, length = p.rods.width_um.draw(rng), p.rods.length_um.draw(rng)
        if not 0 < width <= length:
            raise InputError(
                f"the recipe drew a rod {width:.2f} um wide and {length:.2f} um long; expected width <= length"
            )
        for touching in (True, False) if touch else (False,):
            if packing.place((length - width) / 2, width / 2, near_um, rng, touch=touching, batches=_BATCHES):
                return True
    return False


def _furnish(p: BacteriaParameters, rod: Shape, number: int, rng: np.random.Generator) -> list[Body]:
    """Return a rod with all that is in it, in painting order."""
    half, radius = float(rod.radii_um[0]), float(rod.radii_um[1])
    wall = p.envelope.thickness_um
    if wall >= radius:
        raise InputError(
            f"an envelope of {wall} um does not fit a rod of {2 * radius:.2f} um; it must be below half of that"
        )

    def part(straight_um: float, radius_um: float) -> Shape:
        way = straight_um * rod.rotation[0]
        return capsule(rod.centre_um - way, rod.centre_um + way, radius_um)

    def body(kind: str, lac: float, shape: Shape, sd: float = p.texture.sd_per_um) -> Body:
        return Body(kind, labels.BACTERIUM, number, lac, sd, (shape,))

    lac = p.rods.lac_per_um.draw(rng)
    wide, long = p.nucleoid.width_fraction.draw(rng), p.nucleoid.length_fraction.draw(rng)
    if not (0 < wide <= 1 and 0 <= long <= 1):
        raise InputError(
            f"the recipe drew a nucleoid of {wide:.2f} of a rod's width and {long:.2f} of its length, at most 1"
        )
    bodies = [
        body(ENVELOPE, lac + p.envelope.lac_above_cytoplasm_per_um, rod),
        body(CYTOPLASM, lac, part(half, radius - wall)),
        body(NUCLEOID, lac - p.nucleoid.lac_below_cytoplasm_per_um, part(long * half, wide * (radius - wall))),
    ]
    granules = _granules(p.granules, rod, radius - wall - p.gap_um, rng)
    return bodies + [body(GRANULE, p.granules.lac_per_um.draw(rng), ball, 0.0) for ball in granules]


def _granules(p: GranuleParameters, rod: Shape, within_um: float, rng: np.random.Generator) -> list[Shape]:
    """Place balls within a distance of a rod's axis and clear of each other."""
    placed: list[Shape] = []
    for _ in range(draw_count(p.count, rng)):
        radius = p.radius_um.draw(rng)
        if radius > within_um:
            continue
        along = rng.uniform(-1.0, 1.0, (_PLACES, 1)) * rod.radii_um[0] * rod.rotation[0]
        away = random_directions(rng, _PLACES) * (within_um - radius) * rng.random((_PLACES, 1)) ** (1 / 3)
        places = rod.centre_um + along + away
        free = np.ones(_PLACES, np.bool_)
        for other in placed:
            free &= np.sqrt(((places - other.centre_um) ** 2).sum(axis=1)) > radius + other.reach_um
        if free.any():
            placed.append(ellipsoid(places[np.argmax(free)], radius))
    return placed
