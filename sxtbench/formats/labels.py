"""Users' labels: read from any of the formats, by value or by the names of segments, and written for other programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.formats.content import Content, axis_order, edges_zyx, existing, file_axes, ordered
from sxtbench.formats.readers import LABELS
from sxtbench.formats.volumes import write_volume
from sxtbench.labels import BACKGROUND, CYTOPLASM, DROPLET, FIDUCIAL, NAMES, UNLABELLED, VACUOLE

_YEAST = (BACKGROUND, CYTOPLASM, VACUOLE, DROPLET)


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A label volume with what its values mean.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), uint8
        Suite-wide ids; classes that the suite does not know have ids from 12 on.
    voxel_size_nm : tuple of three float, or None
        Edges of a voxel along (z, y, x), nm; None where the file does not say.
    names : dict of str
        Of the labels that are there.
    """

    labels: NDArray[np.uint8]
    voxel_size_nm: tuple[float, float, float] | None
    names: dict[int, str]


def read_label_map(path: Path | str, *, names: Mapping[int, str] | None = None, axes: str | None = None) -> LabelMap:
    """Read a dense label volume with whatever classes it has.

    Parameters
    ----------
    path : path
        `.npy`, `.tif` or `.tiff`, MRC (`.mrc`, `.rec`, `.map`, `.st`), `.nrrd` or `.seg.nrrd`, AmiraMesh (`.am`,
        `.labels`), `.zarr` or `.zarr.zip`.
    names : mapping of int to str, optional
        What each value of the file means. The suite's names (`cytoplasm`, `lipid droplet`, ...) are known; any other
        is a class of its own. Left out: values are the suite's ids, and segments of 3D Slicer go by their names.
    axes : str, optional
        What the file's slices, rows and columns run along; what the file says, else `zyx`, where left out.

    Returns
    -------
    LabelMap

    Raises
    ------
    InputError
        If the file is missing, of another format, broken or not three-dimensional, if it holds bool, float or values
        beyond [0, 255], a value that `names` does not list, or if the reader is not installed.
    """
    path, content, axes, array = _read(path, axes)
    if array.dtype.kind not in "iu":
        raise InputError(f"{path} holds {array.dtype}, expected labels of an integer dtype such as uint8")
    if array.min() < 0 or array.max() > UNLABELLED:
        raise InputError(f"{path}: labels span [{array.min()}, {array.max()}], expected values in [0, 255]")
    found = array.astype(np.uint8, copy=False)
    present = [int(value) for value in np.flatnonzero(np.bincount(found.reshape(-1)))]
    if names is None:
        segments = {value: name for name, value in (content.segments or {}).items()}
        default = NAMES if content.segments is None else {BACKGROUND: NAMES[BACKGROUND], UNLABELLED: NAMES[UNLABELLED]}
        names = {value: segments.get(value, default.get(value, f"label {value}")) for value in present}
    missing = [value for value in present if value not in names and value not in (BACKGROUND, UNLABELLED)]
    if missing:
        raise InputError(f"{path}: label {missing[0]} has no name; expected one of each of {present}")
    ids = {full: label for label, name in NAMES.items() for full in (name, *name.split("/"))}
    table, free = np.arange(UNLABELLED + 1, dtype=np.uint8), FIDUCIAL + 1
    meant: dict[int, str] = {}
    for value in present:
        name = names.get(value, NAMES.get(value, "")).strip().lower()
        label = ids.get(name)
        if label is None:
            label, free = free, free + 1
            meant[label] = name
        else:
            meant[label] = NAMES[label]
        table[value] = label
    return LabelMap(table[found], edges_zyx(content.edges_nm, axes), meant)


def read_labels(
    path: Path | str,
    *,
    classes: Sequence[int] = _YEAST,
    mapping: Mapping[int | str, int] | None = None,
    shape: tuple[int, int, int] | None = None,
    axes: str | None = None,
) -> NDArray[np.uint8]:
    """Read labels of a tomogram, which may be sparse: 255 is unlabelled.

    A plain label map holds the ids of classes, or other values that `mapping` translates. A segmentation of 3D Slicer
    (`.seg.nrrd`) or of Amira (its materials) says which value is which segment; segments are taken for the classes that
    they are named after (`background`, `cytoplasm`, `vacuole`, `lipid droplet`, ...), and **what lies in no segment is
    unlabelled**, so background is a segment like any other.

    Parameters
    ----------
    path : path
        `.nrrd` or `.seg.nrrd`, AmiraMesh (`.am`, `.labels`), `.tif` or `.tiff`, `.npy`, or MRC (`.mrc`, `.rec`, ...).
    classes : sequence of int
        The class set.
    mapping : mapping of int or str to int, optional
        Class (or 255) of a value, or of a segment by its name. For a plain label map it lists every value but 255:
        `{0: 255, 1: 0, 2: 1}` where 0 means unlabelled. For a segmentation it goes before the names.
    shape : tuple of three int, optional
        Voxels of the tomogram along (z, y, x). Labels must have this shape; a segmentation that was cropped on export
        is put where it belongs.
    axes : str, optional
        What the file's slices, rows and columns run along; what the file says, else `zyx`, where left out.

    Returns
    -------
    ndarray, shape (z, y, x), uint8
        Values of `classes`, and 255.

    Raises
    ------
    InputError
        If the file is missing, of another format, broken or not three-dimensional, if a value is no class, if the shape
        is not the tomogram's, if segments overlap, or if the reader is not installed.
    """
    path, content, axes, array = _read(path, axes)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {array.dtype}, expected whole numbers: labels")
    table = _table(content.segments, mapping, {*classes, UNLABELLED}, path)
    labels = np.empty(array.shape, np.uint8)
    for z, plane in enumerate(array):
        values, places = np.unique(plane, return_inverse=True)
        found = [_class(value, table, content.segments, classes, f"{path}, slice {z}") for value in values.tolist()]
        labels[z] = np.array(found, np.uint8)[places].reshape(plane.shape)
    if content.segments is not None:
        return _placed(labels, tuple(content.offset[axis] for axis in axis_order(axes)), shape, path)
    if shape is not None and labels.shape != tuple(shape):
        raise InputError(f"{path} has shape {labels.shape} (z, y, x), expected the tomogram's {tuple(shape)}")
    return labels


