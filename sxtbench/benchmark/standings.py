"""The tables of a board's page: columns, ranks, the verdict of each method against the next, ties, and the bars.

Ranks order the means. Whether two methods differ is told by the paired comparison of each two ranked methods of a
track on the same specimens, adjusted for all of them (DESIGN 10).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from sxtbench.benchmark.compare import Comparison, sentence
from sxtbench.benchmark.pairs import Pairs, reference_values
from sxtbench.benchmark.plots import bar
from sxtbench.benchmark.ranks import intervals_of_ranks, ranks_text, side_by_side
from sxtbench.benchmark.records import MEAN_OF_LEVELS, Aggregate, Axis, Level
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.statistics import merit
from sxtbench.benchmark.wording import (
    DASH,
    at_level,
    axis_name,
    count,
    direction,
    duration,
    megabytes,
    metric_title,
    span,
    unit,
    value,
)
from sxtbench.labels import NAMES
from sxtbench.metrics.registry import Metric, get_metric

TRACKS = {
    "fixed": ("Fixed training data", "Trained, if at all, on the train split only."),
    "stream": ("Training stream", "Trained on specimens drawn from the generator with training keys."),
    "external": ("External data", "Trained on data from outside the benchmark."),
}
_MOST_IN_MATRIX = 30
_NOT_SCORED = "not scored: the result is older than this column, or comes from elsewhere"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A result file; its name is the method's identity on the board.

    Parameters
    ----------
    path : Path
        Of the file.
    result : Result
        Its content.
    """

    path: Path
    result: Result

    @property
    def slug(self) -> str:
        """Name of the file without its end."""
        return self.path.stem


