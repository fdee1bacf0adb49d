"""NeXus tomography in HDF5: NXtomo, the older layout of MISTRAL with `/NXtomo`, and its normalised series."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.formats.content import NM, library, readable
from sxtbench.formats.views import Views

_PROJECTION, _FLAT, _DARK, _INVALID = 0, 1, 2, 3  # of image_key
_EV = {"ev": 1.0, "kev": 1e3, "j": 1 / 1.602176634e-19}


def read_nxtomo(path: Path) -> Views:
    """Read the views of an HDF5 file, with flats, darks, angles, pixel size and energy as far as it has them.

    Raises
    ------
    InputError
        For a file that is no HDF5 or of no layout that is known.
    """
    h5py = library("h5py", path)
    with readable(path, "HDF5"), h5py.File(path, "r") as file:
        if "NXtomo/instrument/sample/data" in file:
            return _legacy(file["NXtomo"])
        if "TomoNormalized/TomoNormalized" in file:
            group = file["TomoNormalized"]
            return Views(
                frames=group["TomoNormalized"][...],
                angles_deg=_angles(group, ["rotation_angle"]),
                pixel_size_nm=_length(group, ["x_pixel_size"], default="um"),
                energy_ev=_energy(group, ["energy"]),
                values="transmission",
            )
        entries = [group for group in file.values() if "instrument/detector/data" in group]
        if len(entries) == 1:
            return _standard(entries[0], path)
        if entries:
            raise InputError(f"{path} holds {len(entries)} scans, {', '.join(e.name for e in entries)}; expected one")
        raise InputError(
            f"{path} is no tilt series: expected ENTRY/instrument/detector/data (NXtomo), "
            "NXtomo/instrument/sample/data or TomoNormalized/TomoNormalized"
        )


def _standard(entry: Any, path: Path) -> Views:
    detector = entry["instrument/detector"]
    frames = detector["data"][...]
    keys = np.zeros(len(frames), np.int64)
    if "image_key" in detector:
        keys = np.asarray(detector["image_key"][...], np.int64)
    if keys.shape != (len(frames),):
        raise InputError(f"{path}: {keys.size} image keys, expected {len(frames)}, one for each frame")
    if not np.isin(keys, [_PROJECTION, _FLAT, _DARK, _INVALID]).all():
        raise InputError(f"{path}: image keys are {np.unique(keys).tolist()}, expected 0 to 3")
    seen, flat, dark = (keys == kind for kind in (_PROJECTION, _FLAT, _DARK))
    if not seen.any():
        raise InputError(f"{path}: no frame has the image key 0 of a projection")
    angles = _angles(entry, ["sample/rotation_angle", "instrument/detector/rotation_angle"])
    if angles is not None and len(angles) == len(frames):
        angles = angles[seen]
    light = _numbers(entry, "control/data")
    light = light if light is not None and light.shape == (len(frames),) else None
    values = detector["data"].attrs.get("values")
    return Views(
        frames=frames[seen],
        angles_deg=angles,
        pixel_size_nm=_length(entry, ["sample/x_pixel_size", "instrument/detector/x_pixel_size"]),
        energy_ev=_energy(
            entry,
            ["instrument/beam/incident_energy", "beam/incident_energy", "instrument/monochromator/energy"],
        ),
        flats=frames[flat] if flat.any() else None,
        darks=frames[dark] if dark.any() else None,
        light=None if light is None else light[seen],
        flat_light=None if light is None else light[flat],
        values=_text(values) if values is not None else "counts" if flat.any() else None,
        photons=_text(detector["data"].attrs.get("units", "")) == "photons",
    )


def _legacy(group: Any) -> Views:
    instrument = group["instrument"]
    frames = instrument["sample/data"][...]
    flats = instrument["bright_field/data"][...] if "bright_field/data" in instrument else None
    flats = flats[None] if flats is not None and flats.ndim == 2 else flats
    darks = instrument["dark_field/data"][...] if "dark_field/data" in instrument else None
    return Views(
        frames=frames,
        angles_deg=_angles(group, ["sample/rotation_angle", "data/rotation_angle", "instrument/sample/rotation_angle"]),
        pixel_size_nm=_length(instrument, ["sample/x_pixel_size"], default="um"),
        energy_ev=_energy(instrument, ["source/energy", "monochromator/energy"]),
        flats=flats,
        darks=darks[None] if darks is not None and darks.ndim == 2 else darks,
        light=_beam(instrument["sample"], len(frames)),
        flat_light=None if flats is None else _beam(instrument["bright_field"], len(flats)),
        values="counts" if flats is not None else None,
    )


def _beam(group: Any, count: int) -> NDArray[np.float64] | None:
    """Return ring current times exposure time, where both are told of every frame."""
    current, time = _numbers(group, "current"), _numbers(group, "ExpTimes")
    if current is None or time is None or current.size != count or time.size != count:
        return None
    return current.ravel() * time.ravel()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _numbers(group: Any, name: str) -> NDArray[np.float64] | None:
    return np.asarray(group[name][...], np.float64) if name in group else None


def _angles(group: Any, places: Sequence[str]) -> NDArray[np.float64] | None:
    for place in places:
        found = _numbers(group, place)
        if found is not None:
            radians = _text(group[place].attrs.get("units", "degree")).lower().startswith("rad")
            return np.rad2deg(found.ravel()) if radians else found.ravel()
    return None


def _length(group: Any, places: Sequence[str], default: str = "") -> float | None:
    """Return a length in nm; None where there is none, or none with a unit."""
    for place in places:
        found = _numbers(group, place)
        if found is not None and found.size:
            unit = NM.get(_text(group[place].attrs.get("units", default)).lower())
            return None if unit is None else float(f"{float(found.ravel()[0]) * unit:.6g}")
    return None


def _energy(group: Any, places: Sequence[str]) -> float | None:
    for place in places:
        found = _numbers(group, place)
        if found is not None and found.size:
            unit = _EV.get(_text(group[place].attrs.get("units", "eV")).lower())
            return None if unit is None else float(f"{float(found.ravel()[0]) * unit:.9g}")
    return None


def write_nxtomo(
    path: Path,
    frames: NDArray[Any],
    angles_deg: NDArray[np.float64],
    *,
    pixel_size_nm: float,
    energy_ev: float,
    incident_photons: NDArray[np.float64] | None,
) -> None:
    """Write a tilt series as NXtomo.

    Parameters
    ----------
    path : Path
        The file.
    frames : ndarray, shape (n, z, u)
        Photons, uint32; or absorbance, float32, where the photons are not known.
    angles_deg : ndarray, shape (n,), float64, degrees
        Angles.
    pixel_size_nm, energy_ev : float
        Pixel in the object plane, nm; photon energy, eV.
    incident_photons : ndarray, shape (n,), float64, optional
        Open-beam photons a pixel of each view. One flat of their rounded mean is appended, and `control/data` has the
        exact number of each frame.
    """
    views = len(frames)
    keys, angles, stack = np.zeros(views, np.int64), angles_deg, frames
    if incident_photons is not None:
        mean = np.uint32(np.rint(np.mean(incident_photons)))
        stack = np.concatenate([frames, np.full((1, *frames.shape[1:]), mean, frames.dtype)])
        keys, angles = np.append(keys, _FLAT), np.append(angles_deg, 0.0)
    with library("h5py", path).File(path, "w", track_order=False) as file:
        entry = _group(file, "entry", "NXentry")
        entry["definition"] = "NXtomo"
        detector = _group(_group(entry, "instrument", "NXinstrument"), "detector", "NXdetector")
        chunk = (1, *stack.shape[1:])
        data = detector.create_dataset("data", data=stack, chunks=chunk, compression="gzip", compression_opts=1)
        data.attrs["units"] = "photons" if incident_photons is not None else "1"
        data.attrs["values"] = "counts" if incident_photons is not None else "absorbance"
        detector["image_key"] = keys
        for name in ("x_pixel_size", "y_pixel_size"):
            _with_unit(detector, name, pixel_size_nm / 1000, "um")
        beam = _group(entry["instrument"], "beam", "NXbeam")
        _with_unit(beam, "incident_energy", energy_ev, "eV")
        sample = _group(entry, "sample", "NXsample")
        _with_unit(sample, "rotation_angle", angles, "degree")
        if incident_photons is not None:
            control = _group(entry, "control", "NXmonitor")
            control["data"] = np.append(incident_photons, float(mean))
        linked = _group(entry, "data", "NXdata")
        linked["data"], linked["rotation_angle"] = data, sample["rotation_angle"]
        linked["image_key"] = detector["image_key"]
        linked.attrs["signal"] = "data"


def _group(parent: Any, name: str, kind: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _with_unit(group: Any, name: str, value: Any, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit
