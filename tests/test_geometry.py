"""Declarations of the tilt geometry and of a volume's sampling."""

import dataclasses

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry, VolumeGrid

GOOD = dict(angles_deg=[-30, 0, 30], columns=8, slices=2, pixel_size_nm=20.0)


def test_offsets_become_one_value_a_view():
    geometry = ParallelGeometry(**GOOD, column_offset_px=1.5, slice_offset_px=[0, 1, 2])
    assert geometry.shape == (3, 2, 8)
    assert np.array_equal(geometry.angles_deg, [-30, 0, 30])
    assert np.array_equal(geometry.column_offset_px, [1.5, 1.5, 1.5])
    assert np.array_equal(geometry.slice_offset_px, [0, 1, 2])
    assert geometry.angles_deg.dtype == np.float64


def test_is_frozen_and_keeps_no_reference():
    angles = np.array([0.0, 1.0])
    geometry = ParallelGeometry(**{**GOOD, "angles_deg": angles})
    angles[:] = 9
    assert np.array_equal(geometry.angles_deg, [0, 1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        geometry.columns = 3
    with pytest.raises(ValueError, match="read-only"):
        geometry.angles_deg[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        geometry.column_offset_px[0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(angles_deg=[]), "angles_deg has shape"),
        (dict(angles_deg=[[0.0]]), "angles_deg has shape"),
        (dict(angles_deg=[0.0, np.nan]), "angles_deg holds NaN"),
        (dict(columns=0), "at least 1"),
        (dict(slices=0), "at least 1"),
        (dict(pixel_size_nm=0.0), "pixel_size_nm must be positive"),
        (dict(pixel_size_nm=float("nan")), "pixel_size_nm must be positive"),
        (dict(column_offset_px=[1.0, 2.0]), "column_offset_px has shape"),
        (dict(slice_offset_px=np.inf), "slice_offset_px holds NaN or infinity"),
    ],
)
def test_bad_geometry(change, message):
    with pytest.raises(InputError, match=message):
        ParallelGeometry(**{**GOOD, **change})


def test_grid_is_centred():
    grid = VolumeGrid(shape=(3, 4, 5), voxel_size_nm=20.0)
    z, y, x = grid.axes_um()
    assert z.tolist() == pytest.approx([-0.02, 0, 0.02])
    assert y.tolist() == pytest.approx([-0.03, -0.01, 0.01, 0.03])
    assert (x.size, x.sum()) == (5, pytest.approx(0))
    assert grid.size_um == pytest.approx((0.06, 0.08, 0.1))


def test_refined_grid_covers_the_same_extent():
    grid = VolumeGrid(shape=(3, 4, 5), voxel_size_nm=20.0)
    fine = grid.refined(2)
    assert fine.shape == (6, 8, 10)
    assert fine.size_um == pytest.approx(grid.size_um)
    for coarse, halves in zip(grid.axes_um(), fine.axes_um(), strict=True):
        assert halves.reshape(-1, 2).mean(axis=1) == pytest.approx(coarse)
