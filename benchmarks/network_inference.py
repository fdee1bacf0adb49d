"""Time whole-volume inference with the shipped weights of small, against the same network slice by slice.

Run: python benchmarks/network_inference.py [baseline ...]
"""

import sys
from statistics import median
from time import perf_counter

import numpy as np
import torch

from sxtbench.benchmark.environment import cpu
from sxtbench.benchmark.method import baseline_folder, load_method
from sxtbench.learning import load_network, predict_volume

ROUNDS = 3
VOXELS = (128, 128, 128)


def slice_by_slice(network, volume):
    slices = network.architecture["slices"]
    padded = np.pad(volume, ((slices // 2,) * 2, (0, 0), (0, 0)), mode="edge")
    with torch.inference_mode():
        for z in range(len(volume)):
            network(torch.from_numpy(padded[None, None, z : z + slices]))


def main(names: list[str]) -> None:
    volume = np.random.default_rng(0).normal(1, 0.3, VOXELS).astype(np.float32)
    print(f"{cpu()}, torch with {torch.get_num_threads()} threads, {VOXELS[0]}^3, median of {ROUNDS}")
    for name in names:
        file = load_method(name).weights["small"]["file"]
        network = load_network(baseline_folder(name) / file)[0].eval()
        seconds: dict[str, list[float]] = {"predict_volume": [], "slice_by_slice": []}
        for _ in range(ROUNDS):
            for run in (predict_volume, slice_by_slice):
                start = perf_counter()
                run(network, volume)
                seconds[run.__name__].append(perf_counter() - start)
        ours, plain = (median(values) for values in seconds.values())
        print(f"{name}: predict_volume {ours:.1f} s, slice by slice {plain:.1f} s, {plain / ours:.2f} times as long")


if __name__ == "__main__":
    main(sys.argv[1:] or ["hybrid-unet", "unet2d"])
