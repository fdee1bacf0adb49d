"""Files as other programs write them: compound files (OLE) of an X-ray microscope, AmiraMesh, three balls."""

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SECTOR, _MINI, _CUTOFF = 512, 64, 4096


def write_ole(path: Path, streams: dict[str, bytes]) -> Path:
    """Write a compound file, version 3: FAT, mini FAT and a directory whose siblings form a list."""
    sectors: list[bytes] = []
    fat: list[int] = []
    mini, mini_fat = bytearray(), list[int]()

    def add(content: bytes) -> int:
        first, count = len(sectors), -(-len(content) // _SECTOR)
        padded = content.ljust(count * _SECTOR, b"\0")
        sectors.extend(padded[i * _SECTOR : (i + 1) * _SECTOR] for i in range(count))
        fat.extend([*range(first + 1, first + count), _END])
        return first

    def add_mini(content: bytes) -> int:
        first, count = len(mini_fat), -(-len(content) // _MINI)
        mini.extend(content.ljust(count * _MINI, b"\0"))
        mini_fat.extend([*range(first + 1, first + count), _END])
        return first

    folders = sorted({name.split("/")[0] for name in streams if "/" in name})
    entries: list[dict[str, Any]] = [{"name": "Root Entry", "kind": 5}]
    entries += [{"name": folder, "kind": 1} for folder in folders]
    for name, content in streams.items():
        start = add(content) if len(content) >= _CUTOFF else add_mini(content)
        entries.append({"name": name, "kind": 2, "start": start, "size": len(content)})
    for number, entry in enumerate(entries):
        inside = [
            i
            for i, other in enumerate(entries)
            if i and (other["name"].startswith(f"{entry['name']}/") if number else "/" not in other["name"])
        ]
        entry["child"] = inside[0] if inside and entry["kind"] != 2 else _FREE
        for left, right in pairwise(inside):
            if entry["kind"] != 2:
                entries[left]["right"] = right
    entries[0] |= {"start": add(bytes(mini)), "size": len(mini)}
    first_mini_fat = add(
        struct.pack(f"<{len(mini_fat)}I", *mini_fat).ljust(-(-len(mini_fat) // 128) * _SECTOR, b"\xff")
    )
    directory = b"".join(_entry(entry) for entry in entries)
    first_directory = add(directory.ljust(-(-len(directory) // _SECTOR) * _SECTOR, b"\0"))
    fats = 1
    while fats * 128 < len(sectors) + fats:
        fats += 1
    places = list(range(len(sectors), len(sectors) + fats))
    table = struct.pack(f"<{len(fat) + fats}I", *fat, *[_FAT] * fats).ljust(fats * _SECTOR, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack(
        "<IIIIIIIII", 0, fats, first_directory, 0, _CUTOFF, first_mini_fat, -(-len(mini_fat) // 128), _END, 0
    )
    header += struct.pack("<109I", *places, *[_FREE] * (109 - fats))
    path.write_bytes(header + b"".join(sectors) + table)
    return path


def _entry(entry: dict[str, Any]) -> bytes:
    name = entry["name"].split("/")[-1].encode("utf-16-le") + b"\0\0"
    links = struct.pack("<III", _FREE, entry.get("right", _FREE), entry.get("child", _FREE))
    place = struct.pack("<IQ", entry.get("start", 0), entry.get("size", 0))
    return name.ljust(64, b"\0") + struct.pack("<HBB", len(name), entry["kind"], 1) + links + bytes(36) + place


def txrm_streams(frames: NDArray[Any], angles: NDArray[Any], reference: NDArray[Any] | None) -> dict[str, bytes]:
    """Return the streams of a txrm file of pixels of 10 nm."""
    code = {"uint16": 5, "float32": 10}[str(frames.dtype)]
    numbers = {
        "NoOfImages": len(frames),
        "ImageHeight": frames.shape[1],
        "ImageWidth": frames.shape[2],
        "DataType": code,
    }
    streams = {f"ImageInfo/{name}": struct.pack("<i", value) for name, value in numbers.items()}
    streams["ImageInfo/PixelSize"] = struct.pack("<f", 0.01)
    streams["ImageInfo/Energy"] = struct.pack("<f", 520.0)
    streams["ImageInfo/Angles"] = angles.astype("<f4").tobytes()
    for number, frame in enumerate(frames):
        streams[f"ImageData{number // 100 + 1}/Image{number + 1}"] = frame.tobytes()
    if reference is not None:
        streams["ReferenceData/Image"] = reference.astype("<f4").tobytes()
        streams["ReferenceData/DataType"] = struct.pack("<i", 10)
    return streams


def amira_header(shape: tuple[int, int, int], data: str, *, first: str = "BINARY-LITTLE-ENDIAN 2.1") -> bytes:
    """Return the header of a label field with three materials, voxels of 40 nm."""
    nz, ny, nx = shape
    box = " ".join(f"0 {(n - 1) * 40}" for n in (nx, ny, nz))
    return (
        f"# AmiraMesh {first}\n\ndefine Lattice {nx} {ny} {nz}\n\nParameters {{\n    Materials {{\n"
        '        Exterior { Id 1 }\n        "Cytoplasm" { Color 0.1 0.2 0.3,\n Id 2 }\n        "odd"\n'
        "        Lipid_Droplet { Group { Id 3 } }\n    }\n"
        f'    Units {{ Coordinates "nm" }}\n    BoundingBox {box},\n    CoordType "uniform"\n}}\n\n'
        f"Lattice {{ {data}\n\n# Data section follows\n@1\n"
    ).encode()


def byte_runs(values: bytes) -> bytes:
    """Pack as HxByteRLE: runs of at most 127, every third of them as it is."""
    out, place = bytearray(), 0
    while place < len(values):
        run = 1
        while run < 127 and place + run < len(values) and values[place + run] == values[place]:
            run += 1
        literal = run < 3
        if literal:
            run = min(5, len(values) - place)
        out += bytes([0x80 | run]) + values[place : place + run] if literal else bytes([run, values[place]])
        place += run
    return bytes(out)


BALLS_PX = {0.3: (-6.0, 3.0, 9.0), 0.6: (1.0, -8.0, -5.0), 0.9: (7.0, 6.0, -2.0)}
"""LAC in 1/um of three balls, and their centres (z, y, x) in voxels from the middle; no flip leaves them."""

RADIUS_PX, EDGE_NM, SHAPE = 2.5, 40.0, (25, 29, 31)
ANGLES = np.arange(-60.0, 61.0, 10.0)


def balls() -> NDArray[np.float32]:
    """Return the volume (z, y, x), 1/um."""
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in SHAPE)
    volume = np.zeros(SHAPE, np.float32)
    for lac, (z0, y0, x0) in BALLS_PX.items():
        distance = (z[:, None, None] - z0) ** 2 + (y[:, None] - y0) ** 2 + (x - x0) ** 2
        volume[distance <= RADIUS_PX**2] = lac
    return volume


def ball_views() -> NDArray[np.float32]:
    """Return their absorbance (angle, z, u) by chords, u = x cos + y sin (PROTOCOL 1.1)."""
    nz, _, nu = SHAPE
    z, u = np.arange(nz) - (nz - 1) / 2, np.arange(nu) - (nu - 1) / 2
    views = np.zeros((len(ANGLES), nz, nu), np.float32)
    for view, angle in zip(views, np.deg2rad(ANGLES), strict=True):
        for lac, (z0, y0, x0) in BALLS_PX.items():
            u0 = x0 * np.cos(angle) + y0 * np.sin(angle)
            chord = 2 * np.sqrt(np.maximum(RADIUS_PX**2 - (z[:, None] - z0) ** 2 - (u - u0) ** 2, 0))
            view += (lac * chord * EDGE_NM / 1000).astype(np.float32)
    return views
