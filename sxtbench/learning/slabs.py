"""Training slabs without end, cut from specimens that are simulated as they are needed or stored in the train split.

Everything that a slab consists of follows from (seed, number of its specimen): a *block* of a few specimens is drawn,
cut into slabs and shuffled as a whole, and blocks follow each other in a fixed order. Workers take turns in making
blocks, so their number changes who makes a slab and not which slabs there are, and a run can start at any block.
"""

import itertools
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from copy import copy
from multiprocessing.util import Finalize
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.recipe import FlatGridRecipe
from sxtbench.errors import InputError
from sxtbench.labels import UNLABELLED
from sxtbench.learning.augment import augment
from sxtbench.learning.inputs import TILT_SERIES, TV
from sxtbench.learning.sources import SEEDS, Simulated, Source, Stored, View
from sxtbench.learning.stream_parameters import StreamParameters
from sxtbench.randomness import SPLITS

_NEAR_CELL = 0.8  # share of windows that are laid over a labelled voxel

Slab = tuple[NDArray[np.float32], NDArray[Any]]


class SlabStream(IterableDataset[Slab]):
    """Training slabs without end, for a `torch.utils.data.DataLoader` with any number of workers.

    Yields `(slab, target)`: slab (channels, slices, y, x) float32, target (y, x) or, for whole slabs, (slices, y, x),
    uint8 labels or float32 LAC in 1/um. With several workers the DataLoader mixes their slabs; `batches` keeps one
    order whatever their number.

    Parameters
    ----------
    source : Source
        Where specimens come from.
    parameters : StreamParameters
        How slabs are cut.
    seed : int
        Of cuts, windows and augmentation.
    first_block : int
        Where to start.
    shard : tuple of two int
        (rank, world size): this process makes the blocks rank, rank + world size, ...
    labelled : list of views
        Volumes with labels, of which 255 is unlabelled, that are mixed in: channels (c, z, y, x) and labels (z, y, x).

    Raises
    ------
    InputError
        For labelled volumes with another number of channels than the stream has inputs.
    """

    def __init__(
        self,
        source: Source,
        parameters: StreamParameters,
        seed: int,
        *,
        first_block: int = 0,
        shard: tuple[int, int] = (0, 1),
        labelled: Sequence[View] = (),
    ) -> None:
        self.source, self.parameters, self.seed = source, parameters, seed
        self.first_block, self.shard, self.labelled = first_block, shard, list(labelled)
        for volume, _ in self.labelled:
            if len(volume) != len(parameters.inputs):
                raise InputError(
                    f"a labelled volume has {len(volume)} channel(s), the stream has {len(parameters.inputs)}: "
                    f"{', '.join(parameters.inputs)}; fine-tune a network of one channel"
                )
        self._places = [
            (number, int(z)) for number, (_, labels) in enumerate(self.labelled) for z in _labelled_slices(labels)
        ]

    def starting_at(self, first_block: int, shard: tuple[int, int] = (0, 1)) -> "SlabStream":
        """Return the same stream from another block on."""
        other = copy(self)
        other.first_block, other.shard = first_block, shard
        return other

    def mixed_with(self, labelled: Sequence[View]) -> "SlabStream":
        """Return the stream with slabs of labelled volumes mixed in."""
        return SlabStream(
            self.source,
            self.parameters,
            self.seed,
            first_block=self.first_block,
            shard=self.shard,
            labelled=labelled,
        )

    def __iter__(self) -> Iterator[Slab]:
        return itertools.chain.from_iterable(self.blocks())

    def blocks(self) -> Iterator[list[Slab]]:
        """Return the blocks that are this worker's."""
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        if worker:
            _leave_room()
        rank, world = self.shard
        return (self.block((self.first_block + turn) * world + rank) for turn in itertools.count(number, workers))

    def block(self, number: int) -> list[Slab]:
        """Return one block: the slabs of some specimens, shuffled."""
        each = self.parameters.specimens_per_block
        slabs = [slab for specimen in range(number * each, (number + 1) * each) for slab in self.specimen(specimen)]
        order = self._rng(number, 1).permutation(len(slabs))
        return [slabs[place] for place in order]

    def specimen(self, number: int) -> list[Slab]:
        """Return the slabs of one specimen."""
        rng = self._rng(number, 0)
        views = self.source.views(number, self.parameters.views_per_specimen, rng)
        target = views[0][1]
        depth = target.shape[0]
        if self.parameters.slices > depth:
            raise InputError(f"slices is {self.parameters.slices}, more than the {depth} slices of the volume")
        worth = _worth(target)
        kept = np.flatnonzero(worth | (rng.random(depth) < self.parameters.background_kept))
        kept = kept if kept.size else np.arange(depth)
        count = self.parameters.slabs_per_specimen
        centres = np.concatenate([rng.permutation(kept) for _ in range(-(-count // kept.size))])[:count]
        slabs = [self._cut(*views[place % len(views)], int(centre), rng) for place, centre in enumerate(centres)]
        if self._places:
            mixing = self._rng(number, 2)
            for place in np.flatnonzero(mixing.random(count) < self.parameters.labelled_share):
                volume, centre = self._places[mixing.integers(len(self._places))]
                slabs[place] = self._cut(*self.labelled[volume], centre, mixing)
        return slabs

    def _cut(self, volume: NDArray[np.float32], target: NDArray[Any], centre: int, rng: np.random.Generator) -> Slab:
        parameters = self.parameters
        chosen = _slices(centre, parameters.slices, target.shape[0], whole=parameters.target == "slab")
        rows, columns = _window(target[centre], parameters.window, rng)
        slab = volume[:, chosen, rows, columns]
        wanted = target[centre if parameters.target == "centre" else chosen, rows, columns]
        if parameters.augment is not None:
            slab, wanted = augment(slab, wanted, parameters.augment, rng)
        return np.ascontiguousarray(slab), np.ascontiguousarray(wanted)

    def _rng(self, number: int, purpose: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(SPLITS["stream"], number, purpose)))
        )


def _worth(target: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each slice holds anything but background; LAC has none, but NaN where it is not scored."""
    known = np.isfinite(target) if target.dtype.kind == "f" else (target > 0) & (target != UNLABELLED)
    found: NDArray[np.bool_] = known.any(axis=(1, 2))
    return found


def _labelled_slices(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Return the slices that hold a label."""
    return np.flatnonzero((labels != UNLABELLED).any(axis=(1, 2)))


def _slices(centre: int, count: int, depth: int, *, whole: bool) -> NDArray[np.intp]:
    """Return the slices about a centre, those beyond the ends replaced by the last ones; a whole slab is moved."""
    if whole:
        return np.arange(count) + min(max(centre - count // 2, 0), depth - count)
    return np.clip(np.arange(centre - count // 2, centre - count // 2 + count), 0, depth - 1)


def _window(target: NDArray[Any], side: int | None, rng: np.random.Generator) -> tuple[slice, slice]:
    """Return an in-plane window, most of them over something labelled."""
    height, width = target.shape
    if side is None or (side >= height and side >= width):
        return slice(None), slice(None)
    if target.dtype.kind == "f":
        known = np.isfinite(target)
        worth = known if not known.all() else np.zeros_like(known)
    else:
        worth = (target > 0) & (target != UNLABELLED)
        if not worth.any():
            worth = target != UNLABELLED  # sparse labels of background alone
    labelled = np.argwhere(worth)
    if labelled.size and rng.random() < _NEAR_CELL:
        near = labelled[rng.integers(len(labelled))] - rng.integers(0, side, 2)
    else:
        near = rng.integers(0, (max(1, height - side + 1), max(1, width - side + 1)))
    top, left = (int(np.clip(start, 0, max(0, size - side))) for start, size in zip(near, (height, width), strict=True))
    return slice(top, top + side), slice(left, left + side)


def _leave_room() -> None:
    """Let a worker compute in one thread: the others belong to the network and to its siblings."""
    import numba

    if multiprocessing.get_start_method() == "fork" and _threads_run():
        raise InputError(
            "a forked worker cannot use numba, whose threads the parent has started: pass "
            "multiprocessing_context='spawn' to the DataLoader"
        )
    numba.set_num_threads(1)
    # compiled libraries abort when their threads still run at the interpreter's end: leave without it
    Finalize(None, os._exit, args=(0,), exitpriority=-1000)


def _threads_run() -> bool:
    from numba.np.ufunc.parallel import threading_layer

    try:
        return threading_layer() not in ("tbb", "workqueue")  # type: ignore[no-untyped-call]
    except ValueError:  # none was started
        return False


def stream(
    task: Task | str,
    tier: str = "tiny",
    seed: int = 0,
    *,
    parameters: StreamParameters | None = None,
    track: str = "stream",
) -> SlabStream:
    """Return training slabs of a task.

    Parameters
    ----------
    task : Task or str
        A task, or its name.
    tier : str
        Where a name is given.
    seed : int
        0 to 3999.
    parameters : StreamParameters, optional
        How slabs are cut.
    track : str
        "stream": the simulator makes specimens under train keys of index 10^6 and beyond. "fixed": those of the train
        split again and again.

    Raises
    ------
    InputError
        For a seed or track that is not possible, an input that the task does not offer, and `scored_only` where it is
        not scored in `cell_halo`.

    Examples
    --------
    >>> slabs = stream("limited-angle-segmentation", "tiny", 0, parameters=StreamParameters(slices=3))
    >>> slab, labels = slabs.block(0)[0]
    >>> slab.shape, labels.shape
    ((1, 3, 64, 64), (64, 64))
    """
    chosen = get_task(task, tier) if isinstance(task, str) else task
    found = parameters or StreamParameters()
    if not 0 <= seed < SEEDS:
        raise InputError(f"seed is {seed}, expected 0 to {SEEDS - 1}")
    if track not in ("stream", "fixed"):
        raise InputError(f"track is {track!r}, expected 'stream' or 'fixed'")
    spec = chosen.dataset_spec
    offered = [name for name, settings in (("fbp", spec.fbp), ("cgne", spec.cgne)) if settings is not None]
    if isinstance(spec.recipe, FlatGridRecipe):
        offered += [TV, TILT_SERIES]
    for name in found.inputs:
        if name not in offered:
            raise InputError(f"{chosen.name} offers no input {name!r}; it has {', '.join(offered) or 'none'}")
    if found.scored_only and chosen.protocol.region != "cell_halo":
        raise InputError(f"scored_only: {chosen.name} is scored in {chosen.protocol.region}, expected cell_halo")
    source = (Simulated if track == "stream" else Stored)(chosen, seed, found)
    return SlabStream(source, found, seed)


class _Blocks(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Whole blocks as tensors: what travels from a worker."""

    def __init__(self, slabs: SlabStream) -> None:
        self.slabs = slabs

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for block in self.slabs.blocks():
            yield tuple(torch.from_numpy(np.stack(part)) for part in zip(*block, strict=True))  # type: ignore[misc]


def batches(
    slabs: SlabStream, batch_size: int, *, workers: int = 1, first_batch: int = 0
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Return batches without end, in one order whatever the number of workers.

    Parameters
    ----------
    slabs : SlabStream
        Where they come from.
    batch_size : int
        Slabs a batch; what a block has beyond a multiple of it is left out.
    workers : int
        Processes that make blocks ahead; 0 makes them here, when they are needed.
    first_batch : int
        Where to start.

    Yields
    ------
    slabs : Tensor, shape (batch, channels, slices, y, x), float32
    targets : Tensor, shape (batch, y, x) or (batch, slices, y, x)

    Raises
    ------
    InputError
        For a batch that is larger than a block.
    """
    size = slabs.parameters.slabs_per_block
    whole = size // batch_size
    if whole < 1:
        raise InputError(f"batch_size is {batch_size}, more than the {size} slabs of a block")
    block, skipped = divmod(first_batch, whole)
    loader = DataLoader(
        _Blocks(slabs.starting_at(slabs.first_block + block, slabs.shard)),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=1 if workers else None,
        multiprocessing_context="spawn" if workers else None,
    )
    for inputs, targets in loader:
        for number in range(skipped, whole):
            part = slice(number * batch_size, (number + 1) * batch_size)
            yield inputs[part], targets[part]
        skipped = 0
