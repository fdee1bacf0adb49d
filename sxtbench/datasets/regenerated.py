"""Compare a stored sample with the same one made anew: whole numbers exactly, floats by tolerance."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sxtbench.datasets.store import open_hierarchy

FLOAT_TOLERANCE = 1e-3
"""By how much of an array's largest magnitude a float may differ: above a step of rounding, far below the noise."""

FLOAT_SHARE = 1e-4
"""The share of an array's floats that may differ by more: another machine may move a photon here and there."""


def differences(stored: Path, made: Path) -> Iterator[str]:
    """Yield what differs between two files of a sample, one line an array.

    Parameters
    ----------
    stored, made : Path
        Two `.zarr.zip` files of inputs or of targets.

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
        for name in sorted(before.keys() | after.keys()):
            if name not in before or name not in after:
                yield f"{name}: is there only in what was {'stored' if name in before else 'made anew'}"
            else:
                yield from _array(name, np.asarray(before[name][...]), np.asarray(after[name][...]))
        if not _alike(old.attrs.asdict(), new.attrs.asdict()):
            yield "attributes: differ"


def _arrays(root: zarr.Group) -> dict[str, "zarr.Array[Any]"]:
    return {name: part for name, part in root.members(max_depth=None) if isinstance(part, zarr.Array)}


def _array(name: str, old: NDArray[Any], new: NDArray[Any]) -> Iterator[str]:
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        yield f"{name}: is {old.dtype} {old.shape}, made anew {new.dtype} {new.shape}"
        return
    if not old.size:
        return
    apart, allowed = np.abs(old.astype(np.float64) - new), 0.0
    if np.issubdtype(old.dtype, np.floating):
        tolerance, allowed = FLOAT_TOLERANCE * float(np.abs(new).max()), FLOAT_SHARE
    else:
        tolerance = 0.0
    share = float(np.mean(~(apart <= tolerance)))
    if share > allowed:
        yield f"{name}: differs in a share of {share:.2g} of its values, by {apart.max():.3g} at most"


def _alike(old: Any, new: Any) -> bool:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_alike(old[key], new[key]) for key in old)
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=FLOAT_TOLERANCE)
    return bool(old == new)
