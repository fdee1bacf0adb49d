"""The task with a training axis: one fit a level, on the first so many specimens, and what becomes of its answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mini_tasks import mini_organelle_task
from pydantic import ValidationError

from sxtbench.benchmark.evaluate import evaluate, predict, score
from sxtbench.benchmark.method import list_baselines, load_method
from sxtbench.benchmark.result import load_result
from sxtbench.benchmark.task import Answer, Task, Tier, get_task
from sxtbench.benchmark.training import answer_key, answers_wanted, fits_of, training_data
from sxtbench.benchmark.tune import tune
from sxtbench.datasets.build import build
from sxtbench.datasets.spec import Axis
from sxtbench.errors import InputError

LEVEL = "labelled_cells=1"
CLASSICAL = ("capillary-otsu", "capillary-boosting", "oracle", "trivial")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    made = mini_organelle_task()
    folder = tmp_path_factory.mktemp("organelles") / "data"
    build(made.dataset_spec, folder)
    return made.at(folder)


class Learner:
    """Answers the truth's classes by a threshold between means of LAC, and keeps what it was fitted on."""

    name = "learner"

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.level = np.nan

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        self.seen += train.ids
        LOG.append(list(self.seen))
        volumes = [(s.reconstructions["fbp"], s.targets["labels"]) for s in train]
        self.level = float(np.mean([v[t == 4].mean() + v[t == 3].mean() for v, t in volumes])) / 2

    def predict(self, sample: Any) -> Any:
        return np.where(sample.reconstructions["fbp"] > self.level, 3, 4).astype(np.uint8)


LOG: list[list[str]] = []


class Nucleus:
    """Answers nucleus everywhere; does not learn."""

    name = "nucleus"

    def predict(self, sample: Any) -> Any:
        return np.full(sample.shape, 4, np.uint8)


class Vacuole:
    """Answers vacuole everywhere."""

    name = "vacuole"

    def predict(self, sample: Any) -> Any:
        return np.full(sample.shape, 2, np.uint8)


def test_levels_are_those_of_the_protocol() -> None:
    found = {
        tier: [fit["labelled_cells"] for fit in fits_of(get_task("organelle-segmentation", tier))]
        for tier in ("tiny", "small", "full")
    }
    assert found == {"tiny": [1, 4], "small": [1, 3, 10, 52], "full": [1, 3, 10, 32]}


def test_each_level_is_a_fit_of_its_own_on_the_first_specimens(task: Task) -> None:
    LOG.clear()
    method = Learner()
    result = evaluate(method, task)
    assert LOG == [["train-00000"], ["train-00000", "train-00001"]]
    assert method.seen == LOG[1]  # the reference is the method's own fit, and no other fit started from it
    curve = result.curve("miou@1", "labelled_cells")
    assert curve.levels == (1.0, 2.0)
    assert curve.mean[0] != curve.mean[1]
    assert result.headline.mean == curve.mean[1]
    assert len({row.sample for row in result.rows}) == 2
    assert {row.condition["labelled_cells"] for row in result.rows} == {1.0, 2.0}
    assert result.area("miou@1", "labelled_cells").mean == pytest.approx(sum(curve.mean) / 2)


def test_a_method_that_does_not_learn_is_flat(task: Task) -> None:
    calls: list[str] = []

    class Counting(Nucleus):
        def predict(self, sample: Any) -> Any:
            calls.append(sample.id)
            return super().predict(sample)

    result = evaluate(Counting(), task)
    assert calls == task.dataset("test").ids
    low, high = result.curve("miou@1", "labelled_cells").mean
    assert low == high == result.headline.mean > 0


def test_halves_give_what_the_whole_gives(task: Task, tmp_path: Path) -> None:
    whole = evaluate(Learner(), task)
    out = tmp_path / "out"
    predict(Learner(), task, out)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.npy")) == [
        f"{LEVEL}/test-00000.npy",
        f"{LEVEL}/test-00001.npy",
        "test-00000.npy",
        "test-00001.npy",
    ]
    halves = score(task, out)
    assert halves.rows == whole.rows
    assert load_result(halves.save(tmp_path / "result.json")).rows == halves.rows
    (out / LEVEL / "test-00001.npy").unlink()
    with pytest.raises(InputError, match=rf"{LEVEL}/test-00001: prediction is missing, expected .*{LEVEL}/test-00001"):
        score(task, out)


