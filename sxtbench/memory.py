"""What becomes of memory that is not used any more."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # of malloc.h
_NEVER = -1  # trimmed


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for what it allocates next; return whether it can.

    A sample of 512^3 takes and frees gigabytes. By default glibc hands large arrays back to the system at once, and
    each page of the next array has to be fetched and cleared again, which can take as long as the work on it. By
    `mallopt` (its manual page has the settings) the samples of a process share their buffers. For processes whose
    whole work is to make samples: others would rather have the memory back.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_ARENA_MAX, 1))
    return all([mallopt(name, value) for name, value in settings])
