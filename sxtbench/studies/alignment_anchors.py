"""Figure 9: how many full-field views align an interior scan, over half a turn and over a whole one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from sxtbench.acquisition.interior import Pair, PairParameters, acquire_pair
from sxtbench.acquisition.series import TiltSeries
from sxtbench.content import content_folder
from sxtbench.geometry import VolumeGrid
from sxtbench.randomness import generator, stage_key
from sxtbench.reconstruction.alignment import align
from sxtbench.specimens.bacteria import BacteriaParameters, draw_bacteria, render_bacteria
from sxtbench.specimens.mammalian import MammalianParameters, draw_mammalian, render_mammalian
from sxtbench.studies.figures import new_figure
from sxtbench.studies.phantom import SyntheticCell, inside_cylinder
from sxtbench.studies.study import Check, Findings, Report, Size, markdown_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sxtbench.studies.phantom import PhantomSource

SIZES: Mapping[str, Size] = {
    "fast": {"pixel_size_nm": 60.0, "rows": 32, "field_px": 172, "specimens": 1, "anchors": (3, 10, 19)},
    "default": {"pixel_size_nm": 40.0, "rows": 48, "field_px": 256, "specimens": 2, "anchors": (3, 5, 10, 19, 46)},
    "paper": {"pixel_size_nm": 20.0, "rows": 64, "field_px": 512, "specimens": 4, "anchors": (3, 5, 10, 19, 46)},
}
DISAGREEMENTS = ()

VIEWS = 92
SAMPLINGS = {"half turn": "", "whole turn, mirror images": "_360"}
METHODS: Mapping[str, Mapping[str, Any]] = {
    "equation 14": {"anchor_weight": 1.0, "common_point": False},
    "align": {},
}
"""As published, and with what `align` adds by default: anchors count ten times, and the parallax of neighbours."""

NEIGHBOURS_ONLY = 0
_PHOTONS_PER_NM2 = 1.5  # 150 per (10 nm)^2, detected: the experiment's
_FIELD_OF_SPECIMEN = 0.8  # of the field, for a user's own
_SHOWN = (NEIGHBOURS_ONLY, 5, 19)
_COLOURS = {"mammalian": "#1f77b4", "bacteria": "#d95f02", "specimen": "#1f77b4"}

Scene = Callable[[VolumeGrid, VolumeGrid, int], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""(slab, slab with margins, number) -> LAC and the share of each voxel inside the bore."""


@dataclass(frozen=True, eq=False)
class _Aligned:
    """One alignment: what it was, and the remaining error (dz, du) of each view in pixels."""

    specimen: str
    number: int
    sampling: str
    method: str
    anchors: int
    angles_deg: NDArray[np.float64]
    error: NDArray[np.float64]

    @property
    def distance(self) -> NDArray[np.float64]:
        return np.hypot(self.error[:, 0], self.error[:, 1])


def run(size: Size, *, source: "PhantomSource", seed: int, report: Report) -> Findings:
    """Do the study.

    Parameters
    ----------
    size : mapping
        One of `SIZES`.
    source : PhantomSource
        Our own: the suite's mammalian cells and bacteria in capillaries. A user's: a cylinder of it instead.
    seed : int
        Of specimens, jitter and photons.
    report : callable
        Told what is going on.

    Returns
    -------
    Findings
    """
    pixel = float(size["pixel_size_nm"])
    parameters = _acquisition(pixel)
    aligned: list[_Aligned] = []
    moved = []
    for name, scene in _scenes(source, seed).items():
        for number in range(int(size["specimens"])):
            report(f"{name} {number + 1}: scans")
            pair = _scan(size, scene, parameters, seed, number)
            moved.append(float(np.hypot(*pair.true_shifts_px["interior"].T).mean()))
            aligned += _align_all(name, number, pair, size["anchors"], report)
    table = _table(_view_table(aligned))
    return Findings(
        text=_text(table, pixel, int(size["specimens"]), float(np.mean(moved))),
        tables={"alignment_anchors": table, "alignment_views": _view_table(_first(aligned))},
        figures={"alignment_anchors": _figure(aligned, table)},
        checks=_checks(table),
        fluence=f"{_PHOTONS_PER_NM2 * pixel**2:.0f} photons per {pixel:g}-nm pixel are detected behind the bore on "
        "average: 150 per (10 nm)^2, which matches the noise of the experiment. The anchors get as many per area.",
        captions={
            "alignment_anchors": "a, b) Mean distance from the true shifts against the number of anchors; left of the "
            "line without any, after taking out what a move of the whole specimen explains. Bars: least and greatest "
            "of the specimens. c) The same by view for the first specimen: without anchors errors add up from "
            "neighbour to neighbour, with anchors they are held at each."
        },
    )


