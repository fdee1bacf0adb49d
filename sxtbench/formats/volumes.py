"""Users' tomograms: read from any of the formats, written for other programs."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.files import atomic_folder, atomic_path
from sxtbench.formats.content import Content, axis_order, cubic, edges_zyx, existing, file_axes, notes_text, ordered
from sxtbench.formats.mrc import write_mrc
from sxtbench.formats.ome_zarr import write_zarr
from sxtbench.formats.readers import VOLUMES
from sxtbench.formats.tiff import write_tiff

_WRITTEN = (".mrc", ".rec", ".tif", ".tiff", ".zarr")


def read_volume(path: Path | str, *, axes: str | None = None) -> tuple[NDArray[np.float32], float | None]:
    """Read a tomogram.

    Parameters
    ----------
    path : path
        `.mrc`, `.rec`, `.map` or `.st` (MRC), `.tif` or `.tiff` (a stack), `.npy`, `.am` (AmiraMesh), `.zarr`, or
        `.zarr.zip` as `sxtbench import` makes it.
    axes : str, optional
        What the file's slices, rows and columns run along; what the file says, else `zyx`, where left out.

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
    volume, content = read_content(path, axes)
    return volume, cubic(content.edges_nm, Path(path))


def read_image(
    path: Path | str, *, axes: str | None = None
) -> tuple[NDArray[np.float32], tuple[float, float, float] | None]:
    """Read a volume whose voxels need not be cubes.

    Parameters and errors as of `read_volume`; of an OME-Zarr image the finest level is read.

    Returns
    -------
    volume : ndarray, shape (z, y, x), float32, the file's unit
    voxel_size_nm : tuple of three float, or None
        Edges of a voxel along (z, y, x), nm; None where the file does not say.
    """
    volume, content = read_content(path, axes)
    return volume, edges_zyx(content.edges_nm, file_axes(content, axes))


def read_content(path: Path | str, axes: str | None) -> tuple[NDArray[np.float32], Content]:
    """Read a volume, shape (z, y, x), float32, and what else the file holds."""
    path = existing(path, VOLUMES)
    content = VOLUMES[path.suffix.lower()](path)
    array = ordered(content.array, file_axes(content, axes), path)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {array.dtype}, expected a volume of real numbers")
    volume = np.ascontiguousarray(array, np.float32)
    for z, plane in enumerate(volume):
        if not np.isfinite(plane).all():
            raise InputError(f"{path} holds NaN or Inf in slice {z}, expected finite values")
    return volume, content


def require_volume_name(path: Path) -> None:
    """Raise `InputError` unless volumes can be written under such a name."""
    if path.suffix.lower() not in _WRITTEN:
        raise InputError(f"{path}: volumes are written to {', '.join(_WRITTEN)}, not to {path.suffix or 'no ending'!r}")


def write_volume(path: Path | str, volume: ArrayLike, voxel_size_nm: float, *, axes: str | None = None) -> None:
    """Write labels, or LAC, for other programs; the file is whole or not there.

    Parameters
    ----------
    path : path
        `.mrc` or `.rec`, `.tif` or `.tiff` (as ImageJ reads it), or `.zarr`: a folder, OME-Zarr 0.5.
    volume : ndarray, shape (z, y, x), uint8 or float32
        Labels; or numbers, such as LAC in 1/um.
    voxel_size_nm : float
        Edge of a voxel, nm.
    axes : str, optional
        What the file's slices, rows and columns shall run along. By default `yzx` in MRC (PROTOCOL 1.1: as IMOD keeps
        tomograms), else `zyx`; OME-Zarr always.

    Raises
    ------
    InputError
        For another ending or dtype, a file that cannot be written, a writer that is not installed.
    """
    path = Path(path)
    require_volume_name(path)
    array = np.asarray(volume)
    if array.ndim != 3 or not array.size or array.dtype not in (np.uint8, np.float32):
        raise InputError(f"{path}: {array.dtype} of shape {array.shape}, expected uint8 or float32 (z, y, x)")
    if not (voxel_size_nm > 0 and np.isfinite(voxel_size_nm)):
        raise InputError(f"{path}: voxel_size_nm is {voxel_size_nm}, expected a positive number of nm")
    ending = path.suffix.lower()
    try:
        if ending == ".zarr":
            with atomic_folder(path) as folder:
                write_zarr(folder, array, voxel_size_nm, name=path.stem)
            return
        axes = axes or ("yzx" if ending in (".mrc", ".rec") else "zyx")
        axis_order(axes)
        turned = np.ascontiguousarray(array.transpose(["zyx".index(axis) for axis in axes]))
        notes = notes_text(axes=axes, values="labels" if array.dtype == np.uint8 else "lac_per_um")
        with atomic_path(path) as temporary:
            (write_mrc if ending in (".mrc", ".rec") else write_tiff)(temporary, turned, float(voxel_size_nm), notes)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
