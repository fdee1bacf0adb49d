"""The result of one method on one task: scores per sample, aggregates with intervals, and how they came about.

A result is a frozen pydantic model and a JSON file of the same shape. Undefined values are NaN in memory and
`{"value": null, "why": ...}` in the file. Only samples at the reference level of every axis enter the headline.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from sxtbench.benchmark.statistics import IntervalMethod, group_interval, mean_on_scale
from sxtbench.errors import InputError
from sxtbench.files import write_text
from sxtbench.labels import NAMES
from sxtbench.metrics.registry import METRICS, Score, get_metric

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
MEAN_OF_LEVELS = "mean"
"""The level under which an axis's mean over its levels (the area of its curve) is stored."""

_MOST_BYTES = 64 * 1024 * 1024


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds control, formatting or line-breaking characters; plain printable text is wanted")
    return text


def _finite_or_nan(value: float) -> float:
    if math.isinf(value):
        raise ValueError("is infinite, expected a finite number, or null with a reason for an undefined one")
    return value


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?(?:[/?#][^\s\"'<>\\`]*)?", text):
        raise ValueError(f"{text[:60]!r} is no link, expected https://host/path or http://host/path")
    return text


Line = Annotated[str, StringConstraints(max_length=300), AfterValidator(_printable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_printable)]
Link = Annotated[str, StringConstraints(max_length=300), AfterValidator(_printable), AfterValidator(_web_address)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PngName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,119}\.png$")]
Level = int | float | Annotated[str, StringConstraints(max_length=60), AfterValidator(_printable)]
Number = Annotated[
    float,
    Field(allow_inf_nan=True),
    BeforeValidator(lambda value: math.nan if value is None else value),
    AfterValidator(_finite_or_nan),
    PlainSerializer(lambda value: None if math.isnan(value) else value, return_type=float | None, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]}),
]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )


class Method(_Model):
    """Who and what answered, and what it learned from (the track)."""

    name: Name
    description: Text = ""
    authors: tuple[Line, ...] = ()
    links: tuple[Link, ...] = ()
    licence: Line = ""
    track: Literal["fixed", "stream", "external"] = "fixed"
    training_data: Text = ""
    seeds: tuple[int, ...] = ()
    parameters: dict[Name, JsonValue] = {}


class Environment(_Model):
    """Where it ran."""

    python: Line = ""
    platform: Line = ""
    cpu: Line = ""
    packages: dict[Name, Line] = {}


class WallTime(_Model):
    """Seconds spent; None where there was nothing to do or it was not measured."""

    fit: Annotated[float, Field(ge=0)] | None = None
    predict: Annotated[float, Field(ge=0)] | None = None


class Resources(_Model):
    """What it took."""

    wall_time_s: WallTime = WallTime()
    peak_memory_mb: Annotated[float, Field(ge=0)] | None = None
    device: Line = ""


class Axis(_Model):
    """An axis of the task: its levels in the order of a plot, and the one that enters the headline."""

    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    reference: Level

    @model_validator(mode="after")
    def _reference_is_a_level(self) -> Self:
        if self.reference not in self.levels:
            raise ValueError(f"the reference {self.reference!r} is none of the levels {list(self.levels)}")
        return self


