"""Make a dataset's folder complete for publishing: slices, the card with its baselines, croissant.json, checksums."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sxtbench.benchmark.gate import gated
from sxtbench.benchmark.result import Result, load_result
from sxtbench.benchmark.standings import Entry, order_of
from sxtbench.benchmark.task import SHIFTED, get_task, load_task_file
from sxtbench.benchmark.wording import mean_and_span, metric_title
from sxtbench.content import content_folder
from sxtbench.datasets.build import CHECKSUMS, read_statement, write_checksums
from sxtbench.datasets.card import card_source, in_bytes, render_card
from sxtbench.datasets.croissant import write_croissant
from sxtbench.datasets.slices import write_slices
from sxtbench.datasets.tables import renew_manifest
from sxtbench.errors import InputError
from sxtbench.files import require_writable, saying_what_is_safe, write_text
from sxtbench.metrics.registry import get_metric
from sxtbench.writer import one_writer

NO_RESULTS = "No result of this version of sxtbench is on these data."


def package(folder: Path, *, progress: Callable[[str], None] | None = None) -> list[str]:
    """Complete a dataset's folder; a second time gives the same bytes, and a packaging that was stopped is begun anew.

    Fingerprints stay: inputs and targets are only read. Manifests of older versions get the schema of this one.

    Parameters
    ----------
    folder : Path
        A dataset whose splits are built.
    progress : callable, optional
        Called with the id of each specimen whose slices are written.

    Returns
    -------
    list of str
        The files of slices, relative to the folder.

    Raises
    ------
    InputError
        Where the folder holds no finished dataset, cannot be written or is being written by another process, or
        mlcroissant is not installed.
    """
    statement = read_statement(folder)
    if not (folder / CHECKSUMS).is_file():
        raise InputError(f"{folder}: an unfinished build (no {CHECKSUMS}); `sxtbench generate` continues it")
    require_writable(folder)
    safe = "inputs, targets and fingerprints are as they were; the same command packages anew"
    with saying_what_is_safe(folder, lambda: safe), one_writer(folder):
        for split in statement["splits"]:
            renew_manifest(folder / "manifest" / f"{split}.parquet")
        targets = card_source(statement["task"]).slices
        written = write_slices(folder, targets=targets, progress=progress) if targets else []
        tables = {"baselines": baseline_tables(statement), "tiers": tier_table(statement)}
        write_text(folder / "README.md", render_card(folder, **tables))
        write_croissant(folder)
        write_checksums(folder)
    return written


def baseline_tables(statement: dict[str, Any], results: Path | None = None) -> str:
    """Return a table in Markdown for each task on these data, from the results that were scored on them.

    Parameters
    ----------
    statement : dict
        Of the dataset; a result belongs to it that names its fingerprint, of `test`, or of `shifted` for that domain.
    results : Path, optional
        Folder of `<task>/<tier>/<method>.json`; those that ship by default.
    """
    place = results or content_folder("leaderboard") / "results"
    tables = []
    for task in card_source(statement["task"]).tasks:
        entries = []
        for path in sorted((place / task / statement["tier"]).glob("*.json")):
            result = _scored_on(load_result(path), statement)
            if result is not None:
                entries.append(Entry(path=path, result=result))
        if entries:
            tables.append(_table(task, entries))
    return "\n\n".join(tables) or NO_RESULTS


def _scored_on(result: Result, statement: dict[str, Any]) -> Result | None:
    """Return a result, or its part on the shifted domain, if it is of these data."""
    splits = statement["splits"]
    if SHIFTED in splits:
        found = result.on_shifted() if result.shifted else None
        return found if found and found.fingerprint == splits[SHIFTED]["fingerprint"] else None
    return result if result.fingerprint == splits.get(result.split, {}).get("fingerprint") else None


def _table(task: str, entries: list[Entry]) -> str:
    report = load_task_file(content_folder("tasks") / task / "task.yaml").report
    metric = get_metric(entries[0].result.primary)
    unranked = gated(entries, report.gate) if entries[0].result.split != SHIFTED else {}
    controls = [entry for entry in entries if entry.slug in report.controls]
    methods = [entry for entry in entries if entry.slug not in report.controls]
    methods.sort(key=lambda entry: (entry.slug in unranked, order_of(entry, metric)))
    lines = [f"| {task} | {metric_title(metric)} | track |", "|---|---|---|"]
    for entry in [*methods, *sorted(controls, key=lambda entry: report.controls.index(entry.slug))]:
        note = " (control)" if entry in controls else " (not ranked)" if entry.slug in unranked else ""
        score = mean_and_span(entry.result.headline, metric)
        lines.append(f"| {entry.slug}{note} | {score} | {entry.result.method.track} |")
    count = max(entry.result.headline.n_groups for entry in entries)
    return "\n".join(lines) + (
        f"\n\nMeans at the reference level over {count} specimens of `{entries[0].result.split}`, with 95 % intervals. "
        "Ranks, verdicts and curves are on the board."
    )


def tier_table(statement: dict[str, Any]) -> str:
    """Return the tiers of a dataset in Markdown: specimens and download size.

    Sizes are those of `data_cards/sizes.json`, which `benchmarks/dataset_sizes.py` writes. Empty for shifted.
    """
    if SHIFTED in statement["splits"]:
        return ""
    known = json.loads((content_folder("data_cards") / "sizes.json").read_text(encoding="utf-8"))
    lines = ["| tier | train, validation, test | download, without slices |", "|---|---|---|"]
    for tier in load_task_file(content_folder("tasks") / statement["task"] / "task.yaml").protocol.tiers:
        sizes = get_task(statement["task"], tier).dataset_spec.sizes
        text = _size_text(known.get(f"{statement['task']}-{tier}"))
        lines.append(f"| {tier} | {', '.join(str(count) for count in sizes.values())} | {text} |")
    return "\n".join(lines)


def _size_text(said: dict[str, Any] | None) -> str:
    if said is None:
        return "not measured yet"
    return in_bytes(said["bytes"]) if said["measured"] else f"about {in_bytes(said['bytes'])}, by its number of voxels"
