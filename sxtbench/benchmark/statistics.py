"""Statistics of a benchmark: the interval on the mean over groups (DESIGN 10).

The unit is the group (the specimen), never the voxel or the slice. A metric's scale decides where its values are
averaged: on log scales they are transformed, averaged, and the mean and its interval are transformed back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.metrics.registry import Scale

IntervalMethod = Literal["t", "bca", "degenerate", "undefined"]

BCA_FROM = 30
"""Groups from which the interval is a bootstrap's (BCa); below it is Student's."""

RESAMPLES = 9999
_SEED = 20240117


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over groups with its interval, in the metric's own unit.

    Parameters
    ----------
    mean, low, high : float
        NaN where no group has a value.
    n_groups : int
        Groups with a value.
    method : {"t", "bca", "degenerate", "undefined"}
        `degenerate`: one group, or groups that are all equal; low and high are the mean and say nothing of the spread.
        `undefined`: no group has a value.
    """

    mean: float
    low: float
    high: float
    n_groups: int
    method: IntervalMethod


def group_interval(
    values: ArrayLike,
    *,
    scale: Scale = "linear",
    bounds: tuple[float, float] = (-math.inf, math.inf),
    confidence: float = 0.95,
) -> Interval:
    """Mean over groups and its interval: Student's t below 30 groups, BCa from 30, both clipped to the bounds.

    The result does not depend on the order of the groups, to the last bit: values are sorted first, and the
    bootstrap is seeded.

    Parameters
    ----------
    values : ndarray, shape (n_groups,), float
        One value a group in the metric's unit; NaN (undefined) is left out.
    scale : {"linear", "log2", "log10"}
        Where to average; values on a log scale must be positive.
    bounds : tuple of two float
        Least and greatest possible value, in the metric's unit.
    confidence : float
        Of the two-sided interval.

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        If a value is infinite, or not positive on a log scale.

    References
    ----------
    B. Efron, Better bootstrap confidence intervals, J. Am. Stat. Assoc. 82 (1987).

    Examples
    --------
    >>> interval = group_interval([0.7, 0.8, 0.9], bounds=(0, 1))
    >>> f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}] {interval.method}"
    '0.80 [0.55, 1.00] t'
    """
    array = np.asarray(values, np.float64).reshape(-1)
    scaled = np.sort(to_scale(array[~np.isnan(array)], scale))
    if not scaled.size:
        return Interval(mean=math.nan, low=math.nan, high=math.nan, n_groups=0, method="undefined")
    mean = math.fsum(scaled) / scaled.size
    low, high, method = _interval_on_scale(scaled, mean, confidence)
    least, greatest = bounds
    return Interval(
        mean=from_scale(mean, scale),
        low=min(max(from_scale(low, scale), least), greatest),
        high=min(max(from_scale(high, scale), least), greatest),
        n_groups=int(scaled.size),
        method=method,
    )


def to_scale(values: ArrayLike, scale: Scale) -> NDArray[np.float64]:
    """Transform values of a metric to the scale they are averaged on; NaN stays.

    >>> to_scale([1.0, 100.0], "log10").tolist()
    [0.0, 2.0]
    """
    array = np.asarray(values, np.float64)
    if np.isinf(array).any():
        raise InputError("a group's value is infinite, expected finite values or NaN for an undefined one")
    if scale == "linear":
        return array
    if (array <= 0).any():
        raise InputError(f"a group's value is {np.nanmin(array):g}, a metric on a {scale} scale must be positive")
    return np.asarray(np.log2(array) if scale == "log2" else np.log10(array))


def from_scale(value: float, scale: Scale) -> float:
    """Transform one value back to the metric's unit; what overflows is infinite.

    >>> from_scale(3.0, "log2")
    8.0
    """
    if scale == "linear":
        return float(value)
    try:
        return float((2.0 if scale == "log2" else 10.0) ** value)
    except OverflowError:
        return math.inf


def mean_on_scale(values: Sequence[float], scale: Scale) -> float:
    """Mean on the scale, back-transformed, of the values that are not NaN; NaN if there are none.

    >>> mean_on_scale([1.0, 100.0], "log10")
    10.0
    """
    array = np.asarray(values, np.float64)
    scaled = np.sort(to_scale(array[~np.isnan(array)], scale))
    return from_scale(math.fsum(scaled) / scaled.size, scale) if scaled.size else math.nan


def _interval_on_scale(
    values: NDArray[np.float64], mean: float, confidence: float
) -> tuple[float, float, IntervalMethod]:
    if values.size == 1 or values[-1] - values[0] <= 1e-12 * max(1.0, abs(mean)):
        return mean, mean, "degenerate"
    if values.size >= BCA_FROM:
        low, high = _bca(values, confidence)
        if math.isfinite(low) and math.isfinite(high):
            return low, high, "bca"
    low, high = _student(values, mean, confidence)
    return low, high, "t"


def _student(values: NDArray[np.float64], mean: float, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(values.size - 1, (1 + confidence) / 2)) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return mean - half, mean + half


def _bca(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    import warnings

    from scipy.stats import DegenerateDataWarning, bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # not finite then, and Student's takes over
        interval = bootstrap(
            (values,),
            np.mean,
            confidence_level=confidence,
            n_resamples=RESAMPLES,
            method="BCa",
            vectorized=True,
            random_state=np.random.default_rng(_SEED),
        ).confidence_interval
    return float(interval.low), float(interval.high)
