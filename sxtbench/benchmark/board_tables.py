"""The board's tables for programs: `board.json` (ranks), `results.json` (every number) and a CSV a page."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sxtbench.benchmark.records import level_text

_FIXED = ("rank", "method", "name", "track", "origin", "mean", "low", "high", "specimens")
_ENDS = ("", ":low", ":high")


def ranks_as_json(pages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
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
                            "rank_interval": row["rank_range"]["ends"] if row["rank_range"] else None,
                            "method": row["slug"],
                            "mean": row["numbers"][0] if row["numbers"] else None,
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


def results_as_json(pages: Sequence[Mapping[str, Any]], overviews: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return every number of every table as plain JSON.

    Parameters
    ----------
    pages : sequence of mapping
        From `page_of`.
    overviews : sequence of mapping
        The ranks across tasks, a table a tier and track.
    """
    return {
        "sxtbench_results": 1,
        "pages": [
            {
                "task": page["task"],
                "version": page["version"],
                "tier": page["tier"],
                "split": page["split"],
                "task_hash": page["task_hash"],
                "fingerprint": page["fingerprint"],
                "primary": page["metric"].id,
                "direction": page["metric"].direction,
                "columns": [
                    {
                        "key": column.key,
                        "metric": column.metric.id,
                        "class": column.class_,
                        "level": {axis: level_text(level) for axis, level in column.level},
                        "shifted": bool(column.shifted),
                    }
                    for column in page["columns"]
                ],
                "methods": [_as_json(row, track, page) for row, track in _rows(page)],
            }
            for page in pages
        ],
        "across_tasks": [
            {"tier": found["tier"], "track": found["track"], "methods": list(found["rows"])} for found in overviews
        ],
    }


def csv_of(page: Mapping[str, Any]) -> str:
    """Return the table of a page: a row a method, three columns (mean, low, high) a number.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = [f"{column.key}{end}" for column in page["columns"] for end in _ENDS]
    writer.writerow([*_FIXED, *keys, "wall_time_s", "peak_memory_mb", "parameters"])
    for row, track in _rows(page):
        known = [row["numbers"], *(cell["numbers"] for cell in row["cells"])]
        head, *others = [["", "", ""] if found is None else [f"{v:.9g}" for v in found] for found in known]
        costs = [row[name]["sort"] for name in ("time", "memory", "parameters")]
        words = [row["rank"] or "", row["slug"], _no_formula(row["name"]), track, row["origin"]]
        writer.writerow([*words, *head, row["n_groups"], *(v for found in others for v in found), *costs])
    return text.getvalue()


def _rows(page: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every method with its track, then the controls once."""
    for table in page["tables"]:
        yield from ((row, table["id"]) for row in table["rows"])
    for table in page["tables"][:1]:
        yield from ((row, "control") for row in table["controls"])


def _as_json(row: Mapping[str, Any], track: str, page: Mapping[str, Any]) -> dict[str, Any]:
    cells = zip(page["columns"], row["cells"], strict=True)
    return {
        "rank": row["rank"],
        "rank_interval": row["rank_range"]["ends"] if row["rank_range"] else None,
        "method": row["slug"],
        "name": row["name"],
        "track": track,
        "origin": row["origin"],
        "flags": list(row["flags"]),
        "headline": row["numbers"],
        "specimens": row["n_groups"],
        "columns": {column.key: cell["numbers"] for column, cell in cells if cell["numbers"]},
        **{name: float(row[name]["sort"]) if row[name]["sort"] else None for name in ("time", "memory", "parameters")},
        "result": row["raw"],
    }


def _no_formula(text: str) -> str:
    return f"'{text}" if text[:1] in tuple("=+-@") else text
