"""What a hostile submission costs its validator: a ZIP that unfolds to 10 GB, and a file of 512^3 as it should be.

Usage: python benchmarks/submission_bombs.py [--gigabytes 10]
"""

import argparse
import io
import json
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from sxtbench.benchmark.answer_files import Form, scan
from sxtbench.benchmark.environment import peak_memory_mb
from sxtbench.benchmark.hostile import blocks, opened
from sxtbench.benchmark.submission_checks import check_submission
from sxtbench.benchmark.task import get_task

FIRST = "predictions/test-00000.npy"


def bomb(path: Path, gigabytes: int) -> None:
    """Write a member that begins as a right answer of tiny and goes on with zeros; the statement is right."""
    task = get_task("limited-angle-segmentation", "tiny")
    file = io.BytesIO()
    np.save(file, np.zeros((64, 64, 64), np.uint8))
    said = {"task": task.name, "version": task.protocol.version, "task_hash": task.hash, "tier": task.tier}
    said |= {"schema_version": 1, "split": "test", "fingerprint": task.dataset("test").fingerprint}
    said["method"] = {"name": "bomb", "authors": ["A"], "licence": "MIT", "training_data": "none"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("submission.json", json.dumps(said))
        with archive.open(FIRST, "w", force_zip64=True) as member:
            member.write(file.getvalue())
            for _ in range(gigabytes << 4):
                member.write(bytes(64 << 20))


def honest(folder: Path, array: np.ndarray, kind: str) -> str:
    path = folder / "honest.zip"
    file = io.BytesIO()
    np.save(file, array)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(FIRST, file.getvalue())
    form = Form(kind=kind, shape=array.shape, classes=(0, 1, 2, 3))
    with opened(path) as container:
        start = time.perf_counter()
        found = scan(blocks(container, FIRST), container.sizes[FIRST], form)
        seconds = time.perf_counter() - start
    assert not found.faults
    return (
        f"{kind} {array.shape} {array.dtype}: {path.stat().st_size / 1e6:.1f} MB in the ZIP, checked in {seconds:.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=int, default=10)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bomb.zip"
        bomb(path, chosen.gigabytes)
        before, start = peak_memory_mb(), time.perf_counter()
        found = check_submission(path)
        seconds, more = time.perf_counter() - start, peak_memory_mb() - before
        line = next(line for line in found.faults if "bytes long" in line)
        print(f"bomb of {path.stat().st_size / 1e6:.0f} MB that unfolds to {chosen.gigabytes} GB:")
        print(f"  {line}")
        print(f"  {seconds:.2f} s, {more:.0f} MB more memory, {len(list(Path(name).iterdir())) - 1} files written")
        path.unlink()
        rng = np.random.default_rng(0)
        labels = np.repeat(rng.integers(0, 4, (512, 512, 16), np.uint8), 32, axis=2)
        print(honest(Path(name), labels, "labels"))
        print(honest(Path(name), rng.standard_normal((512, 512, 256), np.float32), "volume"))


if __name__ == "__main__":
    main()
