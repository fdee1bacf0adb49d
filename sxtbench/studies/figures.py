"""Figures of studies: made without a window system, saved small."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "60": "#1f77b4",
    "35": "#ff7f0e",
    "interior": "#2ca02c",
    "combined": "#d62728",
    "reference": "#555555",
    "deconvolved": "#9467bd",
    "sparse": "#8c564b",
}
"""One colour for one kind of scan in all figures: the paper's, for figure 3."""

_DPI = 110
_COLOURS_KEPT = 255
_MOST_BYTES = 200_000


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure, inches, that nothing but `save_png` needs to know.

    >>> new_figure(4, 3).get_size_inches().tolist()
    [4.0, 3.0]
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_png(figure: "Figure", path: Path) -> None:
    """Write a figure for the docs: in true colours, or with a palette where those take more than 200 kB."""
    from PIL import Image

    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    stream.seek(0)
    picture = Image.open(stream).convert("RGB")
    whole = io.BytesIO()
    picture.save(whole, format="PNG", optimize=True)
    if whole.tell() > _MOST_BYTES:
        # Median cut would drop the rare ends of a colour scale.
        picture = picture.quantize(_COLOURS_KEPT, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def show_slice(
    axes: "Axes",
    image: NDArray[np.floating[Any]],
    *,
    voxel_size_nm: float,
    window: Sequence[float],
    title: str,
    cmap: str = "gray",
    bar: bool = False,
    circles_um: Sequence[float] = (),
) -> Any:
    """Draw a slice about its centre in um, y downwards, with circles about the axis and a scale bar where asked.

    Parameters
    ----------
    axes : Axes
        Where.
    image : ndarray, shape (y, x)
        The slice.
    voxel_size_nm : float, nm
        Edge of a pixel.
    window : two floats
        Values that are black and white.
    title : str
        Above it.
    cmap : str
        Colours.
    bar : bool
        Whether to draw a scale bar.
    circles_um : sequence of float, um
        Radii of circles about the axis, dashed.

    Returns
    -------
    AxesImage
        For a colour bar.
    """
    from matplotlib.patches import Circle, Rectangle

    rows, columns = image.shape
    half_y, half_x = (n * voxel_size_nm / 2000.0 for n in (rows, columns))
    shown = axes.imshow(
        image,
        cmap=cmap,
        vmin=window[0],
        vmax=window[1],
        extent=(-half_x, half_x, half_y, -half_y),
        interpolation="nearest",
    )
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=9)
    for radius in circles_um:
        axes.add_patch(Circle((0, 0), radius, fill=False, linestyle="--", linewidth=0.8, color="#ffd400"))
    if bar:
        length = next((um for um in (10.0, 5.0, 2.0, 1.0, 0.5) if um <= 2 * half_x / 3), half_x / 2)
        left, top = -0.92 * half_x, 0.88 * half_y
        axes.add_patch(Rectangle((left, top), length, 0.03 * half_y, color="white", linewidth=0))
        axes.text(left + length / 2, top - 0.03 * half_y, f"{length:g} µm", color="white", fontsize=7, ha="center")
    return shown
