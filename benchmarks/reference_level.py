"""Score methods at the reference level only: a quick look where a whole run, with all levels, takes too long.

Usage: python benchmarks/reference_level.py TASK TIER SPLIT [METHOD ...]
"""

import sys
from time import process_time

from sxtbench.benchmark.answer import checked
from sxtbench.benchmark.method import fit_method, learns, list_baselines, load_method, predict_sample
from sxtbench.benchmark.scoring import score_primary
from sxtbench.benchmark.statistics import mean_on_scale
from sxtbench.benchmark.task import get_task
from sxtbench.metrics import get_metric


def main(name: str, tier: str, split: str, methods: list[str]) -> None:
    task = get_task(name, tier)
    data = task.dataset(split, targets=True).at_reference
    scale = get_metric(task.protocol.primary.id).scale
    print(f"{name}, {tier}, {split}, reference level, {len(data)} specimens: {task.protocol.primary.id}")
    print("| method | mean | each specimen | CPU s a specimen |\n|---|---|---|---|")
    for method_name in methods or [m for m in list_baselines(name, task.tier) if m not in task.report.controls]:
        method = load_method(method_name)
        if learns(method, task.protocol.answer.kinds[0]):
            fit_method(method, task.dataset("train"), task.dataset("validation"))
        start, values = process_time(), []
        for hidden, sample in zip(data.without_targets, data, strict=True):
            values.append(score_primary(task, sample, checked(task, sample, predict_sample(method, hidden))))
        seconds = (process_time() - start) / len(data)
        each = ", ".join(f"{value:.2f}" for value in values)
        print(f"| {method_name} | {mean_on_scale(values, scale):.2f} | {each} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
