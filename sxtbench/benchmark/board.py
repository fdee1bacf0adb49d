"""The leaderboard: result files in, static pages out that open without a server or a network.

Everything in a result file is taken as written by a stranger: pages are rendered with autoescape, names of files are
slugs, links are http(s), pictures are PNGs of at most 60 kB. Aggregates are recomputed from the rows before they are
shown. Pages carry no clock, so two builds are equal byte for byte.
"""

import io
import json
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

from sxtbench.benchmark.page import machine_readable, page_of
from sxtbench.benchmark.result import check_aggregates, load_result
from sxtbench.benchmark.standings import Entry
from sxtbench.content import content_folder
from sxtbench.errors import InputError
from sxtbench.files import atomic_folder, write_text
from sxtbench.pictures import MOST_BYTES

ORIGINS = {
    "reported": "Scored by the authors; nobody else has run it.",
    "scored": "Predictions were scored here.",
    "reproduced": "The method was run and scored here.",
}
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_TIERS = ("tiny", "small", "full")
_MARKER = "board.json"
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
    pages = [page_of(entries) for entries in _read(results)]
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
        write_text(folder / _MARKER, json.dumps(machine_readable(pages), sort_keys=True, indent=1) + "\n")
        for asset in ("board.css", "board.js"):
            _copy(content_folder("leaderboard") / "static" / asset, folder / "static" / asset)
    return out / "index.html"


def _read(results: Path) -> list[list[Entry]]:
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


def _entry(path: Path, task: str, tier: str) -> Entry:
    if path.is_symlink() or not _SLUG.fullmatch(path.stem):
        raise InputError(f"{path}: expected a file named like my-method.json (lower case, digits, . _ -)")
    result = load_result(path)
    if (result.task, result.tier) != (task, tier):
        raise InputError(f"{path}: is a result of {result.task}/{result.tier}, expected one of {task}/{tier}")
    try:
        check_aggregates(result)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return Entry(path=path, result=result)


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