class _Why(_Model):
    why: Line | None = None

    @model_serializer(mode="wrap")
    def _leave_out_empty_why(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if fields.get("why") is None:
            fields.pop("why", None)
        return fields


class Row(_Why):
    """One value: of one metric, of one class where the metric has classes, on one sample."""

    sample: Name
    group: Name
    condition: dict[Name, Level] = {}
    metric: Name
    class_: int | None = Field(None, alias="class", ge=0, le=254)
    value: Number

    @model_validator(mode="after")
    def _null_has_a_reason(self) -> Self:
        get_metric(self.metric)
        if math.isnan(self.value) and not self.why:
            raise ValueError("value is null without a reason in 'why'")
        return self


class Aggregate(_Why):
    """A mean over groups at one level: `{}` is the reference of every axis, `{axis: level}` a point of a curve."""

    metric: Name
    class_: int | None = Field(None, alias="class", ge=0, le=254)
    level: dict[Name, Level] = {}
    mean: Number
    low: Number
    high: Number
    n_groups: int = Field(ge=0)
    method: IntervalMethod

    @model_validator(mode="after")
    def _known_metric(self) -> Self:
        get_metric(self.metric)
        return self


class Preview(_Model):
    """A picture of a slice, kept as a PNG beside the board."""

    file: PngName
    kind: Literal["input", "truth", "answer"]
    sample: Name
    caption: Line = ""


class Result(_Model):
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
    axes: dict[Name, Axis] = {}
    method: Method
    origin: Literal["reported", "scored", "reproduced"]
    flags: tuple[Line, ...] = ()
    environment: Environment = Environment()
    resources: Resources = Resources()
    rows: tuple[Row, ...]
    aggregates: tuple[Aggregate, ...]
    previews: Annotated[tuple[Preview, ...], Field(max_length=3)] = ()

    @model_validator(mode="after")
    def _has_a_headline(self) -> Self:
        get_metric(self.primary)
        if not any(a.metric == self.primary and a.class_ is None and not a.level for a in self.aggregates):
            raise ValueError(f"no aggregate of {self.primary} at the reference level: a result needs its headline")
        return self

    @property
    def headline(self) -> Aggregate:
        """The primary metric at the reference level of every axis."""
        return self.aggregate_of(self.primary)

    def aggregate_of(
        self, metric: str, class_: int | None = None, level: Mapping[str, Level] | None = None
    ) -> Aggregate:
        """Return one aggregate; raise `InputError` if the result does not hold it."""
        for found in self.aggregates:
            if found.metric == metric and found.class_ == class_ and found.level == dict(level or {}):
                return found
        raise InputError(f"{self.method.name}: no aggregate of {metric}, class {class_}, at {dict(level or {})}")

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
        return _summary(self)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a sample x metric x class.

        Returns
        -------
        pandas.DataFrame
            Columns sample, group, condition (text such as `photons=1, tilt_range_deg=100`, so that it groups),
            metric, class (Int64, NA for metrics without classes), value (NaN where undefined).
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "sample": [row.sample for row in self.rows],
                "group": [row.group for row in self.rows],
                "condition": [condition_text(row.condition) for row in self.rows],
                "metric": [row.metric for row in self.rows],
                "class": pd.array([row.class_ for row in self.rows], dtype="Int64"),
                "value": [row.value for row in self.rows],
            }
        )


def rows_of(sample: str, group: str, condition: Mapping[str, Level], scores: Iterable[Score]) -> list[Row]:
    """Turn the scores of one sample into rows, undefined ones with the metric's reason.

    >>> [row] = rows_of("test-00000", "test-00000", {"photons": 1}, [("iou@1", 3, float("nan"))])
    >>> row.why
    'the class is neither in the truth nor in the answer'
    """
    return [
        Row(
            sample=sample,
            group=group,
            condition=dict(condition),
            metric=metric,
            class_=label,
            value=value,
            why=get_metric(metric).undefined if math.isnan(value) else None,
        )
        for metric, label, value in scores
    ]


