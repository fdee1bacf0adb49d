import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.texture import CORRELATION_PER_SPACING, gradient_noise, texture_spacings_um


@pytest.mark.parametrize("spacing_um", [0.1, 0.2, 0.4])
def test_zero_mean_and_unit_sd(spacing_um: float) -> None:
    noise = gradient_noise(VolumeGrid((96, 96, 96), 30.0), spacing_um, 2**63 + 11)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.04
    assert noise.std() == pytest.approx(1.0, abs=0.02)


def test_a_point_has_one_value_whatever_the_grid_and_the_threads() -> None:
    wide = gradient_noise(VolumeGrid((40, 20, 48), 35.0), 0.13, 5, workers=1)
    crop = gradient_noise(VolumeGrid((20, 20, 24), 35.0), 0.13, 5, workers=3)
    assert np.array_equal(wide[10:30, :, 12:36], crop)
    fine = gradient_noise(VolumeGrid((41, 41, 41), 35.0), 0.5, 5)
    coarse = gradient_noise(VolumeGrid((21, 21, 21), 70.0), 0.5, 5)
    np.testing.assert_allclose(fine[::2, ::2, ::2], coarse, atol=1e-5)


def test_another_key_is_another_realisation() -> None:
    grid = VolumeGrid((64, 64, 64), 35.0)
    a, b = gradient_noise(grid, 0.15, 1), gradient_noise(grid, 0.15, 2)
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05


def test_correlation_length_in_spacings() -> None:
    voxel_um, spacing_um = 0.025, 0.25
    noise = gradient_noise(VolumeGrid((128, 128, 128), voxel_um * 1000), spacing_um, 9)
    power = np.abs(np.fft.fftn(noise)) ** 2
    correlation = np.fft.ifftn(power).real / power.mean() / noise.size * noise.size
    correlation /= correlation[0, 0, 0]
    for line in (correlation[:20, 0, 0], correlation[0, :20, 0], correlation[0, 0, :20]):
        crossing = np.interp(-1 / np.e, -line[:9], np.arange(9)) * voxel_um / spacing_um
        assert crossing == pytest.approx(CORRELATION_PER_SPACING, rel=0.08)


def test_octaves_that_voxels_cannot_hold_are_left_out() -> None:
    assert len(texture_spacings_um((0.04, 0.12), 0.035)) == 3
    assert min(texture_spacings_um((0.04, 0.12), 0.07)) >= 0.14
    assert len(texture_spacings_um((0.04, 0.12), 1.0)) == 1
    with pytest.raises(InputError, match="expected 0 < shortest <= longest"):
        texture_spacings_um((0.12, 0.04), 0.035)
    with pytest.raises(InputError, match="must be positive"):
        gradient_noise(VolumeGrid((8, 8, 8), 35.0), 0.0, 1)
