"""Methods on users' own data: any method, on an imported file or on a volume, without a truth."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.answer import check_answer
from sxtbench.benchmark.method import Method, answers_at, fit_method, learns, load_for, load_method, predict_sample
from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.exchange import import_volume
from sxtbench.datasets.own import OwnFile, OwnSample, is_own, read_own
from sxtbench.errors import InputError

_KINDS = ("labels", "volume", "projections")


def read_input(
    path: Path, *, axes: str | None = None, voxel_size_nm: float | None = None, lac_unit: str | None = None
) -> OwnFile:
    """Read what `sxtbench import` made, or a volume of any of the formats.

    Parameters
    ----------
    path : Path
        `.zarr.zip` of `sxtbench import`, or a volume.
    axes, voxel_size_nm, lac_unit
        Of a volume, as for `import_volume`; an import knows them.
    """
    if not is_own(path):
        volume, size, found = import_volume(path, axes=axes, voxel_size_nm=voxel_size_nm, lac_unit=lac_unit)
        return OwnFile(series=None, volume=volume, labels=None, voxel_size_nm=size, axes=found)
    given = {"--axes": axes, "--voxel-size": voxel_size_nm, "--lac-unit": lac_unit}
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name} is for files of other programs; {path} was imported and knows it")
    return read_own(path)


def task_for(spec: str, voxel_size_nm: float, name: str | None = None, tier: str | None = None) -> Task | None:
    """Return the task as whose method a method is asked, at the tier with the nearest voxels.

    Parameters
    ----------
    spec : str
        As for `load_method`.
    voxel_size_nm : float
        Of the user's data, nm.
    name, tier : str, optional
        A task and a tier that the user chose. By default the first task of the method's `config.yaml`; None where it
        names none.

    Raises
    ------
    InputError
        For an unknown task or tier, and a method whose answers are no volume.
    """
    config = getattr(load_method(spec), "config", {})
    if name is None:
        own = [task for task in config.get("tasks", ()) if get_task(task).protocol.answer.kinds[0] in _KINDS]
        if config.get("tasks") and not own:
            raise InputError(f"{spec} answers {', '.join(config['tasks'])}: no labels and no LAC of own data")
        if not own:
            return None
        name = own[0]
    if get_task(name).protocol.answer.kinds[0] not in _KINDS:
        raise InputError(f"{name} asks for {get_task(name).protocol.answer.kinds[0]}, expected a task of labels or LAC")
    if tier is not None:
        return get_task(name, tier)
    weights = (config.get("parameters") or {}).get("weights")
    known = [
        get_task(name, one)
        for one in get_task(name).protocol.tiers
        if answers_at(config, one) and (not isinstance(weights, dict) or one in weights)
    ]
    if not known:
        raise InputError(
            f"{spec} answers at no tier of {name}; --tier says which is meant, --weights what it has learnt"
        )
    return min(known, key=lambda task: abs(math.log(task.dataset_spec.recipe.voxel_size_nm / voxel_size_nm)))


def load_own_method(spec: str, task: Task | None, weights: Path | None = None) -> Method:
    """Load a method for own data: as `load_for` where there is a task."""
    if task is not None:
        return load_for(task, spec, weights)
    if weights is not None:
        raise InputError(f"{spec} names no task; give one before --weights, such as limited-angle-segmentation")
    return load_method(spec)


def predict_own(
    method: Method, found: OwnFile, name: str, task: Task | None = None, *, seed: int = 0
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Return a method's answer for a user's data.

    Parameters
    ----------
    method : Method
        From `load_own_method`.
    found : OwnFile
        From `read_input`.
    name : str
        The file's name, for errors.
    task : Task, optional
        Says what kind of answer is right, and on what a method is fitted that has to be.
    seed : int
        Handed to `fit`.

    Returns
    -------
    ndarray, shape (z, y, x), uint8 (labels) or float32 (LAC, 1/um)
    """
    kind = getattr(method, "answer", None) or (task.protocol.answer.kinds[0] if task else None)
    sample = OwnSample(
        name,
        series=found.series,
        volume=found.volume,
        voxel_size_nm=found.voxel_size_nm,
        spec=task.dataset_spec if task else None,
    )
    if learns(method, kind or "labels"):
        if task is None:
            raise InputError(f"{method.name} has to be fitted: name the task whose training data it takes")
        fit_method(method, task.dataset("train").at_reference, task.dataset("validation").at_reference, seed=seed)
    answer: Any = predict_sample(method, sample)  # type: ignore[arg-type]
    if kind is None:
        kind = "labels" if np.asarray(answer).dtype.kind in "iub" else "volume"
    shape = sample.tilt_series.projections.shape if kind == "projections" else sample.shape
    classes = task.protocol.answer.classes if task and kind == "labels" else tuple(range(256))
    checked = check_answer(answer, kind=kind, shape=shape, classes=classes or tuple(range(256)), where=method.name)
    if kind == "projections":
        return sample.from_projections(checked)
    return np.asarray(checked, np.uint8) if kind == "labels" else np.asarray(checked, np.float32)
