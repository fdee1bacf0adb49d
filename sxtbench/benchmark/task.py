"""A task: what a method gets, what it must return, how it is scored. Data, read from `tasks/<name>/task.yaml`."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from sxtbench.content import content_folder
from sxtbench.datasets.build import read_statement
from sxtbench.datasets.dataset import Dataset, open_or_build
from sxtbench.datasets.recipe import load_recipe, one_line, parse_recipe, read_yaml
from sxtbench.datasets.spec import PRIVATE, Axis, DatasetSpec
from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.hashing import sha256_json
from sxtbench.labels import UNLABELLED

SHIFTED = "shifted"
"""The split of the shifted domain."""


class Reconstructions(Parameters):
    """Reference reconstructions that a sample offers, with their pinned settings."""

    fbp: dict[str, Any] | None = None
    cgne: dict[str, dict[str, Any]] | None = Field(
        default=None, description="keyword arguments by name, each a value by tier"
    )


class Input(Parameters):
    """What a method gets."""

    tilt_series: tuple[str, ...]
    reconstructions: Reconstructions


class Answer(Parameters):
    """What a method must return."""

    kinds: tuple[Literal["labels", "volume", "projections", "shifts"], ...]
    classes: tuple[int, ...] = ()
    truth: dict[int, int] = Field(default={}, description="labels of the suite that count as a class; the others stay")

    @model_validator(mode="after")
    def _truth_has_answers(self) -> "Answer":
        for old, new in self.truth.items():
            if new not in self.classes or not 0 <= old < UNLABELLED:
                raise ValueError(f"truth takes {old} for {new}, expected a label in [0, 254] and a class of the answer")
        return self


class Primary(Parameters):
    """The metric that ranks, with every argument pinned."""

    id: str
    classes: tuple[int, ...] = ()


class Tier(Parameters):
    """Specimens a split."""

    train: int = Field(ge=1)
    validation: int = Field(ge=1)
    test: int = Field(ge=1)
    axes: dict[str, Axis] = Field(default={}, description="axes whose levels differ from tier to tier")

    @model_validator(mode="after")
    def _enough_to_train_on(self) -> "Tier":
        training = {name: axis for name, axis in self.axes.items() if axis.kind == "training"}
        if len(training) > 1:
            raise ValueError(f"axes {' and '.join(training)} are both of kind training, expected one at most")
        for name, axis in training.items():
            largest = max(float(level) for level in axis.levels)
            if largest > self.train:
                raise ValueError(f"axis {name}: level {largest:g} is more than the {self.train} of train")
        return self


class Protocol(Parameters):
    """What decides scores; hashed."""

    name: str
    version: int = Field(ge=1)
    supersedes: str | None = None
    data: str | None = Field(default=None, description="the task whose dataset this one uses, where not its own")
    input: Input
    answer: Answer
    region: Literal["cyl", "cell_halo", "cells", "roi", "views"]
    primary: Primary
    axes: dict[str, Axis]
    tiers: dict[str, Tier]


class Shifted(Parameters):
    """The shifted domain: specimens of another recipe that nothing is trained on. A column, never the headline."""

    recipe: str = Field(description="file beside task.yaml")
    fbp: dict[str, Any] | None = Field(default=None, description="settings in place of the task's own")
    specimens: dict[str, Annotated[int, Field(ge=1)]] = Field(description="by tier; a tier that is not named has none")


class Gate(Parameters):
    """What a result must hold to be ranked: a metric, class by class, near that of another method."""

    metric: str
    like: str = Field(description="the method whose values are the measure")
    within: float = Field(gt=0)


class Report(Parameters):
    """What is told beside the score; not hashed."""

    title: str
    summary: str
    notes: tuple[str, ...] = Field(default=(), description="sentences that a reader of the scores must know")
    columns: tuple[str, ...]
    controls: tuple[str, ...]
    demo: tuple[str, ...] = Field(default=(), description="methods that the demo runs; none: not in the demo")
    shifted: Shifted | None = None
    gate: Gate | None = None


class TaskFile(Parameters):
    """The content of a `task.yaml`."""

    protocol: Protocol
    report: Report


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task at one tier, with its dataset.

    Parameters
    ----------
    folder : Path
        Where `task.yaml` and `recipe.yaml` are.
    protocol : Protocol
        What decides scores. Its axes are those of this tier.
    report : Report
        What is told beside the score.
    tier : str
        `tiny`, `small` or `full`.
    dataset_spec : DatasetSpec
        What the dataset is made of.
    data : Path, optional
        The dataset's folder, where it is not in its usual place.
    shifted_spec : DatasetSpec, optional
        What the dataset of the shifted domain is made of, where the task has one at this tier.
    private_spec, private_data : DatasetSpec and Path, optional
        Of a season: what its private split is made of, and the folder where it lies.
    """

    folder: Path
    protocol: Protocol
    report: Report
    tier: str
    dataset_spec: DatasetSpec
    data: Path | None = None
    shifted_spec: DatasetSpec | None = None
    private_spec: DatasetSpec | None = None
    private_data: Path | None = None

    @property
    def name(self) -> str:
        """Name of the task."""
        return self.protocol.name

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the protocol, restricted to this tier, and of the tier's recipe."""
        protocol = self.protocol.model_dump(mode="json", exclude={"data"} if self.protocol.data is None else None)
        protocol["tiers"] = {self.tier: protocol["tiers"][self.tier]}
        protocol["tiers"][self.tier].pop("axes")  # `axes` has them
        if not self.protocol.answer.truth:
            protocol["answer"].pop("truth")
        cgne = protocol["input"]["reconstructions"]["cgne"] or {}
        protocol["input"]["reconstructions"]["cgne"] = {name: by_tier[self.tier] for name, by_tier in cgne.items()}
        return sha256_json({"protocol": protocol, "recipe": self.dataset_spec.recipe.hash})

    def dataset(
        self,
        split: str,
        *,
        targets: bool = False,
        workers: int = 1,
        progress: Callable[[str], None] | None = None,
    ) -> Dataset:
        """Open one split, generating it on first use.

        Parameters
        ----------
        split : str
            `train`, `validation`, `test`, or `shifted` where the task has that domain: a dataset of its own, in a
            folder beside the other's; `private` in a season.
        targets : bool
            Whether the samples show the truth.
        workers, progress
            As in `sxtbench.datasets.build.build`.
        """
        spec, folder = self.place_of(split)
        return open_or_build(spec, split, folder, targets=targets, workers=workers, progress=progress)

    def place_of(self, split: str) -> tuple[DatasetSpec, Path | None]:
        """Return what the dataset that holds a split is made of, and its folder (None: the usual place)."""
        if split == PRIVATE and self.private_spec is not None:
            return self.private_spec, self.private_data
        if split != SHIFTED or self.shifted_spec is None:
            return self.dataset_spec, self.data
        return self.shifted_spec, self.data and self.data.with_name(f"{self.data.name}+{SHIFTED}")

    def places_of(self, splits: Iterable[str]) -> list[tuple[DatasetSpec, Path | None, list[str]]]:
        """Return the datasets that hold some splits: `place_of` and which of the splits."""
        found: dict[str, tuple[DatasetSpec, Path | None, list[str]]] = {}
        for split in splits:
            spec, folder = self.place_of(split)
            found.setdefault(spec.name, (spec, folder, []))[2].append(split)
        return list(found.values())

    def beside(self, split: str) -> tuple[str, ...]:
        """Return the splits that are answered together with a split: the shifted domain beside `test`."""
        return (SHIFTED,) if split == "test" and self.shifted_spec is not None else ()

    def at(self, data: Path | None) -> "Task":
        """Return the same task with its dataset in another folder."""
        return replace(self, data=data)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known name, else a list of all.

    >>> suggestion("fbp-otzu", ["fbp-otsu", "oracle"])
    "; did you mean 'fbp-otsu'?"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names)}"


