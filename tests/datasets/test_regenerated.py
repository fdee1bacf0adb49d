"""Comparing a stored sample with the same one made anew."""

from pathlib import Path

import numpy as np
import pytest

from sxtbench.datasets.regenerated import differences
from sxtbench.datasets.store import Hierarchy, write_hierarchy

RNG = np.random.default_rng(5)
LAC = RNG.random((30, 30, 30)).astype(np.float32)
COUNTS = RNG.integers(0, 900, (5, 4, 6)).astype(np.uint32)


def lines(folder: Path, arrays: dict[str, np.ndarray], **attributes: float) -> list[str]:
    write_hierarchy(folder / "old.zip", Hierarchy({"lac/0": LAC, "counts": COUNTS}, {}, {"ice_um": 2.0}))
    write_hierarchy(folder / "new.zip", Hierarchy(arrays, {}, {"ice_um": 2.0, **attributes}))
    return list(differences(folder / "old.zip", folder / "new.zip"))


def moved(array: np.ndarray, by: float, count: int = 1) -> np.ndarray:
    other = array.copy()
    other.flat[:count] += np.asarray(by, array.dtype)
    return other


def test_the_same_is_the_same(tmp_path: Path) -> None:
    assert lines(tmp_path, {"lac/0": LAC, "counts": COUNTS}) == []


def test_one_count_is_seen_and_the_last_digits_of_floats_are_not(tmp_path: Path) -> None:
    assert lines(tmp_path, {"lac/0": moved(LAC, 5e-4, 27_000), "counts": COUNTS}) == []
    assert lines(tmp_path, {"lac/0": moved(LAC, 0.5, 2), "counts": COUNTS}) == []
    assert lines(tmp_path, {"lac/0": LAC, "counts": moved(COUNTS, 1)}) == [
        "counts: differs in a share of 0.0083 of its values, by 1 at most"
    ]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"lac/0": moved(LAC, 0.5, 3), "counts": COUNTS}, "lac/0: differs in a share of 0.00011"),
        ({"lac/0": np.full_like(LAC, np.nan), "counts": COUNTS}, "lac/0: differs in a share of 1"),
        ({"lac/0": LAC[1:], "counts": COUNTS}, "lac/0: is float32 (30, 30, 30), made anew float32 (29, 30, 30)"),
        ({"counts": COUNTS}, "lac/0: is there only in what was stored"),
        ({"lac/0": LAC, "counts": COUNTS, "more": COUNTS}, "more: is there only in what was made anew"),
    ],
)
def test_what_differs_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    [line] = lines(tmp_path, arrays)
    assert line.startswith(said)


def test_attributes_count(tmp_path: Path) -> None:
    assert lines(tmp_path, {"lac/0": LAC, "counts": COUNTS}, ice_um=2.1) == ["attributes: differ"]
