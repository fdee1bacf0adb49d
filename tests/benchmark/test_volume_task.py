"""The reconstruction task: on the data of the segmentation task, controls, baselines, columns, tuning."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import sxtbench as sb
from sxtbench.benchmark import tune as tuning
from sxtbench.benchmark.controls import Trivial
from sxtbench.benchmark.evaluate import evaluate
from sxtbench.benchmark.method import list_baselines, load_method
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.run import RunFolder
from sxtbench.benchmark.scoring import score_sample
from sxtbench.benchmark.task import Task, get_task
from sxtbench.benchmark.tune import tune
from sxtbench.errors import InputError
from sxtbench.metrics import get_metric, psnr_lac


class Half:
    """Answers half of the FBP."""

    name = "half"

    def predict(self, sample: Any) -> Any:
        return sample.reconstructions["fbp"] / 2


@pytest.fixture(scope="module")
def half(mini_volume: Task) -> Result:
    return sb.evaluate(Half(), mini_volume)


@pytest.fixture
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `tune` try few values of two constants of cgne."""
    config = tuning.read_yaml(tuning.baseline_folder("cgne") / "config.yaml")
    config["search"] = {"iterations": [5, 14], "depth_um": [5.0, 7.0]}
    monkeypatch.setattr(tuning, "read_yaml", lambda path: copy.deepcopy(config))


@pytest.mark.parametrize("tier", ["tiny", "small", "full"])
def test_it_uses_the_data_of_the_segmentation_task(tier: str) -> None:
    task, owner = get_task("limited-angle-reconstruction", tier), get_task("limited-angle-segmentation", tier)
    assert task.dataset_spec.name == owner.dataset_spec.name
    assert task.dataset_spec.recipe.hash == owner.dataset_spec.recipe.hash
    assert task.dataset_spec.sizes == owner.dataset_spec.sizes
    assert task.dataset_spec.axes == owner.dataset_spec.axes
    assert (task.dataset_spec.fbp, task.dataset_spec.cgne) == (owner.dataset_spec.fbp, owner.dataset_spec.cgne)
    assert task.hash != owner.hash


def test_the_controls_bracket_every_method(mini_volume: Task) -> None:
    controls = ["oracle", "oracle-stop", "trivial"]
    assert list_baselines(mini_volume.name, "tiny")[-3:] == controls
    names = ["fbp", "fbp-affine", "fbp-hamming", "sirt", "sart", "cgne", "tv", *controls]
    headline = {name: evaluate(load_method(name), mini_volume).headline.mean for name in names}
    assert headline["oracle"] == pytest.approx(20 * np.log10(0.5 / 1e-4))
    assert headline["oracle"] > headline["tv"] > headline["trivial"]
    assert headline["oracle-stop"] > headline["cgne"]
    assert headline["fbp-affine"] > headline["fbp"]
    assert headline["fbp-hamming"] > headline["fbp"]


def test_every_column_of_the_task_is_scored_and_declared(mini_volume: Task) -> None:
    sample = mini_volume.dataset("test", targets=True)[0]
    scored = {metric for metric, _, _ in score_sample(mini_volume, sample, sample.reconstructions["fbp"])}
    assert scored == {mini_volume.protocol.primary.id, *mini_volume.report.columns}
    for metric in scored:
        assert get_metric(metric).id == metric


def test_trivial_is_the_best_constant_on_train(mini_volume: Task) -> None:
    control = Trivial()
    train = mini_volume.dataset("train", targets=True)
    control.fit(train, train, seed=0)
    sample = mini_volume.dataset("test")[0]
    found = control.predict(sample)
    assert np.unique(found).size == 1

    def error(constant: float) -> float:
        pools = [(s.targets["lac"][s.targets["cell_halo"]] - constant) ** 2 for s in train.at_reference]
        return float(np.concatenate(pools).mean())

    assert error(found.flat[0]) < min(error(found.flat[0] - 0.01), error(found.flat[0] + 0.01))


def test_a_method_does_not_see_the_scored_region(mini_volume: Task) -> None:
    sample = mini_volume.dataset("test")[0]
    assert sample.region is None
    assert sample.metadata["answer"] == "volume"
    with pytest.raises(InputError, match="asks for targets"):
        _ = sample.targets