def chosen(anchors: int, views: int = VIEWS) -> NDArray[np.int64]:
    """Return which views of a scan have an anchor.

    >>> chosen(5).tolist()
    [0, 18, 37, 55, 74]
    """
    return np.round(np.arange(anchors) * views / anchors).astype(np.int64)


def without_gauge(error: NDArray[np.float64], angles_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take away what a move of the whole specimen explains: a constant in z, A cos + B sin in u.

    Parameters
    ----------
    error : ndarray, shape (n, 2), float64, pixels
        (dz, du) of each view.
    angles_deg : ndarray, shape (n,), float64, degrees
        Their angles.

    Returns
    -------
    ndarray, shape (n, 2), float64, pixels

    Examples
    --------
    >>> angles = np.array([0.0, 30.0, 60.0, 90.0])
    >>> moved = np.stack([np.full(4, 2.0), 3 * np.cos(np.deg2rad(angles))], axis=1)
    >>> float(np.abs(without_gauge(moved, angles)).max()) < 1e-12
    True
    """
    radians = np.deg2rad(angles_deg)
    waves = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    along = error[:, 1] - waves @ np.linalg.lstsq(waves, error[:, 1], rcond=None)[0]
    return np.stack([error[:, 0] - error[:, 0].mean(), along], axis=1)


def _recipe(task: str) -> Any:
    return yaml.safe_load((content_folder("tasks") / task / "recipe.yaml").read_text(encoding="utf-8"))


def _acquisition(pixel_nm: float) -> PairParameters:
    """Lenses, views and jitter of the task projection-alignment."""
    content = _recipe("projection-alignment")["acquisition"]
    photons = {"detected_photons_per_pixel": _PHOTONS_PER_NM2 * pixel_nm**2}
    return PairParameters.model_validate({**content, **photons, "interior_views": VIEWS, "full_views": VIEWS})


def _scenes(source: "PhantomSource", seed: int) -> dict[str, Scene]:
    if not isinstance(source, SyntheticCell):
        return {"specimen": partial(_users, source)}
    cells = _recipe("projection-alignment")["families"]["mammalian"]["specimen"]
    rods = _recipe("interior-reconstruction")["families"]["bacteria"]["specimen"]
    return {
        "mammalian": partial(_cell, MammalianParameters.model_validate(cells), seed),
        "bacteria": partial(_rods, BacteriaParameters.model_validate(rods), seed),
    }


def _cell(
    parameters: MammalianParameters, seed: int, slab: VolumeGrid, grid: VolumeGrid, number: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    drawn = draw_mammalian(parameters, field=slab, generator_of=partial(generator, seed, "study", number))
    specimen = render_mammalian(drawn, grid)
    return specimen.lac, specimen.coverage


def _rods(
    parameters: BacteriaParameters, seed: int, slab: VolumeGrid, grid: VolumeGrid, number: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    drawn = draw_bacteria(parameters, field=slab, generator_of=partial(generator, seed, "study", number))
    specimen = render_bacteria(drawn, grid)
    return specimen.lac, specimen.coverage


def _users(
    source: "PhantomSource", slab: VolumeGrid, grid: VolumeGrid, number: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Put a cylinder of a user's specimen into the field; each number is the same one, with other noise and jitter."""
    slices, rows, columns = grid.shape
    radius_um = _FIELD_OF_SPECIMEN * grid.size_um[1] / 2
    lac = source.cylinder(radius_um=radius_um, slices=slices, voxel_size_nm=grid.voxel_size_nm)
    out = np.zeros(grid.shape, np.float32)
    y, x = (rows - lac.shape[1]) // 2, (columns - lac.shape[2]) // 2
    out[:, y : y + lac.shape[1], x : x + lac.shape[2]] = lac
    bore = inside_cylinder(grid.shape, 1000 * radius_um / grid.voxel_size_nm).astype(np.float32)
    return out, np.broadcast_to(bore, grid.shape)


def _scan(size: Size, scene: Scene, parameters: PairParameters, seed: int, number: int) -> Pair:
    rows, field, pixel = int(size["rows"]), int(size["field_px"]), float(size["pixel_size_nm"])
    margin = parameters.margin_rows(field)
    lac, bore = scene(
        VolumeGrid((rows, field, field), pixel), VolumeGrid((rows + 2 * margin, field, field), pixel), number
    )
    scans = ("interior", "full", "interior_360", "full_360")
    return acquire_pair(
        lac,
        bore,
        rows=rows,
        voxel_size_nm=pixel,
        centre_um=(0.0, 0.0),
        parameters=parameters,
        generator=partial(generator, seed, "study", number),
        keys={scan: stage_key(seed, "study", number, f"{scan}_counts") for scan in scans},
    )


def _align_all(name: str, number: int, pair: Pair, counts: tuple[int, ...], report: Report) -> list[_Aligned]:
    found = []
    for sampling, suffix in SAMPLINGS.items():
        interior, full = pair.series[f"interior{suffix}"], pair.series[f"full{suffix}"]
        truth = pair.true_shifts_px[f"interior{suffix}"]
        for method, options in METHODS.items():
            for count in (NEIGHBOURS_ONLY, *counts):
                if count == NEIGHBOURS_ONLY and method != "align":
                    continue  # without anchors the two are one
                report(f"{name} {number + 1}, {sampling}, {method}: {count or 'no'} anchors")
                error = _aligned(interior, full, count, options) - truth
                if count == NEIGHBOURS_ONLY:
                    error = without_gauge(error, interior.angles_deg)
                found.append(_Aligned(name, number, sampling, method, count, interior.angles_deg, error))
    return found


def _aligned(interior: TiltSeries, full: TiltSeries, count: int, options: Mapping[str, Any]) -> NDArray[np.float64]:
    if count == NEIGHBOURS_ONLY:
        return align(interior.projections, interior.angles_deg, **options)
    anchors = full.select(chosen(count))
    return align(
        interior.projections,
        interior.angles_deg,
        anchors.projections,
        anchors.angles_deg,
        pixel_ratio=full.pixel_size_nm / interior.pixel_size_nm,
        **options,
    )


def _view_table(aligned: list[_Aligned]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "specimen": a.specimen,
                    "number": a.number,
                    "sampling": a.sampling,
                    "method": a.method,
                    "anchors": a.anchors,
                    "angle_deg": a.angles_deg,
                    "error_z_px": a.error[:, 0],
                    "error_u_px": a.error[:, 1],
                    "error_px": a.distance,
                }
            )
            for a in aligned
        ],
        ignore_index=True,
    )


