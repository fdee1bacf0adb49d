"""Labelled volumes that are mixed into a stream."""

import numpy as np
import pytest
from mini_tasks import mini_shifted_task, mini_task

from sxtbench.datasets import flat_grid
from sxtbench.errors import InputError
from sxtbench.volume_files import write_labels

pytest.importorskip("torch")

from sxtbench.learning.labelled import read_labelled, shifted_examples, sparse
from sxtbench.learning.slabs import stream
from sxtbench.learning.stream_parameters import StreamParameters

SMALL = StreamParameters(slices=3, window=16, slabs_per_specimen=60, specimens_per_block=1)


def example(value: float) -> tuple[np.ndarray, np.ndarray]:
    labels = np.full((8, 32, 32), 255, np.uint8)
    labels[4, 10:20, 10:20] = 1
    return np.full((1, 8, 32, 32), value, np.float32), labels


def test_a_share_of_the_slabs_is_labelled_and_the_others_stay():
    plain = stream(mini_task(), parameters=SMALL)
    mixed = plain.mixed_with([example(7.0), example(9.0)])
    before, after = plain.specimen(0), mixed.specimen(0)
    new = [slab.flat[0] in (7.0, 9.0) and np.ptp(slab) == 0 for slab, _ in after]
    assert 3 <= sum(new) <= 18  # 15 % of 60
    assert {float(slab.flat[0]) for (slab, _), is_new in zip(after, new, strict=True) if is_new} == {7.0, 9.0}
    for (a, _), (b, _), is_new in zip(before, after, new, strict=True):
        assert is_new or np.array_equal(a, b)
    assert all((labels == 1).any() for (_, labels), is_new in zip(after, new, strict=True) if is_new)


def test_a_folder_of_tomograms_is_read(tmp_path):
    volume, labels = example(3.0)
    np.save(tmp_path / "cell.npy", volume[0] + np.random.default_rng(0).normal(size=volume[0].shape).astype(np.float32))
    write_labels(tmp_path / "cell.labels.tif", labels, 50.0)
    ((found, places),) = read_labelled(tmp_path, classes=(0, 1, 2, 3))
    assert found.shape == (1, 8, 32, 32)
    assert abs(float(found[found != 0].mean())) < 1e-3  # z-scores
    assert np.array_equal(places, labels)


def test_bad_folders_get_one_line(tmp_path):
    with pytest.raises(InputError, match="no such folder of labelled volumes"):
        read_labelled(tmp_path / "nowhere", classes=(0, 1))
    with pytest.raises(InputError, match="holds no labelled volume"):
        read_labelled(tmp_path, classes=(0, 1))
    write_labels(tmp_path / "cell.labels.tif", example(0.0)[1], 50.0)
    with pytest.raises(InputError, match=r"expected one volume cell\.mrc"):
        read_labelled(tmp_path, classes=(0, 1))
    np.save(tmp_path / "cell.npy", np.zeros((8, 32, 31), np.float32))
    with pytest.raises(InputError, match=r"cell\.labels\.tif"):
        read_labelled(tmp_path, classes=(0, 1))


def test_examples_of_the_shifted_domain_are_never_scored_ones(monkeypatch):
    asked = []
    simulate = flat_grid.simulate
    monkeypatch.setattr(
        flat_grid,
        "simulate",
        lambda recipe, split, index, **k: asked.append((split, index)) or simulate(recipe, split, index, **k),
    )
    whole, part = shifted_examples(mini_shifted_task(), 2)
    assert asked == [("shifted", 500_000), ("shifted", 500_001)]
    assert (whole[1] != 255).all()
    assert 0 < (part[1] != 255).mean() < 0.2
    assert (part[1] == 0).sum() > (part[1] != 255).sum() / 2


def test_sparse_labels_are_true():
    labels = np.random.default_rng(0).integers(0, 4, (20, 16, 16)).astype(np.uint8)
    kept = sparse(labels, np.random.default_rng(1))
    assert np.array_equal(kept[kept != 255], labels[kept != 255])
