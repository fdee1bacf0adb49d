"""The leaderboard: result files in, static pages out that open without a server or a network.

Everything in a result file is taken as written by a stranger: pages are rendered with autoescape, names of files are
slugs, links are http(s), pictures are PNGs of at most 60 kB. Aggregates are recomputed from the rows before they are
shown. Pages carry no clock, so two builds are equal byte for byte.
"""

import io
import json
import math
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sxtbench.benchmark.result import (
    MEAN_OF_LEVELS,
    Aggregate,
    Axis,
    Level,
    Preview,
    Result,
    check_aggregates,
    condition_text,
    load_result,
)
from sxtbench.content import content_folder
from sxtbench.errors import InputError
from sxtbench.files import atomic_folder, write_text
from sxtbench.labels import COLOURS, NAMES
from sxtbench.metrics.registry import METRICS, Metric, get_metric
from sxtbench.pictures import MOST_BYTES

CONTROLS = ("oracle", "trivial", "oracle-stop", "label-paint")
"""File names of methods that bracket the scale; shown, never ranked."""

TRACKS = {
    "fixed": ("Fixed training data", "Trained, if at all, on the train split only."),
    "stream": ("Training stream", "Trained on specimens drawn from the generator with training keys."),
    "external": ("External data", "Trained on data from outside the benchmark."),
}
ORIGINS = {
    "reported": "Scored by the authors; nobody else has run it.",
    "scored": "Predictions were scored here.",
    "reproduced": "The method was run and scored here.",
}
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_TIERS = ("tiny", "small", "full")
_MARKER = "board.json"
_MOST_SERIES = 8
_MOST_PIXELS = 1024


def build_board(results_dir: str | Path, out_dir: str | Path, *, previews_dir: str | Path | None = None) -> Path:
    """Build the board of `<results_dir>/<task>/<tier>/<method>.json`.

    Parameters
    ----------
    results_dir : str or Path
        Folder of result files.
    out_dir : str or Path
        Folder of the board. Built beside it and put in its place when whole; an older board there is replaced, any
        other folder that is not empty is refused.
    previews_dir : str or Path, optional
        Folder of `<task>/<tier>/<file>.png`; `previews` beside `results_dir` if left out.

    Returns
    -------
    Path
        Of `index.html`.

    Raises
    ------
    InputError
        If a result or a picture is wrong, or `out_dir` holds something else than a board.
    """
    results, out = Path(results_dir), Path(out_dir)
    previews = results.parent / "previews" if previews_dir is None else Path(previews_dir)
    if not results.is_dir():
        raise InputError(f"{results}: no such folder, expected <task>/<tier>/<method>.json in it")
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / _MARKER).is_file())):
        raise InputError(f"{out}: holds something else than a board; choose an empty or a new folder")
    pages = [_page(entries) for entries in _read(results)]
    render = _renderer()
    with atomic_folder(out) as folder:
        for page in pages:
            write_text(folder / page["href"], render("task.html.j2", page=page))
            for entry in page["entries"]:
                _copy(entry.path, folder / "results" / page["task"] / page["tier"] / entry.path.name)
            for preview in page["pictures"]:
                place = Path(page["task"], page["tier"], preview.file)
                content = _picture(previews / place)
                target = folder / "previews" / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        write_text(folder / "index.html", render("index.html.j2", pages=pages))
        write_text(folder / _MARKER, json.dumps(_machine_readable(pages), sort_keys=True, indent=1) + "\n")
        for asset in ("board.css", "board.js"):
            _copy(content_folder("leaderboard") / "static" / asset, folder / "static" / asset)
    return out / "index.html"


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A result file; its name is the method's identity on the board."""

    path: Path
    result: Result

    @property
    def slug(self) -> str:
        return self.path.stem


def _read(results: Path) -> list[list[_Entry]]:
    boards = []
    for task in _folders(results):
        for tier in sorted(_folders(task), key=lambda p: (_TIERS.index(p.name) if p.name in _TIERS else 9, p.name)):
            entries = [_entry(path, task.name, tier.name) for path in sorted(tier.glob("*.json"))]
            if entries:
                boards.append(entries)
    return boards