def write_labels(path: Path | str, labels: ArrayLike, voxel_size_nm: float) -> None:
    """Write labels for other programs; the file is whole or not there.

    Parameters
    ----------
    path : path
        `.tif` or `.tiff` (as ImageJ reads it, 8 bit) or `.mrc` (16 bit: MRC has no unsigned bytes).
    labels : ndarray, shape (z, y, x), any integer dtype, values in [0, 255]
        Labels.
    voxel_size_nm : float
        Edge of a voxel, nm.

    Raises
    ------
    InputError
        If the labels, the voxel size or the ending of the name are out of the contract, the file cannot be written, or
        the writer is not installed.
    """
    path = Path(path)
    array = np.asarray(labels)
    if array.ndim != 3 or not array.size or array.dtype.kind not in "iu":
        raise InputError(f"{path}: labels are {array.dtype} of shape {array.shape}, expected integers (z, y, x)")
    if array.min() < 0 or array.max() > UNLABELLED:
        raise InputError(f"{path}: labels span [{array.min()}, {array.max()}], expected values in [0, 255]")
    if not (voxel_size_nm > 0 and np.isfinite(voxel_size_nm)):
        raise InputError(f"{path}: voxel_size_nm is {voxel_size_nm}, expected a positive number of nm")
    if path.suffix.lower() not in (".tif", ".tiff", ".mrc"):
        raise InputError(f"{path}: labels are written to .tif, .tiff or .mrc, not to {path.suffix or 'no ending'!r}")
    write_volume(path, array.astype(np.uint8), voxel_size_nm, axes="zyx")


def _read(path: Path | str, axes: str | None) -> tuple[Path, Content, str, NDArray[Any]]:
    """Return the file, its content, its axes, and its labels as (z, y, x)."""
    path = existing(path, LABELS)
    content = LABELS[path.suffix.lower()](path)
    axes = file_axes(content, axes)
    # MRC has no unsigned bytes: 255 comes as -1
    raw = content.array.view(np.uint8) if content.array.dtype == np.int8 else content.array
    return path, content, axes, ordered(raw, axes, path)


def _table(
    segments: Mapping[str, int] | None, mapping: Mapping[int | str, int] | None, allowed: set[int], path: Path
) -> dict[int, int]:
    """Return the class of each value of a file."""
    table = {} if mapping is not None and segments is None else {label: label for label in allowed}
    if segments is not None:
        by_name = {name: label for label, full in NAMES.items() for name in full.split("/")}
        table = {0: UNLABELLED}
        table |= {v: by_name[n.lower()] for n, v in segments.items() if by_name.get(n.lower()) in allowed}
    for key, label in (mapping or {}).items():
        if label not in allowed:
            raise InputError(f"{path}: the mapping makes {key!r} a {label}, expected one of {sorted(allowed)}")
        if isinstance(key, str):
            known = {name.lower(): value for name, value in (segments or {}).items()}
            if key.lower() not in known:
                raise InputError(f"{path} has no segment {key!r}, it has {', '.join(segments or {}) or 'none'}")
            key = known[key.lower()]
        table[int(key)] = label
    if segments is None:
        table.setdefault(UNLABELLED, UNLABELLED)
    return table


def _class(
    value: float, table: Mapping[int, int], segments: Mapping[str, int] | None, classes: Sequence[int], where: str
) -> int:
    if value in table:
        return table[int(value)]
    name = next((name for name, own in (segments or {}).items() if own == value), None)
    names = ", ".join(f"{label} ({NAMES.get(label, 'no name')})" for label in (*classes, UNLABELLED))
    what = f"label {value}" if name is None else f"segment {name!r} (label {value})"
    raise InputError(f"{where}: {what} is no class; expected {names}, or a mapping that names it")


def _placed(
    labels: NDArray[np.uint8], offset: tuple[int, ...], shape: tuple[int, int, int] | None, path: Path
) -> NDArray[np.uint8]:
    """Put a cropped segmentation where it belongs in the tomogram; unlabelled around it."""
    if shape is None:
        if any(offset):
            raise InputError(
                f"{path} is cropped, it begins at voxel {offset} (z, y, x) of the tomogram: give the tomogram's shape"
            )
        return labels
    ends = tuple(start + n for start, n in zip(offset, labels.shape, strict=True))
    if min(offset) < 0 or any(end > n for end, n in zip(ends, shape, strict=True)):
        raise InputError(
            f"{path} covers voxels {offset} to {ends} (z, y, x), which lie beyond the tomogram's {tuple(shape)}"
        )
    whole = np.full(shape, UNLABELLED, np.uint8)
    whole[tuple(slice(start, end) for start, end in zip(offset, ends, strict=True))] = labels
    return whole
