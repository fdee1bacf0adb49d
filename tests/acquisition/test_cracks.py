import numpy as np
import pytest
from scipy import ndimage

from sxtbench.acquisition.cracks import CrackParameters, _march, grow_cracks, sample_cracks
from sxtbench.geometry import VolumeGrid

EXTENT = (6.0, 5.0, 8.0)


def parameters(**changes):
    values = {
        "region_um": 3.0,
        "thickness_um": 0.15,
        "rim_share": 0.5,
        "rim_lac_per_um": 0.1,
        "roughness": 0.5,
        "roughness_um": 0.9,
        "anisotropy": 1.5,
        "modulation": 0.0,
        "modulation_um": 2.0,
    }
    return CrackParameters(**(values | changes))


def sampled(field, voxel_nm=50.0):
    grid = VolumeGrid(tuple(round(e * 1000 / voxel_nm) for e in EXTENT), voxel_nm)
    return sample_cracks(field, grid.axes_um(), grid.voxel_size_um)


def test_fronts_arrive_after_their_distance():
    seeds = np.array([[10, 10, 5], [10, 10, 25]])
    arrival, region = _march(np.ones((21, 21, 31)), seeds, np.full(3, 0.1))
    z, y, x = np.indices((21, 21, 31))
    distances = np.stack([0.1 * np.sqrt((z - 10) ** 2 + (y - 10) ** 2 + (x - c) ** 2) for c in (5, 25)])
    assert np.abs(arrival - np.sort(distances, axis=0)).max() < 0.15  # first-order marching
    assert np.array_equal(region[0][:, :, :15], np.zeros((21, 21, 15)))
    assert np.array_equal(region[0][:, :, 16:], np.ones((21, 21, 15)))
    assert np.all(region[0] != region[1])


def test_two_regions_leave_one_flat_sheet_of_the_stated_thickness():
    field = grow_cracks(EXTENT, parameters(roughness=0.0, anisotropy=1.0), np.random.default_rng(0))
    shape = field.lattice.shape
    middle = [n // 2 for n in shape]
    seeds = np.array([[middle[0], middle[1], middle[2] - 12], [middle[0], middle[1], middle[2] + 13]])
    arrival, region = _march(np.ones(shape), seeds, np.full(3, field.lattice.voxel_size_um))
    flat = type(field)(field.lattice, arrival, region, np.full(shape, 0.15, np.float32), 0.5, 0.1)
    void, rim = sampled(flat)
    assert void.sum(axis=2).mean() * 0.05 == pytest.approx(0.15, rel=0.05)
    assert rim.sum(axis=2).mean() * 0.05 == pytest.approx(0.15, rel=0.05)


def test_cracks_are_connected_thin_branching_sheets():
    field = grow_cracks(EXTENT, parameters(), np.random.default_rng(1))
    void, rim = sampled(field)
    assert 0 <= void.min()
    assert (void + rim).max() <= 1 + 1e-6
    cracked = void > 0.3
    assert 0.005 < cracked.mean() < 0.1
    pieces, _ = ndimage.label(cracked, np.ones((3, 3, 3)))
    assert np.bincount(pieces.ravel())[1:].max() > 0.9 * cracked.sum()
    # thin: no ball of twice the opening fits
    assert ndimage.distance_transform_edt(cracked).max() * 0.05 < 0.15
    # sheets part the ice: taking them out leaves several large pieces
    ice, _ = ndimage.label(void + rim == 0)
    assert np.count_nonzero(np.bincount(ice.ravel())[1:] > 0.02 * ice.size) >= 2


def test_cracks_do_not_depend_on_the_sampling_and_repeat():
    field = grow_cracks(EXTENT, parameters(modulation=0.6), np.random.default_rng(1))
    fine, coarse = sampled(field, 50.0)[0], sampled(field, 100.0)[0]
    binned = fine.reshape(60, 2, 50, 2, 80, 2).mean(axis=(1, 3, 5))
    assert fine.mean(dtype=np.float64) == pytest.approx(coarse.mean(dtype=np.float64), rel=0.03)
    assert np.corrcoef(binned.ravel(), coarse.ravel())[0, 1] > 0.95
    again = grow_cracks(EXTENT, parameters(modulation=0.6), np.random.default_rng(1))
    assert np.array_equal(again.arrival, field.arrival)
    other = grow_cracks(EXTENT, parameters(modulation=0.6), np.random.default_rng(2))
    assert not np.array_equal(other.opening_um, field.opening_um)


def test_modulation_closes_part_of_the_cracks():
    field = grow_cracks(EXTENT, parameters(modulation=0.6), np.random.default_rng(1))
    assert np.any(field.opening_um == 0)
    assert field.opening_um.max() <= 0.15 + 1e-6


def test_fewer_than_two_regions_give_no_crack():
    assert grow_cracks(EXTENT, parameters(region_um=100.0), np.random.default_rng(0)) is None
