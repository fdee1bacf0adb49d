import numpy as np
import pytest
from flat_grid import CRACKS, FIDUCIALS, GENERATOR, GRID, IMPURITIES, ball, parameters

from sxtbench.acquisition.scene import _sphere_share, build_scene, to_target
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid


def built(lac=0.346, half_depth_um=1.5, **changes):
    coverage = ball()
    scene = build_scene(
        np.float32(lac) * coverage,
        coverage,
        GRID,
        half_depth_um=half_depth_um,
        parameters=parameters(**changes),
        generator=GENERATOR,
    )
    return scene, coverage


def test_ice_is_counted_once():
    lac = built()[0].lac()
    assert lac[40, 44, 48] == pytest.approx(0.346, abs=1e-6)
    y = GRID.axes_um()[1]
    assert np.allclose(lac[0, np.abs(y) < 2.2, 0], 0.106)
    assert np.all(lac[:, np.abs(y) > 2.3] == 0)
    assert lac[0, :, 0].sum() * GRID.voxel_size_um == pytest.approx(
        0.106 * 4.5, rel=1e-5
    )  # partial volume at the faces
    water, _ = built(lac=0.106)
    assert np.abs(water.excess).max() < 1e-6


def test_the_slab_holds_the_cells():
    assert built()[0].ice_thickness_um == 4.5
    assert built(half_depth_um=2.4)[0].ice_thickness_um == pytest.approx(5.2)


def test_cracks_are_voids_with_rims_outside_cells():
    plain, coverage = built()
    cracked, _ = built(cracks=CRACKS)
    change = cracked.excess - plain.excess
    mask = cracked.mask("cracks")
    assert 0.005 < mask.mean() < 0.15
    assert np.all(change[coverage == 1] == 0)
    assert not mask[coverage == 1].any()
    assert change.min() == pytest.approx(-0.106, abs=2e-3)
    assert 0.03 < change.max() < 0.1 + 1e-6
    assert np.abs(change[~mask]).max() < 0.011
    assert np.all(cracked.lac() >= -1e-6)
    assert not np.any(change[:, GRID.axes_um()[1] > 2.3])


def test_impurities_are_positive_blobs_in_ice():
    plain, coverage = built()
    dirty, _ = built(impurities=IMPURITIES)
    extra = dirty.excess - plain.excess
    assert extra.min() > -1e-6
    assert np.all(extra[coverage == 1] == 0)
    assert (
        np.array_equal(dirty.mask("impurities"), extra > 0.05)
        or np.mean(dirty.mask("impurities") != (extra > 0.05)) < 1e-5
    )
    assert 1e-3 < dirty.mask("impurities").mean() < 0.1


def test_beads_lie_apart_in_the_ice_and_hold_their_gold():
    plain, coverage = built()
    scene, _ = built(fiducials=FIDUCIALS)
    area = GRID.size_um[0] * GRID.size_um[2]
    assert len(scene.beads_um) == round(0.3 * area)
    gold = 4 / 3 * np.pi * scene.beads_um[:, 3] ** 3 * (23.7 - 0.106)
    added = (scene.excess - plain.excess).sum(dtype=np.float64) * GRID.voxel_size_um**3
    assert added == pytest.approx(gold.sum(), rel=0.02)
    assert not np.any(scene.mask("fiducials") & (coverage > 0))
    assert np.all(np.abs(scene.beads_um[:, 1]) + scene.beads_um[:, 3] < 2.25)


@pytest.mark.parametrize("diameter", [0.1, 0.17, 0.25])
@pytest.mark.parametrize("voxel", [35.0, 90.0])
def test_a_bead_keeps_its_volume_on_any_grid(diameter, voxel):
    rng = np.random.default_rng(0)
    for _ in range(5):
        bead = np.append(rng.uniform(-0.3, 0.3, 3), diameter / 2)
        share = _sphere_share(bead, VolumeGrid((40, 40, 40), voxel))[1]
        assert share.sum() * (voxel / 1000) ** 3 == pytest.approx(np.pi / 6 * diameter**3, rel=0.02)


def test_threads_do_not_change_a_bit():
    coverage = ball()
    scenes = [
        build_scene(
            0.3 * coverage,
            coverage,
            GRID,
            half_depth_um=1.5,
            parameters=parameters(cracks=CRACKS, impurities=IMPURITIES, fiducials=FIDUCIALS),
            generator=GENERATOR,
            threads=threads,
        )
        for threads in (1, 3)
    ]
    assert np.array_equal(scenes[0].excess, scenes[1].excess)


def test_the_target_is_the_mean_of_its_parts():
    volume = np.random.default_rng(0).random((4, 6, 12), np.float32)
    target = to_target(volume, factor=2, columns=4)
    np.testing.assert_allclose(target[1, 2, 0], volume[2:4, 4:6, 2:4].mean(), rtol=1e-6)
    assert target.shape == (2, 3, 4)
    with pytest.raises(InputError, match="even"):
        to_target(volume, factor=1, columns=5)
    scene, _ = built()
    np.testing.assert_allclose(scene.lac(factor=2, columns=40), to_target(scene.lac(), factor=2, columns=40), atol=1e-6)
