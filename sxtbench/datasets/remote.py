"""Build a dataset at a URL of fsspec, `s3://bucket/data`: workers put specimens there, this process the description.

The folder here holds what is small and, in place of inputs and targets, files of their size without content.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sxtbench.datasets.build import CHECKSUMS, STATEMENT, dataset_files, produce_and_put
from sxtbench.datasets.record import Job
from sxtbench.errors import InputError

_LARGE = ("inputs/", "targets/")


def is_url(place: str) -> bool:
    """Whether a place for a dataset is a URL, and no path.

    >>> is_url("s3://bucket/tiny"), is_url("./tiny")
    (True, False)
    """
    return "://" in place


class RemoteStage:
    """A dataset at a URL, with a folder here that describes it.

    Parameters
    ----------
    url : str
        Of the dataset's own folder there.
    folder : Path
        The folder here.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self._files, self._root = _opened(url)

    @property
    def work(self) -> Callable[[Job], dict[str, int]]:
        """What makes a specimen and puts its files to the URL; it returns their sizes by name."""
        return partial(_make_at, self.url)

    def begin(self) -> None:
        """Put the statement to the URL, which says what the specimens that follow belong to."""
        if not self._files.exists(f"{self._root}/{STATEMENT}"):
            _put(self._files, self._root, self.folder / STATEMENT, STATEMENT)

    def arrived(self, made: Mapping[str, int]) -> None:
        """Fetch the row and the picture of a specimen that is there now."""
        for name, size in made.items():
            self._fetch(name, size)

    def fetch(self) -> None:
        """Fetch what is there of the dataset; raise `InputError` where the URL holds something else."""
        self._files.invalidate_cache()
        found = self._files.find(self._root, detail=True)
        sizes = {path[len(self._root) :].lstrip("/"): int(info["size"]) for path, info in found.items()}
        if sizes and STATEMENT not in sizes:
            raise InputError(f"{self.url}: is not empty and holds no sxtbench dataset; choose another --out")
        for name, size in sizes.items():
            self._fetch(name, size)

    def _fetch(self, name: str, size: int) -> None:
        here, there = self.folder / name, f"{self._root}/{name}"
        here.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith(_LARGE):
            here.touch()
            os.truncate(here, size)
        else:
            self._files.get_file(there, str(here))

    def claim(self) -> None:
        """Make sure that this process can write to the URL, in a way that leaves nothing."""
        probe = f"{self._root}/.probe-{os.getpid()}"
        try:
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(probe, b"")
            self._files.rm_file(probe)
        except (OSError, NotImplementedError) as error:
            raise InputError(f"{self.url}: cannot write there ({_said(error)}); choose another --out") from error

    def put_description(self) -> None:
        """Put what was made here to the URL; the statement and then the checksums come last."""
        names = [name for name in dataset_files(self.folder) if not name.startswith((*_LARGE, "previews/"))]
        if self._files.exists(f"{self._root}/{CHECKSUMS}"):
            self._files.rm_file(f"{self._root}/{CHECKSUMS}")  # while it is away, the build is unfinished
        for name in [*(n for n in names if n != STATEMENT), STATEMENT, CHECKSUMS]:
            _put(self._files, self._root, self.folder / name, name)


@contextmanager
def staged(url: str) -> Iterator[RemoteStage]:
    """Yield the stage of a dataset at a URL, with what is there already; at the end put there what describes it.

    Parameters
    ----------
    url : str
        Of a folder that every worker can write to: `protocol://...` of fsspec, credentials as its protocol takes them.

    Raises
    ------
    InputError
        For a protocol that is unknown or lacks a package, a place that cannot be written or holds something else.

    Examples
    --------
    A dataset of specimens that are made on a cluster:

    >>> with staged("s3://bucket/tiny") as stage:  # doctest: +SKIP
    ...     build(spec, stage.folder, stage=stage, scheduler="tcp://head:8786")
    """
    with tempfile.TemporaryDirectory(prefix="sxtbench-") as name:
        stage = RemoteStage(url, Path(name))
        try:
            stage.fetch()
        except OSError as error:
            raise InputError(f"{url}: cannot be read ({_said(error)})") from error
        stage.claim()
        try:
            yield stage
        except InputError as error:  # which knows the folder here alone
            raise InputError(str(error).replace(name, url)) from None
        try:
            stage.put_description()
        except OSError as error:
            raise InputError(
                f"{url}: cannot write there ({_said(error)}); the specimens are safe, and the same command continues"
            ) from error


def _make_at(url: str, job: Job) -> dict[str, int]:
    """Make a specimen on a worker and put it to the URL."""
    files, root = _opened(url)
    sizes: dict[str, int] = {}

    def put(path: Path, name: str) -> None:
        sizes[name] = path.stat().st_size
        try:
            _put(files, root, path, name)
        except PermissionError as error:
            raise InputError(f"{url}: cannot write there ({_said(error)}); choose another --out") from error

    produce_and_put(put, job)
    return sizes


def _put(files: Any, root: str, path: Path, name: str) -> None:
    """Put one file; what is not large goes under another name first, so that it is never read half-written."""
    there = f"{root}/{name}"
    files.makedirs(there.rpartition("/")[0], exist_ok=True)
    if name.startswith(_LARGE):  # which do not count before the row that comes after them
        files.put_file(str(path), there)
    else:
        files.put_file(str(path), f"{there}.part")
        files.mv(f"{there}.part", there)


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError:
        raise InputError(f'{url}: a URL needs fsspec: pip install "sxtbench[cluster]"') from None
    try:
        files, root = url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise InputError(f"{url}: no place for a dataset: {_said(error)}") from None
    return files, root.rstrip("/")


def _said(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
