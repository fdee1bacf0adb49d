"""A season: a private split whose seed is committed to before anyone answers, and revealed afterwards.

`public/` is published as it stands; `organiser/` stays where it is until the reveal copies what it holds.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from sxtbench.benchmark.hostile import Unreadable, read_json, shown
from sxtbench.benchmark.records import Digest, Line, Record, Slug
from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.private import private_spec
from sxtbench.datasets.spec import PRIVATE
from sxtbench.datasets.store import read_array
from sxtbench.errors import InputError
from sxtbench.files import write_text
from sxtbench.hashing import sha256_arrays, sha256_file, sha256_json

PUBLIC, ORGANISER, DATA = "public", "organiser", "data"
COMMITMENT, SECRET, LEDGER, REVEAL = "commitment.json", "secret.json", "ledger.json", "reveal.json"
AGGREGATES, RESULTS = "aggregates", "results"
"""Folders of results: without values of samples, published as they are scored; whole, published with the reveal."""

_MOST_BYTES = 4 << 20
_R = TypeVar("_R", bound=Record)


class Terms(Record):
    """What is settled before anything is drawn."""

    schema_version: Literal[1] = 1
    task: Slug
    version: int = Field(ge=1)
    task_hash: Digest
    tier: Slug
    recipe_sha256: Digest = Field(description="of the task's own recipe, whose seed is not that of the season")
    specimens: int = Field(ge=2)
    submissions_a_team: int = Field(ge=1, description="that are scored before the reveal")
    data_major: int = Field(ge=1)
    data_version: Line
    sxtbench: Line


class Commitment(Terms):
    """The content of `commitment.json`: the terms, the published inputs, and what nobody can change any more."""

    fingerprint: Digest = Field(description="of the inputs")
    commitment: Digest = Field(description="of all other fields here and all in reveal.json but the ledger")


class Secret(Record):
    """Random bits that the organiser keeps: 256 each, in hex."""

    seed: Digest
    nonce: Digest
    salt: Digest


class Kept(Record):
    """The content of `secret.json`."""

    terms: Terms
    secret: Secret


class Entry(Record):
    """A submission that was scored."""

    number: int = Field(ge=1)
    team: Line = Field(min_length=1)
    method: Line
    submission_sha256: Digest = Field(description="of its SHA256SUMS, which covers every other file")
    result: str = Field(pattern=r"^\d{3,}-[A-Za-z0-9._-]+\.json$")
    aggregates_sha256: Digest = Field(description="of the file that was published when it was scored")


class Ledger(Record):
    """The content of `ledger.json`: every submission that was scored, in order."""

    entries: tuple[Entry, ...] = ()


class Reveal(Secret):
    """The content of `reveal.json`: what opens the commitment, and all that was scored."""

    labels: dict[str, Digest] = Field(description="salted hash of each specimen's labels")
    targets: dict[str, Digest] = Field(description="salted hash of each specimen's file of targets")
    ledger: Ledger


@dataclass(frozen=True)
class Season:
    """A season's published folder.

    Parameters
    ----------
    public : Path
        With `commitment.json` and `data/`.
    stated : Commitment
        What it says of itself.
    task : Task
        The task with the private split in reach.
    """

    public: Path
    stated: Commitment
    task: Task

    @property
    def organiser(self) -> Path:
        """The folder beside it that only the organiser has."""
        return self.public.parent / ORGANISER

    @property
    def revealed(self) -> bool:
        """Whether the reveal is there."""
        return (self.public / REVEAL).is_file()


def open_season(folder: Path) -> Season:
    """Open a season.

    Parameters
    ----------
    folder : Path
        What was published, or the folder that `season create` made.

    Raises
    ------
    InputError
        Where there is none, it is unfinished, or of another version of the task.
    """
    public = folder if (folder / COMMITMENT).is_file() else folder / PUBLIC
    path = public / COMMITMENT
    if not path.is_file():
        unfinished = "; it is unfinished, run `season create` again" if (folder / ORGANISER).is_dir() else ""
        raise InputError(f"{folder}: no season there (no {COMMITMENT}){unfinished}")
    stated = read_record(path, Commitment)
    task = get_task(stated.task, stated.tier)
    if (task.hash, task.dataset_spec.recipe.hash) != (stated.task_hash, stated.recipe_sha256):
        raise InputError(
            f"{path}: made with sxtbench {stated.sxtbench}; {stated.task} ({stated.tier}) differs in this version"
        )
    return Season(public, stated, with_private(task, stated.specimens, public / DATA))


def with_private(task: Task, count: int, data: Path) -> Task:
    """Return a task with a private split of `count` specimens in reach, whose dataset lies at `data`."""
    return replace(task, private_spec=private_spec(task.dataset_spec, count), private_data=data, shifted_spec=None)


def read_record(path: Path, kind: type[_R]) -> _R:
    """Read a JSON file of a season; raise `InputError` with one line that says where it is wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: larger than {_MOST_BYTES >> 20} MiB, which no such file is")
        return kind.model_validate_json(json.dumps(read_json(path.read_bytes())), strict=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Unreadable as error:
        raise InputError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(shown(str(part), 60) for part in first["loc"]) or "the whole"
        raise InputError(f"{path}: {place}: {shown(first['msg'].removeprefix('Value error, '), 200)}") from None


def write_record(path: Path, record: Record) -> None:
    """Write a JSON file of a season, whole or not at all."""
    write_text(path, json.dumps(record.model_dump(mode="json"), indent=1, sort_keys=True) + "\n")


def read_ledger(organiser: Path) -> Ledger:
    """Return what was scored so far."""
    path = organiser / LEDGER
    return read_record(path, Ledger) if path.is_file() else Ledger()


def commitment_of(stated: Mapping[str, Any], secret: Secret, hashes: Mapping[str, Mapping[str, str]]) -> str:
    """Return the commitment: the SHA-256 of the canonical JSON of all that it binds.

    Parameters
    ----------
    stated : mapping
        The fields of `Commitment` but the commitment itself.
    secret : Secret
        Seed, nonce and salt.
    hashes : mapping
        `labels` and `targets` by specimen, from `salted_hashes`.
    """
    bits = {name: getattr(secret, name) for name in Secret.model_fields}
    return sha256_json({**stated, **bits, "labels": dict(hashes["labels"]), "targets": dict(hashes["targets"])})


def salted_hashes(data: Path, salt: str) -> dict[str, dict[str, str]]:
    """Return the salted hashes of the truth of a private split.

    Parameters
    ----------
    data : Path
        A dataset's folder with targets.
    salt : str
        256 bits in hex.

    Returns
    -------
    dict
        `labels` (of the array) and `targets` (of the file), by specimen: HMAC-SHA-256 of the plain hashes.
    """
    key, found = bytes.fromhex(salt), dict[str, dict[str, str]](labels={}, targets={})
    for path in sorted((data / "targets" / PRIVATE).glob("*.zarr.zip")):
        group = path.name.removesuffix(".zarr.zip")
        plain = {"labels": sha256_arrays({"labels": read_array(path, "labels/0")}), "targets": sha256_file(path)}
        for kind, digest in plain.items():
            found[kind][group] = hmac.digest(key, f"{kind} {group} {digest}".encode(), "sha256").hex()
    return found
