"""What of a dataset was downloaded, and from where: `.download.json` in its folder."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from sxtbench.errors import InputError
from sxtbench.files import write_text

_FILE = ".download.json"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A download, complete or not.

    Parameters
    ----------
    task, tier : str
        Whose dataset it is.
    repo : str
        `ORG/NAME` on the Hub.
    revision : str or None
        What was asked for; None: the commit that this version of sxtbench records.
    commit : str
        Of the repository, 40 hexadecimal digits.
    files : tuple of str
        All that was asked for so far, as POSIX paths in the folder.
    """

    task: str
    tier: str
    repo: str
    revision: str | None
    commit: str
    files: tuple[str, ...]

    def command(self, folder: Path, splits: str) -> str:
        """Return the command that fetches splits of the same dataset into the same folder."""
        words = ["sxtbench", "download", self.task, "--tier", self.tier, "--splits", splits]
        if self.revision is not None:
            words += ["--repo", self.repo, "--revision", self.revision]
        return shlex.join([*words, "--out", str(folder).removesuffix("+shifted")])


def read_fetched(folder: Path) -> Fetched | None:
    """Return what was downloaded to a folder; None where a dataset was made there."""
    path = folder / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Fetched(**{**content, "files": tuple(content["files"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it and download again") from None


def write_fetched(folder: Path, fetched: Fetched) -> None:
    """Write `.download.json`, whole or not at all."""
    write_text(folder / _FILE, json.dumps(asdict(fetched), indent=1) + "\n")
