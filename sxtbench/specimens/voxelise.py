"""Bodies to voxels: labels at voxel centres and LAC with partial volume, from one geometry and one displacement field.

A body is a union of shapes in the displaced space, or a region of implicit fields (`implicit`). A later body covers an
earlier one. In voxels near a surface all 27 points of a 3 x 3 x 3 raster keep their own topmost body, so the mean is
that of the geometry however many surfaces cross there (a wall thinner than a voxel included); voxels farther from any
surface than a Lipschitz bound allows need only their centre.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.jit import exact_kernel
from sxtbench.specimens.blocks import in_blocks
from sxtbench.specimens.deformation import Deformation, displace_block, identity
from sxtbench.specimens.implicit import Sampler, paint_region, part_of_block, voxel_box
from sxtbench.specimens.shapes import CAPSULE, Body, Shape, packed
from sxtbench.specimens.texture import add_gradient_noise, octave_key

_BLOCK = 8
_ROWS = 32  # rows of a block that are worked on at a time: its displacement then stays near the core
_MOST_BODIES = 65534


@dataclass(frozen=True)
class Texture:
    """Band-limited texture: octaves of gradient noise of equal power.

    Parameters
    ----------
    spacings_um : tuple of float, um
        Lattice spacing of each octave (`texture_spacings_um`).
    key : int
        64-bit key.
    """

    spacings_um: tuple[float, ...]
    key: int


@dataclass(frozen=True, eq=False)
class Voxels:
    """Bodies on a grid.

    Parameters
    ----------
    labels : ndarray, shape (z, y, columns), uint8
        Class at each voxel's centre, 0 outside bodies.
    bodies : ndarray, shape (z, y, columns), uint16
        1 + the index of the topmost body at each voxel's centre, 0 outside.
    lac : ndarray, shape (z, y, x), float32, 1/um
        Mean LAC over the voxel where what lies outside bodies counts 0: a scene is `lac + (1 - coverage) * around`.
    coverage : ndarray, shape (z, y, x), float32
        Share of the voxel inside bodies.
    volumes_um3 : ndarray, shape (n_bodies,), float64, um^3
        Visible volume of each body in the columns of the labels.
    box : tuple of three slice
        Outside this part of labels and bodies everything is 0.
    """

    labels: NDArray[np.uint8]
    bodies: NDArray[np.uint16]
    lac: NDArray[np.float32]
    coverage: NDArray[np.float32]
    volumes_um3: NDArray[np.float64]
    box: tuple[slice, slice, slice]


def voxelise(
    bodies: Sequence[Body],
    grid: VolumeGrid,
    *,
    deformation: Deformation | None = None,
    texture: Texture | None = None,
    columns: int | None = None,
    workers: int | None = None,
) -> Voxels:
    """Render bodies.

    Parameters
    ----------
    bodies : sequence of Body
        In painting order.
    grid : VolumeGrid
        Where. Grids whose voxel centres coincide get equal labels there.
    deformation : Deformation, optional
        Displacement field, shared by labels and LAC.
    texture : Texture, optional
        Texture, scaled by each body's own standard deviation (not displaced).
    columns : int, optional
        Columns at the grid's centre whose labels, bodies and volumes are wanted, where the grid is wider than the
        target; all by default.
    workers : int, optional
        Threads, default one a core. The result does not depend on it.

    Returns
    -------
    Voxels
        Labels, bodies, LAC, coverage.

    Examples
    --------
    >>> from sxtbench.specimens.shapes import Body, ellipsoid
    >>> ball = Body("ball", 1, 1, 0.35, 0.0, (ellipsoid([0, 0, 0], 0.5),))
    >>> voxels = voxelise([ball], VolumeGrid((24, 24, 24), 50.0))
    >>> round(float(voxels.lac.sum() * 0.05**3 / 0.35), 3), round(4 / 3 * np.pi * 0.5**3, 3)
    (0.524, 0.524)
    """
    if len(bodies) > _MOST_BODIES:
        raise InputError(f"a specimen of {len(bodies)} bodies, at most {_MOST_BODIES} can be told apart")
    field = deformation or identity()
    n_z, n_y, n_x = grid.shape
    kept = n_x if columns is None else columns
    if not 0 < kept <= n_x or (n_x - kept) % 2:
        raise InputError(
            f"cannot keep {kept} columns at the centre of {n_x}: the difference must be even and not negative"
        )
    before = (n_x - kept) // 2
    labels, owners = np.zeros((n_z, n_y, kept), np.uint8), np.zeros((n_z, n_y, kept), np.uint16)
    lac, coverage = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    shapes = [shape for body in bodies if body.region is None for shape in body.shapes]
    boxes = _boxes(shapes, grid, field)
    regions = {
        k: np.stack(voxel_box(body.region.bounds_um, grid)) for k, body in enumerate(bodies) if body.region is not None
    }
    everything = np.concatenate([boxes, *(box[None] for box in regions.values())])
    low, high = everything[:, 0].min(axis=0, initial=2**31), everything[:, 1].max(axis=0, initial=0)
    if not bodies or bool((low >= high).any()):
        return Voxels(labels, owners, lac, coverage, np.zeros(len(bodies)), (slice(0), slice(0), slice(0)))

    ids = np.array([k + 1 for k, body in enumerate(bodies) if body.region is None for _ in body.shapes], np.uint16)
    runs = _runs(bodies)
    label_of = np.array([0] + [b.label for b in bodies], np.uint8)
    lac_of = np.array([0.0] + [b.lac_per_um for b in bodies], np.float64)
    sd_of = np.array([0.0] + [b.texture_sd_per_um for b in bodies], np.float64)
    arrays = packed(shapes)
    tube = arrays["form"] == CAPSULE
    segment = np.where(tube, arrays["radii"][:, 0], 0.0)
    semi_axes = np.where(tube[:, None], arrays["radii"][:, 1:2], arrays["radii"])
    edge = grid.voxel_size_um
    margin = (edge * np.sqrt(3.0) / 3.0) * (1.0 + field.steepest) / semi_axes.min(axis=1)
    wide = [np.asarray((np.arange(-1, n + 1) - (n - 1) / 2) * edge, np.float64) for n in grid.shape]
    # what a region samples at once decides how steep it may be: its blocks reach over the whole box
    rows = int(high[1] - low[1]) if regions else _ROWS

    def part(start: NDArray[np.int64], end: NDArray[np.int64], scratch: _Scratch, count: NDArray[np.int64]) -> None:
        """Render the voxels start .. end - 1."""
        local = np.clip(boxes, start, end) - start
        if not regions:
            met = local[(local[:, 0] < local[:, 1]).all(axis=1)]
            if not len(met):
                return
            local += start
            start, end = start + met[:, 0].min(axis=0), start + met[:, 1].max(axis=0)
            local -= start
        here = (slice(start[0], end[0]), slice(start[1], end[1]), slice(start[2], end[2]))
        z, y, x = (axis[a : b + 2] for axis, a, b in zip(wide, start, end, strict=True))
        size = (len(z) - 2, len(y) - 2, len(x) - 2)
        displacement = scratch.of("displacement", (len(z), len(y), len(x), 3), np.float64)
        if field.largest_um > 0:
            displace_block(z, y, x, field.coefficients, field.spacing_um, displacement)
        else:
            displacement[:] = 0.0
        owner, slot = scratch.of("owner", size, np.uint16), scratch.of("slot", size, np.int32)
        weight = scratch.of("weight", size, np.float32)
        raster, used = scratch.of("raster", (weight.size, 27), np.uint16), np.zeros(1, np.int64)
        owner[:], slot[:] = 0, -1
        sampler = Sampler(z, y, x)
        for number, (first, last) in runs:
            region = None if number is None else bodies[number].region
            if number is None or region is None:
                _paint(
                    z, y, x, displacement, ids, arrays["centre"], arrays["rotation"], 1.0 / semi_axes, segment, margin,
                    local, edge, first, last, owner, slot, raster, used,
                )  # fmt: skip
            else:
                reached = part_of_block(regions[number] - low, int(start[0] - low[0]), int(end[0] - low[0]))
                paint_region(
                    region, number + 1, reached, sampler,
                    edge_um=edge, owner=owner, slot=slot, raster=raster, used=used,
                )  # fmt: skip
        _resolve(
            slot, raster, owner, label_of, lac_of, sd_of, int(start[2]) - before,
            labels[here[:2]], owners[here[:2]], lac[here], coverage[here], weight, count,
        )  # fmt: skip
        if texture is not None and weight.any():
            noise = scratch.of("noise", size, np.float32)
            noise[:] = 0.0
            share = 1.0 / np.sqrt(len(texture.spacings_um))
            for octave, spacing in enumerate(texture.spacings_um):
                key = octave_key(texture.key, octave)
                add_gradient_noise(
                    noise, z[1:-1], y[1:-1], x[1:-1], spacing_um=spacing, key=key, amplitude=float(share)
                )
            noise *= weight
            lac[here] += noise

    def block(first: int, last: int) -> NDArray[np.int64]:
        count, scratch = np.zeros(len(bodies) + 1, np.int64), _Scratch()
        for row in range(low[1], high[1], rows):
            start = np.array([low[0] + first, row, low[2]])
            part(start, np.array([low[0] + last, min(row + rows, high[1]), high[2]]), scratch, count)
        return count

    counts = in_blocks(block, int(high[0] - low[0]), block=_BLOCK, workers=workers)
    volumes = np.sum(counts, axis=0)[1:] * (edge**3 / 27.0)
    box = (
        slice(int(low[0]), int(high[0])),
        slice(int(low[1]), int(high[1])),
        slice(max(int(low[2]) - before, 0), min(max(int(high[2]) - before, 0), kept)),
    )
    return Voxels(labels, owners, lac, coverage, volumes, box)


class _Scratch:
    """Memory that one block uses again and again: fresh memory costs more than what is done with it."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[Any]] = {}

    def of(self, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
        """Return an array with any values."""
        size = math.prod(shape)
        if name not in self._buffers or self._buffers[name].size < size:
            self._buffers[name] = np.empty(size, dtype)
        return self._buffers[name][:size].reshape(shape)


def _runs(bodies: Sequence[Body]) -> list[tuple[int | None, tuple[int, int]]]:
    """Painting order: a region's body by its index, or a run of shapes (first, one past last) of bodies without one."""
    runs: list[tuple[int | None, tuple[int, int]]] = []
    done = 0
    for k, body in enumerate(bodies):
        if body.region is not None:
            runs.append((k, (done, done)))
            continue
        start = done
        done += len(body.shapes)
        if runs and runs[-1][0] is None:
            start = runs.pop()[1][0]
        runs.append((None, (start, done)))
    return runs


def _boxes(shapes: Sequence[Shape], grid: VolumeGrid, field: Deformation) -> NDArray[np.int64]:
    """Voxels that a shape can reach: shape (n, 2, 3), first and one past last along (z, y, x), inside the grid."""
    n = len(shapes)
    centre = np.array([s.centre_um for s in shapes]).reshape(n, 3)
    half = np.array([s.half_width_um(np.eye(3)) for s in shapes]).reshape(n, 3)
    reach = np.array([s.reach_um for s in shapes]).reshape(n, 1)
    # A point p shows q = p + u(p): it is within max|u| of q, and within |q - q_0| / (1 - L) of what shows q_0.
    place = field.to_world(centre)
    spread = reach / (1.0 - field.steepest)
    low = np.maximum(centre - half - field.largest_um, place - spread) - grid.voxel_size_um
    high = np.minimum(centre + half + field.largest_um, place + spread) + grid.voxel_size_um
    middle = (np.array(grid.shape) - 1) / 2
    first = np.floor(low / grid.voxel_size_um + middle).astype(np.int64)
    last = np.ceil(high / grid.voxel_size_um + middle).astype(np.int64) + 1
    first = np.clip(first, 0, grid.shape)
    return np.stack([first, np.maximum(np.clip(last, 0, grid.shape), first)], axis=1)


@exact_kernel
def _paint(
    z: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    displacement: NDArray[np.float64],
    ids: NDArray[np.uint16],
    centre: NDArray[np.float64],
    rotation: NDArray[np.float64],
    inverse: NDArray[np.float64],
    segment: NDArray[np.float64],
    margin: NDArray[np.float64],
    boxes: NDArray[np.int64],
    edge: float,
    start: int,
    end: int,
    owner: NDArray[np.uint16],
    slot: NDArray[np.int32],
    raster: NDArray[np.uint16],
    used: NDArray[np.int64],
) -> None:
    """Paint the shapes start .. end - 1 within their boxes; axes and displacement have one point more on each side.

    Strict IEEE order decides who owns a centre. Raster points use u and its gradient at the centre.
    """
    turned = np.empty((3, 3))
    for s in range(start, end):
        own, m, half = ids[s], margin[s], segment[s]
        inner = (1.0 - m) * (1.0 - m) if m < 1.0 else -1.0
        outer = (1.0 + m) * (1.0 + m)
        r, inv, c = rotation[s], inverse[s], centre[s]
        for k in range(boxes[s, 0, 0], boxes[s, 1, 0]):
            for j in range(boxes[s, 0, 1], boxes[s, 1, 1]):
                for i in range(boxes[s, 0, 2], boxes[s, 1, 2]):
                    q0 = z[k + 1] + displacement[k + 1, j + 1, i + 1, 0] - c[0]
                    q1 = y[j + 1] + displacement[k + 1, j + 1, i + 1, 1] - c[1]
                    q2 = x[i + 1] + displacement[k + 1, j + 1, i + 1, 2] - c[2]
                    b0 = r[0, 0] * q0 + r[0, 1] * q1 + r[0, 2] * q2
                    b1 = r[1, 0] * q0 + r[1, 1] * q1 + r[1, 2] * q2
                    b2 = r[2, 0] * q0 + r[2, 1] * q1 + r[2, 2] * q2
                    e0 = (b0 - min(max(b0, -half), half)) * inv[0]
                    e1, e2 = b1 * inv[1], b2 * inv[2]
                    f = e0 * e0 + e1 * e1 + e2 * e2
                    if f > outer:
                        continue
                    place = slot[k, j, i]
                    if f < inner:
                        owner[k, j, i] = own
                        if place >= 0:
                            for p in range(27):
                                raster[place, p] = own
                        continue
                    if place < 0:
                        place = used[0]
                        used[0] += 1
                        slot[k, j, i] = place
                        for p in range(27):
                            raster[place, p] = owner[k, j, i]
                    for a in range(3):
                        for row in range(3):
                            total = r[row, a] * edge
                            for comp in range(3):
                                if a == 0:
                                    rise = displacement[k + 2, j + 1, i + 1, comp] - displacement[k, j + 1, i + 1, comp]
                                elif a == 1:
                                    rise = displacement[k + 1, j + 2, i + 1, comp] - displacement[k + 1, j, i + 1, comp]
                                else:
                                    rise = displacement[k + 1, j + 1, i + 2, comp] - displacement[k + 1, j + 1, i, comp]
                                total += r[row, comp] * (0.5 * rise)
                            turned[row, a] = total / 3.0
                    p = 0
                    for dz in range(-1, 2):
                        for dy in range(-1, 2):
                            for dx in range(-1, 2):
                                g0 = b0 + (turned[0, 0] * dz + turned[0, 1] * dy + turned[0, 2] * dx)
                                g1 = b1 + (turned[1, 0] * dz + turned[1, 1] * dy + turned[1, 2] * dx)
                                g2 = b2 + (turned[2, 0] * dz + turned[2, 1] * dy + turned[2, 2] * dx)
                                h0 = (g0 - min(max(g0, -half), half)) * inv[0]
                                h1, h2 = g1 * inv[1], g2 * inv[2]
                                if h0 * h0 + h1 * h1 + h2 * h2 <= 1.0:
                                    raster[place, p] = own
                                p += 1
                    if f <= 1.0:
                        owner[k, j, i] = own


@exact_kernel
def _resolve(
    slot: NDArray[np.int32],
    raster: NDArray[np.uint16],
    owner: NDArray[np.uint16],
    label_of: NDArray[np.uint8],
    lac_of: NDArray[np.float64],
    sd_of: NDArray[np.float64],
    shift: int,
    labels: NDArray[np.uint8],
    owners: NDArray[np.uint16],
    lac: NDArray[np.float32],
    coverage: NDArray[np.float32],
    weight: NDArray[np.float32],
    count: NDArray[np.int64],
) -> None:
    """Turn the owners of a painted block's points into labels, LAC, coverage, texture weights and counts of points.

    `labels` and `owners` begin `shift` columns before the block (after it, if negative); what lies beside them counts
    for LAC and coverage alone.
    """
    n_z, n_y, n_x = owner.shape
    columns = labels.shape[2]
    for k in range(n_z):
        for j in range(n_y):
            for i in range(n_x):
                top = owner[k, j, i]
                seen = 0 <= i + shift < columns
                if seen:
                    labels[k, j, i + shift] = label_of[top]
                    owners[k, j, i + shift] = top
                place = slot[k, j, i]
                if place < 0:
                    weight[k, j, i] = sd_of[top]
                    if top > 0:
                        lac[k, j, i] = lac_of[top]
                        coverage[k, j, i] = 1.0
                        if seen:
                            count[top] += 27
                    continue
                mu, sd, inside = 0.0, 0.0, 0
                for p in range(27):
                    one = raster[place, p]
                    mu += lac_of[one]
                    sd += sd_of[one]
                    if one > 0:
                        inside += 1
                        if seen:
                            count[one] += 1
                lac[k, j, i] = mu / 27.0
                weight[k, j, i] = sd / 27.0
                coverage[k, j, i] = inside / 27.0
