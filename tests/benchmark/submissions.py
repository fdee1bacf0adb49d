"""A valid submission as files in memory, and ways to write it that no honest packer has."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sxtbench.benchmark.task import Task

Files = dict[str, bytes]
DATE = (1980, 1, 1, 0, 0, 0)
FIRST = "predictions/test-00000.npy"


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=pickled)
    return file.getvalue()


def statement(task: Task) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "task": task.name,
        "version": task.protocol.version,
        "task_hash": task.hash,
        "tier": task.tier,
        "split": "test",
        "fingerprint": task.dataset("test").fingerprint,
        "method": {
            "name": "mine",
            "authors": ["Ada Lovelace", "Zoë Ångström"],
            "licence": "MIT",
            "links": ["https://example.org/paper?id=1"],
            "training_data": "none",
            "description": "Smooths.\nThen thresholds at p < 0.05.",
            "parameters": {"sigma": 1.5, "levels": [0.2, 0.45]},
        },
    }


def valid(task: Task) -> Files:
    rng = np.random.default_rng(3)
    files = {"submission.json": json.dumps(statement(task)).encode()}
    for sample in task.dataset("test"):
        files[f"predictions/{sample.id}.npy"] = npy(rng.integers(0, 4, sample.shape, np.uint8))
    return files


def summed(files: Files) -> Files:
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    return {**files, "SHA256SUMS": lines.encode()}


def write(
    path: Path,
    members: Iterable[tuple[str | zipfile.ZipInfo, bytes]],
    *,
    comment: bytes = b"",
    before: bytes = b"",
    method: int = zipfile.ZIP_DEFLATED,
) -> Path:
    with path.open("wb") as file:
        file.write(before)
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.comment = comment
            for name, content in members:
                info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, DATE)
                info.compress_type = method
                archive.writestr(info, content)
    return path


def changed(task: Task, change: Callable[[dict[str, Any]], object]) -> Files:
    """The valid submission with another statement, its checksum right."""
    content = statement(task)
    change(content)
    return {**valid(task), "submission.json": json.dumps(content).encode()}
