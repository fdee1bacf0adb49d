"""Where independent jobs run: in this process, in processes of this machine, or on a Dask cluster."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from threading import current_thread, main_thread
from typing import TypeVar

from sxtbench.cores import available_cores, share_of_cores
from sxtbench.memory import keep_freed_memory
from sxtbench.orphans import end_with_parent

J = TypeVar("J")
R = TypeVar("R")

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def run_jobs(
    jobs: Mapping[str, J],
    work: Callable[[J], R],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    folder: Path | None = None,
) -> Iterator[tuple[str, R]]:
    """Run `work` on every job and yield each one's name with what `work` returned, as they are done.

    Parameters
    ----------
    jobs : mapping of str to object
        Jobs by name. They travel to other processes: plain data, with paths that every worker can open.
    work : callable
        A function of a module, or a `functools.partial` of one. It writes what is large to files and returns little.
    workers : int
        Processes of this machine, at most one a core; with one the jobs run in this process, on all of its threads.
    scheduler : str, optional
        Address of a Dask scheduler, `tcp://host:port`, whose workers run the jobs in place of processes here.
    folder : Path, optional
        Where `work` writes: on a cluster every worker has to see it.

    Raises
    ------
    InputError
        What `work` raises; on a cluster also what `sxtbench.cluster.run_on_cluster` says.
    BrokenExecutor
        Where a process of this machine dies (`sxtbench.files.saying_what_is_safe`).
    """
    if scheduler is not None:
        from sxtbench.cluster import run_on_cluster

        yield from run_on_cluster(jobs, work, scheduler, folder=folder)
    elif workers <= 1 or len(jobs) <= 1:
        for name, job in jobs.items():
            yield name, work(job)
    else:
        yield from _run_in_processes(jobs, work, workers)


def _run_in_processes(jobs: Mapping[str, J], work: Callable[[J], R], workers: int) -> Iterator[tuple[str, R]]:
    cores = available_cores()
    processes = min(workers, cores, len(jobs))
    share = max(1, cores // processes)
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_enter_process, initargs=(share,)
    )
    with pool:
        futures = {pool.submit(_work_on_share, work, job, share): name for name, job in jobs.items()}
        waiting = set(futures)
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=futures.__getitem__):
                    yield futures[future], future.result()
        except BaseException:
            with _without_ctrl_c():
                pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Let running jobs come to their end: another Ctrl-C would half-stop the pool, which then waits for ever."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _enter_process(share: int) -> None:
    """Leave Ctrl-C to the parent, so that a worker finishes its job, whole; limit libraries that are loaded later."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    keep_freed_memory()
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(share)))


def _work_on_share(work: Callable[[J], R], job: J, share: int) -> R:
    with share_of_cores(share):
        return work(job)