def test_scores_are_of_the_answer_as_it_is(mini_volume: Task, half: Result) -> None:
    sample = mini_volume.dataset("test", targets=True)[0]
    expected = psnr_lac(
        sample.reconstructions["fbp"] / 2, sample.targets["lac"], sample.targets[mini_volume.protocol.region]
    )
    rows = [r for r in half.rows if r.sample == sample.id and r.metric == "psnr_lac@1"]
    assert rows[0].value == pytest.approx(expected)
    affine = [r for r in half.rows if r.sample == sample.id and r.metric == "psnr_affine@1"]
    assert affine[0].value > rows[0].value


def test_data_consistency_prefers_the_truth(mini_volume: Task) -> None:
    sample = mini_volume.dataset("test", targets=True)[0]
    lac = sample.targets["lac"]

    def chi_square(volume: Any) -> float:
        scores = score_sample(mini_volume, sample, volume)
        return next(value for metric, _, value in scores if metric == "data_consistency@1")

    assert chi_square(lac) < 0.5 * min(chi_square(0.9 * lac), chi_square(1.1 * lac), chi_square(0 * lac))


def test_answers_of_labels_are_refused(mini_volume: Task) -> None:
    class Labels:
        name = "labels"

        def predict(self, sample: Any) -> Any:
            return np.zeros(sample.shape, np.uint8)

    with pytest.raises(InputError, match="dtype uint8, expected LAC in 1/um"):
        evaluate(Labels(), mini_volume)


@pytest.mark.usefixtures("short_search")
def test_tuning_writes_what_differs_at_a_level(mini_volume: Task, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    lines: list[str] = []
    found = tune("cgne", mini_volume, levels=True, rounds=1, config_path=path, report=lines.append)
    assert found[0].level == "reference"
    assert len(found) == 5
    constants = yaml.safe_load(path.read_text())["parameters"]["tiers"]["tiny"]
    levels = constants.pop("levels", {})
    assert constants == found[0].parameters
    for entry in found[1:]:
        assert {**constants, **levels.get(entry.level, {})} == entry.parameters
        assert entry.score >= entry.start
    assert len(lines) == sum(entry.tried for entry in found)


@pytest.mark.usefixtures("short_search")
def test_tuning_at_one_level(mini_volume: Task, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    found = tune("cgne", mini_volume, levels=["photons=0.25"], only=["iterations"], rounds=1, config_path=path)
    assert [entry.level for entry in found] == ["reference", "photons=0.25"]
    with pytest.raises(InputError, match=r"no level 'photons=0\.2'; did you mean 'photons=0\.25'"):
        tune("cgne", mini_volume, levels=["photons=0.2"], config_path=path)


@pytest.mark.usefixtures("short_search")
def test_tuning_one_constant_leaves_the_others(mini_volume: Task, tmp_path: Path) -> None:
    [found] = tune("cgne", mini_volume, only=["iterations"], rounds=1, config_path=tmp_path / "c.yaml")
    own = load_method("cgne").config["parameters"]["tiers"]["tiny"]  # type: ignore[attr-defined]
    assert {k: v for k, v in found.parameters.items() if k != "iterations"} == {
        k: v for k, v in own.items() if k not in ("iterations", "levels")
    }
    with pytest.raises(InputError, match="'search' has no 'iteration'; did you mean 'iterations'"):
        tune("cgne", mini_volume, only=["iteration"])


def test_public_api(half: Result) -> None:
    frame = half.to_frame()
    assert set(frame.query("metric == 'lac_bias@1'")["class"]) == {0, 1, 2, 3}
    assert list(half.curve("psnr_lac@1", "tilt_range_deg").levels) == [140, 120, 100, 80]


def test_two_tasks_of_one_dataset_keep_their_answers_apart(mini: Task, mini_volume: Task, tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path, mini), RunFolder(tmp_path, mini_volume)
    assert first.predictions("trivial", "test") != second.predictions("trivial", "test")
    assert first.result("trivial") != second.result("trivial")
    assert first.previews != second.previews
