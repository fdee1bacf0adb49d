"""Dilation by a ball: `metrics.regions.dilated` against scipy's distance transform, in one run.

Run: python benchmarks/dilation.py [size]
"""

import sys
from time import perf_counter

import numpy as np
from scipy.ndimage import distance_transform_edt

from sxtbench.metrics.regions import dilated


def main(size: int = 192) -> None:
    axis = np.arange(size) - (size - 1) / 2
    ball = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 < (size / 4) ** 2
    for radius in (3.0, 7.14, 14.3):
        start = perf_counter()
        ours = dilated(ball, radius)
        middle = perf_counter()
        theirs = distance_transform_edt(~ball) <= radius
        end = perf_counter()
        assert np.array_equal(ours, theirs)
        ratio = (end - middle) / (middle - start)
        print(f"{size}^3, radius {radius:5.2f}: {middle - start:.2f} s against {end - middle:.2f} s, {ratio:.1f} times")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
