"""Figure 3: what the depth of field costs a full and an interior scan, and what full views give back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sxtbench.operators import Stack
from sxtbench.randomness import stage_key
from sxtbench.studies.figures import COLOURS, new_figure, show_slice
from sxtbench.studies.phantom import PhantomSource
from sxtbench.studies.published import published_table
from sxtbench.studies.reading import (
    AnnularErrors,
    RingCorrelation,
    annular_errors,
    crossing_nm,
    region_cylinder,
    ring_correlation,
)
from sxtbench.studies.scans import Bench, make_bench, paper_lens
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
    crossings = _crossing_table(rings)
    text = _text(bench, size, found, crossings)
    return Findings(
        text=text,
        tables={"psnr_by_radius": by_radius, "ring_correlation": correlation, "resolution": crossings},
        figures={"curves": _curves(by_radius, rings), "slices": _slices(bench, found)},
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
    data: dict[str, NDArray[np.float32]] = {}
    for i, (name, width) in enumerate((("35m", 35), ("35", 35), ("60", 60))):
        report(f"projections: {SCANS[name]}")
        seen = bench.image(views, width, infinite_depth_of_field=name == "35m")
        data[name] = bench.noisy(seen, photons, stage_key(seed, "study", i, "counts"))
    region = region_cylinder((data["35"].shape[1], *bench.truth.shape[1:]), bench.region_px)
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
        label = SCANS[name]
        found[name] = best_cgne(
            A,
            y,
            bench.truth,
            region,
            iterations=size["iterations"],
            report=lambda line, label=label: report(f"{label}: {line}"),
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


def _crossing_table(rings: Mapping[str, RingCorrelation]) -> pd.DataFrame:
    published = published_table("frc")
    rows = []
    for name in ("35", "60", "interior", "combined"):
        row: dict[str, object] = {"scan": SCANS[name]}
        theirs = "int" if name == "interior" else _PUBLISHED[name]
        for words, of, column, level in (
            ("1/7", "smooth", f"frc_{theirs}_s", _THRESHOLD),
            ("1/7, raw", "raw", f"frc_{theirs}", _THRESHOLD),
            ("1/2", "smooth", f"frc_{theirs}_s", 0.5),
        ):
            row[f"{words}, nm"] = rings[name].crossing_nm(level, of=of)
            row[f"{words}, published"] = crossing_nm(published.freq, published[column], level, 20.0)
        rows.append(row)
    return pd.DataFrame(rows)


def _checks(errors: AnnularErrors, rings: Mapping[str, RingCorrelation], bench: Bench) -> tuple[Check, ...]:
    px = 1000 / bench.voxel_size_nm
    edge = float(np.nanmax(errors.radius_px)) + 1
    centre = {name: errors.psnr_between(name, 0, 1.05 * px) for name in SCANS}
    outside = {name: errors.psnr_between(name, 3.25 * px, edge) for name in ("35", "60", "combined")}
    region = {name: errors.psnr_between(name, 0, bench.region_px / 2) for name in SCANS}
    loss, gain = centre["35m"] - centre["35"], centre["35"] - centre["60"]
    beyond = outside["60"] - outside["35"]
    rescue = region["combined"] - region["interior"]
    checks = [
        Check(
            "35 nm lens, region of 2 µm: loss by its depth of field, dB",
            loss,
            "at most 0.3",
            loss <= 0.3,
            "trend",
            "0.05–0.14",
        ),
        Check("35 over 60 nm lens, region of 2 µm, dB", gain, "at least 0.5", gain >= 0.5, "trend", "1.1–1.2"),
        Check("region of 6 µm: combined over interior only, dB", rescue, "at least 5", rescue >= 5, "trend", "about 7"),
    ]
    if 2 * edge / px >= 12:
        checks.append(
            Check("beyond 6.5 µm: full 60 over full 35, dB", beyond, "above 0", beyond > 0, "trend", "0.1–0.9")
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
    "shaded. Right: ring correlation with the phantom in the region's central slice. Full lines: here; dashed: the "
    "paper's table.",
    "slices": "The region's central slice, and what is wrong with each reconstruction.",
}


def _text(bench: Bench, size: Size, found: Mapping[str, Best], crossings: pd.DataFrame) -> str:
    return ""


def _curves(by_radius: pd.DataFrame, rings: Mapping[str, RingCorrelation]) -> "Figure":
    figure = new_figure(9.6, 3.8)
    return figure


def _slices(bench: Bench, found: Mapping[str, Best]) -> "Figure":
    return new_figure(9.6, 4.6)
