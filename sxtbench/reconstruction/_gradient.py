"""The two halves of a step of primal-dual total variation, each in one compiled pass over a slab of slices."""

import numpy as np
from numpy.typing import NDArray

from sxtbench.jit import kernel

Volume = NDArray[np.float32]


@kernel
def ascend(dual: Volume, x: Volume, step: float, bound: float, begin: int, end: int) -> None:
    """`dual += step * gradient(x)`, then each voxel's vector is shortened to length `bound`; slices `[begin, end)`.

    Parameters
    ----------
    dual : ndarray, shape (3, z, y, x), float32
        Changed in place.
    x : ndarray, shape (z, y, x), float32
        Forward differences of it, 0 at the far faces.
    step, bound : float
        Step, and the greatest length.
    begin, end : int
        Slices to work on.
    """
    depth, height, width = x.shape
    gain, most = np.float32(step), np.float32(bound)
    for k in range(begin, end):
        for j in range(height):
            for i in range(width):
                here = x[k, j, i]
                a, b, c = dual[0, k, j, i], dual[1, k, j, i], dual[2, k, j, i]
                if k + 1 < depth:
                    a += gain * (x[k + 1, j, i] - here)
                if j + 1 < height:
                    b += gain * (x[k, j + 1, i] - here)
                if i + 1 < width:
                    c += gain * (x[k, j, i + 1] - here)
                length = np.sqrt(a * a + b * b + c * c)
                factor = most / length if length > most else np.float32(1)
                dual[0, k, j, i] = a * factor
                dual[1, k, j, i] = b * factor
                dual[2, k, j, i] = c * factor


@kernel
def descend(
    x: Volume, ahead: Volume, slope: Volume, dual: Volume, step: float, low: float, high: float, begin: int, end: int
) -> None:
    """`x' = clip(x - step * (slope - divergence(dual)))`, `ahead = 2 x' - x`, `x = x'`; slices `[begin, end)`.

    Parameters
    ----------
    x, ahead : ndarray, shape (z, y, x), float32
        The iterate and its extrapolation, changed in place.
    slope : ndarray, shape (z, y, x), float32
        Gradient of the data term.
    dual : ndarray, shape (3, z, y, x), float32
        The divergence is minus the adjoint of the gradient in `ascend`.
    step, low, high : float
        Step, and the bounds of the iterate.
    begin, end : int
        Slices to work on.
    """
    depth, height, width = x.shape
    gain, least, most = np.float32(step), np.float32(low), np.float32(high)
    for k in range(begin, end):
        for j in range(height):
            for i in range(width):
                divergence = np.float32(0)
                if k + 1 < depth:
                    divergence += dual[0, k, j, i]
                if k > 0:
                    divergence -= dual[0, k - 1, j, i]
                if j + 1 < height:
                    divergence += dual[1, k, j, i]
                if j > 0:
                    divergence -= dual[1, k, j - 1, i]
                if i + 1 < width:
                    divergence += dual[2, k, j, i]
                if i > 0:
                    divergence -= dual[2, k, j, i - 1]
                before = x[k, j, i]
                after = min(max(before - gain * (slope[k, j, i] - divergence), least), most)
                ahead[k, j, i] = np.float32(2) * after - before
                x[k, j, i] = after