def list_tasks() -> list[str]:
    """Return the names of the tasks that ship with this version.

    >>> list_tasks()  # doctest: +NORMALIZE_WHITESPACE
    ['contrast-enhancement', 'interior-reconstruction', 'limited-angle-reconstruction', 'limited-angle-segmentation',
     'low-dose', 'organelle-segmentation', 'projection-alignment']
    """
    return sorted(path.parent.name for path in content_folder("tasks").glob("*/task.yaml"))


def load_task_file(path: Path) -> TaskFile:
    """Read and check a `task.yaml`."""
    try:
        return TaskFile.model_validate(read_yaml(path))
    except ValidationError as error:
        raise InputError(f"{path}: {one_line(error, TaskFile)}") from None


def get_task(name: str, tier: str = "tiny", *, seed: int | None = None, recipe: Path | None = None) -> Task:
    """Return a task at one tier.

    Parameters
    ----------
    name : str
        A task's name, optionally with its version: `limited-angle-segmentation@1`.
    tier : str
        `tiny`, `small` or `full`.
    seed : int, optional
        Another root seed: another dataset, named `...+seed<S>`, that takes no part in the board.
    recipe : Path, optional
        Another recipe file with this tier: another dataset, named `...+recipe-<hash>`, off the board.

    Raises
    ------
    InputError
        For an unknown task, version or tier (with the nearest name), or a recipe that is not possible.
    """
    bare, _, version = name.partition("@")
    if bare not in list_tasks():
        raise InputError(f"unknown task {bare!r}{suggestion(bare, list_tasks())}")
    folder = content_folder("tasks") / bare
    content = load_task_file(folder / "task.yaml")
    protocol = content.protocol
    if version and version != str(protocol.version):
        raise InputError(f"unknown version {name!r}; this sxtbench has {bare}@{protocol.version}")
    if tier not in protocol.tiers:
        raise InputError(f"{bare}: unknown tier {tier!r}{suggestion(tier, protocol.tiers)}")
    owner = protocol.data or bare
    loaded = load_recipe(recipe or content_folder("tasks") / owner / "recipe.yaml", tier, seed=seed)
    suffix = f"+recipe-{loaded.hash[:8]}" if recipe else ""
    suffix += f"+seed{seed}" if seed is not None else ""
    sizes = protocol.tiers[tier]
    reconstructions = protocol.input.reconstructions
    spec = DatasetSpec(
        task=owner,
        tier=tier,
        recipe=loaded,
        sizes={"train": sizes.train, "validation": sizes.validation, "test": sizes.test},
        axes={**protocol.axes, **sizes.axes},
        fbp=reconstructions.fbp,
        cgne=None
        if reconstructions.cgne is None
        else {key: by_tier[tier] for key, by_tier in reconstructions.cgne.items()},
        suffix=suffix,
        region=protocol.region,
        answer=protocol.answer.kinds[0],
        truth=protocol.answer.truth,
    )
    protocol = protocol.model_copy(update={"axes": spec.axes})
    shifted = None if recipe else _shifted_spec(spec, content.report.shifted, folder, seed)
    return Task(
        folder=folder,
        protocol=protocol,
        report=content.report,
        tier=tier,
        dataset_spec=spec,
        shifted_spec=shifted,
    )


