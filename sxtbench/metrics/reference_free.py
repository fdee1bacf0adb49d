"""Numbers of a tilt series that need no truth: do two halves of the tilts agree, are tilts foretold that were left out.

They tell of the data with one pinned reconstruction. docs/assess.md says how far they follow the true score, and where
they mislead.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics.consistency import data_consistency
from sxtbench.metrics.contrast import cnr
from sxtbench.metrics.interior import slice_frc
from sxtbench.metrics.regions import cylinder
from sxtbench.metrics.resolution import CorrelationCurve
from sxtbench.metrics.shells import measured_range
from sxtbench.metrics.volume import mean_correlation
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import cgne, fbp
from sxtbench.reconstruction.extended import extended_shape, placed

FILTER = "hamming"
"""Of the filtered backprojection of half sets, noise and LAC."""

ITERATIONS = 10
"""Of the conjugate gradients that foretell tilts."""

HELD_EVERY = 5
"""One tilt in so many is left out and foretold from the others; never the first or the last."""

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

HISTOGRAM_EDGES = np.linspace(-0.5, 1.5, 101)
"""Of the LAC, 1/um; what lies beyond counts in the bins at the ends."""

ROWS = 16
"""A series is looked at in so many of its rows at most, evenly spaced: rows of the pure projector are independent."""

_FEWEST_VIEWS = 6
_FULL_DEG = 180.0

Solve = Callable[[NDArray[np.float32], ParallelGeometry], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Assessment:
    """What is known of data without a truth.

    Parameters
    ----------
    values : dict of float
        By the name of `sxtbench.benchmark.assess.NUMBERS`; what cannot be told is left out, NaN where it has no value.
    curve : CorrelationCurve or None
        Of the half sets.
    histogram : ndarray, shape (100,), float64
        Share of the voxels in each bin of `HISTOGRAM_EDGES`.
    """

    values: dict[str, float]
    curve: CorrelationCurve | None
    histogram: NDArray[np.float64]


def assess_series(
    projections: NDArray[np.float32],
    geometry: ParallelGeometry,
    photons: tuple[NDArray[np.uint32], NDArray[np.float64]] | None = None,
    *,
    report: Callable[[str], None] = lambda step: None,
) -> Assessment:
    """Measure a tilt series in at most `ROWS` of its rows.

    Parameters
    ----------
    projections : ndarray, shape (n_angles, z, u), float32, absorbance
        An aligned tilt series.
    geometry : ParallelGeometry
        Where its views were taken.
    photons : tuple of (ndarray, shape (n_angles, z, u), uint32; ndarray, shape (n_angles,), float64), optional
        Counts, and open-beam photons per pixel of each view; chi-square and dose need them.
    report : callable
        Called with the name of each step.

    Returns
    -------
    Assessment

    Raises
    ------
    InputError
        For fewer than 6 views or views that are too narrow.
    """
    if len(projections) < _FEWEST_VIEWS:
        raise InputError(f"{len(projections)} views, expected at least {_FEWEST_VIEWS} to leave some out")
    values = acquisition_of(geometry, photons)
    rows = spread_rows(geometry.slices)
    views, here = projections[:, rows], replace(geometry, slices=len(rows), slice_offset_px=0.0)
    counted = None if photons is None else (photons[0][:, rows], photons[1])
    report("half sets of tilts")
    curve, noise = half_sets(views, here, pinned_fbp)
    values |= {
        "frc_seventh_nm": _or_nan(curve.resolution_nm(1 / 7)),
        "frc_mean": mean_correlation(curve),
        "noise_per_um": noise,
    }
    report("tilts foretold from the others")
    values |= held_out(views, here, pinned_cgne, counted)
    report("LAC")
    lac, histogram = lac_distribution(pinned_fbp(views, here))
    return Assessment(values={**values, **lac}, curve=curve, histogram=histogram)


def assess_volume(volume: NDArray[np.float32], voxel_size_nm: float) -> Assessment:
    """Measure a reconstruction whose tilts are not there: its LAC only.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32, 1/um
        A reconstruction.
    voxel_size_nm : float
        Edge of a voxel, nm.
    """
    lac, histogram = lac_distribution(volume)
    width = volume.shape[2] * voxel_size_nm / 1000
    return Assessment(
        values={"pixel_size_nm": voxel_size_nm, "field_um": width, **lac}, curve=None, histogram=histogram
    )


def acquisition_of(
    geometry: ParallelGeometry, photons: tuple[NDArray[np.uint32], NDArray[np.float64]] | None = None
) -> dict[str, float]:
    """Return the number of views, their range, the pixel, the field and, where known, the photons.

    Examples
    --------
    >>> geometry = ParallelGeometry(angles_deg=range(-50, 51, 2), columns=64, slices=1, pixel_size_nm=90)
    >>> acquisition_of(geometry)
    {'views': 51.0, 'tilt_range_deg': 100.0, 'pixel_size_nm': 90.0, 'field_um': 5.76}
    """
    angles = np.asarray(geometry.angles_deg)
    size = float(geometry.pixel_size_nm)
    values = {
        "views": float(len(angles)),
        "tilt_range_deg": measured_range(angles)[1],
        "pixel_size_nm": size,
        "field_um": geometry.columns * size / 1000,
    }
    if photons is not None:
        counts, incident = photons
        values |= {
            "detected_per_pixel": float(counts.mean(dtype=np.float64)),
            "incident_per_pixel": float(np.mean(incident)),
            "incident_per_um2": float(np.sum(incident)) / (size / 1000) ** 2,
        }
    return values


def half_sets(
    projections: NDArray[np.float32], geometry: ParallelGeometry, solve: Solve
) -> tuple[CorrelationCurve, float]:
    """Reconstruct every second tilt and the others, and compare.

    Parameters
    ----------
    projections : ndarray, shape (n_angles, z, u), float32, absorbance
        A tilt series.
    geometry : ParallelGeometry
        Its geometry.
    solve : callable
        `(projections, geometry)` to a volume (z, y, x), float32, 1/um; it may be wider and deeper than the field, by
        even numbers of voxels, about the same centre.

    Returns
    -------
    curve : CorrelationCurve
        Ring correlation in the square inside the inscribed cylinder, summed over z-slices (`slice_frc`). 1/7 is the
        threshold of half sets.
    noise : float, 1/um
        Half the standard deviation of their difference in that cylinder: the noise of the whole series, where the two
        are independent; streaks of the coarser sampling are in it.

    References
    ----------
    van Heel and Schatz (2005), doi 10.1016/j.jsb.2005.05.009; Rosenthal and Henderson (2003), doi
    10.1016/j.jmb.2003.07.013 (1/7).
    """
    order = np.argsort(geometry.angles_deg, kind="stable")
    field = geometry.slices, geometry.columns, geometry.columns
    first, second = (placed(solve(*_views(projections, geometry, order[begin::2])), field) for begin in (0, 1))
    inside = cylinder(field)
    curve = slice_frc(first, second, inside, voxel_size_nm=geometry.pixel_size_nm)
    return curve, float(np.std((first - second)[inside], dtype=np.float64)) / 2


def held_out(
    projections: NDArray[np.float32],
    geometry: ParallelGeometry,
    solve: Solve,
    photons: tuple[NDArray[np.uint32], NDArray[np.float64]] | None = None,
) -> dict[str, float]:
    """Reconstruct without every fifth tilt and compare its projection there with what was measured.

    Parameters
    ----------
    projections, geometry, solve
        As for `half_sets`.
    photons : tuple of ndarray, optional
        As for `assess_series`.

    Returns
    -------
    dict of float
        `held_out_rms`: root mean square of the residual, absorbance; with photons `held_out_chi2`: the reprojection
        chi-square of the tilts that were left out. It is above 1 even for a perfect aligned series: the noise of the
        reconstruction and what no other tilt has seen add to the noise of the tilt.
    """
    order = np.argsort(geometry.angles_deg, kind="stable")
    out = order[HELD_EVERY // 2 : -1 : HELD_EVERY]
    kept = np.setdiff1d(order, out)
    volume = solve(*_views(projections, geometry, kept))
    measured, there = _views(projections, geometry, out)
    foretold = ParallelBeam(there, (volume.shape[0], volume.shape[1], volume.shape[2]))(volume)
    values = {"held_out_rms": float(np.sqrt(np.mean(np.square(foretold - measured), dtype=np.float64)))}
    if photons is not None:
        counts, incident = photons
        values["held_out_chi2"] = data_consistency(counts[out], incident[out], foretold)
    return values


def lac_distribution(volume: NDArray[np.float32]) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Return percentiles of the LAC in the inscribed cylinder, and the share of its voxels in each bin.

    Examples
    --------
    >>> values, histogram = lac_distribution(np.full((2, 8, 8), 0.25, np.float32))
    >>> values["lac_p50"], float(histogram.max())
    (0.25, 1.0)
    """
    inside = volume[cylinder((volume.shape[0], volume.shape[1], volume.shape[2]))]
    found = np.percentile(inside, PERCENTILES)
    kept = np.clip(inside, HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1])
    shares = np.histogram(kept, HISTOGRAM_EDGES)[0] / inside.size
    return {f"lac_p{p:02d}": float(v) for p, v in zip(PERCENTILES, found, strict=True)}, shares


