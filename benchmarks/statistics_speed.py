"""Measure intervals, verdicts and ranks of a board: 20 methods on 100 specimens.

Run: python benchmarks/statistics_speed.py [METHODS [SPECIMENS]]
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from sxtbench.benchmark.ranks import intervals_of_ranks
from sxtbench.benchmark.statistics import group_interval, paired_difference
from sxtbench.metrics.registry import get_metric
from sxtbench.multiplicity import holm


def measured(work: Callable[[], object]) -> str:
    """Return the seconds of the clock and of the processor; the first is longer where others use it too."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return f"{time.perf_counter() - clock:6.2f} s, of the processor {time.process_time() - processor:6.2f} s"


def main(methods: int = 20, specimens: int = 100) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.6, 0.1, specimens) + rng.normal(0, 0.02, (methods, specimens))
    values += np.linspace(0, 0.05, methods)[:, None]
    pairs = [(i, j) for i in range(methods) for j in range(i)]

    def intervals() -> None:
        for own in values:
            group_interval(own, bounds=(0, 1))

    def verdicts() -> None:
        holm([paired_difference(values[i], values[j]).p for i, j in pairs])

    def ranks() -> None:
        intervals_of_ranks([own[None] for own in values], get_metric("miou@1"))

    def everything() -> None:
        intervals()
        verdicts()
        ranks()

    print(f"{methods} methods, {specimens} specimens, {len(pairs)} pairs")
    print(f"first time, with the resamples drawn: {measured(everything)}")
    for name, work in (("intervals", intervals), ("differences, p-values, Holm", verdicts), ("ranks", ranks)):
        print(f"{name:<28} {measured(work)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
