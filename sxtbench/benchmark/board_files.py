"""What a board is made from: result files in their places, and the pictures that they name."""

import io
import re
import warnings
from pathlib import Path

from sxtbench.benchmark.result import check_aggregates, load_result
from sxtbench.benchmark.standings import Entry
from sxtbench.errors import InputError
from sxtbench.pictures import MOST_BYTES

_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_TIERS = ("tiny", "small", "full")
_MOST_PIXELS = 1024


def previews_of(results: Path, previews: str | Path | None = None) -> Path:
    """Return the folder of the pictures: the given one, or `previews` beside the results."""
    return results.parent / "previews" if previews is None else Path(previews)


def result_files(results: Path) -> dict[tuple[str, str], list[Path]]:
    """Return the paths of the results by (task, tier), tasks by name and tiers by size.

    Raises
    ------
    InputError
        If there is no such folder, or a folder in it is no name of a task or tier.
    """
    if not results.is_dir():
        raise InputError(f"{results}: no such folder, expected <task>/<tier>/<method>.json in it")
    found = {}
    for task in _folders(results):
        for tier in sorted(_folders(task), key=lambda p: (_TIERS.index(p.name) if p.name in _TIERS else 9, p.name)):
            paths = sorted(tier.glob("*.json"))
            if paths:
                found[task.name, tier.name] = paths
    return found


def entry_of(path: Path, task: str, tier: str) -> Entry:
    """Read the result at `<task>/<tier>/<method>.json`, checked against its schema, its place and its rows.

    Raises
    ------
    InputError
        With the file and what is wrong with it.
    """
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


def checked_picture(path: Path) -> bytes:
    """Return the bytes of a picture that a board may show: a readable PNG of modest size, no link.

    Raises
    ------
    InputError
        With the file and what is wrong with it.
    """
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


def _folders(parent: Path) -> list[Path]:
    found = sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in found:
        if path.is_symlink() or not _SLUG.fullmatch(path.name):
            raise InputError(f"{path}: expected a folder named like limited-angle-segmentation or tiny")
    return found
