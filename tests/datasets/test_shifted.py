"""The dataset of the shifted domain: its own folder, recipe and seeds; the task's own data stay as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mini_tasks import mini_shifted_task

from sxtbench import randomness
from sxtbench.benchmark.task import Task, get_task, load_task_file
from sxtbench.content import content_folder
from sxtbench.datasets import flat_grid
from sxtbench.datasets.build import build, read_statement
from sxtbench.datasets.dataset import Dataset
from sxtbench.datasets.recipe import ShiftedRecipe, load_recipe
from sxtbench.datasets.regenerated import regenerate
from sxtbench.datasets.verify import verify
from sxtbench.errors import InputError

TASK = "limited-angle-segmentation"


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The mini task, nothing of it built but its shifted domain."""
    task = mini_shifted_task().at(tmp_path_factory.mktemp("shifted") / "data")
    task.dataset("shifted")
    return task


@pytest.fixture
def drawn_from(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, int]]:
    """The (split, index) of every seed that is used."""
    used: set[tuple[str, int]] = set()
    real = randomness.seed_sequence

    def recorded(root: int, split: str, index: int, stage: str) -> np.random.SeedSequence:
        used.add((split, index))
        return real(root, split, index, stage)

    monkeypatch.setattr(randomness, "seed_sequence", recorded)
    return used


def test_it_is_a_dataset_of_its_own_beside_the_other(shifted: Task) -> None:
    assert shifted.data is not None
    data = shifted.dataset("shifted", targets=True)
    assert data.folder == shifted.data.with_name("data+shifted")
    assert not shifted.data.exists()
    assert data.ids == ["shifted-00000", "shifted-00001"]
    assert list(read_statement(data.folder)["splits"]) == ["shifted"]
    assert verify(data.folder) + regenerate(data.folder, data.spec, 1) == []
    for sample in data:
        assert sample.condition == {"tilt_range_deg": 100.0, "photons": 1.0}
        assert set(np.unique(sample.targets["labels"])) <= {0, 1, 2, 3}
        assert {"labels", "lac", "nucleus", "mitochondria", "cell_halo", "ice_thickness_um"} <= set(sample.targets)
        assert 85 < np.ptp(sample.tilt_series.angles_deg) <= 100
        assert sample.region is not None
    with pytest.raises(InputError, match="asks for targets"):
        _ = shifted.dataset("shifted")[0].targets


def test_fbp_has_another_filter_and_the_exposure_fewer_photons(shifted: Task) -> None:
    from sxtbench.reconstruction import fbp

    sample = shifted.dataset("shifted")[0]
    series, shape = sample.tilt_series, sample.shape
    hann, hamming = (
        fbp(series.projections, series.geometry, volume_shape=shape, filter=f) for f in ("hann", "hamming")
    )
    given = sample.reconstructions["fbp"]
    assert np.abs(given - hann).max() <= 2**-12 + 1e-6
    assert np.abs(given - hamming).max() > 0.01
    ours, theirs = shifted.shifted_spec, shifted.dataset_spec
    assert ours is not None
    assert (
        ours.recipe.acquisition.detected_photons_per_pixel == theirs.recipe.acquisition.detected_photons_per_pixel / 2
    )


def test_no_seed_is_shared_with_training(drawn_from: set[tuple[str, int]], tmp_path: Path) -> None:
    task = mini_shifted_task().at(tmp_path / "data")
    task.dataset("shifted")
    assert drawn_from == {("shifted", 0), ("shifted", 1)}
    drawn_from.clear()
    task.dataset("train")
    assert drawn_from == {("train", 0), ("train", 1)}
    assert task.shifted_spec is not None
    assert task.shifted_spec.recipe.seed != task.dataset_spec.recipe.seed
    keys = [randomness.stage_key(7, split, 0, "specimen") for split in randomness.SPLITS]
    assert len(set(keys)) == len(keys)


def test_training_slabs_never_touch_it(
    drawn_from: set[tuple[str, int]], mini: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", exc_type=ImportError)
    from sxtbench.learning.slabs import stream
    from sxtbench.learning.stream_parameters import StreamParameters

    task = mini_shifted_task().at(mini.data)
    parameters = StreamParameters(slices=3, slabs_per_specimen=2, specimens_per_block=1)
    drawn_from.clear()
    stream(task, seed=1, parameters=parameters).block(0)
    assert drawn_from
    assert all(split == "train" and index >= 10**6 for split, index in drawn_from)
    opened, real = [], Task.dataset

    def recorded(self: Task, split: str, **rest: Any) -> Dataset:
        opened.append(split)
        return real(self, split, **rest)

    monkeypatch.setattr(Task, "dataset", recorded)
    stream(task, seed=1, parameters=parameters, track="fixed").block(0)
    assert {split for split, _ in drawn_from} == {"train"} == set(opened)


def test_a_folder_that_holds_the_other_dataset_is_refused(shifted: Task) -> None:
    with pytest.raises(InputError, match="holds another dataset"):
        build(shifted.dataset_spec, shifted.dataset("shifted").folder)


def test_the_same_content_twice_and_other_content_for_another_index(shifted: Task) -> None:
    spec = shifted.shifted_spec
    assert spec is not None
    assert isinstance(spec.recipe, ShiftedRecipe)
    first, again, other = (flat_grid.content(spec.recipe, "shifted", index) for index in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["labels"], other["labels"])


def test_the_tasks_own_data_and_hash_do_not_know_of_it() -> None:
    from dataclasses import replace

    for tier in ("tiny", "small"):
        task = get_task(TASK, tier)
        without = replace(task, report=task.report.model_copy(update={"shifted": None}), shifted_spec=None)
        assert without.hash == task.hash
        assert "shifted" not in task.dataset_spec.sizes
        assert task.shifted_spec is not None
        assert task.shifted_spec.name == f"{TASK}-{tier}+shifted"
        assert task.shifted_spec.sizes == {"shifted": {"tiny": 6, "small": 24}[tier]}


def test_grid_tilt_and_region_are_those_of_the_task() -> None:
    folder = content_folder("tasks") / TASK
    for tier in ("tiny", "small"):
        ours, theirs = (load_recipe(folder / name, tier) for name in ("shifted.yaml", "recipe.yaml"))
        assert ours.grid == theirs.grid  # type: ignore[union-attr]
        assert ours.acquisition.tilt == theirs.acquisition.tilt  # type: ignore[union-attr]
        assert ours.acquisition.energy_ev == theirs.acquisition.energy_ev
        assert ours.hash != theirs.hash


def test_where_there_is_none(tmp_path: Path) -> None:
    folder = content_folder("tasks") / TASK
    for task in (
        get_task(TASK, "full"),
        get_task("limited-angle-reconstruction"),
        get_task(TASK, recipe=folder / "simaq.yaml"),
    ):
        assert task.beside("test") == ()
        with pytest.raises(InputError, match="unknown split 'shifted'; it has train, validation, test"):
            task.at(tmp_path / "data").dataset("shifted")
    assert get_task(TASK, seed=5).shifted_spec.name == f"{TASK}-tiny+seed5+shifted"  # type: ignore[union-attr]
    text = (folder / "task.yaml").read_text().replace("specimens: {tiny: 6,", "specimens: {tiny: 0,")
    (tmp_path / "task.yaml").write_text(text)
    with pytest.raises(
        InputError, match=r"report\.shifted\.specimens\.tiny: Input should be greater than or equal to 1"
    ):
        load_task_file(tmp_path / "task.yaml")
