"""Print what a segmentation scores that is right but for half a voxel: the ceiling of small objects.

Each object of the truth (a connected component of its class) counts as a ball of the same volume, whose radius falls
short by half a voxel.

Run: python benchmarks/shrunk_truth.py [task] [tier]
"""

import sys

import numpy as np
from scipy import ndimage

from sxtbench.benchmark.task import get_task


def main(name: str = "limited-angle-segmentation", tier: str = "small") -> None:
    task = get_task(name, tier)
    classes = task.protocol.primary.classes
    scores: dict[int, list[float]] = {label: [] for label in classes}
    for sample in task.dataset("test", targets=True).at_reference:
        truth = np.where(sample.region, sample.targets["labels"], 0)
        for label in classes:
            objects, count = ndimage.label(truth == label)
            if count:
                sizes = np.bincount(objects.ravel())[1:]
                radii = np.cbrt(sizes / (4 / 3 * np.pi))
                scores[label].append(float((np.clip(radii - 0.5, 0, None) ** 3).sum() / (radii**3).sum()))
    print(f"{name}, {tier}: IoU of the truth shrunk by half a voxel, balls of the same volume, mean over specimens")
    for label, values in scores.items():
        print(f"label {label}: {np.mean(values):.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
