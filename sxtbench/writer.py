"""One writer a folder: a lock that ends with its process, and who holds it."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from sxtbench.errors import InputError
from sxtbench.files import is_stray, remove_strays, write_text

_LOCK, _MARKER, _HOLDER = ".writer.lock", ".writer.marker", ".writer.json"
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes that write there, and delete what killed ones left half-written.

    The lock is one of the operating system (`flock`): it ends with its process, however that ends. A file system
    without such locks gets a marker file instead, which names process and host; one whose process is gone is taken over
    on the same host, and has to be deleted by hand where it comes from another.

    Parameters
    ----------
    folder : Path
        Is there and can be written to.

    Raises
    ------
    InputError
        Where another process holds it, with that process and its host.
    """
    lock = _acquired(folder)
    try:
        remove_strays(folder)
        record = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        write_text(folder / _HOLDER, json.dumps(record, indent=1) + "\n")
        yield
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        with suppress(OSError):  # Windows keeps open files
            (folder / _LOCK).unlink()  # before the release; `filelock` sees that a lock it waited for has lost its name
        lock.release()


def is_unused(folder: Path) -> bool:
    """Whether a folder holds nothing but what a writer that was stopped at its first file may have left."""
    return all(path.name in (_LOCK, _MARKER, _HOLDER) or is_stray(path) for path in folder.iterdir())


def _acquired(folder: Path) -> BaseFileLock:
    lock: BaseFileLock = FileLock(folder / _LOCK, timeout=0, fallback_to_soft=False)
    try:
        try:
            lock.acquire()
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            lock = SoftFileLock(folder / _MARKER, timeout=0)
            lock.acquire()
    except Timeout:
        raise InputError(f"{folder}: {_who(folder)}") from None
    return lock


def _who(folder: Path) -> str:
    try:
        record = json.loads((folder / _HOLDER).read_text(encoding="utf-8"))
        who = f"process {record['pid']} on {record['host']} has been writing there since {record['since']}"
    except (OSError, ValueError, TypeError, KeyError):
        who = "another process is writing there"
    by_hand = f"; if that process is gone, delete {folder / _MARKER}" if (folder / _MARKER).is_file() else ""
    return f"{who}, and a folder has one writer; wait for it, or choose another folder{by_hand}"