def test_a_rerun_fits_only_the_levels_that_miss_answers(task: Task, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(Learner(), task, out)
    LOG.clear()
    (out / "test-00000.npy").unlink()
    predict(Learner(), task, out)
    assert LOG == [["train-00000", "train-00001"]]
    changed = Learner()
    changed.source_sha256 = "another"  # type: ignore[attr-defined]
    LOG.clear()
    predict(changed, task, out)
    assert len(LOG) == 2


def test_answers_made_elsewhere(task: Task, tmp_path: Path) -> None:
    """Without folders of levels the answers count for all; with one, every level has to be there."""
    for sample in task.dataset("test"):
        np.save(tmp_path / f"{sample.id}.npy", np.full(sample.shape, 4, np.uint8))
    flat = score(task, tmp_path)
    assert len(set(flat.curve("miou@1", "labelled_cells").mean)) == 1
    (tmp_path / LEVEL).mkdir()
    with pytest.raises(InputError, match=f"{LEVEL}/test-00000: prediction is missing"):
        score(task, tmp_path)


def test_other_axes_stay_at_their_reference_while_training_varies(mini: Task) -> None:
    axis = {"labelled_cells": Axis(levels=(1, 2), reference=2, kind="training")}
    protocol = mini.protocol.model_copy(update={"axes": {**mini.protocol.axes, **axis}})
    both = replace(mini, protocol=protocol)
    few, all_ = answers_wanted(both, mini.dataset("test"), learned=True)
    assert few[1].ids == ["test-00000", "test-00001"]
    assert len(all_[1]) == len(mini.dataset("test"))
    assert answer_key(both, few[0], "test-00000") == f"{LEVEL}/test-00000"
    assert len(training_data(both, few[0])) == len(training_data(both)) / 2
    result = evaluate(Vacuole(), both)
    assert set(result.axes) == {"tilt_range_deg", "photons", "labelled_cells"}


def test_the_controls_bracket_every_baseline(task: Task) -> None:
    names = list_baselines("organelle-segmentation")
    constants = {"voxel_size_nm": 320.0, "training_samples": 2, "voxels_per_sample": 4000, "balance": 0.6}
    constants |= {"iterations": 8, "learning_rate": 0.3, "leaves": 7, "smoothing_nm": 0.0}
    options = {"capillary-boosting": {"tiers": {"tiny": constants}}}
    methods = [load_method(name, **options.get(name, {})) for name in names if name in CLASSICAL]
    headline = {method.name: evaluate(method, task).headline.mean for method in methods}
    assert headline.pop("oracle") == 1.0
    assert headline.pop("trivial") == 0.0
    assert set(headline) == {"capillary-otsu", "capillary-boosting"}
    assert all(0.05 < value < 1 for value in headline.values())


@pytest.mark.parametrize("tier", ["tiny", "small"])
def test_tuning_fits_on_the_reference_level(
    tier: str, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At small too, where capillary-boosting does not answer yet."""
    from sxtbench.benchmark import tune as module

    config = module.read_yaml(module.baseline_folder("capillary-boosting") / "config.yaml")
    config["search"] = {"smoothing_nm": [0.0]}
    config["parameters"]["tiers"][tier] |= {"iterations": 2, "voxels_per_sample": 500}
    monkeypatch.setattr(module, "read_yaml", lambda path: config)
    fitted: list[int] = []
    real = module.fit_method
    monkeypatch.setattr(
        module, "fit_method", lambda m, train, *rest: (fitted.append(len(train)), real(m, train, *rest))
    )
    few = {"labelled_cells": Axis(levels=(1,), reference=1, kind="training")}
    less = replace(task, tier=tier, protocol=task.protocol.model_copy(update={"axes": few}))
    tune("capillary-boosting", less, rounds=1, config_path=tmp_path / "config.yaml")
    assert set(fitted) == {1}
    written = yaml.safe_load((tmp_path / "config.yaml").read_text())["parameters"]["tiers"]
    assert written[tier]["voxel_size_nm"] == task.dataset_spec.recipe.voxel_size_nm


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ({"levels": [1, 9], "reference": 9}, "level 9 is more than the 4 of train"),
        ({"levels": [1, 4], "reference": 1}, "expected the largest level, 4"),
        ({"levels": [0, 4], "reference": 4}, "expected whole numbers of training specimens"),
        ({"levels": [1.5, 4], "reference": 4}, "expected whole numbers of training specimens"),
    ],
)
def test_impossible_levels_are_refused(axis: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Tier.model_validate(
            {"train": 4, "validation": 2, "test": 6, "axes": {"labelled_cells": {"kind": "training", **axis}}}
        )


def test_a_truth_without_an_answer_is_refused() -> None:
    with pytest.raises(ValidationError, match="truth takes 5 for 7"):
        Answer.model_validate({"kinds": ["labels"], "classes": [0, 3], "truth": {5: 7}})


def test_the_hash_knows_the_levels_and_the_truth() -> None:
    task = get_task("organelle-segmentation", "tiny")
    axes = {"labelled_cells": Axis(levels=(2, 4), reference=4, kind="training")}
    answer = task.protocol.answer.model_copy(update={"truth": {5: 4}})
    changes = ({"axes": axes}, {"answer": answer})
    others = [replace(task, protocol=task.protocol.model_copy(update=change)).hash for change in changes]
    assert len({task.hash, *others}) == 3
