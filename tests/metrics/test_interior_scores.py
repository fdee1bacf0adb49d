"""Metrics of an interior reconstruction: known errors give known numbers."""

import math

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.labels import CYTOPLASM, GLASS, NUCLEUS
from sxtbench.metrics import cupping, psnr_lac, score_interior, slice_frc
from sxtbench.metrics.regions import SCORED_SHARE, interior_cylinder

VOXEL_NM, CENTRE_UM, WIDTH_UM = 50.0, (0.3, -0.2), 2.0
SHAPE = (6, 80, 80)


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(3).random(SHAPE, np.float32) / 2


@pytest.fixture
def region() -> np.ndarray:
    return interior_cylinder(SHAPE, VOXEL_NM, CENTRE_UM, SCORED_SHARE * WIDTH_UM)


def scores(answer: np.ndarray, truth: np.ndarray, region: np.ndarray, labels: np.ndarray) -> dict[object, float]:
    found = score_interior(
        answer, truth, region, labels, voxel_size_nm=VOXEL_NM, centre_um=CENTRE_UM, width_um=WIDTH_UM
    )
    return {name if label is None else (name, label): value for name, label, value in found}


def test_a_constant_error_is_bias_and_nothing_else(truth: np.ndarray, region: np.ndarray) -> None:
    labels = np.where(truth > 0.25, NUCLEUS, CYTOPLASM).astype(np.uint8)
    found = scores(truth + np.float32(0.05), truth, region, labels)
    assert found["psnr_roi@1"] == pytest.approx(20.0, abs=1e-4)
    assert found["region_bias@1"] == pytest.approx(0.05, abs=1e-6)
    assert found["lac_bias@1", NUCLEUS] == pytest.approx(0.05, abs=1e-6)
    assert found["ring_rmse@1"] == pytest.approx(0.05, abs=1e-6)
    assert found["cupping@1"] == pytest.approx(0.0, abs=1e-6)
    assert found["psnr_affine@1"] > 60
    assert math.isnan(found["lac_bias@1", GLASS - 1])
    assert math.isnan(found["frc_half@1"])


def test_what_lies_outside_the_region_does_not_count(truth: np.ndarray, region: np.ndarray) -> None:
    rim = interior_cylinder(SHAPE, VOXEL_NM, CENTRE_UM, WIDTH_UM) & ~region
    answer = np.where(region | rim, truth, 9).astype(np.float32)
    found = scores(answer, truth, region, np.ones(SHAPE, np.uint8))
    assert found["rmse@1"] == found["ring_rmse@1"] == 0.0
    answer[rim] += 0.1
    found = scores(answer, truth, region, np.ones(SHAPE, np.uint8))
    assert found["rmse@1"] == 0.0
    assert found["ring_rmse@1"] == pytest.approx(0.1, abs=1e-6)
    assert found["psnr_roi@1"] == psnr_lac(answer, truth, region)


def test_cupping_is_the_coefficient_of_a_parabola(truth: np.ndarray, region: np.ndarray) -> None:
    y, x = (
        (np.arange(SHAPE[1]) - (SHAPE[1] - 1) / 2)[:, None] * VOXEL_NM / 1000 - CENTRE_UM[0],
        (np.arange(SHAPE[2]) - (SHAPE[2] - 1) / 2)[None, :] * VOXEL_NM / 1000 - CENTRE_UM[1],
    )
    cup = 0.08 * (x * x + y * y) / (WIDTH_UM / 2) ** 2 - 0.03
    answer = (truth + cup).astype(np.float32)
    assert cupping(answer, truth, region, VOXEL_NM, CENTRE_UM, WIDTH_UM) == pytest.approx(0.08, abs=1e-5)


def test_ring_correlation_finds_a_cut_off(region: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=SHAPE)
    k = np.hypot(np.fft.fftfreq(SHAPE[1])[:, None], np.fft.fftfreq(SHAPE[2])[None, :])
    kept = np.fft.ifft2(np.fft.fft2(truth) * (k < 0.25)).real
    answer = kept + np.fft.ifft2(np.fft.fft2(rng.normal(size=SHAPE)) * (k >= 0.25)).real
    curve = slice_frc(answer, truth, region, voxel_size_nm=VOXEL_NM)
    found = curve.resolution_nm(1 / 2)
    assert found == pytest.approx(VOXEL_NM / 0.25, rel=0.06)
    assert curve.correlation[2 : len(curve.correlation) // 3].min() > 0.95
    assert slice_frc(3 * truth + 1, truth, region, voxel_size_nm=VOXEL_NM).resolution_nm(1 / 2) is None


def test_an_empty_or_narrow_region_is_refused(truth: np.ndarray) -> None:
    with pytest.raises(InputError, match="0 voxels to score"):
        scores(truth, truth, np.zeros(SHAPE, bool), np.ones(SHAPE, np.uint8))
    with pytest.raises(InputError, match="too narrow for a ring correlation"):
        slice_frc(truth, truth, interior_cylinder(SHAPE, VOXEL_NM, (0.0, 0.0), 0.2), voxel_size_nm=VOXEL_NM)
