"""Levels derived on load from one stored exposure: fewer tilts, fewer photons."""

import hashlib
from dataclasses import replace

from sxtbench.acquisition.counts import thin_counts
from sxtbench.acquisition.series import TiltSeries
from sxtbench.acquisition.tilt import select_range
from sxtbench.datasets.spec import Condition
from sxtbench.errors import InputError


def thinning_key(content_sha256: str, share: float) -> int:
    """Return the key of the thinning of one stored exposure to one share of its photons."""
    return int.from_bytes(hashlib.sha256(f"thinning {content_sha256} {share!r}".encode()).digest()[:8], "little")


def derive(
    stored: TiltSeries, condition: Condition, *, offset_deg: float, full_range_deg: float, content_sha256: str
) -> TiltSeries:
    """Return the tilt series of one condition.

    Photons are thinned over the whole stored series before tilts are selected, so that levels share their draws.

    Parameters
    ----------
    stored : TiltSeries
        The whole stored exposure.
    condition : dict of float
        `photons`: the share of the photons to keep; `tilt_range_deg`: the range to keep, about `offset_deg`.
    offset_deg, full_range_deg : float, degrees
        Centre of the narrower ranges, and the range of the stored series.
    content_sha256 : str
        Content hash of the stored sample, from which the key of the thinning follows.
    """
    series = stored
    for axis, level in condition.items():
        if axis == "photons":
            if level != 1.0:
                key = thinning_key(content_sha256, level)
                series = replace(
                    series,
                    counts=thin_counts(series.counts, level, key),
                    incident_photons=series.incident_photons * level,
                )
        elif axis != "tilt_range_deg":
            raise InputError(
                f"this version of sxtbench cannot derive the axis {axis!r}; it knows photons, tilt_range_deg"
            )
    if "tilt_range_deg" in condition:
        kept = select_range(
            series.angles_deg,
            offset_deg=offset_deg,
            tilt_range_deg=condition["tilt_range_deg"],
            full_range_deg=full_range_deg,
        )
        series = series.select(kept)
    return series
