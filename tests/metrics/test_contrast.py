"""Contrast-to-noise ratios, their match at one sharpness, and what they must not be fooled by."""

import math

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.metrics import cnr, gcnr, mtf, score_contrast
from sxtbench.metrics.contrast import (
    CELL,
    GAIN_BOUNDS,
    LowPassFamily,
    contrast_regions,
    family_arrays,
    family_of_arrays,
    gaussian_low_pass,
    half_transfer_nm,
    low_pass_family,
    overshoot,
)
from sxtbench.metrics.probe import TransferProbe
from sxtbench.metrics.registry import METRICS
from sxtbench.metrics.shells import softened

N, VOXEL = 48, 100.0
ANGLES = np.arange(-60, 61, 2)
rng = np.random.default_rng(6)
r = np.linalg.norm(np.indices((N, N, N)) - (N - 1) / 2, axis=0)
LABELS = np.where(r < 16, 1, 0).astype(np.uint8)
LABELS[np.linalg.norm(np.indices((N, N, N)) - np.array([24, 24, 30])[:, None, None, None], axis=0) < 5] = 2
TEXTURE = gaussian_low_pass(rng.normal(0, 1, (N, N, N)).astype(np.float32), 1.0)
TRUTH = (np.array([0.11, 0.35, 0.18])[LABELS] + 0.02 * TEXTURE / TEXTURE.std()).astype(np.float32)
BLURRED = gaussian_low_pass(TRUTH, 0.5)
NOISY = (BLURRED + rng.normal(0, 0.15, TRUTH.shape)).astype(np.float32)
REGIONS = contrast_regions(LABELS, np.ones(LABELS.shape, bool), voxel_size_nm=VOXEL, erosion_voxels=1)
HALO = r < 21
FAMILY = low_pass_family(NOISY, TRUTH, REGIONS, HALO, [2, CELL], voxel_size_nm=VOXEL, angles_deg=ANGLES)


def scored(answer: np.ndarray) -> dict[tuple[str, int | None], float]:
    scores = score_contrast(answer, TRUTH, LABELS, REGIONS, HALO, FAMILY, voxel_size_nm=VOXEL, angles_deg=ANGLES)
    assert scores[0][0] == "cnr_gain_matched@1"
    return {(name, label): value for name, label, value in scores}


def test_cnr_is_its_formula_and_texture_is_no_noise() -> None:
    a, b = LABELS == 1, LABELS == 0
    spread = math.sqrt(((NOISY - TRUTH)[a].var() + (NOISY - TRUTH)[b].var()) / 2)
    assert cnr(NOISY, TRUTH, a, b) == pytest.approx(abs(NOISY[a].mean() - NOISY[b].mean()) / spread, rel=1e-4)
    assert cnr(TRUTH, TRUTH, a, b) == pytest.approx(abs(TRUTH[a].mean() - TRUTH[b].mean()) / 0.005, rel=1e-4)
    assert math.isnan(cnr(NOISY, TRUTH, a, np.zeros_like(a)))
    with pytest.raises(InputError, match="expected"):
        cnr(NOISY[:-1], TRUTH, a, b)


def test_gcnr_is_blind_to_a_monotone_remapping() -> None:
    a, b = LABELS == 1, LABELS == 0
    noisy = np.array([0.11, 0.35, 0.18])[LABELS] + rng.normal(0, 0.15, LABELS.shape)
    plain = gcnr(noisy, a, b)
    assert gcnr(np.exp(4 * noisy), a, b) == pytest.approx(plain, abs=1e-9)
    # two normal distributions that far apart overlap by 2 Phi(-d / 2)
    d = (0.35 - 0.11) / 0.15
    assert plain == pytest.approx(1 - math.erfc(d / 2 / math.sqrt(2)), abs=0.03)
    assert gcnr(noisy, a, a) < 0.02


def test_regions_keep_their_distance() -> None:
    inner = REGIONS.labels
    assert (np.linalg.norm(np.argwhere(inner == 2) - [24, 24, 30], axis=1) < 5).all()
    assert r[REGIONS.ice].min() > 17
    assert r[REGIONS.ice].max() < 16 + 6
    assert r[REGIONS.rim].max() < 18.1
    assert REGIONS.present([2, 3, CELL], 50) == [2, CELL]
    assert REGIONS.present([2, CELL], 10**6) == []


def test_the_probe_is_the_transfer_of_the_library() -> None:
    probe = TransferProbe(TRUTH, softened(HALO), voxel_size_nm=VOXEL, angles_deg=ANGLES)
    smooth = gaussian_low_pass(NOISY, 0.8)
    expected = mtf(smooth, TRUTH, voxel_size_nm=VOXEL, mask=HALO, angles_deg=ANGLES)
    np.testing.assert_allclose(probe(smooth).transfer, expected.transfer, rtol=1e-4)
    np.testing.assert_array_equal(probe(smooth).frequency, expected.frequency)


