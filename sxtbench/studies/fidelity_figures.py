"""Figures of the fidelity report: ranks and counts, voxels, photons and lens, looks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sxtbench.labels import COLOURS as LABEL_COLOURS
from sxtbench.specimens.yeast_interior import CYTOPLASM, DROPLET, MITOCHONDRION, NUCLEUS, VACUOLE
from sxtbench.studies.fidelity_images import PROJECTION_BINS, RANGE_DEG, RECONSTRUCTION_BINS, Appearance, Curves
from sxtbench.studies.fidelity_laws import Comparisons
from sxtbench.studies.fidelity_physics import LIGHT_EDGES, Light
from sxtbench.studies.fidelity_source import Group, SimulatorSource
from sxtbench.studies.fidelity_statistics import interval
from sxtbench.studies.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STATED, _REPLICATE, _REAL = "#1f77b4", "#ff7f0e", "#000000"
_KIND_COLOURS = {CYTOPLASM: 1, VACUOLE: 2, DROPLET: 3, NUCLEUS: 4, MITOCHONDRION: 6}
_FEWEST_PIXELS = 1000  # of a point of the figure


def report_figures(
    comparisons: Comparisons,
    groups: list[Group],
    summaries: list[pd.DataFrame],
    parts: pd.DataFrame,
    lens: dict[str, Any],
    real: Appearance | None,
) -> "dict[str, Figure]":
    """Draw all figures, by name.

    Parameters
    ----------
    comparisons : Comparisons
        Stated and drawn.
    groups : list of Group
        Specimens of a seed and of its replicate.
    summaries : list of DataFrame
        Of each group: `Group.summaries`.
    parts : DataFrame
        Of all specimens: `Rendered.parts`.
    lens : dict
        Of `soft_lens`.
    real : Appearance, optional
        A real series.
    """
    return {
        "drawn": _draws_figure(comparisons),
        "voxels": _voxels_figure(parts, summaries),
        "light": _light_figure([light for group in groups for light in group.lights], lens),
        "looks": _looks_figure(groups, real),
    }


def captions(source: SimulatorSource) -> dict[str, str]:
    """Say what is to be seen, by the figure's name."""
    black = "" if source.series is None else f" Black: {source.series_name}."
    return {
        "drawn": "a) How far the ranks of each tested quantity are from uniform, times the root of their number: one "
        "line a quantity, dotted where one of twenty reaches by chance. Others: counts as stated (grey) and as found "
        "in the specimens (blue), for things that must find room.",
        "voxels": "a) LAC of inner voxels against what was drawn, b) LAC of a reconstruction there: small droplets are "
        "dimmed by lens, filter and missing views. c) Volume in voxels over the analytic one, by size: deformation and "
        "the raster of subsamples spread it, its mean is 1. d) Volume fractions of the specimens of both seeds.",
        "light": "a) Squared deviation of counts over their expectation, by expectation, with two standard errors. "
        "b) Spectrum of transmission: measured, without noise, and the floor that photon noise should have. "
        "c) Transfer function of a lens that ends below Nyquist (dotted) over the recipe's: measured, predicted "
        "from the recipe's series, and the ratio itself, which spectral leakage of the window does not touch.",
        "looks": "Above projections, below reconstructions: histogram, spectrum, autocorrelation. Bands hold the "
        "middle 95 % of the specimens of one seed, pointwise; lines are the means of both seeds." + black,
    }


