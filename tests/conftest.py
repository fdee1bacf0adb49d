"""Fixtures: the mini task with its dataset, and a home of its own for every test."""

from dataclasses import replace
from pathlib import Path

import pytest
from mini_tasks import mini_low_dose_task, mini_task

from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.build import build


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


@pytest.fixture(scope="session")
def mini_dose(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The mini task of low doses with its dataset built."""
    task = mini_low_dose_task()
    folder = tmp_path_factory.mktemp("data") / task.dataset_spec.name
    build(task.dataset_spec, folder)
    return task.at(folder)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXTBENCH_HOME", str(tmp_path / "home"))
