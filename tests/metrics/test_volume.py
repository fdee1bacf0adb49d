"""The scores of a volume agree with the metrics that they are named after."""

import math

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.metrics import fsc, lac_bias, lac_regression, mtf, psnr_affine, psnr_lac, rmse, score_volume, ssim
from sxtbench.metrics.registry import METRICS
from sxtbench.metrics.volume import mean_correlation

ANGLES = np.arange(-50, 51, 2.5)
rng = np.random.default_rng(1)
LABELS = np.repeat(np.repeat(np.repeat(rng.integers(0, 3, (6, 6, 6), np.uint8), 4, 0), 4, 1), 4, 2)
TRUTH = (np.array([0.1, 0.35, 0.2])[LABELS] + rng.normal(0, 0.02, LABELS.shape)).astype(np.float32)
ANSWER = (0.9 * TRUTH + 0.02 + rng.normal(0, 0.2, TRUTH.shape)).astype(np.float32)
REGION = np.linalg.norm(np.indices(TRUTH.shape) - 11.5, axis=0) < 11


def scored(answer: np.ndarray, angles: np.ndarray = ANGLES) -> dict[tuple[str, int | None], float]:
    scores = score_volume(answer, TRUTH, REGION, LABELS, voxel_size_nm=90.0, angles_deg=angles)
    assert len({(name, label) for name, label, _ in scores}) == len(scores)
    return {(name, label): value for name, label, value in scores}


def test_every_score_is_the_metric_of_its_name() -> None:
    common = {"voxel_size_nm": 90.0, "mask": REGION, "angles_deg": ANGLES}
    inside, beyond = (fsc(ANSWER, TRUTH, cone=cone, **common) for cone in ("in", "out"))
    bias = lac_bias(ANSWER, TRUTH, LABELS, mask=REGION)
    slope, intercept = lac_regression(ANSWER, TRUTH, REGION)
    expected = {
        ("psnr_lac@1", None): psnr_lac(ANSWER, TRUTH, REGION),
        ("rmse@1", None): rmse(ANSWER, TRUTH, REGION),
        ("psnr_affine@1", None): psnr_affine(ANSWER, TRUTH, REGION),
        ("ssim@1", None): ssim(ANSWER, TRUTH, data_range=0.5, mask=REGION),
        **{("lac_bias@1", label): value for label, value in bias.items()},
        ("lac_slope@1", None): slope,
        ("lac_intercept@1", None): intercept,
        ("fsc_mean_in@1", None): inside.correlation[1:].mean(),
        ("fsc_mean_out@1", None): beyond.correlation[1:].mean(),
        ("fsc_resolution_in@1", None): inside.resolution_nm() or math.nan,
        ("fsc_resolution_out@1", None): beyond.resolution_nm() or math.nan,
        ("mtf50@1", None): mtf(ANSWER, TRUTH, **common).resolution_nm() or math.nan,
    }
    scores = scored(ANSWER)
    assert list(scores) == list(expected)
    np.testing.assert_allclose(list(scores.values()), list(expected.values()), rtol=1e-9)
    assert 180 < scores["fsc_resolution_in@1", None] < 24 * 90


def test_every_score_is_declared_and_within_its_bounds() -> None:
    for answer in (ANSWER, TRUTH, np.zeros_like(TRUTH), -TRUTH):
        for (name, label), value in scored(answer).items():
            low, high = METRICS[name].bounds
            assert math.isnan(value) or low <= value <= high + 1e-9
            assert METRICS[name].per_class == (label is not None)


def test_the_truth_is_perfect_and_its_resolution_not_crossed() -> None:
    scores = scored(TRUTH)
    ones = ["ssim@1", "lac_slope@1", "fsc_mean_in@1", "fsc_mean_out@1"]
    assert [scores[name, None] for name in ones] == pytest.approx([1] * 4)
    assert scores["psnr_lac@1", None] == pytest.approx(73.979, abs=1e-3)
    assert scores["rmse@1", None] == 0
    for name in ("fsc_resolution_in@1", "fsc_resolution_out@1", "mtf50@1"):
        assert math.isnan(scores[name, None])


def test_a_constant_has_no_correlation() -> None:
    scores = scored(np.full_like(TRUTH, 0.2))
    for name in ("fsc_mean_in@1", "fsc_mean_out@1", "fsc_resolution_in@1", "mtf50@1"):
        assert math.isnan(scores[name, None])
    assert scores["lac_slope@1", None] == 0
    assert math.isfinite(scores["psnr_affine@1", None])


def test_of_a_full_rotation_nothing_is_outside() -> None:
    scores = scored(ANSWER, np.arange(0, 180, 2.0))
    assert math.isnan(scores["fsc_mean_out@1", None])
    assert scores["fsc_mean_in@1", None] == pytest.approx(
        mean_correlation(fsc(ANSWER, TRUTH, voxel_size_nm=90, mask=REGION))
    )


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="answer holds NaN"):
        scored(np.where(REGION, np.nan, TRUTH))
    with pytest.raises(InputError, match=r"answer has shape \(23, 24, 24\)"):
        scored(ANSWER[1:])
    with pytest.raises(InputError, match="expected a volume"):
        scored(ANSWER[0])
    with pytest.raises(InputError, match="at least one voxel inside"):
        score_volume(ANSWER, TRUTH, REGION & False, LABELS, voxel_size_nm=90, angles_deg=ANGLES)
