"""Bodies from smooth implicit surfaces: irregular blobs, sheets that follow a surface, patches of noise.

A field is a function of the place. A region is where each of some fields lies in a band, so that a sheet about a
nucleus is `|distance - offset| <= thickness / 2` in patches of a noise. Bands are given as distances: a field's
deviation from the band's level is divided by the field's slope, which makes a sheet as thick as it is said to be
wherever the field is not a distance itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.jit import exact_kernel
from sxtbench.specimens.blocks import in_blocks
from sxtbench.specimens.deformation import Deformation, displace_block
from sxtbench.specimens.shapes import Shape
from sxtbench.specimens.texture import add_gradient_noise

_BLOCK = 8
_SURFACE_POINTS = 2048
_MARGIN = 0.02  # of the radius: what a surface does between its sampled points
_STEP = 0.01  # of the radius, for the slope at single points
_STENCIL = np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
_MOST_BANDS = 3

Axis = NDArray[np.float64]


class Field(Protocol):
    """A function of the place that can be sampled at all points of three ascending axes."""

    def on(self, z_um: Axis, y_um: Axis, x_um: Axis) -> NDArray[np.float32]:
        """Values, shape (n_z, n_y, n_x), float32."""
        ...


class Surface(Protocol):
    """A closed surface that things can lie inside or outside of."""

    @property
    def bounds_um(self) -> NDArray[np.float64]:
        """Lower and upper corner of a box that holds it, shape (2, 3), um."""
        ...

    def depth_um(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far points lie inside (negative outside), to first order; shape (n,), um."""
        ...


