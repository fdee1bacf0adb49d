"""NRRD label maps and segmentations of 3D Slicer."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sxtbench.errors import InputError
from sxtbench.formats.content import NM, Content, library, readable


def read_nrrd(path: Path) -> Content:
    """Read a label map, or a segmentation with the names of its segments."""
    nrrd = library("nrrd", path, package="pynrrd")
    with readable(path, "NRRD"):
        array, header = nrrd.read(str(path), index_order="C")  # Slicer's x, y, z, fastest first, is our z, y, x
    ids = sorted({int(found[1]) for key in header if (found := re.fullmatch(r"Segment(\d+)_(?:ID|Name)", key))})
    edges = _nrrdedges(header)
    if not ids:
        return Content(array, edges)
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
    return Content(array, edges, {names[n]: int(values[n]) for n in ids}, place)


def _nrrdedges(header: Mapping[str, Any]) -> list[float]:
    """Return the edges of a voxel (z, y, x) in nm, where the header gives them with a unit."""
    if "space directions" in header:
        rows = [np.asarray(row, np.float64) for row in header["space directions"]]
        edges = [float(np.linalg.norm(row)) for row in rows if np.isfinite(row).all()]
        units = list(header.get("space units", []))
    else:
        edges, units = [float(edge) for edge in header.get("spacings", [])], list(header.get("units", []))
    factors = [NM.get(str(unit).lower(), 0.0) for unit in units[-3:]]
    if len(factors) != 3 or len(edges) < 3:
        return []
    return [edge * factor for edge, factor in zip(edges[-3:], factors, strict=True)][::-1]
