"""One sample's arrays in one file: Zarr v3, sharded, in an uncompressed ZIP whose bytes repeat.

The hierarchy is first made in memory and then written in one pass, metadata before shards, keys in sorted order, with
a fixed date: no key can stand twice, and equal arrays give equal bytes.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numcodecs.blosc import Blosc
from numpy.typing import NDArray
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore, ZipStore

from sxtbench.errors import InputError
from sxtbench.files import atomic_path
from sxtbench.specimens.blocks import in_blocks

_DATE = (1980, 1, 1, 0, 0, 0)
_SHARD_BYTES = 64_000_000
_CHUNK_VOXELS = 64
_LEVEL = 1  # of zstd: level 5 takes 1.6 times as long and saves 3 %
_ROUND_BLOCK = 1  # slices: small enough to stay in a cache over the three steps


@dataclass(frozen=True)
class Volume:
    """A volume to store as an OME-Zarr 0.5 image group with one level, `0`."""

    array: NDArray[Any]
    voxel_size_um: float
    unit: str = ""


@dataclass
class Hierarchy:
    """What goes into one file: plain arrays, volumes, and attributes of the root."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


def _ome(name: str, volume: Volume) -> dict[str, Any]:
    scale = [volume.voxel_size_um] * 3
    offset = [-(n - 1) / 2 * volume.voxel_size_um for n in volume.array.shape]
    transforms = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": offset}]
    return {
        "ome": {
            "version": "0.5",
            "multiscales": [
                {
                    "name": name,
                    "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"],
                    "datasets": [{"path": "0", "coordinateTransformations": transforms}],
                }
            ],
        },
        **({"unit": volume.unit} if volume.unit else {}),
    }


def _layout(array: NDArray[Any]) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Return chunks of at most 64 an axis, and shards of whole slabs of them below 64 MB."""
    if array.ndim < 3:
        return tuple(max(1, n) for n in array.shape), None
    chunks = tuple(min(_CHUNK_VOXELS, n) for n in array.shape)
    covered = [-(-n // c) * c for n, c in zip(array.shape, chunks, strict=True)]
    shards = list(covered)
    for axis in range(array.ndim):
        while np.prod(shards) * array.itemsize > _SHARD_BYTES and shards[axis] > chunks[axis]:
            shards[axis] = max(chunks[axis], shards[axis] // 2 // chunks[axis] * chunks[axis])
    return chunks, tuple(shards)


def _add(
    group: zarr.Group, name: str, array: NDArray[Any], dimensions: Sequence[str] | None = None
) -> dict[str, bytes]:
    """Add an array to a group and return its shards by their keys, which are not in the group's store."""
    chunks, shards = _layout(array)
    stored = group.create_array(
        name,
        shape=array.shape,
        dtype=array.dtype,
        chunks=chunks,
        shards=shards,
        compressors=BloscCodec(cname="zstd", clevel=_LEVEL, shuffle="bitshuffle"),
        fill_value=0,
        dimension_names=None if dimensions is None else list(dimensions),
    )
    if shards is None:
        stored[...] = array
        return {}
    return {f"{stored.path}/{key}": shard for key, shard in _shards(array, chunks, shards)}


