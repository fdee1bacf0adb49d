"""Figure 3: what the depth of field costs a full and an interior scan, and what full views give back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from sxtbench.operators import Stack
from sxtbench.randomness import stage_key
from sxtbench.studies.figures import COLOURS, new_figure, show_slice
from sxtbench.studies.flat_field import counted
from sxtbench.studies.phantom import PhantomSource
from sxtbench.studies.published import published_table
from sxtbench.studies.reading import (
    AnnularErrors,
    RingCorrelation,
    annular_errors,
    crossing_nm,
    ring_correlation,
)
from sxtbench.studies.scans import WINDOW_NM, Bench, make_bench, paper_lens
from sxtbench.studies.stopping import Best, best_cgne
from sxtbench.studies.study import Check, Findings, Report, Size, fluence_text, markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES: Mapping[str, Size] = {
    "fast": {
        "radius_um": 8.0,
        "slices": 6,
        "voxel_size_nm": 40.0,
        "region_um": 6.0,
        "views": 125,
        "photons": 160000.0,
        "iterations": 30,
    },
    "default": {
        "radius_um": 8.0,
        "slices": 6,
        "voxel_size_nm": 20.0,
        "region_um": 6.0,
        "views": 249,
        "photons": 20040.0,
        "iterations": 60,
    },
    "paper": {
        "radius_um": 8.0,
        "slices": 160,
        "voxel_size_nm": 20.0,
        "region_um": 6.0,
        "views": 499,
        "photons": 10000.0,
        "iterations": 500,
    },
}
"""Fewer views than the paper's 499 come with as many photons in all."""

DISAGREEMENTS = (4, 5, 8, 9, 10)

SCANS = {
    "35m": "full, 35 nm, infinite depth of field",
    "35": "full, 35 nm",
    "60": "full, 60 nm",
    "interior": "interior, 35 nm",
    "combined": "full, 60 nm + interior, 35 nm",
}
_PUBLISHED = {"35m": "35m", "35": "35", "60": "60", "interior": "int", "combined": "mv"}
_THRESHOLD = 1 / 7
_READINGS = {
    "seventh_nm": ("smooth", "_s", _THRESHOLD),
    "seventh_raw_nm": ("raw", "", _THRESHOLD),
    "half_nm": ("smooth", "_s", 0.5),
}
_GREY = (0.1, 0.42)
_SMOOTHING_NM = 60.0
_CENTRE_UM = 2.1  # three of the paper's rings
_CROSSING_UM = 6.5  # diameter at which the paper's lenses change places
_WIDE_UM = 12.0  # a narrower specimen has no place where they do
_RESOLVING_NM = 25.0
"""With voxels coarser than this the 35 nm lens's resolution cannot be read: Nyquist is at 50 nm."""


def run(size: Size, *, source: PhantomSource, seed: int, report: Report) -> Findings:
    """Do the study.

    Parameters
    ----------
    size : mapping
        One of `SIZES`.
    source : PhantomSource
        Where the cell comes from.
    seed : int
        Of the photon noise.
    report : callable
        Told what is going on.

    Returns
    -------
    Findings
    """
    report("phantom")
    bench = make_bench(
        source.cylinder,
        radius_um=size["radius_um"],
        slices=size["slices"],
        voxel_size_nm=size["voxel_size_nm"],
        region_um=size["region_um"],
    )
    found = _reconstruct(bench, size, seed, report)
    volumes = {name: best.volume for name, best in found.items()}
    n = bench.truth.shape[2]
    errors = annular_errors(volumes, bench.truth, radius_px=(n - 1) / 2)
    voxel = bench.voxel_size_nm
    rings = {
        name: ring_correlation(volume, bench.truth, width_px=bench.region_px, pixel_size_nm=voxel)
        for name, volume in volumes.items()
    }
    by_radius, correlation = _radius_table(errors, voxel), _correlation_table(rings)
    scans = _scan_table(rings, found)
    return Findings(
        text=_text(bench, size, by_radius, scans),
        tables={"psnr_by_radius": by_radius, "ring_correlation": correlation, "scans": scans},
        figures={"curves": _curves(by_radius, rings, bench), "slices": _slices(bench, found)},
        checks=(*published_checks(), *_checks(errors, rings, bench)),
        fluence=fluence_text(size["photons"], voxel, size["views"]),
        captions=_CAPTIONS,
    )


