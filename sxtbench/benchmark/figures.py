"""A figure of one result: the score of each specimen by class, and the curves over the axes."""

from pathlib import Path

import numpy as np

from sxtbench.benchmark.result import MEAN_OF_LEVELS, Result
from sxtbench.files import atomic_path
from sxtbench.labels import COLOURS, NAMES


def result_figure(result: Result, path: Path) -> Path:
    """Draw one panel with a dot a specimen and class, and one panel an axis with its curve.

    Parameters
    ----------
    result : Result
        From `evaluate` or `load_result`.
    path : Path
        The PNG to write.

    Returns
    -------
    Path
        Of the figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * (1 + len(result.axes)), 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 1 + len(result.axes), squeeze=False)[0]
    reference = {name: axis.reference for name, axis in result.axes.items()}
    per_class = [row for row in result.rows if row.metric == "iou@1" and {**reference, **row.condition} == reference]
    labels = sorted({row.class_ for row in per_class if row.class_ is not None})
    for place, label in enumerate(labels):
        values = np.array([row.value for row in per_class if row.class_ == label])
        spread = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else np.zeros(len(values))
        panels[0].plot(place + spread, values, "o", color=COLOURS[label], alpha=0.8, markersize=5)
        panels[0].plot([place - 0.25, place + 0.25], [np.nanmean(values)] * 2, color="black", linewidth=1.5)
    panels[0].set(xticks=range(len(labels)), xticklabels=[NAMES[label] for label in labels], ylim=(0, 1), ylabel="IoU")
    panels[0].set_title("each specimen at the reference level", fontsize=9)
    for panel, (name, axis) in zip(panels[1:], result.axes.items(), strict=True):
        points = [
            found
            for found in result.aggregates
            if found.metric == result.primary and list(found.level) == [name] and found.level[name] != MEAN_OF_LEVELS
        ]
        x = [float(found.level[name]) for found in points]
        mean, low, high = (np.array([getattr(found, key) for found in points]) for key in ("mean", "low", "high"))
        panel.errorbar(x, mean, yerr=[mean - low, high - mean], marker="o", capsize=3, color=COLOURS[1])
        panel.axvline(float(axis.reference), color="0.7", linestyle=":", zorder=0)
        panel.set(xlabel=name, ylabel=result.primary, ylim=(0, 1))
    figure.suptitle(f"{result.method.name} on {result.task}, {result.tier}, {result.split}", fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return path
