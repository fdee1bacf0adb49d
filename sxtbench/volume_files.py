"""Read a user's volumes and labels (MRC, TIFF, npy, Zarr; labels also NRRD from 3D Slicer); write labels.

All but npy and Zarr need the extra `formats`.

Arrays are `(z, y, x)` with z the rotation axis and y the beam's direction at 0 degrees. A file whose axes mean
something else is read with `axes`, which names its slices, rows and columns: `"yzx"` for a tomogram turned for viewing,
as IMOD users keep it (slices along the depth, rows along the tilt axis). Axes are only reordered, never turned round.
"""

import importlib
import math
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.files import atomic_path
from sxtbench.labels import BACKGROUND, CYTOPLASM, DROPLET, FIDUCIAL, NAMES, UNLABELLED, VACUOLE

__all__ = ["LabelMap", "read_image", "read_label_map", "read_labels", "read_volume", "write_labels"]

_YEAST = (BACKGROUND, CYTOPLASM, VACUOLE, DROPLET)
_NM = {
    "nm": 1.0, "nanometer": 1.0, "a": 0.1, "å": 0.1, "angstrom": 0.1, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3,
    "microns": 1e3, "micrometer": 1e3, "micrometre": 1e3, "nanometre": 1.0, "millimeter": 1e6, r"\u00b5m": 1e3,
    "mm": 1e6, "cm": 1e7,
}  # fmt: skip
_CUBIC = 0.01  # edges of a voxel may differ by this much, relative
_UNSET_NM = 0.1  # 1 Angstrom: what programs write into an MRC header when they do not know the voxel size
_MRC_HEADER, _MRC_BYTES = 1024, {0: 1, 1: 2, 2: 4, 4: 8, 6: 2, 12: 2, 101: 0.5}  # bytes; of a voxel by mode
_IMOD_STAMP, _IMOD_SIGNED_BYTES = 1146047817, 1


@dataclass(frozen=True, eq=False)
class _Content:
    """What a file holds: an array in the file's axes, and of a segmentation its segments and place.

    `edges_nm` are those of its voxels along its axes; empty where it does not say, two where it leaves out the first.
    """

    array: NDArray[Any]
    edges_nm: Sequence[float] = ()
    segments: Mapping[str, int] | None = None
    offset: tuple[int, ...] = (0, 0, 0)


def read_volume(path: Path | str, *, axes: str = "zyx") -> tuple[NDArray[np.float32], float | None]:
    """Read a tomogram.

    Parameters
    ----------
    path : path
        `.mrc`, `.rec`, `.map` or `.st` (MRC), `.tif` or `.tiff` (a stack), or `.npy`.
    axes : str
        What the file's slices, rows and columns run along.

    Returns
    -------
    volume : ndarray, shape (z, y, x), float32, the file's unit
    voxel_size_nm : float or None
        Edge of a voxel; None where the file does not say. In MRC a voxel of 0 or of 1 Angstrom says nothing.

    Raises
    ------
    InputError
        If the file is missing, of another format, broken or not three-dimensional, if its voxels are not cubes, if it
        holds NaN or Inf, or if the reader is not installed.
    """
    volume, content = _read_image(path, axes)
    return volume, _cubic(content.edges_nm, Path(path))


def read_image(path: Path | str, *, axes: str = "zyx") -> tuple[NDArray[np.float32], tuple[float, float, float] | None]:
    """Read a volume whose voxels need not be cubes.

    Parameters and errors as of `read_volume`, of `.zarr` folders and `.zarr.zip` files too: an array, or an OME-Zarr
    image, of which the finest level is read.

    Returns
    -------
    volume : ndarray, shape (z, y, x), float32, the file's unit
    voxel_size_nm : tuple of three float, or None
        Edges of a voxel along (z, y, x), nm; None where the file does not say.
    """
    volume, content = _read_image(path, axes)
    return volume, _edges(content.edges_nm, axes)


