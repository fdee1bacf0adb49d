"""Levels derived on load from what is stored of one specimen: fewer views, fewer photons, a narrower region."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sxtbench.acquisition.counts import thin_counts
from sxtbench.acquisition.laboratory import INCOHERENT, PARTIALLY_COHERENT
from sxtbench.acquisition.series import TiltSeries
from sxtbench.acquisition.tilt import select_range
from sxtbench.datasets.spec import Condition
from sxtbench.errors import InputError

Scans = dict[str, TiltSeries]

HIGH_EXPOSURE, MIRROR_IMAGES, COHERENT = "_high", "_360", f"_{PARTIALLY_COHERENT}"
"""Endings of the names of stored scans that stand in for the others at a level."""

FULL_DOSE = "paired"
"""The only series of a low-dose sample that keeps its dose."""


def derive(
    stored: Mapping[str, TiltSeries], condition: Condition, attributes: Mapping[str, Any], *, content_sha256: str
) -> Scans:
    """Return the tilt series of one condition, under the names that a method sees.

    Photons are thinned over a whole stored series before views are selected, so that levels share their draws.

    Parameters
    ----------
    stored : mapping of TiltSeries
        Everything that is stored of the specimen.
    condition : dict
        Level of each axis:
        `photons`: the share of the photons of `main` to keep, or 10 for the high exposure of a pair of scans;
        `dose`: the share of the photons of every series but `paired`, the full-dose tilts of a calibration specimen;
        `tilt_range_deg`: the range to keep;
        `full_views`, `anchors`: how many views of `full` to keep, evenly spread;
        `region`: width of the region over that of the field;
        `sampling_deg`: 180, or 360 with interlaced mirror images;
        `illumination`: `incoherent`, or `partially_coherent`.
    attributes : mapping
        Of the stored sample: `tilt_range_centre_deg` and `tilt_range_deg`, or `field_columns`.
    content_sha256 : str
        Content hash of the stored sample, from which the key of the thinning follows.

    Raises
    ------
    InputError
        For an axis that this version does not know.
    """
    for axis in condition:
        if axis not in _AXES:
            raise InputError(f"this version of sxtbench cannot derive the axis {axis!r}; it knows {', '.join(_AXES)}")
    series = dict(stored)
    for axis, change in _AXES.items():
        if axis in condition:
            series = change(series, condition[axis], {**attributes, "content_sha256": content_sha256})
    return {name: one for name, one in series.items() if not name.endswith((HIGH_EXPOSURE, MIRROR_IMAGES, COHERENT))}


def thinning_key(content_sha256: str, share: float) -> int:
    """Return the key of the thinning of one stored exposure to one share of its photons."""
    return int.from_bytes(hashlib.sha256(f"thinning {content_sha256} {share!r}".encode()).digest()[:8], "little")


def _photons(series: Scans, level: float, attributes: Mapping[str, Any]) -> Scans:
    if level == 1.0:
        return series
    if level > 1.0:
        return _standing_in(series, HIGH_EXPOSURE)
    main = series["main"]
    counts = thin_counts(main.counts, level, thinning_key(attributes["content_sha256"], level))
    return {"main": replace(main, counts=counts, incident_photons=main.incident_photons * level)}


def _dose(series: Scans, level: float, attributes: Mapping[str, Any]) -> Scans:
    """Thin all series but the full-dose tilts, which show another specimen and share no draws with this one."""
    content = attributes["content_sha256"]

    def thinned(name: str) -> TiltSeries:
        one = series[name]
        key = thinning_key(content if name == "main" else f"{content} {name}", level)
        return replace(one, counts=thin_counts(one.counts, level, key), incident_photons=one.incident_photons * level)

    return {name: one if name == FULL_DOSE else thinned(name) for name, one in series.items()}


def _sampling(series: Scans, level: float, attributes: Mapping[str, Any]) -> Scans:
    return series if level == 180.0 else _standing_in(series, MIRROR_IMAGES)


def _illumination(series: Scans, level: str, attributes: Mapping[str, Any]) -> Scans:
    return series if level == INCOHERENT else _standing_in(series, f"_{level}")


def _standing_in(series: Scans, ending: str) -> Scans:
    """Let the scans whose names have an ending take the place of those without."""
    return {**series, **{name.removesuffix(ending): one for name, one in series.items() if name.endswith(ending)}}


def _tilt_range(series: Scans, level: float, attributes: Mapping[str, Any]) -> Scans:
    main = series["main"]
    kept = select_range(
        main.angles_deg,
        offset_deg=attributes["tilt_range_centre_deg"],
        tilt_range_deg=level,
        full_range_deg=attributes["tilt_range_deg"],
    )
    return {"main": main.select(kept)}


def _full_views(series: Scans, level: float, attributes: Mapping[str, Any]) -> Scans:
    """Keep the views floor(k n / level) of n (PROTOCOL 4)."""
    kept = np.floor(np.arange(int(level)) * len(series["full"].angles_deg) / level).astype(np.int64)
    return {**series, "full": series["full"].select(kept)}


def _anchors(series: Scans, level: float, attributes: Mapping[str, Any]) -> Scans:
    """Keep the views round(k n / level) of n (PROTOCOL 4)."""
    kept = np.rint(np.arange(int(level)) * len(series["full"].angles_deg) / level).astype(np.int64)
    return {**series, "full": series["full"].select(kept)}


def _region(series: Scans, level: float, attributes: Mapping[str, Any]) -> Scans:
    """Crop the interior scan to the region's width: an even number of columns."""
    interior = series["interior"]
    have, wanted = interior.counts.shape[2], 2 * int(level * attributes["field_columns"] / 2)
    if wanted > have:
        raise InputError(f"the interior scan is {have} columns wide, too narrow for a region of {level:g} of the field")
    first = (have - wanted) // 2
    return {**series, "interior": replace(interior, counts=interior.counts[:, :, first : first + wanted])}


_AXES: dict[str, Callable[[Scans, Any, Mapping[str, Any]], Scans]] = {
    "illumination": _illumination,
    "photons": _photons,
    "dose": _dose,
    "sampling_deg": _sampling,
    "tilt_range_deg": _tilt_range,
    "full_views": _full_views,
    "anchors": _anchors,
    "region": _region,
}
"""What each axis does, in the order in which they are applied."""
