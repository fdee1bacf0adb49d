"""Correlations and transfers: identities, closed forms, and what noise, filters and missing directions do to them."""

import math
from typing import Any

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics import CorrelationCurve, TransferCurve, bit_threshold, first_crossing, frc, fsc, mtf
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import fbp

LIMITED = np.arange(-50, 51, 2.0)


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def frequencies(shape: tuple[int, ...]) -> np.ndarray:
    """Return |k| of the full spectrum, cycles per voxel."""
    axes = np.meshgrid(*[np.fft.fftfreq(n) for n in shape], indexing="ij")
    return np.sqrt(sum(axis**2 for axis in axes))


def filtered(volume: np.ndarray, gain: np.ndarray) -> np.ndarray:
    axes = range(volume.ndim)
    return np.fft.ifftn(np.fft.fftn(volume, axes=axes) * gain, axes=axes).real


def gaussian(volume: np.ndarray, sigma: float) -> np.ndarray:
    return filtered(volume, np.exp(-2 * (np.pi * sigma * frequencies(volume.shape)) ** 2))


@pytest.mark.parametrize("shape", [(16, 16, 16), (9, 15, 15), (6, 20, 13)])
def test_identity_symmetry_gain_and_offset(shape: tuple[int, ...]) -> None:
    a, b = noise(shape, 1), noise(shape, 1) + noise(shape, 2)
    mask = np.ones(shape, bool)
    for where in (None, mask):
        same = fsc(a, a, voxel_size_nm=35, mask=where)
        np.testing.assert_allclose(same.correlation, 1, atol=1e-12)
        assert same.resolution_nm() is None
        curve = fsc(a, b, voxel_size_nm=35, mask=where)
        np.testing.assert_allclose(fsc(b, a, voxel_size_nm=35, mask=where).correlation, curve.correlation, atol=1e-12)
        moved = fsc(3 * a - 7, 0.1 * b + 2, voxel_size_nm=35, mask=where)
        np.testing.assert_allclose(moved.correlation, curve.correlation, atol=1e-9)
        negative = fsc(-a, b, voxel_size_nm=35, mask=where)
        np.testing.assert_allclose(negative.correlation[1:], -curve.correlation[1:], atol=1e-12)


def test_frequencies_reach_nyquist() -> None:
    a = noise((8, 16, 10), 1)
    np.testing.assert_allclose(fsc(a, a, voxel_size_nm=20).frequency, np.arange(9) / (16 * 20))
    assert fsc(a, a, voxel_size_nm=20).frequency[-1] == 1 / 40
    np.testing.assert_allclose(frc(a[0, :9, :9], a[0, :9, :9], pixel_size_nm=20).frequency, np.arange(5) / (9 * 20))


@pytest.mark.parametrize("snr", [0.25, 1.0, 4.0])
def test_correlation_under_noise_is_the_analytic_one(snr: float) -> None:
    truth, first, second = (noise((64, 64, 64), seed) for seed in range(3))
    a, b = truth + first / math.sqrt(snr), truth + second / math.sqrt(snr)
    for curve, expected in (
        (fsc(a, b, voxel_size_nm=10), snr / (snr + 1)),
        (fsc(a, truth, voxel_size_nm=10), math.sqrt(snr / (snr + 1))),
    ):
        assert np.all(np.abs(curve.correlation[5:] - expected) < 4 / np.sqrt(2 * curve.samples[5:]))
        mean = np.average(curve.correlation[5:], weights=curve.samples[5:])
        assert mean == pytest.approx(expected, abs=4 / math.sqrt(2 * curve.samples.sum()))


@pytest.mark.parametrize("cutoff", [4, 9, 15])
def test_resolution_is_where_information_ends(cutoff: int) -> None:
    truth = noise((40, 40, 40), 1)
    band = frequencies(truth.shape) * 40 < cutoff + 0.5
    answer = filtered(truth, band) + filtered(noise(truth.shape, 2), ~band)
    resolution = fsc(answer, truth, voxel_size_nm=25).resolution_nm(1 / 2)
    assert resolution is not None
    assert 40 * 25 / resolution == pytest.approx(cutoff + 0.5, abs=0.25)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_a_gaussian_does_not_change_the_correlation(sigma: float) -> None:
    truth = noise((128, 128, 128), 1)
    answer = truth + noise(truth.shape, 2)
    smooth = gaussian(answer, sigma)
    for cone in ("in", "out"):
        before = fsc(answer, truth, voxel_size_nm=1, cone=cone, angles_deg=LIMITED).correlation[1:]
        after = fsc(smooth, truth, voxel_size_nm=1, cone=cone, angles_deg=LIMITED).correlation[1:]
        assert after.mean() == pytest.approx(before.mean(), rel=0.01)
        np.testing.assert_allclose(after, before, rtol=0.04)
    slope = 4 * (math.pi * sigma) ** 2 * np.arange(1, 65) / 128**2  # of the log gain across a shell
    uneven = np.sinh(slope / 2) / (slope / 2) / np.sqrt(np.sinh(slope) / slope)  # what is left of the correlation
    np.testing.assert_allclose(after[20:] / before[20:], uneven[20:], atol=0.01)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("angles", [None, LIMITED])