def published_checks() -> tuple[Check, ...]:
    """Return the exact checks: the paper's resolutions from its own table, and its lenses' numbers."""
    table = published_table("frc")
    checks = []
    for column, paper, words in (("frc_60_s", 79.67, "60 nm"), ("frc_35_s", 61.85, "35 nm")):
        value = crossing_nm(table.freq, table[column], _THRESHOLD, 20.0) or float("nan")
        checks.append(
            Check(
                f"resolution of the paper's full {words} scan, from its table, nm",
                value,
                f"{paper} to 0.1",
                abs(value - paper) <= 0.1,
                "exact",
                f"{paper}",
            )
        )
    for width, rayleigh, depth in ((35, 45.43, 2312.4), (60, 77.87, 6795.6)):
        lens = paper_lens(width)
        checks.append(
            Check(
                f"Rayleigh's resolution of the {width} nm lens, nm",
                lens.rayleigh_nm,
                f"{rayleigh} to 0.01",
                abs(lens.rayleigh_nm - rayleigh) <= 0.01,
                "exact",
            )
        )
        checks.append(
            Check(
                f"depth of field of the {width} nm lens, nm",
                lens.depth_of_field_nm,
                f"{depth} to 0.1",
                abs(lens.depth_of_field_nm - depth) <= 0.1,
                "exact",
            )
        )
    return tuple(checks)


def _reconstruct(bench: Bench, size: Size, seed: int, report: Report) -> dict[str, Best]:
    views, photons = int(size["views"]), float(size["photons"])
    light = bench.light(views)
    data: dict[str, NDArray[np.float32]] = {}
    for i, (name, width) in enumerate((("35m", 35), ("35", 35), ("60", 60))):
        report(f"projections: {SCANS[name]}")
        seen = bench.image(views, width, infinite_depth_of_field=name == "35m")
        data[name] = counted(seen, photons * light, stage_key(seed, "study", i, "counts"))
    region = bench.region
    full, interior = bench.operator(views), bench.operator(views, interior=True)
    cut = bench.interior(data["35"])
    problems = {
        "35m": (full, data["35m"]),
        "35": (full, data["35"]),
        "60": (full, data["60"]),
        "interior": (interior, cut),
        "combined": (Stack([full, interior]), [data["60"], cut]),
    }
    found = {}
    for name, (A, y) in problems.items():
        found[name] = best_cgne(
            A,
            y,
            bench.truth,
            region,
            iterations=size["iterations"],
            report=report,
            name=SCANS[name],
        )
    return found


def _radius_table(errors: AnnularErrors, voxel_size_nm: float) -> pd.DataFrame:
    table = pd.DataFrame({"width_um": 2 * errors.radius_px * voxel_size_nm / 1000, "voxels": errors.count})
    table["psnr_35m"] = errors.psnr("35m")
    for name in ("35", "60", "interior", "combined"):
        table[f"relative_{name}"] = errors.psnr(name) - table.psnr_35m
    return table


def _correlation_table(rings: Mapping[str, RingCorrelation]) -> pd.DataFrame:
    table = pd.DataFrame({"frequency_nyquist": rings["35"].frequency})
    for name, ring in rings.items():
        table[f"raw_{name}"], table[f"smooth_{name}"] = ring.raw, ring.smooth
    return table


def _scan_table(rings: Mapping[str, RingCorrelation], found: Mapping[str, Best]) -> pd.DataFrame:
    published = published_table("frc")
    rows = []
    for name, words in SCANS.items():
        row: dict[str, object] = {"scan": words, "psnr_region": found[name].psnr, "iteration": found[name].iteration}
        theirs = {"35m": None, "interior": "frc_int", "combined": "frc_mv"}.get(name, f"frc_{name}")
        for key, (of, suffix, level) in _READINGS.items():
            row[key] = rings[name].crossing_nm(level, of=of)
            column = None if theirs is None else theirs + suffix
            row[f"published_{key}"] = column and crossing_nm(published.freq, published[column], level, 20.0)
        rows.append(row)
    return pd.DataFrame(rows)


