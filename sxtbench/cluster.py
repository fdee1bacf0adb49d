"""Jobs on a running Dask cluster: workers are checked first, failed jobs tried again, those of a lost worker elsewhere.

What travels is a function's name, plain data and what the function returns; arrays go through files that workers share.
"""

import importlib
import logging
import os
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext, suppress
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from sxtbench.cores import share_of_cores
from sxtbench.errors import InputError
from sxtbench.memory import keep_freed_memory

if TYPE_CHECKING:
    from distributed import Client, Future

J = TypeVar("J")
R = TypeVar("R")

RETRIES = 2
"""How often a job that failed is tried again."""
_AHEAD = 500  # jobs that the scheduler holds at most: they are small, and a cluster that grows finds work
_CONNECT_S = 10.0
_WORKER_S = 10.0
_NO_WORKERS_S = 60.0  # without a worker for so long, a run ends
_POLL_S = 2.0
_GATHER_S = 60.0
_DROPPED = 10  # so often a finished job is done again that went with its worker before its answer was fetched

_one_at_a_time = threading.Lock()


def require_cluster(scheduler: str) -> None:
    """Raise `InputError` unless a scheduler answers and has workers, all with sxtbench in this version."""
    with _connected(scheduler) as client:
        _require_workers(client, scheduler)
        _require_version(client)


def run_on_cluster(
    jobs: Mapping[str, J], work: Callable[[J], R], scheduler: str, *, folder: Path | None = None
) -> Iterator[tuple[str, R]]:
    """Run `work` on every job on the workers of a Dask scheduler; yield each one's name with what `work` returned.

    A worker process runs one job at a time, with as many threads as it was started with (`--nthreads`). A job that
    raises is tried again, wherever the scheduler puts it; only `InputError` is final. Jobs of a lost worker run
    elsewhere.

    Parameters
    ----------
    jobs, work, folder
        As of `sxtbench.engines.run_jobs`; paths are absolute.
    scheduler : str
        Its address, `tcp://host:port`.

    Raises
    ------
    InputError
        Where dask is not installed, nothing answers at the address, there is no worker, a worker has no sxtbench or
        another version or cannot write to `folder`, and where a job fails for good.
    """
    if not jobs:
        return
    with _connected(scheduler) as client:
        _require_workers(client, scheduler)
        _require_version(client)
        with nullcontext() if folder is None else _seen_by_all(client, folder) as token:
            yield from _run(client, jobs, work, scheduler, token)


def _run(
    client: "Client", jobs: Mapping[str, J], work: Callable[[J], R], scheduler: str, token: Path | None
) -> Iterator[tuple[str, R]]:
    waiting = iter(jobs)
    running: dict[Future, str] = {}
    dropped: Counter[str] = Counter()
    done: SimpleQueue[Future] = SimpleQueue()

    def submit(name: str) -> None:
        key = f"{name}-{uuid.uuid4().hex}"
        job = client.submit(on_worker, work, jobs[name], _version(), token, pure=False, retries=RETRIES, key=key)
        running[job] = name
        job.add_done_callback(done.put)

    try:
        for name in islice(waiting, _AHEAD):
            submit(name)
        while running:
            future = _next_done(client, done, scheduler)
            if future.status == "pending":  # its answer went with its worker, and is being made again
                future.add_done_callback(done.put)
                continue
            name = running.pop(future)
            try:
                answer = _answer_of(future, name)
            except (CancelledError, TimeoutError):  # the same, in the middle of asking for it
                dropped[name] += 1
                if dropped[name] > _DROPPED:
                    raise InputError(f"{scheduler}: has dropped {name} {_DROPPED} times; {_CONTINUE}") from None
                submit(name)
                continue
            finally:
                future.release()
            for following in islice(waiting, 1):
                submit(following)
            yield name, answer
    finally:
        with suppress(Exception):  # of a connection that is gone; what matters has been told
            client.cancel(list(running), force=True)


def _next_done(client: "Client", done: "SimpleQueue[Future]", scheduler: str) -> "Future":
    alone_since: float | None = None
    while True:
        try:
            return done.get(timeout=_POLL_S)
        except Empty:
            pass
        if client.status != "running":
            raise InputError(f"{scheduler}: the connection to the scheduler is lost; {_CONTINUE}")
        if client.scheduler_info(n_workers=-1)["workers"]:
            alone_since = None
        elif time.monotonic() - (alone_since := alone_since or time.monotonic()) > _NO_WORKERS_S:
            raise InputError(f"{scheduler}: has had no worker for {_NO_WORKERS_S:.0f} s; start one, then {_CONTINUE}")


_CONTINUE = "what is done is whole and the same command continues"


