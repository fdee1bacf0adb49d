"""What a dataset is made of: a task's recipe at one tier, the sizes of its splits and the axes of its conditions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, model_validator

from sxtbench.datasets.recipe import AnyRecipe
from sxtbench.distributions import Parameters
from sxtbench.hashing import sha256_json

PRIVATE = "private"
"""The split of a season, made from a secret seed."""

Level = float | str
"""Of an axis: a number, or a name where there is nothing to count."""

Condition = dict[str, Any]
"""The level of each axis."""


def level_text(level: Level) -> str:
    """Return a level as names of samples and constants have it.

    >>> level_text(100.0), level_text("incoherent")
    ('100', 'incoherent')
    """
    return level if isinstance(level, str) else f"{level:g}"


class Axis(Parameters):
    """What is varied on purpose, one axis at a time around the reference level.

    Levels of kind `condition` change the samples. Those of kind `training` are numbers of specimens: a method is fitted
    once a level, on the first so many of train; the reference is the largest.
    """

    levels: tuple[Level, ...] = Field(min_length=1)
    reference: Level
    kind: str = Field(default="condition", pattern="^(condition|training)$")

    @model_validator(mode="after")
    def _reference_is_a_level(self) -> "Axis":
        if self.reference not in self.levels:
            raise ValueError(f"reference {level_text(self.reference)} is not among the levels {list(self.levels)}")
        if self.kind == "training":
            numbers = [level for level in self.levels if not isinstance(level, str)]
            if len(numbers) < len(self.levels) or any(level < 1 or level != int(level) for level in numbers):
                raise ValueError(f"levels are {list(self.levels)}, expected whole numbers of training specimens")
            if self.reference != max(numbers):
                largest = f"expected the largest level, {max(numbers):g}"
                raise ValueError(f"reference is {level_text(self.reference)}, {largest}")
        return self


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """Everything that `build` and `Dataset` need to know of a task at one tier.

    Parameters
    ----------
    task, tier : str
        Names; a dataset that several tasks use bears the name of the one that owns it.
    recipe : AnyRecipe
        The recipe of this tier.
    sizes : dict of int
        Specimens a split.
    axes : dict of Axis
        Conditions; levels that are subsets or thinnings are derived on load.
    fbp : dict or None
        Keyword arguments of the stored filtered backprojection; None where a sample offers none.
    cgne : dict or None
        Keyword arguments of the conjugate gradient reconstruction; None where a sample offers none.
    suffix : str
        Appended to the name of a dataset that is not the benchmark's own (`+seed7`).
    region, answer : str
        Where the task at hand scores and which kind of answer it wants; the data do not depend on them.
    truth : mapping of int to int
        Labels that count as another in the truth of the task at hand; stored are those of the suite.
    """

    task: str
    tier: str
    recipe: AnyRecipe
    sizes: dict[str, int]
    axes: dict[str, Axis]
    fbp: dict[str, Any] | None
    cgne: dict[str, Any] | None
    suffix: str = ""
    region: str = "cyl"
    answer: str = "labels"
    truth: Mapping[int, int] = field(default_factory=dict)

    @property
    def stored_reconstructions(self) -> tuple[str, ...]:
        """What is stored at the reference level; `cgne` in full takes minutes and is computed on first access."""
        offered = {"fbp": self.fbp is not None, "cgne": self.cgne is not None and self.tier != "full"}
        return tuple(name for name, stored in offered.items() if stored)

    @property
    def name(self) -> str:
        """Name of the dataset, `<task>-<tier>` and a suffix."""
        return f"{self.task}-{self.tier}{self.suffix}"

    @property
    def reference(self) -> Condition:
        """The reference level of every axis."""
        return {name: axis.reference for name, axis in self.axes.items() if axis.kind == "condition"}

    def conditions(self) -> list[Condition]:
        """Return the reference condition, then every other level of each axis with the rest at reference."""
        conditions = [self.reference]
        for name, axis in self.axes.items():
            if axis.kind == "condition":
                conditions += [{**self.reference, name: level} for level in axis.levels if level != axis.reference]
        return conditions

    def sample_id(self, group: str, condition: Condition) -> str:
        """Return `<group>` at the reference level, else `<group>~<axis>=<level>`."""
        changed = [f"{name}={level_text(level)}" for name, level in condition.items() if level != self.reference[name]]
        return group + "".join(f"~{text}" for text in changed)


def group_id(split: str, index: int) -> str:
    """Return the identity of a specimen, `<split>-<index:05d>`."""
    return f"{split}-{index:05d}"


def twin_id(group: str) -> str:
    """Return the id of a specimen's twin, `<group>~twin`."""
    return f"{group}~twin"


def fingerprint(spec: DatasetSpec, split: str, content: dict[str, str]) -> str:
    """Return the fingerprint of a split: its stored ids and their content hashes, without paths or file hashes."""
    return sha256_json(
        {
            "task": spec.task,
            "data_major": spec.recipe.data_major,
            "recipe": spec.recipe.hash,
            "split": split,
            "samples": sorted(content.items()),
        }
    )
