"""Tests of the fidelity report: uniform ranks against a stated law, families of tests, specimens against specimens."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from sxtbench.distributions import Distribution
from sxtbench.specimens.yeast_parameters import Count

ALPHA = 0.01
"""Chance that a simulator without fault fails any of the tests of the family (Holm)."""

_SNAP = 1e-9  # a value this close to a bound lies on it
_CHUNK = 2000  # permutations looked at together


def uniform_ranks(
    law: Distribution,
    values: ArrayLike,
    rng: np.random.Generator,
    *,
    low: ArrayLike = -np.inf,
    high: ArrayLike = np.inf,
) -> NDArray[np.float64]:
    """Return numbers that are uniform on [0, 1] where values follow a law that is clipped once more, each to its own.

    The randomised probability integral transform: a value on an atom gets a random share of it.

    Parameters
    ----------
    law : Distribution
        As stated.
    values : array_like, shape (n,)
        Draws.
    rng : numpy.random.Generator
        Divides atoms.
    low, high : array_like, shape (n,) or ()
        Bounds to which each draw was clipped: `max(low, min(draw, high))`.

    Returns
    -------
    ndarray, shape (n,), float64

    References
    ----------
    Rueschendorf, J. Stat. Plan. Inference 139 (2009) 3921, doi 10.1016/j.jspi.2009.05.030.
    """
    x = np.asarray(values, np.float64)
    least = np.asarray(low, np.float64)
    most = np.maximum(least, np.asarray(high, np.float64))  # the lower bound is applied last
    on_low, on_high = np.abs(x - least) <= _SNAP, np.abs(x - most) <= _SNAP
    # a draw of the law that lies on a bound of its own is told apart from its neighbours by as little
    before, up_to = law.cdf(x - _SNAP, below=True), law.cdf(x + _SNAP)
    before = np.where(on_low | (x < least), 0.0, np.where(x > most, 1.0, before))
    up_to = np.where(on_high | (x > most), 1.0, np.where(x < least, 0.0, up_to))
    return np.asarray(before + rng.random(x.shape) * (up_to - before))


def count_law(count: Count) -> NDArray[np.float64]:
    """Return the probabilities of 0, 1, 2, ... things.

    >>> count_law((0.0, 3.0, 1.0)).tolist()
    [0.0, 0.75, 0.25]
    """
    if isinstance(count, tuple):
        return np.asarray(np.asarray(count, np.float64) / np.sum(count))
    if count.mean is None or count.sd is None:
        assert count.min is not None
        assert count.max is not None
        first, last = int(np.ceil(count.min)), int(np.floor(count.max))
        return np.where(np.arange(last + 1) >= first, 1.0 / (last - first + 1), 0.0)
    most = count.max if count.max is not None else count.mean + 8 * count.sd
    edges = np.arange(round(most) + 1) + 0.5
    return np.diff(count.cdf(edges), prepend=0.0)


def count_ranks(probabilities: NDArray[np.float64], counts: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return numbers that are uniform on [0, 1] where counts follow a law on 0, 1, 2, ...

    Parameters
    ----------
    probabilities : ndarray, shape (k,), float64
        Of 0 .. k - 1.
    counts : array_like, shape (n,), int
        Draws.
    rng : numpy.random.Generator
        Divides atoms.

    Returns
    -------
    ndarray, shape (n,), float64
    """
    n = np.asarray(counts, np.int64)
    below = np.concatenate([[0.0], np.cumsum(probabilities)])
    last = len(probabilities)
    first = below[np.clip(n, 0, last)]
    return np.asarray(first + rng.random(n.shape) * (below[np.clip(n + 1, 0, last)] - first))


def uniform_p(ranks: NDArray[np.float64]) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of ranks from the uniform law, and its two-sided p."""
    test = stats.kstest(ranks, "uniform")
    return float(test.statistic), float(test.pvalue)


def normal_p(z: float) -> float:
    """Return the two-sided p of a standard normal deviate.

    >>> round(normal_p(1.96), 3)
    0.05
    """
    return float(2 * stats.norm.sf(abs(z)))


def _splits(first: int, second: int, permutations: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw who is in the first group, shape (permutations, first + second); the groups as they are come first."""
    together = first + second
    order = np.argsort(rng.random((permutations, together)), axis=1)
    chosen = order < first
    chosen[0] = np.arange(together) < first
    return chosen


def permuted_p(first: ArrayLike, second: ArrayLike, *, permutations: int, rng: np.random.Generator) -> float:
    """Test whether two groups of specimens have one mean, by permuting who belongs to which.

    Parameters
    ----------
    first, second : array_like, shapes (n,) and (m,)
        One value a specimen.
    permutations : int
        Drawn at random; the groups as they are count as one of them.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    float
        Two-sided p, at least 1 / permutations.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return _permuted(np.concatenate([a, b])[:, None], len(a), permutations, rng)


def histogram_p(
    first: NDArray[np.float64], second: NDArray[np.float64], *, permutations: int, rng: np.random.Generator
) -> float:
    """Test whether two groups of specimens have one histogram, by permuting who belongs to which.

    The statistic is the largest gap between the groups' mean cumulative histograms. The unit is the specimen: voxels
    of one specimen are not independent, and a test over voxels would find any two specimens different.

    Parameters
    ----------
    first, second : ndarray, shapes (n, bins) and (m, bins), float64
        Cumulative histogram of each specimen.
    permutations : int
        Drawn at random; the groups as they are count as one of them.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    float
        p, at least 1 / permutations.
    """
    return _permuted(np.concatenate([first, second]), len(first), permutations, rng)


def _permuted(values: NDArray[np.float64], n: int, permutations: int, rng: np.random.Generator) -> float:
    m = len(values) - n
    if n < 2 or m < 2 or permutations < 1:
        raise ValueError(
            f"groups of {n} and {m} specimens and {permutations} permutations, expected 2, 2 and 1 or more"
        )
    splits = _splits(n, m, permutations, rng)
    gap = np.concatenate(
        [
            np.abs((chosen / n - ~chosen / m) @ values).max(axis=1)
            for chosen in (splits[start : start + _CHUNK] for start in range(0, permutations, _CHUNK))
        ]
    )
    return float(np.mean(gap >= gap[0] * (1 - 1e-9)))


def rank_among(value: float, others: ArrayLike) -> float:
    """Return which share of other values lies below a value, ties by half, in per cent.

    >>> rank_among(2.0, [1.0, 2.0, 3.0, 4.0])
    37.5
    """
    return float(stats.percentileofscore(np.asarray(others, np.float64), value, kind="mean"))


def interval(values: ArrayLike, level: float = 0.95) -> tuple[Any, Any]:
    """Return where the middle share of specimens lies, per column.

    Parameters
    ----------
    values : array_like, shape (n, ...)
        A row a specimen.
    level : float
        Share.

    Returns
    -------
    tuple of two ndarray, shape (...)
        Lower and upper quantile; with few specimens those are the outermost ones.
    """
    edge = (1 - level) / 2
    low, high = np.quantile(np.asarray(values, np.float64), [edge, 1 - edge], axis=0)
    return low, high
