"""Figure 4: where half rotation, full rotation and a combined scan of one total dose put it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sxtbench.acquisition.dose import dose_ratio, published_schemes, scheme_dose
from sxtbench.studies.figures import new_figure, show_slice
from sxtbench.studies.phantom import PhantomSource, inside_cylinder
from sxtbench.studies.published import DOSE_RATIO
from sxtbench.studies.study import Check, Findings, Report, Size, markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES: Mapping[str, Size] = {
    "fast": {"radius_um": 8.0, "region_um": 6.0, "voxel_size_nm": 80.0, "slices": 2},
    "default": {"radius_um": 8.0, "region_um": 6.0, "voxel_size_nm": 40.0, "slices": 4},
    "paper": {"radius_um": 8.0, "region_um": 6.0, "voxel_size_nm": 20.0, "slices": 160},
}
DISAGREEMENTS = (11,)

FULL_VIEWS, REFERENCE_VIEWS = 19, 97
DISC_RATIO = 2.1458
"""D_full / D_ROI of a uniform disc that absorbs little, radius 8 um, region 6 um: its area over that of the strip."""

_DISC_LACS = (1e-4, 0.1, 0.2, 0.28)
_DISC_VOXEL_NM = 80.0
_DISC_VIEWS = 12
_MOST_LAC, _RATIO_THERE = 0.28, 2.545
_EDGE_UM = 1.0


def run(size: Size, *, source: PhantomSource, seed: int, report: Report) -> Findings:
    """Do the study; there is no noise, so the seed is the phantom's alone.

    Parameters
    ----------
    size : mapping
        One of `SIZES`.
    source : PhantomSource
        Where the cell comes from.
    seed : int
        Not used.
    report : callable
        Told what is going on.

    Returns
    -------
    Findings
    """
    radius, region, voxel = float(size["radius_um"]), float(size["region_um"]), float(size["voxel_size_nm"])
    report("phantom")
    phantom = source.cylinder(radius_um=radius, slices=size["slices"], voxel_size_nm=voxel)
    columns = 1000 * region / voxel
    report("dose ratio")
    ratio = dose_ratio(
        phantom, np.linspace(0, 180, REFERENCE_VIEWS, endpoint=False), voxel_size_nm=voxel, columns=columns
    )
    maps = {}
    for name, beams in published_schemes(ratio, columns).items():
        report(f"dose: {name}")
        maps[name] = scheme_dose(phantom, beams, voxel_size_nm=voxel)
    report("uniform disc")
    discs = _discs(radius, region)
    table = _table(phantom, maps, radius=radius, region=region, voxel_size_nm=voxel)
    return Findings(
        text=_text(size, ratio, table, discs),
        tables={"schemes": table, "profiles": _profiles(phantom, maps, voxel), "disc": discs},
        figures={"maps": _figure(phantom, maps, radius=radius, region=region, voxel_size_nm=voxel)},
        checks=_checks(phantom, maps, table, discs, ratio, radius),
        fluence="The maps are relative to the dose of one scheme, whatever the fluence.",
        captions={
            "maps": "Above: accumulated dose over LAC, that is the light that a place got, as a multiple of the "
            "specimen's mean, which is the same for all three. Below: mean dose over rings about the axis. The circle "
            "is the region. Half a turn leaves most on the side where the light enters; the combined scan leaves more "
            "in the region and less at the edge."
        },
    )


def _discs(radius_um: float, region_um: float) -> pd.DataFrame:
    n = 2 * round(1000 * radius_um / _DISC_VOXEL_NM) + 1
    disc = inside_cylinder((n, n), 1000 * radius_um / _DISC_VOXEL_NM)[None].astype(np.float32)
    angles = np.linspace(0, 180, _DISC_VIEWS, endpoint=False)
    rows = []
    for lac in _DISC_LACS:
        ratio = dose_ratio(
            disc * np.float32(lac), angles, voxel_size_nm=_DISC_VOXEL_NM, columns=1000 * region_um / _DISC_VOXEL_NM
        )
        rows.append({"lac_per_um": lac, "ratio": ratio})
    return pd.DataFrame(rows)


def _table(
    phantom: NDArray[np.float32],
    maps: Mapping[str, NDArray[np.float32]],
    *,
    radius: float,
    region: float,
    voxel_size_nm: float,
) -> pd.DataFrame:
    """Return mean dose by place, as multiples of the whole specimen's mean under half rotation."""
    px = 1000 / voxel_size_nm
    inside = phantom > 0
    places = {
        "whole": inside,
        "region": inside & inside_cylinder(phantom.shape, region / 2 * px),
        "edge": inside & ~inside_cylinder(phantom.shape, (radius - _EDGE_UM) * px),
    }
    unit = float(maps["half rotation"][inside].mean(dtype=np.float64))
    rows = []
    for name, dose in maps.items():
        row: dict[str, float | str] = {"scheme": name}
        for place, mask in places.items():
            row[place] = float(dose[mask].mean(dtype=np.float64)) / unit
        row["highest"] = float(np.percentile(dose[inside], 99)) / unit
        rows.append(row)
    return pd.DataFrame(rows)


