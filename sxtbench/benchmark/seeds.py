"""The second level: a method that was trained with several seeds, and intervals that cover both (DESIGN 10).

Every seed answers the same specimens, so the two levels are crossed. The mean over all answers varies with the
specimens that were drawn and with the seeds that were drawn, and each part is estimated by its own means:

    variance of the mean = (variance of the specimens' means) / specimens + (variance of the seeds' means) / seeds

What is left after both, the noise of a single answer, is in both terms and so counts twice: the interval errs to the
side of being too wide. Degrees of freedom are Satterthwaite's; few seeds that differ much make few.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.benchmark.statistics import Interval, PairedDifference, in_unit, to_scale
from sxtbench.errors import InputError
from sxtbench.metrics.registry import Scale

FEWEST_SEEDS = 3
"""Two seeds tell too little of how seeds differ: where they differ much, the interval would cover too seldom."""


def seeded_interval(
    values: ArrayLike,
    *,
    scale: Scale = "linear",
    bounds: tuple[float, float] = (-math.inf, math.inf),
    confidence: float = 0.95,
) -> Interval:
    """Mean over specimens and training seeds, and its interval.

    Parameters
    ----------
    values : ndarray, shape (n_seeds, n_groups), float
        In the metric's unit; a group that is NaN (undefined) with any seed is left out.
    scale : {"linear", "log2", "log10"}
        Where to average.
    bounds : tuple of two float
        Least and greatest possible value, in the metric's unit.
    confidence : float
        Of the two-sided interval.

    Returns
    -------
    Interval
        Its method is `seeds`, or `degenerate` and `undefined` as of `group_interval`.

    Raises
    ------
    InputError
        Below three seeds, and as `group_interval`.

    References
    ----------
    F. E. Satterthwaite, An approximate distribution of estimates of variance components, Biometrics Bull. 2 (1946),
    110-114, doi 10.2307/3002019.
    A. B. Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 1 (2007), 386-411, doi 10.1214/07-AOAS122: resampling both
    levels gives the same variance, and why it is not too small.

    Examples
    --------
    >>> found = seeded_interval([[0.70, 0.80, 0.90], [0.72, 0.80, 0.91], [0.68, 0.79, 0.89]], bounds=(0, 1))
    >>> f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}] {found.method}"
    '0.799 [0.555, 1.000] seeds'
    """
    scaled = to_scale(values, scale)
    if scaled.ndim != 2 or scaled.shape[0] < FEWEST_SEEDS:
        raise InputError(
            f"values have shape {scaled.shape}, expected (seeds, groups) with {FEWEST_SEEDS} or more seeds"
        )
    scaled = scaled[:, ~np.isnan(scaled).any(axis=0)]
    n_groups = scaled.shape[1]
    if not n_groups:
        return Interval(mean=math.nan, low=math.nan, high=math.nan, n_groups=0, method="undefined")
    mean = float(scaled.mean(axis=0).mean())
    found, _ = _student(mean, [scaled.mean(axis=0), scaled.mean(axis=1)], n_groups, confidence)
    return in_unit(found, scale=scale, bounds=bounds)


def seeded_difference(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> PairedDifference:
    """Compare two results on the same specimens, of which at least one was trained with several seeds.

    Specimens are paired. Seeds are not: seed 1 of one method has nothing in common with seed 1 of another. A result of
    one training adds nothing for its seed: the comparison is with that very training.

    Parameters
    ----------
    first, second : ndarray, shape (n_seeds, n_groups), float
        On the metric's scale, the same group in the same column; none is NaN. The numbers of seeds may differ.
    confidence : float
        Of the two-sided interval.

    Returns
    -------
    PairedDifference
        Of `first - second`.

    Raises
    ------
    InputError
        If the numbers of groups differ or a value is not finite.

    Examples
    --------
    >>> found = seeded_difference([[0.71, 0.83, 0.92], [0.69, 0.80, 0.90], [0.72, 0.82, 0.91]], [[0.6, 0.7, 0.8]])
    >>> f"{found.interval.mean:.3f}, p = {found.p:.4f}"
    '0.111, p = 0.0015'
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise InputError(f"paired values have shapes {a.shape} and {b.shape}, expected (seeds, groups) of equal groups")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("a paired group's value is not finite")
    n_groups = a.shape[1]
    if not n_groups:
        undefined = Interval(mean=math.nan, low=math.nan, high=math.nan, n_groups=0, method="undefined")
        return PairedDifference(interval=undefined, p=math.nan)
    differences = a.mean(axis=0) - b.mean(axis=0)
    of_seeds = [side.mean(axis=1) for side in (a, b) if len(side) > 1]
    interval, p = _student(float(differences.mean()), [differences, *of_seeds], n_groups, confidence)
    return PairedDifference(interval=interval, p=p)


def _student(
    mean: float, levels: Sequence[NDArray[np.float64]], n_groups: int, confidence: float
) -> tuple[Interval, float]:
    """Interval and p-value of a mean whose variance is the sum of those of the means of several levels."""
    from scipy.special import stdtr, stdtrit

    if n_groups == 1:
        return Interval(mean=mean, low=mean, high=mean, n_groups=1, method="degenerate"), math.nan
    variances = [float(level.var(ddof=1)) / level.size for level in levels]
    variance = math.fsum(variances)
    if variance <= (1e-12 * max(1.0, abs(mean))) ** 2:
        found = Interval(mean=mean, low=mean, high=mean, n_groups=n_groups, method="degenerate")
        return found, 1.0 if abs(mean) <= 1e-12 else 0.0
    freedom = variance**2 / math.fsum(v**2 / (level.size - 1) for v, level in zip(variances, levels, strict=True))
    error = math.sqrt(variance)
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    found = Interval(mean=mean, low=mean - half, high=mean + half, n_groups=n_groups, method="seeds")
    return found, float(2 * stdtr(freedom, -abs(mean) / error))
