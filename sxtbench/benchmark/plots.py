"""The board's plots: coordinates here, drawing in leaderboard/templates/plots.html.j2.

Every plot is a dictionary of numbers and texts, so that two builds give the same bytes.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sxtbench.benchmark.records import MEAN_OF_LEVELS, Aggregate, Axis, Level, Row, level_text
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.statistics import mean_on_scale, to_scale
from sxtbench.benchmark.wording import DASH, at_level, axis_title, mean_and_span, metric_title, value
from sxtbench.labels import COLOURS, NAMES
from sxtbench.metrics.registry import Metric, get_metric

_SHIFT = 7.0
"""Distance in x between the marks of two methods at the same level."""


def bar(found: Aggregate, ends: tuple[float, float] | None, width: float = 120.0) -> dict[str, float] | None:
    """Place a mean and its interval between the two ends of a bar, on the metric's scale; None without ends."""
    if ends is None or math.isnan(found.mean):
        return None
    left, right, *values = to_scale([*ends, found.low, found.mean, found.high], get_metric(found.metric).scale).tolist()
    low, mean, high = sorted(width * min(max((value - left) / (right - left), 0.0), 1.0) for value in values)
    return {"low": low, "mean": mean, "high": high, "span": max(high - low, 1.0)}


def curve(
    metric: Metric, name: str, axis: Axis, results: Sequence[Result], shared: tuple[float, float] | None = None
) -> dict[str, Any] | None:
    """Draw a metric against an axis, a line a result with intervals; None where no result has other levels.

    Parameters
    ----------
    metric : Metric
        What is drawn, over all classes.
    name : str
        The axis.
    axis : Axis
        Its levels.
    results : sequence of Result
        Their places choose colours and marks.
    shared : tuple of two float, optional
        Least and greatest value of plots that stand side by side; those of this one where left out.
    """
    extent = shared or curve_extent(metric, name, axis, results)
    series = _series(metric, name, axis, results)
    if len(axis.levels) < 2 or not series or extent is None:
        return None
    width, height, left, right, top, bottom = 460.0, 270.0, 46.0, 14.0, 12.0, 44.0
    ticks = ticks_of(*extent, least=50 * 10.0**-metric.digits)

    def x(position: int, place: int) -> float:
        step = (width - left - right) / len(axis.levels)
        return left + step * (position + 0.5) + (place - (len(series) - 1) / 2) * _SHIFT

    def y(number: float) -> float:
        inside = min(max(number, ticks[0]), ticks[-1])
        return top + (height - top - bottom) * (1 - (inside - ticks[0]) / (ticks[-1] - ticks[0]))

    drawn = []
    for place, (index, result, points) in enumerate(series):
        marks = [
            {
                "x": x(position, place),
                "y": y(a.mean),
                "low": y(a.low),
                "high": y(a.high),
                "text": f"{result.method.name}, {at_level(name, axis.levels[position])}: {mean_and_span(a, metric)}",
            }
            for position, a in points
        ]
        path = " ".join(f"{'M' if i == 0 else 'L'}{m['x']:.1f} {m['y']:.1f}" for i, m in enumerate(marks))
        drawn.append({"index": index, "name": result.method.name, "path": path, "marks": marks})
    return {
        "id": f"{_slug(metric.id)}-{_slug(name)}",
        "what": metric_title(metric),
        "title": axis_title(name),
        "width": width,
        "height": height,
        "left": left,
        "right": width - right,
        "top": top,
        "bottom": height - bottom,
        "x_ticks": [
            {
                "x": (x(position, 0) + x(position, len(series) - 1)) / 2,
                "text": level_text(level) + (" (ref.)" if level == axis.reference else ""),
            }
            for position, level in enumerate(axis.levels)
        ],
        "y_ticks": [{"y": y(tick), "text": f"{tick:g}"} for tick in ticks],
        "series": drawn,
        "levels": [*map(level_text, axis.levels), "mean over levels"],
        "table": [
            {
                "name": result.method.name,
                "values": [_cell(result, metric, {name: level}) for level in (*axis.levels, MEAN_OF_LEVELS)],
            }
            for _, result, _ in series
        ],
    }


def curve_extent(metric: Metric, name: str, axis: Axis, results: Sequence[Result]) -> tuple[float, float] | None:
    """Return the least and the greatest end of an interval on a curve plot; None where there is none."""
    values = [v for _, _, points in _series(metric, name, axis, results) for _, a in points for v in (a.low, a.high)]
    return (min(values), max(values)) if values else None


