"""Pictures of slices: small deterministic PNGs for the board, and a figure that sets answers beside the truth."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.files import atomic_path
from sxtbench.labels import BACKGROUND, COLOURS, NAMES

if TYPE_CHECKING:
    from PIL import Image

MOST_BYTES = 60_000
"""The largest picture that the board takes."""


GREY_WINDOW = (0.0, 0.8)
"""Black and white of slices of LAC, 1/um: from vacuum to just above a lipid droplet."""


_ERROR_WINDOW = 0.2
_FLAT = 4  # a volume this many times as wide as thick is drawn in one slice


def slice_png(kind: str, array: ArrayLike, path: str | Path) -> Path:
    """Write a slice of an answer or a target: `labels` in colours, `volume` in grey."""
    if kind == "labels":
        return label_slice_png(array, path)
    return grey_slice_png(array, path, low=GREY_WINDOW[0], high=GREY_WINDOW[1])


def sinogram(views: NDArray[np.float32], shifts_px: NDArray[np.float64], row: int) -> NDArray[np.float32]:
    """Return one row of every view, each view moved by its shift.

    Parameters
    ----------
    views : ndarray, shape (n_views, z, u), float32, absorbance
        A tilt series.
    shifts_px : ndarray, shape (n_views, 2), float, pixels
        Shift (dz, du) to apply to each view.
    row : int
        Which row is returned.

    Returns
    -------
    ndarray, shape (n_views, u), float32, absorbance
    """
    from scipy.ndimage import shift

    moved = [shift(view, by, order=1, mode="nearest")[row] for view, by in zip(views, shifts_px, strict=True)]
    return np.asarray(moved, np.float32)


def label_slice_png(labels: ArrayLike, path: str | Path, *, size: int = 256) -> Path:
    """Write a slice of labels in the suite's colours.

    Parameters
    ----------
    labels : ndarray, shape (rows, columns), integer, suite-wide labels
        A slice; row 0 is at the top.
    path : str or Path
        The PNG to write, at most 60 kB.
    size : int
        The longer side in pixels; nearest neighbour.

    Returns
    -------
    Path
        Of the picture.
    """
    from PIL import Image

    array = _slice(labels)
    unknown = sorted({int(v) for v in np.unique(array)} - COLOURS.keys())
    if unknown:
        raise InputError(f"labels {unknown} are none of the suite's ({', '.join(map(str, COLOURS))})")
    picture = Image.fromarray(array.astype(np.uint8)).resize(_scaled(array.shape, size), Image.Resampling.NEAREST)
    indexed = Image.frombytes("P", picture.size, picture.tobytes())
    indexed.putpalette([channel for label in range(256) for channel in _rgb(COLOURS.get(label, "#000000"))])
    return _write(indexed, path)


def grey_slice_png(lac: ArrayLike, path: str | Path, *, low: float, high: float, size: int = 256) -> Path:
    """Write a slice of LAC in grey, `low` black and `high` white.

    Parameters
    ----------
    lac : ndarray, shape (rows, columns), float, 1/um
        A slice; row 0 is at the top. NaN is black.
    path : str or Path
        The PNG to write, at most 60 kB: grey levels are rounded to 64, or fewer where noise would not fit.
    low, high : float
        Window, 1/um.
    size : int
        The longer side in pixels; nearest neighbour where enlarged, averaged where reduced.

    Returns
    -------
    Path
        Of the picture.
    """
    from PIL import Image

    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(f"the grey window is [{low}, {high}] 1/um, expected low < high")
    array = np.nan_to_num(_slice(lac).astype(np.float32), nan=low, posinf=high, neginf=low)
    scaled = np.clip((array - low) / (high - low), 0.0, 1.0)
    resampling = Image.Resampling.BOX if max(array.shape) > size else Image.Resampling.NEAREST
    grey = np.asarray(Image.fromarray(scaled).resize(_scaled(array.shape, size), resampling))
    for levels in (63, 31, 15):
        picture = Image.fromarray(np.rint(np.rint(grey * levels) * (255.0 / levels)).astype(np.uint8))
        if len(_png(picture)) <= MOST_BYTES:
            break
    return _write(picture, path)


def comparison_figure(
    lac: NDArray[np.floating[Any]],
    truth: NDArray[np.uint8] | None,
    answers: Mapping[str, NDArray[Any]],
    path: str | Path,
    *,
    voxel_size_nm: float,
    truth_lac: NDArray[np.floating[Any]] | None = None,
    title: str = "",
    window: tuple[float, float] = GREY_WINDOW,
    circle: tuple[float, float, float] | None = None,
) -> Path:
    """Draw input, truth and answers in the three central slices (of a slab, one), with a legend and a scale bar.

    Parameters
    ----------
    lac : ndarray, shape (z, y, x), float, 1/um
        The input's reconstruction, such as FBP.
    truth : ndarray, shape (z, y, x), uint8, labels, or None
        Left out of the figure where None (a private split).
    answers : mapping of ndarray, shape (z, y, x)
        By the name of the method: labels (integers), or LAC (float, 1/um), which is drawn beside its error where
        `truth_lac` is given.
    path : str or Path
        The PNG to write.
    voxel_size_nm : float
        Edge of a voxel, nm.
    truth_lac : ndarray, shape (z, y, x), float, 1/um, optional
        The true LAC, drawn beside the input.
    title : str
        Above the figure.
    window : tuple of two float
        Black and white of the grey slices, 1/um.
    circle : tuple of three float, voxels, optional
        Centre (y, x) and radius of a circle to draw into z slices: the region of an interior scan.

    Returns
    -------
    Path
        Of the figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, Patch

    if np.ndim(lac) != 3:
        raise InputError(f"the input has shape {np.shape(lac)}, expected (z, y, x)")
    for name, volume in answers.items():
        if volume.shape != lac.shape:
            raise InputError(f"{name}: shape {volume.shape}, expected the input's {lac.shape}")
    columns: list[tuple[str, NDArray[Any], str]] = [("input (FBP)", lac, "grey")]
    columns += [] if truth_lac is None else [("true LAC", truth_lac, "grey")]
    columns += [] if truth is None else [("truth", truth, "labels")]
    for name, answer in answers.items():
        if np.issubdtype(answer.dtype, np.integer):
            columns.append((name, answer, "labels"))
        else:
            columns.append((name, answer, "grey"))
            if truth_lac is not None:
                columns.append((f"error (±{_ERROR_WINDOW:g}/µm)", answer - truth_lac, "error"))
    colours = ListedColormap([COLOURS.get(label, "#000000") for label in range(256)])
    rows = ["z slice (y, x)", "y slice (z, x)", "x slice (z, y)"]
    if lac.shape[0] < max(lac.shape[1:]) / _FLAT:
        rows = rows[:1]

    figure = Figure(figsize=(2.3 * len(columns) + 0.5, 2.3 * len(rows) + 0.9), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    present: set[int] = set()
    looks: dict[str, dict[str, Any]] = {
        "labels": {"cmap": colours, "vmin": 0, "vmax": 255},
        "grey": {"cmap": "gray", "vmin": window[0], "vmax": window[1]},
        "error": {"cmap": "RdBu_r", "vmin": -_ERROR_WINDOW, "vmax": _ERROR_WINDOW},
    }
    for j, (name, volume, look) in enumerate(columns):
        axes[0, j].set_title(name, fontsize=9)
        for i, plane in enumerate(central_slices(volume)[: len(rows)]):
            if look == "labels":
                present |= {int(v) for v in np.unique(plane)}
            axes[i, j].imshow(plane, interpolation="nearest", **looks[look])
            axes[i, j].set(xticks=[], yticks=[])
            if circle is not None and i == 0:
                axes[i, j].add_patch(
                    Circle((circle[1], circle[0]), circle[2], fill=False, color="#f0a000", linewidth=0.8)
                )
            if j == 0:
                axes[i, j].set_ylabel(rows[i], fontsize=8)
    length_um = _scale_bar_um(lac.shape[2] * voxel_size_nm / 1000.0)
    for i in range(len(rows)):
        _draw_scale_bar(axes[i, 0], central_slices(lac)[i].shape, length_um, voxel_size_nm)
    shown = [label for label in sorted(present) if label != BACKGROUND]
    if shown:
        handles = [Patch(color=COLOURS.get(label, "#000000"), label=NAMES.get(label, str(label))) for label in shown]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(shown), 6), fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10)
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return Path(path)


