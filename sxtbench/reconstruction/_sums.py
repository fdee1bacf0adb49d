"""Inner products of float32 arrays, summed in float64 in one pass."""

import numpy as np
from numpy.typing import NDArray

from sxtbench.jit import kernel


@kernel
def inner(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the sum of a * b, products and sum in double (in numba, `float` of a float32 is a float32).

    BLAS would need copies in double, and its threads fight with those of the projector: 20 to 50 times as slow.

    Parameters
    ----------
    a, b : ndarray, shape (n,), float32
        One-dimensional.
    """
    total = 0.0
    for i in range(a.size):
        total += np.float64(a[i]) * np.float64(b[i])
    return total
