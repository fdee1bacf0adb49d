"""TIFF stacks, with the voxel size as ImageJ and OME write it."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.formats.content import NM, Content, library, notes_of, readable


def read_tiff(path: Path) -> Content:
    """Read a stack of one value a voxel."""
    tifffile = library("tifffile", path)
    with readable(path, "TIFF"), tifffile.TiffFile(path) as tiff:
        if len(tiff.series) != 1:
            raise InputError(f"{path} holds {len(tiff.series)} images of different shapes, expected one stack")
        series = tiff.series[0]
        if "S" in series.axes:
            raise InputError(f"{path} is a colour image (axes {series.axes}), expected a stack of one value a voxel")
        array, sizes = series.asarray(), _sizes(tiff, tifffile)
        notes = notes_of(str((tiff.imagej_metadata or {}).get("Info", "")))
    return Content(array, sizes, notes=notes)


def _sizes(tiff: Any, tifffile: Any) -> list[float]:
    """Return the voxel's edges ([z,] y, x) in nm as OME or ImageJ metadata give them; empty where they do not."""
    if tiff.ome_metadata:
        image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        found = [
            float(pixels[f"PhysicalSize{axis}"]) * NM.get(str(pixels.get(f"PhysicalSize{axis}Unit", "µm")).lower(), 0)
            for axis in "ZYX"
            if f"PhysicalSize{axis}" in pixels
        ]
        return found if len(found) > 1 else []
    imagej = tiff.imagej_metadata or {}
    unit, tags = NM.get(str(imagej.get("unit", "")).lower()), tiff.pages[0].tags
    if unit is None or "XResolution" not in tags or "YResolution" not in tags:
        return []
    fractions = [tags[name].value for name in ("YResolution", "XResolution")]
    edges = [below / above if above else 0.0 for above, below in fractions]
    return [float(edge) * unit for edge in [*([imagej["spacing"]] if "spacing" in imagej else []), *edges]]


def write_tiff(path: Path, array: NDArray[Any], edge_nm: float, notes: str, *, stack: bool = False) -> None:
    """Write a volume, or a stack of views, as ImageJ reads it.

    Parameters
    ----------
    path : Path
        The file.
    array : ndarray, shape (slices, rows, columns), uint8 or float32
        Labels, or numbers.
    edge_nm : float
        Edge of a voxel or pixel, nm.
    notes : str
        From `notes_text`; stands in ImageJ's Info.
    stack : bool
        Whether the slices are views, which lie at no distance of each other.
    """
    um = edge_nm / 1000
    metadata = {"axes": "ZYX", "unit": "um", "Info": notes, **({} if stack else {"spacing": um})}
    tifffile = library("tifffile", path)
    tifffile.imwrite(path, array, imagej=True, resolution=(1 / um, 1 / um), metadata=metadata)
