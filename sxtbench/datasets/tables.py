"""The manifest as a table that `datasets` understands: one schema for all splits, pictures as pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sxtbench.files import atomic_path

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How `datasets` stores a picture."""


def with_images(schema: pa.Schema) -> pa.Schema:
    """Say in the metadata that columns of type `IMAGE` are pictures, as `load_dataset` and the Hub read it.

    >>> with_images(pa.schema([("preview", IMAGE)])).metadata
    {b'huggingface': b'{"info": {"features": {"preview": {"_type": "Image"}}}}'}
    """
    features = {field.name: {"_type": "Image"} for field in schema if field.type == IMAGE}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def manifest_schema(schema: pa.Schema) -> pa.Schema:
    """Return a manifest's schema as every split has it: what no row of a split has (a twin) is text all the same."""
    fields = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in schema]
    fields = [field.with_type(IMAGE) if field.name == "preview" else field for field in fields]
    return with_images(pa.schema(fields))


def write_manifest(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the manifest of a split, whole or not at all."""
    _write(path, pa.Table.from_pylist(list(rows)))


def renew_manifest(path: Path) -> None:
    """Give a manifest of an older version the schema of this one; its rows stay."""
    table = pq.read_table(path)
    if not table.schema.equals(manifest_schema(table.schema), check_metadata=True):
        _write(path, table)


def _write(path: Path, table: pa.Table) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(table.cast(manifest_schema(table.schema)), temporary, compression="zstd")
