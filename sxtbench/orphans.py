"""Worker processes that end with the process that started them."""

import os
from multiprocessing import parent_process
from multiprocessing.connection import wait
from threading import Thread


def end_with_parent() -> None:
    """End this worker process as soon as its parent is gone, even if that was killed and could say nothing.

    The lock of a folder is its parent's (`sxtbench.writer`): a worker that outlived it would write unseen, and wait for
    ever for its next job.
    """
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
