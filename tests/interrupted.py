"""Builds in processes of their own, to be killed: at a moment, or at the n-th thing that they do to files."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from mini_tasks import mini_task

from sxtbench.datasets.build import build
from sxtbench.datasets.spec import DatasetSpec

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir")
"""Audit events of the interpreter that touch files."""


def little_spec() -> DatasetSpec:
    """The mini dataset with one split of four specimens."""
    return replace(mini_task().dataset_spec, sizes={"test": 4})


def build_watched(folder: Path, last_event: int | None, workers: int, line: Connection) -> None:
    """Build the little dataset: `begun` goes to `line`, then the specimens, and at the end the number of events.

    With `last_event` the process kills itself at that event, before it takes place.
    """
    count = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in EVENTS and str(folder) in str(arguments[0]):
            count += 1
            if count == last_event:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    line.send("begun")
    build(little_spec(), folder, workers=workers, progress=line.send)
    line.send(count)


def build_and_wait(folder: Path, line: Connection) -> None:
    """Build the little dataset, and after its first specimen wait for ever."""

    def done(specimen: str) -> None:
        line.send(specimen)
        signal.pause()

    build(little_spec(), folder, progress=done)


@contextmanager
def process(target: object, *arguments: object) -> Iterator[tuple[BaseProcess, Connection]]:
    """Start a process from one that has everything imported and has run nothing; kill it at the end."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=target, args=(*arguments, there))  # type: ignore[arg-type]
    child.start()
    there.close()
    try:
        yield child, here
    finally:
        child.kill()
        child.join()
        here.close()


def heard(line: Connection, seconds: float) -> object:
    """Return the next message; None where there comes none any more. A silence of so many seconds is a failure."""
    if not line.poll(seconds):
        raise TimeoutError(f"no word for {seconds} s")
    try:
        return line.recv()
    except EOFError:
        return None
