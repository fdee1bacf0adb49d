"""Make stored samples anew from their seeds and compare: whole numbers exactly, floats by tolerance."""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import zarr
from numpy.typing import NDArray

from sxtbench.cores import available_cores, share_of_cores
from sxtbench.datasets.build import VERSION, family_of, read_statement
from sxtbench.datasets.fetched import read_fetched
from sxtbench.datasets.record import Job, in_content, write_record
from sxtbench.datasets.spec import PRIVATE, DatasetSpec
from sxtbench.datasets.store import open_hierarchy
from sxtbench.datasets.verify import reference_rows
from sxtbench.errors import InputError

FLOAT_TOLERANCE = 1e-3
"""By how much of an array's largest magnitude a float may differ: above a step of rounding, far below the noise."""

FLOAT_SHARE = 1e-4
"""The share of an array's floats that may differ by more: another machine may move a photon here and there."""


def regenerate(
    folder: Path,
    spec: DatasetSpec,
    count: int,
    *,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[str]:
    """Make specimens of a dataset anew from their seeds and return what differs, one line an array.

    Exact are whole numbers (labels, counts, masks) and all that the content hash covers (incident photons, nominal and
    true angles too); other floats (LAC, reconstructions, absorbance, the table of objects) by `FLOAT_TOLERANCE` and
    `FLOAT_SHARE`. Private splits are left out: `season verify` knows their seeds.

    Parameters
    ----------
    folder : Path
        A dataset without damage (`verify`). Of one in an older version only what it stores is compared.
    spec : DatasetSpec
        Of the dataset, with its own recipe.
    count : int
        How many specimens of each split, the first ones that are there.
    threads : int, optional
        Threads of each kernel, at most the cores of this process, all by default; no value depends on them.
    progress : callable, optional
        Called with the id of each specimen that was compared.

    Raises
    ------
    InputError
        Where the folder holds another dataset than that of the spec, and for more threads than cores.
    """
    statement = read_statement(folder)
    if statement["recipe_sha256"] != spec.recipe.hash:
        raise InputError(f"{folder}: its recipe is not the one that it is to be made of anew")
    if threads is not None and not 1 <= threads <= available_cores():
        raise InputError(f"threads is {threads}, expected 1 to {available_cores()}, the cores of this process")
    problems = []
    with nullcontext() if threads is None else share_of_cores(threads):
        for split in statement["splits"]:
            rows = [] if split == PRIVATE else reference_rows(folder, split)
            if read_fetched(folder) is not None:  # maybe in part
                rows = [row for row in rows if all((folder / row[key]).is_file() for key in _FILES)]
            for row in rows[:count]:
                found = _anew(folder, row, spec, grown=statement["version"] != VERSION)
                problems += [f"{row['group']}: made anew, {line}" for line in found]
                if progress:
                    progress(f"{row['group']} made anew")
    return problems


_FILES = ("input_path", "target_path", "objects_path")


def _anew(folder: Path, row: dict[str, Any], spec: DatasetSpec, *, grown: bool) -> Iterator[str]:
    index = int(row["group"].rpartition("-")[2])
    with tempfile.TemporaryDirectory(prefix="sxtbench-anew-") as name:
        place = Path(name)
        job = Job(spec=spec, split=row["split"], index=index, folder=place)
        write_record(job, family_of(spec.recipe).record(job))
        for key, part in (("input_path", "inputs"), ("target_path", "targets")):
            for line in differences(folder / row[key], place / row[key], exact=in_content, grown=grown):
                yield f"{part} {line}"
        yield from _table(folder / row["objects_path"], place / row["objects_path"], grown=grown)


def _table(stored: Path, made: Path, *, grown: bool) -> Iterator[str]:
    """Compare two tables of objects, column by column."""
    old, new = (pq.read_table(path).to_pydict() for path in (stored, made))
    if grown:
        new = {name: column for name, column in new.items() if name in old}
    if old.keys() != new.keys():
        yield f"objects: have the columns {', '.join(new)}, stored are {', '.join(old)}"
        return
    for name, column in old.items():
        if not _alike(column, new[name]):
            yield f"objects: {name} differs"


def differences(
    stored: Path, made: Path, *, exact: Callable[[str], bool] = lambda name: False, grown: bool = False
) -> Iterator[str]:
    """Yield what differs between two files of a sample, one line an array.

    Parameters
    ----------
    stored, made : Path
        Two `.zarr.zip` files of inputs or of targets.
    exact : callable, optional
        Says by an array's name whether its floats are to be exact too.
    grown : bool
        Whether what was made may hold more than what is stored.

    Yields
    ------
    str
        Such as `labels/0: differs in a share of 3.1e-05 of its values, by 1 at most`.

    Raises
    ------
    InputError
        For a file that is missing or cannot be read.
    """
    with open_hierarchy(stored) as old, open_hierarchy(made) as new:
        before, after = _arrays(old), _arrays(new)
        for name in sorted(before.keys() | ({} if grown else after).keys()):
            if name not in before or name not in after:
                yield f"{name}: is there only in what was {'stored' if name in before else 'made anew'}"
            else:
                yield from _array(name, np.asarray(before[name][...]), np.asarray(after[name][...]), exact(name))
        said, says = old.attrs.asdict(), new.attrs.asdict()
        if not _alike(said, {key: value for key, value in says.items() if key in said} if grown else says):
            yield "attributes: differ"


def _arrays(root: zarr.Group) -> dict[str, "zarr.Array[Any]"]:
    return {name: part for name, part in root.members(max_depth=None) if isinstance(part, zarr.Array)}


def _array(name: str, old: NDArray[Any], new: NDArray[Any], exact: bool) -> Iterator[str]:
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        yield f"{name}: is {old.dtype} {old.shape}, made anew {new.dtype} {new.shape}"
        return
    if not old.size:
        return
    apart, allowed = np.abs(old.astype(np.float64) - new), 0.0
    tolerance = 0.0
    if np.issubdtype(old.dtype, np.floating) and not exact:
        tolerance, allowed = FLOAT_TOLERANCE * float(np.abs(new).max()), FLOAT_SHARE
    share = float(np.mean(~(apart <= tolerance)))
    if share > allowed:
        yield f"{name}: differs in a share of {share:.2g} of its values, by {apart.max():.3g} at most"


def _alike(old: Any, new: Any) -> bool:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_alike(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_alike, old, new))
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=FLOAT_TOLERANCE) or (math.isnan(old) and math.isnan(new))
    return bool(old == new)
