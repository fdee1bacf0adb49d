"""The inside of a yeast cell: vacuoles, nucleus, lipid droplets, mitochondria, each clear of all others."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sxtbench import labels
from sxtbench.errors import InputError
from sxtbench.specimens.packing import apollonian_fragments
from sxtbench.specimens.shapes import Body, Shape, Supports, capsule, ellipsoid, random_directions, spheroid
from sxtbench.specimens.yeast_parameters import (
    DropletParameters,
    MitochondriaParameters,
    VacuoleParameters,
    YeastParameters,
    draw_count,
)

CELL, CYTOPLASM, VACUOLE = "cell", "cytoplasm", "vacuole"
NUCLEUS, DROPLET, MITOCHONDRION = "nucleus", "droplet", "mitochondrion"

_BATCH = 64  # places looked at together
_BATCHES = 6  # before a thing is given up
_RESTARTS = 60  # of a cell's vacuoles and nucleus, before the fullest attempt is taken
_REDRAWS = 100  # of a radius below the smallest
_SHRINKS = 4  # of a fragment that does not fit, by a tenth each
_TURNS = 12  # directions in which a mitochondrion may go on
_FEWEST_SEGMENTS = 2  # of a mitochondrion worth the name


def furnish(
    parameters: YeastParameters, cell: Shape, number: int, ice_lac_per_um: float, rng: np.random.Generator
) -> list[Body]:
    """Return a cell with all that is in it, in painting order."""
    p = parameters
    wall_um = p.cells.wall.thickness_um.draw(rng)
    if not 0 <= wall_um < cell.narrowest_um:
        raise InputError(
            f"the recipe drew a wall of {wall_um:.3f} um about a cell of radius {cell.narrowest_um:.3f} um"
        )
    inner = replace(cell, radii_um=cell.radii_um - wall_um)
    cytoplasm_lac = p.cells.cytoplasm_lac_per_um.draw(rng)
    rough, smooth = p.texture.cytoplasm_sd_per_um, p.texture.vacuole_sd_per_um

    def body(kind: str, label: int, lac: float, sd: float, shapes: Sequence[Shape]) -> Body:
        return Body(kind, label, number, lac, sd, tuple(shapes))

    def droplet(shape: Shape) -> Body:
        low = _plus(cytoplasm_lac, p.droplets.lac_above_cytoplasm_per_um, -np.inf)
        return body(DROPLET, labels.DROPLET, max(p.droplets.lac_per_um.draw(rng), low), 0.0, [shape])

    def vacuole(shape: Shape) -> Body:
        low = _plus(ice_lac_per_um, p.vacuoles.lac_above_ice_per_um, -np.inf)
        step = p.vacuoles.lac_below_cytoplasm_per_um
        high = _plus(cytoplasm_lac, None if step is None else -step, np.inf)
        lac = max(low, min(p.vacuoles.lac_per_um.draw(rng), high))
        return body(VACUOLE, labels.VACUOLE, lac, smooth, [shape])

    vacuoles, small, nucleus = _vacuoles_and_nucleus(p, cell, inner, rng)
    droplets = small + _droplets(p.droplets, p.gap_um, inner, vacuoles, [*small, *nucleus], rng)
    tubes = _mitochondria(p.mitochondria, p.gap_um, inner, [*vacuoles, *nucleus, *droplets], rng)
    bodies = [
        body(CELL, labels.CYTOPLASM, p.cells.wall.lac_per_um.draw(rng), rough, [cell]),
        body(CYTOPLASM, labels.CYTOPLASM, cytoplasm_lac, rough, [inner]),
    ]
    bodies += [body(NUCLEUS, labels.CYTOPLASM, p.nucleus.lac_per_um.draw(rng), rough, [s]) for s in nucleus]
    bodies += [body(MITOCHONDRION, labels.CYTOPLASM, p.mitochondria.lac_per_um.draw(rng), rough, t) for t in tubes]
    bodies += [vacuole(shape) for shape in vacuoles]
    return bodies + [droplet(shape) for shape in droplets]


def _plus(value: float, step: float | None, otherwise: float) -> float:
    return otherwise if step is None else value + step


def _vacuoles_and_nucleus(
    p: YeastParameters, cell: Shape, inner: Shape, rng: np.random.Generator
) -> tuple[list[Shape], list[Shape], list[Shape]]:
    """Return vacuoles, droplets left over from fragmentation, and the nucleus (none or one).

    Sizes are drawn once and places anew until everything fits; the fullest attempt is taken otherwise, with fewer
    vacuoles, or without the nucleus only if no attempt had room for one.
    """
    radius = float(np.prod(cell.radii_um) ** (1 / 3))
    n = draw_count(p.vacuoles.count, rng)
    wanted = [shape for _ in range(n) if (shape := _vacuole(p.vacuoles, radius, n, rng)) is not None]
    broken = [rng.random() < p.vacuoles.fragmentation.probability for _ in wanted]
    with_nucleus, share = rng.random() < p.nucleus.probability, rng.random()
    nucleus_shape = spheroid(1.0, p.nucleus.axis_ratio, rng)
    best: tuple[list[Shape], list[Shape], list[Shape]] = ([], [], [])
    score = (-1, -1)
    for _ in range(_RESTARTS):
        whole: list[Shape] = []
        breaks: list[bool] = []
        for shape, is_broken in zip(wanted, broken, strict=True):
            placed = _place(shape, inner, [Supports(whole)], p.gap_um, rng)
            if placed is not None:
                whole.append(placed)
                breaks.append(is_broken)
        vacuoles, small = _fragmented(p, whole, breaks, inner, rng)
        nucleus: list[Shape] = []
        if with_nucleus:
            largest = max((float(np.prod(s.radii_um) ** (1 / 3)) for s in vacuoles), default=0.0) / radius
            low = p.nucleus.smallest_radius_fraction
            high = max(low, min(p.nucleus.largest_radius_fraction, p.nucleus.room_fraction - largest))
            scaled = replace(nucleus_shape, radii_um=nucleus_shape.radii_um * (low + share * (high - low)) * radius)
            placed = _place(scaled, inner, [Supports([*vacuoles, *small])], p.gap_um, rng)
            nucleus = [] if placed is None else [placed]
        reached = (len(nucleus), len(whole))
        if reached > score:
            best, score = (vacuoles, small, nucleus), reached
        if reached == (int(with_nucleus), len(wanted)):
            break
    return best


def _vacuole(p: VacuoleParameters, cell_radius_um: float, n: int, rng: np.random.Generator) -> Shape | None:
    """Draw one of n vacuoles; None where the recipe's radii are always too small."""
    for _ in range(_REDRAWS):
        radius = p.radius_fraction.draw(rng) * cell_radius_um / n**p.count_exponent
        if radius >= p.smallest_radius_um:
            return spheroid(radius, p.axis_ratio, rng)
    return None