def test_a_gaussian_has_the_transfer_and_the_mtf50_of_its_formula(sigma: float, angles: np.ndarray | None) -> None:
    truth = noise((64, 64, 64), 1)
    transfer = mtf(gaussian(truth, sigma), truth, voxel_size_nm=1, angles_deg=angles)
    response = np.exp(-2 * (np.pi * sigma * transfer.frequency) ** 2)
    np.testing.assert_allclose(transfer.transfer[1:], response[1:], atol=0.02)
    half = transfer.resolution_nm()
    assert half is not None
    analytic = math.sqrt(math.log(2 / response[2:5].mean()) / 2) / (math.pi * sigma)
    assert 1 / half == pytest.approx(analytic, rel=0.02)


def test_transfer_ignores_independent_noise_and_reads_the_gain() -> None:
    truth = noise((40, 40, 40), 1)
    clean, noisy = (mtf(0.7 * truth + s * noise(truth.shape, 2), truth, voxel_size_nm=1) for s in (0, 1))
    np.testing.assert_allclose(clean.transfer[1:], 0.7, atol=1e-9)
    np.testing.assert_allclose(noisy.transfer[6:], 0.7, atol=0.1)
    assert math.isnan(clean.transfer[0])
    assert clean.resolution_nm() is None


def test_transfer_without_a_positive_reference_is_undefined() -> None:
    truth = noise((16, 16, 16), 1)
    curve = mtf(-truth, truth, voxel_size_nm=1)
    assert np.isnan(curve.normalised()).all()
    assert curve.resolution_nm() is None


def test_smoothing_and_reference_of_the_transfer() -> None:
    curve = TransferCurve(np.arange(8.0), np.array([np.nan, 5.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.3]))
    expected = [np.nan, 3.0, 8 / 3, 2.0, 5 / 3, 1.0, 0.1, 0.15]
    np.testing.assert_allclose(curve.normalised(), np.array(expected) / 2.0)
    assert curve.resolution_nm() == pytest.approx(1 / 5)  # interpolated: exactly 1/2 at 5, below after it


def test_weak_lowest_shells_are_no_lack_of_sharpness() -> None:
    frequency = np.arange(12.0)
    transfer = np.array([np.nan, -1.5, 0.4, 1.0, 1.0, 1.0, 1.0, 1.0, 0.4, 0.2, 0.0, 0.0])
    curve = TransferCurve(frequency, transfer)
    assert curve.normalised()[1] < 0
    assert curve.normalised()[3] == pytest.approx(1)
    assert 1 / 9 < curve.resolution_nm() < 1 / 7


def test_wedge_limited_volumes() -> None:
    truth = noise((33, 33, 33), 1)
    _, ky, kx = np.meshgrid(*[np.fft.fftfreq(33, 1 / 33)] * 3, indexing="ij")
    direction = np.rad2deg(np.arctan2(ky, kx))
    low, high = -17.0, 77.0  # -20 to 80 less 3 at either end
    held = ((direction >= low) & (direction <= high)) | (direction - 180 >= low) | (direction + 180 <= high)
    held |= (kx == 0) & (ky == 0)
    wedge = filtered(truth, held)
    noisy = wedge + filtered(noise(truth.shape, 2), ~held)
    angles = np.arange(-20, 81, 2)
    inside = fsc(wedge, truth, voxel_size_nm=1, cone="in", angles_deg=angles).correlation
    np.testing.assert_allclose(inside, 1, atol=1e-9)
    beyond = fsc(noisy, truth, voxel_size_nm=1, cone="out", angles_deg=angles)
    assert np.all(np.abs(beyond.correlation[2:]) < 4 / np.sqrt(2 * beyond.samples[2:]))
    mirrored = fsc(noisy, truth, voxel_size_nm=1, cone="in", angles_deg=-angles).correlation
    assert mirrored[5:].max() < 0.8


