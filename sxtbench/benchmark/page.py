"""One page of the board: the results of one task and tier as what the template shows.

Which columns, controls and words a page has comes from the task's file and the metrics' registry. A task that this
version does not ship gets every metric that its results hold, in the registry's order.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sxtbench.benchmark.compare import protocol_of
from sxtbench.benchmark.costs import cost_planes
from sxtbench.benchmark.gallery import galleries_of, legend_of, pictures_of
from sxtbench.benchmark.gate import gated
from sxtbench.benchmark.overview import Ranking
from sxtbench.benchmark.pairs import reference_values
from sxtbench.benchmark.plane import contrast_plane
from sxtbench.benchmark.plots import curve, curve_extent, strips
from sxtbench.benchmark.ranks import side_by_side
from sxtbench.benchmark.records import Axis
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.standings import TRACKS, Entry, columns_of, ends_of, order_of, ranks_of, tables_of
from sxtbench.benchmark.summary import headline_by_class
from sxtbench.benchmark.task import Gate, load_task_file
from sxtbench.benchmark.wording import at_level, axis_name, direction, metric_title, unit
from sxtbench.content import content_folder
from sxtbench.metrics.registry import METRICS, Metric, get_metric
from sxtbench.pictures import GREY_WINDOW

CONTROLS = ("oracle", "trivial", "oracle-stop", "label-paint")
"""File names of methods that bracket the scale; shown, never ranked."""

INFORMATION = ("fsc_mean_in@1", "fsc_mean_out@1")
"""Metrics that are drawn side by side: what is known of the directions that were measured, and of the others."""

_MOST_SERIES = 8
_WINDOWS = {
    "labels": "",
    "shifts": "Absorbance in grey: one row of all views, one below the other, after each alignment.",
}


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What the task's file tells beside the score."""

    summary: str
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...]
    controls: tuple[str, ...]
    answer: str
    gate: Gate | None = None


