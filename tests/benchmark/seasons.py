"""A season of the mini task, answers to it, and ways to tamper with what was published."""

import base64
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import zarr

from sxtbench.benchmark.evaluate import predict
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.pack import describe, find_answers, pack
from sxtbench.benchmark.season import Season
from sxtbench.datasets.build import write_checksums
from sxtbench.datasets.store import Hierarchy, open_hierarchy, write_hierarchy

WHO = {"authors": ["A. Person"], "licence": "MIT", "training_data": "none"}
LABELS = "targets/private/private-00001.zarr.zip"


def packed(season: Season, folder: Path, *, name: str = "mine", method: str = "trivial") -> Path:
    predict(load_method(method), season.task, folder / name, "private")
    said = {"name": name, **WHO}
    submission = describe(find_answers(folder / name), season.task, "private", method=said, resources={})
    return pack(find_answers(folder / name), submission, season.task, folder / f"{name}.zip")


def forms(secret: str) -> list[bytes]:
    """256 bits in hex, as they might be written somewhere."""
    raw, number = bytes.fromhex(secret), str(int(secret, 16))
    words = [str(word) for word in np.frombuffer(raw, "<u4")]
    return [
        secret.encode(),
        secret.upper().encode(),
        raw,
        raw[::-1],
        raw[:8],
        number.encode(),
        number[:20].encode(),
        base64.b64encode(raw)[:-1],
        base64.urlsafe_b64encode(raw)[:-1],
        json.dumps(words)[1:-1].encode(),
    ]


def number_forms(values: np.ndarray) -> list[bytes]:
    """Each float64, each two neighbours as float32, each as text; whole numbers stand in other places too."""
    found: list[bytes] = []
    flat = np.asarray(values, np.float64).ravel()
    for value in flat[flat != np.rint(flat)]:
        found += [value.tobytes(), value.tobytes()[::-1], f"{abs(value):.12f}".rstrip("0")[:10].encode()]
    pairs = np.lib.stride_tricks.sliding_window_view(flat.astype(np.float32), 2)
    return found + [pair.tobytes() for pair in pairs if np.all(pair != np.rint(pair))]


def every_byte(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names, files, members of archives, arrays and attributes of Zarr, values of tables."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield f"{name}: name", name.encode()
        if path.is_dir():
            continue
        yield name, path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{name}/{member}", archive.read(member)) for member in archive.namelist())
            with open_hierarchy(path) as root:
                yield f"{name}: attributes", json.dumps(root.attrs.asdict()).encode()
                for key, part in root.members(max_depth=None):
                    if isinstance(part, zarr.Array):
                        yield f"{name}: {key}", np.asarray(part[...]).tobytes()
        if path.suffix == ".parquet":
            yield f"{name}: values", repr(pq.read_table(path).to_pylist()).encode()


def leaks(folder: Path, needles: list[bytes]) -> list[str]:
    return [place for place, content in every_byte(folder) if any(needle in content for needle in needles)]


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def change_array(data: Path, file: str, array: str) -> None:
    """Change one value of an array, as an organiser would who then makes all checksums right again."""
    with open_hierarchy(data / file) as root:
        arrays = {
            key: np.asarray(part[...]) for key, part in root.members(max_depth=None) if isinstance(part, zarr.Array)
        }
        attributes: dict[str, Any] = root.attrs.asdict()
    arrays[array].flat[arrays[array].size // 2] += 1
    write_hierarchy(data / file, Hierarchy(arrays=arrays, attributes=attributes))
    write_checksums(data)
