"""Print how long the primary metric of contrast-enhancement and its columns take on a volume of 256^3 voxels.

Run: python benchmarks/contrast_score.py [--side 256]

The low-passes that a gain is measured by are made with the dataset, not when an answer is scored; their time is printed
apart. So is that of the segmentation behind `downstream_iou@1`, which is a baseline's and not the metric's.
"""

import argparse
import time

import numpy as np

from sxtbench.benchmark.method import load_method
from sxtbench.metrics import score_contrast
from sxtbench.metrics.contrast import CELL, LowPassFamily, contrast_regions, gaussian_low_pass
from sxtbench.metrics.probe import TransferProbe
from sxtbench.metrics.regions import cylinder
from sxtbench.metrics.shells import softened

VOXEL, ANGLES = 40.0, np.arange(-60, 61, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256)
    n = parser.parse_args().side
    rng = np.random.default_rng(1)
    place = np.ogrid[:n, :n, :n]

    def ball(centre: list[float], radius: float) -> np.ndarray:
        return sum((p - c * n) ** 2 for p, c in zip(place, centre, strict=True)) < (radius * n) ** 2

    labels = np.zeros((n, n, n), np.uint8)
    labels[ball([0.5, 0.5, 0.5], 0.36)] = 1
    labels[ball([0.5, 0.5, 0.6], 0.12)] = 2
    for _ in range(20):
        labels[ball(list(rng.uniform(0.35, 0.65, 3)), 0.03)] = 3
    truth = np.array([0.112, 0.346, 0.182, 0.62], np.float32)[labels]
    answer = truth + rng.normal(0, 0.1, labels.shape).astype(np.float32)
    region = ball([0.5, 0.5, 0.5], 0.42) & cylinder(labels.shape)

    def timed(what: str, call: object) -> object:
        start, used = time.perf_counter(), time.process_time()
        found = call()  # type: ignore[operator]
        print(f"{what:<46} {time.perf_counter() - start:6.2f} s, of processors {time.process_time() - used:6.2f} s")
        return found

    print(f"{n}^3 voxels")
    regions = timed(
        "regions (with the dataset)",
        lambda: contrast_regions(labels, np.ones(labels.shape, bool), voxel_size_nm=VOXEL, erosion_voxels=2),
    )
    probe = timed(
        "truth's spectrum (with the dataset)",
        lambda: TransferProbe(truth, softened(region), voxel_size_nm=VOXEL, angles_deg=ANGLES),
    )
    timed("one low-pass and its transfer (with the dataset)", lambda: probe(gaussian_low_pass(answer, 1.0)))
    sigmas = np.arange(0, n / 32 + 0.01, 0.125)
    family = LowPassFamily(sigmas, 100 + 50 * sigmas, np.ones((len(sigmas), 3)), (2, 3, CELL))
    for _ in range(2):
        timed(
            "primary metric and columns",
            lambda: score_contrast(
                answer, truth, labels, regions, region, family, voxel_size_nm=VOXEL, angles_deg=ANGLES
            ),
        )
    timed("segmentation by fbp-otsu (downstream IoU)", lambda: load_method("fbp-otsu").segment(answer, VOXEL))


if __name__ == "__main__":
    main()
