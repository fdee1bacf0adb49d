import numpy as np
import pytest
from scipy import ndimage

from sxtbench.acquisition.optics import blur_in_focus, incoherent_otf, numerical_aperture


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
