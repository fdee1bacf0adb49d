"""A figure of one result: the score of each specimen, and the curves over the axes."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sxtbench.benchmark.plots import rows_at_reference
from sxtbench.benchmark.records import Axis, level_text
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.summary import headline_by_class
from sxtbench.benchmark.wording import axis_title, metric_title
from sxtbench.errors import InputError
from sxtbench.files import atomic_path
from sxtbench.labels import COLOURS, NAMES
from sxtbench.metrics.registry import METRICS, Metric, get_metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOUR = COLOURS[1]
_INSIDE, _OUTSIDE = "fsc_mean_in@1", "fsc_mean_out@1"


def result_figure(result: Result, path: Path) -> Path:
    """Draw a panel with a dot a specimen (by class where the metric has classes) and a panel an axis with its curve.

    Where the result tells the information in and out of the measured directions, a second row holds their curves.

    Parameters
    ----------
    result : Result
        From `evaluate` or `load_result`.
    path : Path
        The PNG to write; equal results give equal bytes.

    Returns
    -------
    Path
        Of the figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    primary = get_metric(result.primary)
    ordered = sorted(result.axes.items(), key=lambda item: (-len(item[1].levels), item[0]))
    axes = {name: axis for name, axis in ordered if _has_curve(result, primary.id, name)}
    informed = [name for name in axes if _has_curve(result, _INSIDE, name)]
    rows, columns = 1 + bool(informed), 1 + len(axes)
    figure = Figure(figsize=(4.2 * columns, 3.8 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False)
    _draw_specimens(panels[0, 0], result, primary)
    for column, (name, axis) in enumerate(axes.items(), start=1):
        _draw_curve(panels[0, column], result, primary, name, axis, colour=_COLOUR)
        panels[0, column].set(xlabel=axis_title(name), ylabel=metric_title(primary))
        if primary.bounds == (0.0, 1.0):
            panels[0, column].set_ylim(0, 1)
        if name in informed:
            for metric, colour in ((_INSIDE, COLOURS[4]), (_OUTSIDE, COLOURS[8])):
                if _has_curve(result, metric, name):
                    _draw_curve(panels[1, column], result, METRICS[metric], name, axis, colour=colour)
            panels[1, column].set(xlabel=axis_title(name), ylabel="FSC with the truth, mean to Nyquist", ylim=(None, 1))
            panels[1, column].legend(fontsize=8, frameon=False)
    for panel in panels[1:, :].flat:
        panel.set_visible(panel.has_data())
    figure.suptitle(f"{result.method.name} on {result.task}, {result.tier}, {result.split}", fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return path


def _has_curve(result: Result, metric: str, axis: str) -> bool:
    try:
        curve = result.curve(metric, axis)
    except InputError:
        return False
    return not np.isnan(curve.mean).all()


def _draw_specimens(panel: "Axes", result: Result, primary: Metric) -> None:
    by_class = headline_by_class(result)
    metric = METRICS[by_class] if by_class else primary
    labels: list[int | None] = [None]
    if by_class:
        labels = list(sorted({r.class_ for r in result.rows if r.metric == by_class and r.class_ is not None}))
    for place, label in enumerate(labels):
        values = np.array([row.value for row in rows_at_reference(result, metric, label)])
        values = values[~np.isnan(values)]
        spread = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else np.zeros(len(values))
        colour = _COLOUR if label is None else COLOURS.get(label, "#777777")
        panel.plot(place + spread, values, "o", color=colour, alpha=0.8, markersize=5)
        if len(values):
            panel.plot([place - 0.25, place + 0.25], [values.mean()] * 2, color="black", linewidth=1.5)
    names = ["" if label is None else NAMES.get(label, str(label)) for label in labels]
    panel.set(xticks=range(len(labels)), xticklabels=names, xlim=(-0.6, len(labels) - 0.4), ylabel=metric_title(metric))
    if metric.bounds == (0.0, 1.0):
        panel.set_ylim(0, 1)
    panel.set_title("each specimen at the reference level", fontsize=9)


def _draw_curve(panel: "Axes", result: Result, metric: Metric, name: str, axis: Axis, *, colour: str) -> None:
    """Draw one curve; the levels stand at equal distances in the axis's order, so that levels may be words."""
    curve = result.curve(metric.id, name)
    x = [axis.levels.index(level) for level in curve.levels]
    mean, low, high = np.array(curve.mean), np.array(curve.low), np.array(curve.high)
    panel.errorbar(x, mean, yerr=[mean - low, high - mean], marker="o", capsize=3, color=colour, label=metric.name)
    panel.axvline(axis.levels.index(axis.reference), color="0.7", linestyle=":", zorder=0)
    ticks = range(len(axis.levels))
    panel.set(xticks=ticks, xticklabels=[level_text(level) for level in axis.levels], xlim=(-0.4, ticks[-1] + 0.4))
