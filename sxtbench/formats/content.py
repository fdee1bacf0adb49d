"""What readers of all formats share: what a file holds, its units and axes, and errors of one line."""

import importlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError

NM = {
    "nm": 1.0, "nanometer": 1.0, "a": 0.1, "å": 0.1, "angstrom": 0.1, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3,
    "microns": 1e3, "micrometer": 1e3, "micrometre": 1e3, "nanometre": 1.0, "millimeter": 1e6, r"\u00b5m": 1e3,
    "mm": 1e6, "cm": 1e7, "m": 1e9,
}  # fmt: skip
"""Units of length, as files name them."""

_CUBIC = 0.01  # edges of a voxel may differ by this much, relative


@dataclass(frozen=True, eq=False)
class Content:
    """What a file holds: an array in the file's axes, and of a segmentation its segments and place.

    `edges_nm` are those of its voxels along its axes; empty where it does not say, two where it leaves out the first.
    `notes` are what sxtbench wrote into the header: `axes`, `values`, `energy_ev`.
    """

    array: NDArray[Any]
    edges_nm: Sequence[float] = ()
    segments: Mapping[str, int] | None = None
    offset: tuple[int, ...] = (0, 0, 0)
    notes: Mapping[str, str] = field(default_factory=dict)


def notes_text(**notes: object) -> str:
    """Return what goes into a header beside what its format has a place for.

    >>> notes_text(axes="yzx", energy_ev=510.0)
    'sxtbench: axes=yzx energy_ev=510.0'
    """
    return "sxtbench: " + " ".join(f"{key}={value}" for key, value in notes.items() if value is not None)


def notes_of(text: str) -> dict[str, str]:
    """Read `notes_text` back; nothing where other programs wrote the text.

    >>> notes_of("sxtbench: axes=yzx energy_ev=510.0"), notes_of("axes=yzx")
    ({'axes': 'yzx', 'energy_ev': '510.0'}, {})
    """
    own = re.search(r"sxtbench: (.*)", text)
    return dict(re.findall(r"(\w+)=(\S+)", own[1])) if own else {}


Reader = Callable[[Path], Content]


def existing(path: Path | str, readers: Mapping[str, object]) -> Path:
    """Return the path of a file that is there, or raise; its ending must be one of those of `readers`."""
    path = Path(path)
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: unknown ending {path.suffix!r}, expected one of {', '.join(sorted(readers))}")
    if not path.is_file() and not (path.suffix.lower() == ".zarr" and path.is_dir()):
        raise InputError(f"{path}: {'a folder, expected a file' if path.is_dir() else 'there is no such file'}")
    return path


def library(name: str, path: Path, *, package: str = "") -> Any:
    """Import what reads or writes a format, or raise one line that names the extra."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise InputError(
            f'{path.name} needs {package or name}, which is not installed: pip install "sxtbench[formats]"'
        ) from None


@contextmanager
def readable(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a reader raises on a broken file into one line, and keep its warnings to itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).split(". ")[0][:200] or type(error).__name__
        raise InputError(f"{path} cannot be read as {what} ({reason})") from None


def cubic(sizes_nm: Sequence[float], path: Path) -> float | None:
    """Return the edge of a voxel; None unless all that are given are positive."""
    if not sizes_nm or not all(np.isfinite(size) and size > 0 for size in sizes_nm):
        return None
    if max(sizes_nm) > min(sizes_nm) * (1 + _CUBIC):
        edges = " x ".join(f"{size:.4g}" for size in reversed(sizes_nm))
        raise InputError(f"{path} has voxels of {edges} nm (x, y, z), expected cubes: resample it")
    return float(f"{np.mean(sizes_nm):.6g}")


def edges_zyx(edges_nm: Sequence[float], axes: str) -> tuple[float, float, float] | None:
    """Return the edges of a voxel along (z, y, x), of those along the file's axes; None unless all are positive."""
    whole = [edges_nm[-1], *edges_nm] if len(edges_nm) == 2 else list(edges_nm)
    if len(whole) != 3 or not all(np.isfinite(size) and size > 0 for size in whole):
        return None
    z, y, x = (float(f"{whole[axis]:.6g}") for axis in axis_order(axes))
    return z, y, x


def axis_order(axes: str) -> list[int]:
    """Return which of the file's axes is z, which y, which x."""
    if sorted(axes) != ["x", "y", "z"]:
        raise InputError(f'axes is {axes!r}, expected an order of x, y and z such as "zyx" or "yzx"')
    return [axes.index(axis) for axis in "zyx"]


def file_axes(content: Content, axes: str | None) -> str:
    """Return what the axes of a file mean: as asked for, else as the file says, else `zyx`."""
    return axes or content.notes.get("axes", "zyx")


def ordered(array: NDArray[Any], axes: str, path: Path) -> NDArray[Any]:
    """Bring the file's slices, rows and columns to (z, y, x)."""
    order = axis_order(axes)
    if array.ndim != 3 or not array.size:
        raise InputError(f"{path} has shape {array.shape}, expected three axes: slices, rows, columns")
    return array.transpose(order)
