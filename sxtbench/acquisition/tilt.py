"""Tilt schemes: which angles an instrument was told, which it took, and which are missing.

One series over the whole range is drawn once a specimen. Smaller tilt ranges are windows of it, so that levels of a
curve share their views (common random numbers, PROTOCOL 1.12).
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sxtbench.distributions import Distribution, Parameters
from sxtbench.errors import InputError

_TOLERANCE_DEG = 1e-6
_TRIES = 10_000  # to lose views in runs that do not touch


class TiltParameters(Parameters):
    """A tilt scheme of a flat grid.

    Parameters
    ----------
    range_deg : float, degrees
        Whole range of the nominal angles, centred on 0.
    step_deg : float, degrees
        Step of the nominal angles.
    offset_deg : Distribution, degrees
        Centre of the windows that smaller tilt ranges keep.
    dropped_share : float
        Share of the views that are lost.
    longest_dropped_run : int
        Most neighbouring views that may be lost together.
    jitter_sd_deg : float, degrees
        Standard deviation of true minus nominal angle.
    """

    range_deg: Annotated[float, Field(gt=0, lt=180)]
    step_deg: Annotated[float, Field(gt=0)]
    offset_deg: Distribution
    dropped_share: Annotated[float, Field(ge=0, lt=1)]
    longest_dropped_run: Annotated[int, Field(ge=1)]
    jitter_sd_deg: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _never_singular(self) -> "TiltParameters":
        if self.range_deg / 2 + 6 * self.jitter_sd_deg >= 90:
            raise ValueError(
                f"range_deg {self.range_deg} with jitter_sd_deg {self.jitter_sd_deg} reaches 90 degrees, "
                "where a flat grid is parallel to the beam"
            )
        return self


@dataclass(frozen=True, eq=False)
class TiltScheme:
    """The angles of one tilt series.

    Parameters
    ----------
    nominal_deg : ndarray, shape (n,), float64, degrees
        What the instrument was told, ascending.
    true_deg : ndarray, shape (n,), float64, degrees
        What it took.
    offset_deg : float, degrees
        Centre of the windows of smaller tilt ranges.
    """

    nominal_deg: NDArray[np.float64]
    true_deg: NDArray[np.float64]
    offset_deg: float


def draw_tilt_scheme(parameters: TiltParameters, rng: np.random.Generator) -> TiltScheme:
    """Draw the angles of one tilt series.

    Exactly `round(dropped_share * n)` of the n nominal angles are lost, in runs of 1 to `longest_dropped_run` between
    which at least one view is kept.

    >>> p = TiltParameters(range_deg=140, step_deg=2, offset_deg=0, dropped_share=0.2, longest_dropped_run=3,
    ...                    jitter_sd_deg=0.1)
    >>> len(draw_tilt_scheme(p, np.random.default_rng(0)).nominal_deg)
    57
    """
    steps = int(np.floor(parameters.range_deg / parameters.step_deg + _TOLERANCE_DEG))
    planned = (np.arange(steps + 1, dtype=np.float64) - steps / 2) * parameters.step_deg
    offset = parameters.offset_deg.draw(rng)
    kept = _keep(planned.size, parameters.dropped_share, parameters.longest_dropped_run, rng)
    nominal = planned[kept]
    # clipped where TiltParameters promises to stay: six standard deviations
    jitter = np.clip(rng.standard_normal(nominal.size), -6, 6) * parameters.jitter_sd_deg
    return TiltScheme(nominal_deg=nominal, true_deg=nominal + jitter, offset_deg=offset)


def select_range(
    nominal_deg: NDArray[np.float64], *, offset_deg: float, tilt_range_deg: float, full_range_deg: float
) -> NDArray[np.int64]:
    """Return the indices of the views that a tilt range keeps.

    The full range keeps all views, a smaller one the nominal angles within `offset_deg +- tilt_range_deg / 2`, both
    ends included: levels are nested.

    Parameters
    ----------
    nominal_deg : ndarray, shape (n,), float64, degrees
        Nominal angles of the whole series.
    offset_deg, tilt_range_deg, full_range_deg : float, degrees
        Centre of the window, its width, the width of the whole series.

    Returns
    -------
    ndarray, shape (kept,), int64
        Ascending indices into the series.
    """
    nominal = np.asarray(nominal_deg, np.float64)
    if tilt_range_deg >= full_range_deg - _TOLERANCE_DEG:
        return np.arange(nominal.size)
    return np.flatnonzero(np.abs(nominal - offset_deg) <= tilt_range_deg / 2 + _TOLERANCE_DEG)


def full_rotation_deg(n: int, *, mirror_images: bool = False) -> NDArray[np.float64]:
    """Return the angles of a specimen that can be turned all round, in steps of 180 / n.

    Parameters
    ----------
    n : int
        Views.
    mirror_images : bool
        Over a whole turn: every second direction is seen from the other side, so that the views of the second half turn
        lie between those of the first. Out of focus, and with a beam that fades, the two sides differ.

    Returns
    -------
    ndarray, shape (n,), float64, degrees
        Ascending, from 0.

    Examples
    --------
    >>> full_rotation_deg(4).tolist(), full_rotation_deg(4, mirror_images=True).tolist()
    ([0.0, 45.0, 90.0, 135.0], [0.0, 90.0, 225.0, 315.0])
    """
    if n < 1:
        raise InputError(f"a scan has {n} views, expected at least 1")
    directions = np.arange(n, dtype=np.float64) * (180.0 / n)
    return np.concatenate([directions[::2], directions[1::2] + 180.0]) if mirror_images else directions


def _keep(n: int, share: float, longest: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which of n views are kept: runs of lost views in distinct gaps between kept ones, so that none merge."""
    lost = round(share * n)
    gaps = n - lost + 1
    for _ in range(_TRIES):
        runs: list[int] = []
        while sum(runs) < lost:
            runs.append(min(int(rng.integers(1, longest + 1)), lost - sum(runs)))
        if len(runs) <= gaps:
            break
    else:
        raise InputError(
            f"the recipe cannot lose {lost} of {n} views in runs of at most {longest} that do not touch; dropped_share "
            "must be smaller, or longest_dropped_run larger"
        )
    before = np.zeros(gaps, np.int64)
    before[rng.choice(gaps, size=len(runs), replace=False)] = runs
    kept = np.zeros(n, np.bool_)
    kept[np.cumsum(before[:-1]) + np.arange(gaps - 1)] = True
    return kept
