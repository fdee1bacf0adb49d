import numpy as np
import pytest

from sxtbench.acquisition.illumination import FlatFieldParameters, spoil_flat_field


def drawn(smooth=0.02, constant=0.01, shape=(400, 48, 64)):
    parameters = FlatFieldParameters(smooth_sd=smooth, global_sd=constant, correlation_share=0.25)
    light = np.ones(shape, np.float32)
    spoil_flat_field(light, parameters, np.random.default_rng(4))
    return np.log(light.astype(np.float64))


def test_log_amplitude_has_mean_zero_and_the_stated_spread_in_every_pixel():
    smooth = drawn(constant=0.0)
    assert abs(smooth.mean()) < 0.001
    assert smooth.std() == pytest.approx(0.02, rel=0.03)
    assert np.all(np.abs(smooth.std(axis=0) / 0.02 - 1) < 0.2)
    both = drawn()
    assert both.std() == pytest.approx(np.hypot(0.02, 0.01), rel=0.04)


def test_the_smooth_part_is_smooth_and_the_constant_part_constant():
    smooth = drawn(constant=0.0)
    assert np.abs(np.diff(smooth, axis=2)).mean() < 0.1 * smooth.std()
    across = np.corrcoef(smooth[:, 24, 8], smooth[:, 24, 8 + 48])[0, 1]
    assert abs(across) < 0.2
    constant = drawn(smooth=0.0)
    assert np.ptp(constant, axis=(1, 2)).max() < 1e-6
    assert constant[:, 0, 0].std() == pytest.approx(0.01, rel=0.15)


def test_the_field_does_not_depend_on_its_sampling():
    coarse, fine = drawn(shape=(3, 48, 64)), drawn(shape=(3, 96, 128))
    np.testing.assert_allclose(fine.reshape(3, 48, 2, 64, 2).mean(axis=(2, 4)), coarse, atol=2e-3)