def aggregate(rows: Iterable[Row], axes: Mapping[str, Axis]) -> tuple[Aggregate, ...]:
    """Average rows: classes -> sample -> (the reference level, or one level of a curve) -> group -> mean and interval.

    Metrics with classes also get a mean over the classes of each sample (class None). Each axis all of whose levels
    were scored also gets the mean over its levels within a group (level `mean`): the area of its curve.

    Parameters
    ----------
    rows : iterable of Row
        Values per sample, in any order.
    axes : mapping of Axis
        The task's axes; each key of a row's condition must be one of them. An axis that a condition does not name is
        at its reference.

    Returns
    -------
    tuple of Aggregate
        By metric, class and level.

    Raises
    ------
    InputError
        If a condition names no axis or level of the task or varies two axes at once, a value comes twice, or a
        sample belongs to two groups.
    """
    samples = _classes_to_samples(rows, axes)
    order = {metric: i for i, metric in enumerate(METRICS)}
    found: list[Aggregate] = []
    for metric, label in sorted(samples, key=lambda key: (order[key[0]], -1 if key[1] is None else key[1])):
        scale = get_metric(metric).scale
        levels = {
            level: {group: mean_on_scale(values, scale) for group, values in groups.items()}
            for level, groups in samples[metric, label].items()
        }
        if _REFERENCE in levels:
            found.append(_over_groups(metric, label, {}, list(levels[_REFERENCE].values())))
        for axis, declared in axes.items():
            curve = {
                level: levels[_REFERENCE if level == declared.reference else (axis, level)]
                for level in declared.levels
                if (_REFERENCE if level == declared.reference else (axis, level)) in levels
            }
            if set(curve) <= {declared.reference}:
                continue
            found += [_over_groups(metric, label, {axis: at}, list(groups.values())) for at, groups in curve.items()]
            if len(curve) == len(declared.levels):
                areas = [
                    mean_on_scale([groups[group] for groups in curve.values()], scale)
                    for group in curve[declared.reference]
                    if all(not math.isnan(groups.get(group, math.nan)) for groups in curve.values())
                ]
                found.append(_over_groups(metric, label, {axis: MEAN_OF_LEVELS}, areas))
    return tuple(found)


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


def check_aggregates(result: Result) -> None:
    """Raise `InputError` unless the aggregates are what the rows give: a result cannot claim more than it shows."""
    claimed = {(a.metric, a.class_, _key(a.level)): a for a in result.aggregates}
    computed = {(a.metric, a.class_, _key(a.level)): a for a in aggregate(result.rows, result.axes)}
    if len(claimed) != len(result.aggregates) or claimed.keys() != computed.keys():
        odd = sorted(map(str, claimed.keys() ^ computed.keys()))[:1] or ["one that comes twice"]
        raise InputError(f"{result.method.name}: aggregates do not match the rows, such as {odd[0]}")
    for key, claim in claimed.items():
        for name in ("mean", "low", "high", "n_groups"):
            stated, right = float(getattr(claim, name)), float(getattr(computed[key], name))
            if not (math.isclose(stated, right, rel_tol=1e-6, abs_tol=1e-9) or (stated != stated and right != right)):
                raise InputError(
                    f"{result.method.name}: {name} of {claim.metric}, class {claim.class_}, at "
                    f"{condition_text(claim.level) or 'the reference'} is {stated:.6g}, its rows give {right:.6g}"
                )


def result_schema() -> dict[str, Any]:
    """Return the JSON Schema of a result file."""
    schema = Result.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def condition_text(condition: Mapping[str, Level]) -> str:
    """Return a condition as one line.

    >>> condition_text({"tilt_range_deg": 100, "photons": 0.25})
    'photons=0.25, tilt_range_deg=100'
    """
    return ", ".join(f"{axis}={condition[axis]}" for axis in sorted(condition))


_LevelKey = tuple[str, Level] | None
_REFERENCE: _LevelKey = None
_Groups = dict[str, list[float]]


