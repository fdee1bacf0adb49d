"""Build a dataset folder: simulate each specimen, store it, write the manifest. A killed build continues.

Every sample is written whole or not at all, its row last; a rerun skips what has a row. The manifest, the checksums and
the statement of the dataset are made from the rows when a split is complete. A folder has one writer at a time.
"""

import json
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from sxtbench.content import content_folder
from sxtbench.datasets import capillary, cube, flat_grid, laboratory, low_dose
from sxtbench.datasets.cube_recipe import CubeRecipe, LowDoseRecipe
from sxtbench.datasets.fetched import read_fetched
from sxtbench.datasets.laboratory_recipe import LaboratoryRecipe
from sxtbench.datasets.private import as_published
from sxtbench.datasets.recipe import AnyRecipe, FlatGridRecipe
from sxtbench.datasets.record import Job, write_record
from sxtbench.datasets.spec import PRIVATE, DatasetSpec, fingerprint, twin_id
from sxtbench.datasets.tables import write_manifest
from sxtbench.engines import run_jobs
from sxtbench.errors import InputError
from sxtbench.files import copy_file, require_writable, saying_what_is_safe, write_text
from sxtbench.hashing import canonical_json, sha256_file
from sxtbench.writer import is_unused, one_writer

VERSION = "1.3.0"
STATEMENT = "dataset.json"
_ROWS = ".build"
CHECKSUMS = "SHA256SUMS"

Progress = Callable[[str], None]


class Stage(Protocol):
    """A place other than the dataset's folder for what specimens consist of (`sxtbench.datasets.remote`)."""

    @property
    def work(self) -> Callable[[Job], Any]:
        """What makes a specimen and puts it there; it travels to workers."""
        ...

    def begin(self) -> None:
        """Take note that the folder has its statement."""
        ...

    def arrived(self, made: Any) -> None:
        """Take note of what `work` returned."""
        ...


def _produce(job: Job) -> str:
    """Simulate and store one specimen; its row is the last thing written."""
    try:
        record = family_of(job.spec.recipe).record(job)
    except InputError as error:
        raise InputError(f"{job.group}: {error}") from None
    row = write_record(job, as_published(record, job.spec) if job.split == PRIVATE else record)
    write_text(_row_path(job), canonical_json(row))
    return job.group


def produce_and_put(put: Callable[[Path, str], None], job: Job) -> None:
    """Simulate one specimen in a folder that goes away and hand its files over, the row last.

    Parameters
    ----------
    put : callable
        Called with each file and its name in the dataset.
    job : Job
        The specimen; its own folder is not touched.
    """
    with tempfile.TemporaryDirectory(prefix="sxtbench-") as scratch:
        here = replace(job, folder=Path(scratch))
        _produce(here)
        files = sorted((path for path in here.folder.rglob("*") if path.is_file()), key=lambda f: f == _row_path(here))
        for path in files:
            put(path, path.relative_to(here.folder).as_posix())


def family_of(recipe: AnyRecipe) -> ModuleType:
    """Return the module that simulates a recipe's family: `record(job)` and `content(recipe, split, index)`."""
    if isinstance(recipe, FlatGridRecipe):
        return flat_grid
    if isinstance(recipe, LaboratoryRecipe):
        return laboratory
    if isinstance(recipe, LowDoseRecipe):
        return low_dose
    return cube if isinstance(recipe, CubeRecipe) else capillary


def _row_path(job: Job) -> Path:
    return job.folder / _ROWS / f"{job.group}.json"


def identity(spec: DatasetSpec) -> dict[str, Any]:
    """Return what tells a dataset from others; `dataset.json` states it."""
    return {
        "name": spec.name,
        "task": spec.task,
        "tier": spec.tier,
        "data_major": spec.recipe.data_major,
        "recipe_sha256": spec.recipe.hash,
        "reconstructions": {"fbp": spec.fbp} if spec.fbp is not None else {},
    }


def read_statement(folder: Path) -> dict[str, Any]:
    """Read `dataset.json`, the statement of what a dataset folder holds.

    Raises
    ------
    InputError
        Where the folder is missing or is no dataset.
    """
    path = folder / STATEMENT
    try:
        statement = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder}: no dataset there (no {STATEMENT}); `sxtbench generate` makes one") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not isinstance(statement, dict) or "splits" not in statement:
        raise InputError(f"{path}: is not the statement of an sxtbench dataset")
    return statement