def _folders(parent: Path) -> list[Path]:
    found = sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in found:
        if path.is_symlink() or not _SLUG.fullmatch(path.name):
            raise InputError(f"{path}: expected a folder named like limited-angle-segmentation or tiny")
    return found


def _entry(path: Path, task: str, tier: str) -> _Entry:
    if path.is_symlink() or not _SLUG.fullmatch(path.stem):
        raise InputError(f"{path}: expected a file named like my-method.json (lower case, digits, . _ -)")
    result = load_result(path)
    if (result.task, result.tier) != (task, tier):
        raise InputError(f"{path}: is a result of {result.task}/{result.tier}, expected one of {task}/{tier}")
    try:
        check_aggregates(result)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return _Entry(path=path, result=result)


def _picture(path: Path) -> bytes:
    from PIL import Image, UnidentifiedImageError

    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path}: no such picture, though a result names it")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: takes {path.stat().st_size} bytes, at most {MOST_BYTES} are allowed")
    content = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
                if max(picture.size) > _MOST_PIXELS:
                    raise InputError(f"{path}: is {picture.size} pixels, at most {_MOST_PIXELS} a side are allowed")
                picture.load()
    except InputError:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning) as error:
        raise InputError(f"{path}: not a readable PNG") from error
    return content


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _renderer() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(content_folder("leaderboard") / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["px"] = lambda value: f"{value:.1f}"
    environment.filters["initial"] = lambda text: text[:1].upper() + text[1:]
    environment.globals["origins"] = ORIGINS
    return lambda template, **context: environment.get_template(template).render(**context).strip() + "\n"


# Which results may be set side by side


def _protocol(result: Result) -> dict[str, Any]:
    return {
        "task version": result.version,
        "task hash": result.task_hash,
        "split": result.split,
        "dataset fingerprint": result.fingerprint,
        "primary metric": result.primary,
        "axes": json.dumps({name: axis.model_dump(mode="json") for name, axis in result.axes.items()}, sort_keys=True),
        "set of samples": tuple(
            sorted({(r.sample, condition_text(r.condition)) for r in result.rows if r.metric == result.primary})
        ),
    }


def _comparable(entries: Sequence[_Entry]) -> tuple[list[_Entry], list[dict[str, Any]]]:
    protocols = {entry.slug: _protocol(entry.result) for entry in entries}
    counts = Counter(repr(protocol) for protocol in protocols.values())
    most = min(counts, key=lambda key: (-counts[key], key))
    right = protocols.get("oracle") or next(p for p in protocols.values() if repr(p) == most)
    equal, others = [], []
    for entry in entries:
        differing = [name for name, value in protocols[entry.slug].items() if value != right[name]]
        if differing:
            others.append({"entry": entry, "name": entry.result.method.name, "reason": f"other {', '.join(differing)}"})
        else:
            equal.append(entry)
    return equal, others


# One page


def _page(entries: Sequence[_Entry]) -> dict[str, Any]:
    equal, others = _comparable(entries)
    result = equal[0].result
    axes = dict(sorted(result.axes.items(), key=lambda item: (-len(item[1].levels), item[0])))
    metric = get_metric(result.primary)
    controls = sorted((e for e in equal if e.slug in CONTROLS), key=lambda e: CONTROLS.index(e.slug))
    methods = sorted((e for e in equal if e.slug not in CONTROLS), key=lambda e: _order(e, metric))
    columns = _columns(equal, metric, axes)
    ends = _ends(controls, metric)
    tables = []
    for track in TRACKS:
        members = [e for e in methods if e.result.method.track == track]
        if members or (track == "fixed" and not methods):
            ranks = _ranks([e.result.headline.mean for e in members])
            tables.append(
                {
                    "id": track,
                    "title": TRACKS[track][0],
                    "note": TRACKS[track][1],
                    "rows": [_row(e, columns, ends, rank) for e, rank in zip(members, ranks, strict=True)],
                    "controls": [_row(e, columns, ends, None) for e in controls],
                }
            )
    ordered = [e for track in TRACKS for e in methods if e.result.method.track == track]
    shown = ordered[:_MOST_SERIES]
    groups = max((e.result.headline.n_groups for e in equal), default=0)
    return {
        "href": f"{result.task}-{result.tier}.html",
        "task": result.task,
        "title": re.sub("(?<!limited)(?<!low)-", " ", result.task).capitalize(),
        "version": result.version,
        "tier": result.tier,
        "split": result.split,
        "task_hash": result.task_hash,
        "fingerprint": result.fingerprint,
        "reference": [(_axis_title(name), _level_text(axis.reference)) for name, axis in axes.items()],
        "metric": metric,
        "columns": columns,
        "tables": tables,
        "others": others,
        "groups": groups,
        "n_methods": len(methods),
        "series": [{"index": i, "name": e.result.method.name} for i, e in enumerate(shown)],
        "n_hidden": len(ordered) - len(shown),
        "curves": [c for name, axis in axes.items() if (c := _curve(name, axis, shown, metric))],
        "strips": _strips(shown, controls),
        "galleries": _galleries([*ordered, *controls]),
        "pictures": _pictures(equal),
        "legend": _legend(equal),
        "entries": list(entries),
    }


def _order(entry: _Entry, metric: Metric) -> tuple[bool, float, str]:
    mean = entry.result.headline.mean
    return math.isnan(mean), -mean if metric.direction == "higher" else mean, entry.slug


def _ranks(means: Sequence[float]) -> list[int | None]:
    """Rank sorted means: equal means share a rank, undefined ones have none."""
    ranks: list[int | None] = []
    for i, mean in enumerate(means):
        ranks.append(None if math.isnan(mean) else ranks[-1] if i and mean == means[i - 1] else i + 1)
    return ranks


def _ends(controls: Sequence[_Entry], metric: Metric) -> tuple[float, float]:
    """Values at the left and the right end of the bars: trivial and oracle, or the metric's bounds."""
    means = {e.slug: e.result.headline.mean for e in controls}
    left, right = metric.bounds if metric.direction == "higher" else metric.bounds[::-1]
    return means.get("trivial", left), means.get("oracle", right)


@dataclass(frozen=True, kw_only=True)
class _Column:
    key: str
    head: str
    description: str
    first: str  # the direction in which a first click sorts
    metric: str = ""
    class_: int | None = None
    level: tuple[tuple[str, Level], ...] = ()


def _columns(entries: Sequence[_Entry], primary: Metric, axes: Iterable[str]) -> list[_Column]:
    """Columns beside the headline: what any of the results holds, in the registry's order."""
    held = {(a.metric, a.class_, tuple(a.level.items())) for e in entries for a in e.result.aggregates}
    columns = []
    for metric in METRICS.values():
        classes = sorted({c for m, c, _ in held if m == metric.id and c is not None})
        first = "descending" if metric.direction == "higher" else "ascending"
        if metric.id == "iou@1":
            for label in classes:
                name = NAMES.get(label, str(label))
                columns.append(
                    _Column(
                        key=f"iou-{label}",
                        head=f"IoU {name}",
                        description=f"{metric.description} Class: {name}.",
                        first=first,
                        metric=metric.id,
                        class_=label,
                    )
                )
        elif metric.id != primary.id and (metric.id, None, ()) in held:
            key = metric.id.partition("@")[0]
            columns.append(
                _Column(key=key, head=metric.name, description=metric.description, first=first, metric=metric.id)
            )
    for axis in axes:
        level = ((axis, MEAN_OF_LEVELS),)
        if (primary.id, None, level) in held:
            title = _axis_title(axis).partition(",")[0]
            columns.append(
                _Column(
                    key=f"mean-{re.sub('[^a-z0-9]', '-', axis.lower())}",
                    head=f"mean over {title}",
                    description=f"{primary.name} averaged over the levels of {title} within a specimen.",
                    first="descending" if primary.direction == "higher" else "ascending",
                    metric=primary.id,
                    level=level,
                )
            )
    return columns


def _row(entry: _Entry, columns: Sequence[_Column], ends: tuple[float, float], rank: int | None) -> dict[str, Any]:
    result, headline = entry.result, entry.result.headline
    method, wall = result.method, result.resources.wall_time_s
    total = None if wall.fit is None and wall.predict is None else (wall.fit or 0.0) + (wall.predict or 0.0)
    parts = [f"{name} {_duration(s)}" for name, s in (("fit", wall.fit), ("predict", wall.predict)) if s is not None]
    return {
        "rank": rank,
        "slug": entry.slug,
        "name": method.name,
        "description": method.description,
        "authors": ", ".join(method.authors),
        "links": [{"href": link, "text": urlsplit(link).hostname} for link in method.links],
        "licence": method.licence,
        "training_data": method.training_data,
        "origin": result.origin,
        "flags": result.flags,
        "raw": f"results/{result.task}/{result.tier}/{entry.path.name}",
        "headline": _number(headline),
        "span": _span(headline),
        "bar": _bar(headline, ends),
        "cells": [_cell(result, column) for column in columns],
        "time": {"text": _duration(total), "sort": "" if total is None else f"{total:.6g}", "title": ", ".join(parts)},
        "memory": {
            "text": _megabytes(result.resources.peak_memory_mb),
            "sort": "" if result.resources.peak_memory_mb is None else f"{result.resources.peak_memory_mb:.6g}",
        },
        "device": result.resources.device,
    }


def _cell(result: Result, column: _Column) -> dict[str, str]:
    for found in result.aggregates:
        if (found.metric, found.class_, tuple(found.level.items())) == (column.metric, column.class_, column.level):
            return {**_number(found), "title": _span(found)}
    return {"text": "–", "sort": "", "title": "not scored"}


def _number(found: Aggregate) -> dict[str, str]:
    if math.isnan(found.mean):
        return {"text": "–", "sort": ""}
    return {"text": f"{found.mean:.3f}", "sort": f"{found.mean:.9g}"}


def _span(found: Aggregate) -> str:
    if found.method == "undefined":
        return found.why or "undefined"
    if found.method == "degenerate":
        return "one specimen" if found.n_groups == 1 else "all equal"
    return f"[{found.low:.2f}, {found.high:.2f}]"


def _bar(found: Aggregate, ends: tuple[float, float], width: float = 120.0) -> dict[str, float] | None:
    left, right = ends
    if math.isnan(found.mean) or not math.isfinite(left) or not math.isfinite(right) or left == right:
        return None
    low, mean, high = sorted(
        width * min(max((value - left) / (right - left), 0.0), 1.0) for value in (found.low, found.mean, found.high)
    )
    return {"low": low, "mean": mean, "high": high, "span": max(high - low, 1.0)}


# Plots: coordinates here, drawing in templates/plots.html.j2


def _curve(name: str, axis: Axis, entries: Sequence[_Entry], metric: Metric) -> dict[str, Any] | None:
    series = []
    for index, entry in enumerate(entries):
        points = []
        for position, level in enumerate(axis.levels):
            found = [
                a
                for a in entry.result.aggregates
                if a.metric == metric.id and a.class_ is None and a.level == {name: level}
            ]
            if found and not math.isnan(found[0].mean):
                points.append((position, found[0]))
        if points:
            series.append((index, entry, points))
    if len(axis.levels) < 2 or not series:
        return None
    width, height, left, right, top, bottom = 460.0, 270.0, 46.0, 14.0, 12.0, 44.0
    values = [v for _, _, points in series for _, a in points for v in (a.low, a.high)]
    ticks = _ticks(min(values), max(values), metric.bounds)

    def x(position: int, index: int) -> float:
        step = (width - left - right) / len(axis.levels)
        return left + step * (position + 0.5) + (index - (len(series) - 1) / 2) * 7.0

    def y(value: float) -> float:
        return top + (height - top - bottom) * (1 - (value - ticks[0]) / (ticks[-1] - ticks[0]))

    drawn = []
    for place, (index, entry, points) in enumerate(series):
        marks = [
            {
                "x": x(position, place),
                "y": y(a.mean),
                "low": y(max(a.low, ticks[0])),
                "high": y(min(a.high, ticks[-1])),
                "text": f"{entry.result.method.name}, {_axis_title(name)} {_level_text(axis.levels[position])}: "
                f"{a.mean:.3f} {_span(a)}",
            }
            for position, a in points
        ]
        path = " ".join(f"{'M' if i == 0 else 'L'}{m['x']:.1f} {m['y']:.1f}" for i, m in enumerate(marks))
        drawn.append({"index": index, "name": entry.result.method.name, "path": path, "marks": marks})
    middle = (len(series) - 1) / 2
    return {
        "id": re.sub("[^a-z0-9]", "-", name.lower()),
        "title": _axis_title(name),
        "width": width,
        "height": height,
        "left": left,
        "right": width - right,
        "top": top,
        "bottom": height - bottom,
        "x_ticks": [
            {
                "x": x(position, 0) + middle * 7.0,
                "text": _level_text(level) + (" (ref.)" if level == axis.reference else ""),
            }
            for position, level in enumerate(axis.levels)
        ],
        "y_ticks": [{"y": y(tick), "text": f"{tick:.2f}".rstrip("0").rstrip(".")} for tick in ticks],
        "series": drawn,
        "table": [
            {"name": entry.result.method.name, "values": [_point(points, i) for i in range(len(axis.levels))]}
            for _, entry, points in series
        ],
        "levels": [_level_text(level) for level in axis.levels],
    }


def _point(points: Sequence[tuple[int, Aggregate]], position: int) -> str:
    return next((f"{a.mean:.3f} {_span(a)}" for at, a in points if at == position), "–")


def _ticks(low: float, high: float, bounds: tuple[float, float]) -> list[float]:
    """Round values that enclose [low, high], four to eight of them."""
    spread = max(high - low, 0.05)
    raw = 10 ** math.floor(math.log10(spread / 4))
    step = next(s * raw for s in (1, 2, 2.5, 5, 10) if spread / (s * raw) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if first == last:
        last += 1
    ticks = [round(i * step, 10) for i in range(first, last + 1)]
    return ticks if len(ticks) > 1 else [bounds[0], bounds[1]]


def _strips(methods: Sequence[_Entry], controls: Sequence[_Entry]) -> list[dict[str, Any]]:
    """IoU per class: one dot a specimen at the reference level, the mean and its interval."""
    metric = METRICS["iou@1"]
    entries = [*methods, *(e for e in controls if e.slug == "trivial" and not methods)]
    classes = sorted(
        {r.class_ for e in entries for r in e.result.rows if r.metric == metric.id and r.class_ is not None}
    )
    width, left, right, top, row = 400.0, 132.0, 14.0, 8.0, 30.0

    def x(value: float) -> float:
        return left + (width - left - right) * value

    strips = []
    for label in classes:
        lines: list[dict[str, Any]] = []
        for index, entry in enumerate(entries):
            found = [a for a in entry.result.aggregates if (a.metric, a.class_) == (metric.id, label) and a.level == {}]
            if not found:
                continue
            y = top + row * (len(lines) + 0.5)
            dots = [
                {
                    "x": x(r.value),
                    "y": y + (-5.0, 2.5, -1.5, 5.0, -3.5, 0.5)[i % 6],
                    "text": f"{r.sample}: {r.value:.3f}",
                }
                for i, r in enumerate(sorted(_at_reference(entry.result, metric.id, label), key=lambda r: r.sample))
                if not math.isnan(r.value)
            ]
            mean = found[0]
            interval = (
                None if math.isnan(mean.mean) else {"low": x(mean.low), "mean": x(mean.mean), "high": x(mean.high)}
            )
            lines.append(
                {
                    "index": index,
                    "name": entry.result.method.name,
                    "short": _short(entry.result.method.name),
                    "y": y,
                    "dots": dots,
                    "interval": interval,
                    "text": f"{_number(mean)['text']} {_span(mean)}",
                }
            )
        bottom = top + row * len(lines)
        strips.append(
            {
                "id": f"class-{label}",
                "title": NAMES.get(label, str(label)),
                "colour": COLOURS.get(label, "#777777"),
                "width": width,
                "height": bottom + 24.0,
                "left": left,
                "right": width - right,
                "top": top,
                "bottom": bottom,
                "ticks": [{"x": x(v), "text": f"{v:g}"} for v in (0.0, 0.25, 0.5, 0.75, 1.0)],
                "lines": lines,
            }
        )
    return strips


def _at_reference(result: Result, metric: str, label: int) -> list[Any]:
    return [
        r
        for r in result.rows
        if (r.metric, r.class_) == (metric, label)
        and all(result.axes[axis].reference == level for axis, level in r.condition.items())
    ]


# Pictures


def _pictures(entries: Iterable[_Entry]) -> list[Preview]:
    named = {preview.file: preview for entry in entries for preview in entry.result.previews}
    return [named[file] for file in sorted(named)]


def _galleries(entries: Sequence[_Entry]) -> list[dict[str, Any]]:
    """Per sample: the input and the truth (from the first result that has them), then each method's answer."""
    samples = sorted({p.sample for e in entries for p in e.result.previews})
    galleries = []
    for sample in samples:
        tiles: list[dict[str, str]] = []
        for kind in ("input", "truth"):
            found = [(e, p) for e in entries for p in e.result.previews if p.sample == sample and p.kind == kind]
            tiles += [_tile(e, p, kind.capitalize()) for e, p in found[:1]]
        for entry in entries:
            answers = [p for p in entry.result.previews if p.sample == sample and p.kind == "answer"]
            tiles += [_tile(entry, p, entry.result.method.name) for p in answers]
        captions = {tile["caption"] for tile in tiles}
        common = captions.pop() if len(captions) == 1 else ""
        galleries.append(
            {"sample": sample, "caption": common, "tiles": [t | {"caption": ""} for t in tiles] if common else tiles}
        )
    return galleries


def _tile(entry: _Entry, preview: Preview, name: str) -> dict[str, str]:
    note = f", {preview.caption}" if preview.caption else ""
    what = {"input": "Input reconstruction", "truth": "True labels", "answer": f"Labels answered by {name}"}[
        preview.kind
    ]
    return {
        "src": f"previews/{entry.result.task}/{entry.result.tier}/{preview.file}",
        "name": name,
        "kind": preview.kind,
        "caption": preview.caption,
        "alt": f"{what}, sample {preview.sample}{note}",
    }


def _legend(entries: Iterable[_Entry]) -> list[dict[str, str]]:
    classes = sorted({a.class_ for e in entries for a in e.result.aggregates if a.class_ is not None})
    return [{"name": NAMES.get(c, str(c)), "colour": COLOURS.get(c, "#777777")} for c in classes]


# Words and numbers


def _axis_title(name: str) -> str:
    for suffix, unit in {"_deg": "degrees", "_nm": "nm", "_um": "µm", "_ev": "eV", "_px": "pixels"}.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')}, {unit}"
    return name.replace("_", " ")


def _level_text(level: Level) -> str:
    return level if isinstance(level, str) else f"{level:g}"


def _short(name: str, longest: int = 15) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    for limit, unit, size in ((1.0, "ms", 1e-3), (60.0, "s", 1.0), (3600.0, "min", 60.0)):
        if seconds < limit:
            return f"{seconds / size:.{0 if seconds / size >= 100 else 1}f} {unit}"
    return f"{seconds / 3600.0:.1f} h"


def _megabytes(megabytes: float | None) -> str:
    if megabytes is None:
        return "–"
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def _machine_readable(pages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
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
                        {"rank": row["rank"], "method": row["slug"], "mean": float(row["headline"]["sort"] or "nan")}
                        if row["headline"]["sort"]
                        else {"rank": None, "method": row["slug"], "mean": None}
                        for row in table["rows"]
                    ]
                    for table in page["tables"]
                },
            }
            for page in pages
        ],
    }
