"""One simulated sample as it is stored, whichever family it comes from."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sxtbench.acquisition.series import Exposure, TiltSeries
from sxtbench.datasets.spec import PRIVATE, DatasetSpec, group_id
from sxtbench.datasets.store import Hierarchy, open_hierarchy, read_array, write_hierarchy, write_table
from sxtbench.hashing import sha256_arrays, sha256_file
from sxtbench.pictures import slice_png

SERIES_ARRAYS = ("counts", "incident_photons", "angles_deg", "column_offset_px")
"""What makes a stored tilt series; the last only where the detector is not centred on the axis."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One specimen to make."""

    spec: DatasetSpec
    split: str
    index: int
    folder: Path

    @property
    def group(self) -> str:
        """Identity of the specimen."""
        return group_id(self.split, self.index)


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One simulated sample, ready to be stored.

    Parameters
    ----------
    inputs, targets : Hierarchy
        What a method gets, and the truth.
    objects : list of dict
        The table of objects.
    content : dict of ndarray
        The arrays that the content hash covers, named as `stored_content` names them.
    preview : ndarray, shape (y, x), float32, 1/um
        A slice of a reconstruction for the manifest's picture.
    row : dict
        Further columns of the manifest, `shape_zyx` and `pixel_size_nm` among them.
    """

    inputs: Hierarchy
    targets: Hierarchy
    objects: list[dict[str, Any]]
    content: dict[str, NDArray[Any]]
    preview: NDArray[np.float32]
    row: dict[str, Any]


def series_arrays(name: str, series: TiltSeries, *, projections: bool = True) -> dict[str, NDArray[Any]]:
    """Return the arrays of a tilt series under their names in a sample's file.

    Parameters
    ----------
    name : str
        Of the series.
    series : TiltSeries
        What is stored.
    projections : bool
        Whether the absorbance is stored too, for readers other than sxtbench.
    """
    found = {part: getattr(series, part) for part in SERIES_ARRAYS}
    if projections:
        found["projections"] = series.projections
    return {f"tilt_series/{name}/{part}": array for part, array in found.items() if array is not None}


def tilt_series(
    arrays: Mapping[str, Mapping[str, NDArray[Any]]], attributes: Mapping[str, Any]
) -> dict[str, TiltSeries]:
    """Return the tilt series whose arrays `read_series` read, with the attributes of the same file."""
    pixels, energy = attributes["pixel_size_nm"], float(attributes["energy_ev"])
    return {
        name: TiltSeries(
            **parts, pixel_size_nm=float(pixels[name] if isinstance(pixels, dict) else pixels), energy_ev=energy
        )
        for name, parts in arrays.items()
    }


def series_content(series: Mapping[str, TiltSeries]) -> dict[str, NDArray[Any]]:
    """Return the arrays of tilt series under their names in a content hash: bare for the series `main`."""
    return {
        _content_name(name, part): array
        for name, one in series.items()
        for part in SERIES_ARRAYS
        if (array := getattr(one, part)) is not None
    }


def exposure_content(labels: NDArray[np.uint8], exposure: Exposure) -> dict[str, NDArray[Any]]:
    """Return the arrays that the content hash of a specimen with one tilt series covers."""
    return {
        "labels": labels,
        "true_angles_deg": exposure.true_angles_deg,
        **series_content({"main": exposure.series}),
    }


def _content_name(series: str, part: str) -> str:
    return part if series == "main" else f"{series}/{part}"


def write_record(job: Job, record: Record, timer: Callable[[str], Any] = lambda stage: nullcontext()) -> dict[str, Any]:
    """Write the files of one sample and return its row of the manifest.

    Parameters
    ----------
    job : Job
        Which sample it is and where it goes.
    record : Record
        The sample.
    timer : callable, optional
        Gives a context manager for the stage `storage`.
    """
    with timer("storage"):
        folder, group, split = job.folder, job.group, job.split
        names = {
            "input_path": f"inputs/{split}/{group}.zarr.zip",
            "target_path": f"targets/{split}/{group}.zarr.zip",
            "objects_path": f"targets/{split}/{group}.objects.parquet",
        }
        write_hierarchy(folder / names["input_path"], record.inputs)
        write_hierarchy(folder / names["target_path"], record.targets)
        write_table(folder / names["objects_path"], record.objects)
        preview = f"previews/{split}/{group}.png"
        slice_png("volume", record.preview, folder / preview)
        return {
            "group": group,
            "content_sha256": sha256_arrays(record.content),
            "labels_sha256": sha256_arrays({"labels": record.targets.volumes["labels"].array}),
            **{key.replace("path", "sha256"): sha256_file(folder / name) for key, name in names.items()},
            **names,
            **record.row,
            "preview": preview,
        }


def read_series(root: zarr.Group) -> dict[str, dict[str, NDArray[Any]]]:
    """Read the arrays of every stored tilt series, by its name and their own."""
    return {
        name: {
            part: np.asarray(root[f"tilt_series/{name}/{part}"][...])  # type: ignore[index]
            for part in SERIES_ARRAYS
            if f"tilt_series/{name}/{part}" in root
        }
        for name in root["tilt_series"].group_keys()  # type: ignore[union-attr]
    }


def in_content(name: str) -> bool:
    """Whether the content hash of a sample covers an array of its files.

    >>> in_content("tilt_series/main/counts"), in_content("reconstructions/fbp/0")
    (True, False)
    """
    top, *rest = name.split("/")
    if top == "tilt_series":
        return rest[-1] in SERIES_ARRAYS
    return name in ("labels/0", "true_angles_deg") or top == "true_shifts"


def stored_content(folder: Path, row: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Read the arrays that the content hash of a stored sample covers: of a private split the inputs alone."""
    content: dict[str, NDArray[Any]] = {}
    with open_hierarchy(folder / row["input_path"]) as root:
        for name, parts in read_series(root).items():
            content |= {_content_name(name, part): array for part, array in parts.items()}
    if row["split"] == PRIVATE:
        return content
    path = folder / row["target_path"]
    content["labels"] = read_array(path, "labels/0")
    with open_hierarchy(path) as root:
        truths = ["true_angles_deg"] if "true_angles_deg" in root else []
        if "true_shifts" in root:
            truths += [f"true_shifts/{name}" for name in root["true_shifts"].array_keys()]  # type: ignore[union-attr]
        return content | {name: np.asarray(root[name][...]) for name in truths}  # type: ignore[index]
