"""Time of quantification at 256^3: the primary metric with its columns, and the tables of a cell with 50 organelles.

Wall and processor time of the process (the machine may be shared). With an argument: the side of the volume. Surface
distances of one class beside those of surface-distance and MONAI, where they are installed.

Run: python benchmarks/quantification.py [size]
"""

import importlib.util
import sys
from time import perf_counter, process_time

import numpy as np

from sxtbench.labels import CYTOPLASM, DROPLET, ENDOSOME, MITOCHONDRION, NUCLEUS, VACUOLE
from sxtbench.metrics import quantify, score_labels, score_quantities, surface_distances
from sxtbench.metrics.regions import cylinder

VOXEL_NM = 5120.0  # over the size: the field is always 5.12 um wide


def cell(size: int, organelles: int, classes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """One cell of 4.4 um with a nucleus or a vacuole and balls of the other classes that do not touch."""
    rng = np.random.default_rng(seed)
    axis = (np.arange(size) + 0.5) * 5.12 / size - 2.56
    labels = np.zeros((size, size, size), np.uint8)

    def paint(label: int, centre: np.ndarray, radius: float) -> None:
        box = [slice(*np.searchsorted(axis, (c - radius, c + radius))) for c in centre]
        z, y, x = (axis[side] - c for side, c in zip(box, centre, strict=True))
        ball = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 < radius**2
        labels[tuple(box)][ball] = label

    paint(CYTOPLASM, np.zeros(3), 2.2)
    placed = [(np.array([0.0, 0.3, -0.8]), 1.1)]
    paint(classes[0], *placed[0])
    while len(placed) < organelles:
        centre, radius = rng.uniform(-2, 2, 3), rng.uniform(0.12, 0.3)
        free = all(np.linalg.norm(centre - c) > radius + r + 0.05 for c, r in placed)
        if free and np.linalg.norm(centre) < 2.15 - radius:
            paint(classes[1 + len(placed) % (len(classes) - 1)], centre, radius)
            placed.append((centre, radius))
    return labels


def timed(what: str, function, *arguments, **options):
    wall, work = perf_counter(), process_time()
    found = function(*arguments, **options)
    print(f"{what}: {perf_counter() - wall:.2f} s ({process_time() - work:.2f} s of processor time)")
    return found


def peers(answer: np.ndarray, truth: np.ndarray, voxel_nm: float, label: int = CYTOPLASM) -> None:
    ours = timed(
        "  surface distances of one class, ours", surface_distances, answer, truth, label=label, voxel_size_nm=voxel_nm
    )
    print(f"    HD95 {ours.hd95():.1f} nm, NSD {ours.nsd(voxel_nm):.4f}")
    mine, right = answer == label, truth == label
    if importlib.util.find_spec("surface_distance"):
        import surface_distance as peer

        found = timed("  surface-distance", peer.compute_surface_distances, right, mine, (voxel_nm,) * 3)
        nsd = peer.compute_surface_dice_at_tolerance(found, voxel_nm)
        print(f"    HD95 {peer.compute_robust_hausdorff(found, 95):.1f} nm, NSD {nsd:.4f} (weighted by area)")
    if importlib.util.find_spec("monai"):
        import torch
        from monai.metrics import compute_hausdorff_distance

        pair = [torch.as_tensor(mask[None, None].astype(np.float32)) for mask in (mine, right)]
        options = {"include_background": True, "percentile": 95, "spacing": voxel_nm}
        hd95 = timed("  MONAI, HD95 alone", compute_hausdorff_distance, *pair, **options)
        print(f"    HD95 {float(hd95):.1f} nm")


def main(size: int = 256) -> None:
    voxel_nm = VOXEL_NM / size
    quantify(cell(32, 5, (NUCLEUS, DROPLET)), voxel_size_nm=160.0)  # imports
    truth = cell(size, 50, (VACUOLE, DROPLET))
    answer = np.roll(truth, (1, 1, 0), axis=(0, 1, 2))
    answer[np.random.default_rng(1).random(answer.shape) < 2e-4] = DROPLET  # specks, as noise makes them
    classes, region = (1, 2, 3), cylinder(truth.shape)
    timed(f"{size}^3, primary metric (score_labels)", score_labels, answer, truth, region, classes)
    scores = timed(
        f"{size}^3, columns (score_quantities)",
        score_quantities, answer, truth, region, classes, voxel_size_nm=voxel_nm,
    )  # fmt: skip
    print(
        "  " + ", ".join(f"{metric} {label or ''} {value:.3g}" for metric, label, value in scores if label == DROPLET)
    )
    peers(answer, truth, voxel_nm)
    labels = cell(size, 50, (NUCLEUS, DROPLET, MITOCHONDRION, ENDOSOME))
    lac = labels.astype(np.float32) / 10
    found = timed(f"{size}^3, tables of 50 organelles (quantify)", quantify, labels, voxel_size_nm=voxel_nm, lac=lac)
    print(f"  {len(found.organelles)} organelles, {len(found.organelles.columns)} columns")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
