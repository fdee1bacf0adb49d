"""Rows a second and bytes a row of 2-D slices in parquet as `datasets` streams them, by encoding, on one core.

Each encoding holds the same slices: an FBP, labels and LAC of limited-angle-segmentation-small, 128 x 128. It is read
with `load_dataset(..., streaming=True).with_format("torch")`, a row at a time and in batches of 32. Rates are rows per
second of processor time, the best of five passes; another load on the machine still lowers them.

Usage: python benchmarks/slice_encodings.py [--specimens 4]
"""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import Array2D, Features, Image, List, Value, load_dataset
from PIL import Image as Picture

from sxtbench.benchmark.task import get_task

COLUMNS = ("fbp", "labels", "lac")
ROW_GROUP = 64
Table = dict[str, list[np.ndarray]]


def slices(specimens: int) -> Table:
    data = get_task("limited-angle-segmentation", "small").dataset("train", targets=True).at_reference.first(specimens)
    table: Table = {name: [] for name in COLUMNS}
    for sample in data:
        for name in COLUMNS:
            volume = sample.reconstructions["fbp"] if name == "fbp" else sample.targets[name]
            table[name] += list(np.ascontiguousarray(volume))
    return table


def picture(array: np.ndarray, form: str) -> dict[str, Any]:
    file = io.BytesIO()
    Picture.fromarray(array).save(file, form)
    return {"bytes": file.getvalue(), "path": None}


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def levels(array: np.ndarray) -> np.ndarray:
    """Return LAC as 16-bit steps of 2^-11 from -1; labels as they are."""
    if array.dtype == np.uint8:
        return array
    return np.clip(np.rint((array + 1) * 2048), 0, 65535).astype(np.uint16)


def each(table: Table, change: Callable[[np.ndarray], Any]) -> dict[str, list[Any]]:
    return {name: [change(one) for one in column] for name, column in table.items()}


def encodings(table: Table) -> Iterator[tuple[str, pa.Table]]:
    shape = table["lac"][0].shape
    dtypes = {name: str(column[0].dtype) for name, column in table.items()}
    yield "nested lists", pa.table(each(table, lambda a: a.tolist()))
    two_d = Features({name: Array2D(shape, dtype) for name, dtype in dtypes.items()})
    storage = pa.table({name: pa.array([a.tolist() for a in column]) for name, column in table.items()})
    yield "Array2D", storage.cast(plain(two_d)).replace_schema_metadata(two_d.arrow_schema.metadata)
    flat = Features({name: List(Value(dtype), length=shape[0] * shape[1]) for name, dtype in dtypes.items()})
    yield (
        "List of fixed length",
        pa.table(
            {
                name: pa.FixedSizeListArray.from_arrays(
                    pa.array(np.concatenate([a.ravel() for a in column])), shape[0] * shape[1]
                )
                for name, column in table.items()
            }
        ).replace_schema_metadata(flat.arrow_schema.metadata),
    )
    raw = Features({name: Value("binary") for name in table})
    yield "npy in binary (no tensors)", pa.Table.from_pydict(each(table, npy), schema=raw.arrow_schema)
    images = Features({name: Image() for name in table})
    for name, change in {
        "Image: PFM, labels in PGM": lambda a: picture(a, "PPM"),
        "Image: TIFF": lambda a: picture(a, "TIFF"),
        "Image: TIFF, labels in PNG": lambda a: picture(a, "PNG" if a.dtype == np.uint8 else "TIFF"),
        "Image: PNG, LAC in 16 bits": lambda a: picture(levels(a), "PNG"),
    }.items():
        yield name, pa.Table.from_pydict(each(table, change), schema=images.arrow_schema)


def plain(features: Features) -> pa.Schema:
    return pa.schema([(field.name, getattr(field.type, "storage_type", field.type)) for field in features.arrow_schema])


def rate(read: Callable[[], int]) -> float:
    best = 0.0
    for _ in range(5):
        start = time.process_time()
        best = max(best, read() / (time.process_time() - start))
    return best


def measured(stored: pa.Table, path: Path) -> str:
    """Return kilobytes a row, rows written and read a second, and what the tensors are."""
    start = time.process_time()
    pq.write_table(stored, path, compression="zstd", row_group_size=ROW_GROUP, use_dictionary=False)
    written = stored.num_rows / (time.process_time() - start)
    data = load_dataset("parquet", data_files=str(path), split="train", streaming=True).with_format("torch")
    one = rate(lambda: sum(1 for _ in data))
    batches = rate(lambda: sum(len(batch["lac"]) for batch in data.iter(32)))
    size = path.stat().st_size / stored.num_rows / 1e3
    first = next(iter(data))
    tensors = [
        f"{tuple(v.shape)} {v.dtype}" if isinstance(v, torch.Tensor) else "bytes" for v in map(first.get, COLUMNS)
    ]
    return f"{size:>7.1f} {written:>8.0f} {one:>7.0f} {batches:>7.0f}  {'; '.join(tensors[:2])}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--specimens", type=int, default=4)
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    table = slices(parser.parse_args().specimens)
    size = sum(column[0].nbytes for column in table.values()) / 1e3
    print(f"{len(table['lac'])} rows of {', '.join(COLUMNS)}, {size:.0f} kB each")
    print(f"{'encoding':<28} {'kB/row':>7} {'write/s':>8} {'rows/s':>7} {'in 32s':>7}  fbp; labels")
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, stored) in enumerate(encodings(table)):
            print(f"{name:<28} {measured(stored, Path(folder) / f'{index}.parquet')}", flush=True)


if __name__ == "__main__":
    main()
