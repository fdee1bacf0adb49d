import numpy as np
import pytest

from sxtbench.acquisition.strip import project_strips
from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry

ANGLES = np.array([0.0, 0.003, 17.3, 36.8, 37.0, 45.0, 61.0, 90.0, 133.7, 180.0, -28.0, -70.0])


def blobs(shape, seed=0, count=25):
    """Random soft blobs, in a volume of some shape."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    volume = np.zeros(shape)
    for _ in range(count):
        c = rng.uniform(-0.5, 0.5, 3)
        r = rng.uniform(0.06, 0.2)
        volume += rng.uniform(0.1, 0.6) * (((z - c[0]) ** 2 + (y - c[1]) ** 2 + (x - c[2]) ** 2) < r**2)
    return volume.astype(np.float32)


def test_mass_is_conserved_at_every_angle():
    volume = np.random.default_rng(1).random((5, 21, 34), np.float32)
    projections = project_strips(volume, ANGLES, voxel_size_um=0.05, columns=64)
    mass = volume.sum(axis=(1, 2), dtype=np.float64) * 0.05**2
    np.testing.assert_allclose(projections.sum(axis=2, dtype=np.float64) * 0.05, np.tile(mass, (12, 1)), rtol=3e-6)


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, -62.0])
def test_one_voxel_casts_the_trapezoid_of_its_square(angle):
    volume = np.zeros((1, 9, 9), np.float32)
    volume[0, 6, 3] = 1
    found = project_strips(volume, [angle], voxel_size_um=1.0, columns=15)[0, 0]
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    fine = (np.arange(1000) + 0.5) / 1000 - 0.5
    u = (fine[:, None] - 1) * c + (fine[None, :] + 2) * s
    expected = np.histogram(u, bins=np.arange(16) - 7.5)[0] / 1e6
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_ellipse_has_its_analytic_line_integrals():
    n, edge, a, b = 256, 0.05, 3.6, 5.1
    axis = (np.arange(4 * n) - (4 * n - 1) / 2) * edge / 4
    inside = (axis[None, :] - 0.4) ** 2 / a**2 + (axis[:, None] + 0.7) ** 2 / b**2 < 1
    volume = inside.reshape(n, 4, n, 4).mean(axis=(1, 3)).astype(np.float32)[None] * 0.35
    projections = project_strips(volume, ANGLES, voxel_size_um=edge, columns=n)[:, 0]
    u = (np.arange(n) - (n - 1) / 2) * edge
    for angle, found in zip(np.deg2rad(ANGLES), projections, strict=True):
        c, s = np.cos(angle), np.sin(angle)
        reach = (a * c) ** 2 + (b * s) ** 2
        expected = 0.35 * 2 * a * b * np.sqrt(np.maximum(reach - (u - 0.4 * c + 0.7 * s) ** 2, 0)) / reach
        assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 4e-3


def test_a_positive_tilt_moves_what_lies_deep_to_the_right():
    volume = np.zeros((3, 41, 41), np.float32)
    volume[1, 20 + 8, 20 + 10] = 1
    projection = project_strips(volume, [30.0, -30.0], voxel_size_um=1.0, columns=41)
    assert not projection[:, [0, 2]].any()
    centre = projection[:, 1] @ (np.arange(41) - 20.0)
    np.testing.assert_allclose(centre, [10 * np.cos(np.pi / 6) + 4, 10 * np.cos(np.pi / 6) - 4], atol=0.05)


def test_it_is_another_discretisation_than_joseph():
    operators = pytest.importorskip("sxtbench.operators")
    volume = blobs((16, 96, 96))
    angles = np.linspace(-70, 70, 41)
    geometry = ParallelGeometry(angles_deg=angles, columns=96, slices=16, pixel_size_nm=70)
    joseph = operators.ParallelBeam(geometry, volume_shape=volume.shape)(volume)
    strips = project_strips(volume, angles, voxel_size_um=0.07, columns=96)
    difference = np.linalg.norm(strips - joseph) / np.linalg.norm(joseph)
    assert 1e-3 < difference < 0.1


def test_threads_do_not_change_a_bit():
    volume = blobs((70, 40, 52))
    one = project_strips(volume, ANGLES, voxel_size_um=0.1, columns=60, threads=1)
    assert np.array_equal(one, project_strips(volume, ANGLES, voxel_size_um=0.1, columns=60, threads=3))


def test_slices_and_truncated_detectors_are_parts_of_the_whole():
    volume = blobs((40, 30, 48), count=60)
    whole = project_strips(volume, ANGLES, voxel_size_um=0.1, columns=60)
    np.testing.assert_array_equal(project_strips(volume, ANGLES, voxel_size_um=0.1, columns=20), whole[:, :, 20:40])
    np.testing.assert_allclose(
        project_strips(volume[7:9], ANGLES, voxel_size_um=0.1, columns=60), whole[:, 7:9], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("bad", [{"angles_deg": []}, {"angles_deg": [np.nan]}, {"columns": 0}])
def test_impossible_geometries_are_refused(bad):
    arguments = {"angles_deg": [0.0], "voxel_size_um": 1.0, "columns": 3} | bad
    with pytest.raises(InputError):
        project_strips(np.ones((1, 3, 3), np.float32), **arguments)
