"""The loop that all iterative solvers share: progress, callbacks, and a clean stop on Ctrl-C."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Callback = Callable[[int, Any], bool | None]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a solver, after the iteration that was running then.

    It is a `KeyboardInterrupt`, so that nobody takes a half-done reconstruction for a whole one; who wants to go on
    with it catches it.

    Attributes
    ----------
    x : ndarray
        The current iterate.
    iteration : int
        Iterations that are done.

    Examples
    --------
    >>> try:
    ...     raise Interrupted("half a volume", 7)
    ... except Interrupted as stop:
    ...     x, done = stop.x, stop.iteration
    >>> done
    7
    """

    def __init__(self, x: Any, iteration: int) -> None:
        super().__init__(f"stopped after iteration {iteration}; the current iterate is in the exception's `x`")
        self.x, self.iteration = x, iteration


def iterate(
    iterations: int, x: Any, *, name: str, callback: Callback | None = None, progress: bool = False
) -> Iterator[int]:
    """Yield 1, 2, ... `iterations`; between two of them tell the callback and look for Ctrl-C.

    Parameters
    ----------
    iterations : int
        At most so many.
    x : ndarray
        The iterate, updated in place by the solver.
    name : str
        Of the solver, for the bar.
    callback : callable, optional
        `callback(iteration, x)` after each iteration; the loop ends where it returns True.
    progress : bool
        Draw a bar on stderr.

    Raises
    ------
    Interrupted
        For a Ctrl-C, at the end of the iteration; a second one acts at once.
    """
    with _deferred_interrupt() as interrupted, _bar(name, iterations, progress) as advance:
        for iteration in range(1, iterations + 1):
            yield iteration
            advance()
            done = callback is not None and callback(iteration, x) is True
            if interrupted():
                raise Interrupted(x, iteration)
            if done:
                return


@contextmanager
def _deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Hold back one Ctrl-C. Python runs signal handlers in the main thread only; elsewhere nothing is held back."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.getsignal(signal.SIGINT)
    seen: list[int] = []

    def handler(number: int, frame: Any) -> None:
        seen.append(number)
        signal.signal(signal.SIGINT, before)

    if before is not signal.default_int_handler:  # somebody else's, or ignored: theirs to handle
        yield lambda: False
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _bar(name: str, total: int, shown: bool) -> Iterator[Callable[[], None]]:
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total)
        yield lambda: bar.advance(task)
