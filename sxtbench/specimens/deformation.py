"""Gentle irregularity: one smooth displacement field that labels and LAC share.

The specimen at a world point p is the undeformed geometry at p + u(p). u is a cubic B-spline over a coarse lattice of
normal coefficients. Its gradient is kept below one, so p -> p + u(p) is a bijection: nothing folds, and what did not
overlap before does not overlap after.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from sxtbench.distributions import Parameters
from sxtbench.jit import exact_kernel

_STEEPEST = 0.8  # bound on the norm of the gradient of u, well below the 1 at which folding becomes possible
_SPLINE_POWER = 151.0 / 315.0  # integral of the squared cubic B-spline: variance left of unit coefficients, an axis
_ITERATIONS = 80
_SAMPLES = 3  # a lattice cell and axis, where a bound of the field is looked for; a smooth field's extreme between
_SAFETY = 1.1  # samples is a few per cent above theirs


class DeformationParameters(Parameters):
    """How irregular the specimen is.

    Parameters
    ----------
    sd_um : float, um
        Standard deviation of each component of the displacement.
    correlation_um : float, um
        Spacing of the lattice; the field's autocorrelation falls to one half at this distance.
    """

    sd_um: float = Field(ge=0)
    correlation_um: float = Field(gt=0)


@dataclass(frozen=True, eq=False)
class Deformation:
    """A displacement field u(p), um, defined everywhere (constant beyond its lattice's ends).

    Parameters
    ----------
    coefficients : ndarray, shape (3, nz, ny, nx), float64, um
        Spline coefficients of the z, y and x components; node i of an axis lies at (i - (n - 1) / 2) * spacing.
    spacing_um : float, um
        Lattice spacing.
    """

    coefficients: NDArray[np.float64]
    spacing_um: float

    @cached_property
    def steepest(self) -> float:
        """Bound on the Lipschitz constant of u: how much it changes over a distance, relative to that distance."""
        slopes = np.stack([_sampled(self.coefficients, along) for along in range(3)]) / self.spacing_um
        return float(np.sqrt((slopes**2).sum(axis=(0, 1)).max())) * _SAFETY

    @cached_property
    def largest_um(self) -> float:
        """Bound on the length of u, um."""
        return float(np.sqrt((_sampled(self.coefficients, None) ** 2).sum(axis=0).max())) * _SAFETY

    def at(self, points_um: ArrayLike) -> NDArray[np.float64]:
        """Displacement u, um, at points of shape (n, 3), (z, y, x), um."""
        points = np.ascontiguousarray(points_um, np.float64).reshape(-1, 3)
        out = np.empty_like(points)
        _at_points(points, self.coefficients, self.spacing_um, out)
        return out

    def to_world(self, points_um: ArrayLike) -> NDArray[np.float64]:
        """Where points of the undeformed geometry end up: p with p + u(p) = q, by a contraction; shape (n, 3), um."""
        target = np.ascontiguousarray(points_um, np.float64).reshape(-1, 3)
        place = target - self.at(target)
        for _ in range(_ITERATIONS):
            moved = target - self.at(place)
            if float(np.abs(moved - place).max(initial=0.0)) < 1e-9:
                return moved
            place = moved
        return place


def identity() -> Deformation:
    """Return no deformation.

    >>> identity().largest_um
    0.0
    """
    return Deformation(np.zeros((3, 1, 1, 1)), 1.0)


def draw_deformation(
    parameters: DeformationParameters, extent_um: tuple[float, float, float], rng: np.random.Generator
) -> Deformation:
    """Draw a displacement field that covers a box about the origin.

    Parameters
    ----------
    parameters : DeformationParameters
        Strength and smoothness.
    extent_um : tuple of three float, um
        Edges of the box (z, y, x): the largest grid that will be rendered. Grids rendered with one field agree.
    rng : numpy.random.Generator
        Draws the coefficients.

    Returns
    -------
    Deformation
        Scaled down as a whole where its gradient could exceed 0.8.
    """
    spacing = parameters.correlation_um
    shape = [int(np.ceil(edge / spacing)) + 5 for edge in extent_um]
    unit = parameters.sd_um / np.sqrt(_SPLINE_POWER**3)
    field = Deformation(rng.standard_normal((3, *shape)) * unit, spacing)
    excess = field.steepest / _STEEPEST
    return field if excess <= 1.0 else Deformation(field.coefficients / excess, spacing)


def _sampled(coefficients: NDArray[np.float64], along: int | None) -> NDArray[np.float64]:
    """Sample the spline, or its derivative along one axis (per lattice cell), on a refined lattice."""
    values = coefficients
    for axis in range(3):
        n = values.shape[axis + 1]
        t = np.linspace(0.0, n - 1.0, _SAMPLES * (n - 1) + 1)
        distance = np.abs(t[:, None] - np.arange(-1, n + 1)[None, :])
        if axis == along:
            slope = np.where(distance < 1, distance * (1.5 * distance - 2), -0.5 * np.maximum(2 - distance, 0) ** 2)
            weights = slope * np.sign(t[:, None] - np.arange(-1, n + 1)[None, :])
        else:
            weights = np.where(
                distance < 1, 2 / 3 - distance**2 * (1 - distance / 2), np.maximum(2 - distance, 0) ** 3 / 6
            )
        folded = weights[:, 1:-1].copy()  # nodes beyond the ends repeat the last ones
        folded[:, 0] += weights[:, 0]
        folded[:, -1] += weights[:, -1]
        values = np.moveaxis(np.tensordot(folded, values, axes=(1, axis + 1)), 0, axis + 1)
    return values


@exact_kernel
def _taps(t: float, n: int, index: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
    """Nodes (clamped) and cubic B-spline weights of a lattice coordinate."""
    cell = np.floor(t)
    f = t - cell
    g = 1.0 - f
    weight[0] = g * g * g / 6.0
    weight[1] = (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0
    weight[2] = (4.0 - 6.0 * g * g + 3.0 * g * g * g) / 6.0
    weight[3] = f * f * f / 6.0
    for k in range(4):
        index[k] = min(max(int(cell) - 1 + k, 0), n - 1)


@exact_kernel
def _at_points(
    points: NDArray[np.float64], coefficients: NDArray[np.float64], spacing: float, out: NDArray[np.float64]
) -> None:
    _, n_z, n_y, n_x = coefficients.shape
    index = np.empty((3, 4), np.int64)
    weight = np.empty((3, 4), np.float64)
    for p in range(len(points)):
        _taps(points[p, 0] / spacing + (n_z - 1) / 2, n_z, index[0], weight[0])
        _taps(points[p, 1] / spacing + (n_y - 1) / 2, n_y, index[1], weight[1])
        _taps(points[p, 2] / spacing + (n_x - 1) / 2, n_x, index[2], weight[2])
        for component in range(3):
            total = 0.0
            for k in range(4):
                for j in range(4):
                    for i in range(4):
                        w = weight[0, k] * weight[1, j] * weight[2, i]
                        total += w * coefficients[component, index[0, k], index[1, j], index[2, i]]
            out[p, component] = total


@exact_kernel
def displace_block(
    z: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    spacing: float,
    out: NDArray[np.float64],
) -> None:
    """Write u at all points of three axes into `out`, shape (n_z, n_y, n_x, 3), contracting the lattice axis by axis.

    Strict IEEE order: a point gets the same bits whatever block it is computed in.
    """
    _, n_z, n_y, n_x = coefficients.shape
    index = np.empty(4, np.int64)
    weight = np.empty(4, np.float64)
    index_x = np.empty((len(x), 4), np.int64)
    weight_x = np.empty((len(x), 4), np.float64)
    for i in range(len(x)):
        _taps(x[i] / spacing + (n_x - 1) / 2, n_x, index_x[i], weight_x[i])
    plane = np.empty((3, n_y, n_x))
    line = np.empty((3, n_x))
    for k in range(len(z)):
        _taps(z[k] / spacing + (n_z - 1) / 2, n_z, index, weight)
        for c in range(3):
            for j in range(n_y):
                for i in range(n_x):
                    total = 0.0
                    for tap in range(4):
                        total += weight[tap] * coefficients[c, index[tap], j, i]
                    plane[c, j, i] = total
        for j in range(len(y)):
            _taps(y[j] / spacing + (n_y - 1) / 2, n_y, index, weight)
            for c in range(3):
                for i in range(n_x):
                    total = 0.0
                    for tap in range(4):
                        total += weight[tap] * plane[c, index[tap], i]
                    line[c, i] = total
            for i in range(len(x)):
                for c in range(3):
                    total = 0.0
                    for tap in range(4):
                        total += weight_x[i, tap] * line[c, index_x[i, tap]]
                    out[k, j, i, c] = total
