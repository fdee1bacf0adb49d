"""Read what strangers send: text shown safely, JSON within limits, members of a ZIP or a folder as streams.

Nothing here writes, follows a link, or reads more of a member than the caller can use.
"""

import json
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Protocol

from sxtbench.errors import InputError

MOST_MEMBERS = 20_000
"""Of an archive, and lines of its checksums."""

_BLOCK = 1 << 20
_MOST_DIRECTORY = 4 << 20
_MOST_DEPTH = 16
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    IndexError,
)
"""What the standard library raises on bytes that are no ZIP, or a broken one."""


class Unreadable(ValueError):
    """A member or a text cannot be read; the message says why in a few words."""


def shown(text: str, longest: int = 120) -> str:
    r"""Return a stranger's text as it may stand in a line on a terminal: printable ASCII, not too long.

    >>> shown("predictions/test-00000.npy"), shown("a" + chr(27) + "[31m")
    ('predictions/test-00000.npy', "'a\\x1b[31m'")
    """
    safe = text if text.isascii() and text.isprintable() and text else ascii(text)
    return safe if len(safe) <= longest else f"{safe[:longest]}..."


def read_json(raw: bytes) -> Any:
    """Parse JSON, refusing what parsers disagree on.

    Parameters
    ----------
    raw : bytes
        UTF-8, already limited in length.

    Raises
    ------
    Unreadable
        For other encodings, nesting below 16 levels, a key that stands twice in an object, NaN or infinity (also as
        1e999), and half a surrogate pair.

    Examples
    --------
    >>> read_json(b'{"a": [1, 2]}')
    {'a': [1, 2]}
    >>> read_json(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    sxtbench.benchmark.hostile.Unreadable: the key a stands twice in an object
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"is not UTF-8 (byte {error.start})") from None
    depth = deepest = 0
    for mark in re.findall(r'"(?:[^"\\]|\\.)*"?|[][{}]', text, re.DOTALL):
        depth += (mark in "[{") - (mark in "]}")
        deepest = max(deepest, depth)
    if deepest > _MOST_DEPTH:
        raise Unreadable(f"is nested {deepest} levels deep, expected at most {_MOST_DEPTH}")
    try:
        content = json.loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite, parse_int=_number
        )
        json.dumps(content, ensure_ascii=False).encode()
    except Unreadable:
        raise
    except UnicodeEncodeError:
        raise Unreadable("holds half of a surrogate pair, which is no character") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON ({shown(str(error))})") from None
    return content


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Unreadable(f"the key {shown(key)} stands twice in an object")
        found[key] = value
    return found


def _no_constant(name: str) -> float:
    raise Unreadable(f"holds {name}, expected finite numbers")


def _finite(text: str) -> float:
    value = float(text)
    if abs(value) == float("inf"):
        raise Unreadable(f"holds {shown(text, 30)}, expected finite numbers")
    return value


def _number(text: str) -> int:
    if len(text) > 20:
        raise Unreadable(f"holds a whole number of {len(text)} digits, expected at most 19")
    return int(text)


def name_fault(name: str) -> str | None:
    r"""Return what is wrong with a member's name, or None.

    >>> name_fault("../../etc/passwd"), name_fault("C:\\x"), name_fault("predictions/test-00000.npy")
    ('climbs out of the archive with ..', 'holds a backslash, expected /', None)
    """
    parts = name.split("/")
    if not name or len(name) > 255:
        return f"has a name of {len(name)} characters, expected 1 to 255"
    if not name.isprintable():
        return "has control or formatting characters in its name"
    if "\\" in name:
        return "holds a backslash, expected /"
    if name.startswith("/"):
        return "is an absolute path"
    if re.match("[A-Za-z]:", name):
        return "begins with a drive letter"
    if ".." in parts:
        return "climbs out of the archive with .."
    if "" in parts[:-1] or "." in parts:
        return "has an empty part or . in its path"
    return None


class Container(Protocol):
    """A submission as it lies on disk: what may be read of it, by name, and what is wrong with its outside."""

    sizes: dict[str, int]
    faults: list[str]

    def open(self, name: str) -> IO[bytes]:
        """Open a member for reading."""
        ...


def blocks(container: Container, name: str) -> Iterator[bytes]:
    """Yield the bytes of a member in blocks of at most 1 MiB, never more than it declares.

    Raises
    ------
    Unreadable
        Where it is damaged, or holds another number of bytes than it declares.
    """
    size, seen = container.sizes[name], 0
    try:
        with container.open(name) as file:
            while block := file.read(_BLOCK):
                seen += len(block)
                if seen > size:
                    raise Unreadable(f"holds more than the {size} bytes that it declares")
                yield block
    except Unreadable:
        raise
    except _BROKEN as error:
        raise Unreadable(f"cannot be read ({shown(str(error) or type(error).__name__)})") from None
    if seen != size:
        raise Unreadable(f"ends after {seen} bytes, declares {size}")


def whole(container: Container, name: str, most: int) -> bytes:
    """Return the bytes of a small member.

    Raises
    ------
    Unreadable
        Where it is missing, damaged or larger than `most` bytes.
    """
    if name not in container.sizes:
        raise Unreadable("is missing")
    if container.sizes[name] > most:
        raise Unreadable(f"is {container.sizes[name]} bytes long, expected at most {most}")
    return b"".join(blocks(container, name))


@contextmanager
def opened(path: Path) -> Iterator[Container]:
    """Open a ZIP or a folder.

    Raises
    ------
    InputError
        Where there is neither, or the file is no ZIP that can be read.
    """
    if path.is_dir():
        yield _folder(path)
        return
    if not path.is_file():
        raise InputError(f"{path}: no such submission, expected a ZIP that `sxtbench submit pack` wrote, or a folder")
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    with file:
        try:
            archive = zipfile.ZipFile(_Bounded(file))
        except _BROKEN as error:
            raise InputError(f"{path}: is no ZIP that can be read ({shown(str(error))})") from None
        with archive:
            yield _archive(archive)


class _Bounded(BufferedIOBase):
    """A file that refuses to be read in large pieces: what a ZIP says of its directory's length is no promise."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int | None = -1) -> bytes:
        content = self._file.read(_MOST_DIRECTORY + 1 if size is None or size < 0 else min(size, _MOST_DIRECTORY + 1))
        if len(content) > _MOST_DIRECTORY:
            raise zipfile.BadZipFile(f"its directory is larger than {_MOST_DIRECTORY >> 20} MiB")
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