def _profiles(
    phantom: NDArray[np.float32], maps: Mapping[str, NDArray[np.float32]], voxel_size_nm: float
) -> pd.DataFrame:
    """Return mean dose over rings about the axis, relative to each scheme's mean."""
    inside = phantom > 0
    y, x = (np.arange(n) - (n - 1) / 2 for n in phantom.shape[1:])
    distance = np.broadcast_to(np.hypot(y[:, None], x[None, :]) * voxel_size_nm / 1000, phantom.shape)[inside]
    ring = (distance / 0.2).astype(int)
    count = np.bincount(ring)
    table = pd.DataFrame({"radius_um": np.bincount(ring, distance) / np.maximum(count, 1)})
    for name, dose in maps.items():
        mean = np.bincount(ring, dose[inside]) / np.maximum(count, 1)
        table[name.replace(" ", "_")] = mean / float(dose[inside].mean(dtype=np.float64))
    return table[count > 0]


def _checks(
    phantom: NDArray[np.float32],
    maps: Mapping[str, NDArray[np.float32]],
    table: pd.DataFrame,
    discs: pd.DataFrame,
    ratio: float,
    radius: float,
) -> tuple[Check, ...]:
    totals = [float(dose.sum(dtype=np.float64)) for dose in maps.values()]
    spread = max(totals) / min(totals) - 1
    beams = published_schemes(ratio, 1.0)["combined"]
    budget = sum(
        beam.angles_deg.size * beam.incident_photons / (1.0 if beam.columns is None else ratio) for beam in beams
    )
    faint, dense = float(discs.ratio.iloc[0]), float(discs.ratio.iloc[-1])
    at = table.set_index("scheme")
    gain = float(at.region["combined"] / at.region["full rotation"])
    relief = float(at.edge["combined"] / at.edge["full rotation"])
    return (
        Check(
            "the budget: 19 full and 97 interior images over 97 full ones, less 1",
            budget / REFERENCE_VIEWS - 1,
            "0 to 1e-12",
            abs(budget / REFERENCE_VIEWS - 1) < 1e-12,
            "exact",
        ),
        Check(
            "the three maps hold the same dose: largest over smallest, less 1",
            spread,
            "at most 0.01",
            spread <= 0.01,
            "exact",
        ),
        Check(
            "D_full / D_ROI of a faint uniform disc of 8 µm with a region of 6 µm",
            faint,
            f"{DISC_RATIO} to 0.5 %",
            abs(faint / DISC_RATIO - 1) <= 0.005,
            "exact",
        ),
        Check(
            f"the same at {_MOST_LAC} 1/µm",
            dense,
            f"{_RATIO_THERE} to 0.5 %",
            abs(dense / _RATIO_THERE - 1) <= 0.005,
            "exact",
        ),
        Check(
            "D_full / D_ROI of the phantom",
            ratio,
            "2.1 to 2.6, the disc's from faint to 0.28 1/µm",
            2.1 <= ratio <= 2.6,
            "trend",
            f"{DOSE_RATIO:.4f}",
        ),
        Check(
            "dose in the region, combined over full rotation", gain, "above 1.2", gain > 1.2, "trend", "a figure only"
        ),
        Check(
            f"dose in the outermost {_EDGE_UM:g} µm, combined over full rotation",
            relief,
            "below 1",
            relief < 1,
            "trend",
            "a figure only",
        ),
    )