def contrast_of(volume: NDArray[np.float32], first: ArrayLike, second: ArrayLike) -> float:
    """Contrast-to-noise ratio between two regions, the specimen's own texture counted as noise.

    `metrics.cnr` takes the deviation of answer less truth; without a truth it is that of the answer.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32, 1/um
        A reconstruction.
    first, second : ndarray, shape (z, y, x), bool
        Regions.

    Raises
    ------
    InputError
        For a region of another shape, an empty one, or two that overlap.

    Examples
    --------
    >>> values = np.array([[[0.1, 0.3, 0.5, 0.7]]], np.float32)
    >>> round(contrast_of(values, values < 0.4, values > 0.4), 6)
    4.0
    """
    a, b = np.asarray(first, np.bool_), np.asarray(second, np.bool_)
    for name, mask in (("first", a), ("second", b)):
        if mask.shape != volume.shape:
            raise InputError(f"the {name} mask has shape {mask.shape}, expected {volume.shape}, that of the volume")
        if not mask.any():
            raise InputError(f"the {name} mask is empty")
    if (a & b).any():
        raise InputError(f"the masks share {int((a & b).sum())} voxels, expected two regions apart")
    return cnr(volume, np.broadcast_to(np.float32(0), volume.shape), a, b)


def pinned_fbp(projections: NDArray[np.float32], geometry: ParallelGeometry) -> NDArray[np.float32]:
    """Return the filtered backprojection on the field, `FILTER`."""
    return fbp(projections, geometry, filter=FILTER)


