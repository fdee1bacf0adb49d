"""What memory a projection needs and what there is, so that a call that cannot fit says so before it starts."""

import os
from math import prod
from pathlib import Path

from sxtbench.errors import InputError

_UNCHECKED = 2**28  # bytes; less is not worth a look at the system


def scratch_bytes(
    backend: str, views_shape: tuple[int, int, int], volume_shape: tuple[int, int, int], threads: int, aligned: bool
) -> int:
    """Return the memory that a call of a projector needs beside its argument and its result, to about 20 %.

    Parameters
    ----------
    backend : str
        Backend of `ParallelBeam`.
    views_shape, volume_shape : tuple of three int
        (n_angles, n_slices, n_columns) and (z, y, x).
    threads : int
        Threads of numba.
    aligned : bool
        Whether the slices of the volume are the rows of the detector.

    Returns
    -------
    int
        Bytes.
    """
    n_angles, _, columns = views_shape
    slices, n_y, n_x = volume_shape
    between = 0 if aligned else 4 * n_angles * slices * columns
    if backend == "numba":
        lanes = 32 if slices >= 16 else 8
        line = max(n_y, n_x) + 4
        return between + 4 * lanes * threads * (line**2 + n_angles * (columns + 4))
    if backend == "torch":
        return between + 4 * (prod(volume_shape) + n_angles * slices * columns) + 2**28
    return between + 4 * prod(views_shape)


def require_memory(needed: int, what: str) -> None:
    """Raise where a number of bytes is more than this process can get.

    Parameters
    ----------
    needed : int
        Bytes.
    what : str
        What for, for the message.

    Raises
    ------
    InputError
        With what is needed and what is available.
    """
    if needed < _UNCHECKED:
        return
    available = available_bytes()
    if available is not None and needed > available:
        raise InputError(
            f"{what} needs {needed / 2**30:.1f} GiB of memory, {available / 2**30:.1f} GiB are available: "
            "expected fewer slices at a time, or larger voxels"
        )


def available_bytes() -> int | None:
    """Bytes that a process can still get without swapping: Linux's own estimate, or all memory, or None if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