def _shards(array: NDArray[Any], chunks: tuple[int, ...], shards: tuple[int, ...]) -> Iterator[tuple[str, bytes]]:
    """Encode an array on all cores, as zarr does on one: the codec `sharding_indexed`, its index at the end.

    A shard holds its chunks that are not all zero along a Morton curve, then offset and length of each chunk in C order
    (2^64 - 1 where there is none), then the CRC-32C of that index. A shard without chunks does not exist.
    """
    codec = Blosc(cname="zstd", clevel=_LEVEL, shuffle=Blosc.BITSHUFFLE)
    grid = tuple(s // c for s, c in zip(shards, chunks, strict=True))
    inside = sorted(np.ndindex(grid), key=lambda place: _along_morton(place, grid))
    outside = list(np.ndindex(*(-(-n // s) for n, s in zip(array.shape, shards, strict=True))))
    places = [
        tuple((o * n + i) * c for o, n, i, c in zip(shard, grid, place, chunks, strict=True))
        for shard in outside
        for place in inside
    ]
    encoded = in_blocks(lambda i, _: _encoded(array, places[i], chunks, codec), len(places), block=1)
    for number, shard in enumerate(outside):
        parts = encoded[number * len(inside) : (number + 1) * len(inside)]
        if not any(parts):
            continue
        index = np.full((*grid, 2), 2**64 - 1, "<u8")
        offset = 0
        for place, chunk in zip(inside, parts, strict=True):
            if chunk:
                index[place] = offset, len(chunk)
                offset += len(chunk)
        table = index.tobytes()
        checksum = google_crc32c.value(table).to_bytes(4, "little")
        yield "/".join(["c", *map(str, shard)]), b"".join([*parts, table, checksum])


def _encoded(array: NDArray[Any], first: tuple[int, ...], chunks: tuple[int, ...], codec: Blosc) -> bytes:
    """One chunk, compressed; empty if all of it is beyond the array or zero (-0.0 is not)."""
    part = array[tuple(slice(a, a + c) for a, c in zip(first, chunks, strict=True))]
    if not part.view(f"u{array.itemsize}").any():
        return b""
    whole = np.zeros(chunks, array.dtype.newbyteorder("<"))
    whole[tuple(slice(n) for n in part.shape)] = part
    return bytes(codec.encode(whole))


def _along_morton(place: tuple[int, ...], grid: tuple[int, ...]) -> int:
    """Position along a Morton curve whose axes have as many bits as their length needs, the first axis lowest."""
    bits = [(n - 1).bit_length() for n in grid]
    code, at = 0, 0
    for bit in range(max(bits)):
        for i, many in zip(place, bits, strict=True):
            if bit < many:
                code |= ((i >> bit) & 1) << at
                at += 1
    return code


def write_hierarchy(path: Path, content: Hierarchy) -> None:
    """Write `content` to `path`, whole or not at all."""
    memory = MemoryStore()
    root = zarr.create_group(memory, attributes=content.attributes)
    shards: dict[str, bytes] = {}
    for name, array in content.arrays.items():
        parent, _, leaf = name.rpartition("/")
        shards |= _add(root.require_group(parent) if parent else root, leaf, array)
    for name, volume in content.volumes.items():
        group = root.require_group(name)
        group.update_attributes(_ome(name, volume))
        shards |= _add(group, "0", volume.array, "zyx")
    entries = {key: value.to_bytes() for key, value in memory._store_dict.items()} | shards
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as file:
        for key in sorted(entries, key=lambda key: (not key.endswith("zarr.json"), key)):
            file.writestr(zipfile.ZipInfo(key, _DATE), entries[key])


@contextmanager
def open_hierarchy(path: Path) -> Iterator[zarr.Group]:
    """Open a file that `write_hierarchy` made, for reading."""
    try:
        store = ZipStore(path, mode="r")
        root = zarr.open_group(store, mode="r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `sxtbench verify` lists what is missing") from None
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable Zarr ZIP ({error}); `sxtbench verify` names damaged files") from None
    try:
        yield root
    finally:
        store.close()


def read_array(path: Path, name: str) -> NDArray[Any]:
    """Read one array of a sample's file."""
    with open_hierarchy(path) as root:
        if name not in root:
            raise InputError(f"{path}: holds no array {name!r}")
        return np.asarray(root[name][...])  # type: ignore[index]


def rounded(
    volume: NDArray[np.float32], step_exponent: int, *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Round to multiples of `2 ** -step_exponent`, exactly representable, so that the bytes compress.

    Parameters
    ----------
    volume : ndarray, shape (z, ...), float32
        What is rounded.
    step_exponent : int
        Of the step, which is `2 ** -step_exponent`.
    out : ndarray, shape (z, ...), float32, optional
        Where the result goes, `volume` itself included; a new array by default.

    Returns
    -------
    ndarray, shape (z, ...), float32
        `out`, if given.

    Examples
    --------
    >>> rounded(np.array([0.3, -0.7], np.float32), 1).tolist()
    [0.5, -0.5]
    """
    result = np.empty(volume.shape, np.float32) if out is None else out
    scale = np.float32(2.0**step_exponent)

    def block(first: int, last: int) -> None:
        part = result[first:last]
        np.multiply(volume[first:last], scale, out=part)
        np.rint(part, out=part)
        np.divide(part, scale, out=part)

    in_blocks(block, len(volume), block=_ROUND_BLOCK)
    return result


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table as parquet, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows)), temporary, compression="zstd")
