import numpy as np
import pytest
from phantoms import Grain

from sxtbench.studies.flat_field import counted, with_photon_noise, z_normalising_flat_field
from sxtbench.studies.scans import make_bench, paper_lens


@pytest.fixture(scope="module")
def bench():
    return make_bench(Grain().cylinder, radius_um=2.0, slices=3, voxel_size_nm=50.0, region_um=1.5)


def test_the_lenses_are_the_papers():
    for width, rayleigh, depth in ((35, 45.43, 2312.4), (60, 77.87, 6795.6)):
        lens = paper_lens(width)
        assert lens.rayleigh_nm == pytest.approx(rayleigh, abs=0.01)
        assert lens.depth_of_field_nm == pytest.approx(depth, abs=0.1)
        row = lens.psf([0.0], 20.0, 5)[0, 5, 5:]
        wanted = {35: [0.19824, 0.09368, 0.00786, 0.00697], 60: [0.07848, 0.06131, 0.02745, 0.00552]}[width]
        np.testing.assert_allclose(row[:4], wanted, atol=1e-4)


def test_the_region_has_the_parity_of_the_detector_and_lies_in_its_middle(bench):
    assert (bench.columns - bench.region_px) % 2 == 0
    assert bench.truth.shape == (3, 81, 81)
    assert bench.tall.shape[0] == 3 + 2 * bench.margin
    scan = bench.image(2, 35)
    cut = bench.interior(scan)
    assert cut.shape == (2, 3, bench.region_px)
    middle = (bench.columns - 1) // 2
    np.testing.assert_array_equal(cut[:, :, (bench.region_px - 1) // 2], scan[:, :, middle])


def test_what_the_lens_sees_is_what_the_projector_sees_but_for_the_blur(bench):
    views = 4
    sharp, seen = bench.operator(views)(bench.truth), bench.image(views, 35, infinite_depth_of_field=True)
    assert seen.shape == sharp.shape
    assert seen.sum() == pytest.approx(sharp.sum(), rel=0.02)
    assert np.corrcoef(sharp.ravel(), seen.ravel())[0, 1] > 0.99
    turned = bench.operator(views)(np.ascontiguousarray(bench.truth[:, ::-1]))
    assert np.linalg.norm(sharp[1] - seen[1]) < 0.5 * np.linalg.norm(turned[1] - seen[1])


def test_light_makes_rows_alike_whatever_their_thickness(bench):
    light = bench.light(3)
    assert light.shape == (3, 3, 1)
    assert np.all(light > 1)
    ideal = np.zeros((1, 2, 4), np.float32)
    ideal[0, 1, :2] = np.log(3.0)
    np.testing.assert_allclose(z_normalising_flat_field(ideal)[0, :, 0], [1.0, 2.0], rtol=1e-6)


def test_noise_has_the_variance_of_the_counts_and_repeats():
    absorbance = np.full((4, 50, 200), 0.7, np.float32)
    photons = 4000.0
    data = with_photon_noise(absorbance, np.zeros_like(absorbance), photons, 11)
    assert data.mean() == pytest.approx(0.7, abs=1e-3)
    assert data.var() == pytest.approx(np.exp(0.7) / photons, rel=0.05)
    np.testing.assert_array_equal(data, with_photon_noise(absorbance, np.zeros_like(absorbance), photons, 11))
    assert np.isfinite(counted(np.full((1, 1, 9), 20.0, np.float32), np.full((1, 1, 1), 3.0), 1)).all()
