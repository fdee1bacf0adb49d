"""Training-ready 2-D slices of a dataset: parquet that `datasets` streams, its arrays as images that need no decoding.

A float slice is a portable float map and a slice of labels a portable grey map: raw bytes behind a line of text, which
Pillow reads without loss and `with_format("torch")` gives as tensors of their own type. `benchmarks/slice_encodings.py`
measures this against other encodings.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from sxtbench.datasets.build import read_statement
from sxtbench.datasets.store import open_hierarchy, read_array
from sxtbench.datasets.tables import IMAGE, with_images
from sxtbench.files import atomic_folder, atomic_path

TRAINING_SPLITS = ("train", "validation")
"""Splits that have slices: on test and shifted nothing may be trained."""

TARGETS = ("labels", "lac")
FOLDER = "slices"
_SHARD_BYTES = 256_000_000
_GROUP_BYTES = 8_000_000
_VOXEL_BYTES = 9  # two float32 and one uint8


def write_slices(
    folder: Path, *, targets: Sequence[str] = TARGETS, progress: Callable[[str], None] | None = None
) -> list[str]:
    """Write `slices/<split>-<k>-of-<n>.parquet`, in place of those that are there.

    A row is one z slice of a specimen at the reference level: `id`, `z`, the picture `fbp` (float32, 1/um) and those of
    the targets, `labels` (uint8, ids of the suite) and `lac` (float32, 1/um). A file holds whole specimens, about 256
    MB of them before compression.

    Parameters
    ----------
    folder : Path
        A dataset.
    targets : sequence of str
        `labels`, `lac` or both: each more picture costs time of whoever reads.
    progress : callable, optional
        Called with the id of each specimen that is done.

    Returns
    -------
    list of str
        The files, relative to the folder; none where the dataset stores no reconstruction (projection-alignment) or has
        no split to train on.

    Raises
    ------
    InputError
        Where the folder holds no dataset, or a container cannot be read.
    """
    specimens = {
        split: _specimens(folder, split) for split in TRAINING_SPLITS if split in read_statement(folder)["splits"]
    }
    written = []
    with atomic_folder(folder / FOLDER) as new:
        for split, rows in specimens.items():
            shards = _shards(rows)
            for number, shard in enumerate(shards):
                name = f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
                _write_shard(new / name, folder, shard, targets, progress or (lambda name: None))
                written.append(f"{FOLDER}/{name}")
    if not written:
        (folder / FOLDER).rmdir()
    return written


def _specimens(folder: Path, split: str) -> list[dict[str, Any]]:
    """Return the rows of a split's specimens that have a stored reconstruction."""
    columns = ["id", "reference", "shape_zyx", "input_path", "target_path"]
    rows = pq.read_table(folder / "manifest" / f"{split}.parquet", columns=columns).to_pylist()
    return [row for row in rows if row["reference"] and _has_fbp(folder / row["input_path"])]


def _has_fbp(path: Path) -> bool:
    with open_hierarchy(path) as root:
        return "reconstructions/fbp/0" in root


def _shards(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    if not rows:
        return []
    each = max(1, _SHARD_BYTES // (math.prod(rows[0]["shape_zyx"]) * _VOXEL_BYTES))
    return [list(rows[start : start + each]) for start in range(0, len(rows), each)]


def _write_shard(
    path: Path,
    folder: Path,
    rows: Sequence[dict[str, Any]],
    targets: Sequence[str],
    progress: Callable[[str], None],
) -> None:
    columns = {"id": pa.string(), "z": pa.int32(), "fbp": IMAGE, **dict.fromkeys(targets, IMAGE)}
    schema = with_images(pa.schema(list(columns.items())))
    with (
        atomic_path(path) as temporary,
        # A dictionary of pictures that are all different would cost time and save nothing.
        pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=False) as writer,
    ):
        for row in rows:
            table = pa.Table.from_pylist(list(_slices(folder, row, targets)), schema=schema)
            _, height, width = row["shape_zyx"]
            writer.write_table(table, row_group_size=max(1, _GROUP_BYTES // (height * width * _VOXEL_BYTES)))
            progress(row["id"])


def _slices(folder: Path, row: dict[str, Any], targets: Sequence[str]) -> Iterator[dict[str, Any]]:
    volumes = {"fbp": read_array(folder / row["input_path"], "reconstructions/fbp/0")}
    volumes |= {name: read_array(folder / row["target_path"], f"{name}/0") for name in targets}
    for z in range(row["shape_zyx"][0]):
        pictures = {name: {"bytes": raw_picture(volume[z]), "path": None} for name, volume in volumes.items()}
        yield {"id": row["id"], "z": z, **pictures}


def raw_picture(array: NDArray[Any]) -> bytes:
    r"""Return a slice as a portable grey map (uint8) or float map (float32), in which no value changes.

    Parameters
    ----------
    array : ndarray, shape (y, x), uint8 or float32

    Returns
    -------
    bytes

    >>> raw_picture(np.array([[1, 2]], np.uint8))
    b'P5\n2 1\n255\n\x01\x02'
    """
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(file, "PPM")
    return file.getvalue()