def alignment_figure(
    views: NDArray[np.float32],
    truth: NDArray[np.float64],
    answers: Mapping[str, NDArray[Any]],
    path: str | Path,
    *,
    title: str = "",
) -> Path:
    """Draw one row of all views before and after each alignment, and below it the shifts over the views.

    Parameters
    ----------
    views : ndarray, shape (n_views, z, u), float32, absorbance
        A displaced series.
    truth : ndarray, shape (n_views, 2), float, pixels
        The true shifts (dz, du) to apply.
    answers : mapping of ndarray, shape (n_views, 2), float, pixels
        Shifts by the name of the method.
    path : str or Path
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

    columns = {"as taken": np.zeros_like(truth), "true shifts": truth, **answers}
    row = views.shape[1] // 2
    figure = Figure(figsize=(2.4 * len(columns) + 0.6, 6.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, len(columns), squeeze=False, height_ratios=(2, 1, 1), sharex="row", sharey="row")
    for j, (name, shifts) in enumerate(columns.items()):
        low, high = np.percentile(views[:, row], (1, 99))
        axes[0, j].imshow(sinogram(views, shifts, row).T, cmap="gray", vmin=low, vmax=high, aspect="auto")
        axes[0, j].set_title(name, fontsize=9)
        for i, component in ((1, 1), (2, 0)):
            axes[i, j].plot(truth[:, component], color="0.6", linewidth=2.5, label="true")
            axes[i, j].plot(shifts[:, component], color=COLOURS[1], linewidth=1.0, label=name)
        axes[2, j].set_xlabel("view")
    for axis, label in zip(axes[:, 0], ("u, pixels", "du, pixels", "dz, pixels"), strict=True):
        axis.set_ylabel(label)
    figure.suptitle(title, fontsize=10)
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return Path(path)


def central_slices(volume: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the central slices (y, x), (z, x) and (z, y) of a volume of shape (z, y, x)."""
    z, y, x = (n // 2 for n in volume.shape)
    return volume[z], volume[:, y], volume[:, :, x]


def _scale_bar_um(width_um: float) -> float:
    for length in (10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1):
        if length <= width_um / 3:
            return length
    return width_um / 3


def _draw_scale_bar(axes: Any, shape: tuple[int, ...], length_um: float, voxel_size_nm: float) -> None:
    from matplotlib.patches import Rectangle

    rows, columns = shape
    length = length_um * 1000.0 / voxel_size_nm
    left, top, height = 0.05 * columns, 0.92 * rows, max(0.5, 0.015 * rows)
    axes.add_patch(Rectangle((left, top), length, height, color="white", linewidth=0))
    axes.text(
        left + length / 2, top - 0.015 * rows, f"{length_um:g} µm", color="white", fontsize=7, ha="center", va="bottom"
    )


def _slice(values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 2 or not array.size:
        raise InputError(f"the slice has shape {array.shape}, expected (rows, columns)")
    return array


def _scaled(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    rows, columns = shape
    factor = size / max(rows, columns)
    return max(1, round(columns * factor)), max(1, round(rows * factor))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _png(picture: "Image.Image") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _write(picture: "Image.Image", path: str | Path) -> Path:
    content = _png(picture)
    if len(content) > MOST_BYTES:
        raise InputError(
            f"{path}: the picture takes {len(content)} bytes, at most {MOST_BYTES} are allowed; lower the size"
        )
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)
    return Path(path)
