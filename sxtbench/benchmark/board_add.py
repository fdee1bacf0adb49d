"""Put a result into a leaderboard's folder, with its pictures, once it is clear that the board takes it."""

import re
import shutil
from pathlib import Path

from sxtbench.benchmark.board_check import fault_of_protocol
from sxtbench.benchmark.board_files import checked_picture, previews_of
from sxtbench.benchmark.result import Result, check_aggregates, load_result
from sxtbench.benchmark.standings import Entry
from sxtbench.errors import InputError
from sxtbench.files import atomic_path


def add_result(
    file: str | Path, results_dir: str | Path, *, previews_dir: str | Path | None = None, replace: bool = False
) -> Path:
    """Copy a result to `<results_dir>/<task>/<tier>/<method>.json`.

    Parameters
    ----------
    file : str or Path
        A result. Its pictures are looked for beside the `results` folder that it lies in, as `sxtbench run` leaves
        them, and in the file's own folder.
    results_dir : str or Path
        Folder of the leaderboard's results.
    previews_dir : str or Path, optional
        Folder of the leaderboard's pictures; `previews` beside `results_dir` if left out.
    replace : bool
        Whether a result of that name may be replaced.

    Returns
    -------
    Path
        Of the copy.

    Raises
    ------
    InputError
        If the result is wrong, of another protocol than this version's, a picture is missing, or there is a result of
        that name already.
    """
    source = Path(file)
    result = load_result(source)
    target = Path(results_dir) / result.task / result.tier / f"{_slug(source, result)}.json"
    for fault in fault_of_protocol(Entry(path=source, result=result)):
        raise InputError(fault)
    try:
        check_aggregates(result)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    if target.exists() and not replace:
        raise InputError(f"{target}: there is a result of that name already; say --replace, or name the file otherwise")
    place = Path(result.task, result.tier)
    homes = (source.parent, *(above / "previews" / place for above in source.resolve().parents[:4]))
    pictures = {}
    for preview in result.previews:
        found = next((home / preview.file for home in homes if (home / preview.file).is_file()), None)
        if found is None:
            raise InputError(f"{source}: names the picture {preview.file}, which is not beside it")
        path = previews_of(Path(results_dir), previews_dir) / place / preview.file
        pictures[path] = checked_picture(found)
        if path.is_file() and path.read_bytes() != pictures[path] and not replace:
            raise InputError(f"{path}: there is another picture of that name already; name yours otherwise")
    for path, content in pictures.items():
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target


def _slug(source: Path, result: Result) -> str:
    """Return the name of the file where it is one that the board takes, else the method's name as such."""
    for text in (source.stem, re.sub("[^a-z0-9._-]+", "-", result.method.name.lower()).strip("-._")):
        if re.fullmatch("[a-z0-9][a-z0-9._-]{0,79}", text):
            return text
    raise InputError(f"{source}: expected a file named like my-method.json (lower case, digits, . _ -)")