def _draws_figure(comparisons: Comparisons) -> "Figure":
    figure = new_figure(11.4, 6.2)
    axes = figure.subplots(2, 3).ravel()
    grid = np.linspace(0, 1, 201)
    first = axes[0]
    for k, (name, ranks) in enumerate(comparisons.ranks.items()):
        found = np.searchsorted(np.sort(ranks), grid, side="right") / ranks.size
        line = np.sqrt(ranks.size) * (found - grid)
        style = ("-", "--", ":")[k // 7 % 3]
        first.plot(grid, line, linewidth=0.9, linestyle=style, color=f"C{k % 7}", label=name.split(" [")[0])
    for side in (-1, 1):
        first.axhline(1.36 * side, color="black", linewidth=0.8, linestyle=":")
    first.set(xlabel="rank in the stated law", ylabel=r"$\sqrt{n}$ (found - uniform)", ylim=(-2.2, 2.2))
    first.set_title(f"a) ranks of {len(comparisons.ranks)} tested quantities", fontsize=10)
    panels = [name for name in comparisons.counts if not name.startswith(("nuclei", "neighbours"))][:4]
    for letter, panel, name in zip("bcde", axes[1:], panels, strict=False):
        stated, found = comparisons.counts[name]
        n = np.arange(len(stated))
        seen = (stated > 1e-4) | (found > 1e-4)
        panel.bar(n, stated, width=0.9, color="#cccccc", label="stated")
        panel.plot(n[seen], found[seen], "o-", color=_STATED, markersize=3, linewidth=1, label="found")
        last = int(np.flatnonzero(seen)[-1])
        panel.set(xlabel=name, ylabel="share", xlim=(-0.8, last + 0.8))
        panel.set_title(f"{letter}) {name}", fontsize=10)
        panel.legend(fontsize=7.5)
    for panel in axes[1 + len(panels) :]:
        panel.set_axis_off()
    handles, labels = first.get_legend_handles_labels()
    axes[-1].legend(handles, labels, fontsize=7, loc="center", ncol=1, title="lines of a)", title_fontsize=8)
    return figure


def _voxels_figure(parts: pd.DataFrame, summaries: list[pd.DataFrame]) -> "Figure":
    figure = new_figure(11.4, 6.6)
    (first, second), (third, fourth) = figure.subplots(2, 2)
    for kind, label in _KIND_COLOURS.items():
        of = parts[(parts.kind == kind) & (parts.interior > 0)]
        colour = LABEL_COLOURS[label]
        first.plot(of.drawn, of.rendered, "o", markersize=2.5, color=colour, alpha=0.6, label=kind)
        second.plot(of.drawn, of.reconstructed, "o", markersize=2.5, color=colour, alpha=0.6, label=kind)
        if kind in (DROPLET, NUCLEUS):
            whole = parts[(parts.kind == kind) & parts.whole]
            radius = (3 * whole.volume_um3.astype(float) / (4 * np.pi)) ** (1 / 3)
            third.plot(
                radius, whole.visible_um3 / whole.volume_um3, "o", markersize=2.5, color=colour, alpha=0.5, label=kind
            )
    for axes, title in (
        (first, "a) inner voxels, as rendered"),
        (second, f"b) inner voxels, FBP of {RANGE_DEG:g} degrees"),
    ):
        axes.plot([0.1, 0.95], [0.1, 0.95], color="black", linewidth=0.7)
        axes.set(xlabel="LAC drawn [1/µm]", ylabel="mean LAC there [1/µm]")
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=7.5, markerscale=2)
    third.axhline(1, color="black", linewidth=0.7)
    third.set(xlabel="radius [µm]", ylabel="volume in voxels / analytic", xlim=(0, None))
    third.set_title("c) volumes", fontsize=10)
    third.legend(fontsize=7.5, markerscale=2)
    names = [str(name) for name in summaries[0].columns if str(name).startswith("volume fraction")]
    for row, name in enumerate(reversed(names)):
        for offset, frame, colour in ((0.12, summaries[0], _STATED), (-0.12, summaries[1], _REPLICATE)):
            fourth.plot(frame[name], np.full(len(frame), row + offset), "|", color=colour, markersize=9)
    fourth.set_yticks(range(len(names)), [name.removeprefix("volume fraction, ") for name in reversed(names)])
    fourth.set(xlabel="volume fraction", xlim=(0, None))
    fourth.set_title("d) volume fractions: a seed (blue), its replicate (orange)", fontsize=10)
    return figure


