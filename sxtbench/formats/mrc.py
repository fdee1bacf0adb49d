"""MRC files of IMOD, tomo3d and ChimeraX."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.formats.content import Content, library, notes_of, readable

_UNSET_NM = 0.1  # 1 Angstrom: what programs write into an MRC header when they do not know the voxel size
_HEADER, _BYTES = 1024, {0: 1, 1: 2, 2: 4, 4: 8, 6: 2, 12: 2, 101: 0.5}  # bytes; of a voxel by mode
_IMOD_STAMP, _IMOD_SIGNED_BYTES = 1146047817, 1


def read_mrc(path: Path) -> Content:
    """Read an MRC file; a voxel of 0 or of 1 Angstrom says nothing."""
    mrcfile = library("mrcfile", path)
    with readable(path, "MRC"):
        _check_header(path)
    with readable(path, "MRC"), mrcfile.open(path, permissive=True) as mrc:
        if mrc.data is None:
            raise ValueError("it is cut off")
        array, header = np.array(mrc.data), mrc.header
        sizes = [float(mrc.voxel_size[axis]) / 10 for axis in "zyx"]
        stored = [int(header[name]) for name in ("maps", "mapr", "mapc")]
        texts = [bytes(text).decode("ascii", "replace") for text in header["label"]]
        stamp, flags = np.frombuffer(header["extra2"].tobytes()[40:48], header["mode"].dtype)
    if array.dtype == np.int8 and stamp == _IMOD_STAMP and not flags & _IMOD_SIGNED_BYTES:
        array = array.view(np.uint8)
    if array.ndim == 3 and sorted(stored) == [1, 2, 3]:
        array = array.transpose([stored.index(axis) for axis in (3, 2, 1)])
    unset = all(abs(size - _UNSET_NM) < 1e-6 for size in sizes)
    return Content(array, () if unset else sizes, notes=notes_of("\n".join(texts)))


def _check_header(path: Path) -> None:
    """Raise ValueError unless the file is as long as its header says.

    The library sets aside what a header asks for before it reads: gigabytes, for a file that is no MRC.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER)
    if len(head) < _HEADER:
        raise ValueError(f"it has {len(head)} bytes, less than a header")
    for order in "<>":
        words = np.frombuffer(head, f"{order}i4")
        mode, sides, extended = int(words[3]), [int(n) for n in words[:3]], int(words[23])
        if mode in _BYTES and min(sides) > 0 and extended >= 0:
            if path.stat().st_size < _HEADER + extended + math.prod(sides) * _BYTES[mode]:
                raise ValueError(f"it is shorter than the {sides[2]} x {sides[1]} x {sides[0]} voxels of its header")
            return
    raise ValueError("its header is not that of an MRC file")


def write_mrc(path: Path, array: NDArray[Any], edge_nm: float, notes: str, *, stack: bool = False) -> None:
    """Write a volume, or a stack of views, in the file's axes: sections, rows, columns.

    Parameters
    ----------
    path : Path
        The file.
    array : ndarray, shape (sections, rows, columns), uint8 or float32
        Labels, or numbers. Labels are written as 16 bit: MRC has no unsigned bytes.
    edge_nm : float
        Edge of a voxel or pixel, nm.
    notes : str
        From `notes_text`.
    stack : bool
        Whether the sections are views.
    """
    with library("mrcfile", path).new(path, overwrite=True) as mrc:
        mrc.set_data(array.astype(np.uint16) if array.dtype == np.uint8 else array)
        if stack:
            mrc.set_image_stack()
        else:
            mrc.set_volume()
        mrc.voxel_size = edge_nm * 10
        mrc.add_label(notes)
