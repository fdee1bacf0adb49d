"""Volumes and counts of the tiny test specimens, true and as `fbp-otsu` sees them, as a Markdown table.

And how many of the true objects the rules find in the true labels of training specimens: that error no score shows.

Run: python benchmarks/quantification_example.py [--rules]
"""

import sys
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq

from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.task import get_task
from sxtbench.labels import DROPLET, ENDOSOME, MITOCHONDRION, VACUOLE
from sxtbench.metrics import quantify
from sxtbench.metrics.instances import RULES, edges_um, split

KINDS = {"vacuole": VACUOLE, "droplet": DROPLET, "mitochondrion": MITOCHONDRION, "endosome": ENDOSOME}


def example() -> None:
    task, method = get_task("limited-angle-segmentation", "tiny"), load_method("fbp-otsu")
    data = task.dataset("test", targets=True)
    print("| specimen | cell, um³ | vacuoles, um³ | droplets, um³ | vacuoles | droplets |\n|---|---|---|---|---|---|")
    for sample, hidden in zip(data.at_reference, data.at_reference.without_targets, strict=True):
        cells = []
        for labels in (sample.targets["labels"], method.predict(hidden)):
            found = quantify(labels, voxel_size_nm=sample.voxel_size_nm).cells
            total = found.groupby("kind")[["volume_um3", "count"]].sum()
            total = total.reindex(["cell", "vacuole", "lipid droplet"], fill_value=0)
            cells.append([f"{v:.2f}" for v in total["volume_um3"]] + [str(n) for n in total["count"][1:]])
        print(
            f"| {sample.group} | " + " | ".join(f"{right} → {mine}" for right, mine in zip(*cells, strict=True)) + " |"
        )


def rules(specimens: int = 10) -> None:
    print("task, tier, kind: objects that the rules find in the true labels, of those that were drawn")
    for name in ("limited-angle-segmentation", "organelle-segmentation"):
        for tier in ("tiny", "small"):
            data = get_task(name, tier).dataset("train", targets=True)
            counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
            for sample in list(data.at_reference)[:specimens]:
                drawn = pq.read_table(data.folder / "targets" / "train" / f"{sample.group}.objects.parquet").to_pandas()
                drawn = drawn[drawn["visible_volume_um3"] > 0]
                labels = np.asarray(sample.targets["suite_labels"])
                edges = edges_um(sample.voxel_size_nm)
                for kind, label in KINDS.items():
                    if (labels == label).any():
                        counts[kind][0] += len(split(labels == label, edges, RULES[label]))
                        counts[kind][1] += int((drawn["kind"] == kind).sum())
                if (labels == MITOCHONDRION).any():
                    cut = replace(RULES[MITOCHONDRION], how="watershed", neck_um=RULES[DROPLET].neck_um)
                    counts["mitochondrion cut at necks"][0] += len(split(labels == MITOCHONDRION, edges, cut))
                    counts["mitochondrion cut at necks"][1] += int((drawn["kind"] == "mitochondrion").sum())
            for kind, (found, there) in counts.items():
                print(f"  {name}, {tier}, {kind}: {found} of {there}")


if __name__ == "__main__":
    rules() if "--rules" in sys.argv else example()
