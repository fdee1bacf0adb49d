"""Ellipsoids that melt into each other in a bent space: cells with buds, vacuoles with lobes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sxtbench.specimens.budding_parameters import FormParameters
from sxtbench.specimens.deformation import Deformation, DeformationParameters, displace_block, draw_deformation
from sxtbench.specimens.implicit import Axis, Surface, depth_below, ellipsoid_level
from sxtbench.specimens.shapes import Shape, random_directions, spheroid
from sxtbench.specimens.yeast_parameters import draw_count

_Float = TypeVar("_Float", np.float32, np.float64)

_SURFACE_POINTS = 2048
_MARGIN = 0.02  # of the radius: what a surface does between its sampled points
_STEP = 0.01  # of the radius, for the slope at single points
_BALL_STEPS = 300
_PLACES = 400  # looked at for a body inside another
_FEW, _MANY = 24, 256  # points of a surface that must be clear: to give a place up early, and to take it


@dataclass(frozen=True, eq=False)
class Lobed:
    """A smooth union of ellipsoids in a bent space: one closed surface.

    As a field it is negative inside and close to the distance from the surface, um.

    Parameters
    ----------
    lobes : tuple of Shape
        Ellipsoids about `centre_um`, the first one the body's own, the others touching it.
    deformation : Deformation
        Displacement field about the centre.
    blend_um : float, um
        Distance over which surfaces melt into each other.
    centre_um : ndarray, shape (3,), float64, um
        Where it is.
    """

    lobes: tuple[Shape, ...]
    deformation: Deformation
    blend_um: float
    centre_um: NDArray[np.float64]

    @cached_property
    def radius_um(self) -> float:
        """Geometric mean of the first lobe's semi-axes, um."""
        return float(np.prod(self.lobes[0].radii_um) ** (1 / 3))

    @cached_property
    def offsets_um(self) -> NDArray[np.float64]:
        """Points all over the surface, about the centre, shape (n, 3), um; up to a quarter of the blend inside."""
        points = []
        for k, lobe in enumerate(self.lobes):
            own = lobe.surface_um(_SURFACE_POINTS // len(self.lobes))
            hidden = [other.contains(own) for j, other in enumerate(self.lobes) if j != k]
            points.append(own[~np.any(hidden, axis=0)] if hidden else own)
        return self.deformation.to_world(np.concatenate(points))

    @cached_property
    def bounds_um(self) -> NDArray[np.float64]:
        """Lower and upper corner of a box that holds it, shape (2, 3), um."""
        margin = _MARGIN * self.radius_um + self.blend_um / 4
        points = self.offsets_um + self.centre_um
        return np.stack([points.min(axis=0) - margin, points.max(axis=0) + margin])

    def on(self, z_um: Axis, y_um: Axis, x_um: Axis) -> NDArray[np.float32]:
        """Sample the field, shape (n_z, n_y, n_x), float32, um."""
        z, y, x = (axis - c for axis, c in zip((z_um, y_um, x_um), self.centre_um, strict=True))
        u = np.empty((len(z), len(y), len(x), 3))
        displace_block(z, y, x, self.deformation.coefficients, self.deformation.spacing_um, u)
        level = np.empty(u.shape[:3], np.float32)
        for k, lobe in enumerate(self.lobes):
            own = np.empty(u.shape[:3], np.float32)
            dz, dy, dx = lobe.centre_um
            ellipsoid_level(z - dz, y - dy, x - dx, u, lobe.rotation, lobe.radii_um, _mean_radius(lobe), own)
            level = melted(level, own, self.blend_um) if k else own
        return level

    def depth_um(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far points lie inside the surface (negative outside), to first order; shape (n,), um."""
        return depth_below(self._level, points_um - self.centre_um, _STEP * self.radius_um)

    def scaled(self, factor: float) -> "Lobed":
        """Return the same body `factor` times as large, about the same centre."""
        lobes = tuple(Shape(s.form, s.centre_um * factor, s.radii_um * factor, s.rotation) for s in self.lobes)
        u = Deformation(self.deformation.coefficients * factor, self.deformation.spacing_um * factor)
        return Lobed(lobes, u, self.blend_um * factor, self.centre_um)

    def moved(self, centre_um: NDArray[np.float64]) -> "Lobed":
        """Return the same body elsewhere."""
        return replace(self, centre_um=centre_um)

    def _level(self, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        q = offsets + self.deformation.at(offsets)
        level = np.empty(0)
        for k, lobe in enumerate(self.lobes):
            r, p = lobe.rotation, q - lobe.centre_um
            body = p[:, :1] * r[None, :, 0] + p[:, 1:2] * r[None, :, 1] + p[:, 2:] * r[None, :, 2]
            own = (np.sqrt(((body / lobe.radii_um) ** 2).sum(axis=1)) - 1.0) * _mean_radius(lobe)
            level = melted(level, own, self.blend_um) if k else own
        return level


@dataclass(frozen=True, eq=False)
class Inset:
    """A surface below another: what lies inside a wall.

    Parameters
    ----------
    outer : Surface
        The surface.
    by_um : float, um
        How far below.
    """

    outer: Surface
    by_um: float

    @property
    def bounds_um(self) -> NDArray[np.float64]:
        """Lower and upper corner of a box that holds it, shape (2, 3), um."""
        return self.outer.bounds_um

    def depth_um(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far points lie inside (negative outside), to first order; shape (n,), um."""
        return self.outer.depth_um(points_um) - self.by_um


def melted(a: NDArray[_Float], b: NDArray[_Float], blend: float) -> NDArray[_Float]:
    """Minimum of two fields, rounded off where they differ by less than `blend` (the polynomial smooth minimum).

    Parameters
    ----------
    a, b : ndarray, equal shapes, um
        Fields.
    blend : float, um
        0 is the plain minimum. The result is at most a quarter of it below that.

    Examples
    --------
    >>> melted(np.array([0.0, 0.0]), np.array([0.0, 1.0]), 0.5).tolist()
    [-0.125, 0.0]
    """
    least: NDArray[_Float] = np.minimum(a, b)
    if blend <= 0:
        return least
    near = np.maximum(blend - np.abs(a - b), 0)
    rounded: NDArray[_Float] = least - (near * near * (0.25 / blend)).astype(least.dtype)
    return rounded


def draw_lobed(p: FormParameters, rng: np.random.Generator, bend: np.random.Generator) -> Lobed:
    """Draw a body of unit radius about the origin, turned at random.

    Parameters
    ----------
    p : FormParameters
        Its form.
    rng, bend : numpy.random.Generator
        Draw the ellipsoids, and the displacement field.
    """
    first = spheroid(1.0, p.axis_ratio, rng)
    lobes = [first]
    for _ in range(draw_count(p.lobes, rng)):
        radius, neck = p.lobe_radius_fraction.draw(rng), p.neck_fraction.draw(rng)
        direction = random_directions(rng, 1)
        surface = 1.0 / np.sqrt((((direction @ first.rotation.T) / first.radii_um) ** 2).sum())
        lobe = spheroid(radius, p.axis_ratio, rng)
        own = 1.0 / np.sqrt((((direction @ lobe.rotation.T) / lobe.radii_um) ** 2).sum())
        lobes.append(lobe.moved(direction[0] * (surface + own * np.sqrt(max(1.0 - neck**2, 0.0)))))
    irregularity = DeformationParameters(sd_um=p.irregularity_fraction, correlation_um=p.irregularity_length_fraction)
    edge = 2.5 * max(float(np.sqrt((s.centre_um**2).sum())) + s.reach_um for s in lobes)
    u = draw_deformation(irregularity, (edge, edge, edge), bend)
    centred = Deformation(u.coefficients - u.at(np.zeros(3)).reshape(3, 1, 1, 1), u.spacing_um)
    return Lobed(tuple(lobes), centred, p.blend_fraction, np.zeros(3))


def enclosing_ball(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return centre and radius of a ball about points, hardly larger than the smallest (Badoiu and Clarkson 2003).

    Parameters
    ----------
    points : ndarray, shape (n, d), float64
        At least one.
    """
    centre = points.mean(axis=0)
    for step in range(2, _BALL_STEPS):
        centre = centre + (points[np.argmax(((points - centre) ** 2).sum(axis=1))] - centre) / step
    return centre, float(np.sqrt(((points - centre) ** 2).sum(axis=1).max()))


def place_inside(
    body: Lobed, within: Surface, others: Sequence[Lobed], gap_um: float, rng: np.random.Generator
) -> Lobed | None:
    """Move a body to the first of many random places inside a surface and clear of others; None where none will do.

    Parameters
    ----------
    body : Lobed
        What is placed.
    within : Surface
        The container.
    others : sequence of Lobed
        What must be neither touched nor entered.
    gap_um : float, um
        Least distance.
    rng : numpy.random.Generator
        Draws the places.
    """
    low, high = within.bounds_um
    places = rng.uniform(low, high, (_PLACES, 3))
    centred = within.depth_um(places) >= 0.5 * body.radius_um + gap_um
    for other in others:
        centred &= other.depth_um(places) < 0.0
    few = body.offsets_um[:: max(1, len(body.offsets_um) // _FEW)]
    many = body.offsets_um[:: max(1, len(body.offsets_um) // _MANY)]
    for place in places[centred]:
        if bool((within.depth_um(place + few) < gap_um).any()) or bool((within.depth_um(place + many) < gap_um).any()):
            continue
        moved = body.moved(place)
        if all(_apart(moved, other, many, gap_um) for other in others):
            return moved
    return None


def _apart(body: Lobed, other: Lobed, probes: NDArray[np.float64], gap_um: float) -> bool:
    theirs = other.offsets_um[:: max(1, len(other.offsets_um) // _MANY)] + other.centre_um
    return bool((other.depth_um(body.centre_um + probes) <= -gap_um).all()) and bool(
        (body.depth_um(theirs) <= -gap_um).all()
    )


def _mean_radius(shape: Shape) -> float:
    return float(np.prod(shape.radii_um) ** (1 / 3))
