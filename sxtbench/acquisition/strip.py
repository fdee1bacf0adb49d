"""The simulator's projector: every voxel is a square whose shadow is integrated exactly over the detector's bins.

It is another discretisation than the Joseph operator that reconstructions use (`sxtbench.operators`), so that no method
inverts the very matrix that made its data.

All slices share one geometry. Blocks of 32 slices lie next to each other in a small scratch, so that the weights of a
ray are computed once and the inner loop is contiguous; it is written as vectors, which numba's plain loop is not. A
block owns its slices of the result: neither the number of threads nor their order changes a bit of it.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.jit import kernel

_TILE = 32  # slices that share their weights
_ROWS = 4  # that are added while a bin's sums stay in registers
_PAD = 4  # empty voxels beside each row, so that no tap needs a bounds check
_SCRATCH_BYTES = 1 << 19  # half of a core's L2


def project_strips(
    volume: NDArray[np.float32],
    angles_deg: ArrayLike,
    *,
    voxel_size_um: float,
    columns: int,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Project a volume, bin by bin the mean path length through square voxels.

    The detector is centred on the volume, its pixels are as large as the voxels, its rows are the volume's slices.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32, 1/um
        What is projected; empty voxels cost little.
    angles_deg : array_like, shape (n_angles,), degrees
        Any finite angles; `u = x cos + y sin`.
    voxel_size_um : float
        Edge of a voxel and of a detector pixel, um.
    columns : int
        Detector columns, fewer or more than the volume has.
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray, shape (n_angles, z, columns), float32, absorbance
        Line integrals averaged over each detector pixel.

    Raises
    ------
    InputError
        For a volume that is not three-dimensional, no or non-finite angles, or a detector without columns.
    """
    angles = np.asarray(angles_deg, np.float64)
    if volume.ndim != 3 or 0 in volume.shape:
        raise InputError(f"the volume has shape {volume.shape}, expected (z, y, x)")
    if angles.ndim != 1 or angles.size == 0 or not np.all(np.isfinite(angles)):
        raise InputError("angles_deg must be a 1-D list of one or more finite angles")
    if columns < 1:
        raise InputError(f"columns is {columns}, expected at least 1")
    volume = np.ascontiguousarray(volume, np.float32)
    slices, ny, nx = volume.shape
    radians = np.deg2rad(angles)
    cosines, sines = np.cos(radians), np.sin(radians)
    flat = np.abs(cosines) >= np.abs(sines)
    out = np.empty((angles.size, slices, columns), np.float32)

    def tile(first: int) -> None:
        last = min(first + _TILE, slices)
        total = np.zeros((angles.size, columns, _TILE), np.float32)
        low, high = _occupied(volume, first, last)
        for steep, chosen in ((False, np.flatnonzero(flat)), (True, np.flatnonzero(~flat))):
            if chosen.size == 0:
                continue
            rows, cols = (nx, ny) if steep else (ny, nx)
            along, across = (sines, cosines) if steep else (cosines, sines)
            block = max(1, min(-(-rows // _ROWS), _SCRATCH_BYTES // ((cols + 2 * _PAD) * _TILE * 4 * _ROWS))) * _ROWS
            scratch = np.zeros((block, cols + 2 * _PAD, _TILE), np.float32)
            _project_tile(volume, first, last, low, high, steep, chosen, along, across, scratch, total)
        np.multiply(total[:, :, : last - first].transpose(0, 2, 1), np.float32(voxel_size_um), out=out[:, first:last])

    with ThreadPoolExecutor(threads or available_cores()) as pool:
        list(pool.map(tile, range(0, slices, _TILE)))
    return out


_FLAGS = ("contract", "nsz")


def _pointer(context: Any, builder: Any, kind: Any, value: Any, cell: Any) -> Any:
    """Pointer to a cell of an array, seen as a vector of `_TILE` float32."""
    data = context.make_array(kind)(context, builder, value).data
    return builder.gep(builder.bitcast(data, ir.VectorType(ir.FloatType(), _TILE).as_pointer()), [cell])


def _typed_gather(typing: Any, total: Any, cell: Any, scratch: Any, firsts: Any, weights: Any) -> Any:
    """Add to total[cell], row by row and tap by tap, weights[row][tap] * scratch[firsts[row] + tap]."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector, whole = ir.VectorType(ir.FloatType(), _TILE), ir.IntType(64)
        nothing = ir.Constant(vector, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), _TILE), [0] * _TILE)
        out = _pointer(context, builder, signature.args[0], args[0], args[1])
        found = builder.load(out, align=4)
        for row in range(firsts.count):
            at = _pointer(context, builder, signature.args[2], args[2], builder.extract_value(args[3], row))
            for tap in range(weights.dtype.count):
                weight = builder.extract_value(args[4], [row, tap])
                weight = builder.insert_element(nothing, weight, ir.Constant(ir.IntType(32), 0))
                weight = builder.shuffle_vector(weight, nothing, everywhere)
                value = builder.load(builder.gep(at, [ir.Constant(whole, tap)]), align=4)
                found = builder.fadd(found, builder.fmul(weight, value, flags=_FLAGS), flags=_FLAGS)
        builder.store(found, out, align=4)
        return context.get_dummy_value()

    return types.void(total, cell, scratch, firsts, weights), build


_gather: Any = intrinsic(_typed_gather)


@kernel
def _occupied(volume: Any, first: Any, last: Any) -> Any:
    """Return the range of y outside which slices `first` to `last` are empty: a slab of ice fills part of a volume."""
    low = volume.shape[1]
    high = 0
    for z in range(first, last):
        for y in range(volume.shape[1]):
            if low <= y < high:
                continue
            for x in range(volume.shape[2]):
                if volume[z, y, x] != 0:
                    low = min(low, y)
                    high = max(high, y + 1)
                    break
    return low, high


@kernel
def _project_tile(
    volume: Any,
    first: Any,
    last: Any,
    low: Any,
    high: Any,
    steep: Any,
    chosen: Any,
    along: Any,
    across: Any,
    scratch: Any,
    total: Any,
) -> Any:
    """Add slices `first` to `last` to `total` (view, u, slice), for views that are all flat or all steep.

    Rows run along the beam (y for flat views, x for steep ones). A bin gathers, row by row, the three or four voxels
    whose shadow reaches it. The shadow of a unit square is a trapezoid with half-widths `a <= b`, so its share of a bin
    is a difference of two piecewise quadratic integrals.
    """
    block, padded, _ = scratch.shape
    cols = padded - 2 * _PAD
    rows = volume.shape[2] if steep else volume.shape[1]
    row_low = 0 if steep else low
    row_high = rows if steep else high
    bins = total.shape[1]
    filled = np.zeros((block, padded + 1), np.int32)
    left = np.empty((_ROWS, bins), np.int32)
    weights = np.empty((_ROWS, 4, bins), np.float32)
    offset = np.empty(bins, np.float32)
    busy = np.empty(bins, np.bool_)

    for row0 in range(row_low, row_high, block):
        used = min(block, row_high - row0)
        # 1. slices side by side, and how many voxels up to each column are not empty
        for r in range(used):
            filled[r, :] = 0
        for k in range(last - first):
            z = first + k
            if steep:
                for c in range(low, high):
                    for r in range(used):
                        value = volume[z, c, row0 + r]
                        scratch[r, c + _PAD, k] = value
                        filled[r, c + _PAD + 1] |= np.int32(value != 0)
            else:
                for r in range(used):
                    for c in range(cols):
                        value = volume[z, row0 + r, c]
                        scratch[r, c + _PAD, k] = value
                        filled[r, c + _PAD + 1] |= np.int32(value != 0)
        for r in range(used):
            for c in range(padded):
                filled[r, c + 1] += filled[r, c]
        for r in range(used, -(-used // _ROWS) * _ROWS):  # rows that fill up a group
            scratch[r] = 0
            filled[r] = 0

        for view in chosen:
            c_ = along[view]
            s_ = across[view]
            big = abs(c_)
            small = abs(s_)
            a = np.float32(0.5 * (big - small))
            b = np.float32(0.5 * (big + small))
            height = np.float32(1.0 / big)
            bend = np.float32(0.5 / (big * small)) if small > 1e-7 else np.float32(0.0)
            slope = np.float32(big)
            half = (0.5 * (big + small) + 0.5) / big  # reach of a bin, in voxels along the row
            taps = 3 if 2.0 * half <= 3.0 else 4
            reach = 0.5 * (big + small) + 0.5
            for r0 in range(0, used, _ROWS):
                # the bins that the rows' first and last voxels reach
                j0, j1 = bins, 0
                for r in range(r0, r0 + _ROWS):
                    count = filled[r, padded]
                    if count == 0:
                        continue
                    lo = 0
                    while filled[r, lo + 1] == 0:
                        lo += 1
                    hi = padded - 1
                    while filled[r, hi] == count:
                        hi -= 1
                    shift = (row0 + r - 0.5 * (rows - 1)) * s_ + 0.5 * (bins - 1)
                    u0 = (lo - _PAD - 0.5 * (cols - 1)) * c_ + shift
                    u1 = (hi - _PAD - 0.5 * (cols - 1)) * c_ + shift
                    j0 = min(j0, max(0, int(np.ceil(min(u0, u1) - reach))))
                    j1 = max(j1, min(bins, int(np.floor(max(u0, u1) + reach)) + 1))
                if j0 >= j1:
                    continue
                busy[j0:j1] = False
                for member in range(_ROWS):
                    r = r0 + member
                    shift = (row0 + r - 0.5 * (rows - 1)) * s_ + 0.5 * (bins - 1)
                    base = 0.5 * (cols - 1) - shift / c_
                    for j in range(j0, j1):
                        position = j / c_ + base
                        start = min(max(np.ceil(position - half), -float(_PAD)), float(cols))
                        left[member, j] = np.int32(start)
                        offset[j] = np.float32(position - start) * slope
                    if filled[r, padded] > 0:
                        for j in range(j0, j1):
                            x = left[member, j] + _PAD
                            busy[j] |= filled[r, x + taps] != filled[r, x]
                    for t in range(taps):
                        step = np.float32(t) * slope
                        for j in range(j0, j1):
                            p = offset[j] - step + np.float32(0.5)
                            q = p - np.float32(1.0)
                            pa = min(abs(p), b)
                            qa = min(abs(q), b)
                            pm = max(pa - a, np.float32(0.0))
                            qm = max(qa - a, np.float32(0.0))
                            pi = height * pa - bend * pm * pm
                            qi = height * qa - bend * qm * qm
                            weights[member, t, j] = (pi if p > 0 else -pi) - (qi if q > 0 else -qi)
                at = r0 * padded + _PAD
                for j in range(j0, j1):
                    if not busy[j]:
                        continue
                    firsts = (
                        at + 0 * padded + left[0, j],
                        at + 1 * padded + left[1, j],
                        at + 2 * padded + left[2, j],
                        at + 3 * padded + left[3, j],
                    )
                    if taps == 3:
                        _gather(
                            total,
                            view * bins + j,
                            scratch,
                            firsts,
                            (
                                (weights[0, 0, j], weights[0, 1, j], weights[0, 2, j]),
                                (weights[1, 0, j], weights[1, 1, j], weights[1, 2, j]),
                                (weights[2, 0, j], weights[2, 1, j], weights[2, 2, j]),
                                (weights[3, 0, j], weights[3, 1, j], weights[3, 2, j]),
                            ),
                        )
                    else:
                        _gather(
                            total,
                            view * bins + j,
                            scratch,
                            firsts,
                            (
                                (weights[0, 0, j], weights[0, 1, j], weights[0, 2, j], weights[0, 3, j]),
                                (weights[1, 0, j], weights[1, 1, j], weights[1, 2, j], weights[1, 3, j]),
                                (weights[2, 0, j], weights[2, 1, j], weights[2, 2, j], weights[2, 3, j]),
                                (weights[3, 0, j], weights[3, 1, j], weights[3, 2, j], weights[3, 3, j]),
                            ),
                        )
