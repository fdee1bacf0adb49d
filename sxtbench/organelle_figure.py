"""The figure of `sxtbench quantify`: slices of the labels, and each organelle's size, LAC or shape, and place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.files import atomic_path
from sxtbench.labels import BACKGROUND, COLOURS, NAMES, UNLABELLED
from sxtbench.pictures import central_slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sxtbench.metrics.morphology import Quantities

_OTHERS = ("#e69f00", "#0072b2", "#cc79a7", "#009e73", "#d55e00", "#56b4e9")  # classes that the suite has no colour for


def organelle_figure(
    labels: NDArray[np.uint8],
    found: "Quantities",
    path: str | Path,
    *,
    voxel_size_nm: Sequence[float],
    names: Mapping[int, str] = NAMES,
    title: str = "",
) -> Path:
    """Draw two central slices and three panels with a dot an organelle.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), uint8, labels
        What was measured.
    found : Quantities
        From `sxtbench.metrics.quantify`.
    path : str or Path
        The PNG to write; equal tables give equal bytes.
    voxel_size_nm : sequence of three float, nm
        Edges of a voxel along (z, y, x).
    names : mapping of str
        Of the labels.
    title : str
        Above the figure.

    Returns
    -------
    Path
        Of the figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    colours = {label: _colour(label) for label in range(UNLABELLED + 1)}
    figure = Figure(figsize=(15.5, 3.9), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 5)
    z, y, x = (edge / 1000 for edge in voxel_size_nm)
    slices = central_slices(labels)
    for panel, plane, (rows, columns, sides) in zip(
        panels, slices, ((y, x, "yx"), (z, x, "zx"), (z, y, "zy")), strict=False
    ):
        if panel is panels[2]:
            break
        height, width = plane.shape[0] * rows, plane.shape[1] * columns
        panel.imshow(
            plane, cmap=ListedColormap(list(colours.values())), vmin=0, vmax=UNLABELLED, interpolation="nearest",
            extent=(0, width, height, 0),
        )  # fmt: skip
        panel.set(xlabel=f"{sides[1]}, µm", ylabel=f"{sides[0]}, µm", title=f"central slice ({sides[0]}, {sides[1]})")
        panel.title.set_fontsize(9)
    table = found.organelles
    kinds = sorted({int(label) for label in table["class"]})
    _dots(panels[2], table, kinds, names, "equivalent_radius_um", "radius of the ball of equal volume, µm")
    if table["mean_lac_per_um"].notna().any():
        _dots(panels[3], table, kinds, names, "mean_lac_per_um", "mean LAC, 1/µm")
    else:
        _dots(panels[3], table, kinds, names, "sphericity", "sphericity")
    if table["to_cell_surface_um"].notna().any():
        _dots(panels[4], table, kinds, names, "to_cell_surface_um", "distance to the cell's surface, µm")
    else:
        _dots(panels[4], table, kinds, names, "surface_um2", "surface, µm²")
        panels[4].set_yscale("log")
    shown = [int(v) for v in np.unique(np.concatenate([plane.reshape(-1) for plane in slices[:2]])) if v != BACKGROUND]
    handles = [Patch(color=colours[label], label=names.get(label, str(label))) for label in shown]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10)
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return Path(path)


def _dots(panel: "Axes", table: Any, kinds: Sequence[int], names: Mapping[int, str], column: str, title: str) -> None:
    """Draw a dot an object above the name and number of its kind, hollow where the volume cuts it."""
    ticks = []
    for place, label in enumerate(kinds):
        rows = table[table["class"] == label]
        spread = np.linspace(-0.25, 0.25, len(rows)) if len(rows) > 1 else np.zeros(len(rows))
        cut = rows["at_border"].to_numpy(bool)
        face = ["none" if hollow else _colour(label) for hollow in cut]
        panel.scatter(place + spread, rows[column], s=16, facecolors=face, edgecolors=_colour(label), linewidths=0.9)
        ticks.append(f"{names.get(label, str(label)).split('/')[0]}\n{len(rows)}")
    turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if len(kinds) > 3 else {}
    panel.set_xticks(range(len(kinds)), ticks, fontsize=8, **turned)
    panel.set(xlim=(-0.6, len(kinds) - 0.4), title=title)
    panel.title.set_fontsize(9)
    if panel.get_ylim()[0] < 0 or column != "surface_um2":
        panel.set_ylim(bottom=0)


def _colour(label: int) -> str:
    return COLOURS.get(label, _OTHERS[label % len(_OTHERS)])
