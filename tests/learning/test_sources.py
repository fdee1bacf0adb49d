"""Sources of the training stream: never out of the wrong key, at which levels, and what their truth is."""

import numpy as np
import pytest
from mini_tasks import mini_task

from sxtbench.datasets import flat_grid

torch = pytest.importorskip("torch")

from sxtbench.learning.slabs import SlabStream, stream  # noqa: E402
from sxtbench.learning.sources import FIRST_INDEX  # noqa: E402
from sxtbench.learning.stream_parameters import StreamParameters  # noqa: E402

SMALL = StreamParameters(slices=5, window=16, slabs_per_specimen=6, specimens_per_block=2, views_per_specimen=1)


def slabs(seed: int = 0, **changes: object) -> SlabStream:
    return stream(mini_task(), seed=seed, parameters=SMALL.model_copy(update=changes))


def view(made: SlabStream, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one view of a specimen: channels and target."""
    return made.source.views(number, 1, np.random.default_rng(0))[0]


def test_specimens_come_from_train_keys_that_no_stored_split_reaches(monkeypatch):
    asked = []
    made = flat_grid.simulate(mini_task().dataset_spec.recipe, "train", 0)
    monkeypatch.setattr(flat_grid, "simulate", lambda recipe, split, index, **_: asked.append((split, index)) or made)
    for seed in (0, 1, 3999):
        slabs(seed).block(1)
    assert {split for split, _ in asked} == {"train"}
    indices = [index for _, index in asked]
    assert min(indices) >= FIRST_INDEX == 10**6
    assert len(set(indices)) == len(indices) == 6
    assert max(indices) < 2**32  # a key of numpy's SeedSequence


def test_the_fixed_track_sees_the_train_split_only(mini):
    fixed = stream(mini, parameters=SMALL, track="fixed")
    truth = [sample.targets["labels"] for sample in mini.dataset("train", targets=True).at_reference]
    for number in range(4):
        target = view(fixed, number)[1]
        assert any(np.array_equal(target, labels) for labels in truth)
    seen = [view(fixed, number)[1].tobytes() for number in range(2)]
    assert len(set(seen)) == 2  # both specimens before any again


def test_levels_are_drawn_and_the_reference_is_preferred():
    source = slabs(reference_share=0.5).source
    levels = source._levels(400, np.random.default_rng(0))
    reference = mini_task().dataset_spec.reference
    assert 0.5 < np.mean([level == reference for level in levels]) < 0.7
    assert {level["tilt_range_deg"] for level in levels} == {140, 120, 100, 80}


def test_three_numbers_are_one_specimen_imaged_along_its_axes():
    three = slabs(imaged_axes=3)
    turns = [view(three, number) for number in (3, 4, 5)]
    targets = [target for _, target in turns]
    assert np.array_equal(targets[1], targets[0].transpose(1, 2, 0))
    assert np.array_equal(targets[2], targets[0].transpose(2, 0, 1))
    # upright it is what it was, and a turn is the same whatever came before it
    for turn, other in ((turns[0], view(slabs(), 3)), (turns[2], view(slabs(imaged_axes=3), 5))):
        assert all(np.array_equal(a, b) for a, b in zip(turn, other, strict=True))


def test_without_artefacts_it_is_the_same_specimen_with_other_views():
    (before, labels), (after, other) = (view(slabs(artefacts=artefacts), 1) for artefacts in (True, False))
    assert np.array_equal(labels, other)
    assert not np.array_equal(before, after)


def test_lac_is_left_out_where_it_is_not_scored(mini_volume):
    cuts = StreamParameters(slices=3, window=16, slabs_per_specimen=8, specimens_per_block=1, scored_only=True)
    for track in ("stream", "fixed"):
        target = view(stream(mini_volume, parameters=cuts, track=track), 0)[1]
        assert 0.02 < np.isfinite(target).mean() < 0.6
    whole = cuts.model_copy(update={"scored_only": False})
    everywhere = view(stream(mini_volume, parameters=whole, track="fixed"), 0)[1]
    known = np.isfinite(target)
    assert np.isfinite(everywhere).all()
    assert np.array_equal(target[known], everywhere[known])
