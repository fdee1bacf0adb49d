"""Paganin's filter against what is known of it in closed form."""

import numpy as np
import pytest

from sxtbench.enhancement import (
    material,
    paganin,
    paganin_absorbance,
    paganin_length_nm,
    paganin_transfer,
    paganin_volume,
)
from sxtbench.errors import InputError

LIGHT = {"energy_ev": 500.0, "delta": 1.065e-3, "beta": 2.949e-4}
SETTING = {**LIGHT, "distance_um": 5.0, "pixel_size_nm": 20.0}
LENGTH = paganin_length_nm(distance_um=5.0, **LIGHT)
rng = np.random.default_rng(3)


def test_lengths_are_those_of_the_literature_s_formula() -> None:
    """sqrt(z lambda delta / (4 pi beta)) of protein at 500 eV, computed apart for the facts sheet."""
    found = [paganin_length_nm(distance_um=z, **LIGHT) for z in (0.5, 1, 2, 5, 10)]
    np.testing.assert_allclose(found, [18.9, 26.7, 37.8, 59.7, 84.4], atol=0.06)


def test_the_transfer_is_one_at_zero_and_half_at_its_length() -> None:
    f = 1 / (2 * np.pi * LENGTH)
    np.testing.assert_allclose(paganin_transfer([0, f], length_nm=LENGTH), [1, 0.5], rtol=1e-12)
    np.testing.assert_array_equal(paganin_transfer(np.linspace(0, 0.025, 9), length_nm=0.0), 1)


@pytest.mark.parametrize("form", ["standard", "generalised"])
def test_a_wave_is_damped_as_the_transfer_says(form: str) -> None:
    n, cycles, margin = 512, 32, 120
    x = np.arange(n)
    wave = np.broadcast_to(1 + 0.01 * np.cos(2 * np.pi * cycles * x / n), (margin + 20, n)).copy()
    found = paganin_absorbance(wave, form=form, **SETTING)
    part = found[10, margin:-margin] - 1
    f = cycles / n / 20.0
    expected = paganin_transfer(f, length_nm=LENGTH, pixel_size_nm=20.0 if form == "generalised" else None)
    assert np.abs(part).max() / 0.01 == pytest.approx(float(expected), rel=2e-3)


def test_generalised_is_never_below_and_meets_the_standard_at_low_frequency() -> None:
    f = np.linspace(0, 0.025, 101)
    standard = paganin_transfer(f, length_nm=LENGTH)
    generalised = paganin_transfer(f, length_nm=LENGTH, pixel_size_nm=20.0)
    assert (generalised >= standard - 1e-15).all()
    assert generalised[-1] > 2 * standard[-1]
    np.testing.assert_allclose(generalised[1:4], standard[1:4], rtol=2e-3)


def test_a_slab_is_unchanged_and_no_distance_is_no_filter() -> None:
    slab = np.full((40, 50), 0.6)
    np.testing.assert_allclose(paganin(slab, **SETTING), -np.log(0.6), rtol=1e-12)
    image = rng.uniform(0.2, 0.9, (40, 50))
    np.testing.assert_allclose(paganin(image, **{**SETTING, "distance_um": 0.0}), -np.log(image))


@pytest.mark.parametrize(("length_px", "reduction"), [(1.0, 3.69), (5.0**0.5, 7.99)])
def test_white_noise_falls_as_computed_for_the_discrete_filter(length_px: float, reduction: float) -> None:
    pixel = LENGTH / length_px
    noise = rng.normal(size=(600, 600))
    found = paganin_absorbance(noise, **{**SETTING, "pixel_size_nm": pixel})
    assert 1 / found[50:-50, 50:-50].std() == pytest.approx(reduction, rel=0.03)


def test_the_log_form_keeps_the_mean_and_the_other_lies_below_it() -> None:
    projections = rng.uniform(0.2, 1.6, (3, 64, 64)).astype(np.float32)
    linear = paganin_absorbance(projections, **SETTING)
    physical = paganin(np.exp(-projections), **SETTING)
    assert linear.dtype == physical.dtype == np.float32
    inner = (slice(None), slice(16, -16), slice(16, -16))
    assert (physical[inner] < linear[inner]).all()  # Jensen
    periodic = np.tile(projections[0], (3, 3)).astype(np.float64)
    middle = paganin_absorbance(periodic, **SETTING)[64:128, 64:128]
    assert middle.mean() == pytest.approx(projections[0].mean(), rel=1e-3)


def test_where_absorption_is_small_both_forms_agree() -> None:
    weak = 1e-4 * rng.random((48, 48))
    np.testing.assert_allclose(paganin(np.exp(-weak), **SETTING), paganin_absorbance(weak, **SETTING), atol=1e-8)


def test_in_a_volume_all_axes_are_smoothed_alike() -> None:
    point = np.zeros((41, 41, 41))
    point[20, 20, 20] = 1
    found = paganin_volume(point, distance_um=5.0, voxel_size_nm=15.0, form="generalised", **LIGHT)
    line = found[20, 20, 20:]
    for other in (found[20:, 20, 20], found[20, 20:, 20], found[20, 20, 20::-1]):
        np.testing.assert_allclose(other, line, rtol=1e-9)
    # exp(-r / L) / (4 pi L^2 r) away from the point
    length = LENGTH / 15.0
    r = np.arange(8, 15)
    np.testing.assert_allclose(line[r], np.exp(-r / length) / (4 * np.pi * length**2 * r), rtol=0.06)


def test_edges_are_not_darkened() -> None:
    image = np.full((40, 40), 0.5)
    image[:, :20] = 0.8
    found = paganin(image, **SETTING)
    np.testing.assert_allclose(found[0], found[20], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"delta": None}, "delta is missing"),
        ({"beta": None}, "beta is missing"),
        ({"beta": 0.0}, "beta is 0"),
        ({"distance_um": -1.0}, "distance_um is -1"),
        ({"energy_ev": 0.0}, "energy_ev is 0"),
        ({"pixel_size_nm": 0.0}, "pixel size is 0"),
        ({"distance_um": 5000.0}, "longer than the image"),
        ({"form": "both"}, "form is 'both'"),
    ],
)
def test_bad_settings_are_one_line(change: dict, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        paganin(np.full((32, 32), 0.5), **{**SETTING, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("transmission", "says"),
    [
        (np.array([[0.5, 0.0], [0.5, 0.5]]), "zero or below in 1 of 4"),
        (np.array([[0.5, -0.1], [-0.5, 0.5]]), "zero or below in 2 of 4"),
        (np.array([[0.5, np.nan]]), "NaN"),
        (np.ones(5), "shape"),
    ],
)
def test_bad_transmissions_are_one_line(transmission: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        paganin(transmission, **SETTING)


def test_the_table_has_the_values_of_the_facts_sheet() -> None:
    ice, protein, lipid = (material(name, 500) for name in ("ice", "protein", "triolein"))
    assert ice.lac_per_um == pytest.approx(0.1117, abs=1e-4)
    assert material("protein", 520).lac_per_um == pytest.approx(1.357, abs=1e-3)
    assert protein.less(ice).delta_over_beta == pytest.approx(1.81, abs=0.01)
    assert lipid.less(ice).delta_over_beta == pytest.approx(1.44, abs=0.01)
    with pytest.raises(InputError, match="no material is called 'egg'"):
        material("egg", 500)
    with pytest.raises(InputError, match="the table has 500, 510, 517, 520 eV"):
        material("ice", 530)
    with pytest.raises(InputError, match="one energy"):
        protein.less(material("ice", 510))
