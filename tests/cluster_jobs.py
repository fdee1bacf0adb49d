"""What tests run on workers, which have this folder on their path: jobs, and a file system of fsspec that can fail."""

import os
from pathlib import Path

from fsspec import register_implementation
from fsspec.implementations.local import LocalFileSystem
from threadpoolctl import threadpool_info

from sxtbench.cores import available_cores
from sxtbench.errors import InputError


class Shelf(LocalFileSystem):
    """A folder under the name `shelf://`; a file `fail-once` beside it lets the first large file fail, `deny` all."""

    protocol = "shelf"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(str(path).removeprefix("shelf://"))

    def pipe_file(self, path: str, value: bytes, **rest: object) -> None:
        self._refuse(path)
        super().pipe_file(path, value, **rest)

    def put_file(self, lpath: str, rpath: str, **rest: object) -> None:
        self._refuse(rpath)
        super().put_file(lpath, rpath, **rest)

    def _refuse(self, path: str) -> None:
        for beside in Path(path).parents:
            if (beside / "deny").exists():
                raise PermissionError(13, "Permission denied")
            once = beside / "fail-once"
            if "targets/" in path and once.exists():
                once.unlink()
                raise OSError(5, "Input/output error")


register_implementation("shelf", Shelf, clobber=True)


def threads(job: object) -> list[int]:
    """Threads that kernels and libraries would take here."""
    import numpy as np

    np.linalg.inv(np.eye(64))  # so that BLAS is there
    return [available_cores(), *(pool["num_threads"] for pool in threadpool_info())]


def fails(job: tuple[Path, int]) -> str:
    """Fail so many times, with a file as the memory of how often."""
    path, times = job
    tries = len(list(path.parent.glob(f"{path.name}.*")))
    (path.parent / f"{path.name}.{os.getpid()}-{tries}").touch()
    if tries < times:
        raise OSError(5, "Input/output error")
    return f"after {tries}"


def refuses(job: Path) -> str:
    job.open("a").write("x")
    raise InputError("cells cannot be packed")
