"""Which reader is for which ending."""

from pathlib import Path

import numpy as np

from sxtbench.formats.amira import read_amira
from sxtbench.formats.content import Content, Reader, readable
from sxtbench.formats.mrc import read_mrc
from sxtbench.formats.nrrd import read_nrrd
from sxtbench.formats.ome_zarr import read_zarr, read_zarr_labels
from sxtbench.formats.tiff import read_tiff


def _read_npy(path: Path) -> Content:
    with readable(path, "npy"):
        return Content(np.load(path, allow_pickle=False))


STACKS: dict[str, Reader] = {
    **dict.fromkeys((".mrc", ".rec", ".map", ".st", ".ali"), read_mrc), ".tif": read_tiff, ".tiff": read_tiff,
    ".npy": _read_npy,
}  # fmt: skip
"""Of stacks, whatever their planes are."""

VOLUMES: dict[str, Reader] = {**STACKS, ".zarr": read_zarr, ".zip": read_zarr, ".am": read_amira}
LABELS: dict[str, Reader] = {
    **STACKS, ".nrrd": read_nrrd, ".am": read_amira, ".labels": read_amira, ".zarr": read_zarr_labels,
    ".zip": read_zarr_labels,
}  # fmt: skip
