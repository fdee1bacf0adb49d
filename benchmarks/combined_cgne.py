"""Combined CGNE of the interior paper's size: time, and the ratio to the same iterations with ASTRA's CPU projector.

Usage: python benchmarks/combined_cgne.py [slices for astra]
ASTRA works slice by slice on one core, so a few slices are timed and scaled up. Both sides run in this process.
"""

import sys
from time import perf_counter

import numpy as np

from sxtbench.benchmark.environment import cpu
from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam, Stack
from sxtbench.reconstruction import cgne, pair_operator

SLICES, SIDE, REGION, VIEWS, ITERATIONS = 16, 801, 300, 97, 30


def geometry(columns: int, slices: int) -> ParallelGeometry:
    angles = np.arange(VIEWS) * 180 / VIEWS
    return ParallelGeometry(angles_deg=angles, columns=columns, slices=slices, pixel_size_nm=20.0)


def seconds(A: Stack, iterations: int) -> float:
    rng = np.random.default_rng(0)
    y = [rng.random(shape, dtype=np.float32) for shape in A.range_shape]
    start = perf_counter()
    cgne(A, y, iterations=iterations)
    return perf_counter() - start


def main() -> None:
    few = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    shape = (SLICES, SIDE, SIDE)
    A = pair_operator(geometry(REGION, SLICES), geometry(SIDE, SLICES), shape)
    seconds(A, 1)  # compiles
    ours = seconds(A, ITERATIONS)
    print(f"{cpu()}: combined CGNE, {SLICES} x {SIDE} x {SIDE}, {VIEWS} + {VIEWS} views, {ITERATIONS} iterations")
    print(f"sxtbench, numba: {ours:.1f} s")
    try:
        blocks = [
            ParallelBeam(geometry(columns, few), (few, SIDE, SIDE), backend="astra") for columns in (REGION, SIDE)
        ]
    except InputError as error:
        print(error)
        return
    theirs = seconds(Stack(blocks), 2) / 2 / few * SLICES * ITERATIONS
    print(f"astra, CPU: {theirs:.0f} s, scaled from {few} slice(s) and 2 iterations")
    print(f"ratio: {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