@pytest.mark.parametrize("centre", [40, -40, 120])
def test_the_cone_has_the_sense_of_the_projector(centre: float) -> None:
    angles = centre + np.arange(-35, 36, 2.0)
    truth = np.zeros((12, 40, 40), np.float32)
    truth[:, 6:34, 6:34] = gaussian(noise((12, 28, 28), 1), 0.7)
    geometry = ParallelGeometry(angles_deg=angles, columns=57, slices=12, pixel_size_nm=20)
    answer = fbp(ParallelBeam(geometry, truth.shape)(truth), geometry, volume_shape=truth.shape)

    def mean(cone: str, nominal: np.ndarray) -> float:
        curve = fsc(answer, truth, voxel_size_nm=20, cone=cone, angles_deg=nominal)
        return float(curve.correlation[2:16].mean())

    assert mean("in", angles) > 0.9
    assert mean("out", angles) < mean("in", angles) - 0.4
    assert mean("in", angles) > mean("in", -angles) + 0.3
    assert mean("in", angles) > mean("in", angles + 90) + 0.3


def test_of_a_full_rotation_all_is_inside() -> None:
    a, b = noise((16, 16, 16), 1), noise((16, 16, 16), 1) + noise((16, 16, 16), 2)
    full = fsc(a, b, voxel_size_nm=1, cone="in", angles_deg=np.arange(0, 180, 4))
    np.testing.assert_array_equal(full.correlation, fsc(a, b, voxel_size_nm=1).correlation)
    beyond = fsc(a, b, voxel_size_nm=1, cone="out", angles_deg=np.arange(0, 180, 4))
    assert np.isnan(beyond.correlation[1:]).all()
    assert beyond.resolution_nm() is None


def test_cones_share_the_samples() -> None:
    a = noise((16, 16, 16), 1)
    samples = [fsc(a, a, voxel_size_nm=1, cone=cone, angles_deg=LIMITED).samples for cone in ("in", "out", None)]
    np.testing.assert_allclose(samples[0] + samples[1], samples[2])


def test_a_masked_comparison_sees_the_mask_alone() -> None:
    truth = noise((24, 24, 24), 1)
    mask = np.zeros(truth.shape, bool)
    mask[4:20, 4:20, 4:20] = True
    answer = np.where(mask, truth, noise(truth.shape, 2))
    np.testing.assert_allclose(fsc(answer, truth, voxel_size_nm=1, mask=mask).correlation, 1, atol=1e-12)
    assert fsc(answer, truth, voxel_size_nm=1).correlation[5:].max() < 0.7


def test_padding_and_masks_leave_fewer_independent_samples() -> None:
    a = noise((24, 24, 24), 1)
    whole, slab = fsc(a, a, voxel_size_nm=1), fsc(a[:8], a[:8], voxel_size_nm=1)
    masked = fsc(a, a, voxel_size_nm=1, mask=np.ones(a.shape, bool))
    assert np.all(slab.samples < whole.samples)
    assert np.all(masked.samples < whole.samples)


