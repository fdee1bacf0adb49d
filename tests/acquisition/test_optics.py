import numpy as np
import pytest
from scipy import ndimage

from sxtbench.acquisition.optics import (
    ZonePlate,
    blur_in_focus,
    frequency_of_otf_power,
    incoherent_otf,
    numerical_aperture,
    otf_power,
    xm2,
)
from sxtbench.errors import InputError


def test_otf_is_the_autocorrelation_of_a_disc():
    rho = np.linspace(0, 1.2, 61)
    otf = incoherent_otf(rho / 40, 40)
    assert otf[0] == pytest.approx(1)
    assert np.all(otf[50:] == 0)
    assert np.all(np.diff(otf[:51]) < 0)
    y, x = np.mgrid[-1:1:801j, -1:1:801j]
    overlap = [np.count_nonzero((x**2 + y**2 < 1) & ((x - 2 * r) ** 2 + y**2 < 1)) for r in (0, 0.25, 0.5, 0.8)]
    np.testing.assert_allclose(
        incoherent_otf([0, 0.25 / 40, 0.5 / 40, 0.8 / 40], 40), np.array(overlap) / overlap[0], atol=2e-3
    )


def test_numerical_apertures_of_the_protocol():
    assert numerical_aperture(517, 35) == pytest.approx(0.0343, abs=5e-5)
    assert numerical_aperture(517, 60) == pytest.approx(0.0200, abs=5e-5)


def test_a_line_grating_is_damped_by_the_otf():
    pixel, period = 10.0, 100.0
    u = np.arange(400) * pixel
    image = (1 + np.cos(2 * np.pi * u / period))[None, None].repeat(300, axis=1).astype(np.float32)
    middle = blur_in_focus(image, pixel_size_nm=pixel, outer_zone_width_nm=40)[0, 100:200, 100:300]
    assert (middle.max() - middle.min()) / 2 == pytest.approx(float(incoherent_otf(1 / period, 40)), abs=5e-3)


def test_blur_keeps_the_mean_the_edges_and_light_positive():
    rng = np.random.default_rng(0)
    inside = np.zeros((3, 90, 110), np.float32)
    inside[:, 30:60, 30:80] = rng.random((3, 30, 50))
    blurred = blur_in_focus(inside, pixel_size_nm=30, outer_zone_width_nm=40)
    np.testing.assert_allclose(blurred.mean(axis=(1, 2)), inside.mean(axis=(1, 2)), rtol=5e-3)
    assert blurred.min() >= 0
    flat = np.full((1, 20, 31), 0.7, np.float32)
    np.testing.assert_allclose(blur_in_focus(flat, pixel_size_nm=45, outer_zone_width_nm=40), flat, rtol=1e-5)


def test_shifts_move_the_content_and_threads_change_nothing():
    image = ndimage.gaussian_filter(np.random.default_rng(0).random((2, 60, 70)), (0, 4, 4)).astype(np.float32)
    still = blur_in_focus(image, pixel_size_nm=20, outer_zone_width_nm=40, threads=1)
    shifts = np.array([[0.0, 0.0], [2.5, -1.25]])
    moved = blur_in_focus(image, pixel_size_nm=20, outer_zone_width_nm=40, shifts_px=shifts, threads=3)
    np.testing.assert_allclose(moved[0], still[0], atol=1e-4)
    expected = ndimage.shift(still[1], shifts[1], order=3, mode="nearest")
    np.testing.assert_allclose(moved[1, 10:-10, 10:-10], expected[10:-10, 10:-10], atol=1e-3)
    again = blur_in_focus(image, pixel_size_nm=20, outer_zone_width_nm=40, threads=3)
    assert np.array_equal(again, still)