def _read_image(path: Path | str, axes: str) -> tuple[NDArray[np.float32], _Content]:
    path = _existing(path, _VOLUMES)
    content = _VOLUMES[path.suffix.lower()](path)
    array = _ordered(content.array, axes, path)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {array.dtype}, expected a volume of real numbers")
    volume = np.ascontiguousarray(array, np.float32)
    for z, plane in enumerate(volume):
        if not np.isfinite(plane).all():
            raise InputError(f"{path} holds NaN or Inf in slice {z}, expected finite values")
    return volume, content


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


def read_label_map(path: Path | str, *, names: Mapping[int, str] | None = None, axes: str = "zyx") -> LabelMap:
    """Read a dense label volume with whatever classes it has.

    Parameters
    ----------
    path : path
        `.npy`, `.tif` or `.tiff`, MRC (`.mrc`, `.rec`, `.map`, `.st`), `.nrrd` or `.seg.nrrd`, `.zarr` or `.zarr.zip`.
    names : mapping of int to str, optional
        What each value of the file means. The suite's names (`cytoplasm`, `lipid droplet`, ...) are known; any other
        is a class of its own. Left out: values are the suite's ids, and segments of 3D Slicer go by their names.
    axes : str
        What the file's slices, rows and columns run along.

    Returns
    -------
    LabelMap

    Raises
    ------
    InputError
        If the file is missing, of another format, broken or not three-dimensional, if it holds bool, float or values
        beyond [0, 255], a value that `names` does not list, or if the reader is not installed.
    """
    path = _existing(path, _LABELS)
    content = _LABELS[path.suffix.lower()](path)
    raw = content.array.view(np.uint8) if content.array.dtype == np.int8 else content.array
    array = _ordered(raw, axes, path)
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
    return LabelMap(table[found], _edges(content.edges_nm, axes), meant)