def pinned_cgne(projections: NDArray[np.float32], geometry: ParallelGeometry) -> NDArray[np.float32]:
    """Return `ITERATIONS` of conjugate gradients, on a wider grid for a limited range: matter lies beside the field."""
    return np.asarray(cgne(ParallelBeam(geometry, grid_of(geometry)), projections, iterations=ITERATIONS), np.float32)


def grid_of(geometry: ParallelGeometry) -> tuple[int, int, int]:
    """Return the voxels (z, y, x) to solve on: the field after a full rotation, else that of PROTOCOL 1.10."""
    shape = geometry.slices, geometry.columns, geometry.columns
    if measured_range(np.asarray(geometry.angles_deg))[1] >= _FULL_DEG:
        return shape
    return extended_shape(shape, geometry.pixel_size_nm)


def spread_rows(slices: int) -> NDArray[np.int64]:
    """Return at most `ROWS` rows, evenly spaced.

    >>> spread_rows(3).tolist(), len(spread_rows(500))
    ([0, 1, 2], 16)
    """
    count = min(slices, ROWS)
    return np.asarray((np.arange(count) + 0.5) * slices / count, np.int64)


def summary_of(values: Mapping[str, float], digits: int = 4) -> dict[str, float | None]:
    """Return values rounded to significant digits, None for NaN, as JSON has them."""
    return {name: float(f"{value:.{digits}g}") if math.isfinite(value) else None for name, value in values.items()}


def _views(
    projections: NDArray[np.float32], geometry: ParallelGeometry, chosen: NDArray[np.integer]
) -> tuple[NDArray[np.float32], ParallelGeometry]:
    fewer = replace(
        geometry,
        angles_deg=np.asarray(geometry.angles_deg)[chosen],
        column_offset_px=np.asarray(geometry.column_offset_px)[chosen],
        slice_offset_px=np.asarray(geometry.slice_offset_px)[chosen],
    )
    return np.ascontiguousarray(projections[chosen]), fewer


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
