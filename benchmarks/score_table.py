"""Print the committed results as the Markdown tables that README.md and docs/numbers.md hold.

Run: python benchmarks/score_table.py
"""

from pathlib import Path

from sxtbench.benchmark.result import load_result
from sxtbench.metrics import get_metric

RESULTS = Path(__file__).resolve().parents[1] / "leaderboard" / "results"
LEVELS = {"at 80 degrees": {"tilt_range_deg": 80}, "photons 1/4": {"photons": 0.25}}
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
}


def table(task: str, tier: str) -> str:
    """Return one table: a row a method, best first."""
    results = [load_result(path) for path in sorted((RESULTS / task / tier).glob("*.json"))]
    columns = COLUMNS[task]
    primary = get_metric(results[0].primary)
    unit = f", {primary.unit}" if primary.unit else ""
    heads = [f"{primary.name}{unit} [95 %]", *columns, *LEVELS]
    lines = ["| method | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for result in sorted(results, key=lambda result: -result.headline.mean):
        head = result.headline
        cells = [f"{_text(head.mean, primary.id)} [{_text(head.low, primary.id)}, {_text(head.high, primary.id)}]"]
        cells += [_text(result.aggregate_of(metric, label).mean, metric) for metric, label in columns.values()]
        for level in LEVELS.values():
            cells.append(_text(result.aggregate_of(primary.id, level=level).mean, primary.id))
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
