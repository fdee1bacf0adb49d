"""The machinery of Fourier shells: masks, cones, counts, and sums by brute force over the full spectrum."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from sxtbench.errors import InputError
from sxtbench.metrics.shells import independent_share, inside_cone, measured_range, shell_sums, softened


def full_sums(a: np.ndarray, b: np.ndarray, angles: np.ndarray | None = None) -> np.ndarray:
    """Return cross, |A|^2, |B|^2, samples in and out of the cone from the full spectrum, one coefficient at a time."""
    side = max(a.shape)
    x, y = (np.fft.fftn(v - v.mean(), (side,) * v.ndim, range(v.ndim)) for v in (a, b))
    k = np.meshgrid(*[np.fft.fftfreq(side, 1 / side)] * a.ndim, indexing="ij")
    shell = np.rint(np.sqrt(sum(c * c for c in k))).astype(int)
    inside = np.ones(shell.shape, bool)
    if angles is not None:
        _, ky, kx = k
        low, high = np.min(angles) + 3, np.max(angles) - 3
        direction = np.rad2deg(np.arctan2(ky, kx))
        ways = [direction, -direction]  # at the Nyquist frequency a coefficient stands for both signs
        held = [((d >= low) & (d <= high)) | ((d - 180 >= low) & (d - 180 <= high)) for d in ways]
        held = [h | ((d + 180 >= low) & (d + 180 <= high)) for h, d in zip(held, ways, strict=True)]
        nyquist = (2 * np.abs(ky) == side) | (2 * np.abs(kx) == side)
        inside = np.where(nyquist, held[0] & held[1], held[0]) | ((kx == 0) & (ky == 0))
    rows = [(x * y.conj()).real, np.abs(x) ** 2, np.abs(y) ** 2, np.full(x.shape, 0.5)]
    return np.array(
        [[[row[(shell == s) & part].sum() for s in range(side // 2 + 1)] for part in (inside, ~inside)] for row in rows]
    )


@pytest.mark.parametrize("shape", [(12, 12, 12), (11, 11, 11), (5, 12, 9), (7, 4, 11), (16, 16), (15, 9)])
def test_sums_are_those_of_the_full_spectrum(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(2, 1, shape), rng.normal(-1, 1, shape)
    expected = full_sums(a, b)
    sums = shell_sums(a, b)
    np.testing.assert_allclose(sums[:4], expected, atol=1e-9 * np.abs(expected).max())
    assert sums.side == max(shape)


@pytest.mark.parametrize("angles", [np.arange(-50, 51, 2.0), np.arange(10, 81, 2.0), np.arange(-88, -9, 3.0)])
@pytest.mark.parametrize("shape", [(12, 12, 12), (11, 11, 11), (5, 12, 9)])
def test_sums_in_the_cone_are_those_of_the_full_spectrum(shape: tuple[int, ...], angles: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=shape), rng.normal(size=shape)
    expected = full_sums(a, b, angles)
    np.testing.assert_allclose(shell_sums(a, b, None, angles)[:4], expected, atol=1e-9 * np.abs(expected).max())


def test_samples_of_rings_and_shells() -> None:
    noise = np.random.default_rng(3).normal(size=(9, 9, 9))
    assert shell_sums(noise, noise).samples.sum(axis=0)[:3].tolist() == [0.5, 9.0, 31.0]  # of 1, 18 and 62
    assert shell_sums(noise[0], noise[0]).samples.sum(axis=0)[:3].tolist() == [0.5, 4.0, 6.0]  # of 1, 8 and 12


def test_single_precision_is_enough() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 24, 24, 24))
    double, single = shell_sums(a, b), shell_sums(a.astype(np.float32), b.astype(np.float32))
    power = np.sqrt(double.power_a * double.power_b)[0, 1:]
    np.testing.assert_allclose(single.cross[0, 1:] / power, double.cross[0, 1:] / power, atol=1e-5)


def test_a_constant_has_no_power() -> None:
    volume = np.random.default_rng(5).random((12, 12, 12), np.float32)
    weight = softened(np.ones(volume.shape, bool))
    for value in (0.1, 0.3, 1e6):
        sums = shell_sums(np.full(volume.shape, value, np.float32), volume, weight)
        assert not sums.power_a.any()
        assert sums.power_b[:, 1:].sum() > 0


def test_what_the_mask_leaves_out_may_be_anything() -> None:
    volume = np.random.default_rng(6).random((12, 12, 12))
    mask = np.zeros(volume.shape, bool)
    mask[2:, 1:11, 1:10] = True
    spoiled = np.where(mask, volume, np.nan)
    for a, b in zip(
        shell_sums(spoiled, volume, softened(mask)), shell_sums(volume, volume, softened(mask)), strict=True
    ):
        np.testing.assert_allclose(a, b)


@pytest.mark.parametrize("width", [1, 3, 6, 11])
@pytest.mark.parametrize("shape", [(18, 30, 25), (1, 17, 9), (40,)])
def test_the_soft_edge_is_a_cosine_of_the_distance(shape: tuple[int, ...], width: int) -> None:
    mask = np.random.default_rng(7).random(shape) > 0.002
    distance = distance_transform_edt(np.pad(mask, 1))[(slice(1, -1),) * len(shape)]
    expected = 0.5 - 0.5 * np.cos(np.pi * np.minimum(distance / width, 1))
    np.testing.assert_allclose(softened(mask, width), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        (np.arange(0, 180, 2), (0, 180)),
        (np.arange(0, 360, 4), (0, 180)),
        (np.arange(-90, 91, 5), (0, 180)),
        ([0, 90], (0, 180)),
        (np.delete(np.arange(0, 180, 2), [5, 6, 7, 30, 31]), (0, 180)),
        (np.arange(-50, 51, 2.5), (130, 100)),
        (np.delete(np.arange(-50, 51, 2.5), [3, 4, 5, 20]), (130, 100)),
        (np.arange(20, 141, 4), (20, 120)),
        ([60, 20, 40, 30, 50], (20, 40)),
        (np.arange(200, 241, 4), (20, 40)),
        ([30], (30, 0)),
        ([30, 210], (30, 0)),
    ],
)
def test_measured_range(angles: Any, expected: tuple[float, float]) -> None:
    assert measured_range(angles) == pytest.approx(expected, abs=1e-6)


def test_a_direction_on_the_edge_less_the_margin_is_inside() -> None:
    assert inside_cone(33, np.arange(-48, 49, 2))[5, 5]  # at 45 degrees
    assert not inside_cone(33, np.arange(-47, 48, 2))[5, 5]


def test_the_cone_has_the_share_of_the_range() -> None:
    for width in (40, 80, 140):
        share = inside_cone(256, np.arange(-width / 2, width / 2 + 1, 2))[:, 1:].mean()
        if width <= 90:  # within the square's own sides: area of a triangle
            assert share == pytest.approx(np.tan(np.deg2rad(width / 2 - 3)) / 2, abs=0.01)
    assert inside_cone(64, np.arange(0, 180, 3)).all()
    assert inside_cone(64, [30]).sum() == 1


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("share", [0.45, 0.9])
def test_noise_fluctuates_as_the_independent_samples_say(dims: int, share: float) -> None:
    side = 64 if dims == 2 else 24
    shape = (side,) * dims
    centre = np.indices(shape) - (side - 1) / 2
    weight = softened(np.sqrt((centre**2).sum(axis=0)) < share * side / 2, 2 if dims == 3 else 6)
    rng = np.random.default_rng(8)
    values, samples = [], np.zeros(0)
    for _ in range(300 if dims == 2 else 120):
        a, b = rng.normal(size=(2, *shape))
        sums = shell_sums(a, b, weight)
        samples = sums.samples[0, 1:]
        values.append(sums.cross[0, 1:] / np.sqrt(sums.power_a[0, 1:] * sums.power_b[0, 1:]))
    measured = np.std(values, axis=0)[side // 5 : -1]  # of independent noise: 1 / sqrt(2 n)
    ratio = measured * np.sqrt(2 * samples * independent_share(weight, shape))[side // 5 : -1]
    assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert independent_share(weight, shape) < 0.9


def test_without_mask_or_padding_all_samples_are_independent() -> None:
    assert independent_share(None, (9, 9, 9)) == 1
    assert independent_share(np.ones((9, 9, 9)), (9, 9, 9)) == pytest.approx(1)
    assert independent_share(None, (9, 9, 18)) < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: shell_sums(v, v[1:]), r"shapes are \(4, 4, 4\) and \(3, 4, 4\)"),
        (lambda v: shell_sums(v[0, 0], v[0, 0]), "expected two equal ones of 2 or 3 axes"),
        (lambda v: shell_sums(v, v, np.zeros(v.shape)), "at least one voxel inside"),
        (lambda v: shell_sums(v, v * np.nan), "second volume holds NaN"),
        (lambda v: shell_sums(v * 1j, v), "first volume has dtype complex128"),
        (lambda v: shell_sums(v[0], v[0], None, [0, 1]), "a cone needs a volume"),
        (lambda v: shell_sums(v, v, None, []), "angles_deg has shape"),
        (lambda v: shell_sums(v, v).within("inside"), "cone is 'inside', expected 'in', 'out' or None"),
        (lambda v: softened(v), "mask has dtype float64, expected bool"),
        (lambda v: softened(v > 0, 12), "width is 12, expected 1 to 11"),
    ],
)
def test_bad_input_is_named(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(np.random.default_rng(9).normal(size=(4, 4, 4)))
