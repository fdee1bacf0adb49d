"""Check a dataset folder: checksums, the arrays behind each content hash, leakage between splits."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sxtbench.datasets.build import CHECKSUMS, dataset_files, read_statement
from sxtbench.datasets.fetched import read_fetched
from sxtbench.datasets.record import stored_content
from sxtbench.hashing import sha256_arrays, sha256_file


def verify(folder: Path, *, progress: Callable[[str], None] | None = None) -> list[str]:
    """Return what is wrong with a dataset folder, one line a problem; an empty list where all is well.

    Parameters
    ----------
    folder : Path
        A dataset.
    progress : callable, optional
        Called with the name of each file or specimen that was checked.

    Raises
    ------
    InputError
        Where the folder holds no dataset.
    """
    statement = read_statement(folder)
    report = progress or (lambda name: None)
    problems = list(_checksums(folder, report))
    damaged = {line.partition(":")[0] for line in problems}
    rows = []
    for split in statement["splits"]:
        if (folder / "manifest" / f"{split}.parquet").is_file() and f"manifest/{split}.parquet" not in damaged:
            rows += reference_rows(folder, split)
    problems += _leakage(rows)
    if read_fetched(folder) is not None:  # maybe in part
        rows = [row for row in rows if all((folder / row[key]).is_file() for key in ("input_path", "target_path"))]
    for row in rows:
        if row["input_path"] in damaged or row["target_path"] in damaged:
            continue
        report(row["group"])
        problems += contents(folder, row)
    return problems


def reference_rows(folder: Path, split: str) -> list[dict[str, Any]]:
    """Return the rows of a split's manifest at the reference level, one a stored specimen."""
    rows = pq.read_table(folder / "manifest" / f"{split}.parquet").to_pylist()
    return [row for row in rows if row["reference"]]


def contents(folder: Path, row: dict[str, Any]) -> list[str]:
    """Return what is wrong with the arrays of a stored specimen: a line, or nothing."""
    if sha256_arrays(stored_content(folder, row)) == row["content_sha256"]:
        return []
    return [f"{row['group']}: its arrays have not the content_sha256 of the manifest"]


def read_checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 by file that `SHA256SUMS` states."""
    lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _checksums(folder: Path, report: Callable[[str], None]) -> Iterator[str]:
    if not (folder / CHECKSUMS).is_file():
        yield "SHA256SUMS: missing (an unfinished build? `sxtbench generate` continues it)"
        return
    stated, fetched = read_checksums(folder), read_fetched(folder)
    asked = set(stated) if fetched is None else set(fetched.files)
    present = set(dataset_files(folder))
    for name in sorted(set(stated) & (asked | present)):
        report(name)
        if name not in present:
            yield f"{name}: missing"
        elif sha256_file(folder / name) != stated[name]:
            yield f"{name}: changed (its SHA-256 is not the one in SHA256SUMS)"
    for name in sorted(present - set(stated)):
        yield f"{name}: not in SHA256SUMS"


def _leakage(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Find specimens that stand in two splits, by group and by what they hold."""
    for key in ("group", "labels_sha256", "content_sha256"):
        places = defaultdict(set)
        for row in rows:
            places[row[key]].add((row["split"], row["group"]))
        for found in places.values():
            if len({split for split, _ in found}) > 1:
                names = " and ".join(f"{split}/{group}" for split, group in sorted(found))
                yield f"leakage: {names} are the same specimen (equal {key})"
