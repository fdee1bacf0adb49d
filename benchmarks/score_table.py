"""Print the committed results as the Markdown tables that README.md and docs/numbers.md hold.

Run: python benchmarks/score_table.py
"""

from pathlib import Path

from sxtbench.benchmark.result import load_result
from sxtbench.metrics import get_metric

RESULTS = Path(__file__).resolve().parents[1] / "leaderboard" / "results"
_LIMITED_ANGLE = {"at 80 degrees": {"tilt_range_deg": 80}, "photons 1/4": {"photons": 0.25}}
LEVELS = {
    "limited-angle-segmentation": _LIMITED_ANGLE,
    "limited-angle-reconstruction": _LIMITED_ANGLE,
    "interior-reconstruction": {
        "2 full views": {"full_views": 2},
        "97 full views": {"full_views": 97},
        "region 1/4": {"region": 0.25},
        "photons 10": {"photons": 10},
    },
    "projection-alignment": {
        "3 anchors": {"anchors": 3},
        "10 anchors": {"anchors": 10},
        "46 anchors": {"anchors": 46},
        "360 degrees": {"sampling_deg": 360},
    },
    "organelle-segmentation": {"1 labelled cell": {"labelled_cells": 1}},
    "contrast-enhancement": {"partially coherent": {"illumination": "partially_coherent"}},
    "low-dose": {"dose 1/5": {"dose": 0.2}, "1/20": {"dose": 0.05}, "1/50": {"dose": 0.02}},
}
COLUMNS = {
    "limited-angle-segmentation": {"cytoplasm": ("iou@1", 1), "vacuole": ("iou@1", 2), "droplet": ("iou@1", 3)},
    "limited-angle-reconstruction": {
        "affine": ("psnr_affine@1", None),
        "bias cytoplasm": ("lac_bias@1", 1),
        "bias droplet": ("lac_bias@1", 3),
        "FSC in": ("fsc_mean_in@1", None),
        "FSC out": ("fsc_mean_out@1", None),
        "chi-square": ("data_consistency@1", None),
    },
    "interior-reconstruction": {
        "affine": ("psnr_affine@1", None),
        "mean error": ("region_bias@1", None),
        "cupping": ("cupping@1", None),
        "rim RMSE": ("ring_rmse@1", None),
        "FRC 1/2, nm": ("frc_half@1", None),
    },
    "projection-alignment": {
        "median": ("alignment_median@1", None),
        "95th percentile": ("alignment_p95@1", None),
        "gauge-free": ("alignment_error_free@1", None),
    },
    "organelle-segmentation": {
        "nucleus": ("iou@1", 4),
        "mitochondrion": ("iou@1", 6),
        "droplet": ("iou@1", 3),
    },
    "contrast-enhancement": {
        "CNR": ("cnr_mean@1", None),
        "MTF50, nm": ("mtf50@1", None),
        "FSC 1/2, nm": ("fsc_resolution_in@1", None),
        "bias cytoplasm": ("lac_bias@1", 1),
        "bias droplet": ("lac_bias@1", 3),
        "overshoot": ("overshoot@1", None),
        "downstream IoU": ("downstream_iou@1", None),
        "beyond": ("outside_family@1", None),
    },
    "low-dose": {
        "median": ("equivalent_dose_median@1", None),
        "information": ("information@1", None),
        "hallucination": ("hallucination@1", None),
        "droplet contrast": ("kept_contrast@1", None),
        "PSNR": ("psnr_lac@1", None),
        "SSIM": ("ssim@1", None),
        "bias mitochondrion": ("lac_bias@1", 6),
    },
}


def table(task: str, tier: str) -> str:
    """Return one table: a row a method, best first."""
    results = [load_result(path) for path in sorted((RESULTS / task / tier).glob("*.json"))]
    columns = COLUMNS[task]
    primary = get_metric(results[0].primary)
    unit = f", {primary.unit}" if primary.unit else ""
    levels = LEVELS[task]
    tracks = len({result.method.track for result in results}) > 1
    shifted = any(result.shifted for result in results)
    heads = [f"{primary.name}{unit} [95 %]", *columns, *levels, *["shifted domain"] * shifted, *["track"] * tracks]
    lines = ["| method | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    sign = -1 if primary.direction == "higher" else 1
    for result in sorted(results, key=lambda result: sign * result.headline.mean):
        head = result.headline
        cells = [f"{_text(head.mean, primary.id)} [{_text(head.low, primary.id)}, {_text(head.high, primary.id)}]"]
        cells += [_text(result.aggregate_of(metric, label).mean, metric) for metric, label in columns.values()]
        for level in levels.values():
            cells.append(_text(result.aggregate_of(primary.id, level=level).mean, primary.id))
        if shifted:
            cells.append(_text(result.on_shifted().headline.mean, primary.id) if result.shifted else "-")
        cells += [result.method.track] * tracks
        lines.append(f"| {result.method.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _text(value: float, metric: str) -> str:
    if value != value:
        return "-"
    return f"{value:.{min(get_metric(metric).digits, 3)}f}"


if __name__ == "__main__":
    for task in COLUMNS:
        for tier in ("tiny", "small"):
            if (RESULTS / task / tier).is_dir():
                print(f"\n{task}, {tier}\n\n{table(task, tier)}")
