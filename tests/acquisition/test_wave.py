"""Images out of focus, against quadrature and against limits that are known in closed form."""

import numpy as np
import pytest
from scipy.special import j0

from sxtbench.acquisition.diffraction import point_intensity
from sxtbench.acquisition.optics import blur_in_focus, incoherent_otf, numerical_aperture, wavelength_nm
from sxtbench.acquisition.wave import blur_out_of_focus, defocused_otf, image_partly_coherent, source_points
from sxtbench.enhancement import paganin

LENS = {"outer_zone_width_nm": 30.0, "energy_ev": 500.0}
ON_AXIS = np.zeros((1, 2))


def test_in_focus_it_is_the_known_otf() -> None:
    f = np.linspace(0, 1 / 25, 40)
    np.testing.assert_allclose(defocused_otf(f, defocus_nm=0.0, **LENS), incoherent_otf(f, 30.0), atol=1e-9)


@pytest.mark.parametrize("defocus_nm", [700.0, -1500.0])
def test_out_of_focus_it_is_the_transform_of_the_point_image(defocus_nm: float) -> None:
    wavelength, aperture = wavelength_nm(500), numerical_aperture(500, 30)
    r = np.linspace(0, 6000, 12001)
    u, v = 2 * np.pi / wavelength * aperture**2 * defocus_nm, 2 * np.pi / wavelength * aperture * r
    image = point_intensity([u], v)[0] * np.exp(-((r / 3500) ** 6)) * r  # a soft end of the tail
    f = np.array([1e-5, 1 / 120, 1 / 60, 1 / 40])
    transform = np.array([np.trapezoid(image * j0(2 * np.pi * q * r), r) for q in f])
    np.testing.assert_allclose(defocused_otf(f, defocus_nm=defocus_nm, **LENS), transform / transform[0], atol=4e-3)


def test_blur_in_focus_agrees() -> None:
    images = np.random.default_rng(1).random((2, 24, 30), np.float32)
    sharp = blur_in_focus(images, pixel_size_nm=40.0, outer_zone_width_nm=30.0)
    np.testing.assert_allclose(blur_out_of_focus(images, pixel_size_nm=40.0, defocus_nm=0.0, **LENS), sharp, atol=1e-6)


def weak_object(seed: int = 2) -> np.ndarray:
    """A weak absorber without fine structure, periodic."""
    rng = np.random.default_rng(seed)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(48), np.fft.fftfreq(48), indexing="ij"))
    smooth = np.fft.ifft2(np.fft.fft2(rng.normal(size=(48, 48))) * np.exp(-((f / 0.12) ** 2))).real
    return (0.01 * smooth / smooth.std())[None].astype(np.float32)


def test_many_source_points_are_incoherent_light() -> None:
    """A disc of sources wider than the lens, of a weak absorber: Abbe's sum comes to the incoherent OTF."""
    absorbance = weak_object()
    grid = np.linspace(-2.2, 2.2, 23)
    points = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    inside = points[np.hypot(*points.T) <= 2.2]
    common = {"pixel_size_nm": 20.0, "defocus_nm": 800.0, **LENS}
    phase = np.zeros_like(absorbance)
    image = image_partly_coherent(absorbance, phase, sources_na=inside, **common)
    blurred = blur_out_of_focus(np.exp(-absorbance), **common)
    part = (0, slice(12, -12), slice(12, -12))
    image, blurred = image[part] / image[part].mean(), blurred[part] / blurred[part].mean()
    assert np.corrcoef(image.ravel(), blurred.ravel())[0, 1] > 0.98
    assert np.polyfit(blurred.ravel(), image.ravel(), 1)[0] == pytest.approx(1, abs=0.08)


def test_an_empty_beam_stays_one_and_a_plain_slab_exact() -> None:
    slab = np.full((1, 16, 20), 0.4, np.float32)
    for absorbance, level in ((np.zeros_like(slab), 1.0), (slab, np.exp(-0.4))):
        image = image_partly_coherent(
            absorbance, 0.7 * slab, pixel_size_nm=40.0, defocus_nm=900.0, sources_na=source_points(0.5), **LENS
        )
        np.testing.assert_allclose(image, level, rtol=2e-5)


def test_paganin_undoes_a_coherent_step_of_one_material() -> None:
    """Where a pixel's Fresnel number is large and delta/beta one number, the filter finds the absorbance."""
    ratio, distance_um, pixel = 20.0, 40.0, 400.0
    absorbance = 10 * weak_object()
    lens = {"outer_zone_width_nm": 30.0, "energy_ev": 500.0}
    light = image_partly_coherent(
        absorbance,
        -ratio / 2 * absorbance,
        pixel_size_nm=pixel,
        defocus_nm=1000 * distance_um,
        sources_na=ON_AXIS,
        **lens,
    )
    given = {
        "distance_um": distance_um,
        "delta": ratio * 1e-4,
        "beta": 1e-4,
        "energy_ev": 500.0,
        "pixel_size_nm": pixel,
    }
    part = (0, slice(8, -8), slice(8, -8))
    fringed, found = -np.log(light[part]), paganin(light, **given)[part]
    truth = absorbance[part]
    assert np.std(found - truth) < 0.1 * np.std(fringed - truth)
    assert np.std(fringed - truth) > 0.3 * truth.std()


def test_sources_have_the_disc_s_mean_square_radius() -> None:
    points = source_points(0.5)
    # the centre's ninth has a radius of its own, which is left out
    assert np.mean(np.sum(points**2, axis=1)) == pytest.approx(0.5**2 / 2, rel=0.02)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-12)
