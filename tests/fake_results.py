"""Results with made-up but plausible numbers, for the tests of results and board."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sxtbench.benchmark.result import Axis, Method, Preview, Resources, Result, Row, WallTime, aggregate, rows_of
from sxtbench.metrics import score_labels
from sxtbench.pictures import grey_slice_png, label_slice_png

TASK = "limited-angle-segmentation"
AXES = {
    "tilt_range_deg": Axis(levels=[140, 120, 100, 80], reference=100),
    "photons": Axis(levels=[1, 0.25], reference=1),
}
CONDITIONS = [{"tilt_range_deg": t, "photons": 1} for t in (100, 140, 120, 80)]
CONDITIONS.append({"tilt_range_deg": 100, "photons": 0.25})


def phantom(seed: int, n: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a cell with vacuole and droplets, and the mask of its nucleus."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices((n, n, n)) - (n - 1) / 2
    labels = np.zeros((n, n, n), np.uint8)
    labels[z**2 + y**2 + x**2 < (0.42 * n) ** 2] = 1
    cz, cy, cx = rng.uniform(-0.1, 0.1, 3) * n
    labels[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx - 0.08 * n) ** 2 < (0.2 * n) ** 2] = 2
    for _ in range(4):
        cz, cy, cx = rng.uniform(-0.2, 0.2, 3) * n
        labels[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < (0.07 * n) ** 2] = 3
    nucleus = (labels == 1) & (z**2 + (y + 0.2 * n) ** 2 + (x + 0.2 * n) ** 2 < (0.13 * n) ** 2)
    return labels, nucleus


def answer(labels: np.ndarray, nucleus: np.ndarray, error: float, seed: int) -> np.ndarray:
    """Spoil labels: noise everywhere and part of the nucleus called vacuole. Error 0 is the truth, above 1 is empty."""
    if error > 1:
        return np.zeros_like(labels)
    rng = np.random.default_rng(seed)
    spoiled = labels.copy()
    spoiled[nucleus & (rng.random(labels.shape) < 2 * error)] = 2
    flip = rng.random(labels.shape) < error * np.array([0.1, 0.5, 0.7, 1.0])[labels]
    spoiled[flip] = np.roll(labels, 3, axis=2)[flip]
    return spoiled


VOLUME_TASK = "limited-angle-reconstruction"


def scored_result(name: str, rows: list[Row], **changes: object) -> Result:
    """A result with given rows; `axes`, `primary` and the rest by name."""
    axes = changes.get("axes", {})
    fields: dict[str, object] = {
        "task": TASK,
        "version": 1,
        "task_hash": "a" * 64,
        "tier": "small",
        "split": "test",
        "fingerprint": "b" * 64,
        "data_origin": "regenerated",
        "primary": "miou@1",
        "axes": axes,
        "method": Method(name=name),
        "origin": "scored",
        "rows": rows,
        "aggregates": aggregate(rows, axes),
    }
    return Result(**{**fields, **changes})


def result_of(name: str, values: Sequence[float], metric: str = "miou@1", **changes: object) -> Result:
    """A result with one value a specimen, at the reference."""
    rows = [r for i, v in enumerate(values) for r in rows_of(f"test-{i}", f"test-{i}", {}, [(metric, None, float(v))])]
    return scored_result(name, rows, **{"primary": metric, **changes})


def fake_result(name: str, error: float, *, groups: int = 6, tier: str = "tiny", **changes: object) -> Result:
    rows = []
    for group in range(groups):
        labels, nucleus = phantom(group)
        for i, condition in enumerate(CONDITIONS):
            harder = error * (1, 0.8, 0.9, 1.25, 1.3)[i] * (0.8 + 0.07 * (group % 6)) if error <= 1 else error
            spoiled = answer(labels, nucleus, harder, seed=group)
            sample = f"test-{group:05d}" + ("" if i == 0 else f"~{i}")
            rows += rows_of(
                sample, f"test-{group:05d}", condition, score_labels(spoiled, labels, None, [1, 2, 3], nucleus)
            )
    fields: dict[str, object] = {
        "tier": tier,
        "axes": AXES,
        "method": Method(
            name=name,
            description=f"What {name} does, in two sentences. It starts from the filtered back-projection.",
            authors=["Ada Example", "Ernst Ruska"],
            links=["https://example.org/paper?x=1&y=2"],
            licence="Apache-2.0",
            training_data="train split",
            seeds=[1],
            parameters={"depth": 3},
        ),
        "resources": Resources(
            wall_time_s=WallTime(fit=31.0 * error, predict=2.0 + 10 * error),
            peak_memory_mb=300 + 900 * error,
            device="CPU",
        ),
    }
    return scored_result(name, **{"rows": rows, **fields, **changes})


def fake_volume_result(name: str, gain: float, *, groups: int = 10, tier: str = "tiny", **changes: object) -> Result:
    """Scores of a reconstruction that is `gain` dB above a plain one; specimens vary alike for all methods."""
    rows = []
    own = np.random.default_rng(sum(map(ord, name)))
    for group in range(groups):
        specimen = np.random.default_rng(group).normal(0, 0.8)
        for i, condition in enumerate(CONDITIONS):
            psnr = 20 + gain + specimen + (0, 2.1, 1.2, -1.6, -2.4)[i] + own.normal(0, 0.15)
            inside, outside = 0.72 + 0.03 * gain, 0.2 + 0.05 * gain
            outside_text = (0, -0.02, -0.01, 0.0, -0.04)[i]
            scores = [
                ("psnr_lac@1", None, psnr),
                ("rmse@1", None, 0.5 * 10 ** (-psnr / 20)),
                *(("lac_bias@1", label, 0.01 * (label - 2) + own.normal(0, 0.004)) for label in (1, 2, 3)),
                ("lac_slope@1", None, 0.9 + 0.02 * gain + own.normal(0, 0.01)),
                ("fsc_mean_in@1", None, inside + (0, 0.01, 0.0, -0.02, -0.12)[i] + own.normal(0, 0.01)),
                ("fsc_mean_out@1", None, outside + outside_text + own.normal(0, 0.02)),
                ("fsc_resolution_in@1", None, 310 - 12 * gain + own.normal(0, 8) if group else math.nan),
                ("data_consistency@1", None, 1.05 + own.normal(0, 0.02)),
            ]
            sample = f"test-{group:05d}" + ("" if i == 0 else f"~{i}")
            rows += rows_of(sample, f"test-{group:05d}", condition, scores)
    fields: dict[str, object] = {"task": VOLUME_TASK, "primary": "psnr_lac@1", "axes": AXES, "tier": tier}
    return scored_result(name, **{"rows": rows, **fields, **changes})


def write_volume_results(root: Path, *, tier: str = "tiny", groups: int = 10) -> Path:
    """Write results and grey previews of reconstructions and controls below `root`; return the results' folder."""
    gains = {"oracle": 53.98, "trivial": -5.0, "fbp": 0.0, "fbp-affine": 0.05, "sirt": 2.0, "cgne": 2.2, "tv": 4.0}
    results, previews = root / "results" / VOLUME_TASK / tier, root / "previews" / VOLUME_TASK / tier
    labels, _ = phantom(0, 64)
    lac = np.array([0.1, 0.35, 0.18, 0.62])[labels]
    grey_slice_png(lac[32], previews / "truth.png", low=0.0, high=0.8)
    for slug, gain in gains.items():
        noisy = lac + np.random.default_rng(0).normal(0, 0.05, lac.shape)
        grey_slice_png(noisy[32], previews / f"{slug}.png", low=0.0, high=0.8)
        shown = [("truth.png", "truth"), (f"{slug}.png", "answer")]
        previewed = tuple(Preview(file=f, kind=k, sample="test-00000", caption="z slice 32 (y, x)") for f, k in shown)
        fake_volume_result(slug, gain, groups=groups, tier=tier, previews=previewed).save(results / f"{slug}.json")
    return root / "results"


