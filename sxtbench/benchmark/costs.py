"""What a score costs: the headline against time, memory and trained parameters, with what nothing cheaper beats."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sxtbench.benchmark.plots import line_path, ticks_of
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.standings import Entry, total_time
from sxtbench.benchmark.statistics import from_scale, merit, to_scale
from sxtbench.benchmark.wording import count, duration, mean_and_span, megabytes, metric_title
from sxtbench.metrics.registry import Metric

_Cost = Callable[[Result], float | None]
_DECADES = tuple(digit * 10.0**power for power in range(12) for digit in (1, 2, 5))
_TIMES = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 18000.0, 36000.0, 72000.0, 180000.0, 360000.0),
)
_LONGEST_NAME = 22
_LETTER, _LINE = 6.5, 13.0  # of a label, about, in the plot's units


def _memory(result: Result) -> float | None:
    return result.resources.peak_memory_mb


def _parameters(result: Result) -> float | None:
    return result.resources.parameters


_COSTS: dict[str, tuple[str, _Cost, Callable[[float], str], tuple[float, ...]]] = {
    "time": ("wall time, fit and predict", total_time, duration, _TIMES),
    "memory": ("peak memory", _memory, megabytes, _DECADES),
    "parameters": ("trained parameters", _parameters, count, _DECADES),
}


def cost_planes(entries: Sequence[Entry], metric: Metric, colours: Mapping[str, int]) -> list[dict[str, Any]]:
    """Place each method by what it costs and what it scores; one plot a cost that two methods or more state.

    Parameters
    ----------
    entries : sequence of Entry
        The methods, of all tracks; controls have no cost to speak of.
    metric : Metric
        The headline.
    colours : mapping of int
        By the names of files: place of a colour and mark; the others are grey.

    Returns
    -------
    list of dict
        Costs on a logarithmic axis, scores on the metric's scale. `front` is the best that is had at each cost.
    """
    planes = []
    for key, (title, cost_of, text_of, marks) in _COSTS.items():
        stated = [(entry, cost) for entry in entries if (cost := cost_of(entry.result)) is not None and cost > 0]
        points = [(entry, cost) for entry, cost in stated if not math.isnan(entry.result.headline.mean)]
        if len(points) > 1:
            planes.append({"key": key, "x_title": title, **_plane(points, metric, colours, text_of, marks)})
    return planes


def front_of(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the places of the (cost, merit) that no other point beats at the same or a lower cost, cheapest first.

    >>> front_of([(10, 0.9), (1, 0.5), (5, 0.4), (1, 0.4), (20, 0.9)])
    [1, 0]
    """
    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if not front or points[i][1] > points[front[-1]][1]:
            front.append(i)
    return front


def _plane(
    points: Sequence[tuple[Entry, float]],
    metric: Metric,
    colours: Mapping[str, int],
    text_of: Callable[[float], str],
    marks: Sequence[float],
) -> dict[str, Any]:
    width, height, left, right, top, bottom = 460.0, 300.0, 52.0, 14.0, 16.0, 44.0
    costs = [cost for _, cost in points]
    first, last = min(costs) / 1.6, max(costs) * 1.6
    x_ticks = [mark for mark in marks if first <= mark <= last]
    while len(x_ticks) > 6:
        x_ticks = x_ticks[::2]
    heads = [entry.result.headline for entry, _ in points]
    scaled = to_scale([v for head in heads for v in (head.mean, head.low, head.high)], metric.scale)
    y_ticks = ticks_of(float(scaled.min()), float(scaled.max()), least=50 * 10.0**-metric.digits)

    def x(cost: float) -> float:
        return left + (width - left - right) * math.log(cost / first) / math.log(last / first)

    def y(on_scale: float) -> float:
        return top + (height - top - bottom) * (1 - (on_scale - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]))

    drawn: list[dict[str, Any]] = []
    front = front_of([(cost, merit(entry.result.headline.mean, metric)) for entry, cost in points])
    for i, ((entry, cost), head) in enumerate(zip(points, heads, strict=True)):
        low, mean, high = to_scale([head.low, head.mean, head.high], metric.scale).tolist()
        name = entry.result.method.name
        drawn.append(
            {
                "slug": entry.slug,
                "index": colours.get(entry.slug),
                "x": x(cost),
                "y": y(mean),
                "low": y(low),
                "high": y(high),
                "front": i in front,
                "label": (name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…")
                if i in front
                else "",
                "end": x(cost) > (left + width) / 2,
                "text": f"{name}: {mean_and_span(head, metric)}, {text_of(cost)}",
            }
        )
    _leave_out_overlapping([drawn[i] for i in reversed(front)])
    return {
        "width": width,
        "height": height,
        "left": left,
        "right": width - right,
        "top": top,
        "bottom": height - bottom,
        "y_title": metric_title(metric),
        "x_ticks": [{"x": x(mark), "text": text_of(mark)} for mark in x_ticks],
        "y_ticks": [{"y": y(tick), "text": f"{from_scale(tick, metric.scale):.3g}"} for tick in y_ticks],
        "marks": sorted(drawn, key=lambda mark: mark["front"]),  # those on the front are drawn last, on top
        "front": _staircase([(drawn[i]["x"], drawn[i]["y"]) for i in front], width - right),
    }


def _leave_out_overlapping(marks: Sequence[dict[str, Any]]) -> None:
    """Take the label from each mark where it would lie on that of an earlier one; the mark still says its name."""
    placed: list[tuple[float, float, float]] = []
    for mark in marks:
        length = _LETTER * len(mark["label"])
        first = mark["x"] - 8 - length if mark["end"] else mark["x"] + 8
        near = [y for low, high, y in placed if low < first + length and first < high]
        if any(abs(mark["y"] - y) < _LINE for y in near):
            mark["label"] = ""
        else:
            placed.append((first, first + length, mark["y"]))


def _staircase(points: Sequence[tuple[float, float]], end: float) -> str:
    """Return the path of the best that is had at each cost, up to the right end."""
    corners: list[tuple[float, float]] = []
    for i, (x, y) in enumerate(points):
        following = points[i + 1][0] if i + 1 < len(points) else end
        corners += [(x, y), (following, y)]
    return line_path(corners)
