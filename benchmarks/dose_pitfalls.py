"""Show what moves the equivalent dose and what does not: volumes of one specimen of low-dose, tiny, and of its twin.

Run: python benchmarks/dose_pitfalls.py [PICTURE.png]
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sxtbench.benchmark.scoring import score_sample
from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.dataset import Sample
from sxtbench.metrics import fsc
from sxtbench.metrics.dose import scored_shells
from sxtbench.reconstruction import fbp

Volume = NDArray[np.float32]


def filtered(volume: Volume, gain: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Volume:
    """Apply an isotropic filter: a gain of the frequency in cycles a voxel."""
    k = [np.fft.fftfreq(n) for n in volume.shape]
    radius = np.sqrt(np.square(k[0])[:, None, None] + np.square(k[1])[:, None] + np.square(k[2]))
    made = np.fft.ifftn(np.fft.fftn(volume) * gain(radius)).real
    return made.astype(np.float32)


def blurred(volume: Volume, sigma: float) -> Volume:
    return filtered(volume, lambda k: np.exp(-2 * (np.pi * sigma * k) ** 2))


def painted(sample: Sample) -> Volume:
    """Return the mean LAC of each true label: what a perfect segmentation would give."""
    labels, lac = sample.targets["labels"], sample.targets["lac"]
    means = np.array([lac[labels == i].mean() if (labels == i).any() else 0 for i in range(256)], np.float32)
    return means[labels]


def volumes(sample: Sample, other: Volume) -> dict[str, Volume]:
    """Return what the table compares; `sample` is a specimen or its twin, `other` the FBP of another."""
    plain, truth = sample.reconstructions["fbp"], sample.targets["lac"]
    series = sample.tilt_series
    hann = fbp(series.projections, series.geometry, volume_shape=sample.shape, filter="hann")
    remembered = sample.targets["lac_of_specimen"] if sample.twin_of else truth
    return {
        "FBP": plain,
        "FBP, gain 0.5 and offset 0.1": plain / 2 + np.float32(0.1),
        "FBP, Gaussian of 1 voxel": blurred(plain, 1.0),
        "FBP, Gaussian of 2 voxels": blurred(plain, 2.0),
        "FBP, sharpened": filtered(plain, lambda k: 1 + 4 * k / 0.5),
        "FBP, Hann window (not isotropic)": hann,
        "FBP of another cell": other,
        "half FBP, half the truth": (plain + truth) / 2,
        "half FBP, half a memory of the cell": (plain + remembered) / 2,
        "true labels painted": painted(sample),
        "truth, Gaussian of 2 voxels": blurred(truth, 2.0),
        "truth": truth,
    }


def masked(volume: Volume, sample: Sample) -> float:
    """Return the mean correlation under the mask without flattening, over the same shells."""
    curve = fsc(volume, sample.targets["lac"], voxel_size_nm=sample.voxel_size_nm, mask=sample.targets["cells"])
    first, last = scored_shells(max(volume.shape), sample.voxel_size_nm)
    return float(curve.correlation[first : last + 1].mean())


def scores(task: Task, sample: Sample, volume: Volume) -> Mapping[str, float]:
    return {metric.partition("@")[0]: value for metric, label, value in score_sample(task, sample, volume) if not label}


def picture(rows: list[tuple[str, Any]], made: Mapping[str, Volume], sample: Sample, path: Path) -> None:
    """Draw the reference curve with the volumes on it, and a slice of some."""
    figure = Figure(figsize=(11, 5.2), dpi=110, layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    panel = left.subplots()
    doses = sample.targets["reference_doses"] / sample.condition["dose"]
    panel.semilogx(doses, sample.targets["reference_information"], "k.-", label="FBP of fresh exposures")
    noise_free = float(sample.targets["noise_free_information"][0])
    panel.axhline(noise_free, color="grey", linestyle=":", label="noise-free FBP")
    for number, (name, found) in enumerate(rows):
        panel.plot(found["equivalent_dose"], found["information"], "osD^vd<>PX*h"[number % 12], label=name, alpha=0.8)
    panel.set(xlabel="dose over the dose that was used", ylabel="information")
    panel.legend(fontsize=7, frameon=False, loc="lower right")
    shown = ("FBP", "FBP, Gaussian of 1 voxel", "true labels painted", "truth")
    for axis, name in zip(right.subplots(2, 2).flat, shown, strict=True):
        axis.imshow(made[name][made[name].shape[0] // 2], cmap="gray", vmin=-0.1, vmax=0.7)
        axis.set_title(name, fontsize=8)
        axis.set_axis_off()
    figure.savefig(path, metadata={"Software": None})


def main(path: Path | None) -> None:
    task = get_task("low-dose", "tiny")
    data = task.dataset("test", targets=True)
    sample, twin = data.by_id("test-00000"), data.by_id("test-00000~twin")
    other = data.by_id("test-00001").reconstructions["fbp"]
    made, of_twin = volumes(sample, other), volumes(twin, other)
    print("| volume | equivalent dose | masked FSC, not flattened | PSNR, dB | SSIM | hallucination |")
    print("|---|---|---|---|---|---|")
    rows = []
    for name, volume in made.items():
        found, invented = scores(task, sample, volume), scores(task, twin, of_twin[name])["hallucination"]
        rows.append((name, found))
        print(
            f"| {name} | {found['equivalent_dose']:.2f} | {masked(volume, sample):.3f} | {found['psnr_lac']:.1f} | "
            f"{found['ssim']:.3f} | {invented + 0.0:.2f} |"
        )
    if path:
        picture(rows, made, sample, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