def _require_room(spec: DatasetSpec, folder: Path) -> None:
    """Make the folder, or check that it is empty or holds the same dataset."""
    require_writable(folder)
    if (folder / STATEMENT).is_file():
        _require_same(spec, folder)
    elif not is_unused(folder):
        raise InputError(f"{folder}: is not empty and holds no sxtbench dataset; choose another --out")


def _require_same(spec: DatasetSpec, folder: Path) -> None:
    found = read_statement(folder)
    for key, value in identity(spec).items():
        if found.get(key) != value:
            raise InputError(
                f"{folder}: holds another dataset ({key} is {found.get(key)!r}, expected {value!r}); "
                "choose another --out, or delete that folder"
            )


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def build(
    spec: DatasetSpec,
    folder: Path,
    *,
    splits: Sequence[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    seed: int | None = None,
    stage: Stage | None = None,
    progress: Progress | None = None,
) -> None:
    """Build the splits of a dataset that are not there yet.

    Parameters
    ----------
    spec : DatasetSpec
        What to build.
    folder : Path
        The dataset's own folder: new, empty, or an unfinished build of the same dataset.
    splits : sequence of str, optional
        All splits of the spec by default.
    workers : int
        Processes; each specimen is independent, so the bytes do not depend on their number.
    scheduler : str, optional
        Address of a Dask scheduler whose workers make the specimens; all of them must see `folder`.
    seed : int, optional
        Root seed of a private split, in place of the recipe's. It is written nowhere.
    stage : Stage, optional
        Where the specimens go in place of `folder`, which then holds what describes them alone.
    progress : callable, optional
        Called with the id of each specimen that is done.

    Raises
    ------
    InputError
        For an unknown split, a folder that cannot be written, holds something else or is being written by another
        process, a recipe that cannot be satisfied (with the specimen), a full disk or a worker process that died (with
        how many specimens are there), and what `run_jobs` says.
    """
    chosen = list(splits or spec.sizes)
    folder = folder if scheduler is None else folder.absolute()
    _require_splits(spec, chosen)
    if (folder / STATEMENT).is_file():
        _require_same(spec, folder)
        if (folder / CHECKSUMS).is_file() and set(chosen) <= set(read_statement(folder)["splits"]):
            return  # nothing to do, so a folder that cannot be written is good enough
        if (fetched := read_fetched(folder)) is not None:
            raise InputError(
                f"{folder}: is an unfinished download; `{fetched.command(folder, ','.join(chosen))}` continues it"
            )
    if (seed is None) == (PRIVATE in chosen):
        raise InputError(f"{spec.name}: a private split needs a secret seed; `sxtbench season create` makes one")
    _require_room(spec, folder)  # before the lock, which leaves a file
    with saying_what_is_safe(folder, lambda: _so_far(spec, folder, chosen)), one_writer(folder):
        if (folder / STATEMENT).is_file():
            _require_same(spec, folder)
        else:
            write_text(folder / STATEMENT, _pretty({**identity(spec), "version": VERSION, "splits": {}}))
        drawn = spec if seed is None else replace(spec, recipe=spec.recipe.model_copy(update={"seed": seed}))
        missing = {job.group: job for job in _missing(drawn, folder, chosen)}
        if stage is not None:
            stage.begin()
        work, shared = (_produce, folder) if stage is None else (stage.work, None)
        for done, made in run_jobs(missing, work, workers=workers, scheduler=scheduler, folder=shared):
            if stage is not None:
                stage.arrived(made)
            if progress:
                progress(done)
        (folder / CHECKSUMS).unlink(missing_ok=True)  # while it is away, the build is unfinished
        for split in chosen:
            if split not in read_statement(folder)["splits"]:
                _finish_split(spec, folder, split)
        _finish(spec, folder)


def _so_far(spec: DatasetSpec, folder: Path, splits: Sequence[str]) -> str:
    total = sum(spec.sizes[split] for split in splits)
    there = total - missing_specimens(spec, folder, splits)
    return f"{there} of {total} specimens are there, each whole; the same command continues"


def missing_specimens(spec: DatasetSpec, folder: Path, splits: Sequence[str]) -> int:
    """Return how many specimens a build of these splits still has to make."""
    _require_splits(spec, splits)
    if not (folder / STATEMENT).is_file():
        return sum(spec.sizes[split] for split in splits)
    return len(_missing(spec, folder, splits))


def _require_splits(spec: DatasetSpec, splits: Sequence[str]) -> None:
    for split in splits:
        if split not in spec.sizes:
            raise InputError(f"{spec.name}: unknown split {split!r}; it has {', '.join(spec.sizes)}")


def _missing(spec: DatasetSpec, folder: Path, splits: Sequence[str]) -> list[Job]:
    stated = read_statement(folder)["splits"]
    jobs = [
        Job(spec=spec, split=split, index=index, folder=folder)
        for split in splits
        if split not in stated
        for index in range(spec.sizes[split])
    ]
    return [job for job in jobs if not _row_path(job).is_file()]


def _finish_split(spec: DatasetSpec, folder: Path, split: str) -> None:
    rows = []
    content = {}
    for index in range(spec.sizes[split]):
        stored = json.loads(
            _row_path(Job(spec=spec, split=split, index=index, folder=folder)).read_text(encoding="utf-8")
        )
        content[stored["group"]] = stored["content_sha256"]
        picture = {"bytes": (folder / stored["preview"]).read_bytes(), "path": stored["preview"]}
        twin, calibration = stored.pop("has_twin", False), stored.pop("calibration_id", None)
        for condition, twin_of in [
            *((c, None) for c in spec.conditions()),
            *[(spec.reference, stored["group"])] * twin,
        ]:
            own = condition == spec.reference and twin_of is None
            rows.append(
                {
                    "id": twin_id(twin_of) if twin_of else spec.sample_id(stored["group"], condition),
                    "group": stored["group"],
                    "split": split,
                    "reference": own,
                    **{f"condition_{axis}": level for axis, level in condition.items()},
                    "twin_of": twin_of,
                    "calibration_id": calibration,
                    "voxel_size_nm": spec.recipe.voxel_size_nm,
                    "energy_ev": spec.recipe.acquisition.energy_ev,
                    "stored_views": stored["views"],
                    **{k: v for k, v in stored.items() if k not in ("group", "views", "preview")},
                    "preview": picture if own else None,
                }
            )
    write_manifest(folder / "manifest" / f"{split}.parquet", rows)
    statement = read_statement(folder)
    statement["splits"][split] = {
        "specimens": spec.sizes[split],
        "samples": len(rows),
        "fingerprint": fingerprint(spec, split, content),
    }
    write_text(folder / STATEMENT, _pretty(statement))


def _finish(spec: DatasetSpec, folder: Path) -> None:
    """Write what describes the whole folder, then the checksums."""
    import yaml

    from sxtbench.datasets.card import render_card  # which reads folders with this module

    recipe = spec.recipe.model_dump(mode="json")
    write_text(folder / "recipe" / "recipe.yaml", yaml.safe_dump(recipe, sort_keys=False))
    environment = {
        "sxtbench": version("sxtbench"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "system": platform.system(),
    }
    write_text(folder / "recipe" / "environment.json", _pretty(environment))
    write_text(folder / "README.md", render_card(folder))
    copy_file(content_folder("data_cards") / "LICENSE-DATA", folder / "LICENSE")
    copy_file(content_folder("data_cards") / "CHANGELOG.md", folder / "CHANGELOG.md")
    write_checksums(folder, _hashes_of_rows(folder))


def dataset_files(folder: Path) -> list[str]:
    """Return the files that the checksums cover, as sorted POSIX paths relative to the folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in found)
    return sorted(n for n in names if n != CHECKSUMS and not any(part.startswith(".") for part in n.split("/")))


def write_checksums(folder: Path, known: Mapping[str, str] | None = None) -> None:
    """Write `SHA256SUMS`, in the format of coreutils; files whose hashes are `known` by name are not read."""
    known = known or {}
    lines = [f"{known.get(name) or sha256_file(folder / name)}  {name}" for name in dataset_files(folder)]
    write_text(folder / CHECKSUMS, "\n".join(lines) + "\n")


def _hashes_of_rows(folder: Path) -> dict[str, str]:
    """Return the hashes that were taken of the specimens' files when they were written, by name."""
    found: dict[str, str] = {}
    for path in sorted((folder / _ROWS).glob("*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        found |= {row[f"{part}_path"]: row[f"{part}_sha256"] for part in ("input", "target", "objects")}
    return found
