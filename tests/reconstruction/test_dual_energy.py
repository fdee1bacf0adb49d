"""Two energies in the beam: the model, its fit on noisy pairs, its inversion, and the affine rival."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.reconstruction.dual_energy import (
    dual_energy_transmission,
    fit_dual_energy,
    fit_stray_light,
    invert_dual_energy,
    invert_stray_light,
)

PHI0, C = 0.95, 0.3
PATHS = np.linspace(0.05, 3, 60)  # mu L


def noisy_pairs(photons, n=60_000, seed=0):
    rng = np.random.default_rng(seed)
    clean = np.exp(-rng.uniform(0, 3, n))
    mixed = PHI0 * clean + (1 - PHI0) * clean**C
    return tuple(np.maximum(rng.poisson(photons * image), 0.5) / photons for image in (clean, mixed))


@pytest.mark.parametrize("photons", [1000, 10_000])
def test_noisy_pairs_give_the_model_back(photons):
    a, b = noisy_pairs(photons)
    fit, stray = fit_dual_energy(a, b, incident_photons=(photons, photons)), fit_stray_light(a, b)
    assert fit.phi0 == pytest.approx(PHI0, abs=0.02)
    assert pytest.approx(C, rel=0.1) == fit.c
    assert fit.residual < stray.residual
    mixed = dual_energy_transmission(np.exp(-PATHS), PHI0, C)

    def bias(transmission):
        return np.abs(-np.log(transmission) / PATHS - 1).max()

    assert bias(mixed) > 0.09
    assert bias(invert_dual_energy(mixed, fit.phi0, fit.c)) < 0.01
    assert bias(invert_stray_light(mixed, stray.gain, stray.offset)) > 0.02


def test_noise_of_the_clean_image_biases_a_fit_that_ignores_it():
    a, b = noisy_pairs(1000)
    plain, aware = fit_dual_energy(a, b), fit_dual_energy(a, b, incident_photons=(1000, 1000))
    assert abs(aware.c - C) < 0.03 < abs(plain.c - C)


def test_stray_light_is_a_second_energy_that_is_not_absorbed():
    clean = np.exp(-PATHS)
    mixed = 0.9 * clean + 0.1
    fit, stray = fit_dual_energy(clean, mixed), fit_stray_light(clean, mixed)
    assert (fit.phi0, fit.c) == pytest.approx((0.9, 0), abs=1e-6)
    assert (stray.gain, stray.offset) == pytest.approx((0.9, 0.1))
    np.testing.assert_allclose(invert_stray_light(mixed, *stray[:2]), clean, rtol=1e-9)
    assert invert_stray_light([0.05], 0.9, 0.1).tolist() == [1e-5]


@pytest.mark.parametrize(("phi0", "c"), [(1.0, 0.5), (0.95, 0.3), (0.6, 0.0), (0.2, 0.8), (0.9, 1.0), (0.97, 1.6)])
def test_inversion_undoes_the_model(phi0, c):
    clean = np.exp(-np.linspace(-0.5, 8, 200)).reshape(20, 10)
    found = invert_dual_energy(dual_energy_transmission(clean, phi0, c), phi0, c)
    np.testing.assert_allclose(-np.log(found), -np.log(clean), atol=2e-5)


def test_a_second_energy_that_is_absorbed_more():
    clean = np.exp(-PATHS)
    fit = fit_dual_energy(clean, dual_energy_transmission(clean, 0.9, 2.5), c_range=(1.1, 5.0))
    assert (fit.phi0, fit.c) == pytest.approx((0.9, 2.5), abs=1e-4)


def test_values_beyond_the_table_stay_at_its_ends():
    ends = invert_dual_energy([1e-30, 50.0], 0.95, 0.3, largest_absorbance=6)
    np.testing.assert_allclose(ends, np.exp([-6, 1]))
    assert invert_dual_energy([0.05], 0.9, 0.0)[0] == pytest.approx(np.exp(-12))  # darker than the stray light alone


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: dual_energy_transmission([0.5], -0.1, 0.3), "phi0 is -0.1"),
        (lambda: dual_energy_transmission([0.5], 1.1, 0.3), "phi0 is 1.1"),
        (lambda: dual_energy_transmission([0.5], 0.9, -1), "c is -1"),
        (lambda: dual_energy_transmission([-0.5], 0.9, 0.3), "i_a holds -0.5"),
        (lambda: invert_dual_energy([0.0], 0.9, 0.3), "i_b holds 0.0"),
        (lambda: invert_dual_energy([0.5], 0.0, 0.3), "phi0 is 0.0"),
        (lambda: invert_dual_energy([0.5], 0.9, 0.3, largest_absorbance=0), "largest_absorbance is 0"),
        (lambda: invert_stray_light([0.5], -1, 0), "gain is -1"),
        (lambda: fit_dual_energy(PATHS[:5], PATHS[:5]), "there are 5 pairs"),
        (lambda: fit_dual_energy(PATHS, PATHS[:50]), r"i_b \(50,\), expected pairs"),
        (lambda: fit_dual_energy(PATHS, np.where(PATHS > 2, np.nan, PATHS)), "i_b holds nan"),
        (lambda: fit_dual_energy(np.full(20, 0.5), np.linspace(0.4, 0.6, 20)), "i_a is 0.5 in every pair"),
        (lambda: fit_stray_light(np.full(20, 0.5), np.linspace(0.4, 0.6, 20)), "i_a is 0.5 in every pair"),
        (lambda: fit_dual_energy(PATHS, PATHS, c_range=(0.5, 1.0)), "c_range is"),
        (lambda: fit_dual_energy(PATHS, PATHS, incident_photons=(0, 1)), "incident_photons are"),
    ],
)
def test_bad_input(call, said):
    with pytest.raises(InputError, match=said):
        call()


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_pairs_without_a_second_energy_do_not_determine_it(noise):
    clean = np.exp(-np.linspace(0.01, 3, 5000))
    same = clean * (1 + noise * np.random.default_rng(0).standard_normal(clean.size))
    with pytest.raises(InputError, match="do not determine c"):
        fit_dual_energy(clean, same)
