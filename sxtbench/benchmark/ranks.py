"""Ranks of methods with their bootstrap intervals: how far the order is that of the methods and not of the specimens.

Specimens are resampled jointly, the same ones for every method, so that a hard specimen is hard for all. Each method is
ranked by its mean in every resample; its interval holds the middle 95 % of those ranks. It tells how firm a rank is,
and is no test: of methods that are equal in truth it is too narrow. Verdicts come from `compare_all`.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.benchmark.aggregate import GroupValues, seeds_by_groups
from sxtbench.benchmark.compare import FEWEST_GROUPS, require_comparable
from sxtbench.benchmark.pairs import reference_values
from sxtbench.benchmark.statistics import resample_counts, to_scale
from sxtbench.benchmark.wording import DASH
from sxtbench.errors import InputError
from sxtbench.metrics.registry import Metric, get_metric

if TYPE_CHECKING:
    from sxtbench.benchmark.result import Result

Ranks = tuple[int, int]

RANKINGS = 2000
"""Resamples that are ranked: enough for whole numbers."""


def rank_intervals(results: Sequence["Result"]) -> list[Ranks | None]:
    """Return the interval of each result's rank by the primary metric at the reference level.

    Parameters
    ----------
    results : sequence of Result
        Comparable with one another: the ranked methods of one task, tier and track, in any order.

    Returns
    -------
    list of (int, int) or None
        Best and worst rank, 1 the best; None for all where fewer than eight specimens have a value, and for a result
        that has none.

    Raises
    ------
    InputError
        As `compare`.

    Examples
    --------
    >>> from sxtbench.benchmark.result import load_result
    >>> from sxtbench.content import content_folder
    >>> folder = content_folder("leaderboard") / "results" / "limited-angle-reconstruction" / "small"
    >>> rank_intervals([load_result(folder / f"{name}.json") for name in ("fbp", "sart", "tv")])
    [(3, 3), (2, 2), (1, 1)]
    """
    if not results:
        return []
    metric = get_metric(results[0].primary)
    for other in results[1:]:
        require_comparable(results[0], other, metric.id)
    return intervals_of_ranks(side_by_side([reference_values(result) for result in results]), metric)


def side_by_side(methods: Sequence[Sequence[GroupValues]]) -> list[NDArray[np.float64]]:
    """Return the values of several methods as arrays (n_seeds, n_groups), the same group in the same column.

    Parameters
    ----------
    methods : sequence of sequence of dict
        Of each method and training seed the values by group, from `reference_values`.
    """
    groups = sorted(set().union(*(values for seeds in methods for values in seeds)))
    return [seeds_by_groups(seeds, groups) for seeds in methods]


def intervals_of_ranks(methods: Sequence[ArrayLike], metric: Metric, *, confidence: float = 0.95) -> list[Ranks | None]:
    """Return the interval of the rank of each of several methods.

    Parameters
    ----------
    methods : sequence of ndarray, shape (n_seeds, n_groups), float
        As for `resampled_ranks`.
    metric : Metric
        Tells the scale and which way is better.
    confidence : float
        Share of the resamples in which a rank lies within.

    Returns
    -------
    list of (int, int) or None
        As `rank_intervals`.

    Raises
    ------
    InputError
        If the numbers of groups differ.

    Examples
    --------
    >>> from sxtbench.metrics.registry import get_metric
    >>> rng = np.random.default_rng(0)
    >>> methods = [mean + rng.normal(0, 0.05, (1, 12)) for mean in (0.6, 0.59, 0.3)]
    >>> intervals_of_ranks(methods, get_metric("miou@1"))
    [(1, 2), (1, 2), (3, 3)]
    """
    arrays = [np.asarray(values, np.float64) for values in methods]
    shapes = sorted({array.shape[1:] for array in arrays})
    if any(array.ndim != 2 for array in arrays) or len(shapes) > 1:
        raise InputError(f"methods have values of {shapes} groups, expected (seeds, groups) of equal groups")
    n_defined = [int((~np.isnan(array).any(axis=0)).sum()) for array in arrays]
    known = [i for i, n in enumerate(n_defined) if n]
    found: list[Ranks | None] = [None] * len(arrays)
    if not known or min(n_defined[i] for i in known) < FEWEST_GROUPS:
        return found
    ranks = resampled_ranks([arrays[i] for i in known], metric)
    outside = (1 - confidence) / 2
    ends = np.quantile(ranks, (outside, 1 - outside), axis=1, method="inverted_cdf").astype(int)
    for i, best, worst in zip(known, *ends.tolist(), strict=True):
        found[i] = (best, worst)
    return found


def ranks_text(found: Ranks | None) -> str:
    """Return an interval of ranks as it is printed.

    >>> ranks_text((1, 3)), ranks_text((2, 2)), ranks_text(None)
    ('1 to 3', '2', '–')
    """
    if found is None:
        return DASH
    best, worst = found
    return str(best) if best == worst else f"{best} to {worst}"


def resampled_ranks(methods: Sequence[NDArray[np.float64]], metric: Metric) -> NDArray[np.int64]:
    """Rank methods by their means in resamples of the groups, the same resamples for all.

    Parameters
    ----------
    methods : sequence of ndarray, shape (n_seeds, n_groups), float64
        In the metric's unit, the same group in the same column; groups that are NaN with any seed are left out.
        Training seeds are resampled too, those of each method apart.
    metric : Metric
        Tells the scale and which way is better.

    Returns
    -------
    ndarray, shape (n_methods, RANKINGS), int64
        1 the best; equal means share the better rank, and a method without a group in a resample is last. The order of
        the methods changes nothing, to the last bit.

    References
    ----------
    P. Hall and H. Miller, Using the bootstrap to quantify the authority of an empirical ranking, Ann. Stat. 37 (2009),
    3929-3959, doi 10.1214/09-AOS699.
    """
    from scipy.stats import rankdata

    means = np.stack([_resampled_means(to_scale(values, metric.scale)) for values in methods])
    if metric.direction == "nearest":
        means = -np.abs(means - float(to_scale(metric.ideal, metric.scale)))
    worse = np.nan_to_num(means if metric.direction == "lower" else -means, nan=math.inf)
    return np.asarray(rankdata(worse, method="min", axis=0), np.int64)


def _resampled_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of a method in each resample of the groups and, where it has several, of its seeds."""
    counts, defined = resample_counts(values.shape[1])[:RANKINGS], ~np.isnan(values).any(axis=0)
    totals = np.stack([counts @ np.where(defined, of_seed, 0.0) for of_seed in values], axis=1)
    with np.errstate(invalid="ignore"):  # NaN in a resample without a defined group
        means = totals / (counts @ defined.astype(np.float64))[:, None]
    if len(values) > 1:  # drawn by the values themselves, so that no other method matters
        seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()[:8])
        drawn = np.random.default_rng(seed).integers(0, len(values), (RANKINGS, len(values)))
        means = np.take_along_axis(means, drawn, axis=1)
    return np.asarray(means.mean(axis=1))
