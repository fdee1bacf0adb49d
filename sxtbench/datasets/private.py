"""A private split: what of a simulated sample may be published while its truth is hidden.

A stored exposure usually holds more than a method is asked to work from: the full dose, wider tilts, more views. Of a
private split the inputs hold the reference level only, and the content hash covers them alone.
"""

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from sxtbench.datasets.conditions import derive
from sxtbench.datasets.recipe import FlatGridRecipe
from sxtbench.datasets.record import SERIES_ARRAYS, Record, series_arrays, series_content, tilt_series
from sxtbench.datasets.spec import PRIVATE, DatasetSpec
from sxtbench.datasets.store import Hierarchy
from sxtbench.hashing import sha256_arrays

AT_CONDITION = "at_condition"
"""Attribute of inputs whose tilt series stand at one condition already."""

_ATTRIBUTES = ("id", "energy_ev", "floored_share")
_COLUMNS = (
    "id",
    "group",
    "split",
    "reference",
    "voxel_size_nm",
    "energy_ev",
    "stored_views",
    "content_sha256",
    "input_path",
    "input_sha256",
    "floored_share",
    "shape_zyx",
    "pixel_size_nm",
    "family",
    "region_y_um",
    "region_x_um",
)
_WITHHELD = ("twin_of", "calibration_id", "target_path", "labels_sha256", "preview")


def private_spec(spec: DatasetSpec, count: int) -> DatasetSpec:
    """Return what a private split of a dataset is made of.

    Parameters
    ----------
    spec : DatasetSpec
        Of the task.
    count : int
        Specimens.

    Returns
    -------
    DatasetSpec
        The same recipe at the reference level of every condition. Its seed is not the split's.
    """
    axes = {
        name: axis.model_copy(update={"levels": (axis.reference,)}) if axis.kind == "condition" else axis
        for name, axis in spec.axes.items()
    }
    return replace(spec, sizes={PRIVATE: count}, axes=axes, suffix=f"{spec.suffix}+{PRIVATE}")


def as_published(record: Record, spec: DatasetSpec) -> Record:
    """Return a sample whose inputs hold the reference level and nothing beyond it.

    Photons are thinned with a key from everything that was simulated, which nobody else knows.

    Parameters
    ----------
    record : Record
        As a family made it.
    spec : DatasetSpec
        From `private_spec`.
    """
    attributes, arrays = record.inputs.attributes, record.inputs.arrays
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for path, array in arrays.items():
        _, name, part = path.split("/")
        if part in SERIES_ARRAYS:
            found.setdefault(name, {})[part] = array
    known = dict(attributes)
    if isinstance(spec.recipe, FlatGridRecipe):
        known["tilt_range_deg"] = spec.recipe.acquisition.tilt.range_deg
    stored = tilt_series(found, attributes)
    series = derive(stored, spec.reference, known, content_sha256=sha256_arrays(record.content))
    pixels = attributes["pixel_size_nm"]
    inputs = Hierarchy(
        arrays={
            path: array
            for name, one in series.items()
            for path, array in series_arrays(name, one, projections=f"tilt_series/{name}/projections" in arrays).items()
        },
        volumes=record.inputs.volumes,
        attributes={
            **{name: attributes[name] for name in _ATTRIBUTES},
            "pixel_size_nm": {name: pixels[name] for name in series} if isinstance(pixels, dict) else pixels,
            AT_CONDITION: spec.reference,
        },
    )
    main = series["main"] if "main" in series else series["interior"]
    row = {**record.row, "views": len(main.angles_deg)}
    return replace(record, inputs=inputs, content=series_content(series), row=row)


def published_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the manifest without all that tells of the truth; what is not known to be harmless is left out.

    >>> published_row({"id": "private-00000", "split": "private", "target_path": "targets/...", "surprise": 1})
    ... # doctest: +NORMALIZE_WHITESPACE
    {'id': 'private-00000', 'split': 'private', 'twin_of': None, 'calibration_id': None, 'target_path': None,
     'labels_sha256': None, 'preview': None}
    """
    kept = {name: value for name, value in row.items() if name in _COLUMNS or name.startswith("condition_")}
    return {**kept, **dict.fromkeys(_WITHHELD)}
