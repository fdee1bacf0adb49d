"""What a result file is made of: checked text and numbers, one value of one sample, one mean over groups.

Everything in a result may come from a stranger, so each field says what it takes. Undefined values are NaN in memory
and `{"value": null, "why": ...}` in JSON.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from sxtbench.benchmark.statistics import IntervalMethod
from sxtbench.metrics.registry import Score, get_metric

MEAN_OF_LEVELS = "mean"
"""The level under which an axis's mean over its levels (the area of its curve) is stored."""


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


class Record(BaseModel):
    """A frozen part of a result that refuses unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )


class Axis(Record):
    """An axis of the task: its levels in the order of a plot, and the one that enters the headline."""

    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    reference: Level

    @model_validator(mode="after")
    def _reference_is_a_level(self) -> Self:
        if self.reference not in self.levels:
            raise ValueError(f"the reference {self.reference!r} is none of the levels {list(self.levels)}")
        return self


class _Why(Record):
    why: Line | None = None

    @model_serializer(mode="wrap")
    def _leave_out_what_is_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        for name in ("why", "seed"):
            if fields.get(name) is None:
                fields.pop(name, None)
        return fields


class Row(_Why):
    """One value: of one metric, of one class where the metric has classes, on one sample, after one training."""

    sample: Name
    group: Name
    condition: dict[Name, Level] = {}
    metric: Name
    class_: int | None = Field(None, alias="class", ge=0, le=254)
    value: Number
    seed: int | None = Field(None, ge=0, description="of the training, where the result holds several")

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


def condition_text(condition: Mapping[str, Level]) -> str:
    """Return a condition as one line.

    >>> condition_text({"tilt_range_deg": 100.0, "photons": 0.25})
    'photons=0.25, tilt_range_deg=100'
    """
    return ", ".join(f"{axis}={level_text(condition[axis])}" for axis in sorted(condition))


def level_text(level: Level) -> str:
    """Return a level as it is printed: 100 for 100.0."""
    return level if isinstance(level, str) else f"{level:.12g}"
