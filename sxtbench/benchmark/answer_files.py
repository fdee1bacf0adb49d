"""Answers as `.npy` files of strangers: header and values are checked while the bytes stream by."""

import hashlib
import io
import math
import tokenize
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.hostile import Unreadable, shown

_MOST_HEADER = 4096
_MAGIC = b"\x93NUMPY"
_WIDEST = 8
_THINGS = {
    "labels": "an integer dtype such as uint8",
    "volume": "LAC in 1/um as a float dtype",
    "projections": "absorbance as a float dtype",
    "shifts": "shifts in pixels as a float dtype",
}


@dataclass(frozen=True, kw_only=True)
class Form:
    """What one answer has to be.

    Parameters
    ----------
    kind : {"labels", "volume", "projections", "shifts"}
        Of the answer.
    shape : tuple of int
        The shape that is right.
    classes : tuple of int
        For labels: the values that are allowed.
    other : callable, optional
        Gives another form by a shape, where a task takes two kinds; None where the shape is none of its.
    """

    kind: str
    shape: tuple[int, ...]
    classes: tuple[int, ...] = ()
    other: Callable[[tuple[int, ...]], "Form | None"] | None = None

    @property
    def most_bytes(self) -> int:
        """The longest file that such an answer can be."""
        return math.prod(self.shape) * _WIDEST + _MOST_HEADER


@dataclass
class Scan:
    """What one pass over a file found."""

    faults: list[str] = field(default_factory=list)
    sha256: str | None = None
    array: NDArray[Any] | None = None


def scan(stream: Iterator[bytes], size: int, form: Form, *, keep: bool = False) -> Scan:
    """Check an answer in one pass.

    Parameters
    ----------
    stream : iterator of bytes
        The file's content, from its beginning.
    size : int
        Bytes that the file declares; `stream` gives no more.
    form : Form
        What the answer has to be.
    keep : bool
        Whether to return the array too.

    Returns
    -------
    Scan
        Its faults (what, and what would be right), its SHA-256 unless it was not worth reading to the end, and the
        array if it was to be kept and is right.
    """
    found, digest = Scan(), hashlib.sha256()
    try:
        head = _head(stream)
        digest.update(head)
        try:
            chosen, dtype, fortran, start = _header(head, form)
            if size != start + math.prod(chosen.shape) * dtype.itemsize:
                wanted = start + math.prod(chosen.shape) * dtype.itemsize
                raise Unreadable(f"is {size} bytes long, its header says {wanted}")
        except Unreadable as error:
            found.faults.append(str(error))
            if size > form.most_bytes:
                found.faults.append(f"is {size} bytes long, no answer here takes more than {form.most_bytes}")
                return found
            for block in stream:
                digest.update(block)
            found.sha256 = digest.hexdigest()
            return found
        values, kept = _Values(chosen, dtype), bytearray()
        for block in _and(head[start:], stream, digest.update):
            values.feed(block)
            if keep:
                kept += block
        found.faults += values.faults()
        found.sha256 = digest.hexdigest()
        if keep and not found.faults:
            order = "F" if fortran else "C"
            found.array = np.frombuffer(kept, dtype).reshape(chosen.shape, order=order)  # type: ignore[call-overload]
    except Unreadable as error:
        found.faults.append(str(error))
    return found


def _and(first: bytes, rest: Iterator[bytes], also: Callable[[bytes], None]) -> Iterator[bytes]:
    yield first
    for block in rest:
        also(block)
        yield block


def _head(stream: Iterator[bytes]) -> bytes:
    """Return the first bytes, enough for the header where there is one."""
    head = b""
    for block in stream:
        head += block
        if len(head) >= _MOST_HEADER:
            break
    return head


def _header(head: bytes, form: Form) -> tuple[Form, np.dtype[Any], bool, int]:
    """Return which form the file has, its dtype, whether it is in Fortran order, and where the values begin."""
    if head[:2] == b"PK":
        raise Unreadable("is an archive (.npz), expected one array as .npy")
    if head[:1] == b"\x80":
        raise Unreadable("is a pickle, expected a .npy file")
    if head[:6] != _MAGIC:
        raise Unreadable("is no .npy file")
    version = tuple(head[6:8])
    if version not in ((1, 0), (2, 0)):
        raise Unreadable(f"is .npy of version {shown(str(version))}, expected 1.0 or 2.0")
    length = int.from_bytes(head[8 : 10 if version == (1, 0) else 12], "little")
    start = length + (10 if version == (1, 0) else 12)
    if start > min(_MOST_HEADER, len(head)):
        raise Unreadable(f"has a header of {length} bytes, expected at most {_MOST_HEADER} and within the file")
    shape, fortran, dtype = _parsed(head[:start], version)
    if dtype.hasobject:
        raise Unreadable("holds Python objects, which only pickle can read; expected an array of numbers")
    chosen = form if shape == form.shape else form.other and form.other(shape)
    if not chosen:
        raise Unreadable(f"prediction has shape {shown(str(shape), 60)}, expected {form.shape}")
    right = "iu" if chosen.kind == "labels" else "f"
    if dtype.kind not in right or dtype.itemsize > _WIDEST:
        raise Unreadable(f"prediction has dtype {shown(str(dtype), 60)}, expected {_THINGS[chosen.kind]}")
    return chosen, dtype, fortran, start


def _parsed(raw: bytes, version: tuple[int, ...]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    file = io.BytesIO(raw)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file, max_header_size=_MOST_HEADER)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError, LookupError) as error:
        raise Unreadable(f"has a header that cannot be read ({shown(str(error), 60)})") from None
    return tuple(int(n) for n in shape), bool(fortran), dtype


class _Values:
    """Counts what may not be in an answer, block by block."""

    def __init__(self, form: Form, dtype: np.dtype[Any]) -> None:
        self._form, self._dtype = form, dtype
        self._rest = b""
        self._bad = 0
        self._strange: set[int] = set()

    def feed(self, block: bytes) -> None:
        block = self._rest + block
        whole = len(block) // self._dtype.itemsize * self._dtype.itemsize
        self._rest = block[whole:]
        values = np.frombuffer(block[:whole], self._dtype)
        if self._form.kind == "labels":
            foreign = values[~np.isin(values, self._form.classes)]
            self._bad += foreign.size
            if foreign.size and len(self._strange) < 5:
                self._strange.update(int(value) for value in np.unique(foreign)[:5])
            return
        if self._form.kind != "shifts":
            with np.errstate(over="ignore"):
                values = values.astype(np.float32, copy=False)  # as it is scored
        self._bad += values.size - int(np.count_nonzero(np.isfinite(values)))

    def faults(self) -> list[str]:
        if not self._bad:
            return []
        if self._form.kind == "labels":
            found = sorted(self._strange)[:5]
            return [f"prediction holds the labels {found}, expected only {list(self._form.classes)}"]
        return [f"prediction holds NaN or infinity in {self._bad} values, expected finite {_THINGS[self._form.kind]}"]
