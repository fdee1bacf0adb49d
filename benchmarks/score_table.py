"""Print the committed results as the Markdown tables that README.md and docs/numbers.md hold.

Run: python benchmarks/score_table.py
"""

from pathlib import Path

from sxtbench.benchmark.result import Result, load_result

RESULTS = Path(__file__).resolve().parents[1] / "leaderboard" / "results"


def table(task: str, tier: str) -> str:
    """Return one table: a row a method, best first."""
    results = [load_result(path) for path in sorted((RESULTS / task / tier).glob("*.json"))]
    lines = [
        "| method | mean IoU [95 %] | cytoplasm | vacuole | droplet | at 80 degrees | photons 1/4 |",
        "|---" * 7 + "|",
    ]
    for result in sorted(results, key=lambda result: -result.headline.mean):
        head = result.headline
        values = [result.aggregate_of("iou@1", label).mean for label in (1, 2, 3)]
        values += [_at(result, "tilt_range_deg", 80), _at(result, "photons", 0.25)]
        cells = " | ".join(f"{value:.3f}" for value in values)
        lines.append(f"| {result.method.name} | {head.mean:.3f} [{head.low:.3f}, {head.high:.3f}] | {cells} |")
    return "\n".join(lines)


def _at(result: Result, axis: str, level: float) -> float:
    return result.aggregate_of(result.primary, level={axis: level}).mean


if __name__ == "__main__":
    for tier in ("tiny", "small"):
        print(f"\n{tier}\n\n{table('limited-angle-segmentation', tier)}")