def test_resolution_rises_with_sigma() -> None:
    assert FAMILY.sigma_px.tolist() == [0.125 * i for i in range(13)]
    assert (np.diff(FAMILY.resolution_nm) >= 0).all()
    assert FAMILY.resolution_nm[-1] > 1.7 * FAMILY.resolution_nm[0]


@pytest.mark.parametrize("sigma", [0.3, 0.71, 1.0, 1.4])
def test_a_gaussian_gains_nothing(sigma: float) -> None:
    scores = scored(gaussian_low_pass(NOISY, sigma))
    assert scores["cnr_gain_matched@1", None] == pytest.approx(1, abs=0.03)
    assert scores["matched_sigma@1", None] == pytest.approx(sigma, abs=0.06)
    assert scores["outside_family@1", None] == 0


def test_gain_and_offset_alone_gain_nothing() -> None:
    smooth = gaussian_low_pass(NOISY, 1.2)
    values = [scored((smooth - 0.05) * scale)["cnr_gain_matched@1", None] for scale in (0.5, 1.0, 1.6)]
    np.testing.assert_allclose(values, values[0], rtol=1e-4)
    assert scored(-smooth)["cnr_gain_matched@1", None] == GAIN_BOUNDS[0]


def test_less_noise_at_the_same_sharpness_is_a_gain() -> None:
    half = BLURRED + (NOISY - BLURRED) / 2
    assert scored(half)["cnr_gain_matched@1", None] == pytest.approx(1.9, rel=0.1)


def test_beyond_the_family_it_is_clipped_and_said() -> None:
    sharp = scored(TRUTH)
    assert sharp["outside_family@1", None] == 1
    assert sharp["matched_sigma@1", None] == 0
    assert sharp["cnr_gain_matched@1", None] > 10
    smooth = scored(gaussian_low_pass(NOISY, 4.0))
    assert smooth["outside_family@1", None] == 1
    assert smooth["matched_sigma@1", None] == FAMILY.sigma_px[-1]


def test_a_constant_is_worth_nothing_and_still_a_number() -> None:
    scores = scored(np.full_like(TRUTH, 0.2))
    assert scores["cnr_gain_matched@1", None] == GAIN_BOUNDS[0]
    assert scores["outside_family@1", None] == 1
    assert math.isnan(scores["mtf50@1", None])


def test_every_score_is_declared_and_within_its_bounds() -> None:
    for answer in (NOISY, TRUTH, np.full_like(TRUTH, 0.2), -TRUTH):
        for (name, label), value in scored(answer).items():
            low, high = METRICS[name].bounds
            assert math.isnan(value) or low <= value <= high + 1e-9
            assert METRICS[name].per_class == (label is not None)
    assert METRICS["cnr_gain_matched@1"].scale == "log2"
    assert METRICS["cnr_gain_matched@1"].margin == 0.05


def test_overshoot_is_the_halo_s_depth() -> None:
    assert overshoot(TRUTH, TRUTH, REGIONS) == 0
    halo = TRUTH - np.float32(0.05) * REGIONS.rim
    contrast = TRUTH[REGIONS.cell].mean() - TRUTH[REGIONS.ice].mean()
    assert overshoot(halo, TRUTH, REGIONS) == pytest.approx(0.05 / contrast, rel=1e-3)
    assert overshoot(gaussian_low_pass(TRUTH, 1.5), TRUTH, REGIONS) < -0.05


def test_without_interfaces_there_is_no_gain() -> None:
    none = LowPassFamily(FAMILY.sigma_px, FAMILY.resolution_nm, np.zeros((13, 0)), ())
    scores = score_contrast(NOISY, TRUTH, LABELS, REGIONS, HALO, none, voxel_size_nm=VOXEL, angles_deg=ANGLES)
    assert math.isnan(scores[0][2])


def test_a_transfer_that_never_falls_to_one_half_goes_on_beyond_nyquist() -> None:
    curves = [mtf(v, TRUTH, voxel_size_nm=VOXEL, mask=HALO) for v in (TRUTH, gaussian_low_pass(TRUTH, 0.25))]
    first, second = (half_transfer_nm(curve, VOXEL) for curve in curves)
    assert VOXEL == pytest.approx(first, rel=0.02)
    assert first < second < 2 * VOXEL


def test_families_survive_their_arrays() -> None:
    again = family_of_arrays(family_arrays({"incoherent": FAMILY}), "incoherent")
    np.testing.assert_array_equal(again.cnr, FAMILY.cnr)
    np.testing.assert_array_equal(again.resolution_nm, FAMILY.resolution_nm)
    assert again.interfaces == FAMILY.interfaces
