"""numba's `njit`, releasing the GIL, with a disk cache only where one can be written.

numba raises when it is asked to cache and finds no writable folder (a read-only install with no home); kernels then
compile in memory instead, once a process.
"""

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


@cache
def _writable(folder: str) -> bool:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def can_cache(source: str) -> bool:
    """Whether numba finds a folder for the compiled kernels of this source file."""
    configured = os.environ.get("NUMBA_CACHE_DIR")
    if configured:
        return _writable(configured)
    if _writable(str(Path(source).parent / "__pycache__")):
        return True
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return _writable(str(Path(base) / "numba"))


def kernel(function: F) -> F:
    """Compile `function` without the GIL, with fast reassociation of sums, cached where possible."""
    compile_with = numba.njit(
        nogil=True, cache=can_cache(function.__code__.co_filename), fastmath={"contract", "reassoc", "nsz"}
    )
    return cast(F, compile_with(function))


def exact_kernel(function: F) -> F:
    """Compile `function` without the GIL in strict IEEE order: for what decides labels and counts."""
    return cast(F, numba.njit(nogil=True, cache=can_cache(function.__code__.co_filename))(function))
