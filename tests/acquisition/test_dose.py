import numpy as np
import pytest

from sxtbench.acquisition.dose import accumulated_dose, dose_ratio, interior_photons, published_schemes, scheme_dose
from sxtbench.acquisition.strip import project_strips
from sxtbench.errors import InputError

ANGLES = np.arange(12) * 15.0
PUBLISHED_RATIO = 2.294312200191294


def disc(lac, n=176, voxel_um=0.1, radius_um=8.0):
    """A disc's LAC, voxels on its edge in part, shape (1, n, n)."""
    axis = (np.arange(4 * n) - (4 * n - 1) / 2) * voxel_um / 4
    inside = axis[:, None] ** 2 + axis**2 < radius_um**2
    return (lac * inside.reshape(n, 4, n, 4).mean(axis=(1, 3))).astype(np.float32)[None]


@pytest.mark.parametrize(("lac", "ratio"), [(1e-4, 2.146), (0.1, 2.342), (0.2, 2.478), (0.28, 2.545)])
def test_dose_ratio_of_a_disc(lac, ratio):
    volume = disc(lac)
    found = dose_ratio(volume, ANGLES, voxel_size_nm=100, columns=60)
    assert found == pytest.approx(ratio, rel=5e-3)
    full, region = (
        accumulated_dose(volume, ANGLES, voxel_size_nm=100, columns=columns).sum(dtype=np.float64)
        for columns in (None, 60)
    )
    assert found == pytest.approx(full / region, rel=5e-4)


def test_what_is_absorbed_is_what_does_not_leave():
    rng = np.random.default_rng(0)
    volume = np.zeros((3, 60, 60), np.float32)
    volume[:, 10:50, 15:40] = np.kron(rng.uniform(0.1, 1.0, (3, 8, 5)), np.ones((1, 5, 5)))
    for angle in (0.0, 90.0, 37.0, 217.0):
        dose = accumulated_dose(volume, [angle], voxel_size_nm=50)
        left = -np.expm1(-project_strips(volume, [angle], voxel_size_um=0.05, columns=90)[0])
        np.testing.assert_allclose(dose.sum(axis=(1, 2)) * 0.05, left.sum(axis=1), rtol=5e-3)


def test_light_comes_from_where_v_is_negative():
    volume = np.full((1, 40, 40), 2.0, np.float32)
    middle = {angle: accumulated_dose(volume, [angle], voxel_size_nm=50)[0] for angle in (0, 90, 180, 270)}
    depth = np.exp(-2.0 * 0.05 * (np.arange(40) + 0.5)) * 2
    np.testing.assert_allclose(middle[0][:, 20], depth, rtol=1e-5)  # v = y
    np.testing.assert_allclose(middle[180][:, 20], depth[::-1], rtol=1e-5)
    np.testing.assert_allclose(middle[90][20], depth[::-1], rtol=1e-5)  # v = -x
    np.testing.assert_allclose(middle[270][20], depth, rtol=1e-5)


def test_a_narrow_beam_lights_its_columns_only():
    volume = np.full((1, 31, 31), 1e-6, np.float32)
    lit = accumulated_dose(volume, [0], voxel_size_nm=20, columns=7, column_offset_px=[4])[0] / 1e-6
    expected = np.zeros(31)
    expected[15 + 4 - 3 : 15 + 4 + 4] = 1
    np.testing.assert_allclose(lit, np.tile(expected, (31, 1)), atol=1e-5)
    # turned by 90 degrees u is y
    turned = accumulated_dose(volume, [90], voxel_size_nm=20, columns=7, column_offset_px=4)[0] / 1e-6
    np.testing.assert_allclose(turned, np.tile(expected[:, None], (1, 31)), atol=1e-5)
    share = dose_ratio(volume, [0, 90], voxel_size_nm=20, columns=7, column_offset_px=4)
    assert share == pytest.approx(31 / 7, rel=1e-4)


def test_threads_do_not_change_a_bit():
    volume = np.random.default_rng(0).random((5, 30, 30), np.float32)
    one = accumulated_dose(volume, ANGLES, voxel_size_nm=50, threads=1)
    assert np.array_equal(one, accumulated_dose(volume, ANGLES, voxel_size_nm=50, threads=3))


def test_published_photons_of_interior_images():
    found = [int(interior_photons(1000, PUBLISHED_RATIO, 499, n)) for n in (11, 23, 47, 97, 199, 307, 389)]
    assert found == [2243, 2188, 2078, 1848, 1379, 882, 505]


@pytest.mark.parametrize(("n_full", "n_interior"), [(0, None), (23, None), (19, 92), (499, 10)])
def test_dose_stays_the_same(n_full, n_interior):
    full, region = 3.7, 1.3
    photons = interior_photons(1000, full / region, 499, n_full, n_interior)
    total = n_full * 1000 * full + (n_interior or 499) * photons * region
    assert total == pytest.approx(499 * 1000 * full, rel=1e-14)


def test_three_published_schemes_of_equal_dose():
    volume = disc(0.25, n=60, voxel_um=0.3)
    every = np.arange(97) * 360 / 97
    ratio = dose_ratio(volume, every, voxel_size_nm=300, columns=20)
    schemes = published_schemes(ratio, 20)
    images = {name: [beam.angles_deg.size for beam in beams] for name, beams in schemes.items()}
    assert images == {"half rotation": [97], "full rotation": [97], "combined": [19, 97]}
    doses = {name: scheme_dose(volume, beams, voxel_size_nm=300)[0] for name, beams in schemes.items()}
    totals = [dose.sum() for dose in doses.values()]
    np.testing.assert_allclose(totals, totals[0], rtol=2e-3)
    # half a turn burns one side, the full turn both alike, the combined scan its region
    near, far = doses["half rotation"][30, 50], doses["half rotation"][30, 9]
    assert near > 1.5 * far
    assert doses["full rotation"][30, 50] == pytest.approx(doses["full rotation"][30, 9], rel=0.03)
    assert doses["combined"][30, 30] > 1.3 * doses["full rotation"][30, 30]
    assert doses["combined"][30, 52] < 0.9 * doses["full rotation"][30, 52]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"volume": np.ones((3, 3), np.float32)}, "the volume has shape"),
        ({"angles_deg": [np.inf]}, "angles_deg"),
        ({"voxel_size_nm": -20}, "voxel_size_nm is -20"),
        ({"columns": 0}, "columns is 0"),
        ({"column_offset_px": [1, 2]}, r"column_offset_px has shape \(2,\)"),
    ],
)
def test_impossible_doses_are_refused(bad, message):
    arguments = {"volume": np.ones((1, 3, 3), np.float32), "angles_deg": [0.0], "voxel_size_nm": 20} | bad
    with pytest.raises(InputError, match=message):
        accumulated_dose(arguments.pop("volume"), arguments.pop("angles_deg"), **arguments)


def test_impossible_budgets_are_refused():
    for arguments, message in (
        ((1000, 2.3, 499, 500), "n_full is 500"),
        ((1000, 2.3, 499, -1), "n_full is -1"),
        ((0, 2.3, 499, 1), "incident_photons is 0"),
        ((1000, float("nan"), 499, 1), "ratio is nan"),
        ((1000, 2.3, 499, 1, 0), "n_interior is 0"),
    ):
        with pytest.raises(InputError, match=message):
            interior_photons(*arguments)
    with pytest.raises(InputError, match="nothing is absorbed"):
        dose_ratio(np.zeros((1, 3, 3), np.float32), [0], voxel_size_nm=20, columns=2)
