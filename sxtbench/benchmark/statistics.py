"""Statistics of a benchmark: intervals on means over groups, paired differences, many of them at once (DESIGN 10).

The unit is the group (the specimen), never the voxel or the slice. A metric's scale decides where its values are
averaged: on log scales they are transformed, averaged, and the mean and its interval are transformed back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.metrics.registry import Centre, Metric, Scale

IntervalMethod = Literal["t", "bca", "seeds", "order", "degenerate", "undefined"]

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
    method : {"t", "bca", "seeds", "order", "degenerate", "undefined"}
        `seeds`: of specimens and training seeds. `order`: two order statistics about a median. `degenerate`: one group,
        or groups that are all equal; low and high are the mean and say nothing of the spread. `undefined`: no group has
        a value.
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
    centre: Centre = "mean",
) -> Interval:
    """Mean over groups and its interval: Student's t below 30 groups, BCa from 30, both clipped to the bounds.

    A median lies between two order statistics (the sign test's interval), from the least to the greatest of few groups.

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
    centre : {"mean", "median"}
        What is told of the groups, under the name `mean`.

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
    mean = float(np.median(scaled)) if centre == "median" else math.fsum(scaled) / scaled.size
    found = _about_median if centre == "median" else _interval_on_scale
    low, high, method = found(scaled, mean, confidence)
    of_scaled = Interval(mean=mean, low=low, high=high, n_groups=int(scaled.size), method=method)
    return in_unit(of_scaled, scale=scale, bounds=bounds)


def in_unit(interval: Interval, *, scale: Scale, bounds: tuple[float, float]) -> Interval:
    """Transform an interval on a metric's scale to the metric's unit, its ends clipped to the bounds.

    >>> in_unit(Interval(mean=1, low=0, high=2, n_groups=9, method="t"), scale="log10", bounds=(0, 50)).high
    50
    """
    least, greatest = bounds
    return replace(
        interval,
        mean=from_scale(interval.mean, scale),
        low=min(max(from_scale(interval.low, scale), least), greatest),
        high=min(max(from_scale(interval.high, scale), least), greatest),
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
    if len(values) == 1 and scale == "linear" and math.isfinite(values[0]):
        return values[0]
    defined = sorted(value for value in values if not math.isnan(value))
    if scale != "linear" or any(map(math.isinf, defined)):
        defined = to_scale(defined, scale).tolist()
    return from_scale(math.fsum(defined) / len(defined), scale) if defined else math.nan


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """The mean of the differences between paired groups.

    Parameters
    ----------
    interval : Interval
        Of the mean difference, with its method.
    p : float
        Of a two-sided paired t test that it is 0; 1 where all differences are 0, NaN below two groups.
    """

    interval: Interval
    p: float


def paired_difference(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> PairedDifference:
    """Compare two results on the same groups by the mean of `first - second`.

    Parameters
    ----------
    first, second : ndarray, shape (n_groups,), float
        One value a group, on the metric's scale, the same group at the same place; none is NaN.
    confidence : float
        Of the two-sided interval: Student's below 30 groups, BCa from 30.

    Returns
    -------
    PairedDifference
        Exchanging the two changes the signs and nothing else, to the last bit.

    Raises
    ------
    InputError
        If the shapes differ or a value is not finite.

    Examples
    --------
    >>> found = paired_difference([0.70, 0.82, 0.91], [0.65, 0.79, 0.84])
    >>> f"{found.interval.mean:.3f}, p = {found.p:.3f}"
    '0.050, p = 0.049'
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"paired groups have shapes {a.shape} and {b.shape}, expected the same number of groups")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("a paired group's value is not finite")
    differences = a - b
    sign = -1.0 if (differences.sum(), (differences**3).sum()) < (0.0, 0.0) else 1.0
    interval = group_interval(sign * differences, confidence=confidence)
    p = _paired_p(differences, interval)
    if sign < 0:  # so that the bootstrap is the same whichever result comes first
        interval = replace(interval, mean=-interval.mean, low=-interval.high, high=-interval.low)
    return PairedDifference(interval=interval, p=p)


def merit(value: float, metric: Metric) -> float:
    """Return a number that is the greater the better a value of a metric is, whatever the metric's direction.

    >>> from sxtbench.metrics.registry import get_metric
    >>> merit(-0.02, get_metric("lac_bias@1")), merit(0.3, get_metric("nucleus_as_vacuole@1"))
    (-0.02, -0.3)
    """
    if metric.direction == "nearest":
        return -abs(value - metric.ideal)
    return value if metric.direction == "higher" else -value


def _paired_p(differences: NDArray[np.float64], interval: Interval) -> float:
    if differences.size < 2:
        return math.nan
    if interval.method == "degenerate":
        return 1.0 if abs(interval.mean) <= 1e-12 else 0.0
    from scipy.special import stdtr

    error = float(differences.std(ddof=1)) / math.sqrt(differences.size)
    return float(2 * stdtr(differences.size - 1, -abs(interval.mean) / error))


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


def _about_median(values: NDArray[np.float64], median: float, confidence: float) -> tuple[float, float, IntervalMethod]:
    from scipy.stats import binom

    if values[-1] == values[0]:
        return median, median, "degenerate"
    outside = max(int(binom.ppf((1 - confidence) / 2, values.size, 0.5)), 1)
    return float(values[outside - 1]), float(values[-outside]), "order"


def _student(values: NDArray[np.float64], mean: float, confidence: float) -> tuple[float, float]:
    half = _quantile_of_t(values.size - 1, (1 + confidence) / 2) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return mean - half, mean + half


@cache
def _quantile_of_t(freedom: int, probability: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def _bca(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """BCa of a mean with the resamples of `scipy.stats.bootstrap`, to rounding; tens of times faster for many."""
    from scipy.special import ndtr, ndtri

    n, mean = values.size, values.mean()
    centred = values - mean
    resampled = resample_counts(n) @ centred / n
    tied = np.abs(resampled) <= 1e-12 * np.abs(centred).max()
    exact = values[_resamples(n)[tied]].mean(axis=1)  # as scipy has it, for which rounding parts what is tied
    below = (resampled[~tied] < 0).sum() + ((exact < mean).sum() + (exact <= mean).sum()) / 2
    bias = ndtri(below / RESAMPLES)
    acceleration = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    z = bias + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    at = ndtr(bias + z / (1 - acceleration * z))
    if not np.isfinite(at).all():
        return math.nan, math.nan
    low, high = np.percentile(resampled, 100 * at)
    return float(mean + low), float(mean + high)


@lru_cache(maxsize=4)
def resample_counts(n_groups: int) -> NDArray[np.float64]:
    """Return how often each group is in each resample: the same resamples whatever is averaged over them.

    Parameters
    ----------
    n_groups : int
        Groups in the sample.

    Returns
    -------
    ndarray, shape (RESAMPLES, n_groups), float64
        Rows add up to the number of groups; read-only.
    """
    drawn = _resamples(n_groups) + n_groups * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(drawn.reshape(-1), minlength=RESAMPLES * n_groups).astype(np.float64)
    counts.setflags(write=False)
    return counts.reshape(RESAMPLES, n_groups)


@lru_cache(maxsize=4)
def _resamples(n_groups: int) -> NDArray[np.int64]:
    return np.random.default_rng(_SEED).integers(0, n_groups, (RESAMPLES, n_groups))
