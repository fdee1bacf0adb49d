"""OME-Zarr images, plain Zarr arrays, and the files that `sxtbench import` makes."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.formats.content import NM, Content, readable

IMPORT_MARK = "sxtbench_import"
"""The attribute by which a file of `sxtbench import` is known; its value is the version of the layout."""

_OF_IMPORTS = {"volume": "reconstructions/fbp", "labels": "labels"}
"""Where a file of `sxtbench import` keeps what is asked for."""


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import zarr
    from zarr.storage import LocalStore, ZipStore

    if path.is_file() and not zipfile.is_zipfile(path):
        raise ValueError("it is no ZIP file")
    store = LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r")
    try:
        yield zarr.open(store, mode="r")
    finally:
        store.close()


def _read(path: Path, what: str) -> Content:
    import zarr

    with readable(path, "Zarr"), _opened(path) as found:
        if isinstance(found, zarr.Array):
            return Content(np.asarray(found[...]))
        inner = _OF_IMPORTS[what]
        if IMPORT_MARK in found.attrs and inner in found:
            found = found[inner]
        images = _images(found)
        if not images:
            raise InputError(f"{path} holds no array and no OME-Zarr image; give the path of an array in it")
        level = images[0]["datasets"][0]
        array = np.asarray(found[level["path"]][...])
        units = [NM.get(str(axis.get("unit", "")).lower(), 0.0) for axis in images[0]["axes"]]
        scales = [t["scale"] for t in level.get("coordinateTransformations", []) if t["type"] == "scale"]
    edges = [float(scale) * unit for scale, unit in zip(scales[0], units, strict=True)] if scales else []
    return Content(array.reshape(array.shape[-3:]) if array.size == math.prod(array.shape[-3:]) else array, edges[-3:])


read_zarr = partial(_read, what="volume")
"""Read an image, its finest level; of a file of `sxtbench import` the reconstruction."""

read_zarr_labels = partial(_read, what="labels")
"""Read a label image; of a file of `sxtbench import` its labels."""


def _images(group: Any) -> list[Any]:
    attributes: dict[str, Any] = group.attrs.asdict()
    return attributes.get("ome", attributes).get("multiscales") or []  # version 0.5 nests, 0.4 does not


def write_zarr(
    folder: Path, array: NDArray[Any], edge_nm: float, *, name: str, series: dict[str, Any] | None = None
) -> None:
    """Write an OME-Zarr 0.5 image with one level as a folder, which napari opens.

    Parameters
    ----------
    folder : Path
        Empty.
    array : ndarray, shape (z, y, x), or (angle, z, u) of a tilt series
        The image.
    edge_nm : float
        Edge of a voxel or pixel, nm.
    name : str
        Of the image.
    series : dict, optional
        Of a tilt series: what else is to be known, as attributes `tilt_series`; its `angles_deg` among them.
    """
    import zarr
    from zarr.codecs import BloscCodec

    um = edge_nm / 1000
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    scale, start = [um] * 3, [-(n - 1) / 2 * um for n in array.shape]
    if series is not None:
        axes[0] = {"name": "angle", "type": "angle"}
        axes[1:] = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zx"]
        scale[0], start[0] = 1.0, 0.0
    transforms = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": start}]
    image = {"name": name, "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": transforms}]}
    attributes: dict[str, Any] = {"ome": {"version": "0.5", "multiscales": [image]}}
    if series is not None:
        attributes["tilt_series"] = series
    root = zarr.create_group(folder, attributes=attributes, overwrite=True)
    stored = root.create_array(
        "0",
        shape=array.shape,
        dtype=array.dtype,
        chunks=tuple(min(64, n) for n in array.shape),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
        dimension_names=[axis["name"] for axis in axes],
    )
    stored[...] = array


def read_zarr_series(path: Path) -> tuple[NDArray[Any], float, dict[str, Any]]:
    """Read a tilt series that `write_zarr` wrote: frames (angle, z, u), pixel size in nm, attributes."""
    with readable(path, "Zarr"), _opened(path) as found:
        series = found.attrs.asdict().get("tilt_series")
        if not isinstance(series, dict) or "angles_deg" not in series:
            raise InputError(
                f"{path} is no tilt series of sxtbench: its attributes have no tilt_series with angles_deg"
            )
        scale = _images(found)[0]["datasets"][0]["coordinateTransformations"][0]["scale"]
        return np.asarray(found["0"][...]), float(f"{scale[-1] * 1000:.6g}"), series
