"""Compiled kernels of the parallel beam: linear interpolation between volume lines and views, many slices at once.

All slices of a parallel beam share one geometry. A block of slices is therefore held as `(line, element, lane)` with
the slices as lanes that lie next to each other in memory (`pack`), the interpolation weights are computed once for all
lanes, and each step is a few vector multiply-adds. Four kernels share this layout and differ in what is read and what
is written:

- `project`: Joseph's projection; views are summed from lines of the slab,
- `project_adjoint`: its exact transpose; views are spread onto lines of the slab,
- `gather_adjoint`: the same transpose for rays that lie at least an element apart; lines are summed from views, which
  saves the stores,
- `backproject`: pixel-driven; lines of the slab are summed from views.

In each of them position `const[a] + per_line[a] * line + per_element[a] * element` says where an element falls: which
voxel of the line a ray crosses, or which column of the view a voxel is seen in. Positions outside are interpolated
against zero. Every line has `PAD` cells of margin at both ends, zero where it is read and unused where it is written,
so a position is clamped into the margin where it would need a branch. Lines and views that are summed come in groups
of `GROUP`, so that a sum stays in registers.

Numba does not notice a change in another file when it looks at its cache: all that is compiled together is here.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from sxtbench.jit import kernel

PAD = 2
GROUP = 4
_FLAGS = ("contract", "nsz")


def _vectors(context: Any, builder: Any, kind: Any, value: Any, lanes: int) -> Any:
    """Pointer to the data of an array, seen as vectors of `lanes` float32."""
    data = context.make_array(kind)(context, builder, value).data
    return builder.bitcast(data, ir.VectorType(ir.FloatType(), lanes).as_pointer())


def _splat(builder: Any, scalar: Any, lanes: int) -> Any:
    """Return a vector that holds one scalar in each lane."""
    nothing = ir.Constant(ir.VectorType(ir.FloatType(), lanes), ir.Undefined)
    first = builder.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def _neighbours(builder: Any, base: Any, cells: Any, fractions: Any, m: int, lanes: int) -> Any:
    """Pointers to the two cells of member `m` of a group, each with its weight as a vector."""
    low = builder.gep(base, [builder.extract_value(cells, m)])
    high = builder.gep(low, [ir.Constant(ir.IntType(64), 1)])
    fraction = builder.extract_value(fractions, m)
    rest = builder.fsub(ir.Constant(ir.FloatType(), 1.0), fraction)
    return (low, _splat(builder, rest, lanes)), (high, _splat(builder, fraction, lanes))


def _multiply_add(builder: Any, weight: Any, value: Any, total: Any) -> Any:
    return builder.fadd(total, builder.fmul(weight, value, flags=_FLAGS), flags=_FLAGS)


# Numba's plain loops over the lanes run at half of this speed: LLVM cannot know that the arrays do not overlap.
def _typed_gather(typing: Any, target: Any, cell: Any, source: Any, cells: Any, fractions: Any, lanes: Any) -> Any:
    """Add to target[cell] the sum of (1 - fractions[m]) * source[cells[m]] + fractions[m] * source[cells[m] + 1]."""
    n_lanes, group = lanes.count, cells.count

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out = builder.gep(_vectors(context, builder, signature.args[0], args[0], n_lanes), [args[1]])
        base = _vectors(context, builder, signature.args[2], args[2], n_lanes)
        total = builder.load(out, align=4)
        for m in range(group):
            for pointer, weight in _neighbours(builder, base, args[3], args[4], m, n_lanes):
                total = _multiply_add(builder, weight, builder.load(pointer, align=4), total)
        builder.store(total, out, align=4)
        return context.get_dummy_value()

    return types.void(target, cell, source, cells, fractions, lanes), build


def _typed_scatter(typing: Any, target: Any, cells: Any, fractions: Any, source: Any, cell: Any, lanes: Any) -> Any:
    """Transpose `_gather`; the cells of a group must not touch each other."""
    n_lanes, group = lanes.count, cells.count

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = _vectors(context, builder, signature.args[0], args[0], n_lanes)
        pointer = builder.gep(_vectors(context, builder, signature.args[3], args[3], n_lanes), [args[4]])
        value = builder.load(pointer, align=4)
        for m in range(group):
            low, high = _neighbours(builder, base, args[1], args[2], m, n_lanes)
            totals = [_multiply_add(builder, weight, value, builder.load(out, align=4)) for out, weight in (low, high)]
            for (out, _), total in zip((low, high), totals, strict=True):
                builder.store(total, out, align=4)
        return context.get_dummy_value()

    return types.void(target, cells, fractions, source, cell, lanes), build


def _typed_gather_pairs(
    typing: Any, target: Any, cell: Any, source: Any, cells: Any, lows: Any, highs: Any, lanes: Any
) -> Any:
    """Add to target[cell] the sum of lows[m] * source[cells[m]] + highs[m] * source[cells[m] + 1]."""
    n_lanes, group = lanes.count, cells.count

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out = builder.gep(_vectors(context, builder, signature.args[0], args[0], n_lanes), [args[1]])
        base = _vectors(context, builder, signature.args[2], args[2], n_lanes)
        total = builder.load(out, align=4)
        for m in range(group):
            low = builder.gep(base, [builder.extract_value(args[3], m)])
            high = builder.gep(low, [ir.Constant(ir.IntType(64), 1)])
            for pointer, weights in ((low, args[4]), (high, args[5])):
                weight = _splat(builder, builder.extract_value(weights, m), n_lanes)
                total = _multiply_add(builder, weight, builder.load(pointer, align=4), total)
        builder.store(total, out, align=4)
        return context.get_dummy_value()

    return types.void(target, cell, source, cells, lows, highs, lanes), build


# Any: mypy does not know that numba supplies the typing context.
_gather: Any = intrinsic(_typed_gather)
_gather_pairs: Any = intrinsic(_typed_gather_pairs)
_scatter: Any = intrinsic(_typed_scatter)


@kernel
def _cell(position: float, top: float) -> tuple[int, np.float32]:
    """Return the padded cell below a position, clamped into the margins, and the distance to it."""
    clamped = min(max(position + PAD, 0.5), top)
    cell = int(clamped)
    return cell, np.float32(clamped - cell)


@kernel
def _rays(position: float, top: float, spacing: float) -> tuple[int, np.float32, np.float32]:
    """Return the padded column below a position among the rays, and the weights of its ray and of the next one.

    Rays lie `spacing` elements apart, at least 1; a ray weighs 1 less its distance in elements, if that is positive.
    """
    clamped = min(max(position + PAD, 0.5), top)
    cell = int(clamped)
    away = np.float32((clamped - cell) * spacing)
    low, high = np.float32(1.0) - away, away - np.float32(spacing - 1.0)
    zero = np.float32(0.0)
    return cell, low if low > zero else zero, high if high > zero else zero


@kernel
def _span(start: float, step: float, count: int, size: int) -> tuple[int, int]:
    """Range of elements in [0, count) that may fall on (-1, size); one more on each side does no harm."""
    if abs(step) * count < 1e-9:
        return 0, count if -1.5 < start < size + 0.5 else 0
    a, b = (-1 - start) / step, (size - start) / step
    first = math.floor(max(min(a, b), 0.0))
    last = math.ceil(min(max(a, b), count - 1.0))
    return int(first), int(last) + 1


@kernel
def project(
    views: NDArray[np.float32],
    slab: NDArray[np.float32],
    const: NDArray[np.float64],
    per_line: NDArray[np.float64],
    per_element: NDArray[np.float64],
    lanes: tuple[int, ...],
    chunk: int,
) -> None:
    """Add to each view the line integrals (in voxels of the slab's lines) through the slab.

    Parameters
    ----------
    views : ndarray, shape (n_angles, n_columns + 2 PAD, n_lanes), float32
        Added to in place.
    slab : ndarray, shape (n_lines, n_elements + 2 PAD, n_lanes), float32
        `n_lines` is a multiple of GROUP; margins are zero.
    const, per_line, per_element : ndarray, shape (n_angles,), float64
        Element of line `l` that the ray of column `j` crosses: `const + per_line * l + per_element * j`.
    lanes : tuple of n_lanes int
        Its length gives the number of lanes to the compiler; values are not used.
    chunk : int
        Lines visited for all angles before the next ones, a multiple of GROUP, so that they stay in the cache.
    """
    n_lines, width = slab.shape[0], slab.shape[1]
    n_columns, pitch = views.shape[1] - 2 * PAD, views.shape[1]
    top = width - 1.5
    for begin in range(0, n_lines, chunk):
        for a in range(views.shape[0]):
            step, slope = per_element[a], per_line[a]
            for line in range(begin, min(begin + chunk, n_lines), GROUP):
                start = const[a] + slope * line
                first, last = _span(start, step, n_columns, width - 2 * PAD)
                first_3, last_3 = _span(start + 3 * slope, step, n_columns, width - 2 * PAD)
                for j in range(min(first, first_3), max(last, last_3)):
                    position = start + step * j
                    cell_0, w_0 = _cell(position, top)
                    cell_1, w_1 = _cell(position + slope, top)
                    cell_2, w_2 = _cell(position + 2 * slope, top)
                    cell_3, w_3 = _cell(position + 3 * slope, top)
                    at = line * width
                    cells = (at + cell_0, at + width + cell_1, at + 2 * width + cell_2, at + 3 * width + cell_3)
                    _gather(views, a * pitch + PAD + j, slab, cells, (w_0, w_1, w_2, w_3), lanes)


@kernel
def project_adjoint(
    slab: NDArray[np.float32],
    views: NDArray[np.float32],
    const: NDArray[np.float64],
    per_line: NDArray[np.float64],
    per_element: NDArray[np.float64],
    lanes: tuple[int, ...],
    chunk: int,
) -> None:
    """Add to the slab the transpose of `project`: the same weights, from each view onto the lines it crosses.

    Parameters
    ----------
    slab : ndarray, shape (n_lines, n_elements + 2 PAD, n_lanes), float32
        Added to in place; its margins end up with values that mean nothing.
    views : ndarray, shape (n_angles, n_columns + 2 PAD, n_lanes), float32
        Views, scaled.
    const, per_line, per_element, lanes, chunk
        As for `project`.
    """
    n_lines, width = slab.shape[0], slab.shape[1]
    n_columns, pitch = views.shape[1] - 2 * PAD, views.shape[1]
    top = width - 1.5
    for begin in range(0, n_lines, chunk):
        for a in range(views.shape[0]):
            step, slope = per_element[a], per_line[a]
            for line in range(begin, min(begin + chunk, n_lines), GROUP):
                start = const[a] + slope * line
                first, last = _span(start, step, n_columns, width - 2 * PAD)
                first_3, last_3 = _span(start + 3 * slope, step, n_columns, width - 2 * PAD)
                for j in range(min(first, first_3), max(last, last_3)):
                    position = start + step * j
                    cell_0, w_0 = _cell(position, top)
                    cell_1, w_1 = _cell(position + slope, top)
                    cell_2, w_2 = _cell(position + 2 * slope, top)
                    cell_3, w_3 = _cell(position + 3 * slope, top)
                    at = line * width
                    cells = (at + cell_0, at + width + cell_1, at + 2 * width + cell_2, at + 3 * width + cell_3)
                    _scatter(slab, cells, (w_0, w_1, w_2, w_3), views, a * pitch + PAD + j, lanes)


@kernel
def gather_adjoint(
    slab: NDArray[np.float32],
    views: NDArray[np.float32],
    const: NDArray[np.float64],
    per_line: NDArray[np.float64],
    per_element: NDArray[np.float64],
    apart: NDArray[np.float64],
    lanes: tuple[int, ...],
    chunk: int,
    low_line: int,
    high_line: int,
) -> None:
    """Add to the slab the transpose of `project` where rays lie at least an element apart: at most two reach a voxel.

    Parameters
    ----------
    slab : ndarray, shape (n_lines, n_elements + 2 PAD, n_lanes), float32
        Added to in place.
    views : ndarray, shape (n_angles, n_columns + 2 PAD, n_lanes), float32
        Views, scaled; `n_angles` is a multiple of GROUP, margins are zero.
    const, per_line, per_element : ndarray, shape (n_angles,), float64
        Column whose ray crosses element `e` of line `l`: `const + per_line * l + per_element * e`, the inverse of the
        positions of `project`. Rays that cross lines of the slab and rays that cross its elements may be mixed.
    apart : ndarray, shape (n_angles,), float64
        Voxels from ray to ray along the axis that is interpolated, at least 1.
    lanes, chunk
        As for `project`.
    low_line, high_line : int
        Lines to work on, `[low_line, high_line)`.
    """
    width = slab.shape[1]
    n_elements, pitch = width - 2 * PAD, views.shape[1]
    top = pitch - 1.5
    for begin in range(low_line, high_line, chunk):
        for a in range(0, views.shape[0], GROUP):
            step_0, step_1, step_2, step_3 = per_element[a], per_element[a + 1], per_element[a + 2], per_element[a + 3]
            apart_0, apart_1, apart_2, apart_3 = apart[a], apart[a + 1], apart[a + 2], apart[a + 3]
            for line in range(begin, min(begin + chunk, high_line)):
                start_0 = const[a] + per_line[a] * line
                start_1 = const[a + 1] + per_line[a + 1] * line
                start_2 = const[a + 2] + per_line[a + 2] * line
                start_3 = const[a + 3] + per_line[a + 3] * line
                first_0, last_0 = _span(start_0, step_0, n_elements, pitch - 2 * PAD)
                first_1, last_1 = _span(start_1, step_1, n_elements, pitch - 2 * PAD)
                first_2, last_2 = _span(start_2, step_2, n_elements, pitch - 2 * PAD)
                first_3, last_3 = _span(start_3, step_3, n_elements, pitch - 2 * PAD)
                first, last = min(first_0, first_1, first_2, first_3), max(last_0, last_1, last_2, last_3)
                for e in range(first, last):
                    cell_0, low_0, high_0 = _rays(start_0 + step_0 * e, top, apart_0)
                    cell_1, low_1, high_1 = _rays(start_1 + step_1 * e, top, apart_1)
                    cell_2, low_2, high_2 = _rays(start_2 + step_2 * e, top, apart_2)
                    cell_3, low_3, high_3 = _rays(start_3 + step_3 * e, top, apart_3)
                    at = a * pitch
                    cells = (at + cell_0, at + pitch + cell_1, at + 2 * pitch + cell_2, at + 3 * pitch + cell_3)
                    lows, highs = (low_0, low_1, low_2, low_3), (high_0, high_1, high_2, high_3)
                    _gather_pairs(slab, line * width + PAD + e, views, cells, lows, highs, lanes)


@kernel
def backproject(
    slab: NDArray[np.float32],
    views: NDArray[np.float32],
    const: NDArray[np.float64],
    per_line: NDArray[np.float64],
    per_element: NDArray[np.float64],
    lanes: tuple[int, ...],
    chunk: int,
    low_line: int,
    high_line: int,
) -> None:
    """Add to each voxel of the slab the value of every view where the voxel is seen.

    Parameters
    ----------
    slab : ndarray, shape (n_lines, n_elements + 2 PAD, n_lanes), float32
        Added to in place.
    views : ndarray, shape (n_angles, n_columns + 2 PAD, n_lanes), float32
        Views, scaled; `n_angles` is a multiple of GROUP, margins are zero.
    const, per_line, per_element : ndarray, shape (n_angles,), float64
        Column in which element `e` of line `l` is seen: `const + per_line * l + per_element * e`.
    lanes, chunk
        As for `project`.
    low_line, high_line : int
        Lines to work on, `[low_line, high_line)`.
    """
    width = slab.shape[1]
    n_elements, pitch = width - 2 * PAD, views.shape[1]
    top = pitch - 1.5
    for begin in range(low_line, high_line, chunk):
        for a in range(0, views.shape[0], GROUP):
            step_0, step_1, step_2, step_3 = per_element[a], per_element[a + 1], per_element[a + 2], per_element[a + 3]
            for line in range(begin, min(begin + chunk, high_line)):
                start_0 = const[a] + per_line[a] * line
                start_1 = const[a + 1] + per_line[a + 1] * line
                start_2 = const[a + 2] + per_line[a + 2] * line
                start_3 = const[a + 3] + per_line[a + 3] * line
                for e in range(n_elements):
                    cell_0, w_0 = _cell(start_0 + step_0 * e, top)
                    cell_1, w_1 = _cell(start_1 + step_1 * e, top)
                    cell_2, w_2 = _cell(start_2 + step_2 * e, top)
                    cell_3, w_3 = _cell(start_3 + step_3 * e, top)
                    at = a * pitch
                    cells = (at + cell_0, at + pitch + cell_1, at + 2 * pitch + cell_2, at + 3 * pitch + cell_3)
                    _gather(slab, line * width + PAD + e, views, cells, (w_0, w_1, w_2, w_3), lanes)


@kernel
def _run_steps(scratch: NDArray[np.float32], n_lines: int, across: bool) -> tuple[int, int, int]:
    """Length of a run, and the steps in the scratch from run to run and from value to value."""
    tile = scratch.shape[2]
    pitch = scratch.shape[1] * tile
    if across:
        return n_lines, tile, pitch
    return scratch.shape[1] - 2 * PAD, pitch, tile


@kernel
def pack(
    scratch: NDArray[np.float32],
    flat: NDArray[np.float32],
    starts: NDArray[np.int64],
    scales: NDArray[np.float32],
    lane_stride: int,
    n_lines: int,
    n_lanes: int,
    across: bool,
) -> None:
    """Fill the scratch with scaled runs of an array; margins, surplus lines and surplus lanes become zero.

    Parameters
    ----------
    scratch : ndarray, shape (n_lines, n_elements + 2 PAD, tile), float32
        Overwritten. `tile` is at least `n_lanes`.
    flat : ndarray, 1-D, float32
        The array's elements.
    starts : ndarray, shape (n_runs,), int64
        Index in `flat` of the first value of each run, for lane 0; the values of a run lie next to each other.
    scales : ndarray, shape (n_runs,), float32
        Factor for each run.
    lane_stride : int
        Step in `flat` from one lane to the next.
    n_lines, n_lanes : int
        Lines and lanes that exist in `flat`.
    across : bool
        Whether run `r` is element `r` of all lines; otherwise it is line `r`.
    """
    tile = scratch.shape[2]
    out = scratch.reshape(-1)
    length, run_step, value_step = _run_steps(scratch, n_lines, across)
    scratch[n_lines:] = 0
    scratch[:, :PAD] = 0
    scratch[:, scratch.shape[1] - PAD :] = 0
    # Few cells at a time, each for all lanes while it is in the nearest cache. Unsigned: numba wraps signed indices.
    for run in range(starts.size):
        scale = scales[run]
        for left in range(0, length, 16):
            count = min(16, length - left)
            for lane in range(tile):
                at = np.uint64(starts[run] + lane * lane_stride + left)
                to = np.uint64(PAD * tile + run * run_step + left * value_step + lane)
                if lane < n_lanes:
                    for _ in range(count):
                        out[to] = scale * flat[at]
                        to += np.uint64(value_step)
                        at += np.uint64(1)
                else:
                    for _ in range(count):
                        out[to] = 0
                        to += np.uint64(value_step)


@kernel
def unpack(
    flat: NDArray[np.float32],
    scratch: NDArray[np.float32],
    starts: NDArray[np.int64],
    scales: NDArray[np.float32],
    lane_stride: int,
    n_lines: int,
    n_lanes: int,
    across: bool,
    add: bool,
) -> None:
    """Write scaled runs of the scratch to an array, or add them: the transpose of `pack`, with the same parameters."""
    tile = scratch.shape[2]
    source = scratch.reshape(-1)
    length, run_step, value_step = _run_steps(scratch, n_lines, across)
    for run in range(starts.size):
        scale = scales[run]
        for left in range(0, length, 16):
            count = min(16, length - left)
            for lane in range(n_lanes):
                to = np.uint64(starts[run] + lane * lane_stride + left)
                at = np.uint64(PAD * tile + run * run_step + left * value_step + lane)
                for _ in range(count):
                    flat[to] = scale * source[at] + (flat[to] if add else np.float32(0.0))
                    at += np.uint64(value_step)
                    to += np.uint64(1)
