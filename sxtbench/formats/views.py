"""A tilt series as a file holds it, and what makes absorbance of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sxtbench.acquisition.counts import absorbance
from sxtbench.errors import InputError

VALUES = ("counts", "transmission", "absorbance")
"""What the pixels of a tilt series may hold."""

PIXEL_NM, ENERGY_EV = (1.0, 500.0), (100.0, 5000.0)
"""What is plausible for the object plane of a soft X-ray microscope, and for its photons."""

_ABSORBANCE = (-0.5, 12.0)  # of the median pixel
_TRANSMISSION = (1e-4, 1.5)
_MOST_BAD = 0.01  # share of pixels without a value that are filled in


@dataclass(frozen=True, kw_only=True, eq=False)
class Views:
    """What was read of a tilt series; None is what the file does not say.

    Parameters
    ----------
    frames : ndarray, shape (n, rows, columns)
        The views.
    angles_deg : ndarray, shape (n,), float64, degrees
        Of the views.
    pixel_size_nm : float, nm
        In the object plane.
    energy_ev : float, eV
        Of the photons.
    flats, darks : ndarray, shape (k, rows, columns)
        Open beam; no beam.
    light, flat_light : ndarray, shapes (n,) and (k,), float64
        What the source gave during each view and each flat, in one unit of any size (ring current times exposure time).
    values : str
        One of `VALUES`.
    photons : bool
        Whether counts are photons, not units of a camera.
    """

    frames: NDArray[Any]
    angles_deg: NDArray[np.float64] | None = None
    pixel_size_nm: float | None = None
    energy_ev: float | None = None
    flats: NDArray[Any] | None = None
    darks: NDArray[Any] | None = None
    light: NDArray[np.float64] | None = None
    flat_light: NDArray[np.float64] | None = None
    values: str | None = None
    photons: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Normalised:
    """Absorbance, and the photons where they are known.

    Parameters
    ----------
    projections : ndarray, shape (n, z, u), float32
        Absorbance.
    counts : ndarray, shape (n, z, u), uint32, or None
        Photons a pixel.
    incident_photons : ndarray, shape (n,), float64, or None
        Open-beam photons a pixel of each view.
    """

    projections: NDArray[np.float32]
    counts: NDArray[np.uint32] | None = None
    incident_photons: NDArray[np.float64] | None = None


def normalised(views: Views, where: str, *, incident_photons: float | None = None) -> Normalised:
    """Return the absorbance of a tilt series.

    Counts: `ln((flat - dark) * light / max(counts - dark, 0.5))`, flats and darks averaged, the light of each view over
    that of the flats. Transmission: its logarithm. Absorbance: as it is.

    Parameters
    ----------
    views : Views
        What was read.
    where : str
        Names the file in errors.
    incident_photons : float, optional
        Open-beam photons a pixel and view, where the file does not say: counts then follow from the absorbance.

    Raises
    ------
    InputError
        For frames of a wrong shape, with NaN or Inf, counts without flats, flats not above the darks, values that
        cannot be what they are said to be.
    """
    frames = views.frames
    if frames.ndim != 3 or not frames.size:
        raise InputError(f"{where} has shape {frames.shape}, expected three axes: views, rows, columns")
    if frames.dtype.kind not in "iuf":
        raise InputError(f"{where} holds {frames.dtype}, expected real numbers")
    for number, frame in enumerate(frames):
        if not np.isfinite(frame).all():
            raise InputError(f"{where} holds NaN or Inf in view {number}, expected finite values")
    if views.values is None:
        raise InputError(
            f"{where} does not say what its pixels hold: add --values {', '.join(VALUES[:-1])} or absorbance"
        )
    if views.values not in VALUES:
        raise InputError(f"{where}: values are {views.values!r}, expected one of {', '.join(VALUES)}")
    if views.values != "counts" and views.flats is not None:
        raise InputError(f"{where} comes with flats, but its pixels are said to hold {views.values}, expected counts")
    if views.values == "counts":
        found = _of_counts(views, where)
    else:
        found = Normalised(projections=_of_light(frames, views.values, where))
    if found.counts is None and incident_photons is not None:
        open_beam = np.full(len(frames), float(incident_photons))
        expected = np.clip(np.rint(incident_photons * np.exp(-found.projections)), 0, np.iinfo(np.uint32).max)
        return Normalised(projections=found.projections, counts=expected.astype(np.uint32), incident_photons=open_beam)
    return found


def _of_counts(views: Views, where: str) -> Normalised:
    frames = views.frames
    if views.flats is None:
        raise InputError(f"{where} holds counts without an open beam: add --flats, or --values if they are normalised")
    if frames.dtype.kind != "f" and frames.min() < 0:
        raise InputError(f"{where} holds negative counts, down to {frames.min()}, expected 16 bit without a sign")
    for name, other in (("flats", views.flats), ("darks", views.darks)):
        if other is not None and (other.ndim != 3 or not len(other) or other.shape[1:] != frames.shape[1:]):
            raise InputError(
                f"{where}: {name} have shape {other.shape}, expected (any, {frames.shape[1]}, {frames.shape[2]})"
            )
    light, flat_light = _light(views, where)
    flats = np.asarray(views.flats, np.float64) / flat_light[:, None, None]
    if views.photons and views.darks is None and np.ptp(flats) == 0:
        incident = flats[0, 0, 0] * light
        counts = frames.astype(np.uint32)
        return Normalised(projections=absorbance(counts, incident), counts=counts, incident_photons=incident)
    dark = np.zeros(frames.shape[1:]) if views.darks is None else np.mean(views.darks, axis=0, dtype=np.float64)
    beam = np.mean(np.asarray(views.flats) - dark, axis=0, dtype=np.float64) / float(np.mean(flat_light))
    dead: NDArray[np.bool_] = np.asarray(beam <= 0)
    if np.mean(dead) > _MOST_BAD:
        raise InputError(f"{where}: the flats are not above the darks in {100 * np.mean(dead):.3g} % of the pixels")
    projections = np.empty(frames.shape, np.float32)
    safe = np.where(dead, 1.0, beam)
    nearest = ndimage.distance_transform_edt(dead, return_distances=False, return_indices=True) if dead.any() else None
    for i, frame in enumerate(frames):
        seen = np.log(safe * light[i] / np.maximum(frame - dark, 0.5))
        projections[i] = seen if nearest is None else seen[tuple(nearest)]
    _require_plausible(projections, "absorbance", where)
    return Normalised(projections=projections)


def _light(views: Views, where: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the source gave in each view and each flat; ones unless both are known."""
    assert views.flats is not None
    if views.light is None or views.flat_light is None:
        return np.ones(len(views.frames)), np.ones(len(views.flats))
    for what, light in (("view", views.light), ("flat", views.flat_light)):
        if not (np.isfinite(light).all() and (light > 0).all()):
            raise InputError(
                f"{where}: the light of a {what} is not positive, expected ring current times exposure time"
            )
    return views.light, views.flat_light