def _text(size: Size, ratio: float, table: pd.DataFrame, discs: pd.DataFrame) -> str:
    shown = table.copy()
    shown.columns = ["scheme", "whole", "region", f"outermost {_EDGE_UM:g} µm", "99th percentile"]
    disc = pd.DataFrame(
        {
            "LAC, 1/µm": discs.lac_per_um.map("{:g}".format),
            "D_full / D_ROI of a disc": discs.ratio.map("{:.3f}".format),
        }
    )
    return f"""
The dose of a voxel is its LAC times the light that reaches it, summed over images. Three schemes leave the same energy
in the specimen: {REFERENCE_VIEWS} full images over 180 degrees; {REFERENCE_VIEWS} over 360 degrees, mirror images
interlaced; and {FULL_VIEWS} full images with {REFERENCE_VIEWS} of the {size["region_um"]:g} µm region, whose
exposure is raised by equation 13 with the phantom's own D_full / D_ROI, {ratio:.3f} (the paper's phantom:
{DOSE_RATIO:.4f}). The paper has maps and no numbers.

Mean dose by place, as a multiple of the whole specimen's:

{markdown_table(shown)}

The ratio depends on how much the specimen absorbs; for a uniform disc of {size["radius_um"]:g} µm radius:

{markdown_table(disc)}
"""


def _figure(
    phantom: NDArray[np.float32],
    maps: Mapping[str, NDArray[np.float32]],
    *,
    radius: float,
    region: float,
    voxel_size_nm: float,
) -> "Figure":
    figure = new_figure(9.6, 6.6)
    grid = figure.add_gridspec(2, 3, height_ratios=(1.35, 1))
    inside = phantom > 0
    shown: Any = None
    for j, (name, dose) in enumerate(maps.items()):
        axes = figure.add_subplot(grid[0, j])
        mean = float(dose[inside].mean(dtype=np.float64))
        weight = inside.sum(axis=0)
        lac = phantom.sum(axis=0)
        # Dose per LAC: what light there was, without the specimen's grain.
        light = np.where(weight > 0, dose.sum(axis=0) / np.maximum(lac, 1e-9), np.nan)
        unit = mean / float(phantom[inside].mean(dtype=np.float64))
        shown = show_slice(
            axes,
            light / unit,
            voxel_size_nm=voxel_size_nm,
            window=(0.4, 2.6),
            title=name,
            cmap="inferno",
            bar=j == 0,
            circles_um=(region / 2,),
        )
        axes.set_facecolor("black")
    figure.colorbar(shown, ax=figure.axes, label="dose per LAC,\nmultiple of the mean", shrink=0.8)
    axes = figure.add_subplot(grid[1, :])
    profiles = _profiles(phantom, maps, voxel_size_nm)
    looks = (("#555555", "-", 3.0), ("#1f77b4", "--", 1.5), ("#d62728", "-", 1.8))
    for name, (colour, line, width) in zip(maps, looks, strict=True):
        axes.plot(profiles.radius_um, profiles[name.replace(" ", "_")], line, color=colour, linewidth=width, label=name)
    axes.axvspan(0, region / 2, color="#ffd400", alpha=0.15, linewidth=0)
    axes.set(xlabel="distance to the axis, µm", ylabel="mean dose,\nmultiple of the specimen's", xlim=(0, radius))
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    return figure
