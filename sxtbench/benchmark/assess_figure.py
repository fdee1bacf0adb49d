"""The figure of `sxtbench assess`: the half sets' correlation, the LAC, and where a user's data lie among ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sxtbench.benchmark.assess import Reference, Row
from sxtbench.files import atomic_path
from sxtbench.metrics.reference_free import HISTOGRAM_EDGES, Assessment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_YOURS, _OURS = "#d55e00", "#4477aa"
_LAC_SHOWN = (-0.3, 1.0)  # 1/um
_SHOWN = ("frc_seventh_nm", "frc_mean", "noise_per_um", "held_out_rms", "held_out_chi2", "lac_p50", "lac_p99")


def assess_figure(
    measured: Assessment, rows: Sequence[Row], reference: Reference | None, path: Path, *, title: str = ""
) -> Path:
    """Draw up to three panels.

    Parameters
    ----------
    measured : Assessment
        Of a user's data.
    rows : sequence of Row
        From `sxtbench.benchmark.assess.table`.
    reference : Reference or None
        Of our samples.
    path : Path
        The PNG to write.
    title : str
        Above the figure.

    Returns
    -------
    Path
        Of the figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [
        row for row in rows if row.name in _SHOWN and reference is not None and np.isfinite([row.yours, row.low]).all()
    ]
    panels = 1 + (measured.curve is not None) + bool(shown)
    figure = Figure(figsize=(4.6 * panels, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    if measured.curve is not None:
        curve, axis = measured.curve, axes.pop(0)
        axis.plot(curve.frequency * 1000, curve.correlation, color=_YOURS)
        axis.axhline(1 / 7, color="0.5", linewidth=0.8, linestyle="--")
        axis.text(curve.frequency[-1] * 1000, 1 / 7, "1/7", color="0.4", fontsize=8, ha="right", va="bottom")
        axis.set(xlabel="spatial frequency, 1/µm", ylabel="ring correlation", ylim=(-0.1, 1.05))
        axis.set_title("even against odd tilts", fontsize=9)
    _lac(axes.pop(0), measured, reference)
    if shown and reference is not None:
        _places(axes[0], shown, reference)
    figure.suptitle(title, fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return path


def _lac(axis: "Axes", measured: Assessment, reference: Reference | None) -> None:
    if reference is not None:
        axis.stairs(reference.histogram, HISTOGRAM_EDGES, fill=True, color=_OURS, alpha=0.4, label=reference.dataset)
    axis.stairs(measured.histogram, HISTOGRAM_EDGES, color=_YOURS, label="yours")
    axis.set(xlabel="LAC, 1/µm", ylabel="share of voxels", xlim=_LAC_SHOWN)
    axis.set_title("LAC in the inscribed cylinder", fontsize=9)
    axis.legend(fontsize=8, frameon=False)


def _places(axis: "Axes", rows: Sequence[Row], reference: Reference) -> None:
    """Draw a line a number: dots of our samples and a mark for yours, over the span of both."""
    for i, row in enumerate(rows):
        ours = reference.finite(row.name)
        low, high = min(ours.min(), row.yours), max(ours.max(), row.yours)
        span = (high - low) or 1.0
        axis.plot((ours - low) / span, np.full(ours.size, i), "o", color=_OURS, alpha=0.5, markersize=4)
        axis.plot((row.yours - low) / span, i, "D", color=_YOURS, markersize=7)
    axis.set(yticks=range(len(rows)), xticks=[], xlim=(-0.08, 1.08))
    axis.set_yticklabels([row.label for row in rows], fontsize=8)
    axis.invert_yaxis()
    axis.set_title(f"yours among {len(reference.samples)} samples, low to high", fontsize=9)
