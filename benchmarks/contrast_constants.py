"""Print gain and widest LAC bias on validation of small for constants of the baselines of contrast-enhancement.

Run: python benchmarks/contrast_constants.py [METHOD ..]
"""

import itertools
import sys
from typing import Any

import numpy as np

from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.scoring import score_contrast_sample
from sxtbench.benchmark.task import get_task
from sxtbench.datasets.dataset import Sample

SPECIMENS, CALIBRATED_ON = 5, 4
GRIDS: dict[str, dict[str, list[float]]] = {
    "gaussian": {"sigma_px": [0.5, 0.75, 1.0, 1.5]},
    "unsharp": {"sigma_px": [1.0, 2.0, 3.0], "amount": [0.25]},
    "paganin": {"distance_um": [1.5, 5.0, 15.0, 22.0, 25.0, 30.0, 60.0]},
    "paganin-unsharp": {"distance_um": [1.5, 5.0], "sigma_px": [1.0, 2.0, 3.0], "amount": [0.5, 1.0, 2.0]},
    "nlm-denoise": {"h_per_um": [0.05, 0.1, 0.15, 0.2, 0.25, 0.3], "patch_size": [3], "patch_distance": [2]},
    "tv-denoise": {"weight": [0.02, 0.05, 0.1, 0.15, 0.2], "iterations": [50]},
}


class First:
    """The first specimens of train, kept in memory."""

    def __init__(self, samples: list[Sample]) -> None:
        self.samples = samples

    def of_first_specimens(self, count: int) -> list[Sample]:
        """Return them, however many are asked for."""
        return self.samples


def measured(method: Any, samples: list[Sample]) -> tuple[float, dict[int, float]]:
    """Return the gain and the LAC bias by label, means over specimens."""
    rows = [score_contrast_sample(sample, np.asarray(method.predict(sample), np.float32)) for sample in samples]
    gains = [value for row in rows for name, _, value in row if name == "cnr_gain_matched@1"]
    bias: dict[int, list[float]] = {}
    for name, label, value in itertools.chain(*rows):
        if name == "lac_bias@1" and label is not None and np.isfinite(value):
            bias.setdefault(label, []).append(value)
    return float(2 ** np.mean(np.log2(gains))), {label: float(np.mean(values)) for label, values in bias.items()}


def main() -> None:
    """Print a line for each set of constants."""
    task = get_task("contrast-enhancement", "small")
    train, validation = (task.dataset(split, targets=True) for split in ("train", "validation"))
    levels = {str(c["illumination"]): list(validation.at(c).first(SPECIMENS)) for c in task.dataset_spec.conditions()}
    reference = load_method("fbp-affine")
    reference.fit(train, validation, seed=0)
    right = {name: measured(reference, samples)[1] for name, samples in levels.items()}
    first = First(list(train.of_first_specimens(CALIBRATED_ON)))
    for name in sys.argv[1:] or GRIDS:
        for values in itertools.product(*GRIDS[name].values()):
            constants = dict(zip(GRIDS[name], values, strict=True))
            method = load_method(name, tiers={"small": constants})
            method.fit(first, None, seed=0)
            parts = []
            for level, samples in levels.items():
                gain, bias = measured(method, samples)
                off = {label: abs(bias[label] - value) for label, value in right[level].items()}
                worst = max(off, key=lambda label: off[label])
                parts.append(f"{level} {gain:.3f}, LAC of label {worst} off by {off[worst]:.3f}/um")
            print(name, constants, "; ".join(parts), flush=True)


if __name__ == "__main__":
    main()
