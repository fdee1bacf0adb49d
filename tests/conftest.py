"""Fixtures: a task so small that its dataset takes a second."""

from dataclasses import replace
from pathlib import Path

import pytest

from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.build import build
from sxtbench.datasets.recipe import GridParameters

SIZES = {"train": 2, "validation": 1, "test": 2}


def mini_task() -> Task:
    """The tiny task with a coarser grid and fewer specimens."""
    task = get_task("limited-angle-segmentation", "tiny")
    grid = GridParameters(shape=(32, 32, 32), voxel_size_nm=180.0, simulation_refinement=1, extension_x=1.0)
    recipe = task.dataset_spec.recipe.model_copy(update={"grid": grid})
    return replace(task, dataset_spec=replace(task.dataset_spec, recipe=recipe, sizes=SIZES, suffix="+mini"))


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The mini task with its dataset built."""
    task = mini_task()
    folder = tmp_path_factory.mktemp("data") / task.dataset_spec.name
    build(task.dataset_spec, folder)
    return task.at(folder)


@pytest.fixture(scope="session")
def mini_volume(mini: Task) -> Task:
    """The reconstruction task on the data of the mini task."""
    task = get_task("limited-angle-reconstruction", "tiny")
    spec = replace(mini.dataset_spec, region=task.dataset_spec.region, answer=task.dataset_spec.answer)
    return replace(task, dataset_spec=spec).at(mini.data)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXTBENCH_HOME", str(tmp_path / "home"))
