"""Partially labelled volumes to fine-tune on: a user's own tomograms, or examples of the shifted domain."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.task import Task
from sxtbench.datasets.build import family_of
from sxtbench.datasets.record import Job
from sxtbench.errors import InputError
from sxtbench.labels import UNLABELLED
from sxtbench.learning.inputs import Scaling, normalise
from sxtbench.learning.sources import View
from sxtbench.metrics.regions import cylinder
from sxtbench.volume_files import read_labels, read_volume

EXAMPLE_INDEX = 500_000
"""Examples of the shifted domain have keys from here on (PROTOCOL 5): they are never scored."""

_ENDING = ".labels"
_SLICES = 12  # of a sparsely labelled example
_BACKGROUND, _INSIDE = 0.3, 0.02  # shares of the voxels of such a slice


def read_labelled(folder: Path, *, classes: Sequence[int], scaling: Scaling = "zscore") -> list[View]:
    """Read tomograms with sparse labels from a folder.

    Parameters
    ----------
    folder : Path
        Pairs of files: `NAME.mrc` (or .tif, .npy) and `NAME.labels.tif` (or .nrrd, .seg.nrrd, .mrc, .npy).
    classes : sequence of int
        Labels that may occur, in the order of the network's outputs; 255 is unlabelled.
    scaling : str
        As in `normalise`: "zscore" for tomograms of unknown unit.

    Returns
    -------
    list of (ndarray, shape (1, z, y, x), float32; ndarray, shape (z, y, x), uint8)

    Raises
    ------
    InputError
        For a folder without a pair, labels without a volume, shapes that differ, and labels outside the classes.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of labelled volumes")
    found = []
    for path in sorted(folder.iterdir()):
        stem, mark, _ = path.name.partition(_ENDING)
        if not mark:
            continue
        volumes = [other for other in folder.glob(f"{stem}.*") if _ENDING not in other.name]
        if len(volumes) != 1:
            raise InputError(f"{path}: expected one volume {stem}.mrc, .tif or .npy beside it, found {len(volumes)}")
        volume, _voxel = read_volume(volumes[0])
        labels = read_labels(path, classes=tuple(classes), shape=volume.shape)
        if labels.shape != volume.shape:
            raise InputError(f"{path}: labels have shape {labels.shape}, the volume {volume.shape}")
        found.append((_channels(volume, scaling), _places(labels, classes)))
    if not found:
        raise InputError(f"{folder}: holds no labelled volume, such as cell.mrc with cell{_ENDING}.tif")
    return found


def shifted_examples(task: Task, count: int = 7, *, scaling: Scaling = "lac") -> list[View]:
    """Simulate partially labelled specimens of a task's shifted domain, none of which is scored.

    As in the SimAQ paper, the first is labelled whole and the others sparsely: some slices, mostly background.

    Parameters
    ----------
    task : Task
        One with a shifted domain.
    count : int
        Specimens.
    scaling : str
        As in `normalise`.

    Returns
    -------
    list of (ndarray, shape (1, z, y, x), float32; ndarray, shape (z, y, x), uint8)
    """
    spec = task.shifted_spec
    if spec is None:
        raise InputError(f"{task.name} has no shifted domain at tier {task.tier}")
    found = []
    for number in range(count):
        job = Job(spec=spec, split="shifted", index=EXAMPLE_INDEX + number, folder=Path())
        record = family_of(spec.recipe).record(job)
        volume = record.inputs.volumes["reconstructions/fbp"].array
        labels = record.targets.volumes["labels"].array
        if number:
            labels = sparse(labels, np.random.default_rng([spec.recipe.seed, number]))
        found.append((_channels(volume, scaling), _places(labels, task.protocol.answer.classes)))
    return found


def sparse(labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Keep a few labels: in some slices a part of the background and a few voxels inside cells; the rest is 255."""
    kept = np.full(labels.shape, UNLABELLED, np.uint8)
    for z in rng.choice(labels.shape[0], min(_SLICES, labels.shape[0]), replace=False):
        chosen = rng.random(labels[z].shape) < np.where(labels[z] == 0, _BACKGROUND, _INSIDE)
        kept[z][chosen] = labels[z][chosen]
    return kept


def _channels(volume: NDArray[Any], scaling: Scaling) -> NDArray[np.float32]:
    depth, height, width = volume.shape
    return normalise(np.asarray(volume, np.float32), cylinder((depth, height, width)), scaling)[None]


def _places(labels: NDArray[np.uint8], classes: Sequence[int]) -> NDArray[np.uint8]:
    table = np.full(256, UNLABELLED, np.uint8)
    table[list(classes)] = np.arange(len(classes))
    places: NDArray[np.uint8] = table[labels]
    return places
