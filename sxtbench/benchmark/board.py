"""The leaderboard: result files in, static pages out that open without a server or a network.

Everything in a result file is taken as written by a stranger: pages are rendered with autoescape, names of files are
slugs, links are http(s), pictures are PNGs of at most 60 kB. Aggregates are recomputed from the rows before they are
shown. Pages carry no clock, so two builds are equal byte for byte.
"""

import gc
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sxtbench.benchmark.board_files import checked_picture, entry_of, previews_of, result_files
from sxtbench.benchmark.board_tables import csv_of, ranks_as_json, results_as_json
from sxtbench.benchmark.method_page import method_pages
from sxtbench.benchmark.overview import overview_of
from sxtbench.benchmark.page import page_of
from sxtbench.benchmark.standings import TRACKS
from sxtbench.benchmark.wording import plain
from sxtbench.content import content_folder
from sxtbench.errors import InputError
from sxtbench.files import atomic_folder

ORIGINS = {
    "reported": "Scored by the authors; nobody else has run it.",
    "scored": "Predictions were scored here.",
    "reproduced": "The method was run and scored here.",
}
_Job = tuple[str, str, list[Path]]
MARKER = "board.json"
"""The file by which a folder is known to be a board."""


def build_board(
    results_dir: str | Path, out_dir: str | Path, *, previews_dir: str | Path | None = None, workers: int = 1
) -> Path:
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
    workers : int
        Processes that read results, a task and tier each; the board is the same.

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
    previews = previews_of(results, previews_dir)
    files = result_files(results)
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / MARKER).is_file())):
        raise InputError(f"{out}: holds something else than a board; choose an empty or a new folder")
    jobs = [(task, tier, paths) for (task, tier), paths in files.items()]
    with atomic_folder(out) as folder:
        pages = _read_pages(jobs, min(workers, len(jobs)))
        for page in pages:
            _copy_files(page, previews, folder)
        _write_pages(pages, folder)
    return out / "index.html"


def _read_pages(jobs: Sequence[_Job], workers: int) -> list[dict[str, Any]]:
    if workers < 2:
        return [_read_page(job) for job in jobs]
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        largest_first = sorted(range(len(jobs)), key=lambda i: -sum(path.stat().st_size for path in jobs[i][2]))
        read = dict(zip(largest_first, pool.map(_read_page, [jobs[i] for i in largest_first]), strict=True))
        return [read[i] for i in range(len(jobs))]


def _read_page(job: _Job) -> dict[str, Any]:
    task, tier, paths = job
    with _uncollected():
        return page_of([entry_of(path, task, tier) for path in paths])


def _copy_files(page: Mapping[str, Any], previews: Path, folder: Path) -> None:
    for path in page["files"]:
        _copy(path, folder / "results" / page["task"] / page["tier"] / path.name)
    for preview in page["pictures"]:
        place = Path(page["task"], page["tier"], preview.file)
        content = checked_picture(previews / place)
        _write(folder / "previews" / place, content)


def _write_pages(pages: Sequence[Mapping[str, Any]], folder: Path) -> None:
    render = _renderer()
    for page in pages:
        tiers = [{"tier": other["tier"], "href": other["href"]} for other in pages if other["task"] == page["task"]]
        _write(folder / page["href"], render("task.html.j2", page=page, tiers=tiers, root=""))
        _write(folder / page["csv"], csv_of(page))
    methods = method_pages(pages)
    for method in methods.values():
        _write(folder / method["href"], render("method.html.j2", method=method, root="../"))
    overviews = _overviews(pages, methods)
    _write(folder / "index.html", render("index.html.j2", pages=pages, overviews=overviews, root=""))
    _write(folder / MARKER, _json(ranks_as_json(pages)))
    _write(folder / "results.json", _json(results_as_json(pages, overviews)))
    for asset in ("board.css", "board.js"):
        _copy(content_folder("leaderboard") / "static" / asset, folder / "static" / asset)


def _overviews(pages: Sequence[Mapping[str, Any]], methods: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the ranks across tasks, a table a tier and track that has any."""
    found = []
    for tier in dict.fromkeys(page["tier"] for page in pages):
        of_tier = {page["task"]: page for page in pages if page["tier"] == tier}
        for track, (title, _) in TRACKS.items():
            rankings = {task: p["rankings"][track] for task, p in of_tier.items() if track in p["rankings"]}
            rows = overview_of(rankings)
            if rows:
                tasks = [{k: of_tier[t][k] for k in ("task", "title", "href")} for t in rankings]
                shown = [task for task in tasks if any(task["task"] in row["places"] for row in rows)]
                named = [row | {"name": methods[row["slug"]]["name"]} for row in rows]
                found.append({"tier": tier, "track": track, "title": title, "tasks": shown, "rows": named})
    return found


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hold back the garbage collector: it would walk over every row read so far again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _renderer() -> Callable[..., str]:
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
    environment.filters["plain"] = plain
    environment.globals["origins"] = ORIGINS
    return lambda template, **context: environment.get_template(template).render(**context).strip() + "\n"
