"""Budding yeast: cells side by side in the grid plane, each with its inside, and nothing overlapping.

All of it is drawn undeformed, in um about the centre of the field; `deformation` bends the whole afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sxtbench.distributions import Distribution
from sxtbench.errors import InputError
from sxtbench.specimens.packing import pack_discs
from sxtbench.specimens.shapes import Body, Shape, Supports, spheroid
from sxtbench.specimens.yeast_interior import furnish
from sxtbench.specimens.yeast_parameters import CellParameters, YeastParameters, draw_count

__all__ = ["YeastGeometry", "YeastParameters", "draw_yeast"]

_PLACES = 64  # looked at for a neighbour
_AZIMUTHS = 72  # of the packed cells, looked at before the one that leaves the field least is taken


@dataclass(frozen=True, eq=False)
class YeastGeometry:
    """An undeformed specimen.

    Parameters
    ----------
    bodies : tuple of Body
        In painting order: for each cell its outside (`cell`: the wall), cytoplasm, nucleus, mitochondria, vacuoles and
        droplets. What found no room is not there.
    n_cells : int
        Cells packed about the centre; they have the numbers 1 .. n_cells, neighbours the next.
    """

    bodies: tuple[Body, ...]
    n_cells: int


def draw_yeast(
    parameters: YeastParameters,
    *,
    field_um: tuple[float, float, float],
    extended_x_um: float,
    ice_lac_per_um: float,
    rng: np.random.Generator,
) -> YeastGeometry:
    """Draw a specimen.

    Parameters
    ----------
    parameters : YeastParameters
        The recipe.
    field_um : tuple of three float, um
        Extent of the field (z, y, x) that the cells are packed about the centre of.
    extended_x_um : float, um
        Width of the simulated volume; neighbours lie where it is wider than the field.
    ice_lac_per_um : float, 1/um
        LAC of the ice, which bounds that of vacuoles.
    rng : numpy.random.Generator
        Draws everything; each cell's inside has a child of its own.

    Returns
    -------
    YeastGeometry
        Bodies that do not overlap unless one lies wholly in another.
    """
    p = parameters.cells
    inside_rng, place_rng = rng.spawn(2)
    n = draw_count(p.count, place_rng)
    if n < 1:
        raise InputError("the recipe drew a specimen without cells; cells.count must be at least 1")
    outlines = [_outline(p, place_rng) for _ in range(n)]
    centres = plane_centres(
        np.array([o.reach_um for o in outlines]), field_um,
        gap_um=parameters.gap_um, plane_offset_um=p.plane_offset_um, depth_offset_um=p.depth_offset_um, rng=place_rng,
    )  # fmt: skip
    cells = [outline.moved(centre) for outline, centre in zip(outlines, centres, strict=True)]
    if extended_x_um > field_um[2]:
        for _ in range(draw_count(p.neighbour_count, place_rng)):
            neighbour = _neighbour(parameters, cells, field_um, extended_x_um, place_rng)
            if neighbour is not None:
                cells.append(neighbour)
    bodies: list[Body] = []
    for number, (cell, own_rng) in enumerate(zip(cells, inside_rng.spawn(len(cells)), strict=True), 1):
        bodies += furnish(parameters, cell, number, ice_lac_per_um, own_rng)
    return YeastGeometry(tuple(bodies), n)


def _outline(p: CellParameters, rng: np.random.Generator) -> Shape:
    return spheroid(p.radius_um.draw(rng), p.axis_ratio, rng)


def plane_centres(
    reach_um: NDArray[np.float64],
    field_um: tuple[float, float, float],
    *,
    gap_um: float,
    plane_offset_um: Distribution,
    depth_offset_um: Distribution,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Pack balls in (z, x), turn by a random azimuth at which they fit the field, shift.

    Parameters
    ----------
    reach_um : ndarray, shape (n,), float64, um
        Radii.
    field_um : tuple of three float, um
        Extent of the field (z, y, x).
    gap_um : float, um
        Least distance between two balls.
    plane_offset_um, depth_offset_um : Distribution, um
        Shift of all along z and x, as far as the field has room; offset of each along y.
    rng : numpy.random.Generator
        Draws everything.

    Returns
    -------
    ndarray, shape (n, 3), float64, um
        Centres (z, y, x).

    Raises
    ------
    InputError
        Where a ball's centre would lie outside the field.
    """
    n = len(reach_um)
    plane = pack_discs(reach_um + gap_um / 2, rng)
    half = np.array([field_um[0], field_um[2]]) / 2
    best, least = plane, np.inf
    for azimuth in rng.uniform(0.0, 2.0 * np.pi, _AZIMUTHS if n > 1 else 1):
        c, s = np.cos(azimuth), np.sin(azimuth)
        turned = np.stack([c * plane[:, 0] - s * plane[:, 1], s * plane[:, 0] + c * plane[:, 1]], axis=1)
        low, high = (turned - reach_um[:, None]).min(axis=0), (turned + reach_um[:, None]).max(axis=0)
        turned = turned - (low + high) / 2
        overflow = float(np.maximum((high - low) / 2 - half, 0.0).sum())
        if overflow < least:
            best, least = turned, overflow
        if overflow == 0.0:
            break
    if (np.abs(best) > half).any():
        raise InputError(
            f"the recipe drew {n} cells of up to {reach_um.max():.2f} um radius, which cannot be packed side by side "
            f"into a field of {field_um[0]:.2f} x {field_um[2]:.2f} um; take fewer or smaller cells, or a larger grid"
        )
    room = np.maximum(half - (np.abs(best) + reach_um[:, None]).max(axis=0), 0.0)
    shift = np.clip([plane_offset_um.draw(rng) for _ in range(2)], -room, room)
    depth = [depth_offset_um.draw(rng) for _ in range(n)]
    return np.stack([best[:, 0] + shift[0], depth, best[:, 1] + shift[1]], axis=1)


def _neighbour(
    parameters: YeastParameters,
    cells: Sequence[Shape],
    field_um: tuple[float, float, float],
    extended_x_um: float,
    rng: np.random.Generator,
) -> Shape | None:
    """Draw one more cell whose centre lies in the extension, clear of all others; None where it finds no room."""
    p = parameters.cells
    outline = _outline(p, rng)
    depth = p.depth_offset_um.draw(rng)
    z = rng.uniform(-field_um[0] / 2, field_um[0] / 2, _PLACES)
    x = rng.uniform(field_um[2] / 2, extended_x_um / 2, _PLACES) * rng.choice([-1.0, 1.0], _PLACES)
    places = np.stack([z, np.full(_PLACES, depth), x], axis=1)
    free = Supports(cells).apart(outline, places, parameters.gap_um).all(axis=1)
    return outline.moved(places[np.argmax(free)]) if free.any() else None
