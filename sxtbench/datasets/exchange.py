"""Users' files in, samples out: what the verbs `import` and `export` do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.datasets.own import OwnSeries, lac_per_um
from sxtbench.errors import InputError
from sxtbench.files import require_writable
from sxtbench.formats.angles import checked_angles
from sxtbench.formats.content import cubic, file_axes
from sxtbench.formats.series import SERIES_ENDINGS, read_views, write_series
from sxtbench.formats.views import checked_energy, checked_size, normalised
from sxtbench.formats.volumes import read_content, write_volume

FORMATS = tuple(SERIES_ENDINGS)


def import_series(
    path: Path,
    *,
    angles: Path | None = None,
    flats: Path | None = None,
    darks: Path | None = None,
    values: str | None = None,
    tilt_axis: str = "vertical",
    pixel_size_nm: float | None = None,
    energy_ev: float | None = None,
    incident_photons: float | None = None,
) -> OwnSeries:
    """Read a user's tilt series as absorbance, its angles, sizes and energy checked.

    Parameters
    ----------
    path, angles, flats, darks, values, tilt_axis
        As for `read_views`.
    pixel_size_nm, energy_ev : float, optional
        They go before what the file says.
    incident_photons : float, optional
        Open-beam photons a pixel and view, where the file does not say.

    Returns
    -------
    OwnSeries

    Raises
    ------
    InputError
        As `read_views`, `normalised` and the checks.
    """
    if incident_photons is not None and not (np.isfinite(incident_photons) and incident_photons > 0):
        raise InputError(f"{path}: {incident_photons:g} incident photons, expected a positive number a pixel and view")
    views = read_views(path, angles=angles, flats=flats, darks=darks, values=values, tilt_axis=tilt_axis)
    assert views.angles_deg is not None
    checked = checked_angles(views.angles_deg, len(views.frames), str(angles or path))
    size = checked_size(pixel_size_nm if pixel_size_nm is not None else views.pixel_size_nm, str(path))
    energy = checked_energy(energy_ev if energy_ev is not None else views.energy_ev, str(path))
    found = normalised(views, str(path), incident_photons=incident_photons)
    photons = None
    if found.counts is not None and found.incident_photons is not None:
        photons = found.counts, found.incident_photons
    return OwnSeries(
        projections=found.projections,
        angles_deg=checked,
        pixel_size_nm=size,
        energy_ev=energy,
        photons=photons,
        name=str(path),
    )


def import_volume(
    path: Path, *, axes: str | None = None, voxel_size_nm: float | None = None, lac_unit: str | None = None
) -> tuple[NDArray[np.float32], float, str]:
    """Read a user's reconstruction as LAC in 1/um.

    Parameters
    ----------
    path : Path
        Any of the formats of `read_volume`.
    axes : str, optional
        What the file's slices, rows and columns run along.
    voxel_size_nm : float, optional
        Edge of a voxel, nm; goes before what the file says.
    lac_unit : str, optional
        As for `lac_per_um`.

    Returns
    -------
    volume : ndarray, shape (z, y, x), float32, 1/um
    voxel_size_nm : float, nm
    axes : str
        What the file's axes run along.
    """
    volume, content = read_content(path, axes)
    size = voxel_size_nm if voxel_size_nm is not None else cubic(content.edges_nm, path)
    if size is None:
        raise InputError(f"{path} does not say how large a voxel is: add --voxel-size NM")
    size = checked_size(size, str(path))
    if lac_unit is None and content.array.dtype.kind in "iu":
        raise InputError(f"{path} holds grey values of {content.array.dtype}, expected LAC; --lac-unit says that it is")
    return lac_per_um(volume, size, lac_unit, str(path)), size, file_axes(content, axes)


def require_together(series: OwnSeries, volume: NDArray[Any], voxel_size_nm: float, where: str) -> None:
    """Raise `InputError` unless a volume can be a reconstruction of a tilt series, voxel for pixel."""
    _, slices, columns = series.projections.shape
    nz, _, nx = volume.shape
    if (nz, nx) != (slices, columns) or abs(voxel_size_nm - series.pixel_size_nm) > 0.01 * series.pixel_size_nm:
        raise InputError(
            f"{where}: {volume.shape} voxels (z, y, x) of {voxel_size_nm:g} nm, expected ({slices}, any, {columns}) of "
            f"{series.pixel_size_nm:g} nm, those of the tilt series; import them apart, or see --axes"
        )


def export(
    folder: Path, form: str, *, series: Mapping[str, Any], volumes: Mapping[str, NDArray[Any]], voxel_size_nm: float
) -> list[Path]:
    """Write tilt series and volumes for other programs, a file each.

    Parameters
    ----------
    folder : Path
        Where `<name>.mrc` and so on go.
    form : str
        One of `FORMATS`. NXtomo is for tilt series only.
    series : mapping of TiltSeries or OwnSeries
        By name.
    volumes : mapping of ndarray, shape (z, y, x), uint8 or float32
        By name; LAC in 1/um, or labels.
    voxel_size_nm : float
        Edge of a voxel, nm.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        For another format, a volume as NXtomo, a folder that cannot be written.
    """
    if form not in FORMATS:
        raise InputError(f"--format is {form!r}, expected one of {', '.join(FORMATS)}")
    if form == "nxtomo" and volumes:
        raise InputError(
            f"NXtomo is for tilt series, and {next(iter(volumes))} is a volume: take mrc, tiff or ome-zarr"
        )
    require_writable(folder)
    written: list[Path] = []
    for name, one in series.items():
        photons = one.photons if isinstance(one, OwnSeries) else (one.counts, one.incident_photons)
        counts, incident = photons or (None, None)
        written += write_series(
            folder / f"{name}{SERIES_ENDINGS[form]}",
            np.asarray(one.projections),
            one.angles_deg,
            pixel_size_nm=one.pixel_size_nm,
            energy_ev=one.energy_ev,
            counts=counts,
            incident_photons=incident,
        )
    for name, volume in volumes.items():
        path = folder / f"{name}{SERIES_ENDINGS[form]}"
        write_volume(path, volume, voxel_size_nm)
        written.append(path)
    return written


def chosen_of(wanted: Sequence[str], offered: Sequence[str], where: str) -> list[str]:
    """Return what of a sample is wanted, in its order, or raise one line that says what there is."""
    for name in wanted:
        if name not in offered:
            raise InputError(f"{where} has no {name!r}, it has {', '.join(offered)}")
    return [name for name in offered if name in wanted]
