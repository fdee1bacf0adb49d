"""The board's plots: coordinates here, drawing in leaderboard/templates/plots.html.j2.

Every plot is a dictionary of numbers and texts, so that two builds give the same bytes.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sxtbench.benchmark.records import MEAN_OF_LEVELS, Aggregate, Axis, Level, Row, level_text
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.statistics import mean_on_scale, to_scale
from sxtbench.benchmark.wording import DASH, at_level, axis_title, mean_and_span, metric_title, value
from sxtbench.labels import COLOURS, NAMES
from sxtbench.metrics.registry import Metric, get_metric

_FEWEST_OF_A_VIOLIN = 10
"""Specimens from which their density is drawn; fewer are shown as dots alone."""


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
    """Draw a metric against an axis, a line a result in its band of intervals; None where no result has other levels.

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

    def x(position: int) -> float:
        return left + (width - left - right) / len(axis.levels) * (position + 0.5)

    def y(number: float) -> float:
        inside = min(max(number, ticks[0]), ticks[-1])
        return top + (height - top - bottom) * (1 - (inside - ticks[0]) / (ticks[-1] - ticks[0]))

    drawn = []
    for index, result, points in series:
        marks: list[dict[str, Any]] = [
            {
                "x": x(position),
                "y": y(a.mean),
                "low": y(a.low),
                "high": y(a.high),
                "text": f"{result.method.name}, {at_level(name, axis.levels[position])}: {mean_and_span(a, metric)}",
            }
            for position, a in points
        ]
        edges = [(m["x"], m["high"]) for m in marks] + [(m["x"], m["low"]) for m in reversed(marks)]
        drawn.append(
            {
                "index": index,
                "name": result.method.name,
                "path": line_path([(m["x"], m["y"]) for m in marks]),
                "band": f"{line_path(edges)}Z" if len(marks) > 1 else "",
                "marks": marks,
            }
        )
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
                "x": x(position),
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


def line_path(points: Iterable[tuple[float, float]]) -> str:
    """Return the points as the `d` of an SVG path.

    >>> line_path([(0, 1), (2.25, 3)])
    'M0.0 1.0L2.2 3.0'
    """
    return "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))


def curve_extent(metric: Metric, name: str, axis: Axis, results: Sequence[Result]) -> tuple[float, float] | None:
    """Return the least and the greatest end of an interval on a curve plot; None where there is none."""
    values = [v for _, _, points in _series(metric, name, axis, results) for _, a in points for v in (a.low, a.high)]
    return (min(values), max(values)) if values else None


def strips(metric: Metric, classes: Sequence[int | None], results: Sequence[Result]) -> list[dict[str, Any]]:
    """Draw one plot a class (None: the metric as a whole): a dot a specimen at the reference level, mean and interval.

    From ten specimens on, their density stands behind the dots (a violin).

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
            rows = sorted(rows_at_reference(result, metric, label), key=lambda row: row.sample)
            rows = [row for row in rows if not math.isnan(row.value)]
            dots: list[dict[str, Any]] = [
                {
                    "x": x(row.value),
                    "y": y + (-5.0, 2.5, -1.5, 5.0, -3.5, 0.5)[i % 6],
                    "text": f"{row.sample}: {value(row.value, metric)}",
                }
                for i, row in enumerate(rows)
            ]
            lines.append(
                {
                    "index": index,
                    "name": result.method.name,
                    "short": _short(result.method.name),
                    "y": y,
                    "dots": dots,
                    "violin": violin([dot["x"] for dot in dots], y, 0.46 * line, (left, width - right)),
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


def violin(places: Sequence[float], middle: float, half: float, ends: tuple[float, float]) -> str:
    """Return the density of some places on a line, mirrored about it, as the `d` of an SVG path.

    Gaussian kernels of Silverman's width; empty below ten places or where they are all equal.

    Parameters
    ----------
    places : sequence of float
        In the plot's x.
    middle, half : float
        y of the line, and how far the greatest density lies from it.
    ends : tuple of two float
        Where the density is cut.

    References
    ----------
    B. W. Silverman, Density Estimation for Statistics and Data Analysis, 1986, eq. 3.31. DOI 10.1201/9781315140919.
    """
    found = np.asarray(places, np.float64)
    if found.size < _FEWEST_OF_A_VIOLIN or np.ptp(found) == 0:
        return ""
    between = float(np.subtract(*np.percentile(found, [75, 25]))) / 1.34
    spread = min(float(found.std(ddof=1)), between) if between > 0 else float(found.std(ddof=1))
    width = 0.9 * spread * found.size**-0.2
    x = np.linspace(max(found.min() - 3 * width, ends[0]), min(found.max() + 3 * width, ends[1]), 41)
    density = np.exp(-0.5 * ((x[:, None] - found) / width) ** 2).sum(axis=1)
    outline = half * density / density.max()
    upper = list(zip(x.tolist(), (middle - outline).tolist(), strict=True))
    lower = list(zip(x.tolist(), (middle + outline).tolist(), strict=True))
    return f"{line_path([*upper, *reversed(lower)])}Z"


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
