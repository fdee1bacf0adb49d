import numpy as np
import pytest

from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.deformation import DeformationParameters, draw_deformation
from sxtbench.specimens.shapes import Body, Shape, capsule, ellipsoid, random_rotation
from sxtbench.specimens.voxelise import Texture, voxelise


def _body(shape: Shape, label: int = 1, lac: float = 0.35, sd: float = 0.0) -> Body:
    return Body("thing", label, 1, lac, sd, (shape,))


TURN = random_rotation(np.random.default_rng(4))


@pytest.mark.parametrize(
    "shape",
    [
        ellipsoid([0.013, 0.02, -0.03], 0.8),
        ellipsoid([0.013, 0.02, -0.03], [0.9, 0.7, 0.8], TURN),
        capsule([-0.5, 0.1, 0.0], [0.5, -0.2, 0.3], 0.45),
    ],
)
def test_volume_and_partial_volume(shape: Shape) -> None:
    grid = VolumeGrid((64, 64, 64), 40.0)
    voxels = voxelise([_body(shape)], grid)
    unit = grid.voxel_size_um**3
    assert (voxels.labels == 1).sum() * unit == pytest.approx(shape.volume_um3, rel=0.01)
    assert voxels.lac.sum(dtype=float) * unit / 0.35 == pytest.approx(shape.volume_um3, rel=0.002)
    assert voxels.coverage.sum(dtype=float) * unit == pytest.approx(voxels.volumes_um3[0])
    z, y, x = np.meshgrid(*grid.axes_um(), indexing="ij")
    centres = np.stack([z, y, x], axis=-1).reshape(-1, 3)
    assert np.array_equal(voxels.labels.ravel() == 1, shape.contains(centres))
    assert np.array_equal((voxels.bodies > 0), voxels.labels > 0)


def test_a_wall_thinner_than_a_voxel_keeps_its_mass() -> None:
    grid = VolumeGrid((64, 64, 64), 90.0)
    outer, inner = ellipsoid([0, 0, 0], 2.0), ellipsoid([0, 0, 0], 1.97)
    voxels = voxelise([_body(outer, lac=0.45), _body(inner, lac=0.30)], grid)
    wall = outer.volume_um3 - inner.volume_um3
    expected = 0.45 * wall + 0.30 * inner.volume_um3
    assert voxels.lac.sum(dtype=float) * grid.voxel_size_um**3 == pytest.approx(expected, rel=0.002)
    assert voxels.volumes_um3[0] == pytest.approx(wall, rel=0.05)
    assert voxels.coverage.max() == 1.0


def test_later_bodies_cover_and_the_edge_is_a_mixture() -> None:
    grid = VolumeGrid((32, 32, 32), 50.0)
    bodies = [_body(ellipsoid([0, 0, 0], 0.7), 1, 0.3), _body(ellipsoid([0, 0, 0.1], 0.3), 3, 0.7)]
    voxels = voxelise(bodies, grid)
    assert voxels.labels[15, 15, 17] == 3
    assert voxels.lac[15, 15, 17] == pytest.approx(0.7)
    assert voxels.lac.max() <= np.float32(0.7)
    edge = (voxels.lac > 0.32) & (voxels.lac < 0.68)
    assert edge.any()
    assert (voxels.coverage[edge] == 1.0).all()


def test_deformed_labels_and_lac_share_one_field() -> None:
    grid = VolumeGrid((64, 64, 64), 50.0)
    field = draw_deformation(
        DeformationParameters(sd_um=0.1, correlation_um=0.9), grid.size_um, np.random.default_rng(5)
    )
    shape = ellipsoid([0, 0, 0], [1.0, 1.1, 0.9])
    plain, bent = voxelise([_body(shape)], grid), voxelise([_body(shape)], grid, deformation=field)
    assert (plain.labels != bent.labels).sum() > 300
    full, empty = bent.coverage > 0.999, bent.coverage < 0.001
    assert (bent.labels[full] == 1).all()
    assert (bent.labels[empty] == 0).all()
    assert abs(bent.coverage.sum(dtype=float) / (bent.labels > 0).sum() - 1) < 0.005
    centres = np.stack(np.meshgrid(*grid.axes_um(), indexing="ij"), axis=-1).reshape(-1, 3)
    assert np.array_equal(bent.labels.ravel() == 1, shape.contains(centres + field.at(centres)))


def test_partial_volume_follows_the_bent_surface() -> None:
    """Coverage of coarse voxels equals the mean of a fivefold finer rendering of the same field."""
    field = draw_deformation(
        DeformationParameters(sd_um=0.1, correlation_um=0.9), (3.2, 3.2, 3.2), np.random.default_rng(5)
    )
    bodies = [_body(ellipsoid([0, 0, 0], [1.0, 1.1, 0.9]))]
    coarse = voxelise(bodies, VolumeGrid((32, 32, 32), 100.0), deformation=field).coverage
    fine = voxelise(bodies, VolumeGrid((160, 160, 160), 20.0), deformation=field).coverage
    mean = fine.reshape(32, 5, 32, 5, 32, 5).mean(axis=(1, 3, 5))
    edge = (mean > 0.001) & (mean < 0.999)
    assert np.sqrt(np.mean((coarse - mean)[edge] ** 2)) < 0.04
    assert coarse.sum(dtype=float) == pytest.approx(fine.sum(dtype=float) / 125, rel=0.002)


def test_texture_has_the_sd_of_its_body() -> None:
    grid = VolumeGrid((96, 96, 96), 35.0)
    bodies = [
        _body(ellipsoid([0, 0, 0], 1.6), 1, 0.346, 0.03),
        _body(ellipsoid([0, 0, 0.5], 0.8), 2, 0.182, 0.015),
        _body(ellipsoid([0, 0, -0.9], 0.4), 3, 0.62, 0.0),
    ]
    voxels = voxelise(bodies, grid, texture=Texture((0.077, 0.133, 0.231), 99))
    pure = voxelise(bodies, grid)
    for label, mean, sd in ((1, 0.346, 0.03), (2, 0.182, 0.015), (3, 0.62, 0.0)):
        inside = (voxels.labels == label) & np.isclose(pure.lac, mean, atol=1e-6)
        assert voxels.lac[inside].mean() == pytest.approx(mean, abs=0.001)
        assert voxels.lac[inside].std() == pytest.approx(sd, rel=0.06, abs=1e-6)
    assert not voxels.lac[voxels.coverage == 0].any()


def test_nothing_and_out_of_sight() -> None:
    grid = VolumeGrid((8, 8, 8), 50.0)
    for bodies in ([], [_body(ellipsoid([9, 9, 9], 0.5))]):
        voxels = voxelise(bodies, grid)
        assert not voxels.labels.any()
        assert voxels.volumes_um3.shape == (len(bodies),)
    cut = voxelise([_body(ellipsoid([0, 0, 0.2], 0.2))], grid)
    assert cut.labels[:, :, -1].any()
