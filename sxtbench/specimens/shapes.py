"""Ellipsoids, spheres and tubes in world coordinates (um, (z, y, x), about the volume's centre), and how they touch.

Every shape is convex, so two facts decide everything, both read off support functions over a dense set of directions:
A lies in B if A reaches no farther than B in any direction, and A and B are apart if some direction separates them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.distributions import Distribution

if TYPE_CHECKING:
    from sxtbench.specimens.implicit import Region

ELLIPSOID, CAPSULE = 0, 1
N_DIRECTIONS = 1024


@dataclass(frozen=True, eq=False)
class Shape:
    """A convex shape.

    Parameters
    ----------
    form : int
        `ELLIPSOID`, or `CAPSULE`: a segment along the first body axis, swollen by a radius.
    centre_um : ndarray, shape (3,), float64, um
        Centre (z, y, x).
    radii_um : ndarray, shape (3,), float64, um
        Ellipsoid: semi-axes along the body axes. Capsule: half length of the segment, then twice the radius.
    rotation : ndarray, shape (3, 3), float64
        Rows are the body axes in world coordinates (z, y, x).
    """

    form: int
    centre_um: NDArray[np.float64]
    radii_um: NDArray[np.float64]
    rotation: NDArray[np.float64]

    @property
    def volume_um3(self) -> float:
        """Volume, um^3."""
        a, b, c = (float(r) for r in self.radii_um)
        ball = 4.0 / 3.0 * np.pi * b * c
        return ball * a if self.form == ELLIPSOID else ball * b + np.pi * b * c * 2.0 * a

    @property
    def reach_um(self) -> float:
        """Radius of the bounding sphere, um."""
        a, b, c = (float(r) for r in self.radii_um)
        return max(a, b, c) if self.form == ELLIPSOID else a + b

    @property
    def narrowest_um(self) -> float:
        """Radius of the largest sphere inside, um."""
        return float(self.radii_um.min() if self.form == ELLIPSOID else self.radii_um[1])

    def moved(self, centre_um: ArrayLike) -> "Shape":
        """Return the same shape elsewhere."""
        return Shape(self.form, np.asarray(centre_um, np.float64), self.radii_um, self.rotation)

    def surface_um(self, n: int) -> NDArray[np.float64]:
        """Points all over the surface of an ellipsoid, shape (n, 3), um."""
        return np.asarray(self.centre_um + _project(directions(n) * self.radii_um, self.rotation.T))

    def half_width_um(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Support function about the centre: reach along each direction.

        Parameters
        ----------
        directions : ndarray, shape (n, 3), float64
            Unit vectors (z, y, x).
        """
        body = _project(directions, self.rotation)
        if self.form == ELLIPSOID:
            return np.asarray(np.sqrt(((body * self.radii_um) ** 2).sum(axis=1)))
        return np.asarray(np.abs(body[:, 0]) * self.radii_um[0] + self.radii_um[1])

    def contains(self, points_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points, shape (n, 3), um, lie inside."""
        body = _project(points_um - self.centre_um, self.rotation)
        if self.form == ELLIPSOID:
            return np.asarray(((body / self.radii_um) ** 2).sum(axis=1) <= 1.0)
        body[:, 0] -= np.clip(body[:, 0], -self.radii_um[0], self.radii_um[0])
        return np.asarray((body**2).sum(axis=1) <= self.radii_um[1] ** 2)


@dataclass(frozen=True, eq=False)
class Body:
    """A thing in the specimen: one material in one or more shapes.

    Parameters
    ----------
    kind : str
        What it is, for the table of objects.
    label : int
        Class id (`sxtbench.labels`).
    cell : int
        Number of its cell, from 1.
    lac_per_um : float, 1/um
        Linear attenuation coefficient before texture.
    texture_sd_per_um : float, 1/um
        Standard deviation of its texture.
    shapes : tuple of Shape
        The body is their union.
    region : Region, optional
        Where the body is, in place of `shapes`, which then only describe it in the table of objects.
    """

    kind: str
    label: int
    cell: int
    lac_per_um: float
    texture_sd_per_um: float
    shapes: tuple[Shape, ...]
    region: "Region | None" = None


def ellipsoid(centre_um: ArrayLike, radii_um: ArrayLike, rotation: NDArray[np.float64] | None = None) -> Shape:
    """Return an ellipsoid; one radius makes a sphere."""
    radii = np.broadcast_to(np.asarray(radii_um, np.float64), (3,)).copy()
    return Shape(ELLIPSOID, np.asarray(centre_um, np.float64), radii, np.eye(3) if rotation is None else rotation)


def capsule(start_um: ArrayLike, end_um: ArrayLike, radius_um: float) -> Shape:
    """Return the points within `radius_um` of the segment from `start_um` to `end_um`."""
    start, end = np.asarray(start_um, np.float64), np.asarray(end_um, np.float64)
    length = float(np.sqrt(((end - start) ** 2).sum()))
    axis = (end - start) / length if length > 0 else np.array([1.0, 0.0, 0.0])
    # A frame about a unit vector without a square root or a branch near the poles (Duff et al. 2017).
    a, b, c = (float(v) for v in axis)
    sign = 1.0 if c >= 0 else -1.0
    p, q = -1.0 / (sign + c), -a * b / (sign + c)
    rotation = np.array([[a, b, c], [1.0 + sign * a * a * p, sign * q, -sign * a], [q, sign + b * b * p, -b]])
    return Shape(CAPSULE, (start + end) / 2, np.array([length / 2, radius_um, radius_um]), rotation)


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a rotation uniformly (from a random unit quaternion), shape (3, 3)."""
    w, a, b, c = random_directions(rng, 1, dimension=4)[0]
    return np.array(
        [
            [1 - 2 * (b * b + c * c), 2 * (a * b - w * c), 2 * (a * c + w * b)],
            [2 * (a * b + w * c), 1 - 2 * (a * a + c * c), 2 * (b * c - w * a)],
            [2 * (a * c - w * b), 2 * (b * c + w * a), 1 - 2 * (a * a + b * b)],
        ]
    )


def random_directions(rng: np.random.Generator, n: int, *, dimension: int = 3) -> NDArray[np.float64]:
    """Draw unit vectors uniformly, shape (n, dimension)."""
    vectors = rng.standard_normal((n, dimension))
    return np.asarray(vectors / np.sqrt((vectors**2).sum(axis=1, keepdims=True)))


def spheroid(radius_um: float, axis_ratio: Distribution, rng: np.random.Generator) -> Shape:
    """Draw an ellipsoid about the origin: each semi-axis a radius times a ratio, turned at random."""
    radii = np.array([radius_um * axis_ratio.draw(rng) for _ in range(3)])
    return ellipsoid(np.zeros(3), radii, random_rotation(rng))


@cache
def directions(n: int = N_DIRECTIONS) -> NDArray[np.float64]:
    """Return unit vectors (z, y, x) spread evenly, shape (n, 3): a Fibonacci half-sphere and its mirror image."""
    half = n // 2
    z = (np.arange(half) + 0.5) / half
    turn = np.pi * (1.0 + np.sqrt(5.0)) * np.arange(half)
    ring = np.sqrt(1.0 - z**2)
    upper = np.stack([z, ring * np.cos(turn), ring * np.sin(turn)], axis=1)
    both = np.asfortranarray(np.concatenate([upper, -upper]))  # components lie together: read one at a time
    both.flags.writeable = False
    return both


class Supports:
    """Support values of a growing set of shapes, for testing many candidate places against all of them at once.

    The directions are finite: `apart` then errs on the safe side, `inside` by less than 0.3 % of the radius of
    curvature, which the gaps that callers ask for cover.

    >>> ball = ellipsoid([0, 0, 0], 1.0)
    >>> places = np.array([[0.0, 0.0, 0.4], [0.0, 0.0, 0.7], [0.0, 0.0, 1.7]])
    >>> small = ellipsoid([0, 0, 0], 0.5)
    >>> Supports([ball]).inside(small, places)[:, 0].tolist()
    [True, False, False]
    >>> Supports([ball]).apart(small, places)[:, 0].tolist()
    [False, False, True]
    """

    def __init__(self, shapes: Sequence[Shape] = ()) -> None:
        self._centres = np.zeros((0, 3))
        self._widths = np.zeros((0, N_DIRECTIONS))
        for shape in shapes:
            self.add(shape)

    def __len__(self) -> int:
        return len(self._centres)

    def add(self, shape: Shape) -> None:
        """Add a shape to the set."""
        self._centres = np.concatenate([self._centres, shape.centre_um[None]])
        self._widths = np.concatenate([self._widths, shape.half_width_um(directions())[None]])

    def inside(self, shape: Shape, places_um: NDArray[np.float64], gap_um: float = 0.0) -> NDArray[np.bool_]:
        """Whether `shape`, moved to each place, lies in each shape of the set with a gap to spare.

        Returns
        -------
        ndarray, shape (n_places, n_shapes), bool
            True where it does.
        """
        own = shape.half_width_um(directions()) + gap_um
        result = np.zeros((len(places_um), len(self)), np.bool_)
        for k in range(len(self)):
            along = _project(places_um - self._centres[k], directions())
            result[:, k] = (along + own <= self._widths[k]).all(axis=1)
        return result

    def apart(self, shape: Shape, places_um: NDArray[np.float64], gap_um: float = 0.0) -> NDArray[np.bool_]:
        """Whether `shape`, moved to each place, is at least `gap_um` from each shape of the set.

        Returns
        -------
        ndarray, shape (n_places, n_shapes), bool
            True where it is.
        """
        own = shape.half_width_um(directions()) + gap_um
        offset = places_um[:, None] - self._centres[None]
        distance = np.sqrt((offset**2).sum(axis=2))
        result = np.asarray(distance >= shape.reach_um + gap_um + self._widths.max(axis=1, initial=0.0))
        hopeless = distance < shape.narrowest_um + gap_um + self._widths.min(axis=1, initial=np.inf)
        places, others = np.nonzero(~(result | hopeless))
        for k in np.unique(others):
            rows = places[others == k]
            along = _project(offset[rows, k], directions())
            result[rows, k] = (along - own >= self._widths[k]).any(axis=1)
        return result


def packed(shapes: Sequence[Shape]) -> dict[str, Any]:
    """Return the shapes as arrays for kernels: form, centre, radii, rotation, in order."""
    n = len(shapes)
    return {
        "form": np.array([s.form for s in shapes], np.int64),
        "centre": np.array([s.centre_um for s in shapes], np.float64).reshape(n, 3),
        "radii": np.array([s.radii_um for s in shapes], np.float64).reshape(n, 3),
        "rotation": np.ascontiguousarray([s.rotation for s in shapes], np.float64).reshape(n, 3, 3),
    }


def _project(points: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    # Written out rather than `@`: a matrix product's rounding depends on the BLAS and its threads.
    result = points[:, :1] * axes[None, :, 0]
    result += points[:, 1:2] * axes[None, :, 1]
    result += points[:, 2:] * axes[None, :, 2]
    return np.asarray(result)
