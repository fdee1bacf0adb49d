"""Measure our test samples as `sxtbench assess` measures a user's data, and keep the numbers beside the tasks.

Inputs alone are read; the targets stay closed. Run: python benchmarks/assess_reference.py [TASK/TIER ...]
"""

import json
import sys
from pathlib import Path

from sxtbench.benchmark.assess import assess_split
from sxtbench.benchmark.task import get_task
from sxtbench.cli.console import progress
from sxtbench.files import write_text

TASKS = Path(__file__).resolve().parents[1] / "tasks"
DATASETS = (
    "limited-angle-segmentation/tiny",
    "limited-angle-segmentation/small",
    "organelle-segmentation/tiny",
    "organelle-segmentation/small",
    "low-dose/tiny",
    "contrast-enhancement/tiny",
)

if __name__ == "__main__":
    for name in sys.argv[1:] or DATASETS:
        task = get_task(*name.split("/"))
        with progress(name, task.dataset_spec.sizes["test"]) as done:
            content = assess_split(task, progress=done)
        path = TASKS / task.dataset_spec.task / f"assess-{task.tier}.json"
        lines = ",\n".join(
            f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in content.items()
        )
        write_text(path, "{\n" + lines + "\n}\n")
        print(path, len(content["samples"]), "samples")