def _of_light(frames: NDArray[Any], values: str, where: str) -> NDArray[np.float32]:
    numbers = np.asarray(frames, np.float32)
    _require_plausible(numbers, values, where)
    if values == "absorbance":
        return np.ascontiguousarray(numbers)
    dark = numbers <= 0
    if np.mean(dark) > _MOST_BAD:
        raise InputError(f"{where}: transmission is not positive in {100 * np.mean(dark):.3g} % of the pixels")
    least = numbers[~dark].min()
    return np.asarray(-np.log(np.maximum(numbers, least)), np.float32)


def _require_plausible(numbers: NDArray[np.float32], values: str, where: str) -> None:
    low, high = _ABSORBANCE if values == "absorbance" else _TRANSMISSION
    median = float(np.median(numbers))
    if not low <= median <= high or (values == "transmission" and np.ptp(numbers) == 0):
        raise InputError(
            f"{where}: the median {values} is {median:.4g}, expected {low:g} to {high:g}; is it something else?"
        )


def checked_size(pixel_size_nm: float | None, where: str) -> float:
    """Return a size that a pixel of a soft X-ray microscope can have, or raise one line."""
    if pixel_size_nm is None or not np.isfinite(pixel_size_nm) or pixel_size_nm <= 0:
        raise InputError(f"{where} does not say how large a pixel is: add --pixel-size NM, in the object plane")
    if not PIXEL_NM[0] <= pixel_size_nm <= PIXEL_NM[1]:
        raise InputError(
            f"{where}: pixels of {pixel_size_nm:g} nm, expected {PIXEL_NM[0]:g} to {PIXEL_NM[1]:g} nm in the object "
            "plane: add --pixel-size NM"
        )
    return float(pixel_size_nm)


def checked_energy(energy_ev: float | None, where: str) -> float:
    """Return an energy that soft X-rays can have, or raise one line."""
    if energy_ev is None or not np.isfinite(energy_ev) or energy_ev <= 0:
        raise InputError(f"{where} does not say the photon energy: add --energy EV, such as 510")
    if not ENERGY_EV[0] <= energy_ev <= ENERGY_EV[1]:
        raise InputError(
            f"{where}: photons of {energy_ev:g} eV, expected {ENERGY_EV[0]:g} to {ENERGY_EV[1]:g} eV: add --energy EV"
        )
    return float(energy_ev)