def _classes_to_samples(
    rows: Iterable[Row], axes: Mapping[str, Axis]
) -> dict[tuple[str, int | None], dict[_LevelKey, _Groups]]:
    values: dict[tuple[str, int | None], dict[_LevelKey, _Groups]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    per_sample: dict[tuple[str, _LevelKey, str, str], list[float]] = defaultdict(list)
    seen: set[tuple[str, int | None, str, _LevelKey]] = set()
    group_of: dict[str, str] = {}
    for row in rows:
        level = _level(row, axes)
        key = (row.metric, row.class_, row.sample, level)
        if key in seen:
            raise InputError(f"{row.sample}: {row.metric}, class {row.class_}, comes twice at {level or 'reference'}")
        seen.add(key)
        if group_of.setdefault(row.sample, row.group) != row.group:
            raise InputError(f"{row.sample}: belongs to group {group_of[row.sample]} and to group {row.group}")
        if get_metric(row.metric).per_class != (row.class_ is not None):
            raise InputError(f"{row.sample}: {row.metric} with class {row.class_}, which that metric does not have")
        values[row.metric, row.class_][level][row.group].append(row.value)
        if row.class_ is not None:
            per_sample[row.metric, level, row.sample, row.group].append(row.value)
    for (metric, level, _, group), classes in per_sample.items():
        values[metric, None][level][group].append(mean_on_scale(classes, get_metric(metric).scale))
    return values


def _level(row: Row, axes: Mapping[str, Axis]) -> _LevelKey:
    off: list[tuple[str, Level]] = []
    for axis, level in row.condition.items():
        if axis not in axes:
            raise InputError(
                f"{row.sample}: condition {axis!r} is no axis of the task ({', '.join(axes) or 'it has none'})"
            )
        if level not in axes[axis].levels:
            raise InputError(f"{row.sample}: {axis} is {level!r}, expected one of {list(axes[axis].levels)}")
        if level != axes[axis].reference:
            off.append((axis, level))
    if len(off) > 1:
        raise InputError(
            f"{row.sample}: varies {' and '.join(axis for axis, _ in off)} at once, expected one at a time"
        )
    return off[0] if off else _REFERENCE


def _over_groups(metric: str, label: int | None, level: dict[str, Level], values: Sequence[float]) -> Aggregate:
    declared = get_metric(metric)
    interval = group_interval(values, scale=declared.scale, bounds=declared.bounds)
    return Aggregate(
        metric=metric,
        class_=label,
        level=level,
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        n_groups=interval.n_groups,
        method=interval.method,
        why="no specimen has a value" if interval.method == "undefined" else None,
    )


def _key(level: Mapping[str, Level]) -> tuple[tuple[str, Level], ...]:
    return tuple(sorted(level.items()))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON; an undefined value is null with a reason")


def _first_problem(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    problems = error.errors(include_url=False, include_input=False)
    place = ".".join(str(part) for part in problems[0]["loc"]) or "the result"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {problems[0]['msg'].removeprefix('Value error, ')}{more}"


def _summary(result: Result) -> str:
    groups = result.headline.n_groups
    head = (
        f"{result.method.name} on {result.task}@{result.version}, {result.tier}, {result.split}: "
        f"{groups} specimen{'' if groups == 1 else 's'}, track {result.method.track}"
    )
    lines = [(f"{'metric':<34}", "mean", "95 % interval")]
    ordered = sorted(result.aggregates, key=lambda a: (a.metric != result.primary, bool(a.level)))
    for found in ordered:
        if found.level and (found.metric != result.primary or found.class_ is not None):
            continue
        if found.metric == "iou@1" and found.class_ is None:
            continue  # the same as miou@1
        name = get_metric(found.metric).name
        if found.class_ is not None:
            name += f", {NAMES.get(found.class_, found.class_)}"
        if found.level:
            name += f" at {condition_text(found.level)}"
        span = {
            "undefined": found.why or "undefined",
            "degenerate": "one specimen" if found.n_groups == 1 else "all equal",
        }.get(found.method, f"[{found.low:.3f}, {found.high:.3f}]")
        lines.append((f"{name:<34}", "-" if math.isnan(found.mean) else f"{found.mean:.3f}", span))
    table = [f"  {name} {mean:>7}  {span}".rstrip() for name, mean, span in lines]
    flags = [f"  flags: {', '.join(result.flags)}"] if result.flags else []
    return "\n".join([head, *table, *flags])
