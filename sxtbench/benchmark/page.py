"""One page of the board: the results of one task and tier as what the template shows.

Which columns, controls and words a page has comes from the task's file and the metrics' registry. A task that this
version does not ship gets every metric that its results hold, in the registry's order.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sxtbench.benchmark.compare import protocol_of
from sxtbench.benchmark.gate import gated
from sxtbench.benchmark.plane import contrast_plane
from sxtbench.benchmark.plots import curve, curve_extent, strips
from sxtbench.benchmark.records import Axis
from sxtbench.benchmark.result import Preview, Result
from sxtbench.benchmark.standings import TRACKS, Entry, columns_of, ends_of, order_of, tables_of
from sxtbench.benchmark.summary import headline_by_class
from sxtbench.benchmark.task import Gate, load_task_file
from sxtbench.benchmark.wording import at_level, direction, metric_title, unit
from sxtbench.content import content_folder
from sxtbench.labels import COLOURS, NAMES
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
_THINGS = {"labels": "labels", "shifts": "alignment"}


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
        "series": [{"index": i, "name": e.result.method.name} for i, e in enumerate(shown)],
        "n_hidden": len(ordered) - len(shown),
        "curves": [plot for name, axis in axes.items() if (plot := curve(metric, name, axis, drawn))],
        "information": _information(axes, drawn),
        "plane": contrast_plane(drawn),
        "strip_title": f"{strip_of.name} per {'class' if by_class else 'specimen'}",
        "strips": _strips(strip_of, drawn, [e.result for e in controls]),
        "galleries": _galleries([*ordered, *controls], words.answer),
        "pictures": _pictures(equal),
        "legend": _legend(equal) if words.answer == "labels" else [],
        "window": _WINDOWS.get(words.answer, f"LAC in grey, {GREY_WINDOW[0]:g} to {GREY_WINDOW[1]:g} µm⁻¹."),
        "entries": list(entries),
    }


def machine_readable(pages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the ranks, means and verdicts of all pages as plain JSON."""
    return {
        "sxtbench_board": 1,
        "pages": [
            {
                "task": page["task"],
                "tier": page["tier"],
                "page": page["href"],
                "primary": page["metric"].id,
                "tracks": {
                    table["id"]: [
                        {
                            "rank": row["rank"],
                            "rank_interval": _ends(row.get("rank_range")),
                            "method": row["slug"],
                            "mean": float(row["headline"]["sort"]) if row["headline"]["sort"] else None,
                            "against_next": row["next"]["verdict"] if row["next"] else None,
                        }
                        for row in table["rows"]
                    ]
                    for table in page["tables"]
                },
            }
            for page in pages
        ],
    }


def _ends(found: Mapping[str, Any] | None) -> list[int] | None:
    return [found["best"], found["worst"]] if found and found["best"] is not None else None


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
            others.append({"entry": entry, "name": entry.result.method.name, "reason": f"other {', '.join(differing)}"})
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


def _pictures(entries: Iterable[Entry]) -> list[Preview]:
    named = {preview.file: preview for entry in entries for preview in entry.result.previews}
    return [named[file] for file in sorted(named)]


def _galleries(entries: Sequence[Entry], answer: str) -> list[dict[str, Any]]:
    """Per sample: the input and the truth (from the first result that has them), then each method's answer."""
    samples = sorted({p.sample for e in entries for p in e.result.previews})
    galleries = []
    for sample in samples:
        tiles: list[dict[str, str]] = []
        for kind in ("input", "truth"):
            found = [(e, p) for e in entries for p in e.result.previews if p.sample == sample and p.kind == kind]
            tiles += [_tile(e, p, kind.capitalize(), answer) for e, p in found[:1]]
        for entry in entries:
            answers = [p for p in entry.result.previews if p.sample == sample and p.kind == "answer"]
            tiles += [_tile(entry, p, entry.result.method.name, answer) for p in answers]
        captions = {tile["caption"] for tile in tiles}
        common = captions.pop() if len(captions) == 1 else ""
        galleries.append(
            {"sample": sample, "caption": common, "tiles": [t | {"caption": ""} for t in tiles] if common else tiles}
        )
    return galleries


def _tile(entry: Entry, preview: Preview, name: str, answer: str) -> dict[str, str]:
    note = f", {preview.caption}" if preview.caption else ""
    thing = _THINGS.get(answer, "LAC")
    what = {
        "input": "Input as taken" if answer == "shifts" else "Input reconstruction",
        "truth": f"True {thing}",
        "answer": f"The {thing} answered by {name}",
    }
    return {
        "src": f"previews/{entry.result.task}/{entry.result.tier}/{preview.file}",
        "name": name,
        "kind": preview.kind,
        "caption": preview.caption,
        "alt": f"{what[preview.kind]}, sample {preview.sample}{note}",
    }


def _legend(entries: Iterable[Entry]) -> list[dict[str, str]]:
    classes = sorted({a.class_ for e in entries for a in e.result.aggregates if a.class_ is not None})
    return [{"name": NAMES.get(c, str(c)), "colour": COLOURS.get(c, "#777777")} for c in classes]
