"""Files of tilt angles: IMOD's `.rawtlt` and `.tlt`, plain text, npy."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.files import write_text
from sxtbench.formats.content import readable

_BESIDE = (".rawtlt", ".tlt")
_LEAST_SPAN_DEG = 5.0
_MOST_DEG = 400.0
_RADIANS = 2 * np.pi + 0.01


def read_angles(path: Path) -> NDArray[np.float64]:
    """Read one angle a line (text), or a list of them (npy).

    Raises
    ------
    InputError
        For a file that is missing or holds anything else.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file of angles")
    if path.suffix.lower() == ".npy":
        with readable(path, "npy"):
            angles = np.load(path, allow_pickle=False)
        if angles.ndim != 1 or angles.dtype.kind not in "iuf":
            raise InputError(f"{path} holds {angles.dtype} of shape {angles.shape}, expected one angle a view")
        return np.asarray(angles, np.float64)
    with readable(path, "a text of angles"):
        lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].replace(",", " ").split()
        try:
            found += [float(word) for word in words]
        except ValueError:
            raise InputError(f"{path}, line {number}: {line.strip()[:40]!r}, expected one angle in degrees") from None
        if len(words) > 1:
            raise InputError(f"{path}, line {number}: {len(words)} numbers, expected one angle in degrees")
    return np.array(found)


def angles_beside(path: Path) -> Path | None:
    """Return the file of angles that lies beside a stack and bears its name; None where there is none.

    Raises
    ------
    InputError
        Where there are both: `.rawtlt` are the nominal angles and `.tlt` those after alignment.
    """
    found = [other for ending in _BESIDE if (other := path.with_suffix(ending)).is_file()]
    if len(found) > 1:
        raise InputError(f"{path}: {found[0].name} and {found[1].name} lie beside it; --angles says which is right")
    return found[0] if found else None


def write_angles(path: Path, angles_deg: ArrayLike) -> None:
    """Write one angle a line, exactly."""
    write_text(path, "".join(f"{angle!r}\n" for angle in np.asarray(angles_deg, np.float64).tolist()))


def checked_angles(angles_deg: NDArray[np.float64], views: int, where: str) -> NDArray[np.float64]:
    """Return angles that can be those of a tilt series in degrees, or raise one line.

    Parameters
    ----------
    angles_deg : ndarray, shape (n,), float64
        As they were read.
    views : int
        How many there must be.
    where : str
        Names their file in errors.
    """
    if len(angles_deg) != views:
        raise InputError(f"{where}: {len(angles_deg)} angles, expected {views}, one for each view")
    if not np.isfinite(angles_deg).all():
        raise InputError(f"{where}: angle {int(np.flatnonzero(~np.isfinite(angles_deg))[0])} is not a finite number")
    if np.abs(angles_deg).max() > _MOST_DEG:
        raise InputError(f"{where}: angles reach {np.abs(angles_deg).max():g}, expected degrees within {_MOST_DEG:g}")
    span = float(np.ptp(angles_deg))
    if views > 3 and np.abs(angles_deg).max() <= _RADIANS and np.median(np.abs(np.diff(angles_deg))) < 0.1:
        raise InputError(f"{where}: angles span {span:.3g}, which look like radians; expected degrees")
    if views > 1 and span < _LEAST_SPAN_DEG:
        raise InputError(f"{where}: angles span {span:.3g} degrees, expected those of a tilt series")
    return angles_deg