def _fragmented(
    p: YeastParameters, whole: Sequence[Shape], broken: Sequence[bool], inner: Shape, rng: np.random.Generator
) -> tuple[list[Shape], list[Shape]]:
    """Break vacuoles, testing every fragment again for the cell and for all else; return vacuoles and droplets.

    A fragment without room shrinks by up to a quarter, then is left out. A vacuole that would vanish stays whole.
    """
    f = p.vacuoles.fragmentation
    container = Supports([inner])
    present: list[list[Shape]] = [[shape] for shape in whole]
    small: list[Shape] = []
    for k in range(len(whole)):
        if not broken[k]:
            continue
        others = Supports([*small, *(s for other in range(len(whole)) if other != k for s in present[other])])
        centres, radii = apollonian_fragments(rng)
        scale = float(np.prod(whole[k].radii_um) / (radii**3).sum()) ** (1 / 3)
        stays = rng.random(len(radii)) < f.kept_probability
        turns = rng.random(len(radii)) < f.droplet_probability
        pieces: list[Shape] = []
        crumbs: list[Shape] = []
        for centre, radius, turn in zip(
            centres[stays], radii[stays] * scale * f.radius_factor, turns[stays], strict=True
        ):
            place = whole[k].centre_um + scale * centre
            is_crumb = bool(radius < f.smallest_radius_um)
            for shrink in range(_SHRINKS):
                size = float(radius * 0.9**shrink)
                if size < f.smallest_radius_um and not (is_crumb and turn):
                    break
                ball = ellipsoid(place, size)
                if (
                    container.inside(ball, place[None], p.gap_um).all()
                    and others.apart(ball, place[None], p.gap_um).all()
                ):
                    (crumbs if is_crumb else pieces).append(ball)
                    others.add(ball)
                    break
        if pieces:
            present[k] = pieces
            small += crumbs
    return [s for pieces in present for s in pieces], small


