"""The pictures of a board's page: slices of the input, the truth and the answers, side by side."""

from collections.abc import Iterable, Sequence
from typing import Any

from sxtbench.benchmark.result import Preview
from sxtbench.benchmark.standings import Entry
from sxtbench.labels import COLOURS, NAMES

_THINGS = {"labels": "labels", "shifts": "alignment"}


def pictures_of(entries: Iterable[Entry]) -> list[Preview]:
    """Return every picture that the results name, once."""
    named = {preview.file: preview for entry in entries for preview in entry.result.previews}
    return [named[file] for file in sorted(named)]


def galleries_of(entries: Sequence[Entry], answer: str) -> list[dict[str, Any]]:
    """Return per sample: the input and the truth (from the first result that has them), then each method's answer.

    Parameters
    ----------
    entries : sequence of Entry
        In the order of the tiles.
    answer : str
        Kind of the task's answers: `labels` are in colours, all else is in grey.
    """
    samples = sorted({p.sample for e in entries for p in e.result.previews})
    galleries = []
    for sample in samples:
        tiles: list[dict[str, Any]] = []
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


def _tile(entry: Entry, preview: Preview, name: str, answer: str) -> dict[str, Any]:
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
        "slug": entry.slug if preview.kind == "answer" else "",
        "grey": preview.kind == "input" or answer != "labels",
        "caption": preview.caption,
        "alt": f"{what[preview.kind]}, sample {preview.sample}{note}",
    }


def legend_of(entries: Iterable[Entry]) -> list[dict[str, str]]:
    """Return the classes that were scored, with their colours."""
    classes = sorted({a.class_ for e in entries for a in e.result.aggregates if a.class_ is not None})
    return [{"name": NAMES.get(c, str(c)), "colour": COLOURS.get(c, "#777777")} for c in classes]