def page_of(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return what `task.html.j2` shows of the results of one task and tier.

    Parameters
    ----------
    entries : sequence of Entry
        At least one; those that cannot be compared with the rest are listed apart, unranked.
    """
    equal, others = _comparable(entries)
    result = equal[0].result
    axes = dict(sorted(result.axes.items(), key=lambda item: (-len(item[1].levels), item[0])))
    metric = get_metric(result.primary)
    words = _words(equal)
    controls = sorted((e for e in equal if e.slug in words.controls), key=lambda e: words.controls.index(e.slug))
    methods = sorted((e for e in equal if e.slug not in words.controls), key=lambda e: order_of(e, metric))
    by_class = headline_by_class((methods or controls)[0].result)
    columns = columns_of(equal, metric, by_class, axes, words.columns)
    unranked = gated(methods, words.gate)
    tables = tables_of(methods, controls, metric, columns, unranked)
    ordered = [e for track in TRACKS for e in methods if e.result.method.track == track]
    shown = ordered[:_MOST_SERIES]
    drawn = [e.result for e in shown]
    strip_of = METRICS[by_class] if by_class else metric
    return {
        "href": f"{result.task}-{result.tier}.html",
        "csv": f"{result.task}-{result.tier}.csv",
        "task": result.task,
        "title": re.sub("(?<!limited)(?<!low)-", " ", result.task).capitalize(),
        "summary": words.summary,
        "notes": words.notes,
        "version": result.version,
        "tier": result.tier,
        "split": result.split,
        "task_hash": result.task_hash,
        "fingerprint": result.fingerprint,
        "reference": [at_level(name, axis.reference) for name, axis in axes.items()],
        "metric": metric,
        "metric_title": metric_title(metric),
        "direction": direction(metric),
        "unit": unit(metric),
        "columns": columns,
        "tables": tables,
        "ends": ends_of(controls, methods, metric)[1],
        "others": others,
        "groups": max((e.result.headline.n_groups for e in equal), default=0),
        "n_methods": len(methods),
        "tracks": [{"id": table["id"], "title": table["title"]} for table in tables],
        "origins": sorted({e.result.origin for e in methods}),
        "groups_of_columns": [
            {"id": group, "title": "scores" if group == "scores" else f"levels of {axis_name(group)}"}
            for group in dict.fromkeys(column.group for column in columns)
        ],
        "rankings": _rankings(methods, unranked),
        "series": [{"index": i, "name": e.result.method.name} for i, e in enumerate(shown)],
        "n_hidden": len(ordered) - len(shown),
        "curves": [plot for name, axis in axes.items() if (plot := curve(metric, name, axis, drawn))],
        "information": _information(axes, drawn),
        "costs": cost_planes(methods, metric, {e.slug: i for i, e in enumerate(shown)}),
        "plane": contrast_plane(drawn),
        "strip_title": f"{strip_of.name} per {'class' if by_class else 'specimen'}",
        "strips": _strips(strip_of, drawn, [e.result for e in controls]),
        "galleries": galleries_of([*ordered, *controls], words.answer),
        "pictures": pictures_of(equal),
        "legend": legend_of(equal) if words.answer == "labels" else [],
        "window": _WINDOWS.get(words.answer, f"LAC in grey, {GREY_WINDOW[0]:g} to {GREY_WINDOW[1]:g} µm⁻¹."),
        "limits": None if words.answer == "shifts" else GREY_WINDOW,
        "files": [entry.path for entry in entries],
    }


def _rankings(methods: Sequence[Entry], unranked: Mapping[str, str]) -> dict[str, Ranking]:
    """Return the ranked methods of each track with their values by specimen, best first."""
    found = {}
    for track in TRACKS:
        ranked = [e for e in methods if e.result.method.track == track and e.slug not in unranked]
        ranked = [e for e in ranked if not math.isnan(e.result.headline.mean)]
        if ranked:
            found[track] = Ranking(
                slugs=tuple(e.slug for e in ranked),
                ranks=tuple(rank or 0 for rank in ranks_of([e.result.headline.mean for e in ranked])),
                values=tuple(side_by_side([reference_values(e.result) for e in ranked])),
                metric=get_metric(ranked[0].result.primary),
            )
    return found


def _words(entries: Sequence[Entry]) -> _Words:
    result = entries[0].result
    path = content_folder("tasks") / result.task / "task.yaml"
    content = load_task_file(path) if path.is_file() else None
    if content is None or content.protocol.version != result.version:
        answer = "labels" if any(headline_by_class(e.result) for e in entries) else "volume"
        return _Words(summary="", columns=tuple(METRICS), controls=CONTROLS, answer=answer)
    return _Words(
        summary=content.report.summary,
        notes=content.report.notes,
        columns=content.report.columns,
        controls=tuple(dict.fromkeys((*content.report.controls, *CONTROLS))),
        answer=content.protocol.answer.kinds[0],
        gate=content.report.gate,
    )


def _comparable(entries: Sequence[Entry]) -> tuple[list[Entry], list[dict[str, Any]]]:
    """Part the results that share the oracle's protocol (or the most common one) from the others."""
    protocols = {entry.slug: protocol_of(entry.result, entry.result.primary) for entry in entries}
    counts = Counter(repr(protocol) for protocol in protocols.values())
    most = min(counts, key=lambda key: (-counts[key], key))
    right = protocols.get("oracle") or next(p for p in protocols.values() if repr(p) == most)
    equal, others = [], []
    for entry in entries:
        differing = [name for name, found in protocols[entry.slug].items() if found != right[name]]
        if differing:
            name, file = entry.result.method.name, entry.path.name
            others.append({"file": file, "name": name, "reason": f"other {', '.join(differing)}"})
        else:
            equal.append(entry)
    return equal, others


def _information(axes: Mapping[str, Axis], results: Sequence[Result]) -> list[dict[str, Any]]:
    """Curves of what is known in and out of the measured directions: one scale for those that stand side by side."""
    plots = []
    for name, axis in axes.items():
        extents = [found for m in INFORMATION if (found := curve_extent(METRICS[m], name, axis, results))]
        if extents:
            shared = min(low for low, _ in extents), max(high for _, high in extents)
            plots += [plot for m in INFORMATION if (plot := curve(METRICS[m], name, axis, results, shared))]
    return plots


def _strips(metric: Metric, methods: Sequence[Result], controls: Sequence[Result]) -> list[dict[str, Any]]:
    drawn = list(methods) or list(controls)
    classes: list[int | None] = list(
        sorted({r.class_ for result in drawn for r in result.rows if r.metric == metric.id and r.class_ is not None})
    )
    return strips(metric, classes or [None], drawn)
