"""The result of one method on one task: scores per sample, aggregates with intervals, and how they came about.

A result is a frozen pydantic model and a JSON file of the same shape. Undefined values are NaN in memory and
`{"value": null, "why": ...}` in the file. Only samples at the reference level of every axis enter the headline.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from sxtbench.benchmark.aggregate import aggregate, check_aggregates
from sxtbench.benchmark.records import (
    MEAN_OF_LEVELS,
    Aggregate,
    Axis,
    Digest,
    Level,
    Line,
    Link,
    Name,
    PngName,
    Record,
    Row,
    Slug,
    Text,
    condition_text,
    rows_of,
)
from sxtbench.benchmark.summary import summary
from sxtbench.errors import InputError
from sxtbench.files import write_text
from sxtbench.metrics.registry import get_metric

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MEAN_OF_LEVELS",
    "Aggregate",
    "Axis",
    "Curve",
    "Environment",
    "Level",
    "Method",
    "Preview",
    "Resources",
    "Result",
    "Row",
    "Shifted",
    "WallTime",
    "aggregate",
    "check_aggregates",
    "condition_text",
    "load_result",
    "result_schema",
    "rows_of",
]

SCHEMA_VERSION = 1
_MOST_BYTES = 64 * 1024 * 1024


class Method(Record):
    """Who and what answered, and what it learned from (the track)."""

    name: Name
    description: Text = ""
    authors: tuple[Line, ...] = ()
    links: tuple[Link, ...] = ()
    licence: Line = ""
    track: Literal["fixed", "stream", "external"] = "fixed"
    training_data: Text = ""
    seeds: tuple[int, ...] = ()
    parameters: dict[Name, JsonValue] = Field({})


class Environment(Record):
    """Where it ran."""

    python: Line = ""
    platform: Line = ""
    cpu: Line = ""
    packages: dict[Name, Line] = Field({})


class WallTime(Record):
    """Seconds spent; None where there was nothing to do or it was not measured."""

    fit: Annotated[float, Field(ge=0)] | None = None
    predict: Annotated[float, Field(ge=0)] | None = None


class Resources(Record):
    """What it took."""

    wall_time_s: WallTime = WallTime()
    peak_memory_mb: Annotated[float, Field(ge=0)] | None = None
    device: Line = ""
    parameters: Annotated[int, Field(ge=0)] | None = Field(None, description="that training finds, where known")

    @model_serializer(mode="wrap")
    def _leave_out_unknown_parameters(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if fields.get("parameters") is None:
            fields.pop("parameters", None)
        return fields


class Preview(Record):
    """A picture of a slice, kept as a PNG beside the board."""

    file: PngName
    kind: Literal["input", "truth", "answer"]
    sample: Name
    caption: Line = ""


class Shifted(Record):
    """The same method on the specimens of another domain, on which nothing is trained: a column, never the headline."""

    fingerprint: Digest
    rows: tuple[Row, ...]
    aggregates: tuple[Aggregate, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A metric against an axis: a mean over groups with its interval at each scored level, in the axis's order.

    Parameters
    ----------
    metric : str
        Its id.
    axis : str
        Its name, such as `tilt_range_deg`.
    class_ : int or None
        The class, or None for the metric as a whole.
    levels : tuple
        Of the axis.
    mean, low, high : tuple of float
        In the metric's unit; NaN where no group has a value.
    n_groups : tuple of int
        Groups with a value.
    reference : number or str
        The level that enters the headline.
    """

    metric: str
    axis: str
    class_: int | None
    levels: tuple[Level, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n_groups: tuple[int, ...]
    reference: Level


class Result(Record):
    """One method's scores on one split of one tier of one task."""

    schema_version: Literal[1] = 1
    task: Slug
    version: int = Field(ge=1)
    task_hash: Digest
    tier: Slug
    split: Slug
    fingerprint: Digest
    data_origin: Literal["downloaded", "regenerated"]
    primary: Name
    axes: dict[Name, Axis] = Field({})
    method: Method
    origin: Literal["reported", "scored", "reproduced"]
    flags: tuple[Line, ...] = ()
    environment: Environment = Environment()
    resources: Resources = Resources()
    rows: tuple[Row, ...]
    aggregates: tuple[Aggregate, ...]
    previews: Annotated[tuple[Preview, ...], Field(max_length=3)] = ()
    shifted: Shifted | None = None

    @model_validator(mode="after")
    def _has_a_headline(self) -> Self:
        get_metric(self.primary)
        if not any(a.metric == self.primary and a.class_ is None and not a.level for a in self.aggregates):
            raise ValueError(f"no aggregate of {self.primary} at the reference level: a result needs its headline")
        return self

    @model_validator(mode="after")
    def _seeds_are_those_of_the_method(self) -> Self:
        for rows in (self.rows, self.shifted.rows if self.shifted else ()):
            named = {row.seed for row in rows if row.seed is not None}
            if named and named != set(self.method.seeds):
                raise ValueError(f"rows are of training seeds {sorted(named)}, method.seeds are {self.method.seeds}")
        return self

    @property
    def n_seeds(self) -> int:
        """Training seeds that the rows are of: 1 but where several results were combined."""
        return max(1, len({row.seed for row in self.rows}))

    @property
    def headline(self) -> Aggregate:
        """The primary metric at the reference level of every axis."""
        return self.aggregate_of(self.primary)

    def on_shifted(self) -> "Result":
        """Return the scores on the shifted domain as a result of their own, for `compare` and `to_frame`.

        Raises
        ------
        InputError
            Where the method was not scored there.
        """
        if self.shifted is None:
            raise InputError(f"{self.method.name}: was not scored on the shifted domain of {self.task}, {self.tier}")
        fields = {name: getattr(self, name) for name in type(self).model_fields if name not in ("previews", "shifted")}
        return Result(**{**fields, **dict(self.shifted), "split": "shifted"})

    def aggregate_of(
        self, metric: str, class_: int | None = None, level: Mapping[str, Level] | None = None
    ) -> Aggregate:
        """Return one aggregate; raise `InputError` if the result does not hold it."""
        found = self._find(metric, class_, level or {})
        if found is None:
            where = condition_text(level or {}) or "the reference"
            raise InputError(f"{self.method.name}: no mean of {_series(metric, class_)} at {where}")
        return found

    def curve(self, metric: str, axis: str, class_: int | None = None) -> Curve:
        """Return a metric against an axis, from the aggregates.

        Parameters
        ----------
        metric : str
            Its id, such as `miou@1`.
        axis : str
            One of the task's axes.
        class_ : int, optional
            One class of a metric with classes.

        Raises
        ------
        InputError
            If the task has no such axis, or the metric was not scored at other levels than the reference.
        """
        declared = self._axis(axis)
        get_metric(metric)
        points = [
            (level, found)
            for level in declared.levels
            if (found := self._find(metric, class_, {axis: level})) is not None
        ]
        if not points:
            raise InputError(f"{self.method.name}: {_series(metric, class_)} was not scored along {axis}")
        return Curve(
            metric=metric,
            axis=axis,
            class_=class_,
            levels=tuple(level for level, _ in points),
            mean=tuple(found.mean for _, found in points),
            low=tuple(found.low for _, found in points),
            high=tuple(found.high for _, found in points),
            n_groups=tuple(found.n_groups for _, found in points),
            reference=declared.reference,
        )

    def area(self, metric: str, axis: str, class_: int | None = None) -> Aggregate:
        """Return the area under a curve: the mean over the levels within a specimen, then over specimens.

        Parameters
        ----------
        metric, axis, class_
            As for `curve`.

        Raises
        ------
        InputError
            As for `curve`, and if a level of the axis was not scored.
        """
        curve = self.curve(metric, axis, class_)
        missing = [level for level in self._axis(axis).levels if level not in curve.levels]
        if missing:
            raise InputError(f"{self.method.name}: {axis} {missing[0]!r} was not scored, the area needs every level")
        return self.aggregate_of(metric, class_, {axis: MEAN_OF_LEVELS})

    def to_json(self) -> str:
        """Serialise canonically: sorted keys, no NaN, one space of indent, a newline at the end."""
        content = self.model_dump(mode="json", by_alias=True)
        return json.dumps(content, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the result as JSON, whole or not at all, and return its path."""
        target = Path(path)
        try:
            write_text(target, self.to_json())
        except OSError as error:
            raise InputError(f"{target}: cannot write the result there ({error.strerror or error})") from error
        return target

    def summary(self) -> str:
        """Return a short text table: the headline, the columns beside it, and the curves."""
        return summary(self)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a sample x metric x class, with a column for each axis.

        A curve is a query on the metric and the other axes, grouped by its own axis:
        `frame.query("metric == 'miou@1' and photons == 1").groupby("tilt_range_deg").value.mean()`.

        Returns
        -------
        pandas.DataFrame
            Columns sample, group, condition (text such as `photons=1, tilt_range_deg=100`), seed (where there are
            several), one a task's axis with the sample's level on it, metric, class (Int64, NA for metrics without
            classes), value (NaN where undefined).

        Raises
        ------
        InputError
            If an axis is called like one of the other columns.
        """
        import pandas as pd

        columns: dict[str, Any] = {
            "sample": [row.sample for row in self.rows],
            "group": [row.group for row in self.rows],
            "condition": [condition_text(row.condition) for row in self.rows],
        }
        if self.n_seeds > 1:
            columns["seed"] = [row.seed for row in self.rows]
        values = {
            "metric": [row.metric for row in self.rows],
            "class": pd.array([row.class_ for row in self.rows], dtype="Int64"),
            "value": [row.value for row in self.rows],
        }
        for axis, declared in self.axes.items():
            if axis in columns or axis in values:
                raise InputError(f"{self.method.name}: its axis {axis!r} is called like a column of the frame")
            columns[axis] = [row.condition.get(axis, declared.reference) for row in self.rows]
        return pd.DataFrame({**columns, **values})

    def _find(self, metric: str, class_: int | None, level: Mapping[str, Level]) -> Aggregate | None:
        wanted = dict(level)
        return next(
            (a for a in self.aggregates if a.metric == metric and a.class_ == class_ and a.level == wanted), None
        )

    def _axis(self, axis: str) -> Axis:
        if axis not in self.axes:
            raise InputError(f"{self.method.name}: no axis {axis!r}; {', '.join(self.axes) or 'its task has none'}")
        return self.axes[axis]


def load_result(path: str | Path) -> Result:
    """Read a result; raise `InputError` with one line that says where the file is wrong.

    Files come from strangers: size, depth, names, numbers and every unknown key are checked before use.
    """
    source = Path(path)
    try:
        if source.stat().st_size > _MOST_BYTES:
            raise InputError(f"{source}: larger than {_MOST_BYTES // 2**20} MB, which no result is")
        content = json.loads(source.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror or error})") from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: not the JSON of a result ({error})") from error
    if not isinstance(content, dict):
        raise InputError(
            f"{source}: holds a JSON {type(content).__name__}, expected the object that Result.save writes"
        )
    if content.get("schema_version") != SCHEMA_VERSION:
        found = content.get("schema_version")
        raise InputError(f"{source}: schema_version is {found!r}, this sxtbench reads {SCHEMA_VERSION}")
    try:
        return Result.model_validate(content)
    except (ValidationError, RecursionError) as error:
        raise InputError(f"{source}: {_first_problem(error)}") from error


def result_schema() -> dict[str, Any]:
    """Return the JSON Schema of a result file."""
    schema = Result.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _series(metric: str, class_: int | None) -> str:
    return metric if class_ is None else f"{metric}, class {class_}"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON; an undefined value is null with a reason")


def _first_problem(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    problems = error.errors(include_url=False, include_input=False)
    place = ".".join(str(part) for part in problems[0]["loc"]) or "the result"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {problems[0]['msg'].removeprefix('Value error, ')}{more}"
