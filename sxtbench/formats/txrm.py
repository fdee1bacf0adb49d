"""Tilt series of Zeiss and Xradia microscopes (`.txrm`, `.xrm`): compound files (OLE) with a stream an image."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.formats.content import library, readable
from sxtbench.formats.views import Views

_TYPES = {5: "<u2", 10: "<f4"}  # of ImageInfo/DataType
_IMAGES_A_FOLDER = 100


def read_txrm(path: Path) -> Views:
    """Read the views with what the file says of them; where it has a reference image, that is the flat.

    Raises
    ------
    InputError
        For a file that is no compound file, lacks a stream, or has one of another size than its header says.
    """
    olefile = library("olefile", path)
    with readable(path, "txrm"):
        if not olefile.isOleFile(path):
            raise ValueError("it is no compound file (OLE)")
        with olefile.OleFileIO(path) as ole:
            views, columns, rows = (
                _whole(ole, f"ImageInfo/{name}", path) for name in ("NoOfImages", "ImageWidth", "ImageHeight")
            )
            if min(views, rows, columns) < 1:
                raise InputError(f"{path}: {views} images of {rows} x {columns} pixels, expected at least one")
            dtype = _type(_whole(ole, "ImageInfo/DataType", path), path)
            frames = np.empty((views, rows, columns), dtype.newbyteorder("="))
            for number in range(views):
                name = f"ImageData{number // _IMAGES_A_FOLDER + 1}/Image{number + 1}"
                frames[number] = _image(ole, name, (rows, columns), dtype, path)
            flats = None
            if ole.exists("ReferenceData/Image"):
                kind = "ReferenceData/DataType"
                reference = _type(_whole(ole, kind, path), path) if ole.exists(kind) else np.dtype("<f4")
                flats = _image(ole, "ReferenceData/Image", (rows, columns), reference, path)[None]
            size, energy = _first(ole, "ImageInfo/PixelSize"), _first(ole, "ImageInfo/Energy")
            angles = _floats(ole, "ImageInfo/Angles")
    return Views(
        frames=frames,
        angles_deg=None if angles is None else angles.astype(np.float64)[:views],
        pixel_size_nm=None if size is None else float(f"{size * 1000:.6g}"),
        energy_ev=energy if energy else None,
        flats=flats,
        values="counts" if flats is not None or dtype.kind == "u" else None,
    )


def _stream(ole: Any, name: str, path: Path) -> bytes:
    if not ole.exists(name):
        raise InputError(f"{path} has no stream {name}, expected that of a txrm file")
    content: bytes = ole.openstream(name).read()
    return content


def _whole(ole: Any, name: str, path: Path) -> int:
    content = _stream(ole, name, path)
    if len(content) < 4:
        raise InputError(f"{path}: the stream {name} has {len(content)} bytes, expected 4")
    return int(np.frombuffer(content[:4], "<i4")[0])


def _type(code: int, path: Path) -> np.dtype[Any]:
    if code not in _TYPES:
        raise InputError(f"{path}: images of type {code}, expected 5 (16 bit) or 10 (float)")
    return np.dtype(_TYPES[code])


def _image(ole: Any, name: str, shape: tuple[int, int], dtype: np.dtype[Any], path: Path) -> NDArray[Any]:
    content, wanted = _stream(ole, name, path), shape[0] * shape[1] * dtype.itemsize
    if len(content) < wanted:
        raise InputError(f"{path}: the stream {name} has {len(content)} bytes, expected {wanted}")
    return np.frombuffer(content[:wanted], dtype).reshape(shape)


def _floats(ole: Any, name: str) -> NDArray[np.float32] | None:
    if not ole.exists(name):
        return None
    content = ole.openstream(name).read()
    return np.frombuffer(content[: len(content) // 4 * 4], "<f4")


def _first(ole: Any, name: str) -> float | None:
    found = _floats(ole, name)
    return None if found is None or not found.size else float(found[0])
