"""Numbers without a truth: what they must tell of series whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sxtbench.acquisition.counts import absorbance
from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics.reference_free import (
    Assessment,
    assess_series,
    assess_volume,
    contrast_of,
    grid_of,
    half_sets,
    held_out,
    pinned_cgne,
    pinned_fbp,
)
from sxtbench.operators import ParallelBeam

N = 40
GEOMETRY = ParallelGeometry(angles_deg=np.arange(0.0, 180.0, 4.0), columns=N, slices=8, pixel_size_nm=100.0)
PHOTONS = 400.0


def phantom() -> NDArray[np.float32]:
    generator = np.random.default_rng(3)
    z, y, x = np.mgrid[:8, :N, :N] - np.array([3.5, 19.5, 19.5])[:, None, None, None]
    volume = 0.2 * (y**2 + x**2 < 14**2)
    for _ in range(12):
        cz, cy, cx = generator.uniform(-1, 1, 3) * (4, 9, 9)
        volume += 0.2 * ((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < 2.5**2)
    return volume.astype(np.float32)


@pytest.fixture(scope="module")
def clean() -> NDArray[np.float32]:
    """Noise-free absorbance."""
    return ParallelBeam(GEOMETRY, (8, N, N))(phantom())


def exposed(clean: NDArray[np.float32], photons: float, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    counts = np.random.default_rng(seed).poisson(photons * np.exp(-clean)).astype(np.uint32)
    return counts, np.full(len(clean), photons)


def assessed(clean: NDArray[np.float32], photons: float) -> Assessment:
    taken = exposed(clean, photons, 1)
    return assess_series(absorbance(*taken), GEOMETRY, taken)


def test_more_photons_look_better(clean: NDArray[np.float32]) -> None:
    dark, bright = assessed(clean, 100).values, assessed(clean, 3000).values
    assert bright["frc_mean"] > dark["frc_mean"] + 0.1
    assert not bright["frc_seventh_nm"] >= dark["frc_seventh_nm"]  # NaN: nowhere below 1/7
    assert bright["noise_per_um"] < 0.6 * dark["noise_per_um"]
    assert bright["held_out_rms"] < dark["held_out_rms"]


def test_noise_from_half_sets_is_that_of_the_whole_series(clean: NDArray[np.float32]) -> None:
    def solve(counted: tuple[NDArray[np.uint32], NDArray[np.float64]]) -> NDArray[np.float32]:
        return pinned_fbp(absorbance(*counted), GEOMETRY)

    volumes = np.stack([solve(exposed(clean, PHOTONS, seed)) for seed in range(6)])
    y, x = np.mgrid[:N, :N] - 19.5
    inside = y * y + x * x < 17**2
    true = float(np.sqrt(volumes.var(axis=0, ddof=1)[:, inside].mean()))
    _, noise = half_sets(absorbance(*exposed(clean, PHOTONS, 9)), GEOMETRY, pinned_fbp)
    assert 0.85 * true < noise < 1.4 * true  # streaks of the coarser half sets come on top


def test_independent_half_sets_of_noise_do_not_correlate() -> None:
    noise = np.random.default_rng(0).normal(size=GEOMETRY.shape).astype(np.float32)
    curve, _ = half_sets(noise, GEOMETRY, pinned_fbp)
    assert np.abs(curve.correlation[4:]).max() < 0.3
    assert abs(curve.correlation[4:].mean()) < 0.1


def test_a_pattern_that_both_half_sets_share_is_taken_for_signal(clean: NDArray[np.float32]) -> None:
    views = absorbance(*exposed(clean, PHOTONS, 2))
    pattern = np.random.default_rng(5).normal(size=(8, N, N)).astype(np.float32)
    honest, _ = half_sets(views, GEOMETRY, pinned_fbp)
    painted, _ = half_sets(views, GEOMETRY, lambda y, g: pinned_fbp(y, g) + pattern)
    assert painted.correlation[-5:].min() > 0.9 > honest.correlation[-5:].max()


def test_chi_square_of_held_out_tilts_sees_what_is_wrong_with_the_series(clean: NDArray[np.float32]) -> None:
    taken = exposed(clean, PHOTONS, 4)
    views = absorbance(*taken)
    right = held_out(views, GEOMETRY, pinned_cgne, taken)
    moved = np.stack([np.roll(view, 3 * (i % 3 - 1), axis=1) for i, view in enumerate(views)])
    moved_counts = np.stack([np.roll(view, 3 * (i % 3 - 1), axis=1) for i, view in enumerate(taken[0])])
    wrong = held_out(moved, GEOMETRY, pinned_cgne, (moved_counts, taken[1]))
    assert 1 < right["held_out_chi2"] < 3
    assert wrong["held_out_chi2"] > 1.5 * right["held_out_chi2"]
    assert set(held_out(views, GEOMETRY, pinned_cgne)) == {"held_out_rms"}


def test_views_may_come_in_any_order(clean: NDArray[np.float32]) -> None:
    views = absorbance(*exposed(clean, PHOTONS, 6))
    order = np.random.default_rng(0).permutation(len(views))
    mixed = replace(
        GEOMETRY, angles_deg=np.asarray(GEOMETRY.angles_deg)[order], column_offset_px=0.0, slice_offset_px=0.0
    )
    one, other = assess_series(views, GEOMETRY).values, assess_series(views[order], mixed).values
    assert one == pytest.approx(other, rel=1e-4, abs=1e-5)


def test_a_limited_range_is_solved_beyond_the_field() -> None:
    limited = replace(GEOMETRY, angles_deg=np.arange(-50.0, 51.0, 4.0), column_offset_px=0.0, slice_offset_px=0.0)
    assert grid_of(GEOMETRY) == (8, N, N)
    assert grid_of(limited) == (8, 90, 64)


def test_lac_is_that_of_the_volume() -> None:
    volume = phantom()
    found = assess_volume(volume, 100.0)
    assert set(found.values) == {"pixel_size_nm", "field_um", *(f"lac_p{p:02d}" for p in (1, 5, 25, 50, 75, 95, 99))}
    assert found.values["lac_p50"] == pytest.approx(0.2)
    assert found.histogram.sum() == pytest.approx(1)
    assert found.curve is None


def test_contrast_wants_two_regions_of_the_volume() -> None:
    volume = phantom()
    a, b = volume > 0.3, volume < 0.1
    assert contrast_of(volume, a, b) > contrast_of(volume, volume > 0.1, b)
    for first, second, said in (
        (a[:4], b, r"the first mask has shape \(4, 40, 40\), expected \(8, 40, 40\)"),
        (a, np.zeros_like(b), "the second mask is empty"),
        (a, volume > 0.1, "voxels, expected two regions apart"),
    ):
        with pytest.raises(InputError, match=said):
            contrast_of(volume, first, second)


def test_a_handful_of_views_is_refused() -> None:
    few = ParallelGeometry(angles_deg=[0, 30, 60], columns=N, slices=8, pixel_size_nm=100.0)
    with pytest.raises(InputError, match="3 views, expected at least 6"):
        assess_series(np.zeros(few.shape, np.float32), few)