def _first(aligned: list[_Aligned]) -> list[_Aligned]:
    """Return what is shown by view: the first specimen over half a turn."""
    shown = (a for a in aligned if (a.number, a.method, a.sampling) == (0, "align", "half turn"))
    return [a for a in shown if a.specimen == aligned[0].specimen]


def _table(views: pd.DataFrame) -> pd.DataFrame:
    """Mean over views, then over specimens."""
    keys = ["specimen", "sampling", "method", "anchors"]
    one = views.groupby([*keys, "number"], sort=False).error_px.agg(
        mean="mean", median="median", p95=lambda values: values.quantile(0.95)
    )
    grouped = one.reset_index().groupby(keys, sort=False)
    return pd.DataFrame(
        {
            "error_px": grouped["mean"].mean(),
            "least_px": grouped["mean"].min(),
            "greatest_px": grouped["mean"].max(),
            "median_px": grouped["median"].mean(),
            "percentile_95_px": grouped["p95"].mean(),
        }
    ).reset_index()


def _checks(table: pd.DataFrame) -> tuple[Check, ...]:
    ours = table[table.method == "align"].set_index(["specimen", "sampling", "anchors"]).error_px
    enough = float(ours[ours.index.get_level_values("anchors") >= 10].max())
    pairs = [key[:2] for key in ours.index if key[2] == 19]
    rise = min(float(ours[*pair, 3] / ours[*pair, 19]) for pair in pairs)
    drift = min(float(ours[*pair, NEIGHBOURS_ONLY] / ours[*pair, 19]) for pair in pairs)
    return (
        Check(
            "mean error with 10 anchors or more, worst family and sampling, px",
            enough,
            "below 1",
            enough < 1,
            "trend",
            "sub-pixel",
        ),
        Check("error of 3 anchors over 19, least", rise, "above 2", rise > 2, "trend", "rises below 10"),
        Check(
            "error of neighbours alone over 19 anchors, least",
            drift,
            "above 2",
            drift > 2,
            "trend",
            "substantial drift",
        ),
    )


