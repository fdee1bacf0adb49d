"""AmiraMesh and Avizo files on a regular lattice: label fields with their materials, and volumes.

The package ahds did not build here, and the part of the format that is needed is small.
"""

import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.formats.content import NM, Content, readable

_LONGEST_HEADER = 1 << 20
_TYPES = {"byte": "u1", "ubyte": "u1", "short": "i2", "ushort": "u2", "int": "i4", "float": "f4", "double": "f8"}
_LITERAL = 0x80  # of a run's first byte: as many bytes as the rest of it says follow as they are


def read_amira(path: Path) -> Content:
    """Read a lattice, x fastest, stored as it is, as text, by zlib (`HxZip`) or in runs (`HxByteRLE`).

    Values of a label field count its materials in their order; the first is the exterior, which is in no segment.
    """
    with readable(path, "AmiraMesh"):
        whole = path.read_bytes()
        header = whole[:_LONGEST_HEADER].decode("latin-1")
        first = header.split("\n", 1)[0]
        if not re.match(r"#\s*(AmiraMesh|Avizo)", first):
            raise ValueError("it does not begin with # AmiraMesh")
        sides = re.search(r"define\s+Lattice\s+(\d+)\s+(\d+)\s+(\d+)", header)
        field = re.search(r"Lattice\s*\{\s*(\w+)(\[\d+\])?\s+\w+\s*\}\s*=?\s*@(\d+)(?:\((\w+),\s*(\d+)\))?", header)
        if sides is None or field is None:
            raise ValueError("its header defines no lattice with data")
        kind, components, number, packing, size = field.groups()
        if kind not in _TYPES or components:
            raise ValueError(f"its lattice holds {kind}{components or ''}, expected one of {', '.join(_TYPES)}")
        start = re.search(rf"\n@{number}\r?\n", header[field.end() :])
        if start is None:
            raise ValueError(f"its data @{number} are missing")
        nx, ny, nz = (int(side) for side in sides.groups())
        body = memoryview(whole)[field.end() + start.end() :]
        little = "LITTLE-ENDIAN" in first
        dtype = np.dtype(_TYPES[kind]).newbyteorder("<" if little else ">")
        if "ASCII" in first:
            array = _of_text(body, nx * ny * nz, dtype)
        else:
            array = np.frombuffer(_unpacked(body, packing, size, nx * ny * nz * dtype.itemsize), dtype)
    names = _materials(header[: field.end()])
    segments = {name: value for value, name in enumerate(names) if value} if names else None
    volume = array.reshape(nz, ny, nx)
    return Content(volume.astype(dtype.newbyteorder("=")), _edges(header, (nx, ny, nz)), segments)


def _of_text(body: memoryview, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    words = bytes(body).split(b"\n@", 1)[0].split()
    if len(words) != count:
        raise ValueError(f"it holds {len(words)} values, expected the {count} of its lattice")
    return np.array([float(word) for word in words]).astype(dtype)


def _unpacked(body: memoryview, packing: str | None, size: str | None, wanted: int) -> bytes:
    """Return the bytes of a lattice; never more than are wanted, whatever a file says."""
    if packing is None:
        found = bytes(body[:wanted])
    elif packing == "HxZip":
        found = zlib.decompressobj().decompress(bytes(body[: int(size or 0)]), wanted + 1)
    elif packing == "HxByteRLE":
        found = _of_runs(bytes(body[: int(size or 0)]), wanted)
    else:
        raise ValueError(f"its data are packed as {packing}, expected HxZip, HxByteRLE or none")
    if len(found) != wanted:
        raise ValueError(f"its data unpack to {len(found)} bytes, expected {wanted}")
    return found


def _of_runs(packed: bytes, wanted: int) -> bytes:
    out, place = bytearray(), 0
    while place < len(packed) and len(out) <= wanted:
        count = packed[place] & ~_LITERAL
        if packed[place] & _LITERAL:
            out += packed[place + 1 : place + 1 + count]
            place += 1 + count
        else:
            out += packed[place + 1 : place + 2] * count
            place += 2
    return bytes(out)


def _materials(header: str) -> list[str]:
    """Return the names of the blocks in `Materials { ... }`, in their order."""
    found = re.search(r"Materials\s*\{", header)
    if found is None:
        return []
    names, depth, place = [], 1, found.end()
    for word in re.finditer(r'(?:"([^"]*)"|([\w.+-]+))\s*\{|"[^"]*"|[{}]', header[place:]):
        name = word[1] or word[2]
        if name:
            if depth == 1:
                names.append(name.replace("_", " "))
            depth += 1
        elif word[0] == "{":
            depth += 1
        elif word[0] == "}":
            depth -= 1
        if not depth:
            break
    return names


def _edges(header: str, sides: tuple[int, int, int]) -> list[float]:
    """Return the edges of a voxel (z, y, x) in nm; none unless the header gives a unit with the bounding box."""
    box = re.search(r"BoundingBox\s+((?:[-+.\deE]+\s+){5}[-+.\deE]+)", header)
    unit = re.search(r'Coordinates\s+"([^"]+)"', header)
    nm = NM.get(unit[1].lower(), 0.0) if unit else 0.0
    if box is None or not nm or math.prod(n - 1 for n in sides) == 0:
        return []
    ends = [float(word) for word in box[1].split()]
    return [(ends[2 * i + 1] - ends[2 * i]) / (sides[i] - 1) * nm for i in (2, 1, 0)]  # between centres of voxels