def _checks(errors: AnnularErrors, rings: Mapping[str, RingCorrelation], bench: Bench) -> tuple[Check, ...]:
    px = 1000 / bench.voxel_size_nm
    edge = float(np.nanmax(errors.radius_px)) + 1
    centre = {name: errors.psnr_between(name, 0, _CENTRE_UM / 2 * px) for name in SCANS}
    region = {name: errors.psnr_between(name, 0, bench.region_px / 2) for name in SCANS}
    loss, gain = centre["35m"] - centre["35"], centre["35"] - centre["60"]
    rescue = region["combined"] - region["interior"]
    middle = f"the inner {_CENTRE_UM:g} µm"
    checks = [
        Check(
            f"35 nm lens, {middle}: loss by its depth of field, dB",
            loss,
            "at most 0.3",
            loss <= 0.3,
            "trend",
            "0.05–0.14",
        ),
        Check(f"35 over 60 nm lens, {middle}, dB", gain, "at least 0.5", gain >= 0.5, "trend", "1.1–1.2"),
        Check("region: combined over interior only, dB", rescue, "at least 5", rescue >= 5, "trend", "about 7"),
    ]
    if 2 * edge / px >= _WIDE_UM:
        beyond = errors.psnr_between("60", _CROSSING_UM / 2 * px, edge)
        beyond -= errors.psnr_between("35", _CROSSING_UM / 2 * px, edge)
        checks.append(
            Check(
                f"beyond {_CROSSING_UM} µm: full 60 over full 35, dB", beyond, "above 0", beyond > 0, "trend", "0.1–0.9"
            )
        )
    if bench.voxel_size_nm <= _RESOLVING_NM:
        nm = {name: ring.crossing_nm(_THRESHOLD) or float("nan") for name, ring in rings.items()}
        ratio = nm["60"] / nm["35"]
        checks += [
            Check("resolution of full 35, nm", nm["35"], "55 to 70", 55 <= nm["35"] <= 70, "trend", "61.85"),
            Check("resolution of full 60, nm", nm["60"], "72 to 92", 72 <= nm["60"] <= 92, "trend", "79.67"),
            Check("resolution, 60 over 35", ratio, "1.15 to 1.45", 1.15 <= ratio <= 1.45, "trend", "1.29"),
            Check(
                "resolution of combined, nm",
                nm["combined"],
                "above full 35, at most full 60",
                nm["35"] < nm["combined"] <= nm["60"],
                "trend",
                "65.86",
            ),
        ]
    return tuple(checks)


_CAPTIONS = {
    "curves": "Left: PSNR in rings about the axis, relative to a 35 nm lens of infinite depth of field; the region is "
    "shaded. Right: ring correlation with the phantom in the region's central slice, smoothed over rings as the paper "
    "does. Full lines: here; dashed: the paper's tables.",
    "slices": "The middle of the region: the phantom and four reconstructions; below, their errors, smoothed over 60 "
    "nm so that what is wrong at larger scales shows.",
}


def _text(bench: Bench, size: Size, by_radius: pd.DataFrame, scans: pd.DataFrame) -> str:
    z, y, x = bench.truth.shape
    published = published_table("psf")
    rows = []
    for width in (0.53, 2.0, 3.6, 5.2, 6.8, 10.0, 13.2, 15.5):
        ours = by_radius.iloc[(by_radius.width_um - width).abs().argmin()]
        theirs = published.iloc[(published.roi - width).abs().argmin()]
        row = {"diameter, µm": f"{ours.width_um:.1f}"}
        for name in ("35", "60", "interior", "combined"):
            row[name] = f"{ours[f'relative_{name}']:+.2f}"
            row[f"{name}, published"] = f"{theirs[_PUBLISHED[name]] - theirs['35m']:+.2f}"
        rows.append(row)
    shown = pd.DataFrame(
        {
            "scan": scans.scan,
            "PSNR region, dB": scans.psnr_region.map("{:.2f}".format),
            "at iteration": scans.iteration,
            "1/7": scans.seventh_nm.map(_nanometres),
            "published": scans.published_seventh_nm.map(_nanometres),
            "1/7, unsmoothed": scans.seventh_raw_nm.map(_nanometres),
            "published ": scans.published_seventh_raw_nm.map(_nanometres),
            "1/2": scans.half_nm.map(_nanometres),
            "published  ": scans.published_half_nm.map(_nanometres),
        }
    )
    return f"""
A cylinder of {2 * size["radius_um"]:g} µm, {z} x {y} x {x} voxels of {bench.voxel_size_nm:g} nm, is imaged in
{size["views"]} views through the two lenses of XM-2 as the paper's code has them (517 eV, monochromaticity 300, kernels
cut at {WINDOW_NM:g} nm): the point-spread function of each depth blurs that depth's contribution to the line integrals.
Counts are Poisson, {size["photons"]:.0f} photons a pixel under the z-normalising flat field. The interior scan is the
{size["region_um"]:g} µm in the middle of the full 35 nm one. All reconstructions are plain CGNE, which knows nothing of
the lens, stopped at the best PSNR in the region.

PSNR in rings about the axis relative to a 35 nm lens of infinite depth of field, dB:

{markdown_table(pd.DataFrame(rows))}

Resolution: period in nm at which the smoothed ring correlation with the phantom, in the region's central slice, first
falls below 1/7, the same unsmoothed, and below 1/2. A period of thousands of nm is a false level, not detail.

{markdown_table(shown)}

Ring correlation follows the specimen's grain, so that its check tests the specimen too: the grain of the suite's own
cell, 0.05 per µm, was chosen with this figure in view. With 0.03 full 35 nm resolves 71 to 79 nm, slice by slice,
which misses the band of 55 to 70; what does not move is the order of the scans.

The paper's points are in the first table. The 35 nm lens is the better one near the axis and the worse one further out,
where its depth of field ends. An interior scan through it has the detail on a false level, which falls off towards the
region's edge. With the full views of the 60 nm lens it comes close to a full scan through the 35 nm lens near the axis,
and is better than that further out. Full 35 and 60 nm change places at a diameter of
{_change_of_places(by_radius.width_um, by_radius.relative_35, by_radius.relative_60)} (published:
{_change_of_places(published.roi, published["35"], published["60"])}).
"""