@dataclass
class _Archive:
    archive: zipfile.ZipFile
    infos: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def open(self, name: str) -> IO[bytes]:
        return self.archive.open(self.infos[name])


def _archive(archive: zipfile.ZipFile) -> _Archive:
    found = _Archive(archive)
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        found.faults.append(f"the archive: has {len(infos)} members, expected at most {MOST_MEMBERS}")
        infos = infos[:MOST_MEMBERS]
    if archive.comment:
        found.faults.append("the archive: has a comment, expected none")
    found.faults += _layout_faults(infos)
    names = _Names()
    for info in infos:
        name = info.orig_filename
        fault = name_fault(name) or names.fault(name) or _member_fault(info)
        if fault:
            found.faults.append(f"{shown(name)}: {fault}")
        elif not name.endswith("/"):
            found.infos[name], found.sizes[name] = info, info.file_size
    return found


class _Names:
    """Names that stand already, also as a file system that ignores case or accents' spelling would see them."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def fault(self, name: str) -> str | None:
        other = self._seen.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
        if other is name:
            return None
        return "stands twice" if other == name else f"differs from {shown(other)} only in case or spelling of letters"


def _member_fault(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link, expected a plain file"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device or a pipe, expected a plain file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {info.compress_type}, expected stored (0) or deflated (8)"
    folder = info.orig_filename.endswith("/")
    if folder != (kind == stat.S_IFDIR or (kind == 0 and folder)) or (folder and info.file_size):
        return "is neither a file nor an empty folder"
    if info.compress_size > info.file_size + info.file_size // 512 + 1024:
        return f"takes {info.compress_size} bytes for {info.file_size}"
    return None


def _layout_faults(infos: Iterable[zipfile.ZipInfo]) -> list[str]:
    """Members that share bytes are how small files unfold to large ones; bytes before them are another file's."""
    placed = sorted(infos, key=lambda info: info.header_offset)
    faults = ["the archive: has other bytes before its first member"] if placed and placed[0].header_offset else []
    for info, after in pairwise(placed):
        if info.header_offset + 30 + info.compress_size > after.header_offset:
            faults.append(f"{shown(info.orig_filename)}: overlaps {shown(after.orig_filename)}")
    return faults


@dataclass
class _Folder:
    root: Path
    sizes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def open(self, name: str) -> IO[bytes]:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        flags |= getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(self.root / name, flags), "rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise Unreadable("is no plain file")
        return file


def _folder(root: Path) -> _Folder:
    found, names, places, count = _Folder(root), _Names(), [""], 0
    while places:
        place = places.pop()
        try:
            entries = sorted(os.scandir(root / place), key=lambda entry: entry.name)
        except OSError as error:
            found.faults.append(f"{shown(place or '.')}: cannot be read ({error.strerror})")
            continue
        for entry in entries:
            count += 1
            if count > MOST_MEMBERS:
                found.faults.append(f"the folder: has more than {MOST_MEMBERS} members")
                return found
            name, status = f"{place}{entry.name}", entry.stat(follow_symlinks=False)
            fault = name_fault(name) or names.fault(name)
            if fault is None and stat.S_ISLNK(status.st_mode):
                fault = "is a link, expected a plain file"
            elif fault is None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                fault = "is a device or a pipe, expected a plain file"
            if fault:
                found.faults.append(f"{shown(name)}: {fault}")
            elif stat.S_ISDIR(status.st_mode):
                places.append(f"{name}/")
            else:
                found.sizes[name] = status.st_size
    return found
