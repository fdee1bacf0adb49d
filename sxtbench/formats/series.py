"""Users' tilt series: read from any of the formats, written for other programs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.files import atomic_folder, atomic_path
from sxtbench.formats.angles import angles_beside, read_angles, write_angles
from sxtbench.formats.content import cubic, existing, notes_text
from sxtbench.formats.mrc import write_mrc
from sxtbench.formats.nxtomo import read_nxtomo, write_nxtomo
from sxtbench.formats.ome_zarr import read_zarr_series, write_zarr
from sxtbench.formats.readers import STACKS
from sxtbench.formats.tiff import write_tiff
from sxtbench.formats.txrm import read_txrm
from sxtbench.formats.views import Views

TILT_AXES = ("vertical", "horizontal")
"""How the tilt axis may lie in the images: along their columns of pixels, or along their rows."""


def _read_stack(path: Path) -> Views:
    content = STACKS[path.suffix.lower()](path)
    edges = content.edges_nm[-2:]
    energy = content.notes.get("energy_ev")
    return Views(
        frames=content.array,
        pixel_size_nm=cubic(edges, path) if len(edges) == 2 else None,
        energy_ev=None if energy is None else float(energy),
        values=content.notes.get("values") or ("counts" if content.array.dtype.kind in "iu" else None),
    )


def _read_zarr(path: Path) -> Views:
    frames, pixel_size_nm, series = read_zarr_series(path)
    return Views(
        frames=frames,
        angles_deg=np.asarray(series["angles_deg"], np.float64),
        pixel_size_nm=pixel_size_nm,
        energy_ev=series.get("energy_ev"),
        values=series.get("values"),
    )


_READERS: dict[str, Callable[[Path], Views]] = {
    **dict.fromkeys(STACKS, _read_stack),
    **dict.fromkeys((".h5", ".hdf5", ".hdf", ".nxs", ".nx"), read_nxtomo),
    **dict.fromkeys((".txrm", ".xrm"), read_txrm),
    ".zarr": _read_zarr,
}


def read_views(
    path: Path | str,
    *,
    angles: Path | None = None,
    flats: Path | None = None,
    darks: Path | None = None,
    values: str | None = None,
    tilt_axis: str = "vertical",
) -> Views:
    """Read a tilt series with all that belongs to it.

    Parameters
    ----------
    path : path
        MRC, TIFF or npy stack; `.h5`, `.hdf5`, `.hdf`, `.nxs` (NXtomo, MISTRAL), `.txrm` or `.xrm`, or a `.zarr` folder
        that sxtbench wrote.
    angles : Path, optional
        A file of angles, which goes before what the series says. Left out, a `.rawtlt` or `.tlt` beside a stack is
        taken.
    flats, darks : Path, optional
        Images of the open beam and without a beam, of any of the formats; they go before those in the file.
    values : str, optional
        One of `views.VALUES`; goes before what the file says.
    tilt_axis : str
        One of `TILT_AXES`. Images with a horizontal axis are transposed: rows become columns.

    Returns
    -------
    Views
        Angles are there; what else is not known is None.

    Raises
    ------
    InputError
        For a file that is missing, of another format or broken, and angles that are nowhere.
    """
    if tilt_axis not in TILT_AXES:
        raise InputError(f"the tilt axis is {tilt_axis!r}, expected one of {', '.join(TILT_AXES)}")
    path = existing(path, _READERS)
    views = _READERS[path.suffix.lower()](path)
    place = angles or (angles_beside(path) if views.angles_deg is None else None)
    if place is not None:
        views = replace(views, angles_deg=read_angles(place))
    if views.angles_deg is None:
        raise InputError(
            f"{path} has no tilt angles, and no {path.stem}.rawtlt or .tlt lies beside it: add --angles FILE; a "
            "reconstruction goes with --volume"
        )
    if flats is not None:
        views = replace(views, flats=_frames(flats), flat_light=None, values="counts")
    if darks is not None:
        views = replace(views, darks=_frames(darks))
    if values is not None:
        views = replace(views, values=values, flats=views.flats if values == "counts" or flats else None)
    if tilt_axis == "horizontal":
        flats_turned, darks_turned = _turned(views.flats), _turned(views.darks)
        frames = views.frames if views.frames.ndim != 3 else views.frames.swapaxes(1, 2)
        views = replace(views, frames=frames, flats=flats_turned, darks=darks_turned)
    return views


def _turned(images: NDArray[Any] | None) -> NDArray[Any] | None:
    return images if images is None or images.ndim != 3 else images.swapaxes(1, 2)


def _frames(path: Path) -> NDArray[Any]:
    """Return the images of a file, shape (k, rows, columns); one image is a stack of one."""
    path = existing(path, _READERS)
    frames = _READERS[path.suffix.lower()](path).frames
    return frames[None] if frames.ndim == 2 else frames


SERIES_ENDINGS = {"mrc": ".mrc", "tiff": ".tif", "nxtomo": ".nxs", "ome-zarr": ".ome.zarr"}
"""The formats that tilt series and volumes are written in."""


def write_series(
    path: Path,
    projections: NDArray[np.float32],
    angles_deg: NDArray[np.float64],
    *,
    pixel_size_nm: float,
    energy_ev: float,
    counts: NDArray[np.uint32] | None = None,
    incident_photons: NDArray[np.float64] | None = None,
) -> list[Path]:
    """Write a tilt series in the format of the ending; every file is whole or not there.

    Absorbance goes into MRC, TIFF (each with the angles in a `.rawtlt` beside it) and OME-Zarr; into NXtomo the
    photons, with a flat, where they are known.

    Parameters
    ----------
    path : Path
        `.mrc` or `.st`, `.tif` or `.tiff`, `.nxs` or `.h5`, or `.zarr`.
    projections : ndarray, shape (n, z, u), float32
        Absorbance. Rows run along the tilt axis.
    angles_deg : ndarray, shape (n,), float64, degrees
        Angles, `u = x cos + y sin` (PROTOCOL 1.1): IMOD's sense where depth is its Z.
    pixel_size_nm, energy_ev : float
        Pixel in the object plane, nm; photon energy, eV.
    counts, incident_photons : ndarray, shapes (n, z, u), uint32, and (n,), float64, optional
        Photons.

    Returns
    -------
    list of Path
        What was written.
    """
    ending = path.suffix.lower()
    notes = notes_text(values="absorbance", energy_ev=energy_ev)
    try:
        if ending == ".zarr":
            series = {"angles_deg": angles_deg.tolist(), "energy_ev": energy_ev, "values": "absorbance"}
            with atomic_folder(path) as folder:
                write_zarr(folder, projections, pixel_size_nm, name=path.name.split(".")[0], series=series)
            return [path]
        with atomic_path(path) as temporary:
            if ending in (".nxs", ".h5"):
                known = counts is not None and incident_photons is not None
                write_nxtomo(
                    temporary,
                    counts if known and counts is not None else projections,
                    angles_deg,
                    pixel_size_nm=pixel_size_nm,
                    energy_ev=energy_ev,
                    incident_photons=incident_photons if known else None,
                )
                return [path]
            write = {".mrc": write_mrc, ".st": write_mrc, ".tif": write_tiff, ".tiff": write_tiff}.get(ending)
            if write is None:
                raise InputError(f"{path}: tilt series are written to .mrc, .st, .tif, .nxs, .h5 or .zarr")
            write(temporary, projections, pixel_size_nm, notes, stack=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    write_angles(path.with_suffix(".rawtlt"), angles_deg)
    return [path, path.with_suffix(".rawtlt")]
