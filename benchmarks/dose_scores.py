"""Time the primary metric of low-dose and its columns on one volume: wall and CPU seconds, the part of each.

Run: python benchmarks/dose_scores.py [SIDE]
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from sxtbench.labels import CYTOPLASM, NUCLEUS
from sxtbench.metrics import lac_bias, psnr_affine, psnr_lac, score_dose, ssim
from sxtbench.metrics.dose import DoseInformation
from sxtbench.metrics.shells import shell_sums, softened


def main(side: int) -> None:
    rng = np.random.default_rng(1)
    radius = np.sqrt(sum(np.square(axis - (side - 1) / 2) for axis in np.ogrid[:side, :side, :side])) / side
    cells, labels = radius < 0.37, np.where(radius < 0.2, NUCLEUS, CYTOPLASM).astype(np.uint8)
    truth = (0.25 * cells + rng.normal(0, 0.03, cells.shape)).astype(np.float32)
    answer = truth + rng.normal(0, 0.1, cells.shape).astype(np.float32)
    voxel = 10240 / side

    def all_of_it() -> None:
        doses, reference = np.geomspace(0.01, 20, 12), np.linspace(0.1, 0.99, 12)
        score_dose(
            answer, truth, cells, labels, voxel_size_nm=voxel, doses=doses, reference=reference, noise_free=0.99,
            dose_used=0.1,
        )  # fmt: skip

    parts: dict[str, Callable[[], object]] = {
        "everything": all_of_it,
        "information": lambda: DoseInformation(truth, cells, voxel_size_nm=voxel).of(answer),
        "SSIM": lambda: ssim(answer, truth, data_range=0.5, mask=cells),
        "shell sums": lambda: shell_sums(answer, truth, softened(cells)),
        "PSNR": lambda: (psnr_lac(answer, truth, cells), psnr_affine(answer, truth, cells)),
        "LAC bias": lambda: lac_bias(answer, truth, labels, mask=cells, classes=(CYTOPLASM, NUCLEUS)),
    }
    print(f"{side}^3\n| part | wall, s | CPU, s |\n|---|---|---|")
    for name, run in parts.items():
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        print(f"| {name} | {time.perf_counter() - wall:.1f} | {time.process_time() - cpu:.1f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
