"""The Hugging Face Hub as publishing and downloading see it: where datasets are, patience, and errors in one line."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sxtbench.content import content_folder
from sxtbench.datasets.recipe import read_yaml
from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.files import write_text

PAUSES_S = (1.0, 4.0, 15.0)
"""Before each further try of what failed for the network's or the server's sake."""

_HEAD = """# Where datasets are published, and the commit that the results of this version of sxtbench were scored on.
# `sxtbench publish` writes it. A dataset that is not here is not published.
"""

T = TypeVar("T")


class Unreachable(InputError):
    """The Hub cannot be reached, or is not to be."""


class Published(Parameters):
    """A dataset on the Hub.

    Parameters
    ----------
    repo : str
        `ORG/NAME`.
    version : str
        Of the data; the repository has the tag `v<version>`.
    commit : str
        That the tag was set on.
    sums_sha256 : str
        SHA-256 of `SHA256SUMS` at that commit, so that the commit cannot hold anything else.
    """

    repo: str
    version: str
    commit: str
    sums_sha256: str


def record_path() -> Path:
    """Return the file that says which datasets are published: `data_cards/published.yaml`."""
    return content_folder("data_cards") / "published.yaml"


def published(name: str, path: Path | None = None) -> Published | None:
    """Return where a dataset is published, None where it is not."""
    path = path or record_path()
    found = (read_yaml(path) if path.is_file() else {}).get(name)
    return None if found is None else Published.model_validate(found)


def record(name: str, entry: Published, path: Path | None = None) -> Path:
    """Write where a dataset is published, beside the others, and return the file."""
    path = path or record_path()
    entries = {**(read_yaml(path) if path.is_file() else {}), name: entry.model_dump()}
    write_text(path, _HEAD + yaml.safe_dump(dict(sorted(entries.items())), sort_keys=False))
    return path


def require_hub() -> None:
    """Raise `InputError` where huggingface_hub is not installed; keep it from drawing bars of its own."""
    try:
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]
    except ImportError:
        raise InputError("huggingface_hub is not installed: pip install 'sxtbench[hub]'") from None
    disable_progress_bars()


def patient(call: Callable[[], T]) -> T:
    """Return what a call returns; call it again after a pause where the network or the server failed."""
    for pause in PAUSES_S:
        try:
            return call()
        except Exception as error:
            if not _passes(_root(error)):
                raise
            time.sleep(max(pause, _retry_after_s(_root(error))))
    return call()


@contextmanager
def told(repo: str, revision: str | None = None) -> Iterator[None]:
    """Turn the Hub's errors into one line each.

    Raises
    ------
    Unreachable
        Where there is no way to the Hub, it does not answer as it should, or `HF_HUB_OFFLINE` forbids it.
    InputError
        For a repository, revision or file that is not there, a token that may not, a name that cannot be.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        found = _line(_root(error), repo, revision)
        if found is None:
            raise
        raise found from error


def _root(error: BaseException) -> BaseException:
    """Return what lies behind the errors in which huggingface_hub wraps those of its threads and of its cache."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while isinstance(error, LocalEntryNotFoundError | RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _passes(error: BaseException) -> bool:
    """Whether an error may pass. Where not even a connection is made, waiting is left to the user."""
    import httpx2

    status = _status(error)
    if status is not None:
        return status in (408, 429) or status >= 500
    half_way = isinstance(error, OSError) and "Consistency check failed" in str(error)
    return half_way or (isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.ConnectError))


def _retry_after_s(error: BaseException) -> float:
    headers: Any = getattr(getattr(error, "response", None), "headers", {})
    stated = headers.get("Retry-After", "")
    return float(stated) if stated.isdigit() else 0.0


def _line(error: BaseException, repo: str, revision: str | None) -> InputError | None:
    import httpx2
    from huggingface_hub import constants, errors

    where = f"{repo} at {constants.ENDPOINT}"
    status = _status(error)
    if isinstance(error, errors.HFValidationError):
        return InputError(f"--repo is {repo!r}, expected ORG/NAME of letters, digits, '-', '_' and '.'")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return Unreachable("HF_HUB_OFFLINE is set")
    if isinstance(error, errors.RevisionNotFoundError):
        return InputError(f"{where}: has no revision {revision!r}")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return InputError(
            f"{where}: lacks {error.response.url.path.rpartition('/')[2]}, so it is no dataset of sxtbench"
        )
    if isinstance(error, errors.GatedRepoError):
        return InputError(f"{where}: is gated; ask for access on its page and set HF_TOKEN")
    if isinstance(error, errors.RepositoryNotFoundError):
        return InputError(
            f"{where}: no such dataset repository; if it is private, set HF_TOKEN to a token that sees it"
        )
    if status in (401, 403):
        return InputError(f"{where}: the token may not do that (status {status}); set HF_TOKEN to one that may write")
    if status == 412:
        return InputError(
            f"{where}: someone else has changed it meanwhile; look at it, then run the same command again"
        )
    if status is not None or isinstance(error, httpx2.TransportError) or _passes(error):
        said = f"status {status}" if status is not None else " ".join(str(error).split()) or type(error).__name__
        return Unreachable(f"{constants.ENDPOINT} cannot be reached ({said})")
    return None