def write_results(root: Path, *, tier: str = "tiny", groups: int = 6) -> Path:
    """Write results and previews of two controls and five methods below `root`; return the folder of the results."""
    methods = {
        "oracle": 0.0,
        "trivial": 2.0,
        "fbp-otsu": 0.55,
        "cgne-random-forest": 0.36,
        "unet-2.5d": 0.18,
        "unet-stream": 0.1,
        "watershed": 0.45,
    }
    results, previews = root / "results" / TASK / tier, root / "previews" / TASK / tier
    labels, nucleus = phantom(0, 64)
    lac = np.array([0.1, 0.35, 0.18, 0.62])[labels] + np.random.default_rng(0).normal(0, 0.07, labels.shape)
    grey_slice_png(lac[:, 32], previews / "input.png", low=0.0, high=0.8)
    label_slice_png(labels[:, 32], previews / "truth.png")
    for slug, error in methods.items():
        label_slice_png(answer(labels, nucleus, error, 1)[:, 32], previews / f"{slug}.png")
        shown = [("input.png", "input"), ("truth.png", "truth"), (f"{slug}.png", "answer")]
        result = fake_result(slug, error, groups=groups, tier=tier)
        result = result.model_copy(
            update={
                "previews": tuple(
                    Preview(file=f, kind=k, sample="test-00000", caption="y slice (z, x)") for f, k in shown
                ),
                "origin": "reported" if slug == "watershed" else "reproduced",
                "flags": ("regenerated",) if slug == "watershed" else (),
                "method": result.method.model_copy(update={"track": "stream" if slug == "unet-stream" else "fixed"}),
            }
        )
        result.save(results / f"{slug}.json")
    return root / "results"
