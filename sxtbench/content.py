"""Where the content folders are: inside the wheel, or beside the package in a checkout."""

from functools import cache
from pathlib import Path

FOLDERS = ("tasks", "baselines", "leaderboard", "data_cards", "external")


@cache
def content_folder(name: str) -> Path:
    """Return the folder `tasks`, `baselines`, `leaderboard`, `data_cards` or `external`.

    >>> (content_folder("tasks") / "limited-angle-segmentation" / "task.yaml").is_file()
    True
    """
    return _content(name)


@cache
def content_file(name: str) -> Path:
    """Return a file that stands beside the content folders: `CITATION.cff`.

    >>> content_file("CITATION.cff").read_text().startswith("cff-version")
    True
    """
    return _content(name)


def _content(name: str) -> Path:
    package = Path(__file__).resolve().parent
    for base in (package / "_content", package.parent):
        if (base / name).exists():
            return base / name
    raise FileNotFoundError(f"this installation of sxtbench holds no {name!r} (looked in {package})")
