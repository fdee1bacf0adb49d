"""The low-dose task: what linear filters score, controls, answers of two kinds, twins, baselines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sxtbench.benchmark.answer import checked
from sxtbench.benchmark.evaluate import evaluate, predict, score
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.scoring import score_primary, score_sample
from sxtbench.benchmark.task import Task
from sxtbench.errors import InputError
from sxtbench.reconstruction import fbp


def blurred(volume: np.ndarray, sigma: float) -> np.ndarray:
    k = np.sqrt(sum(np.square(axis) for axis in np.ix_(*map(np.fft.fftfreq, volume.shape))))
    return np.fft.ifftn(np.fft.fftn(volume) * np.exp(-2 * (np.pi * sigma * k) ** 2)).real.astype(np.float32)


class Fixed:
    """Answers with what a function makes of a sample."""

    name = "fixed"

    def __init__(self, answer: Any, kind: str | None = None) -> None:
        self.make = answer
        if kind:
            self.answer = kind

    def predict(self, sample: Any) -> Any:
        return self.make(sample)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5, 2.0])
def test_a_linear_filter_scores_what_fbp_scores(mini_dose: Task, sigma: float) -> None:
    for sample in mini_dose.dataset("test", targets=True):
        if not sample.twin_of:
            plain = sample.reconstructions["fbp"]
            found = score_primary(mini_dose, sample, blurred(plain, sigma))
            assert found == pytest.approx(score_primary(mini_dose, sample, plain), rel=0.05)


def test_fbp_scores_about_one(mini_dose: Task) -> None:
    """Mini has one scored shell, so that each value is uncertain by half."""
    data = [s for split in ("validation", "test") for s in mini_dose.dataset(split, targets=True) if not s.twin_of]
    found = [np.log10(score_primary(mini_dose, s, s.reconstructions["fbp"])) for s in data]
    assert abs(np.mean(found)) < 0.2


def test_controls_stand_at_the_ends(mini_dose: Task) -> None:
    found = {name: evaluate(load_method(name), mini_dose) for name in ("oracle", "trivial", "fbp")}
    assert found["oracle"].headline.mean == pytest.approx(100)
    assert found["trivial"].headline.mean == pytest.approx(0.1)
    value = {
        (name, metric): result.aggregate_of(f"{metric}@1").mean
        for name, result in found.items()
        for metric in ("at_the_ends", "above_noise_free", "hallucination", "kept_contrast")
    }
    assert value["oracle", "at_the_ends"] == value["oracle", "above_noise_free"] == 1
    assert value["fbp", "at_the_ends"] == value["fbp", "above_noise_free"] == 0
    assert value["oracle", "hallucination"] == pytest.approx(0, abs=1e-6)
    assert value["trivial", "hallucination"] == pytest.approx(0, abs=0.3)
    assert value["oracle", "kept_contrast"] == pytest.approx(1, abs=1e-6)
    assert value["trivial", "kept_contrast"] == pytest.approx(0, abs=0.3)
    assert abs(value["fbp", "hallucination"]) < 0.5


def test_twins_are_in_no_other_mean(mini_dose: Task) -> None:
    result = evaluate(load_method("fbp"), mini_dose)
    of_twins = {row.metric for row in result.rows if row.sample.endswith("~twin")}
    assert of_twins == {"hallucination@1"}
    assert result.aggregate_of("hallucination@1").n_groups == 1
    assert result.headline.n_groups == 2
    assert {row.metric for row in result.rows} == {mini_dose.protocol.primary.id, *mini_dose.report.columns}
    assert list(result.curve("equivalent_dose@1", "dose").levels) == [0.2, 0.1]


def test_who_remembers_a_droplet_invents_it(mini_dose: Task) -> None:
    twin = mini_dose.dataset("test", targets=True).by_id("test-00000~twin")
    remembered = twin.targets["lac_of_specimen"]
    assert score_sample(mini_dose, twin, remembered) == [("hallucination@1", None, pytest.approx(1.0))]


def test_projections_are_reconstructed_by_the_pinned_fbp(mini_dose: Task, tmp_path: Path) -> None:
    given = evaluate(Fixed(lambda sample: sample.tilt_series.projections, "projections"), mini_dose)
    own = evaluate(Fixed(lambda s: s.reconstructions["fbp"]), mini_dose)
    assert given.headline.mean == pytest.approx(own.headline.mean, rel=0.02)  # stored ones are rounded
    sample = mini_dose.dataset("test")[0]
    series = sample.tilt_series
    expected = fbp(series.projections, series.geometry, volume_shape=sample.shape, filter="ram-lak")
    np.testing.assert_array_equal(checked(mini_dose, sample, series.projections), expected)
    predict(Fixed(lambda s: s.tilt_series.projections, "projections"), mini_dose, tmp_path)
    assert score(mini_dose, tmp_path).headline.mean == pytest.approx(given.headline.mean)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (Fixed(lambda s: np.zeros((3, 3), np.float32)), "shape (3, 3), expected (40, 40, 40)"),
        (
            Fixed(lambda s: s.reconstructions["fbp"], "projections"),
            "test-00000: prediction has shape (40, 40, 40), expected (24, 40, 40)",
        ),
        (Fixed(lambda s: s.tilt_series.counts, "projections"), "dtype uint32, expected absorbance as a float dtype"),
        (
            Fixed(lambda s: np.log(s.tilt_series.counts * 0.0), "projections"),
            "holds NaN or infinity in 38400 pixels, expected finite absorbance",
        ),
        (Fixed(lambda s: 0, "shifts"), "fixed: answers with 'shifts'; low-dose takes volume or projections"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_wrong_answers_are_one_line(mini_dose: Task, method: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        evaluate(method, mini_dose)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_task_takes_no_projections(mini_volume: Task) -> None:
    with pytest.raises(InputError, match="answers with 'projections'; limited-angle-reconstruction takes volume"):
        evaluate(Fixed(lambda s: s.tilt_series.projections, "projections"), mini_volume)


@pytest.mark.parametrize("name", ["fbp-affine", "gaussian-projections", "anscombe-nlm", "capillary-tv"])
def test_a_baseline_answers(mini_dose: Task, name: str) -> None:
    result = evaluate(load_method(name), mini_dose, split="validation")
    assert 0.3 < result.headline.mean < 20


def test_networks_are_fitted_and_come_back(mini_dose: Task, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    train, validation = mini_dose.dataset("train"), mini_dose.dataset("validation")
    sample = validation[0]
    for name in ("projection-cnn", "noise2inverse", "volume-cnn"):
        method: Any = load_method(name, steps=3, batch=2, features=4)
        with pytest.raises(InputError, match="predicts before it was fitted"):
            method.predict(sample)
        method.fit(train.with_targets if name == "volume-cnn" else train, validation, seed=0)
        answer = method.predict(sample)
        assert answer.dtype == np.float32
        method.save(tmp_path / f"{name}.safetensors")
        again: Any = load_method(name)
        again.load(tmp_path / f"{name}.safetensors")
        np.testing.assert_array_equal(again.predict(sample), answer)


def test_a_series_without_pairs_is_one_line(mini_dose: Task, mini_volume: Task) -> None:
    pytest.importorskip("torch")
    method: Any = load_method("projection-cnn")
    other = mini_volume.dataset("train")
    with pytest.raises(InputError, match="train-00000: has no calibration pairs, expected the series 'paired'"):
        method.fit(other, replace(mini_dose).dataset("validation"), seed=0)
