"""Errors of values: against scikit-image, scipy and numpy, and by brute force."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import linregress
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sxtbench.errors import InputError
from sxtbench.metrics import affine_fit, fidelity, lac_bias, lac_regression, psnr, psnr_affine, psnr_lac, rmse, ssim

rng = np.random.default_rng(3)
TRUTH = rng.uniform(0.1, 0.6, (20, 24, 28)).astype(np.float32)
ANSWER = (0.8 * TRUTH + 0.05 + rng.normal(0, 0.04, TRUTH.shape)).astype(np.float32)
MASK = rng.random(TRUTH.shape) < 0.4


def test_psnr_is_that_of_scikit_image() -> None:
    expected = peak_signal_noise_ratio(TRUTH.astype(float), ANSWER.astype(float), data_range=0.7)
    assert psnr(ANSWER, TRUTH, data_range=0.7) == pytest.approx(expected, abs=1e-9)
    expected = peak_signal_noise_ratio(TRUTH[MASK].astype(float), ANSWER[MASK].astype(float), data_range=0.7)
    assert psnr(ANSWER, TRUTH, data_range=0.7, mask=MASK) == pytest.approx(expected, abs=1e-9)


def test_psnr_is_capped() -> None:
    assert psnr(TRUTH, TRUTH, data_range=1.0) == 100.0
    assert psnr([1e-7], [0.0], data_range=1.0) == 100.0


def test_scored_psnr_has_the_range_and_the_floor_of_the_protocol() -> None:
    assert psnr_lac([0.45], [0.4]) == pytest.approx(20.0)
    assert psnr_lac(TRUTH, TRUTH) == pytest.approx(20 * math.log10(5000))
    assert psnr_lac(TRUTH + np.float32(5e-5), TRUTH) == pytest.approx(20 * math.log10(5000))
    assert psnr_lac(ANSWER, TRUTH, MASK) == pytest.approx(psnr(ANSWER, TRUTH, data_range=0.5, mask=MASK))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = rng.integers(0, 5, TRUTH.shape, np.uint8)

    def everything() -> list[float]:
        line = (*affine_fit(ANSWER, TRUTH, MASK), *lac_regression(ANSWER, TRUTH, MASK))
        return [rmse(ANSWER, TRUTH, MASK), *line, *lac_bias(ANSWER, TRUTH, labels, mask=MASK).values()]

    whole = everything()
    monkeypatch.setattr(fidelity, "_BLOCK", 101)
    np.testing.assert_allclose(everything(), whole, rtol=1e-12)


def test_affine_fit_is_least_squares() -> None:
    gain, offset = affine_fit(ANSWER, TRUTH, MASK)
    expected = np.polyfit(ANSWER[MASK].astype(float), TRUTH[MASK].astype(float), 1)
    np.testing.assert_allclose([gain, offset], expected, rtol=1e-9)


def test_affine_psnr_knows_neither_gain_nor_offset() -> None:
    fitted = psnr_affine(ANSWER, TRUTH, MASK)
    assert psnr_affine(3 * ANSWER - 1, TRUTH, MASK) == pytest.approx(fitted, abs=1e-4)
    assert fitted > psnr_lac(ANSWER, TRUTH, MASK) + 1
    gain, offset = affine_fit(ANSWER, TRUTH, MASK)
    assert psnr_affine(ANSWER, TRUTH, MASK) == pytest.approx(psnr_lac(gain * ANSWER + offset, TRUTH, MASK), abs=1e-4)


def test_a_constant_answer_fits_as_the_mean() -> None:
    constant = np.full(TRUTH.shape, 0.1, np.float32)
    assert affine_fit(constant, TRUTH) == pytest.approx((0.0, TRUTH.astype(float).mean()))
    assert psnr_affine(constant, TRUTH) == pytest.approx(20 * math.log10(0.5 / TRUTH.astype(float).std()))


def test_regression_is_that_of_scipy() -> None:
    line = linregress(TRUTH[MASK].astype(float), ANSWER[MASK].astype(float))
    assert lac_regression(ANSWER, TRUTH, MASK) == pytest.approx((line.slope, line.intercept), rel=1e-9)


def test_noise_bends_the_fit_and_not_the_regression() -> None:
    truth = rng.normal(0.3, 0.1, 200_000)
    noisy = truth + rng.normal(0, 0.1, truth.size)
    assert lac_regression(noisy, truth)[0] == pytest.approx(1, abs=0.01)
    assert affine_fit(noisy, truth)[0] == pytest.approx(0.5, abs=0.01)


def test_a_constant_truth_has_no_slope() -> None:
    assert all(math.isnan(v) for v in lac_regression(ANSWER, np.full(TRUTH.shape, 0.1, np.float32)))


def test_bias_by_label() -> None:
    labels = rng.choice(np.array([0, 1, 3, 255], np.uint8), TRUTH.shape)
    bias = lac_bias(ANSWER, TRUTH, labels, mask=MASK, classes=[0, 1, 2, 3])
    assert list(bias) == [0, 1, 2, 3]
    for label in (0, 1, 3):
        here = MASK & (labels == label)
        assert bias[label] == pytest.approx(ANSWER[here].astype(float).mean() - TRUTH[here].astype(float).mean())
    assert math.isnan(bias[2])


def skimage_map(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray]:
    return structural_similarity(
        a, b, data_range=0.5, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, K1=0.01, K2=0.03, full=True
    )


@pytest.mark.parametrize("image", [False, True])
def test_ssim_is_that_of_scikit_image(image: bool) -> None:
    a, b = (ANSWER[3], TRUTH[3]) if image else (ANSWER, TRUTH)
    assert ssim(a, b, data_range=0.5) == pytest.approx(skimage_map(a, b)[0], abs=1e-6)


@pytest.mark.parametrize(
    "box",
    [np.s_[8:12, 9:14, 10:13], np.s_[0:2, 0:3, 0:1], np.s_[18:20, 20:24, 25:28], np.s_[:, :, 14], np.s_[5, 0, 27]],
)
def test_ssim_of_a_mask_is_the_mean_of_the_whole_map(box: Any) -> None:
    mask = np.zeros(TRUTH.shape, bool)
    mask[box] = True
    expected = skimage_map(ANSWER, TRUTH)[1][mask].mean()
    assert ssim(ANSWER, TRUTH, data_range=0.5, mask=mask) == pytest.approx(expected, abs=1e-6)


def test_an_empty_mask_is_undefined() -> None:
    nothing = np.zeros(TRUTH.shape, bool)
    values = [
        rmse(ANSWER, TRUTH, nothing),
        psnr(ANSWER, TRUTH, data_range=1, mask=nothing),
        psnr_lac(ANSWER, TRUTH, nothing),
        psnr_affine(ANSWER, TRUTH, nothing),
        ssim(ANSWER, TRUTH, data_range=1, mask=nothing),
        *affine_fit(ANSWER, TRUTH, nothing),
        *lac_regression(ANSWER, TRUTH, nothing),
        *lac_bias(ANSWER, TRUTH, np.ones(TRUTH.shape, np.uint8), mask=nothing).values(),
    ]
    assert all(math.isnan(v) for v in values)


def test_what_the_mask_leaves_out_may_be_anything() -> None:
    spoiled = ANSWER.copy()
    spoiled[~MASK] = np.nan
    assert rmse(spoiled, TRUTH, MASK) == rmse(ANSWER, TRUTH, MASK)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rmse(ANSWER[1:], TRUTH), r"answer has shape \(19, 24, 28\), expected the truth's \(20, 24, 28\)"),
        (lambda: rmse(ANSWER, TRUTH, MASK.astype(int)), "mask is int64 .* expected bool of shape"),
        (lambda: rmse(ANSWER, TRUTH, MASK[1:]), r"mask is bool of shape \(19, 24, 28\)"),
        (lambda: rmse(ANSWER * 1j, TRUTH), "answer has dtype complex64, expected real numbers"),
        (lambda: psnr_lac([np.nan, 1], [1.0, 1]), "answer holds NaN or infinity where it is scored"),
        (lambda: psnr_affine([0.0, 1], [np.inf, 1.0]), "truth holds NaN or infinity where it is scored"),
        (lambda: psnr(ANSWER, TRUTH, data_range=0), "data_range is 0, expected a positive number"),
        (lambda: ssim(ANSWER, TRUTH, data_range=math.nan), "data_range is nan, expected a positive number"),
        (lambda: ssim(ANSWER[:8], TRUTH[:8], data_range=1), "expected 2 or 3 axes of at least 11 voxels"),
        (lambda: ssim(ANSWER * np.nan, TRUTH, data_range=1), "answer holds NaN"),
        (lambda: lac_bias(ANSWER, TRUTH, TRUTH), "labels are float32 of shape"),
        (lambda: lac_bias([1.0], [1.0], [256]), r"labels span \[256, 256\]"),
        (lambda: lac_bias([1.0], [1.0], [1], classes=[255]), r"classes are \[255\]"),
    ],
)
def test_bad_input_is_named(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_data_range_has_no_default() -> None:
    for metric in (psnr, ssim):
        with pytest.raises(TypeError, match="data_range"):
            metric(ANSWER, TRUTH)  # type: ignore[call-arg]