def _text(table: pd.DataFrame, pixel_nm: float, specimens: int, moved: float) -> str:
    wide = table.pivot_table(index=["specimen", "sampling", "method"], columns="anchors", values="error_px", sort=False)
    wide = wide[sorted(wide.columns)].rename(columns={NEIGHBOURS_ONLY: "none"}).reset_index()
    shown = wide.map(lambda value: f"{value:.2f}" if isinstance(value, float) and value == value else value)
    shown.columns = pd.Index([str(name) for name in shown.columns])
    ten = table[table.anchors == 10].groupby("method").error_px.max()
    plain, ours = (float(ten.get(method, np.nan)) for method in METHODS)
    return f"""An interior scan shows a cut-out of the specimen, so that nothing in it tells where it lies. Full-field
views, which can be aligned alone, are its anchors: each interior view is moved so that it correlates with the anchors
near it in angle and with its neighbours (equation 14). How many anchors are enough?

Here: {VIEWS} interior views of {pixel_nm:g}-nm pixels through the 35 nm lens, displaced by a random walk, a uniform
shift and a few jumps ({moved:.1f} px on average), cropped from the larger field so that real rows and columns come in;
anchors through the 60 nm lens on pixels twice as large; both with their depths of field and with photon noise. The
suite's mammalian cells and bacteria, {specimens} of each, unless a specimen was given. The paper has experiments and no
true shifts: it compares with the alignment by all anchors, in a figure without a table.

**What came out.** There is no knee: the error about doubles with each halving of the number of anchors. With 10 of them
it is {ours:.2f} px at worst by the default of `align`, {plain:.2f} px by equation 14 as published. Mean error in
pixels by number of anchors:

{markdown_table(shown)}

- *equation 14* as published, solved by the same code; *align* is the default of
  `sxtbench.reconstruction.alignment.align`: anchors count ten times as much as neighbours, and the parallax between
  neighbours is fitted.
- *none*: neighbours alone, after taking out a constant in z and A cos + B sin in u, which they cannot know. What is
  left is drift.
- Mirror images: over a whole turn each direction is seen once, every other one from behind. Ten anchors spread evenly
  over the turn lie opposite each other in pairs of almost the same direction, so that they do little more than five
  over half a turn; nineteen do not. An odd number, or anchors spread by direction, avoids that."""


def _figure(aligned: list[_Aligned], table: pd.DataFrame) -> "Figure":
    figure = new_figure(11.4, 4.3)
    first, second, third = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    for axes, method, title in (
        (first, "equation 14", "a) equation 14 as published"),
        (second, "align", "b) the default of align"),
    ):
        _draw_counts(axes, table, method)
        axes.set_title(title, fontsize=10)
    second.set_ylim(*_common_limits(table))
    first.set_ylim(*_common_limits(table))
    first.set_ylabel("mean error [pixels]")
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2, fontsize=8, frameon=False)
    shown = _first(aligned)
    counts = [a for a in shown if a.anchors in _SHOWN or (a.anchors == 3 and 5 not in {b.anchors for b in shown})]
    for a, colour in zip(counts, ("#999999", "#e08e0b", "#1b7837"), strict=False):
        label = "neighbours alone" if a.anchors == NEIGHBOURS_ONLY else f"{a.anchors} anchors"
        third.plot(
            a.angles_deg, np.maximum(a.distance, 1e-3), ".-", color=colour, linewidth=1, markersize=4, label=label
        )
        if a.anchors:
            third.plot(a.angles_deg[chosen(a.anchors)], np.full(a.anchors, 0.0125), "^", color=colour, markersize=4)
    third.axhline(1, color="black", linewidth=0.8, linestyle=":")
    third.set(xlabel="angle [°]", yscale="log", ylim=(0.01, 20), ylabel="error of the view [pixels]")
    third.set_title(f"c) by view, {shown[0].specimen}, half turn (▲ anchors)", fontsize=10)
    third.legend(fontsize=8, frameon=False, loc="upper right", ncols=3, columnspacing=1)
    third.grid(alpha=0.25)
    return figure


def _common_limits(table: pd.DataFrame) -> tuple[float, float]:
    return 0.5 * float(table.least_px.min()), 3 * float(table.greatest_px.max())


def _draw_counts(axes: "Axes", table: pd.DataFrame, method: str) -> None:
    counts = sorted(set(table.anchors))
    place = {count: i for i, count in enumerate(counts)}
    for specimen in dict.fromkeys(table.specimen):
        for sampling, style in zip(SAMPLINGS, ("o-", "s--"), strict=True):
            here = table[(table.specimen == specimen) & (table.sampling == sampling)]
            rows = here[(here.method == method) & (here.anchors != NEIGHBOURS_ONLY)].sort_values("anchors")
            alone = here[here.anchors == NEIGHBOURS_ONLY]
            for part, line in ((rows, style), (alone, style[0])):
                x = np.array([place[count] for count in part.anchors]) + (0.06 if style[0] == "s" else -0.06)
                low, high = part.error_px - part.least_px, part.greatest_px - part.error_px
                axes.errorbar(
                    x,
                    part.error_px,
                    yerr=np.stack([low, high]),
                    fmt=line,
                    color=_COLOURS.get(specimen),
                    markersize=4.5,
                    linewidth=1.3,
                    capsize=2,
                    markerfacecolor="white" if style[0] == "s" else None,
                    label=f"{specimen}, {sampling}" if part is rows else None,
                )
    axes.axhline(1, color="black", linewidth=0.8, linestyle=":")
    axes.axvline(0.5, color="#bbbbbb", linewidth=0.8)
    axes.set_xticks(range(len(counts)), ["none" if count == NEIGHBOURS_ONLY else str(count) for count in counts])
    axes.set(xlabel=f"anchors for {VIEWS} views", yscale="log")
    axes.grid(alpha=0.25)
