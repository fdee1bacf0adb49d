"""Checks of the leaderboard's folder, and of a built board against it."""

import filecmp
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sxtbench.benchmark.board import MARKER, build_board
from sxtbench.benchmark.board_files import checked_picture, entry_of, previews_of, result_files
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.standings import Entry
from sxtbench.benchmark.task import get_task
from sxtbench.errors import InputError

_MOST_SHOWN = 20


def check_results(results_dir: str | Path, *, previews_dir: str | Path | None = None) -> list[str]:
    """Check every file of a leaderboard.

    Parameters
    ----------
    results_dir : str or Path
        Folder of `<task>/<tier>/<method>.json`.
    previews_dir : str or Path, optional
        Folder of `<task>/<tier>/<file>.png`; `previews` beside `results_dir` if left out.

    Returns
    -------
    list of str
        One line a fault: a result that does not fit the schema, its place or its rows; an unknown task, version, tier
        or task hash; a picture that is missing, unreadable or that no result names; a file that is no result.

    Raises
    ------
    InputError
        If there is no such folder, or a folder in it is no name of a task or tier.
    """
    results = Path(results_dir)
    previews = previews_of(results, previews_dir)
    files = result_files(results)
    known = {path for paths in files.values() for path in paths}
    faults = [
        f"{path}: no result, expected <task>/<tier>/<method>.json" for path in _files(results) if path not in known
    ]
    named: set[Path] = set()
    for (task, tier), paths in files.items():
        for path in paths:
            try:
                entry = entry_of(path, task, tier)
            except InputError as error:
                faults.append(str(error))
                continue
            faults += fault_of_protocol(entry)
            for preview in entry.result.previews:
                named.add(previews / task / tier / preview.file)
    for path in sorted(named):
        try:
            checked_picture(path)
        except InputError as error:
            faults.append(str(error))
    return faults + [f"{path}: no result names this picture" for path in _files(previews) if path not in named]


def fault_of_protocol(entry: Entry) -> list[str]:
    """Return what is wrong with the task, version, tier or hash that a result states; nothing where they are known."""
    result: Result = entry.result
    try:
        expected = get_task(f"{result.task}@{result.version}", result.tier).hash
    except InputError as error:
        return [f"{entry.path}: {error}"]
    if result.task_hash == expected:
        return []
    return [
        f"{entry.path}: unknown task hash {result.task_hash[:12]}, that of {result.task}@{result.version}, "
        f"{result.tier}, is {expected[:12]}; score the predictions again"
    ]


def check_drift(results_dir: str | Path, board: str | Path, *, previews_dir: str | Path | None = None) -> list[str]:
    """Compare a built board with what its results give now, byte by byte.

    Parameters
    ----------
    results_dir, previews_dir
        As for `build_board`.
    board : str or Path
        Folder of the board; it is only read.

    Returns
    -------
    list of str
        One line a file that differs, is missing or is too many; at most 20, then how many more.

    Raises
    ------
    InputError
        As `build_board`, and if there is no board.
    """
    built = Path(board)
    if not (built / MARKER).is_file():
        raise InputError(f"{built}: is no board (it has no {MARKER}); `sxtbench board build` makes one")
    with tempfile.TemporaryDirectory() as folder:
        fresh = build_board(results_dir, Path(folder) / "board", previews_dir=previews_dir).parent
        right = {path.relative_to(fresh) for path in _files(fresh)}
        found = {path.relative_to(built) for path in _files(built)}
        faults = [f"{built / path}: missing" for path in sorted(right - found)]
        faults += [f"{built / path}: not of this board" for path in sorted(found - right)]
        for path in sorted(right & found):
            if not filecmp.cmp(fresh / path, built / path, shallow=False):
                faults.append(f"{built / path}: differs from what the results give")
    more = len(faults) - _MOST_SHOWN
    return faults if more <= 0 else [*faults[:_MOST_SHOWN], f"{built}: and {more} more"]


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, by name; hidden ones (.gitkeep, .git) are nobody's business."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path
