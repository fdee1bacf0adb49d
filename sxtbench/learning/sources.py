"""Where specimens of a training stream come from: the simulator, or the train split."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.series import TiltSeries
from sxtbench.benchmark.task import Task
from sxtbench.benchmark.training import training_data
from sxtbench.datasets.build import family_of
from sxtbench.datasets.conditions import derive
from sxtbench.datasets.flat_grid import LAC_STEP_EXPONENT
from sxtbench.datasets.recipe import AnyRecipe, FlatGridRecipe, Recipe
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.record import SERIES_ARRAYS, Job
from sxtbench.datasets.store import rounded
from sxtbench.labels import UNLABELLED
from sxtbench.learning.inputs import TILT_SERIES, TV, channels, normalise, regularised, sinogram
from sxtbench.learning.specimens import TurnedSpecimens, without_artefacts
from sxtbench.learning.stream_parameters import StreamParameters
from sxtbench.metrics.regions import cell_halo, cylinder

FIRST_INDEX = 1_000_000
"""Specimens of training streams have train keys from here on (PROTOCOL 5): no stored split reaches so far."""

SEEDS = 4000
"""Seeds of a stream: keys have 32 bits."""

_SPECIMENS_A_SEED = 1_000_000

View = tuple[NDArray[np.float32], NDArray[Any]]
_Imaged = tuple[TiltSeries, dict[str, Any], Mapping[str, NDArray[Any]]]  # views, what `derive` asks for, the truth


class Source(Protocol):
    """Where specimens come from."""

    def views(self, number: int, count: int, rng: np.random.Generator) -> list[View]:
        """Return specimen `number` at some levels: channels (c, z, y, x), target (z, y, x)."""
        ...


@dataclass(frozen=True)
class Simulated:
    """Specimens that the simulator makes, each once.

    Parameters
    ----------
    task : Task
        Gives recipe, axes and answer.
    seed : int
        0 to 3999: the specimens of two seeds differ.
    parameters : StreamParameters
        Give channels and levels.
    """

    task: Task
    seed: int
    parameters: StreamParameters
    turned: TurnedSpecimens | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        turned = TurnedSpecimens(self.recipe) if self.parameters.imaged_axes == 3 else None
        object.__setattr__(self, "turned", turned)

    @property
    def recipe(self) -> AnyRecipe:
        """The task's recipe, without artefacts where that is asked for."""
        recipe = self.task.dataset_spec.recipe
        return recipe if self.parameters.artefacts else without_artefacts(recipe)

    def index(self, number: int) -> int:
        """Return the index within train of specimen `number` of this stream."""
        return FIRST_INDEX + (self.seed * _SPECIMENS_A_SEED + number) % (SEEDS * _SPECIMENS_A_SEED)

    def views(self, number: int, count: int, rng: np.random.Generator) -> list[View]:
        """Simulate specimen `number` and return it at `count` levels."""
        series, attributes, truth = self._turned(number) if self.turned else self._recorded(number)
        target = _target(self.task, truth, scored_only=self.parameters.scored_only)
        found = []
        for level in self._levels(count, rng):
            scans = derive({"main": series}, level, attributes, content_sha256=f"stream {self.index(number)}")
            volumes = [self._channel(name, scans, target.shape) for name in self.parameters.inputs]
            found.append((np.stack(volumes), target))
        return found

    def _recorded(self, number: int) -> _Imaged:
        recipe = self.recipe
        spec = replace(self.task.dataset_spec, recipe=recipe, cgne=None)
        record = family_of(recipe).record(Job(spec=spec, split="train", index=self.index(number), folder=Path()))
        arrays, attributes = record.inputs.arrays, dict(record.inputs.attributes)
        stored = {
            part: arrays[f"tilt_series/main/{part}"] for part in SERIES_ARRAYS if f"tilt_series/main/{part}" in arrays
        }
        series = TiltSeries(
            **stored, pixel_size_nm=float(attributes["pixel_size_nm"]), energy_ev=float(attributes["energy_ev"])
        )
        if isinstance(recipe, Recipe):
            attributes["tilt_range_deg"] = recipe.acquisition.tilt.range_deg
        return series, attributes, {name.removeprefix("masks/"): v.array for name, v in record.targets.volumes.items()}

    def _turned(self, number: int) -> _Imaged:
        assert self.turned is not None
        recipe, turn = self.turned.recipe, number % 3
        made = self.turned(self.index(number - turn), self.index(number), turn)
        truth: dict[str, NDArray[Any]] = {"labels": made.labels, "lac": rounded(made.lac, LAC_STEP_EXPONENT)}
        if self.parameters.scored_only:
            truth["cell_halo"] = cell_halo(made.labels, made.artefacts, recipe.voxel_size_nm)
        attributes: dict[str, Any] = {
            "tilt_range_centre_deg": made.exposure.tilt_offset_deg,
            "tilt_range_deg": recipe.acquisition.tilt.range_deg,
        }
        return made.exposure.series, attributes, truth

    def _levels(self, count: int, rng: np.random.Generator) -> list[dict[str, float]]:
        axes = {name: axis for name, axis in self.task.dataset_spec.axes.items() if axis.kind == "condition"}
        return [
            dict(self.task.dataset_spec.reference)
            if rng.random() < self.parameters.reference_share
            else {name: float(rng.choice(axis.levels)) for name, axis in axes.items()}
            for _ in range(count)
        ]

    def _channel(self, name: str, scans: dict[str, TiltSeries], shape: tuple[int, ...]) -> NDArray[np.float32]:
        if name == TILT_SERIES:
            return sinogram(scans["main"], _most_views(self.task))
        depth, height, width = shape
        if name == TV:
            volume = regularised(scans["main"], (depth, height, width))
        else:
            volume = rounded(reconstruct(name, self.task.dataset_spec, scans, shape), RECONSTRUCTION_STEP_EXPONENT)
        return normalise(volume, cylinder((depth, height, width)), self.parameters.scaling)