def read_labels(
    path: Path | str,
    *,
    classes: Sequence[int] = _YEAST,
    mapping: Mapping[int | str, int] | None = None,
    shape: tuple[int, int, int] | None = None,
    axes: str = "zyx",
) -> NDArray[np.uint8]:
    """Read labels of a tomogram, which may be sparse: 255 is unlabelled.

    A plain label map holds the ids of classes, or other values that `mapping` translates. A segmentation of 3D Slicer
    (`.seg.nrrd`) says which value is which segment; segments are taken for the classes that they are named after
    (`background`, `cytoplasm`, `vacuole`, `lipid droplet`, ...), and **what lies in no segment is unlabelled**, so
    background is a segment like any other.

    Parameters
    ----------
    path : path
        `.nrrd` or `.seg.nrrd`, `.tif` or `.tiff`, `.npy`, or MRC (`.mrc`, `.rec`, `.map`, `.st`).
    classes : sequence of int
        The class set.
    mapping : mapping of int or str to int, optional
        Class (or 255) of a value, or of a segment by its name. For a plain label map it lists every value but 255:
        `{0: 255, 1: 0, 2: 1}` where 0 means unlabelled. For a segmentation it goes before the names.
    shape : tuple of three int, optional
        Voxels of the tomogram along (z, y, x). Labels must have this shape; a segmentation that was cropped on export
        is put where it belongs.
    axes : str
        What the file's slices, rows and columns run along.

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
    path = _existing(path, _LABELS)
    content = _LABELS[path.suffix.lower()](path)
    # MRC has no unsigned bytes: 255 comes as -1
    raw = content.array.view(np.uint8) if content.array.dtype == np.int8 else content.array
    array = _ordered(raw, axes, path)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {array.dtype}, expected whole numbers: labels")
    table = _table(content.segments, mapping, {*classes, UNLABELLED}, path)
    labels = np.empty(array.shape, np.uint8)
    for z, plane in enumerate(array):
        values, places = np.unique(plane, return_inverse=True)
        found = [_class(value, table, content.segments, classes, f"{path}, slice {z}") for value in values.tolist()]
        labels[z] = np.array(found, np.uint8)[places].reshape(plane.shape)
    if content.segments is not None:
        return _placed(labels, tuple(content.offset[axis] for axis in _order(axes)), shape, path)
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
    write = {".tif": _write_tiff, ".tiff": _write_tiff, ".mrc": _write_mrc}.get(path.suffix.lower())
    if write is None:
        raise InputError(f"{path}: labels are written to .tif, .tiff or .mrc, not to {path.suffix or 'no ending'!r}")
    try:
        with atomic_path(path) as temporary:
            write(temporary, np.ascontiguousarray(array, np.uint8), float(voxel_size_nm))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


def _read_mrc(path: Path) -> _Content:
    library = _library("mrcfile", path)
    with _readable(path, "MRC"):
        _check_mrc_header(path)
    with _readable(path, "MRC"), library.open(path, permissive=True) as mrc:
        if mrc.data is None:
            raise ValueError("it is cut off")
        array, header = np.array(mrc.data), mrc.header
        sizes = [float(mrc.voxel_size[axis]) / 10 for axis in "zyx"]
        stored = [int(header[name]) for name in ("maps", "mapr", "mapc")]
        stamp, flags = np.frombuffer(header["extra2"].tobytes()[40:48], header["mode"].dtype)
    if array.dtype == np.int8 and stamp == _IMOD_STAMP and not flags & _IMOD_SIGNED_BYTES:
        array = array.view(np.uint8)
    if array.ndim == 3 and sorted(stored) == [1, 2, 3]:
        array = array.transpose([stored.index(axis) for axis in (3, 2, 1)])
    unset = all(abs(size - _UNSET_NM) < 1e-6 for size in sizes)
    return _Content(array, () if unset else sizes)


def _check_mrc_header(path: Path) -> None:
    """Raise ValueError unless the file is as long as its header says.

    The library sets aside what a header asks for before it reads: gigabytes, for a file that is no MRC.
    """
    with path.open("rb") as file:
        head = file.read(_MRC_HEADER)
    if len(head) < _MRC_HEADER:
        raise ValueError(f"it has {len(head)} bytes, less than a header")
    for order in "<>":
        words = np.frombuffer(head, f"{order}i4")
        mode, sides, extended = int(words[3]), [int(n) for n in words[:3]], int(words[23])
        if mode in _MRC_BYTES and min(sides) > 0 and extended >= 0:
            if path.stat().st_size < _MRC_HEADER + extended + math.prod(sides) * _MRC_BYTES[mode]:
                raise ValueError(f"it is shorter than the {sides[2]} x {sides[1]} x {sides[0]} voxels of its header")
            return
    raise ValueError("its header is not that of an MRC file")


def _read_tiff(path: Path) -> _Content:
    library = _library("tifffile", path)
    with _readable(path, "TIFF"), library.TiffFile(path) as tiff:
        if len(tiff.series) != 1:
            raise InputError(f"{path} holds {len(tiff.series)} images of different shapes, expected one stack")
        series = tiff.series[0]
        if "S" in series.axes:
            raise InputError(f"{path} is a colour image (axes {series.axes}), expected a stack of one value a voxel")
        array, sizes = series.asarray(), _tiff_sizes(tiff, library)
    return _Content(array, sizes)


def _tiff_sizes(tiff: Any, library: Any) -> list[float]:
    """Return the voxel's edges ([z,] y, x) in nm as OME or ImageJ metadata give them; empty where they do not."""
    if tiff.ome_metadata:
        image = library.xml2dict(tiff.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        found = [
            float(pixels[f"PhysicalSize{axis}"]) * _NM.get(str(pixels.get(f"PhysicalSize{axis}Unit", "µm")).lower(), 0)
            for axis in "ZYX"
            if f"PhysicalSize{axis}" in pixels
        ]
        return found if len(found) > 1 else []
    imagej = tiff.imagej_metadata or {}
    unit, tags = _NM.get(str(imagej.get("unit", "")).lower()), tiff.pages[0].tags
    if unit is None or "XResolution" not in tags or "YResolution" not in tags:
        return []
    fractions = [tags[name].value for name in ("YResolution", "XResolution")]
    edges = [below / above if above else 0.0 for above, below in fractions]
    return [float(edge) * unit for edge in [*([imagej["spacing"]] if "spacing" in imagej else []), *edges]]


def _read_npy(path: Path) -> _Content:
    with _readable(path, "npy"):
        return _Content(np.load(path, allow_pickle=False))


def _read_nrrd(path: Path) -> _Content:
    library = _library("nrrd", path, package="pynrrd")
    with _readable(path, "NRRD"):
        array, header = library.read(str(path), index_order="C")  # Slicer's x, y, z, fastest first, is our z, y, x
    ids = sorted({int(found[1]) for key in header if (found := re.fullmatch(r"Segment(\d+)_(?:ID|Name)", key))})
    edges = _nrrd_edges(header)
    if not ids:
        return _Content(array, edges)
    if array.ndim == 4:
        if array.shape[-1] != 1:
            raise InputError(
                f"{path} has {array.shape[-1]} layers, since segments overlap; expected one: export it from 3D Slicer "
                "as a label map"
            )
        array = array[..., 0]
    values = {number: str(header.get(f"Segment{number}_LabelValue", "missing")).strip() for number in ids}
    for number, value in values.items():
        if not value.isdecimal():
            raise InputError(
                f"{path}: Segment{number}_LabelValue is {value}, expected a number as 3D Slicer 4.11 saves it"
            )
    names = {n: str(header.get(f"Segment{n}_Name", header.get(f"Segment{n}_ID"))).strip() for n in ids}
    offset = str(header.get("Segmentation_ReferenceImageExtentOffset", "0 0 0"))
    if not re.fullmatch(r"(-?\d+ ){2}-?\d+", offset):
        raise InputError(f"{path}: Segmentation_ReferenceImageExtentOffset is {offset!r}, expected three whole numbers")
    place = tuple(int(word) for word in reversed(offset.split()))
    return _Content(array, edges, {names[n]: int(values[n]) for n in ids}, place)


def _nrrd_edges(header: Mapping[str, Any]) -> list[float]:
    """Return the edges of a voxel (z, y, x) in nm, where the header gives them with a unit."""
    if "space directions" in header:
        rows = [np.asarray(row, np.float64) for row in header["space directions"]]
        edges = [float(np.linalg.norm(row)) for row in rows if np.isfinite(row).all()]
        units = list(header.get("space units", []))
    else:
        edges, units = [float(edge) for edge in header.get("spacings", [])], list(header.get("units", []))
    factors = [_NM.get(str(unit).lower(), 0.0) for unit in units[-3:]]
    if len(factors) != 3 or len(edges) < 3:
        return []
    return [edge * factor for edge, factor in zip(edges[-3:], factors, strict=True)][::-1]


def _read_zarr(path: Path) -> _Content:
    import zarr
    from zarr.storage import LocalStore, ZipStore

    with _readable(path, "Zarr"):
        if path.is_file() and not zipfile.is_zipfile(path):
            raise ValueError("it is no ZIP file")
        store = LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r")
        try:
            found = zarr.open(store, mode="r")
            if isinstance(found, zarr.Array):
                return _Content(np.asarray(found[...]))
            attributes: dict[str, Any] = found.attrs.asdict()
            images = attributes.get("ome", attributes).get("multiscales")  # version 0.5 nests, 0.4 does not
            if not images:
                raise InputError(f"{path} holds no array and no OME-Zarr image; give the path of an array in it")
            level = images[0]["datasets"][0]
            array = np.asarray(found[level["path"]][...])  # type: ignore[index]
            units = [_NM.get(str(axis.get("unit", "")).lower(), 0.0) for axis in images[0]["axes"]]
            scales = [t["scale"] for t in level.get("coordinateTransformations", []) if t["type"] == "scale"]
        finally:
            store.close()
    edges = [float(scale) * unit for scale, unit in zip(scales[0], units, strict=True)] if scales else []
    return _Content(array.reshape(array.shape[-3:]) if array.size == math.prod(array.shape[-3:]) else array, edges[-3:])


_Reader = Callable[[Path], _Content]
_MRC: dict[str, _Reader] = dict.fromkeys((".mrc", ".rec", ".map", ".st"), _read_mrc)
_VOLUMES: dict[str, _Reader] = {
    **_MRC, ".tif": _read_tiff, ".tiff": _read_tiff, ".npy": _read_npy, ".zarr": _read_zarr, ".zip": _read_zarr,
}  # fmt: skip
_LABELS: dict[str, _Reader] = {".nrrd": _read_nrrd, **_VOLUMES}


def _write_tiff(path: Path, labels: NDArray[np.uint8], voxel_size_nm: float) -> None:
    um = voxel_size_nm / 1000
    _library("tifffile", path).imwrite(
        path, labels, imagej=True, resolution=(1 / um, 1 / um), metadata={"axes": "ZYX", "spacing": um, "unit": "um"}
    )


def _write_mrc(path: Path, labels: NDArray[np.uint8], voxel_size_nm: float) -> None:
    with _library("mrcfile", path).new(path, overwrite=True) as mrc:
        mrc.set_data(labels.astype(np.uint16))
        mrc.set_volume()
        mrc.voxel_size = voxel_size_nm * 10


def _existing(path: Path | str, readers: Mapping[str, _Reader]) -> Path:
    path = Path(path)
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: unknown ending {path.suffix!r}, expected one of {', '.join(sorted(readers))}")
    if not path.is_file() and not (path.suffix.lower() == ".zarr" and path.is_dir()):
        raise InputError(f"{path}: {'a folder, expected a file' if path.is_dir() else 'there is no such file'}")
    return path


def _library(name: str, path: Path, *, package: str = "") -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise InputError(
            f'{path.name} needs {package or name}, which is not installed: pip install "sxtbench[formats]"'
        ) from None


@contextmanager
def _readable(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a reader raises on a broken file into one line, and keep its warnings to itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).split(". ")[0][:200] or type(error).__name__
        raise InputError(f"{path} cannot be read as {what} ({reason})") from None


def _cubic(sizes_nm: Sequence[float], path: Path) -> float | None:
    """Return the edge of a voxel; None unless all that are given are positive."""
    if not sizes_nm or not all(np.isfinite(size) and size > 0 for size in sizes_nm):
        return None
    if max(sizes_nm) > min(sizes_nm) * (1 + _CUBIC):
        edges = " x ".join(f"{size:.4g}" for size in reversed(sizes_nm))
        raise InputError(f"{path} has voxels of {edges} nm (x, y, z), expected cubes: resample it")
    return float(f"{np.mean(sizes_nm):.6g}")


def _edges(edges_nm: Sequence[float], axes: str) -> tuple[float, float, float] | None:
    """Return the edges of a voxel along (z, y, x), of those along the file's axes; None unless all are positive."""
    whole = [edges_nm[-1], *edges_nm] if len(edges_nm) == 2 else list(edges_nm)
    if len(whole) != 3 or not all(np.isfinite(size) and size > 0 for size in whole):
        return None
    z, y, x = (float(f"{whole[axis]:.6g}") for axis in _order(axes))
    return z, y, x


def _order(axes: str) -> list[int]:
    """Return which of the file's axes is z, which y, which x."""
    if sorted(axes) != ["x", "y", "z"]:
        raise InputError(f'axes is {axes!r}, expected an order of x, y and z such as "zyx" or "yzx"')
    return [axes.index(axis) for axis in "zyx"]


def _ordered(array: NDArray[Any], axes: str, path: Path) -> NDArray[Any]:
    """Bring the file's slices, rows and columns to (z, y, x)."""
    order = _order(axes)
    if array.ndim != 3 or not array.size:
        raise InputError(f"{path} has shape {array.shape}, expected three axes: slices, rows, columns")
    return array.transpose(order)


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