@dataclass(frozen=True, eq=False)
class Blob:
    """An ellipsoid in a bent space: a smooth, closed, irregular surface.

    As a field it is negative inside and close to the distance from the surface, um.

    Parameters
    ----------
    shape : Shape
        Ellipsoid; its centre is where the blob is.
    deformation : Deformation
        Displacement field about that centre.
    """

    shape: Shape
    deformation: Deformation

    @cached_property
    def radius_um(self) -> float:
        """Geometric mean of the semi-axes, um."""
        return float(np.prod(self.shape.radii_um) ** (1 / 3))

    @cached_property
    def surface_um(self) -> NDArray[np.float64]:
        """Points all over the surface, shape (n, 3), um."""
        centre = self.shape.centre_um
        return np.asarray(self.deformation.to_world(self.shape.surface_um(_SURFACE_POINTS) - centre) + centre)

    @cached_property
    def bounds_um(self) -> NDArray[np.float64]:
        """Lower and upper corner of a box that holds the blob, shape (2, 3), um."""
        margin = _MARGIN * self.radius_um
        return np.stack([self.surface_um.min(axis=0) - margin, self.surface_um.max(axis=0) + margin])

    def on(self, z_um: Axis, y_um: Axis, x_um: Axis) -> NDArray[np.float32]:
        """Sample the field, shape (n_z, n_y, n_x), float32, um."""
        z, y, x = (axis - c for axis, c in zip((z_um, y_um, x_um), self.shape.centre_um, strict=True))
        u = np.empty((len(z), len(y), len(x), 3))
        displace_block(z, y, x, self.deformation.coefficients, self.deformation.spacing_um, u)
        out = np.empty(u.shape[:3], np.float32)
        ellipsoid_level(z, y, x, u, self.shape.rotation, self.shape.radii_um, self.radius_um, out)
        return out

    def depth_um(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far points lie inside the surface (negative outside), to first order; shape (n,), um."""
        return depth_below(self._level, points_um - self.shape.centre_um, _STEP * self.radius_um)

    def scaled(self, factor: float) -> "Blob":
        """Return the same blob `factor` times as large, about the same centre."""
        shape, u = self.shape, self.deformation
        return Blob(
            Shape(shape.form, shape.centre_um, shape.radii_um * factor, shape.rotation),
            Deformation(u.coefficients * factor, u.spacing_um * factor),
        )

    def moved(self, centre_um: NDArray[np.float64]) -> "Blob":
        """Return the same blob elsewhere."""
        return Blob(self.shape.moved(centre_um), self.deformation)

    def _level(self, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        q = offsets + self.deformation.at(offsets)
        r = self.shape.rotation
        body = q[:, :1] * r[None, :, 0] + q[:, 1:2] * r[None, :, 1] + q[:, 2:] * r[None, :, 2]
        return np.asarray((np.sqrt(((body / self.shape.radii_um) ** 2).sum(axis=1)) - 1.0) * self.radius_um)


@dataclass(frozen=True)
class Noise:
    """Gradient noise of zero mean and about unit standard deviation.

    Parameters
    ----------
    spacing_um : float, um
        Lattice spacing.
    key : int
        64-bit key.
    """

    spacing_um: float
    key: int

    def on(self, z_um: Axis, y_um: Axis, x_um: Axis) -> NDArray[np.float32]:
        """Sample the field, shape (n_z, n_y, n_x), float32."""
        out = np.zeros((len(z_um), len(y_um), len(x_um)), np.float32)
        add_gradient_noise(out, z_um, y_um, x_um, spacing_um=self.spacing_um, key=self.key)
        return out


@dataclass(frozen=True, eq=False)
class Sum:
    """A weighted sum of fields.

    Parameters
    ----------
    terms : tuple of (float, Field)
        Weights and fields.
    """

    terms: tuple[tuple[float, Field], ...]

    def on(self, z_um: Axis, y_um: Axis, x_um: Axis) -> NDArray[np.float32]:
        """Sample the field, shape (n_z, n_y, n_x), float32."""
        (weight, first), *others = self.terms
        out = first.on(z_um, y_um, x_um)
        if weight != 1.0:
            out *= np.float32(weight)
        for weight, term in others:
            out += np.float32(weight) * term.on(z_um, y_um, x_um)
        return out


@dataclass(frozen=True, eq=False)
class Band:
    """Where `low <= (field - level) / slope <= high`.

    Parameters
    ----------
    field : Field
        The field.
    level : float
        Level of the surface that distances are counted from, in the field's unit.
    low, high : float, um
        Signed distances from that surface, counted up the field's slope; infinite for a band without an end.
    """

    field: Field
    level: float = 0.0
    low: float = -np.inf
    high: float = 0.0


@dataclass(frozen=True, eq=False)
class Region:
    """Where all bands meet.

    Parameters
    ----------
    bands : tuple of Band
        The one that leaves out most first.
    bounds_um : ndarray, shape (2, 3), float64, um
        Corners of a box that holds the region.
    """

    bands: tuple[Band, ...]
    bounds_um: NDArray[np.float64]


@dataclass(eq=False)
class Sampler:
    """Samples fields on parts of a block, each only once.

    Parameters
    ----------
    z_um, y_um, x_um : ndarray, float64, um
        Axes of the block with one point more on each side.
    """

    z_um: Axis
    y_um: Axis
    x_um: Axis
    _known: dict[tuple[int, tuple[int, ...]], tuple[NDArray[np.float32], float]] = field(default_factory=dict)

    def on(
        self, one: Field, first: tuple[int, int, int], last: tuple[int, int, int]
    ) -> tuple[NDArray[np.float32], float]:
        """Values in the block's voxels first .. last - 1 and one more on each side, and their steepest rise a voxel."""
        key = (id(one), (*first, *last))
        if key not in self._known:
            z, y, x = (
                axis[a : b + 2] for axis, a, b in zip((self.z_um, self.y_um, self.x_um), first, last, strict=True)
            )
            values = one.on(z, y, x)
            self._known[key] = values, _steepest(values)
        return self._known[key]


def depth_below(
    level: Callable[[NDArray[np.float64]], NDArray[np.float64]], points: NDArray[np.float64], step: float
) -> NDArray[np.float64]:
    """How far points lie below the zero of a field, to first order: its level over its slope.

    Parameters
    ----------
    level : callable
        Points of shape (n, 3) -> values of the field, shape (n,), um.
    points : ndarray, shape (n, 3), float64, um
        Where.
    step : float, um
        Step of the central differences that give the slope.
    """
    moved = points[None] + step * _STENCIL[:, None]
    levels = level(moved.reshape(-1, 3)).reshape(7, -1)
    slope = np.sqrt(((levels[1:4] - levels[4:]) ** 2).sum(axis=0)) / (2.0 * step)
    return np.asarray(-levels[0] / np.maximum(slope, 0.1))


def noise_above(share: float) -> float:
    """Level that gradient noise exceeds in about this share of the volume.

    >>> round(noise_above(0.5), 3)
    0.0
    """
    return NormalDist().inv_cdf(min(max(1.0 - share, 1e-6), 1.0 - 1e-6))


def add_membrane(
    lac: NDArray[np.float32],
    grid: VolumeGrid,
    surface: Blob,
    *,
    thickness_um: float,
    lac_per_um: float,
    workers: int | None = None,
) -> None:
    """Add a bilayer under a surface as surface density, in place: (LAC - local) * thickness for each area.

    Parameters
    ----------
    lac : ndarray, shape grid.shape (z, y, x), float32, 1/um
        The scene without the bilayer. It may be much thinner than a voxel: its mass is kept all the same.
    grid : VolumeGrid
        Where.
    surface : Blob
        The bilayer lies just inside.
    thickness_um, lac_per_um : float, um and 1/um
        Of the bilayer.
    workers : int, optional
        Threads, default one a core. The result does not depend on it.
    """
    edge = grid.voxel_size_um
    low, high = voxel_box(surface.bounds_um, grid)
    if (low >= high).any():
        return
    wide = [(np.arange(low[a] - 1, high[a] + 1) - (grid.shape[a] - 1) / 2) * edge for a in range(3)]

    def block(first: int, last: int) -> None:
        level = surface.on(wide[0][first : last + 2], wide[1], wide[2])
        here = (slice(low[0] + first, low[0] + last), slice(low[1], high[1]), slice(low[2], high[2]))
        _add_membrane(level, edge, thickness_um, lac_per_um, lac[here])

    in_blocks(block, int(high[0] - low[0]), block=_BLOCK, workers=workers)


def voxel_box(bounds_um: NDArray[np.float64], grid: VolumeGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Voxels that a box in um touches: first and one past last along (z, y, x), inside the grid."""
    middle = (np.array(grid.shape) - 1) / 2
    low = np.floor(bounds_um[0] / grid.voxel_size_um + middle).astype(np.int64)
    high = np.ceil(bounds_um[1] / grid.voxel_size_um + middle).astype(np.int64) + 1
    low = np.clip(low, 0, grid.shape)
    return low, np.maximum(np.clip(high, 0, grid.shape), low)


def paint_region(
    region: Region,
    own: int,
    box: NDArray[np.int64],
    sampler: Sampler,
    *,
    edge_um: float,
    owner: NDArray[np.uint16],
    slot: NDArray[np.int32],
    raster: NDArray[np.uint16],
    used: NDArray[np.int64],
) -> None:
    """Paint a region over a block of `voxelise`, with its 3 x 3 x 3 raster where a boundary may cross a voxel.

    Parameters
    ----------
    region : Region
        What to paint.
    own : int
        1 + the index of its body.
    box : ndarray, shape (2, 3), int64
        Voxels of the block that it can reach.
    sampler : Sampler
        Of the block.
    edge_um : float, um
        Edge of a voxel.
    owner, slot, raster, used : ndarray
        The painter's state: topmost body at the centres, place of each voxel's raster, rasters, how many are in use.
    """
    if bool((box[0] >= box[1]).any()):
        return
    first, last = (int(box[0, 0]), int(box[0, 1]), int(box[0, 2])), (int(box[1, 0]), int(box[1, 1]), int(box[1, 2]))
    sampled = [sampler.on(band.field, first, last) for band in region.bands]
    bands = np.array(
        [
            [band.level, band.low, band.high, steepest]
            for band, (_, steepest) in zip(region.bands, sampled, strict=True)
        ],
        np.float64,
    )
    if len(bands) > _MOST_BANDS:
        raise InputError(f"a region of {len(bands)} bands, at most {_MOST_BANDS} can be painted")
    one, two, three = [values for values, _ in sampled] + [sampled[0][0]] * (_MOST_BANDS - len(bands))
    _paint_bands(one, two, three, bands, np.uint16(own), edge_um, box[0], owner, slot, raster, used)


def part_of_block(box: NDArray[np.int64], first: int, last: int) -> NDArray[np.int64]:
    """Return the part of a box of voxels, shape (2, 3), that lies in the slices first .. last - 1, from there."""
    part = box.copy()
    part[:, 0] = np.clip(box[:, 0], first, last) - first
    return part


@exact_kernel
def ellipsoid_level(
    z: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    u: NDArray[np.float64],
    r: NDArray[np.float64],
    radii: NDArray[np.float64],
    unit: float,
    out: NDArray[np.float32],
) -> None:
    """Write the level of an ellipsoid in a displaced space, its distance to first order, at all points of a block."""
    a0, a1, a2 = 1.0 / radii[0], 1.0 / radii[1], 1.0 / radii[2]
    for k in range(len(z)):
        for j in range(len(y)):
            for i in range(len(x)):
                q0, q1, q2 = z[k] + u[k, j, i, 0], y[j] + u[k, j, i, 1], x[i] + u[k, j, i, 2]
                b0 = a0 * (r[0, 0] * q0 + r[0, 1] * q1 + r[0, 2] * q2)
                b1 = a1 * (r[1, 0] * q0 + r[1, 1] * q1 + r[1, 2] * q2)
                b2 = a2 * (r[2, 0] * q0 + r[2, 1] * q1 + r[2, 2] * q2)
                out[k, j, i] = (np.sqrt(b0 * b0 + b1 * b1 + b2 * b2) - 1.0) * unit


@exact_kernel
def _steepest(values: NDArray[np.float32]) -> float:
    """Largest difference of two neighbours."""
    n_z, n_y, n_x = values.shape
    largest = np.float32(0.0)
    for k in range(n_z):
        for j in range(n_y):
            for i in range(n_x):
                here = values[k, j, i]
                if k > 0:
                    largest = max(largest, abs(here - values[k - 1, j, i]))
                if j > 0:
                    largest = max(largest, abs(here - values[k, j - 1, i]))
                if i > 0:
                    largest = max(largest, abs(here - values[k, j, i - 1]))
    return np.float64(largest)


@exact_kernel
def _paint_bands(
    one: NDArray[np.float32],
    two: NDArray[np.float32],
    three: NDArray[np.float32],
    bands: NDArray[np.float64],
    own: np.uint16,
    edge: float,
    start: NDArray[np.int64],
    owner: NDArray[np.uint16],
    slot: NDArray[np.int32],
    raster: NDArray[np.uint16],
    used: NDArray[np.int64],
) -> None:
    n = len(bands)
    level, rise, low, high = np.empty(n), np.zeros((n, 3)), np.empty(n), np.empty(n)
    # Bounds for any slope that occurs: where they decide, the slope itself is not needed.
    floor, ceiling, filled = np.empty(n), np.empty(n), np.empty(n)
    for b in range(n):
        reach, steepest = bands[b, 3], np.sqrt(3.0) * bands[b, 3] / edge
        floor[b] = min(bands[b, 1], 0.0) * steepest - reach
        ceiling[b] = max(bands[b, 2], 0.0) * steepest + reach
        filled[b] = min(bands[b, 2], 0.0) * steepest - reach if bands[b, 1] == -np.inf else -np.inf
    for k in range(one.shape[0] - 2):
        for j in range(one.shape[1] - 2):
            for i in range(one.shape[2] - 2):
                whole, nothing, centre = True, False, True
                for b in range(n):
                    v = one if b == 0 else (two if b == 1 else three)
                    f = np.float64(v[k + 1, j + 1, i + 1]) - bands[b, 0]
                    if f > ceiling[b] or f < floor[b]:
                        nothing = True
                        break
                    if f < filled[b]:
                        level[b], low[b], high[b] = f, -np.inf, np.inf
                        continue
                    gz = (np.float64(v[k + 2, j + 1, i + 1]) - np.float64(v[k, j + 1, i + 1])) / 6.0
                    gy = (np.float64(v[k + 1, j + 2, i + 1]) - np.float64(v[k + 1, j, i + 1])) / 6.0
                    gx = (np.float64(v[k + 1, j + 1, i + 2]) - np.float64(v[k + 1, j + 1, i])) / 6.0
                    # Change over a third of a voxel, hence the slope is three of them to the edge.
                    slope = max(np.sqrt(gz * gz + gy * gy + gx * gx) * 3.0 / edge, 1e-9)
                    spread = abs(gz) + abs(gy) + abs(gx)
                    bottom, top = bands[b, 1] * slope, bands[b, 2] * slope
                    if f - spread > top or f + spread < bottom:
                        nothing = True
                        break
                    if f + spread > top or f - spread < bottom:
                        whole = False
                        if f > top or f < bottom:
                            centre = False
                    level[b], low[b], high[b] = f, bottom, top
                    rise[b, 0], rise[b, 1], rise[b, 2] = gz, gy, gx
                if nothing:
                    continue
                kk, jj, ii = k + start[0], j + start[1], i + start[2]
                place = slot[kk, jj, ii]
                if whole:
                    owner[kk, jj, ii] = own
                    if place >= 0:
                        for p in range(27):
                            raster[place, p] = own
                    continue
                if place < 0:
                    place = used[0]
                    used[0] += 1
                    slot[kk, jj, ii] = place
                    for p in range(27):
                        raster[place, p] = owner[kk, jj, ii]
                p = 0
                for dz in range(-1, 2):
                    for dy in range(-1, 2):
                        for dx in range(-1, 2):
                            inside = True
                            for b in range(n):
                                f = level[b] + (rise[b, 0] * dz + rise[b, 1] * dy + rise[b, 2] * dx)
                                if f > high[b] or f < low[b]:
                                    inside = False
                            if inside:
                                raster[place, p] = own
                            p += 1
                if centre:
                    owner[kk, jj, ii] = own


@exact_kernel
def _add_membrane(
    level: NDArray[np.float32], edge: float, thickness: float, membrane_lac: float, lac: NDArray[np.float32]
) -> None:
    """Share of each voxel's 27 points in a layer as thick as their pitch, weighted by a hat: sums to the area."""
    n_z, n_y, n_x = lac.shape
    pitch = edge / 3.0
    for k in range(n_z):
        for j in range(n_y):
            for i in range(n_x):
                f = np.float64(level[k + 1, j + 1, i + 1])
                gz = (np.float64(level[k + 2, j + 1, i + 1]) - np.float64(level[k, j + 1, i + 1])) / 6.0
                gy = (np.float64(level[k + 1, j + 2, i + 1]) - np.float64(level[k + 1, j, i + 1])) / 6.0
                gx = (np.float64(level[k + 1, j + 1, i + 2]) - np.float64(level[k + 1, j + 1, i])) / 6.0
                slope = max(np.sqrt(gz * gz + gy * gy + gx * gx) / pitch, 1e-9)
                middle = f / slope + thickness / 2.0
                if abs(middle) > (abs(gz) + abs(gy) + abs(gx)) / slope + pitch:
                    continue
                total = 0.0
                for dz in range(-1, 2):
                    for dy in range(-1, 2):
                        for dx in range(-1, 2):
                            distance = abs(middle + (gz * dz + gy * dy + gx * dx) / slope) / pitch
                            if distance < 1.0:
                                total += 1.0 - distance
                area = total / (27.0 * pitch)
                lac[k, j, i] += (membrane_lac - np.float64(lac[k, j, i])) * thickness * area
