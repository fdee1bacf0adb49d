"""Real datasets that a user has: what is known of each, whether these are the files, and scores off the board."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from sxtbench import __version__
from sxtbench.benchmark.evaluate import file_name
from sxtbench.benchmark.method import Method
from sxtbench.benchmark.own import predict_own
from sxtbench.benchmark.task import Task, suggestion
from sxtbench.content import content_folder
from sxtbench.datasets.dataset import home
from sxtbench.datasets.exchange import import_volume
from sxtbench.datasets.own import OwnFile
from sxtbench.datasets.recipe import one_line, read_yaml
from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.files import write_text
from sxtbench.formats.labels import read_label_map
from sxtbench.hashing import sha256_file
from sxtbench.labels import UNLABELLED
from sxtbench.metrics.registry import score_labels

_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ExternalFile(Parameters):
    """A file that the user brings.

    Parameters
    ----------
    file : str
        Its name in the user's folder.
    sha256 : str or None
        Where it is known; else that of the first use is kept on the user's machine.
    axes : str or None
        What its slices, rows and columns run along, where the file does not say.
    lac_unit : str or None
        `per-um` or `per-voxel`, of a volume.
    """

    file: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    sha256: _Sha256 | None = None
    axes: str | None = None
    lac_unit: str | None = None


class External(Parameters):
    """A real dataset: the content of `external/<name>.yaml`.

    Parameters
    ----------
    title, licence, citation, source : str
        In words; `source` is where its owners keep it.
    doi : str or None
        Of the paper or the data.
    volume, labels : ExternalFile
        A reconstruction in LAC, and labels of its voxels.
    voxel_size_nm : float or None
        Edge of a voxel, nm, where it is known.
    label_map : dict of int
        Label of the suite of each value, or of each material by its name; what it does not name is not scored.
    classes : tuple of int
        What is scored.
    task : str
        As whose methods a method is asked.
    missing : tuple of str
        What is not known or not there, a sentence each.
    """

    title: str
    licence: str
    citation: str
    source: Annotated[str, Field(pattern="^https://")]
    doi: Annotated[str, Field(pattern=r"^10\.\d{4,}/")] | None = None
    volume: ExternalFile
    labels: ExternalFile
    voxel_size_nm: Annotated[float, Field(gt=0)] | None = None
    label_map: dict[int | str, Annotated[int, Field(ge=0, le=UNLABELLED)]] = Field(min_length=1)
    classes: tuple[int, ...] = Field(min_length=1)
    task: str
    missing: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _classes_are_labelled(self) -> "External":
        if len({type(key) for key in self.label_map}) > 1:
            raise ValueError("label_map has values and names, expected one or the other")
        absent = sorted(set(self.classes) - set(self.label_map.values()))
        if absent:
            raise ValueError(f"classes hold {absent[0]}, which label_map gives to nothing")
        return self


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """Files that were read and fit together.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32, 1/um
        The reconstruction.
    labels : ndarray, shape (z, y, x), uint8
        Labels of the suite; 255 is not scored.
    voxel_size_nm : float
        Edge of a voxel, nm.
    axes : str
        What the axes of the volume's file run along.
    sha256 : dict of str
        Of each file, by its name.
    first_use : bool
        Whether a checksum was not known before.
    """

    volume: NDArray[np.float32]
    labels: NDArray[np.uint8]
    voxel_size_nm: float
    axes: str
    sha256: dict[str, str]
    first_use: bool


def list_external() -> list[str]:
    """Return the names of the real datasets that are known.

    >>> list_external()
    ['ncxt-sample-12', 'simaq-yeast']
    """
    return sorted(path.stem for path in content_folder("external").glob("*.yaml"))


def get_external(name: str) -> External:
    """Return what is known of a real dataset.

    Raises
    ------
    InputError
        For an unknown name, with the nearest one, and a file that is not as it should be.
    """
    if name not in list_external():
        raise InputError(f"unknown external dataset {name!r}{suggestion(name, list_external())}")
    path = content_folder("external") / f"{name}.yaml"
    try:
        return External.model_validate(read_yaml(path))
    except ValidationError as error:
        raise InputError(f"{path}: {one_line(error, External)}") from None


def check_external(name: str, folder: Path, *, voxel_size_nm: float | None = None) -> Checked:
    """Read a user's copy of a real dataset and check it.

    A checksum that the registry does not know is kept at the first use, in `external/<name>.json` of the folder for
    data; from then on the files have to be the same.

    Parameters
    ----------
    name : str
        One of `list_external`.
    folder : Path
        Where the files lie under the names of the registry.
    voxel_size_nm : float, optional
        Edge of a voxel, nm, where neither the registry nor the file says.

    Raises
    ------
    InputError
        For a missing file, another checksum, values that are no LAC, labels of another shape or without any that are
        scored.
    """
    entry = get_external(name)
    for one in (entry.volume, entry.labels):
        if not (folder / one.file).is_file():
            raise InputError(f"{folder / one.file}: there is no such file; {name} is at {entry.source}")
    sha256, known = {}, {**_kept(name), **_stated(entry)}
    for one in (entry.volume, entry.labels):
        sha256[one.file] = sha256_file(folder / one.file)
        if known.get(one.file, sha256[one.file]) != sha256[one.file]:
            said = "the registry" if one.sha256 else f"the first use ({_record(name)})"
            raise InputError(
                f"{folder / one.file}: its sha256 is {sha256[one.file][:16]}..., expected {known[one.file][:16]}... "
                f"of {said}"
            )
    size = entry.voxel_size_nm or voxel_size_nm
    volume, size, axes = import_volume(
        folder / entry.volume.file, axes=entry.volume.axes, voxel_size_nm=size, lac_unit=entry.volume.lac_unit
    )
    labels = _labels(entry, folder / entry.labels.file)
    if labels.shape != volume.shape:
        raise InputError(
            f"{folder / entry.labels.file} has shape {labels.shape} (z, y, x), expected {volume.shape}, that of "
            f"{entry.volume.file}"
        )
    if not np.isin(labels, entry.classes).any():
        raise InputError(f"{folder / entry.labels.file}: holds none of the classes {list(entry.classes)}")
    first_use = set(known) != set(sha256)
    if first_use:
        write_text(_record(name), json.dumps(sha256, indent=1, sort_keys=True) + "\n")
    return Checked(volume=volume, labels=labels, voxel_size_nm=size, axes=axes, sha256=sha256, first_use=first_use)


def score_external(name: str, checked: Checked, method: Method, task: Task, *, seed: int = 0) -> dict[str, Any]:
    """Ask a method for labels of a real dataset and score them where there are true ones.

    Parameters
    ----------
    name : str
        Of the dataset.
    checked : Checked
        From `check_external`.
    method : Method
        From `load_own_method`.
    task : Task
        As whose method it is asked.
    seed : int
        Handed to `fit`.

    Returns
    -------
    dict
        What `save_external` writes: `ranked` is False, and no board reads it.
    """
    entry = get_external(name)
    found = OwnFile(
        series=None, volume=checked.volume, labels=None, voxel_size_nm=checked.voxel_size_nm, axes=checked.axes
    )
    answer = predict_own(method, found, name, task, seed=seed)
    if answer.dtype != np.uint8:
        raise InputError(f"{method.name} answers LAC, expected labels: {name} has labels as its truth")
    scores = score_labels(answer, checked.labels, None, entry.classes)
    return {
        "external": name,
        "ranked": False,
        "licence": entry.licence,
        "citation": entry.citation,
        "sha256": checked.sha256,
        "voxel_size_nm": checked.voxel_size_nm,
        "method": method.name,
        "asked_as": f"{task.name}, {task.tier}",
        "labelled_voxels": int((checked.labels != UNLABELLED).sum()),
        "scores": [
            {"metric": metric, "class": label, "value": None if math.isnan(value) else value}
            for metric, label, value in scores
        ],
        "sxtbench": __version__,
    }


def save_external(result: Mapping[str, Any], out: Path) -> Path:
    """Write scores of a real dataset to `<out>/<dataset>/<method>.json`."""
    path = out / str(result["external"]) / f"{file_name(str(result['method']))}.json"
    write_text(path, json.dumps(result, indent=1, allow_nan=False) + "\n")
    return path


def _labels(entry: External, path: Path) -> NDArray[np.uint8]:
    by_value = isinstance(next(iter(entry.label_map)), int)
    plain = {value: str(value) for value in range(UNLABELLED + 1)} if by_value else None
    found = read_label_map(path, names=plain, axes=entry.labels.axes)
    table = np.full(UNLABELLED + 1, UNLABELLED, np.uint8)
    for label, meaning in found.names.items():
        table[label] = entry.label_map.get(int(meaning) if by_value else meaning, UNLABELLED)
    return table[found.labels]


def _stated(entry: External) -> dict[str, str]:
    return {one.file: one.sha256 for one in (entry.volume, entry.labels) if one.sha256 is not None}


def _record(name: str) -> Path:
    return home() / "external" / f"{name}.json"


def _kept(name: str) -> dict[str, str]:
    path = _record(name)
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
