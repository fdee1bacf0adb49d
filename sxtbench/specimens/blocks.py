"""Work on a volume in blocks of z-slices on threads: each block owns its slices, so results ignore the thread count."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sxtbench.cores import available_cores

T = TypeVar("T")


def in_blocks(task: Callable[[int, int], T], length: int, *, block: int, workers: int | None = None) -> list[T]:
    """Call `task(first, last)` for each block of `range(length)` and return the answers in order.

    Parameters
    ----------
    task : callable
        Handles the slices first .. last - 1 and writes nowhere else.
    length, block : int
        Number of slices, and slices in a block. The blocks are the same for any number of workers.
    workers : int, optional
        Threads, default one a core.

    >>> in_blocks(lambda first, last: (first, last), 5, block=2, workers=2)
    [(0, 2), (2, 4), (4, 5)]
    """
    spans = [(first, min(first + block, length)) for first in range(0, length, block)]
    workers = min(workers or available_cores(), len(spans))
    if workers <= 1:
        return [task(first, last) for first, last in spans]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda span: task(*span), spans))