def test_bit_curves_are_the_published_ones() -> None:
    n = np.array([4.0, 10, 100, 1000, 1e12])
    root = np.sqrt(n)
    half = (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    one = (0.5 + 2.4142 / root) / (1.5 + 1.4142 / root)
    np.testing.assert_allclose(bit_threshold(n, bits=0.5), half, atol=1e-4)
    np.testing.assert_allclose(bit_threshold(n, bits=1.0), one, atol=1e-4)
    assert bit_threshold(n, bits=0.5)[-1] == pytest.approx(0.17157, abs=1e-5)
    assert bit_threshold(n, bits=1.0)[-1] == pytest.approx(1 / 3, abs=1e-5)
    assert np.isfinite(bit_threshold([0.0, 0.5], bits=0.5)).all()


def test_threshold_curves_of_a_curve() -> None:
    a = noise((64, 64), 1)
    curve = frc(a, a + noise(a.shape, 2), pixel_size_nm=1)
    np.testing.assert_array_equal(curve.threshold(1 / 7), np.full(33, 1 / 7))
    np.testing.assert_array_equal(curve.threshold("half-bit"), bit_threshold(curve.samples, bits=0.5))
    np.testing.assert_array_equal(curve.threshold("1-bit"), bit_threshold(curve.samples, bits=1.0))


def test_an_expected_correlation_crosses_half_bit_where_its_information_does() -> None:
    n = np.linspace(1, 1e9, 101)  # so many samples that only the limit 0.1716 counts
    frequency = np.linspace(0, 0.5, 101)
    snr = 8 * np.exp(-frequency / 0.05)
    curve = CorrelationCurve(frequency, snr / (snr + 1), n)
    crossing = 0.05 * math.log(8 / 0.20711)
    resolution = curve.resolution_nm("half-bit")
    assert resolution is not None
    assert 1 / resolution == pytest.approx(crossing, rel=1e-3)
    one = curve.resolution_nm("1-bit")
    assert one is not None
    assert 1 / one == pytest.approx(0.05 * math.log(8 / 0.5), rel=1e-3)


@pytest.mark.parametrize(
    ("values", "threshold", "expected"),
    [
        ([1, 0.9, 0.7, 0.3, 0.9], [0.5] * 5, 2.5),
        ([1, 0.9, 0.8, 0.7, 0.6], [0.5] * 5, None),
        ([1, 0.9, 0.8, 0.7, 0.5], [0.5] * 5, None),  # touched, not crossed
        ([1, 0.4, 0.8, 0.7, 0.6], [0.5] * 5, 1.0),  # below in the first shell
        ([0, 0.9, 0.8, 0.2, 0.6], [0.5] * 5, 2.5),  # zero frequency does not count
        ([1, 0.9, math.nan, 0.1, 0.6], [0.5] * 5, 2.0),  # passed over
        ([1] + [math.nan] * 4, [0.5] * 5, None),
        ([1, 0.8, 0.6, 0.4, 0.2], [1, 0.9, 0.2, 0.5, 0.2], 1.0),
        ([1, 0.8, 0.6, 0.4, 0.2], [1, 0.2, 0.2, 0.6, 0.2], 2 + 0.4 / 0.6),
    ],
)
def test_first_crossing(values: list[float], threshold: list[float], expected: float | None) -> None:
    crossing = first_crossing(np.arange(5), values, threshold)
    assert crossing == (None if expected is None else pytest.approx(expected))


def test_frc_of_a_rectangle_is_that_of_the_padded_square() -> None:
    a, b = noise((20, 32), 1), noise((20, 32), 1) + noise((20, 32), 2)
    padded = [np.pad(v - v.mean(), ((0, 12), (0, 0))) for v in (a, b)]
    np.testing.assert_allclose(
        frc(a, b, pixel_size_nm=1).correlation, frc(*padded, pixel_size_nm=1).correlation, atol=1e-12
    )


def test_a_hann_window_takes_the_jump_at_the_edges_away() -> None:
    ramp = np.add.outer(np.arange(64.0), 2 * np.arange(64.0))
    a, b = ramp + noise(ramp.shape, 1), ramp + noise(ramp.shape, 2)
    curve, hann = frc(a, b, pixel_size_nm=1), frc(a, b, pixel_size_nm=1, window="hann")
    assert np.mean(curve.correlation[10:]) > 0.6
    assert abs(np.mean(hann.correlation[10:])) < 0.1
    weights = np.outer(*[np.sin(np.pi * (np.arange(64) + 0.5) / 64) ** 2] * 2)
    given = frc(a, b, pixel_size_nm=1, window=weights)
    np.testing.assert_allclose(given.correlation, hann.correlation)
    assert np.all(hann.samples < curve.samples)


VOLUME = noise((8, 8, 8), 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fsc(VOLUME, VOLUME[1:], voxel_size_nm=1), r"shapes are \(8, 8, 8\) and \(7, 8, 8\)"),
        (lambda: fsc(VOLUME[0], VOLUME[0], voxel_size_nm=1), r"first volume has shape \(8, 8\), .* images have `frc`"),
        (lambda: fsc(VOLUME, VOLUME, voxel_size_nm=0), "voxel size is 0, expected a positive number of nm"),
        (lambda: fsc(VOLUME, VOLUME, voxel_size_nm=1, cone="in"), "angles_deg are missing"),
        (lambda: fsc(VOLUME, VOLUME, voxel_size_nm=1, cone="up", angles_deg=[0, 1]), "cone is 'up'"),
        (lambda: fsc(VOLUME, VOLUME, voxel_size_nm=1, mask=VOLUME > 99), "at least one voxel inside"),
        (lambda: fsc(VOLUME, VOLUME, voxel_size_nm=1, mask=VOLUME[1:] > 0), r"mask has shape \(7, 8, 8\)"),
        (lambda: frc(VOLUME, VOLUME, pixel_size_nm=1), "volumes have `fsc`"),
        (lambda: frc(VOLUME[0], VOLUME[0], pixel_size_nm=1, window="tukey"), "window is 'tukey'"),
        (lambda: frc(VOLUME[0], VOLUME[0], pixel_size_nm=1, window=VOLUME[0]), "weights of at least 0"),
        (lambda: mtf(VOLUME, VOLUME * np.inf, voxel_size_nm=1), "second volume holds NaN or infinity"),
        (lambda: fsc(VOLUME, VOLUME, voxel_size_nm=1).resolution_nm("half bit"), "threshold is 'half bit'"),
        (lambda: fsc(VOLUME, VOLUME, voxel_size_nm=1).resolution_nm(2), "threshold is 2, expected a number between"),
        (lambda: bit_threshold([-1], bits=1), "samples must be at least 0"),
    ],
)
def test_bad_input_is_named(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