def _answer_of(future: "Future", name: str) -> Any:
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):
        raise CancelledError
    if future.status == "finished":
        try:
            verdict, answer = future.result(timeout=_GATHER_S)
        except (JobError, KilledWorker) as other:  # of another try, as the answer was gone
            raise CancelledError from other
        if verdict == "refused":
            raise InputError(answer if name in answer else f"{name}: {answer}")
        return answer
    error = future.exception()
    if isinstance(error, KilledWorker):
        raise InputError(
            f"{name}: {error.allowed_failures + 1} workers in a row died with it, the last {error.last_worker.address} "
            f"(out of memory?); {_CONTINUE}"
        )
    said = " ".join(f"{type(error).__name__}: {error}".split()) if not isinstance(error, JobError) else str(error)
    raise InputError(f"{name}: failed {RETRIES + 1} times on the cluster, last with {said}; {_CONTINUE}")


class JobError(RuntimeError):
    """What a job raised on a worker, in words, with the worker's address."""


def on_worker(work: Callable[[J], R], job: J, version: str, token: Path | None) -> tuple[str, R | str]:
    """Run one job on a worker and return `("done", answer)`, or `("refused", why)` where another try would not help.

    Version and folder are asked once more, of workers that have come since all were asked.
    """
    from distributed import get_worker

    worker = get_worker()
    if _version() != version:
        return "refused", _other_version({worker.address: _version()}, version)
    if token is not None and (why := _write_beside(token)) is not None:
        return "refused", _not_shared(token.parent, worker.address, why)
    keep_freed_memory()
    with _one_at_a_time, share_of_cores(worker.state.nthreads):
        try:
            return "done", work(job)
        except InputError as error:
            return "refused", f"{error} (on {worker.address})"
        except Exception as error:
            raise JobError(f"{' '.join(f'{type(error).__name__}: {error}'.split())} (on {worker.address})") from error


@contextmanager
def _connected(scheduler: str) -> "Iterator[Client]":
    try:
        import distributed
    except ModuleNotFoundError:
        raise InputError('--scheduler needs dask: pip install "sxtbench[cluster]"') from None
    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # errors end in one line, which is ours
    if not re.fullmatch(r"(tcp|tls|ucx|wss?)://.+:\d+", scheduler):
        raise InputError(f"{scheduler!r} is no address of a Dask scheduler; expected one like tcp://HOST:8786")
    try:
        client = distributed.Client(scheduler, timeout=_CONNECT_S, set_as_default=False, name="sxtbench")
    except (OSError, ValueError) as error:  # the latter for a protocol that needs another package
        why = (
            f"nothing answers within {_CONNECT_S:.0f} s" if isinstance(error, OSError) else " ".join(str(error).split())
        )
        raise InputError(
            f"{scheduler}: no Dask scheduler ({why}); `dask scheduler` starts one and prints its address, "
            "tcp://HOST:8786"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=_CONNECT_S)


def _require_workers(client: "Client", scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_S)
    except TimeoutError:
        raise InputError(
            f"{scheduler}: the scheduler has no workers; `dask worker {scheduler} --nworkers auto` starts some"
        ) from None


def _version() -> str:
    return str(importlib.import_module("sxtbench").__version__)  # by name: the package's own imports lie above this one


def _require_version(client: "Client") -> None:
    def found() -> str:  # local, so that it travels as code: a worker without sxtbench could not look it up
        import importlib

        try:
            return str(importlib.import_module("sxtbench").__version__)
        except ImportError:
            return ""

    told = client.run(found, on_error="return")
    others = {worker: str(version) for worker, version in told.items() if version != _version()}
    if others:
        raise InputError(_other_version(others, _version()))


def _other_version(others: Mapping[str, str], version: str) -> str:
    said = ", ".join(f"{worker} has {found or 'none'}" for worker, found in sorted(others.items())[:3])
    more = f" and {len(others) - 3} more" * (len(others) > 3)
    return f"this is sxtbench {version}, but worker {said}{more}; install the same version for every worker"


@contextmanager
def _seen_by_all(client: "Client", folder: Path) -> Iterator[Path]:
    """Yield a file in a folder where every worker sees it and can write beside it; raise where one does not."""
    token = folder / f".seen.{uuid.uuid4().hex[:8]}.part"
    token.touch()
    try:
        for worker, why in sorted(client.run(_write_beside, token, on_error="return").items()):
            if why is not None:
                raise InputError(_not_shared(folder, worker, why))
        yield token
    finally:
        token.unlink(missing_ok=True)


def _not_shared(folder: Path, worker: str, why: object) -> str:
    return f"{folder}: worker {worker} {why}; choose an --out that all workers share and may write to"


def _write_beside(token: Path) -> str | None:
    """Say what is wrong with the folder of a file that the client made; None where it is there and can be written."""
    own = token.with_name(f".seen.{uuid.uuid4().hex[:8]}.part")
    try:
        if not token.parent.is_dir():
            return "has no such folder"
        os.listdir(token.parent)  # a network file system may remember that the file was not there
        if not token.is_file():
            return "has another folder of that name"
        own.touch()
        own.unlink()
    except OSError as error:
        return f"cannot write there ({error.strerror or error})"
    return None
