"""Alignment of interior views: `align` against scikit-image's `phase_cross_correlation`, error and time, in one run.

The peer registers each view to its anchor where there is one, and else to the neighbour that leads to the closest
anchor: `masked` by the correlation over the overlap, in whole pixels, `windowed` to a tenth of a pixel after a
band-pass and a Hann window. 92 views, 64 x 192 at 20 nm by default.

Run: python benchmarks/alignment.py [pixel_nm] [rows] [seed]
"""

import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.ndimage import gaussian_filter, zoom
from skimage.filters import window
from skimage.registration import phase_cross_correlation

from sxtbench.reconstruction.alignment import align

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "reconstruction"))
from alignment_problems import alignment_problem


def masked(fixed, moved):
    everywhere = np.ones(fixed.shape, bool)
    smooth = [gaussian_filter(image, 1) for image in (fixed, moved)]
    return phase_cross_correlation(*smooth, reference_mask=everywhere, moving_mask=everywhere, overlap_ratio=0.3)[0]


def windowed(fixed, moved):
    hann = window("hann", fixed.shape)
    bands = [hann * (gaussian_filter(image, 1) - gaussian_filter(image, 8)) for image in (fixed, moved)]
    return phase_cross_correlation(*bands, upsample_factor=10, normalization=None)[0]


def peer(problem, step):
    """Shifts by chains from the closest anchor."""
    views, rows, columns = problem.images.shape
    anchored = {}
    for anchor, angle in zip(problem.anchors, problem.anchor_angles_deg, strict=True):
        fine = zoom(anchor, 2, order=3, mode="nearest", grid_mode=True)
        first = [(have - want) // 2 for have, want in zip(fine.shape, (rows, columns), strict=True)]
        view = int(np.flatnonzero(problem.angles_deg == angle)[0])
        anchored[view] = fine[first[0] : first[0] + rows, first[1] : first[1] + columns]

    shifts = np.zeros((views, 2))
    for view, anchor in anchored.items():
        shifts[view] = step(anchor, problem.images[view])
    for distance in range(1, views):
        for view in anchored:
            for side in (-1, 1):
                here, before = view + side * distance, view + side * (distance - 1)
                closest = 0 <= here < views and min(abs(here - other) for other in anchored) == distance
                if closest:
                    shifts[here] = shifts[before] + step(problem.images[before], problem.images[here])
    return shifts


def timed(function, *args):
    start = perf_counter()
    out = function(*args)
    return out, perf_counter() - start


def ours(problem):
    return align(problem.images, problem.angles_deg, problem.anchors, problem.anchor_angles_deg)


def main(pixel_nm: float = 20.0, rows: int = 64, seed: int = 0) -> None:
    everything = alignment_problem(seed, pixel_nm=pixel_nm, rows=rows, anchors=92)
    print(f"views {everything.images.shape}, unaligned {everything.error(0 * everything.truth):.2f} px")
    ours(everything.with_anchors(3))
    alone, seconds = timed(align, everything.images, everything.angles_deg)
    print(f"neighbours alone: {everything.error(alone):.2f} px, {seconds:.2f} s")
    for anchors in (3, 5, 10, 19, 46):
        problem = everything.with_anchors(anchors)
        found, seconds = timed(ours, problem)
        line = f"{anchors:2d} anchors: align {problem.error(found):.2f} px, {seconds:.2f} s"
        for step in (masked, windowed):
            theirs, other = timed(peer, problem, step)
            line += f"; {step.__name__} {problem.error(theirs):.2f} px, {other:.2f} s, {other / seconds:.1f} times"
        print(line, flush=True)


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((float, int, int), sys.argv[1:], strict=False)))