def _droplets(
    p: DropletParameters,
    gap_um: float,
    inner: Shape,
    vacuoles: Sequence[Shape],
    others: Sequence[Shape],
    rng: np.random.Generator,
) -> list[Shape]:
    """Place droplets, clear of `others` and of each other, outside vacuoles or (if allowed) wholly inside one."""
    container, holes, taken = Supports([inner]), Supports(vacuoles), Supports(others)
    placed: list[Shape] = []
    for _ in range(draw_count(p.count, rng)):
        ball = ellipsoid(np.zeros(3), p.radius_um.draw(rng))
        for _ in range(_BATCHES):
            places = _within(inner, ball.reach_um + gap_um, _BATCH, rng)
            free = container.inside(ball, places, gap_um)[:, 0]
            free[free] = taken.apart(ball, places[free], gap_um).all(axis=1)
            clear = holes.apart(ball, places[free], gap_um)
            if p.inside_vacuoles:
                clear |= holes.inside(ball, places[free], gap_um)
            free[free] = clear.all(axis=1)
            if free.any():
                placed.append(ball.moved(places[np.argmax(free)]))
                taken.add(placed[-1])
                break
    return placed


def _mitochondria(
    p: MitochondriaParameters, gap_um: float, inner: Shape, others: Sequence[Shape], rng: np.random.Generator
) -> list[tuple[Shape, ...]]:
    """Grow bent tubes through what room is left, clear of `others` and of each other."""
    container, taken = Supports([inner]), Supports(others)
    tubes: list[tuple[Shape, ...]] = []
    for _ in range(draw_count(p.count, rng)):
        radius = p.diameter_um.draw(rng) / 2
        n_segments = max(_FEWEST_SEGMENTS, round(p.length_um.draw(rng) / p.segment_um))
        seed = _place(ellipsoid(np.zeros(3), radius), inner, [taken], gap_um, rng)
        if seed is None:
            continue
        tip, heading = seed.centre_um, random_directions(rng, 1)[0]
        tube: list[Shape] = []
        while len(tube) < n_segments:
            turned = heading + p.bend * rng.standard_normal((_TURNS, 3))
            if not tube:
                turned = random_directions(rng, _TURNS)
            turned /= np.sqrt((turned**2).sum(axis=1, keepdims=True))
            for direction in turned:
                if not inner.contains((tip + p.segment_um * direction)[None])[0]:
                    continue
                piece = capsule(tip, tip + p.segment_um * direction, radius)
                place = piece.centre_um[None]
                if container.inside(piece, place, gap_um).all() and taken.apart(piece, place, gap_um).all():
                    tube.append(piece)
                    tip, heading = tip + p.segment_um * direction, direction
                    break
            else:
                break
        if len(tube) >= _FEWEST_SEGMENTS:
            tubes.append(tuple(tube))
            for piece in tube:
                taken.add(piece)
    return tubes


def _within(outer: Shape, inner_um: float, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw points uniformly in an ellipsoid shrunk by `inner_um`, shape (n, 3)."""
    body = random_directions(rng, n) * rng.random((n, 1)) ** (1 / 3) * np.maximum(outer.radii_um - inner_um, 0.0)
    r = outer.rotation
    return np.asarray(outer.centre_um + body[:, :1] * r[0] + body[:, 1:2] * r[1] + body[:, 2:] * r[2])


def _place(
    shape: Shape, outer: Shape, others: Sequence[Supports], gap_um: float, rng: np.random.Generator
) -> Shape | None:
    """Put a shape into `outer`, clear of all others, at the first of many random places that will do."""
    container = Supports([outer])
    for _ in range(_BATCHES):
        places = _within(outer, shape.narrowest_um + gap_um, _BATCH, rng)
        free = container.inside(shape, places, gap_um)[:, 0]
        for other in others:
            free[free] = other.apart(shape, places[free], gap_um).all(axis=1)
        if free.any():
            return shape.moved(places[np.argmax(free)])
    return None
