"""The JSON Schemas of the files that others write and read: `submission.json` and a result."""

import json
from pathlib import Path
from typing import Any

from sxtbench.benchmark.result import result_schema
from sxtbench.benchmark.submission import submission_schema
from sxtbench.files import write_text


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by file name.

    >>> sorted(schemas())
    ['result.schema.json', 'submission.schema.json']
    """
    return {"result.schema.json": result_schema(), "submission.schema.json": submission_schema()}


def write_schemas(folder: Path) -> list[Path]:
    """Write the schemas into a folder and return their paths."""
    written = []
    for name, schema in schemas().items():
        write_text(folder / name, json.dumps(schema, sort_keys=True, indent=1) + "\n")
        written.append(folder / name)
    return written