def _change_of_places(width: "pd.Series[float]", first: "pd.Series[float]", second: "pd.Series[float]") -> str:
    """Return the diameter at which one curve falls below another."""
    below = np.flatnonzero((first - second).to_numpy() < 0)
    return f"{width.iloc[below[0]]:.1f} µm" if below.size else "nowhere"


def _nanometres(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.0f}"


def _curves(by_radius: pd.DataFrame, rings: Mapping[str, RingCorrelation], bench: Bench) -> "Figure":
    figure = new_figure(10.0, 4.0)
    left, right = figure.subplots(1, 2)
    published, frc = published_table("psf"), published_table("frc")
    for name in ("35", "60", "interior", "combined"):
        theirs = _PUBLISHED[name]
        left.plot(by_radius.width_um, by_radius[f"relative_{name}"], "-", color=COLOURS[name], linewidth=1.8)
        left.plot(published.roi, published[theirs] - published["35m"], "--", color=COLOURS[name], linewidth=1)
        ring = rings[name]
        right.plot(ring.frequency / (2 * bench.voxel_size_nm), ring.smooth, color=COLOURS[name], linewidth=1.8)
        right.plot(frc.freq / 40, frc[f"frc_{theirs}_s"], "--", color=COLOURS[name], linewidth=1)
    left.axvspan(0, bench.region_px * bench.voxel_size_nm / 1000, color="#ffd400", alpha=0.15, linewidth=0)
    left.axhline(0, color="black", linewidth=0.6)
    left.set(
        xlabel="diameter of the ring, µm",
        ylabel="PSNR relative to infinite\ndepth of field, dB",
        ylim=(-9, 0.8),
        xlim=(0, by_radius.width_um.max()),
        title="quality by place",
    )
    right.axhline(_THRESHOLD, color="black", linewidth=0.6, linestyle=":")
    right.text(0.0005, _THRESHOLD + 0.015, "1/7", fontsize=8)
    right.set(xlabel="period, nm", ylabel="ring correlation with the phantom", xlim=(0, 0.025), ylim=(-0.05, 1.02))
    periods = (400, 200, 100, 80, 60, 50, 40)
    right.set_xticks([1 / nm for nm in periods], [str(nm) for nm in periods])
    right.set_title("detail in the region")
    for name in ("35", "60", "interior", "combined"):
        right.plot([], [], color=COLOURS[name], linewidth=1.8, label=SCANS[name])
    right.plot([], [], "--", color="black", linewidth=1, label="dashed: published")
    right.legend(fontsize=8, loc="upper right")
    for axes in (left, right):
        axes.grid(alpha=0.25)
    return figure


def _slices(bench: Bench, found: Mapping[str, Best]) -> "Figure":
    figure = new_figure(10.6, 4.6)
    axes = figure.subplots(2, 5)
    z = bench.truth.shape[0] // 2
    half = bench.region_px // 4  # what is finer than a voxel of the figure would be lost on the whole region
    y, x = (n // 2 for n in bench.truth.shape[1:])
    here = np.s_[z, y - half : y + half + 1, x - half : x + half + 1]
    options: dict[str, Any] = {"voxel_size_nm": bench.voxel_size_nm}
    truth = bench.truth[here]
    grey = show_slice(axes[0, 0], truth, window=_GREY, title="phantom", bar=True, **options)
    axes[1, 0].axis("off")
    titles = {"35": "full 35 nm", "60": "full 60 nm", "interior": "interior 35 nm", "combined": "combined"}
    for j, (name, title) in enumerate(titles.items(), start=1):
        best = found[name]
        show_slice(
            axes[0, j], best.volume[here], window=_GREY, title=f"{title}\n{best.psnr:.1f} dB in the region", **options
        )
        error = ndimage.gaussian_filter(best.volume[z] - bench.truth[z], _SMOOTHING_NM / bench.voxel_size_nm)[here[1:]]
        wrong = show_slice(axes[1, j], error, window=(-0.1, 0.1), title="error, smoothed", cmap="RdBu_r", **options)
    figure.colorbar(grey, ax=axes[0, :], label="LAC, 1/µm", shrink=0.85)
    figure.colorbar(wrong, ax=axes[1, :], label="error, 1/µm", shrink=0.85)
    return figure
