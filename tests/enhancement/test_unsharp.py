"""Unsharp masking: transfer, converters, bad input."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, gaussian_laplace
from skimage.filters import unsharp_mask as skimage_unsharp

from sxtbench.enhancement import amount_from_log, amount_from_mask_weight, unsharp_mask, unsharp_transfer
from sxtbench.errors import InputError

image = np.random.default_rng(4).normal(0.3, 0.2, (40, 44))


def test_it_is_scikit_image_s_without_the_clipping() -> None:
    expected = skimage_unsharp(image, radius=1.5, amount=0.8, preserve_range=True)
    inner = (slice(6, -6), slice(6, -6))  # its edges are mirrored
    np.testing.assert_allclose(unsharp_mask(image, sigma_px=1.5, amount=0.8)[inner], expected[inner], atol=1e-12)
    assert unsharp_mask(image, sigma_px=1.5, amount=3.0).min() < image.min() < 0


def test_a_wave_is_raised_as_the_transfer_says() -> None:
    x = np.arange(400)
    for cycles in (4, 16, 60):
        wave = np.cos(2 * np.pi * cycles * x / 400)
        found = unsharp_mask(wave, sigma_px=2.0, amount=0.7)[20:-20] @ wave[20:-20] / (wave[20:-20] @ wave[20:-20])
        assert found == pytest.approx(float(unsharp_transfer(cycles / 400, sigma_px=2.0, amount=0.7)), rel=2e-3)


def test_imagej_s_mask_weight_is_the_same_filter() -> None:
    weight = 0.6
    imagej = (image - weight * gaussian_filter(image, 2.0, mode="nearest")) / (1 - weight)
    np.testing.assert_allclose(unsharp_mask(image, sigma_px=2.0, amount=amount_from_mask_weight(weight)), imagej)


def test_the_laplacian_agrees_on_coarse_structure() -> None:
    x = np.arange(600)
    wave = np.cos(2 * np.pi * 6 * x / 600)
    log = wave - 3.0 * gaussian_laplace(wave, 2.0, mode="nearest")
    ours = unsharp_mask(wave, sigma_px=2.0, amount=amount_from_log(3.0, sigma_px=2.0))
    assert np.abs(ours - log)[60:-60].max() < 0.03 * np.abs(log - wave).max()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sigma_px": 0.0, "amount": 1.0}, "sigma_px is 0"),
        ({"sigma_px": 1.0, "amount": -0.1}, "amount is -0.1"),
        ({"sigma_px": 20.0, "amount": 1.0}, "longer than the image"),
    ],
)
def test_bad_settings_are_one_line(settings: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        unsharp_mask(image, **settings)
    with pytest.raises(InputError, match="finite"):
        unsharp_mask(np.array([1.0, np.inf]), sigma_px=0.1, amount=1.0)


def test_bad_converters() -> None:
    with pytest.raises(InputError, match="mask weight is 1"):
        amount_from_mask_weight(1.0)
