"""Comparing a stored sample with the same one made anew."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from sxtbench.benchmark.task import Task, dataset_spec_of, get_task
from sxtbench.cli import main
from sxtbench.datasets.regenerated import differences, regenerate
from sxtbench.datasets.store import Hierarchy, open_hierarchy, write_hierarchy
from sxtbench.errors import InputError

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


def changed(mini: Task, folder: Path, part: str, name: str, change: Callable[[np.ndarray], None]) -> list[str]:
    """Copy the mini dataset, change an array of its first test specimen, and return what `regenerate` says."""
    assert mini.data is not None
    shutil.copytree(mini.data, folder, ignore=shutil.ignore_patterns("train*", "validation*"))
    statement = json.loads((folder / "dataset.json").read_text())
    statement["splits"] = {"test": statement["splits"]["test"]}
    (folder / "dataset.json").write_text(json.dumps(statement))
    path = folder / part / "test" / "test-00000.zarr.zip"
    with open_hierarchy(path) as root:
        arrays = {key: np.asarray(a[...]) for key, a in root.members(max_depth=None) if isinstance(a, zarr.Array)}
        attributes = root.attrs.asdict()
    change(arrays[name])
    write_hierarchy(path, Hierarchy(arrays, {}, attributes))
    return regenerate(folder, mini.dataset_spec, 1, threads=1)


def test_a_dataset_made_anew_on_one_thread_is_the_same(mini: Task) -> None:
    assert mini.data is not None
    done: list[str] = []
    spec = dataset_spec_of(mini.data)
    assert spec.recipe.hash == mini.dataset_spec.recipe.hash
    assert regenerate(mini.data, spec, 1, threads=1, progress=done.append) == []
    assert set(done) == {f"{split}-00000 made anew" for split in ("train", "validation", "test")}
    with pytest.raises(InputError, match=r"threads is 100000, expected 1 to \d+, the cores of this process"):
        regenerate(mini.data, spec, 1, threads=100_000)
    with pytest.raises(InputError, match="its recipe is not the one"):
        regenerate(mini.data, get_task(mini.name, "tiny").dataset_spec, 1)


def test_one_photon_and_another_lac_are_seen_in_a_dataset(mini: Task, tmp_path: Path) -> None:
    def one_photon(counts: np.ndarray) -> None:
        counts[0, 0, 0] += 1

    def last_digit(photons: np.ndarray) -> None:
        photons.flat[0] = np.nextafter(photons.flat[0], 0)

    def thicker(lac: np.ndarray) -> None:
        lac[lac > 0.2] *= 1.01

    series = "tilt_series/main"
    [line] = changed(mini, tmp_path / "a", "inputs", f"{series}/counts", one_photon)
    assert line.startswith("test-00000: made anew, inputs tilt_series/main/counts: differs in a share of")
    [line] = changed(mini, tmp_path / "b", "inputs", f"{series}/incident_photons", last_digit)
    assert "incident_photons: differs" in line  # which the content hash covers
    [line] = changed(mini, tmp_path / "c", "targets", "lac/0", thicker)
    assert "targets lac/0: differs" in line


def test_the_verb_makes_anew(mini: Task, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(mini.data), "--regenerate", "1", "--threads", "1"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{mini.data}: all is well\n"
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(mini.data), "--threads", "1"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "sxtbench: --threads is of --regenerate N, which is missing\n"


def test_a_dataset_with_another_recipe_in_it_is_refused(mini: Task, tmp_path: Path) -> None:
    assert mini.data is not None
    shutil.copytree(mini.data, tmp_path / "copy")
    recipe = tmp_path / "copy" / "recipe" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("seed: ", "seed: 1"))
    with pytest.raises(InputError, match="its hash is not the one"):
        dataset_spec_of(tmp_path / "copy")
