import numpy as np
import pytest
from pydantic import ValidationError

from sxtbench.geometry import VolumeGrid
from sxtbench.specimens.capillary import CapillaryParameters, fill_capillary
from sxtbench.specimens.shapes import Body, ellipsoid
from sxtbench.specimens.voxelise import voxelise

CAPILLARY = CapillaryParameters(bore_um=4.0, wall_um=0.2, glass_lac_per_um=1.09, ice_lac_per_um=0.103)
BALL = Body("cell", 1, 1, 0.3, 0.0, (ellipsoid([0.1, 0.5, -0.3], 1.0),))


@pytest.mark.parametrize("edge_nm", [40.0, 100.0])
def test_areas_labels_and_lac(edge_nm: float) -> None:
    n = int(5000 / edge_nm)
    grid = VolumeGrid((3, n, n), edge_nm)
    voxels = voxelise([], grid)
    fill_capillary(voxels, grid, CAPILLARY)
    pixel = grid.voxel_size_um**2
    assert voxels.coverage[1].sum() * pixel == pytest.approx(np.pi * 2.0**2, rel=0.002)
    glass = np.pi * (2.2**2 - 2.0**2)
    assert (voxels.labels[1] == 10).sum() * pixel == pytest.approx(glass, rel=0.03)
    total = 1.09 * glass + 0.103 * np.pi * 2.0**2
    assert voxels.lac[1].sum(dtype=float) * pixel == pytest.approx(total, rel=0.005)
    assert (voxels.labels[0] == voxels.labels[2]).all()

    _, y, x = grid.axes_um()
    away = np.hypot(y[:, None], x[None, :])
    diagonal = grid.voxel_size_um * np.sqrt(0.5)
    assert not voxels.lac[1][away > 2.2 + diagonal].any()
    np.testing.assert_allclose(voxels.lac[1][away < 2.0 - diagonal], 0.103, rtol=1e-6)
    assert set(np.unique(voxels.labels)) == {0, 10}
    assert ((away[voxels.labels[1] == 10] > 2.0) & (away[voxels.labels[1] == 10] <= 2.2)).all()


def test_a_cell_displaces_ice() -> None:
    grid = VolumeGrid((60, 60, 60), 80.0)
    alone, scene, empty = (voxelise(bodies, grid) for bodies in ([BALL], [BALL], []))
    for voxels in (scene, empty):
        fill_capillary(voxels, grid, CAPILLARY)
    np.testing.assert_allclose(scene.lac, empty.lac + alone.lac - 0.103 * alone.coverage, atol=1e-6)
    assert np.array_equal(scene.labels == 1, alone.labels == 1)
    assert np.array_equal(scene.coverage, empty.coverage)


def test_none_is_vacuum() -> None:
    grid = VolumeGrid((30, 30, 30), 100.0)
    alone, scene = voxelise([BALL], grid), voxelise([BALL], grid)
    fill_capillary(scene, grid, None)
    assert np.array_equal(scene.lac, alone.lac)
    assert np.array_equal(scene.labels, alone.labels)
    assert np.array_equal(scene.coverage, alone.coverage)


@pytest.mark.parametrize("key", ["bore_um", "wall_um", "glass_lac_per_um", "ice_lac_per_um"])
def test_impossible_values_are_refused(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        CapillaryParameters.model_validate({**CAPILLARY.model_dump(), key: -1.0})