def strips(metric: Metric, classes: Sequence[int | None], results: Sequence[Result]) -> list[dict[str, Any]]:
    """Draw one plot a class (None: the metric as a whole): a dot a specimen at the reference level, mean and interval.

    Parameters
    ----------
    metric : Metric
        What is drawn.
    classes : sequence of int or None
        One plot each.
    results : sequence of Result
        One line each; their places choose colours.
    """
    ticks = _strip_ticks(metric, classes, results)
    width, left, right, top, line = 400.0, 132.0, 14.0, 8.0, 30.0

    def x(number: float) -> float:
        inside = min(max(number, ticks[0]), ticks[-1])
        return left + (width - left - right) * (inside - ticks[0]) / (ticks[-1] - ticks[0])

    drawn = []
    for label in classes:
        lines: list[dict[str, Any]] = []
        for index, result in enumerate(results):
            mean = _mean(result, metric, label, {})
            if mean is None:
                continue
            y = top + line * (len(lines) + 0.5)
            dots = [
                {
                    "x": x(row.value),
                    "y": y + (-5.0, 2.5, -1.5, 5.0, -3.5, 0.5)[i % 6],
                    "text": f"{row.sample}: {value(row.value, metric)}",
                }
                for i, row in enumerate(sorted(rows_at_reference(result, metric, label), key=lambda row: row.sample))
                if not math.isnan(row.value)
            ]
            lines.append(
                {
                    "index": index,
                    "name": result.method.name,
                    "short": _short(result.method.name),
                    "y": y,
                    "dots": dots,
                    "interval": None
                    if math.isnan(mean.mean)
                    else {"low": x(mean.low), "mean": x(mean.mean), "high": x(mean.high)},
                    "text": mean_and_span(mean, metric),
                }
            )
        bottom = top + line * len(lines)
        drawn.append(
            {
                "id": f"{_slug(metric.id)}-{'all' if label is None else label}",
                "what": metric_title(metric),
                "title": metric_title(metric) if label is None else NAMES.get(label, str(label)),
                "colour": None if label is None else COLOURS.get(label, "#777777"),
                "width": width,
                "height": bottom + 24.0,
                "left": left,
                "right": width - right,
                "top": top,
                "bottom": bottom,
                "ticks": [{"x": x(tick), "text": f"{tick:g}"} for tick in ticks],
                "lines": lines,
            }
        )
    return drawn


def rows_at_reference(result: Result, metric: Metric, label: int | None) -> list[Row]:
    """Return the rows of a metric and class at the reference level of every axis; of several seeds their means."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in result.rows:
        if (row.metric, row.class_) == (metric.id, label):
            if all(result.axes[axis].reference == level for axis, level in row.condition.items()):
                found[row.sample].append(row)
    return [
        rows[0]
        if len(rows) == 1
        else rows[0].model_copy(update={"value": mean_on_scale([row.value for row in rows], metric.scale)})
        for rows in found.values()
    ]


def ticks_of(low: float, high: float, *, least: float = 0.05) -> list[float]:
    """Return round values that enclose [low, high], some four to eight of them; `least` is the smallest range.

    >>> ticks_of(0.53, 0.91)
    [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    """
    spread = max(high - low, least)
    raw = 10 ** math.floor(math.log10(spread / 4))
    step = next(s * raw for s in (1, 2, 2.5, 5, 10) if spread / (s * raw) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


_Points = list[tuple[int, Aggregate]]


def _series(metric: Metric, name: str, axis: Axis, results: Sequence[Result]) -> list[tuple[int, Result, _Points]]:
    series = []
    for index, result in enumerate(results):
        found = [(i, _mean(result, metric, None, {name: level})) for i, level in enumerate(axis.levels)]
        points = [(i, a) for i, a in found if a is not None and not math.isnan(a.mean)]
        if points:
            series.append((index, result, points))
    return series


def _mean(result: Result, metric: Metric, label: int | None, level: dict[str, Level]) -> Aggregate | None:
    found = (a for a in result.aggregates if a.metric == metric.id and a.class_ == label and a.level == level)
    return next(found, None)


def _cell(result: Result, metric: Metric, level: dict[str, Level]) -> str:
    found = _mean(result, metric, None, level)
    return DASH if found is None else mean_and_span(found, metric)


def _strip_ticks(metric: Metric, classes: Iterable[int | None], results: Sequence[Result]) -> list[float]:
    least, greatest = metric.bounds
    if (least, greatest) == (0.0, 1.0):
        return [0.0, 0.25, 0.5, 0.75, 1.0]
    labels = list(classes)
    values = [row.value for r in results for label in labels for row in rows_at_reference(r, metric, label)]
    values += [v for r in results for label in labels if (a := _mean(r, metric, label, {})) for v in (a.low, a.high)]
    defined = [v for v in values if not math.isnan(v)] or [0.0]
    return ticks_of(min(defined), max(defined), least=50 * 10.0**-metric.digits)


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]", "-", name.lower())


def _short(name: str, longest: int = 15) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