@dataclass(frozen=True)
class Stored:
    """The specimens of the train split, in an order that is drawn anew each time they have all been seen.

    Parameters
    ----------
    task, seed, parameters
        As for `Simulated`.
    """

    task: Task
    seed: int
    parameters: StreamParameters

    def views(self, number: int, count: int, rng: np.random.Generator) -> list[View]:
        """Read a specimen at `count` of its stored levels."""
        data = training_data(self.task).with_targets
        groups = list(dict.fromkeys(sample.group for sample in data))
        epoch, place = divmod(number, len(groups))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(groups))
        samples = [sample for sample in data if sample.group == groups[order[place]]]
        found = []
        for _ in range(count):
            reference = rng.random() < self.parameters.reference_share
            sample = samples[0] if reference else samples[rng.integers(len(samples))]
            volumes = (
                sinogram(sample.tilt_series, _most_views(self.task))[None]
                if TILT_SERIES in self.parameters.inputs
                else channels(sample, self.parameters.inputs, self.parameters.scaling)
            )
            found.append((volumes, _target(self.task, sample.targets, scored_only=self.parameters.scored_only)))
        return found


def _target(task: Task, targets: Mapping[str, NDArray[Any]], *, scored_only: bool) -> NDArray[Any]:
    """Return LAC, and labels as places in the classes of the task's answer: the network's outputs."""
    answer = task.protocol.answer
    if not answer.classes:
        if not scored_only:
            return targets["lac"]
        return np.where(targets["cell_halo"] > 0, targets["lac"], np.float32(np.nan))
    truth = targets["labels"]
    places = np.full(256, UNLABELLED, np.uint8)
    places[list(answer.classes)] = np.arange(len(answer.classes))
    for label, counts_as in answer.truth.items():
        places[label] = answer.classes.index(counts_as)
    found: NDArray[np.uint8] = places[truth]
    return found


def _most_views(task: Task) -> int:
    """Return the views of a series of which none is lost: series of all levels are stacked in rows for that many."""
    recipe = task.dataset_spec.recipe
    assert isinstance(recipe, FlatGridRecipe)
    tilt = recipe.acquisition.tilt
    return int(tilt.range_deg / tilt.step_deg + 1e-6) + 1
