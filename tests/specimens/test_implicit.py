import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.deformation import DeformationParameters, draw_deformation, identity
from sxtbench.specimens.implicit import Band, Blob, Noise, Region, Sum, add_membrane, noise_above
from sxtbench.specimens.shapes import Body, ellipsoid, random_rotation
from sxtbench.specimens.voxelise import voxelise

CENTRE = np.array([0.1, -0.2, 0.15])


def _ball(radius: float = 1.0) -> Blob:
    return Blob(ellipsoid(CENTRE, radius), identity())


def _irregular(seed: int = 3) -> Blob:
    rng = np.random.default_rng(seed)
    shape = ellipsoid(CENTRE, [1.0, 1.2, 0.9], random_rotation(rng))
    return Blob(shape, draw_deformation(DeformationParameters(sd_um=0.1, correlation_um=0.9), (4.0, 4.0, 4.0), rng))


def _body(*bands: Band, blob: Blob, label: int = 1, lac: float = 0.35, sd: float = 0.0) -> Body:
    return Body("thing", label, 1, lac, sd, (blob.shape,), Region(bands, blob.bounds_um + np.array([[-0.5], [0.5]])))


def _volume(blob: Blob) -> float:
    """Volume from the divergence theorem over a star of thin cones, by bisection along rays."""
    rng = np.random.default_rng(0)
    rays = rng.standard_normal((4000, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    low, high = np.zeros(len(rays)), np.full(len(rays), 2.0)
    for _ in range(24):
        middle = (low + high) / 2
        inside = blob.depth_um(CENTRE + middle[:, None] * rays) > 0
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return float(4 / 3 * np.pi * np.mean(low**3))


def test_a_plain_blob_is_the_ellipsoid() -> None:
    grid = VolumeGrid((60, 60, 60), 50.0)
    shape = ellipsoid(CENTRE, [0.8, 1.1, 0.9], random_rotation(np.random.default_rng(1)))
    blob = Blob(shape, identity())
    plain = voxelise([Body("thing", 1, 1, 0.35, 0.0, (shape,))], grid)
    implicit = voxelise([_body(Band(blob), blob=blob)], grid)
    assert (plain.labels != implicit.labels).sum() <= 2
    assert np.sqrt(np.mean((plain.coverage - implicit.coverage) ** 2)) < 0.003
    assert implicit.volumes_um3[0] == pytest.approx(shape.volume_um3, rel=0.002)


@pytest.mark.parametrize("edge_nm", [25.0, 100.0])
def test_an_irregular_blob_keeps_its_volume_on_every_grid(edge_nm: float) -> None:
    blob = _irregular()
    n = int(3600 / edge_nm)
    voxels = voxelise([_body(Band(blob), blob=blob)], VolumeGrid((n, n, n), edge_nm))
    assert voxels.coverage.sum(dtype=float) * (edge_nm / 1000) ** 3 == pytest.approx(_volume(blob), rel=0.01)
    assert abs(_volume(blob) / blob.shape.volume_um3 - 1) > 0.001
    assert np.abs(blob.depth_um(blob.surface_um)).max() < 1e-6


def test_coarse_coverage_is_the_mean_of_fine() -> None:
    blob = _irregular()
    bodies = [_body(Band(blob), blob=blob)]
    coarse = voxelise(bodies, VolumeGrid((30, 30, 30), 120.0)).coverage
    fine = voxelise(bodies, VolumeGrid((150, 150, 150), 24.0)).coverage
    mean = fine.reshape(30, 5, 30, 5, 30, 5).mean(axis=(1, 3, 5))
    edge = (mean > 0.001) & (mean < 0.999)
    assert np.sqrt(np.mean((coarse - mean)[edge] ** 2)) < 0.05


def test_depth_is_the_distance_near_the_surface() -> None:
    ball = _ball()
    points = CENTRE + np.array([[0.0, 0.0, 0.7], [0.0, 0.9, 0.0], [1.3, 0.0, 0.0]])
    np.testing.assert_allclose(ball.depth_um(points), [0.3, 0.1, -0.3], atol=1e-6)
    blob = _irregular()
    inward = blob.surface_um + 0.1 * (CENTRE - blob.surface_um)
    nearest = [np.linalg.norm(blob.surface_um - p, axis=1).min() for p in inward[::50]]
    np.testing.assert_allclose(blob.depth_um(inward[::50]), nearest, atol=0.03)
    moved = blob.scaled(2.0).moved(np.array([1.0, 2.0, 3.0]))
    there = np.array([1.0, 2.0, 3.0]) + 2.0 * (inward - CENTRE)
    np.testing.assert_allclose(moved.depth_um(there), 2.0 * blob.depth_um(inward), atol=1e-6)


@pytest.mark.parametrize("edge_nm", [25.0, 100.0])
def test_a_sheet_is_as_thick_as_it_should_be(edge_nm: float) -> None:
    blob = Blob(ellipsoid(CENTRE, [0.8, 1.1, 0.9]), identity())
    n = int(4000 / edge_nm)
    grid = VolumeGrid((n, n, n), edge_nm)
    around = 0.2
    sheet = voxelise([_body(Band(blob, around, -0.04, 0.04), blob=blob)], grid).volumes_um3[0]
    a, b, c = blob.shape.radii_um * (1 + around / blob.radius_um)
    area = 4 * np.pi * (((a * b) ** 1.6075 + (a * c) ** 1.6075 + (b * c) ** 1.6075) / 3) ** (1 / 1.6075)
    assert sheet == pytest.approx(area * 0.08, rel=0.02)


def test_bands_meet_and_later_bodies_cover() -> None:
    grid = VolumeGrid((60, 60, 60), 50.0)
    blob = _ball()
    half = Noise(0.8, 12345)
    bodies = [
        _body(Band(blob), blob=blob, label=4, lac=0.27),
        _body(Band(blob), Band(half, noise_above(0.3), 0.0, np.inf), blob=blob, label=5, lac=0.34),
        Body("ball", 3, 1, 0.7, 0.0, (ellipsoid(CENTRE, 0.3),)),
        _body(Band(blob, low=-0.1), blob=blob, label=6, lac=0.5),
    ]
    voxels = voxelise(bodies, grid)
    z, y, x = np.meshgrid(*grid.axes_um(), indexing="ij")
    away = np.sqrt((z - CENTRE[0]) ** 2 + (y - CENTRE[1]) ** 2 + (x - CENTRE[2]) ** 2)
    noise = half.on(*grid.axes_um())
    assert (voxels.labels[(away < 1.0) & (away > 0.9001)] == 6).all()
    assert (voxels.labels[away < 0.3] == 3).all()
    between = (away > 0.3001) & (away < 0.8999)
    assert np.array_equal(voxels.labels[between] == 5, noise[between] >= np.float32(noise_above(0.3)))
    assert (voxels.labels[away > 1.0001] == 0).all()
    assert voxels.volumes_um3.sum() == pytest.approx(4 / 3 * np.pi, rel=0.002)
    assert voxels.lac[away < 0.2] == pytest.approx(0.7)


def test_share_of_noise_above_a_level() -> None:
    noise = Sum(((0.8, Noise(0.25, 1)), (0.6, Noise(0.125, 2)))).on(*VolumeGrid((128, 128, 128), 40.0).axes_um())
    assert noise.std() == pytest.approx(1.0, rel=0.1)
    for share in (0.1, 0.3, 0.5, 0.8):
        assert (noise >= noise_above(share)).mean() == pytest.approx(share, abs=0.03)
    assert noise_above(0.0) > 4 > -4 > noise_above(1.0)


@pytest.mark.parametrize("blob", [_ball(), _irregular()], ids=["ball", "irregular"])
def test_a_membrane_keeps_its_mass_across_voxel_sizes(blob: Blob) -> None:
    masses = []
    for edge_nm in (20.0, 40.0, 80.0, 160.0):
        n = int(3600 / edge_nm)
        grid = VolumeGrid((n, n, n), edge_nm)
        lac = np.zeros(grid.shape, np.float32)
        add_membrane(lac, grid, blob, thickness_um=0.008, lac_per_um=1.0)
        masses.append(lac.sum(dtype=float) * grid.voxel_size_um**3)
        assert lac.max() < 1.2 * 8 / edge_nm * np.sqrt(3)
    np.testing.assert_allclose(masses, masses[0], rtol=0.02)
    if blob.deformation.largest_um == 0:
        assert masses[0] == pytest.approx(4 * np.pi * 0.996**2 * 0.008, rel=0.002)


def test_a_membrane_counts_above_what_is_there() -> None:
    grid = VolumeGrid((60, 60, 60), 50.0)
    masses = []
    for local in (0.0, 0.25):
        lac = np.full(grid.shape, local, np.float32)
        add_membrane(lac, grid, _ball(), thickness_um=0.008, lac_per_um=1.0, workers=3)
        masses.append((lac - np.float32(local)).sum(dtype=float))
    assert masses[1] == pytest.approx(0.75 * masses[0], rel=1e-4)
    unseen = np.zeros((4, 4, 4), np.float32)
    add_membrane(unseen, VolumeGrid((4, 4, 4), 50.0), _ball(3.0), thickness_um=0.008, lac_per_um=1.0)
    assert not unseen.any()


def test_at_most_three_bands() -> None:
    blob = _ball()
    with pytest.raises(InputError, match="region of 4 bands, at most 3"):
        voxelise([_body(*[Band(blob)] * 4, blob=blob)], VolumeGrid((8, 8, 8), 50.0))
