"""How much two worker processes make against one single-threaded worker, and what a Dask cluster costs beside a pool.

    python benchmarks/cluster_throughput.py [rounds] [specimens] [task] [tier]

Specimens of 128^3 voxels (limited-angle-segmentation, small) are built by one worker with one thread, by two local
processes and by two Dask workers of one thread each, in turn. A figure is the median of the rounds of the rate between
the first specimens and the last, so that the start of processes and the connection, printed beside, do not count. CPU
time a specimen tells what a machine with two free cores would reach when other programs take their share of this one.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from distributed import Client

from sxtbench.benchmark.task import get_task
from sxtbench.cores import share_of_cores
from sxtbench.datasets.build import build, read_statement
from sxtbench.datasets.spec import DatasetSpec
from sxtbench.memory import keep_freed_memory

WORKERS = 2


@dataclass
class Turn:
    """What one build took."""

    rate: float  # specimens a second, from the first ones on
    begin: float  # seconds to the first specimens
    cpu: float  # seconds of all processes, a specimen


def cpu_seconds() -> float:
    """CPU time of this process and all that it has started, living or not."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    living = psutil.Process().children(recursive=True)
    return sum(u.ru_utime + u.ru_stime for u in own) + sum(sum(process.cpu_times()[:2]) for process in living)


def timed(spec: DatasetSpec, folder: Path, first: int, **where: object) -> Turn:
    start = time.perf_counter()
    done: list[tuple[float, float]] = []
    build(spec, folder, splits=["test"], progress=lambda _: done.append((time.perf_counter(), cpu_seconds())), **where)
    (begin, cpu_begin), (end, cpu_end) = done[first - 1], done[-1]
    count = len(done) - first
    return Turn(rate=count / (end - begin), begin=begin - start, cpu=(cpu_end - cpu_begin) / count)


def main(rounds: int, specimens: int, task: str, tier: str) -> None:
    spec = get_task(task, tier).dataset_spec
    spec = replace(spec, sizes={**spec.sizes, "test": specimens}, suffix=f"+count{specimens}")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        place = Path(name)
        environment = {
            **os.environ,
            "DASK_DISTRIBUTED__DASHBOARD__ENABLED": "False",
            "MALLOC_ARENA_MAX": "1",  # as docs/cluster.md starts workers
        }
        note, dask = place / "scheduler.json", [sys.executable, "-m", "dask"]
        quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        common = ["--scheduler-file", str(note), "--no-dashboard"]
        started = [subprocess.Popen([*dask, "scheduler", "--port", "0", *common], **quiet)]
        started += [
            subprocess.Popen([*dask, "worker", "--no-nanny", "--nthreads", "1", *common], **quiet)
            for _ in range(WORKERS)
        ]
        try:
            while not note.is_file():
                time.sleep(0.2)
            with Client(scheduler_file=str(note), set_as_default=False) as client:
                client.wait_for_workers(WORKERS, timeout=120)
                address = client.scheduler.address
            measure(spec, place, rounds, address)
        finally:
            for process in reversed(started):
                process.kill()
                process.wait()


def measure(spec: DatasetSpec, place: Path, rounds: int, address: str) -> None:
    def alone(folder: Path) -> Turn:
        with share_of_cores(1):
            return timed(spec, folder, 1)

    ways: dict[str, Callable[[Path], Turn]] = {
        "one worker, one thread": alone,
        "two local processes": lambda folder: timed(spec, folder, WORKERS, workers=WORKERS),
        "two Dask workers": lambda folder: timed(spec, folder, WORKERS, scheduler=address),
    }
    keep_freed_memory()  # as the command line and all workers do
    turns: dict[str, list[Turn]] = {label: [] for label in ways}
    prints = set()
    for turn in range(-1, rounds):  # the first compiles, and does not count
        for label, way in ways.items():
            folder = place / f"{label} {turn}"
            found = way(folder)
            prints.add(read_statement(folder)["splits"]["test"]["fingerprint"])
            if turn >= 0:
                turns[label].append(found)
    assert len(prints) == 1, prints
    count, load = spec.sizes["test"], os.getloadavg()[2]
    print(f"{spec.name}: {count} specimens a turn, median of {rounds}, one fingerprint")
    print(f"CPUs {os.cpu_count()}, load average of 15 min {load:.1f}")
    middle = {
        label: Turn(*(statistics.median(getattr(t, part) for t in found) for part in ("rate", "begin", "cpu")))
        for label, found in turns.items()
    }
    one, local, dask = middle.values()
    for label, found in middle.items():
        free = (1 if found is one else WORKERS) / found.cpu
        print(
            f"{label:<23} {found.rate:6.3f} a second  {found.rate / one.rate:5.2f} of one worker  "
            f"begin {found.begin:5.1f} s  CPU {found.cpu:6.2f} s a specimen: {free:.3f} a second on free cores"
        )
    print(f"the cluster makes {dask.rate / local.rate:.2f} of what local processes make in the same time,")
    print(f"with {dask.cpu / local.cpu:.2f} of the CPU time")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        int(words[0]) if words else 3,
        int(words[1]) if len(words) > 1 else 8,
        words[2] if len(words) > 2 else "limited-angle-segmentation",
        words[3] if len(words) > 3 else "small",
    )
