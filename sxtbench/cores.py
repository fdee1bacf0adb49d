"""How many cores a kernel's threads may take: all that this process has, or fewer where processes share a machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_limits: list[int] = []


def available_cores() -> int:
    """Return how many threads a kernel may start: the cores of this process, or its share set by `share_of_cores`.

    Of a machine's cores only those count that the process may run on (its affinity, which SLURM sets, for one).

    Examples
    --------
    >>> with share_of_cores(1):
    ...     available_cores()
    1
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([cores, *_limits])


@contextmanager
def share_of_cores(count: int) -> Iterator[None]:
    """Let everything in this process that starts threads take so many at most: our kernels, BLAS, OpenMP, zarr.

    Parameters
    ----------
    count : int
        Threads, at least one.
    """
    import zarr
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    _limits.append(count)
    try:
        with threadpool_limits(count), zarr.config.set({"async.concurrency": count}):
            yield
    finally:
        _limits.remove(count)