def test_zone_plates_of_the_protocol_and_of_the_paper():
    here = ZonePlate(outer_zone_width_nm=35, energy_ev=517)
    assert here.numerical_aperture == pytest.approx(0.0343, abs=5e-5)
    assert here.rayleigh_nm == pytest.approx(42.7, abs=0.05)
    assert here.depth_of_field_nm == pytest.approx(2043, abs=0.5)
    assert here.cutoff_per_nm == pytest.approx(1 / 35)
    for width, aperture, rayleigh, depth in ((35, 0.03220369, 45.43, 2312.4), (60, 0.01878548, 77.87, 6795.6)):
        lens = xm2(width, design_energy_ev=550)
        assert lens.numerical_aperture == pytest.approx(aperture, abs=1e-8)
        assert lens.rayleigh_nm == pytest.approx(rayleigh, abs=5e-3)
        assert lens.depth_of_field_nm == pytest.approx(depth, abs=0.06)


# the authors' arrays: a row in focus from the centre outwards, central weights at some depths in um
ROWS = {
    35: [0.19824, 0.09368, 0.00786, 0.00697, 0.00077, 0.00140],
    60: [0.07848, 0.06131, 0.02745, 0.00552, 0.00127, 0.00215],
}
CENTRES = {
    35: {0: 0.1982, 1: 0.1776, 2: 0.1266, 3: 0.0705, 4: 0.0312, 5: 0.0156, 6: 0.0153, 8: 0.0149},
    60: {0: 0.0785, 1: 0.0775, 2: 0.0744, 3: 0.0697, 4: 0.0634, 5: 0.0561, 6: 0.0481, 8: 0.0319},
}


@pytest.mark.parametrize("width", [35, 60])
def test_psf_on_the_papers_window_and_depths(width):
    depths = (np.linspace(0, 2048, 2048) - 1024) * 20
    nearest = [int(np.argmin(np.abs(depths - 1000 * z))) for z in CENTRES[width]]
    psf = xm2(width, design_energy_ev=550).psf(depths[nearest], pixel_size_nm=20, half_width=5)
    assert psf.shape == (8, 11, 11)
    np.testing.assert_allclose(psf[0, 5, 5:], ROWS[width], atol=1e-4)
    np.testing.assert_allclose(psf[:, 5, 5], list(CENTRES[width].values()), atol=1e-4)
    np.testing.assert_allclose(psf.sum(axis=(1, 2)), 1, rtol=1e-12)
    mirrored = xm2(width, design_energy_ev=550).psf(-depths[nearest], half_width=5)
    assert np.abs(psf - mirrored).max() < 3.5e-3 * psf.max()


def test_half_height_of_35_nm_lies_at_2450_nm():
    centre = xm2(35, design_energy_ev=550).psf([0, 2450], half_width=5)[:, 5, 5]
    assert centre[1] / centre[0] == pytest.approx(0.5, abs=5e-3)


