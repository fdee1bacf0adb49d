"""Stand-in for sxtbench.reconstruction.null_component."""

import numpy as np
from sxtbench.reconstruction import cgne


def null_component(A, x0, iterations):
    r = A.range_shape
    y = [np.zeros(s, np.float32) for s in r] if isinstance(r[0], tuple) else np.zeros(r, np.float32)
    return cgne(A, y, iterations, x0=x0)
