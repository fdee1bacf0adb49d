import numpy as np
import pytest
import yaml

from sxtbench.studies import phantom
from sxtbench.studies.phantom import SyntheticCell, inside_cylinder, phantom_source


@pytest.fixture
def few_organelles(monkeypatch):
    """Keep the cell's surface and grain; hundreds of mitochondria take seconds to place."""
    load = yaml.safe_load

    def loaded(text):
        content = load(text)
        content["mitochondria"]["count"] = content["endosomes"]["count"] = 12
        return content

    monkeypatch.setattr(phantom.yaml, "safe_load", loaded)


def test_the_cell_fills_the_cylinder_and_nothing_else(few_organelles):
    source = phantom_source(None, seed=2)
    lac = source.cylinder(radius_um=8.0, slices=3, voxel_size_nm=200.0)
    assert lac.shape == (3, 81, 81)
    assert lac.dtype == np.float32
    inside = inside_cylinder(lac.shape, 40)
    assert (lac[:, ~inside] == 0).all()
    assert (lac[:, inside_cylinder(lac.shape, 39)] > 0).mean() > 0.999
    assert 0.19 < lac[:, inside].mean() < 0.26
    np.testing.assert_array_equal(lac, SyntheticCell(2).cylinder(radius_um=8.0, slices=3, voxel_size_nm=200.0))
    assert not np.array_equal(lac, SyntheticCell(3).cylinder(radius_um=8.0, slices=3, voxel_size_nm=200.0))


def test_grain_reaches_down_to_two_voxels_of_20_nm(few_organelles):
    patch = SyntheticCell(0).cylinder(radius_um=0.6, slices=3, voxel_size_nm=20.0)[1, 10:-10, 10:-10]
    power = np.abs(np.fft.fft2(patch - patch.mean())) ** 2
    k = np.hypot(*np.meshgrid(*[np.fft.fftfreq(len(patch))] * 2))
    coarse, fine = (power[(k > low) & (k < high)].mean() for low, high in ((0.08, 0.12), (0.3, 0.4)))
    assert fine > 0.02 * coarse, "periods of 50 to 67 nm are there"
    assert 0.03 < patch.std() < 0.08


def test_the_whole_cell_lies_within_figure_2s_slices(few_organelles, monkeypatch):
    monkeypatch.setattr(phantom, "_CELL_VOXEL_NM", 160.0)
    lac = SyntheticCell(0).cell(shape=(1, 85, 98), voxel_size_nm=320.0)
    edge = np.concatenate([lac[0, [0, -1]].ravel(), lac[0, :, [0, -1]].ravel()])
    assert lac.shape == (1, 85, 98)
    assert (edge == 0).all()
    assert (lac[0, 28:57, 33:65] > 0.1).all(), "wider than the region of 10 um"