def tables_of(
    methods: Sequence[Entry],
    controls: Sequence[Entry],
    metric: Metric,
    columns: Sequence["Column"],
    unranked: Mapping[str, str] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return one table a track that has methods, best first, with the controls below.

    Parameters
    ----------
    methods : sequence of Entry
        In order.
    controls : sequence of Entry
        Never ranked.
    metric : Metric
        The primary.
    columns : sequence of Column
        Beside the headline.
    unranked : mapping of str
        By the names of files: why a method stands below the ranked ones, without a rank.
    """
    ends, _ = ends_of(controls, methods, metric)
    tables = []
    for track, (title, note) in TRACKS.items():
        entries = [e for e in methods if e.result.method.track == track]
        members = [e for e in entries if e.slug not in unranked]
        kept_out = [e for e in entries if e.slug in unranked]
        if entries or (track == "fixed" and not methods):
            verdicts = _verdicts(members)
            ranks = ranks_of([e.result.headline.mean for e in members])
            ties = ties_of(len(members), verdicts)
            ranges = _rank_ranges(members, metric)
            tables.append(
                {
                    "id": track,
                    "title": title,
                    "note": note,
                    "rows": [
                        _row(entry, columns, ends, ranks[i])
                        | {"next": _against_next(i, verdicts), "ties": _tie(members, ties[i]), "rank_range": ranges[i]}
                        for i, entry in enumerate(members)
                    ]
                    + [
                        _row(e, columns, ends, None)
                        | {
                            "next": None,
                            "ties": None,
                            "rank_range": None,
                            "flags": (*e.result.flags, f"not ranked: {unranked[e.slug]}"),
                        }
                        for e in kept_out
                    ],
                    "controls": [
                        _row(e, columns, ends, None) | {"next": None, "ties": None, "rank_range": None}
                        for e in controls
                    ],
                    "matrix": _matrix(members, verdicts),
                }
            )
    return tables


def order_of(entry: Entry, metric: Metric) -> tuple[bool, float, str]:
    """Return the key that sorts methods best first, undefined ones last."""
    mean = entry.result.headline.mean
    return math.isnan(mean), -merit(mean, metric), entry.slug


def ranks_of(means: Sequence[float]) -> list[int | None]:
    """Rank sorted means: equal means share a rank, undefined ones have none.

    >>> ranks_of([0.9, 0.8, 0.8, 0.5, float("nan")])
    [1, 2, 2, 4, None]
    """
    ranks: list[int | None] = []
    for i, mean in enumerate(means):
        ranks.append(None if math.isnan(mean) else ranks[-1] if i and mean == means[i - 1] else i + 1)
    return ranks


def _verdicts(members: Sequence[Entry]) -> Mapping[tuple[int, int], Comparison]:
    """Compare every two of the ranked methods of a track, adjusted for all pairs."""
    ranked = [e.result for e in members if not math.isnan(e.result.headline.mean)]  # the undefined stand last
    return Pairs(ranked)


def _rank_ranges(members: Sequence[Entry], metric: Metric) -> list[dict[str, Any]]:
    """Intervals of the ranks: text, ends and the key that sorts them."""
    ranges: list[dict[str, Any]] = []
    for found in intervals_of_ranks(side_by_side([reference_values(e.result) for e in members]), metric):
        ends, sort = (None, "") if found is None else (list(found), str(found[1]))
        ranges.append({"text": ranks_text(found), "ends": ends, "sort": sort})
    return ranges


def _against_next(i: int, verdicts: Mapping[tuple[int, int], Comparison]) -> dict[str, str] | None:
    found = verdicts.get((i, i + 1))
    if found is None:
        return None
    sort = "" if math.isnan(found.p_adjusted) else f"{found.p_adjusted:.6g}"
    return {"verdict": found.verdict, "title": sentence(found), "sort": sort}


def ties_of(n: int, verdicts: Mapping[tuple[int, int], Comparison]) -> list[tuple[str, list[int]]]:
    """Return for each method the letters of its tie groups and the methods in them.

    A tie group is a run of neighbours in rank of which every two are tied, and that is part of no longer run.

    Parameters
    ----------
    n : int
        Methods, in the order of the ranks.
    verdicts : mapping
        From `compare_all`.
    """

    def tied(i: int, j: int) -> bool:
        return (i, j) in verdicts and verdicts[i, j].verdict == "tied"

    groups: list[range] = []
    for first in range(n):
        last = first
        while last + 1 < n and all(tied(i, last + 1) for i in range(first, last + 1)):
            last += 1
        if last > first and (not groups or last + 1 > groups[-1].stop):
            groups.append(range(first, last + 1))
    found = []
    for i in range(n):
        mine = [(letter, group) for letter, group in enumerate(groups) if i in group]
        letters = " ".join(chr(ord("a") + letter) if letter < 26 else str(letter) for letter, _ in mine)
        found.append((letters, sorted({j for _, group in mine for j in group} - {i})))
    return found


def _tie(members: Sequence[Entry], tie: tuple[str, list[int]]) -> dict[str, str] | None:
    letters, partners = tie
    names = ", ".join(members[i].result.method.name for i in partners)
    return {"letters": letters, "names": names} if letters else None


def _matrix(members: Sequence[Entry], verdicts: Mapping[tuple[int, int], Comparison]) -> list[dict[str, Any]]:
    """Every ranked method (row) against every other (column)."""
    n = 1 + max((i for i, _ in verdicts), default=-1)
    return [
        {
            "name": members[i].result.method.name,
            "cells": [
                None if i == j else {"verdict": verdicts[i, j].verdict, "title": sentence(verdicts[i, j])}
                for j in range(n)
            ],
        }
        for i in range(n if n <= _MOST_IN_MATRIX else 0)
    ]


def ends_of(
    controls: Sequence[Entry], methods: Sequence[Entry], metric: Metric
) -> tuple[tuple[float, float] | None, str]:
    """Return the values at the left and the right end of the bars, and what they are.

    They run from trivial to oracle; where a metric has no natural end (a PSNR), the right one is the best end of an
    interval of the ranked methods, as the oracle would push them all into a corner.
    """
    if metric.direction == "nearest":
        return None, ""
    means = {e.slug: e.result.headline.mean for e in controls if not math.isnan(e.result.headline.mean)}
    heads = [e.result.headline for e in methods if not math.isnan(e.result.headline.mean)]
    reached = sorted((v for head in heads for v in (head.low, head.high)), key=lambda v: merit(v, metric))
    least, greatest = metric.bounds if metric.direction == "higher" else metric.bounds[::-1]
    left, left_text = means.get("trivial", least), "trivial"
    right, right_text = means.get("oracle", greatest), "oracle"
    if not all(map(math.isfinite, metric.bounds)) and reached:
        right, right_text = reached[-1], "the best end of an interval"
        if "trivial" not in means:
            left, left_text = reached[0], "the worst end of an interval"
    if not (math.isfinite(left) and math.isfinite(right)) or merit(left, metric) >= merit(right, metric):
        return None, ""
    return (left, right), f"the bar runs from {left_text} (left) to {right_text} (right)"


# Columns and rows


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of numbers: one metric, class and level."""

    key: str
    head: str
    description: str
    first: str  # the direction in which a first click sorts
    metric: Metric
    class_: int | None = None
    level: tuple[tuple[str, Level], ...] = ()
    group: str = "scores"  # the columns that are shown together; else an axis, whose levels they are
    shifted: str = ""  # fingerprint of the shifted domain's data, where the numbers are from there


def columns_of(
    entries: Sequence[Entry], primary: Metric, by_class: str | None, axes: Mapping[str, Axis], reported: Iterable[str]
) -> list[Column]:
    """Return the columns beside the headline: the areas, the shifted domain, what the task reports, the other levels.

    Only what any result holds has a column.

    Parameters
    ----------
    entries : sequence of Entry
        All that the tables show.
    primary : Metric
        The headline.
    by_class : str or None
        The metric that is the headline by class: it gets a column a class.
    axes : mapping of Axis
        In the order of their areas.
    reported : iterable of str
        Ids of metrics, in order.
    """
    held = {(a.metric, a.class_, tuple(a.level.items())) for e in entries for a in e.result.aggregates}
    columns = []
    for axis in axes:
        level: tuple[tuple[str, Level], ...] = ((axis, MEAN_OF_LEVELS),)
        if (primary.id, None, level) in held:
            columns.append(
                Column(
                    key=f"mean-{re.sub('[^a-z0-9]', '-', axis.lower())}",
                    head=f"mean over {axis_name(axis)}",
                    description=f"Area under the curve: {primary.name} averaged over the levels of {axis_name(axis)} "
                    "within a specimen, then over specimens.",
                    first=_first(primary),
                    metric=primary,
                    level=level,
                )
            )
    columns += _shifted_column(entries, primary)
    for metric in (get_metric(name) for name in reported if name != primary.id):
        classes: list[int | None] = [None]
        if (metric.id, None, ()) not in held or metric.id == by_class:  # the mean says nothing, or the headline
            classes = list(sorted({c for m, c, _ in held if m == metric.id and c is not None}))
        for label in classes:
            if (metric.id, label, ()) in held:
                columns.append(_column(metric, label))
    for axis, declared in axes.items():
        levels = [level for level in declared.levels if (primary.id, None, ((axis, level),)) in held]
        columns += [_level_column(primary, axis, level) for level in levels if level != declared.reference]
    return columns


def _level_column(metric: Metric, axis: str, level: Level) -> Column:
    place = at_level(axis, level)
    return Column(
        key=f"at-{re.sub('[^a-z0-9]+', '-', place.lower()).strip('-')}",
        head=place,
        description=f"{metric_title(metric)} at {place}, the other axes at their reference.",
        first=_first(metric),
        metric=metric,
        level=((axis, level),),
        group=axis,
    )


def _shifted_column(entries: Sequence[Entry], primary: Metric) -> list[Column]:
    """Return the column of the shifted domain; its data are those of the oracle, or those that most results have."""
    data = {e.slug: e.result.shifted.fingerprint for e in entries if e.result.shifted is not None}
    if not data:
        return []
    counts = Counter(data.values())
    return [
        Column(
            key="shifted",
            head="shifted domain",
            description=f"{primary.name} on specimens of another domain, which no method is trained on: other shapes, "
            "textures, absorption, noise and optics. Never part of the headline.",
            first=_first(primary),
            metric=primary,
            shifted=data.get("oracle") or min(counts, key=lambda found: (-counts[found], found)),
        )
    ]


def _column(metric: Metric, label: int | None) -> Column:
    key, name = metric.id.partition("@")[0], NAMES.get(label, str(label)) if label is not None else ""
    return Column(
        key=key if label is None else f"{key}-{label}",
        head=metric_title(metric)
        if label is None
        else f"{metric.name} {name}{f', {unit(metric)}' if metric.unit else ''}",
        description=f"{metric.description}{f' Class: {name}.' if name else ''} {direction(metric).capitalize()}.",
        first=_first(metric),
        metric=metric,
        class_=label,
    )


def _first(metric: Metric) -> str:
    return "descending" if metric.direction == "higher" else "ascending"


def total_time(result: Result) -> float | None:
    """Return the seconds of fit and predict together; None where neither is known."""
    wall = result.resources.wall_time_s
    return None if wall.fit is None and wall.predict is None else (wall.fit or 0.0) + (wall.predict or 0.0)


def _row(entry: Entry, columns: Sequence[Column], ends: tuple[float, float] | None, rank: int | None) -> dict[str, Any]:
    result, headline = entry.result, entry.result.headline
    metric = get_metric(result.primary)
    method, wall = result.method, result.resources.wall_time_s
    total, parameters = total_time(result), result.resources.parameters
    parts = [f"{name} {duration(s)}" for name, s in (("fit", wall.fit), ("predict", wall.predict)) if s is not None]
    memory = result.resources.peak_memory_mb
    return {
        "rank": rank,
        "slug": entry.slug,
        "name": method.name,
        "description": method.description,
        "authors": list(method.authors),
        "links": [{"href": link, "text": urlsplit(link).hostname} for link in method.links],
        "licence": method.licence,
        "training_data": method.training_data,
        "seeds": ", ".join(map(str, method.seeds)),
        "origin": result.origin,
        "flags": (*result.flags, *([f"{result.n_seeds} training seeds"] if result.n_seeds > 1 else [])),
        "href": f"methods/{entry.slug}.html",
        "raw": f"results/{result.task}/{result.tier}/{entry.path.name}",
        "headline": {"text": value(headline.mean, metric), "sort": _sort(headline.mean)},
        "numbers": _numbers(headline),
        "n_groups": headline.n_groups,
        "span": span(headline, metric),
        "bar": bar(headline, ends),
        "cells": _cells(result, columns),
        "time": {"text": duration(total), "sort": "" if total is None else f"{total:.6g}", "title": ", ".join(parts)},
        "memory": {"text": megabytes(memory), "sort": "" if memory is None else f"{memory:.6g}"},
        "device": result.resources.device,
        "parameters": {"text": count(parameters), "sort": "" if parameters is None else str(parameters)},
    }


def _cells(result: Result, columns: Sequence[Column]) -> list[dict[str, Any]]:
    held = {"": _held(result.aggregates)}
    if result.shifted is not None:
        held[result.shifted.fingerprint] = _held(result.shifted.aggregates)
    return [
        _cell(
            held.get(column.shifted, {}).get((column.metric.id, column.class_, column.level)),
            column.metric,
            result.headline.n_groups,
        )
        for column in columns
    ]


_Held = dict[tuple[str, int | None, tuple[tuple[str, Level], ...]], Aggregate]


def _held(aggregates: Iterable[Aggregate]) -> _Held:
    return {(a.metric, a.class_, tuple(a.level.items())): a for a in aggregates}


def _cell(found: Aggregate | None, metric: Metric, groups: int) -> dict[str, Any]:
    if found is None:
        return {"text": DASH, "sort": "", "title": _NOT_SCORED, "numbers": None}
    sort = abs(found.mean - metric.ideal) if metric.direction == "nearest" else found.mean
    return {
        "text": value(found.mean, metric),
        "sort": _sort(sort),
        "title": _interval_title(found, metric, groups),
        "numbers": _numbers(found),
    }


def _numbers(found: Aggregate) -> list[float] | None:
    """Return mean, low and high as plain JSON; None where undefined."""
    return None if math.isnan(found.mean) else [found.mean, found.low, found.high]


def _interval_title(found: Aggregate, metric: Metric, groups: int) -> str:
    """Return the interval, with the specimens where they are not those of the headline."""
    if found.n_groups == groups or found.method in ("undefined", "degenerate"):
        return span(found, metric)
    return f"{span(found, metric)}, {found.n_groups} specimen{'' if found.n_groups == 1 else 's'}"


def _sort(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.9g}"
