"""The training stream: seeded, restartable, and the same whoever makes it."""

import itertools

import numpy as np
import pytest
from mini_tasks import mini_task

from sxtbench.errors import InputError

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402

from sxtbench.learning.augment import AugmentParameters  # noqa: E402
from sxtbench.learning.slabs import SlabStream, batches, stream  # noqa: E402
from sxtbench.learning.stream_parameters import StreamParameters  # noqa: E402

SMALL = StreamParameters(slices=5, window=16, slabs_per_specimen=6, specimens_per_block=1, augment=AugmentParameters())


def slabs(seed: int = 0, **changes: object) -> SlabStream:
    return stream(mini_task(), seed=seed, parameters=SMALL.model_copy(update=changes))


def same(first: list, second: list) -> bool:
    return all(np.array_equal(a, b) for pair in zip(first, second, strict=True) for a, b in zip(*pair, strict=True))


@pytest.fixture(scope="module")
def blocks() -> list:
    """The first three blocks."""
    return [slabs().block(number) for number in range(3)]


@pytest.fixture(scope="module")
def expected(blocks) -> list:
    """The batches of three slabs that the blocks hold, two each."""
    parts = [block[first : first + 3] for block in blocks for first in (0, 3)]
    return [tuple(np.stack(arrays) for arrays in zip(*part, strict=True)) for part in parts]


def test_a_slab_is_what_was_asked_for():
    block = slabs(specimens_per_block=2).block(0)
    assert len(block) == 12
    for slab, labels in block:
        assert (slab.shape, slab.dtype) == ((1, 5, 16, 16), np.float32)
        assert (labels.shape, labels.dtype) == ((16, 16), np.uint8)
        assert np.isin(labels, (0, 1, 2, 3, 255)).all()
    assert np.mean([(labels > 0).any() for _, labels in block]) > 0.6  # windows lie over cells


def test_the_same_seed_gives_the_same_slabs_and_another_seed_others():
    block = slabs(3).block(1)
    assert same(block, slabs(3).block(1))
    assert not same(block, slabs(4).block(1))
    assert not same(block, slabs(3).block(2))


def test_batches_have_one_order_whatever_the_number_of_workers(expected):
    assert expected[0][0].shape == (3, 1, 5, 16, 16)
    for workers in (0, 2):
        made = batches(slabs(), 3, workers=workers)
        assert same(expected, list(itertools.islice(made, 6)))
        made.close()


def test_a_stream_starts_again_at_any_batch(expected):
    assert same(expected[3:], list(itertools.islice(batches(slabs(), 3, workers=0, first_batch=3), 3)))


def test_what_a_block_has_beyond_whole_batches_is_left_out(blocks):
    made = list(itertools.islice(batches(slabs(), 4, workers=0), 2))
    assert same(made, [tuple(np.stack(part) for part in zip(*block[:4], strict=True)) for block in blocks[:2]])


def test_shards_share_the_blocks_out(blocks):
    both = [next(iter(slabs().starting_at(0, (rank, 2)).blocks())) for rank in (0, 1)]
    assert same(both[0], blocks[0])
    assert same(both[1], blocks[1])


def test_block_size_does_not_change_what_a_specimen_gives():
    assert same(slabs().specimen(1), slabs(specimens_per_block=2).specimen(1))


def test_a_plain_loader_with_forked_workers_draws_the_same_slabs(blocks):
    loader = DataLoader(slabs(), batch_size=None, num_workers=2)
    size = 2 * SMALL.slabs_per_block
    found = sorted(np.asarray(slab).tobytes() for slab, _ in itertools.islice(loader, size))
    assert found == sorted(slab.tobytes() for block in blocks[:2] for slab, _ in block)


def test_background_slices_are_left_out():
    some = slabs(background_kept=0.0, window=None, augment=None, slabs_per_specimen=40)
    assert all((labels > 0).any() for _, labels in some.specimen(0))


def test_a_whole_slab_stays_in_the_volume():
    whole = slabs(target="slab", slices=24, window=None, augment=None, background_kept=1.0)
    volume, labels = whole.source.views(0, 1, np.random.default_rng(0))[0]
    found = [whole._cut(volume, labels, centre, np.random.default_rng(0)) for centre in (0, 16, 31)]
    for (slab, target), first in zip(found, (0, 4, 8), strict=True):
        assert np.array_equal(slab, volume[:, first : first + 24])
        assert np.array_equal(target, labels[first : first + 24])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4000}, "seed is 4000, expected 0 to 3999"),
        ({"track": "free"}, "track is 'free', expected 'stream' or 'fixed'"),
        (
            {"parameters": StreamParameters(inputs=("sirt",))},
            "no input 'sirt'; it has fbp, cgne, tv, tilt_series",
        ),
    ],
)
def test_what_cannot_be_streamed_gets_one_line(change, message):
    with pytest.raises(InputError, match=message):
        stream(mini_task(), **change)


def test_labelled_volumes_of_other_channels_get_one_line():
    volume, labels = np.zeros((1, 32, 32, 32), np.float32), np.ones((32, 32, 32), np.uint8)
    with pytest.raises(InputError, match=r"has 1 channel\(s\), the stream has 2: fbp, tv; fine-tune a network of one"):
        slabs(inputs=("fbp", "tv")).mixed_with([(volume, labels)])


def test_sizes_that_do_not_fit_get_one_line():
    with pytest.raises(InputError, match="slices is 33, more than the 32 slices of the volume"):
        slabs(slices=33).specimen(0)
    with pytest.raises(InputError, match="batch_size is 7, more than the 6 slabs of a block"):
        next(batches(slabs(), 7, workers=0))
    with pytest.raises(ValueError, match="slices is 4, expected an odd number"):
        StreamParameters(slices=4)


def test_windows_lie_where_lac_is_scored(mini_volume):
    cuts = StreamParameters(slices=3, window=16, slabs_per_specimen=8, specimens_per_block=1, scored_only=True)
    block = stream(mini_volume, parameters=cuts).block(0)
    assert np.mean([np.isfinite(lac).any() for _, lac in block]) > 0.6
    with pytest.raises(InputError, match="limited-angle-segmentation is scored in cyl, expected cell_halo"):
        stream("limited-angle-segmentation", parameters=cuts)
