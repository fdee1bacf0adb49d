"""How fast a dataset is published and downloaded against the local stand-in for the Hub, beside a plain copy.

    python benchmarks/hub_speed.py FOLDER [rounds]

The stand-in runs in a process of its own and keeps what it gets on the same disk. Copies and transfers take turns; each
figure is the median of the rounds. A plain copy is `shutil.copytree`. Each is timed twice: until the call returns, when
much may be in memory only, and until the data are on the disk (`sync`).
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def timed(work: Callable[[], object]) -> tuple[float, float]:
    os.sync()
    start = time.perf_counter()
    work()
    returned = time.perf_counter() - start
    os.sync()
    return returned, time.perf_counter() - start


def main(dataset: Path, rounds: int) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        place = Path(name)
        command = [sys.executable, str(ROOT / "tests" / "hub_stand_in.py"), str(place / "server")]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        os.environ |= {
            "HF_ENDPOINT": server.stdout.readline().strip(),
            "HF_HUB_DISABLE_XET": "1",
            "HF_TOKEN": "hf_stand_in",
            "HF_HOME": str(place / "hf"),
        }
        try:
            measure(dataset, place, rounds)
        finally:
            server.terminate()
            server.wait()


def measure(dataset: Path, place: Path, rounds: int) -> None:
    from sxtbench.benchmark.task import get_task
    from sxtbench.datasets.build import read_statement
    from sxtbench.datasets.download import download, prepare_download
    from sxtbench.datasets.hub import record
    from sxtbench.datasets.publish import prepare_upload, upload

    statement = read_statement(dataset)
    spec = get_task(statement["task"], statement["tier"]).dataset_spec
    notes = place / "published.yaml"
    plan = prepare_upload(dataset, None)

    def send(repo: str) -> None:
        record(spec.name, upload(plan, repo), notes)

    def get(folder: Path, **source: Any) -> None:
        download(prepare_download(spec, folder, slices=True, **source))

    times: dict[str, list[tuple[float, float]]] = {}
    for turn in range(rounds):
        for old in (place / "server").iterdir():
            old.unlink()  # what the server has, it would not ask for again
        repo, copy, recorded, other = f"lab/turn-{turn}", place / "copy", place / "recorded", place / "other"
        for label, work in {
            "plain copy": partial(shutil.copytree, dataset, copy),
            "publish: verify": partial(prepare_upload, dataset, None),
            "publish: send": partial(send, repo),
            "download": partial(get, recorded, record=notes),
            "download, arrays compared too": partial(get, other, repo=repo, revision="main"),
        }.items():
            times.setdefault(label, []).append(timed(work))
        for folder in (copy, recorded, other):
            shutil.rmtree(folder)
    size = sum(plan.sizes.values()) / 1e6
    print(f"{spec.name}: {size:.0f} MB in {len(plan.sizes)} files, median of {rounds}, CPUs {os.cpu_count()}")
    for i, until in enumerate(("the call returns", "the data are on the disk")):
        middle = {label: statistics.median(pair[i] for pair in pairs) for label, pairs in times.items()}
        print(f"until {until}:")
        for label, taken in middle.items():
            share = middle["plain copy"] / taken
            print(f"  {label:<34} {taken:7.2f} s  {size / taken:7.0f} MB/s  {share:5.2f} of a plain copy's speed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
