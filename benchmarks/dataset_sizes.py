"""Sizes of the datasets by tier, as the cards state them: written to data_cards/sizes.json and printed.

A dataset under $SXTBENCH_HOME is measured: inputs, targets and pictures a specimen, without slices, times the specimens
of its tier. Another tier has the size of the nearest measured one times its voxels and specimens, and says so.

Usage: python benchmarks/dataset_sizes.py
"""

import json
import math
from pathlib import Path

from sxtbench.benchmark.task import Task, get_task, list_tasks
from sxtbench.datasets.card import in_bytes
from sxtbench.datasets.dataset import home

OUT = Path(__file__).resolve().parents[1] / "data_cards" / "sizes.json"
TIERS = ("tiny", "small", "full")


def specimen_bytes(folder: Path) -> float | None:
    """Return the mean size of the specimens that are stored in a folder, finished or not."""
    inputs = sorted(folder.glob("inputs/*/*.zarr.zip"))
    whole = [path for path in inputs if (folder / "targets" / path.relative_to(folder / "inputs")).is_file()]
    if not whole:
        return None
    size = 0
    for path in whole:
        split, group = path.parent.name, path.name.removesuffix(".zarr.zip")
        files = (
            path,
            *(folder / "targets" / split).glob(f"{group}.*"),
            *(folder / "previews" / split).glob(f"{group}.*"),
        )
        size += sum(2 * f.stat().st_size if f.suffix == ".png" else f.stat().st_size for f in files)
    return size / len(whole)


def voxels(task: Task) -> float:
    """Return the voxels of a specimen, of the larger family where there are several."""

    def shapes(content: object) -> list[list[int]]:
        if not isinstance(content, dict):
            return []
        own = [content["shape"]] if isinstance(content.get("shape"), list) else []
        return own + [shape for value in content.values() for shape in shapes(value)]

    return max(math.prod(shape) for shape in shapes(task.dataset_spec.recipe.model_dump(mode="json")))


def main() -> None:
    sizes = {}
    for name in list_tasks():
        if get_task(name).dataset_spec.task != name:
            continue
        tasks = {tier: get_task(name, tier) for tier in TIERS}
        measured = {
            tier: found
            for tier, task in tasks.items()
            if (found := specimen_bytes(home() / "datasets" / task.dataset_spec.name)) is not None
        }
        for tier, task in tasks.items():
            nearest = min(measured, key=lambda other: abs(TIERS.index(other) - TIERS.index(tier)))
            each = measured[nearest] * voxels(task) / voxels(tasks[nearest])
            size = round(each * sum(task.dataset_spec.sizes.values()))
            sizes[task.dataset_spec.name] = {"bytes": size, "measured": tier in measured}
            how = "measured" if tier in measured else f"from {nearest}"
            print(f"{task.dataset_spec.name:<36} {in_bytes(size):>9}  {how}")
    OUT.write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
