"""`run` with several training seeds."""

from pathlib import Path
from typing import Any

import pytest

from sxtbench.benchmark import run as module
from sxtbench.benchmark.evaluate import predict
from sxtbench.benchmark.method import load_for
from sxtbench.benchmark.result import load_result
from sxtbench.benchmark.task import Task
from sxtbench.errors import InputError

METHOD = """
import numpy as np


class Lucky:
    name = "lucky"

    def fit(self, train, validation, *, seed):
        self.seed = seed

    def predict(self, sample):
        answer = np.ones(sample.shape, np.uint8)
        answer[: 4 * (self.seed + 1)] = 0
        return answer
"""


def in_this_process(spec: str, task: Task, out: Path, split: str, *, seed: int, **_: Any) -> None:
    predict(load_for(task, spec, None), task, out, split, seed=seed)


def test_each_seed_is_fitted_and_all_are_one_result(
    mini: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lucky.py").write_text(METHOD)
    monkeypatch.setattr(module, "_predict", in_this_process)
    spec = f"{tmp_path / 'lucky.py'}:Lucky"
    result = module.run(spec, mini, tmp_path / "out", seed=1, seeds=3)
    assert (result.n_seeds, result.method.seeds, result.headline.method) == (3, (1, 2, 3), "seeds")
    assert result.origin == "reproduced"
    by_seed = result.to_frame().query("metric == 'cell_iou@1'").groupby("seed").value.mean()
    assert by_seed.is_unique
    assert load_result(tmp_path / "out" / "results" / mini.name / mini.tier / "lucky.json") == result
    folders = sorted(path.name for path in (tmp_path / "out" / "predictions").glob("*/*"))
    assert folders == ["lucky-seed1", "lucky-seed2", "lucky-seed3"]
    single = module.run(spec, mini, tmp_path / "out", seed=2)
    assert single.n_seeds == 1
    assert single.headline.mean != result.headline.mean


def test_seeds_that_tell_nothing_are_refused_before_anything_is_run(mini: Task, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fbp-otsu: is not fitted here, so that every seed gives the same answers"):
        module.run("fbp-otsu", mini, tmp_path, seeds=3)
    with pytest.raises(InputError, match="2 seeds: expected 1, or at least 3"):
        module.run("gradient-boosting", mini, tmp_path, seeds=2)
    assert not any(tmp_path.iterdir())
