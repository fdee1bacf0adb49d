"""Kernels of `dilation`, apart so that metrics are imported without numba."""

import numpy as np
from numpy.typing import NDArray

from sxtbench.jit import exact_kernel


@exact_kernel
def occupied(mask: NDArray[np.bool_], rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the rows (z, y) with anything in them, and return the columns (x) with anything."""
    columns = np.zeros(mask.shape[2], np.bool_)
    for k in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            found = False
            for i in range(mask.shape[2]):
                found |= mask[k, j, i]
                columns[i] |= mask[k, j, i]
            rows[k, j] = found
    return columns


@exact_kernel
def dilate(
    mask: NDArray[np.bool_], first: int, last: int, reach: int, limit: np.float32, out: NDArray[np.bool_]
) -> None:
    """Dilate the slices first .. last - 1 by a ball of squared radius `limit`, whose integer radius is `reach`."""
    n_z, n_y, n_x = mask.shape
    one, beyond = np.float32(1), np.float32(reach + 1)  # whole numbers, exact in float32
    along = np.empty((last - first, n_y, n_x), np.float32)  # squared distance along z
    reached = np.zeros((last - first, n_y), np.bool_)
    steps = np.empty(n_x, np.float32)
    for j in range(n_y):
        steps[:] = beyond
        for k in range(max(first - reach, 0), last):
            for i in range(n_x):
                further = steps[i] + one
                further = further if further < beyond else beyond
                steps[i] = np.float32(0) if mask[k, j, i] else further
            if k >= first:
                along[k - first, j] = steps
        steps[:] = beyond
        for k in range(min(last + reach, n_z) - 1, first - 1, -1):
            for i in range(n_x):
                further = steps[i] + one
                further = further if further < beyond else beyond
                steps[i] = np.float32(0) if mask[k, j, i] else further
            if k < last:
                least = beyond
                for i in range(n_x):
                    closer = along[k - first, j, i]
                    closer = closer if closer < steps[i] else steps[i]
                    least = least if least < closer else closer
                    along[k - first, j, i] = closer * closer
                reached[k - first, j] = least < beyond
    near = np.empty(n_x + 2 * reach, np.float32)  # squared distance along z and y
    for k in range(last - first):
        for j in range(n_y):
            near[:] = beyond * beyond
            any_near = False
            for other in range(max(j - reach, 0), min(j + reach + 1, n_y)):
                if not reached[k, other]:
                    continue
                any_near = True
                away = np.float32((other - j) * (other - j))
                for i in range(n_x):
                    here = along[k, other, i] + away
                    near[reach + i] = here if here < near[reach + i] else near[reach + i]
            if not any_near:
                continue
            for shift in range(-reach, reach + 1):
                room = limit - np.float32(shift * shift)
                for i in range(n_x):
                    out[first + k, j, i] |= near[reach + i + shift] <= room
