"""What flushing to the disk costs a build: files of a dataset's sizes, written with it and without, by turns.

Example: `python benchmarks/flush_cost.py ./tiny`, in a folder on the disk that is to be measured.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from sxtbench.datasets.build import dataset_files
from sxtbench.files import atomic_path


def flushed(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def renamed(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_bytes(content)
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    names = [name for name in dataset_files(chosen.dataset) if name.startswith(("inputs/", "targets/", "previews/"))]
    sizes = {name: (chosen.dataset / name).stat().st_size for name in names}
    seconds: dict[str, list[float]] = {"flushed": [], "renamed alone": []}
    for _ in range(chosen.rounds):
        for way, write in (("flushed", flushed), ("renamed alone", renamed)):
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
                os.sync()
                start = time.perf_counter()
                for name, size in sizes.items():
                    write(Path(folder, name), os.urandom(size))
                seconds[way].append(time.perf_counter() - start)
    print(f"{len(names)} files, {sum(sizes.values()) / 1e6:.1f} MB, median of {chosen.rounds}")
    for way, found in seconds.items():
        middle = statistics.median(found)
        print(f"{way:<14} {len(names) / middle:8.0f} files/s  {1e3 * middle / len(names):7.2f} ms a file")


if __name__ == "__main__":
    main()
