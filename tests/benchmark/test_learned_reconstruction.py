"""Learned reconstruction: the weights that ship answer as well as they say, and what cannot be is refused."""

import numpy as np
import pytest

from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.scoring import score_primary
from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.build import build
from sxtbench.errors import InputError

pytest.importorskip("torch")

FLOORS = {"wedge-filling": 16.2}
"""dB on the first validation specimen of tiny, where FBP has 13.6, FBP with calibrated grey values 14.6, TV 18.2."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The tiny task with one validation specimen."""
    task = get_task("limited-angle-reconstruction", "tiny")
    folder = tmp_path_factory.mktemp("data") / task.dataset_spec.name
    build(task.dataset_spec, folder, splits=["validation"])
    return task.at(folder)


@pytest.mark.parametrize("name", FLOORS)
def test_shipped_weights_score_what_they_should(tiny: Task, name: str) -> None:
    method = load_method(name)
    sample = tiny.dataset("validation", targets=True).at_reference[0]
    answer = method.predict(sample)
    assert (answer.shape, answer.dtype) == (sample.shape, np.float32)
    assert score_primary(tiny, sample, answer) > FLOORS[name]


def test_wedge_filling_learns_from_tilt_series_alone(mini_volume: Task) -> None:
    method = load_method("wedge-filling", weights={}, rounds=2, steps=25, turns=1, features=4, stages=3)
    with pytest.raises(InputError, match="ships weights for no tier, none for tiny"):
        method.predict(mini_volume.dataset("test")[0])
    method.fit(mini_volume.dataset("train"), mini_volume.dataset("validation"), seed=0)  # without targets
    assert len(method.told) == 2
    sample = mini_volume.dataset("validation", targets=True).at_reference[0]
    scores = [score_primary(mini_volume, sample, a) for a in (method.predict(sample), sample.reconstructions["fbp"])]
    assert scores[0] > scores[1]
