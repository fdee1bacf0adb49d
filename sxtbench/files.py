"""Files and folders that are never half-written: a temporary name, a flush to the disk, a rename, another flush."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from sxtbench.errors import InputError

_STRAY = re.compile(r"\..+\.[a-z0-9_]{8}\.part")  # as `tempfile` makes names

_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")  # all that `numpy.save` says of a full disk

_NO_FLUSH_OF_FOLDERS = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)  # Windows, and some network file systems

_FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "the file system is read-only",
}


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it and rename it to `path`, on failure remove it.

    When it returns, the file is on the disk under its name: content flushed before the rename, folder after.
    """
    _make(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def copy_file(source: Path, path: Path) -> None:
    """Copy a file to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        shutil.copyfile(source, temporary)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that takes the place of `path` on success and vanishes on failure.

    What stood at `path` is moved aside first and deleted last, so that no moment leaves half of either.
    """
    _make(path.parent)
    temporary, aside = (
        Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")) for _ in range(2)
    )
    temporary.chmod(0o755)
    try:
        yield temporary
        for folder, _, files in os.walk(temporary, topdown=False):
            for name in files:
                _flush(Path(folder, name))
            _flush(Path(folder))
        if path.exists():
            path.replace(aside)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def _make(folder: Path) -> None:
    """Make a folder with those above it, each on the disk under its name."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in new:
        _flush(one.parent)


def _flush(path: Path) -> None:
    """Flush a file to the disk, or the names in a folder where platform and file system can do that."""
    folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if not folder or error.errno not in _NO_FLUSH_OF_FOLDERS:
            raise


def is_stray(path: Path) -> bool:
    """Whether a name is that of a temporary file or folder of this module.

    >>> is_stray(Path("inputs/.test-00000.zarr.zip.a1b2c3d4.part")), is_stray(Path("chapter.part"))
    (True, False)
    """
    return _STRAY.fullmatch(path.name) is not None


def remove_strays(folder: Path) -> None:
    """Delete the temporary files and folders that killed processes have left; for who alone writes there."""
    for path in [path for path in folder.rglob(".*.part") if is_stray(path)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(FileNotFoundError):  # was in a folder that is gone
                path.unlink()


def require_writable(folder: Path) -> None:
    """Raise `InputError` unless `folder` can be made and written to."""
    try:
        _make(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{folder}: cannot write there ({error.strerror or error}); choose another folder") from error


def storage_fault(error: OSError) -> str | None:
    """Return in words that a disk is full or a permission is missing; None for another error.

    >>> storage_fault(OSError(errno.ENOSPC, "No space left on device"))
    'the disk is full'
    """
    if error.errno is None and _SHORT_WRITE.fullmatch(str(error)):
        return _FAULTS[errno.ENOSPC]
    return _FAULTS.get(error.errno or 0)


@contextmanager
def saying_what_is_safe(folder: Path, safe: Callable[[], str]) -> Iterator[None]:
    """Turn a full disk, a missing permission, a lack of memory and the death of a worker process into one line.

    Parameters
    ----------
    folder : Path
        Where something is written.
    safe : callable
        Returns what is there all the same and how to go on; called after the fault.

    Raises
    ------
    InputError
        In place of an `OSError` of such a kind, a `MemoryError` or a `BrokenExecutor`.
    """
    try:
        yield
    except MemoryError:
        raise InputError(f"{folder}: out of memory; {safe()}") from None
    except BrokenExecutor:
        raise InputError(f"{folder}: a worker process died (out of memory? take fewer --workers); {safe()}") from None
    except OSError as error:
        reason = storage_fault(error)
        if reason is None:
            raise
        name = error.filename
        where = name if isinstance(name, str) and folder not in Path(name).parents else folder
        raise InputError(f"{where}: {reason}; {safe()}") from None