def _light_figure(lights: list[Light], lens: dict[str, Any]) -> "Figure":
    figure = new_figure(11.4, 3.7)
    first, second, third = figure.subplots(1, 3)
    squares, pixels = np.sum([light.by_light for light in lights], axis=0)
    seen = pixels > _FEWEST_PIXELS
    middle = np.sqrt(LIGHT_EDGES[1:] * LIGHT_EDGES[:-1])[seen]
    error = 2 * np.sqrt((2 + 1 / middle) / pixels[seen])
    first.errorbar(middle, squares[seen] / pixels[seen], error, fmt="o", color=_STATED, markersize=3.5, linewidth=1)
    first.axhline(1, color="black", linewidth=0.7)
    first.set(xlabel="expected counts", ylabel="(count - expected)² / expected", xlim=(0, None))
    reach = max(3 * float(np.median(error)), 0.01)
    first.set_ylim(1 - 3 * reach, 1 + 3 * reach)
    first.set_title("a) variance of counts", fontsize=10)
    frequency = lights[0].frequency_per_um[1:]
    for name, label, colour in (("measured", "measured", _STATED), ("noise_free", "without noise", "#2ca02c")):
        second.plot(
            frequency, np.mean([getattr(light, name) for light in lights], axis=0)[1:], color=colour, label=label
        )
    floor = float(np.mean([light.floor for light in lights]))
    second.axhline(floor, color="black", linewidth=0.8, linestyle="--", label="floor by the photons")
    second.set(xlabel="frequency [1/µm]", ylabel="power (white noise: variance)", yscale="log")
    second.set_title("b) spectrum of projections", fontsize=10)
    second.legend(fontsize=7.5)
    third.plot(lens["frequency_per_um"], lens["predicted"], color="#bbbbbb", linewidth=4, label="predicted")
    third.plot(lens["frequency_per_um"], lens["measured"], color=_STATED, linewidth=1, label="measured")
    third.plot(lens["frequency_per_um"], lens["ratio"], color="black", linewidth=0.7, linestyle="--", label="ratio")
    third.axvline(lens["cutoff_per_um"], color="black", linewidth=0.7, linestyle=":")
    third.set(xlabel="frequency [1/µm]", ylabel="transfer function over the recipe's")
    third.set_title(f"c) a lens of {lens['soft_nm']:.0f} nm over the recipe's", fontsize=10)
    third.legend(fontsize=7.5)
    return figure


def _looks_figure(groups: list[Group], real: Appearance | None) -> "Figure":
    figure = new_figure(11.4, 6.6)
    axes = figure.subplots(2, 3)
    rows = (
        ("projections", PROJECTION_BINS, "absorbance", "µm²", "u", "z"),
        ("reconstruction", RECONSTRUCTION_BINS, "LAC [1/µm]", "µm", "x", "y"),
    )
    for (which, bins, unit, power, across, along), (left, middle, right) in zip(rows, axes, strict=True):
        centres, width = (bins[1:] + bins[:-1]) / 2, bins[1] - bins[0]
        curves: list[list[Curves]] = [[getattr(look, which) for look in group.looks] for group in groups]
        shown = None if real is None else getattr(real, which)
        _band_and_means(left, centres, [[c.histogram / width for c in group] for group in curves])
        frequency = curves[0][0].frequency_per_um[1:]
        _band_and_means(middle, frequency, [[c.power[1:] for c in group] for group in curves])
        for axis, style in ((across, "-"), (along, "--")):
            lags = curves[0][0].lags_um[axis]
            _band_and_means(right, lags, [[c.autocorrelation[axis] for c in group] for group in curves], style, axis)
            if shown is not None:
                right.plot(shown.lags_um[axis], shown.autocorrelation[axis], style, color=_REAL, linewidth=1.2)
        if shown is not None:
            left.plot(centres, shown.histogram / width, color=_REAL, linewidth=1.2, label="real")
            middle.plot(shown.frequency_per_um[1:], shown.power[1:], color=_REAL, linewidth=1.2, label="real")
        mean = np.mean([c.histogram for group in curves for c in group], axis=0)
        inside = 1 + np.flatnonzero(mean[1:-1] > 2e-5)  # without what lies beyond the ends
        left.set(
            xlabel=unit, ylabel="density", yscale="log", xlim=(bins[inside[0]], bins[inside[-1] + 1]), ylim=(2e-3, None)
        )
        middle.set(xlabel="frequency [1/µm]", ylabel=f"power [{power}]", yscale="log", xlim=(0, frequency[-1]))
        right.set(xlabel="distance [µm]", ylabel="autocorrelation", xlim=(0, lags[-1]))
        right.axhline(0, color="black", linewidth=0.6)
        for panel, title in ((left, "histogram"), (middle, "spectrum"), (right, "autocorrelation")):
            panel.set_title(f"{which}: {title}", fontsize=10)
            panel.legend(fontsize=7.5)
    return figure


def _band_and_means(
    axes: Any, x: NDArray[np.float64], groups: list[list[NDArray[np.float64]]], style: str = "-", name: str = ""
) -> None:
    low, high = interval(np.array(groups[0]))
    axes.fill_between(x, low, high, color=_STATED, alpha=0.25, linewidth=0)
    for values, colour, label in zip(groups, (_STATED, _REPLICATE), ("one seed", "another seed"), strict=True):
        text = f"along {name}" if name and colour == _STATED else None if name else label
        axes.plot(x, np.mean(values, axis=0), style, color=colour, linewidth=1.2, label=text)