def test_at_one_energy_both_sides_of_focus_are_equal():
    lens = ZonePlate(outer_zone_width_nm=35, energy_ev=517)
    psf = lens.psf([-3000, 3000, 0, 1000], half_width=6)
    np.testing.assert_allclose(psf[0], psf[1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(psf[2], psf[2].T[::-1], atol=1e-15)


def test_a_spectrum_moves_the_focus_and_is_a_little_lopsided():
    # by one sigma of energy the focus moves by 1.239 um; wavelengths of their own make the two sides of focus differ
    lens = xm2(35, design_energy_ev=550)
    one = ZonePlate(outer_zone_width_nm=35, energy_ev=517, design_energy_ev=550)
    steps = np.linspace(-3, 3, 21)
    weights = np.exp(-(steps**2) / 2)
    expected = weights @ one.psf(steps * 1239, half_width=5)[:, 5, 5] / weights.sum()
    assert lens.psf([0.0], half_width=5)[0, 5, 5] == pytest.approx(expected, rel=1e-3)
    behind, before = lens.psf([2000, -2000], half_width=5)[:, 5, 5]
    assert 2e-4 < abs(behind - before) < 1e-3


def test_psf_in_focus_has_the_transfer_function_of_the_in_focus_blur():
    lens = ZonePlate(outer_zone_width_nm=40, energy_ev=510)
    half, pixel = 160, 10.0
    window = lens.psf([0.0], pixel_size_nm=pixel, half_width=half)[0]
    frequency = np.array([0, 0.1, 0.3, 0.5, 0.8, 1.0, 1.5]) / 40
    line = window.sum(axis=0)
    found = [np.sum(line * np.cos(2 * np.pi * k * pixel * np.arange(-half, half + 1))) for k in frequency]
    np.testing.assert_allclose(found, lens.otf(frequency), atol=6e-3)  # what lies beyond the window
    np.testing.assert_allclose(lens.otf(frequency), incoherent_otf(frequency, 40))


def test_half_width_follows_the_cone_of_light():
    lens = ZonePlate(outer_zone_width_nm=35, energy_ev=517)
    assert lens.half_width(0) == 28
    assert lens.half_width(8000) == int(np.ceil(3 * lens.numerical_aperture * 8000 / 20))
    assert lens.psf([0, -8000]).shape == (2, 85, 85)
    # with this window nothing of the blur is lost: it agrees with a wider one
    wide = lens.psf([8000], half_width=90)[0]
    assert wide[48:-48, 48:-48].sum() > 0.97


def test_otf_power_is_the_integral_of_the_squared_otf():
    k = (np.arange(40000) + 0.5) / 40000 / 60
    cumulative = np.cumsum(incoherent_otf(k, 60) ** 2)
    at = [3999, 11999, 31999]
    edges = k[at] + 0.5 / 40000 / 60
    np.testing.assert_allclose(otf_power(edges, 1 / 60), cumulative[at] / cumulative[-1], atol=1e-6)
    lens = ZonePlate(outer_zone_width_nm=60, energy_ev=517)
    np.testing.assert_allclose(lens.otf_power(edges), otf_power(edges, 1 / 60))
    assert lens.otf_power(1.0) == 1


def test_published_sampling_limit_of_60_nm():
    # the paper's cutoff is 1.22 / dr, its radius 8 um; 0.26104 cycles a pixel there is this on a coarse grid
    frequency = frequency_of_otf_power(0.98, 1.22 / 60)
    assert frequency * 20 == pytest.approx(0.26104, abs=3e-4)
    assert int(np.ceil(2 * np.pi * frequency * 8000)) == 656
    lens = ZonePlate(outer_zone_width_nm=60, energy_ev=517)
    assert lens.otf_power(lens.frequency_of_otf_power(0.7)) == pytest.approx(0.7, abs=1e-9)
    assert frequency_of_otf_power(1.0, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"outer_zone_width_nm": 0}, "outer_zone_width_nm is 0"),
        ({"energy_ev": -517}, "energy_ev is -517"),
        ({"design_energy_ev": float("nan")}, "design_energy_ev is nan"),
        ({"focal_length_um": 0.0}, "focal_length_um is 0"),
        ({"monochromaticity": 300}, "without a focal_length_um"),
        ({"focal_length_um": 931, "monochromaticity": -1}, "monochromaticity is -1"),
    ],
)
def test_impossible_lenses_are_refused(bad, message):
    with pytest.raises(InputError, match=message):
        ZonePlate(**({"outer_zone_width_nm": 35, "energy_ev": 517} | bad))


def test_impossible_windows_frequencies_and_presets_are_refused():
    lens = ZonePlate(outer_zone_width_nm=35, energy_ev=517)
    for call, message in (
        (lambda: lens.psf([]), "depths_nm"),
        (lambda: lens.psf([np.inf]), "depths_nm"),
        (lambda: lens.psf([0], pixel_size_nm=0), "pixel_size_nm is 0"),
        (lambda: lens.psf([0], half_width=-1), "half_width is -1"),
        (lambda: lens.half_width(-5), "depth_nm is -5"),
        (lambda: lens.half_width(5, -20), "pixel_size_nm is -20"),
        (lambda: otf_power(0, 0), "cutoff_per_nm is 0"),
        (lambda: frequency_of_otf_power(0.5, -1), "cutoff_per_nm is -1"),
        (lambda: lens.frequency_of_otf_power(1.2), "share is 1.2"),
        (lambda: xm2(40), "expected 35 or 60"),
    ):
        with pytest.raises(InputError, match=message):
            call()