def dataset_spec_of(folder: Path) -> DatasetSpec:
    """Return what a dataset's folder is made of: the settings of its task, and the recipe that lies in the folder.

    Raises
    ------
    InputError
        Where the folder holds no finished dataset of a task of this version, or its recipe has changed.
    """
    statement, path = read_statement(folder), folder / "recipe" / "recipe.yaml"
    task = get_task(statement["task"], statement["tier"])
    spec = task.shifted_spec if SHIFTED in statement["splits"] else task.dataset_spec
    if spec is None:
        raise InputError(f"{folder}: {task.name} has no shifted domain at the tier {task.tier}")
    recipe = parse_recipe(read_yaml(path), str(path))
    if recipe.hash != statement["recipe_sha256"]:
        raise InputError(f"{path}: its hash is not the one in dataset.json")
    return replace(spec, recipe=recipe)


def _shifted_spec(spec: DatasetSpec, shifted: Shifted | None, folder: Path, seed: int | None) -> DatasetSpec | None:
    """Return the dataset of the shifted domain: the reference level of every axis only."""
    if shifted is None or spec.tier not in shifted.specimens:
        return None
    return replace(
        spec,
        recipe=load_recipe(folder / shifted.recipe, spec.tier, seed=seed),
        sizes={SHIFTED: shifted.specimens[spec.tier]},
        axes={name: axis.model_copy(update={"levels": (axis.reference,)}) for name, axis in spec.axes.items()},
        fbp=spec.fbp if shifted.fbp is None else shifted.fbp,
        suffix=f"{spec.suffix}+{SHIFTED}",
    )
