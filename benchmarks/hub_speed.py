"""How fast a dataset is published and downloaded against the local stand-in for the Hub, beside a plain copy.

    python benchmarks/hub_speed.py FOLDER [rounds]

The stand-in runs in a process of its own and keeps what it gets on the same disk. Copies and transfers take turns; each
figure is the median of the rounds. A plain copy is `shutil.copytree`.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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
    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        found = [prepare_upload(dataset, spec)] if turn == 0 else found  # noqa: F821 - of the first turn
        plan = found[0]
        # Another repository has the same contents: what was sent is forgotten, so that it is sent again.
        for old in (place / "server").iterdir():
            old.unlink()
        repo = f"lab/turn-{turn}"

        def send(repo: str = repo) -> None:
            record(spec.name, upload(plan, repo), notes)

        def get(trusted: bool, turn: int = turn, repo: str = repo) -> None:
            options = {"record": notes} if trusted else {"repo": repo, "revision": "main"}
            download(prepare_download(spec, place / f"got-{turn}-{trusted}", **options))  # type: ignore[arg-type]

        for label, work in {
            "plain copy": lambda turn=turn: shutil.copytree(dataset, place / f"copy-{turn}"),
            "publish: send": send,
            "publish: verify first": lambda: prepare_upload(dataset, spec),
            "download": lambda: get(True),
            "download, not recorded: arrays too": lambda: get(False),
        }.items():
            times.setdefault(label, []).append(timed(work))
        for old in (f"copy-{turn}", f"got-{turn}-True", f"got-{turn}-False"):
            shutil.rmtree(place / old)
    size = sum(plan.sizes.values()) / 1e6
    copy = statistics.median(times["plain copy"])
    print(f"{spec.name}: {size:.0f} MB in {len(plan.sizes)} files, median of {rounds}, CPUs {os.cpu_count()}")
    for label, taken in times.items():
        middle = statistics.median(taken)
        print(f"{label:<36} {middle:7.2f} s  {size / middle:7.0f} MB/s  {copy / middle:5.2f} of a plain copy's speed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
