"""The paired comparisons of a board's table: all p-values at once, each comparison when it is asked for.

A family of 200 methods has 19,900 pairs. Holm's adjustment needs the p-value of every one; the interval of a difference
is needed only where a verdict is shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.aggregate import REFERENCE, GroupValues, seed_values, seeds_by_groups
from sxtbench.benchmark.compare import Comparison, adjusted_comparison, require_comparable
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.statistics import to_scale
from sxtbench.metrics.registry import Metric, get_metric
from sxtbench.multiplicity import holm


class Pairs(Mapping[tuple[int, int], Comparison]):
    """What `compare_all` returns of the headline, computed when read.

    Parameters
    ----------
    results : sequence of Result
        Comparable with one another, of one primary metric.

    Raises
    ------
    InputError
        As `compare_all`.

    Examples
    --------
    >>> from sxtbench.benchmark.result import load_result
    >>> from sxtbench.content import content_folder
    >>> folder = content_folder("leaderboard") / "results" / "limited-angle-segmentation" / "small"
    >>> pairs = Pairs([load_result(folder / f"{name}.json") for name in ("gradient-boosting", "fbp-otsu")])
    >>> len(pairs), pairs[0, 1].verdict, pairs[1, 0].verdict
    (2, 'better', 'worse')
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = tuple(results)
        self._found: dict[tuple[int, int], Comparison] = {}
        for other in self._results[1:]:
            require_comparable(self._results[0], other, self._results[0].primary)
        self._values = [reference_values(result) for result in self._results]

    def __getitem__(self, pair: tuple[int, int]) -> Comparison:
        """Return the verdict of `results[i]` against `results[j]`."""
        i, j = pair
        if i == j or not (0 <= i < len(self._results) and 0 <= j < len(self._results)):
            raise KeyError(pair)
        if pair not in self._found:
            self._found[pair] = self._compared(i, j, float(self._adjusted[pair]))
        return self._found[pair]

    def _compared(self, i: int, j: int, p_adjusted: float) -> Comparison:
        sides = (self._results[i], self._results[j]), (self._values[i], self._values[j])
        return adjusted_comparison(*sides, p_adjusted)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Iterate over all (i, j) with i unlike j."""
        n = range(len(self._results))
        return ((i, j) for i in n for j in n if i != j)

    def __len__(self) -> int:
        """Return the number of ordered pairs."""
        return len(self._results) * (len(self._results) - 1)

    @cached_property
    def _adjusted(self) -> NDArray[np.float64]:
        p = paired_p_values(scaled(self._values, get_metric(self._results[0].primary)))
        for i, j in combinations(range(len(p)), 2):
            if len(self._values[i]) + len(self._values[j]) > 2:
                p[i, j] = self._compared(i, j, np.nan).p
        upper = np.triu_indices(len(p), 1)
        adjusted = np.full_like(p, np.nan)
        adjusted[upper] = holm(p[upper].tolist())
        adjusted.T[upper] = adjusted[upper]
        return adjusted


def reference_values(result: Result) -> list[GroupValues]:
    """Return the headline's value of every group, in the metric's unit, for each training seed."""
    rows = [row for row in result.rows if row.metric == result.primary]
    return [values[result.primary, None][REFERENCE] for values in seed_values(rows, result.axes)]


def scaled(values: Sequence[Sequence[GroupValues]], metric: Metric) -> NDArray[np.float64]:
    """Set the groups of several results side by side, on the metric's scale.

    Parameters
    ----------
    values : sequence of sequence of dict
        By result, training seed and group, from `reference_values`.
    metric : Metric
        Of `nearest` metrics the distances from the ideal are returned.

    Returns
    -------
    ndarray, shape (results, groups), float64
        Groups in the order of their names, means over seeds; NaN where undefined with any.
    """
    groups = sorted(set().union(*(own for seeds in values for own in seeds)))
    found = [to_scale(seeds_by_groups(seeds, groups), metric.scale) for seeds in values]
    if metric.direction == "nearest":
        found = [np.abs(own - to_scale(metric.ideal, metric.scale)) for own in found]
    return np.array([own.mean(axis=0) for own in found])


def paired_p_values(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the p-value of the two-sided paired t test of every two results.

    Parameters
    ----------
    values : ndarray, shape (results, groups), float64
        From `scaled`.

    Returns
    -------
    ndarray, shape (results, results), float64
        As `paired_difference` gives them one by one; NaN where fewer than two groups have both values.
    """
    from scipy.special import stdtr

    tests = np.full((len(values), len(values)), np.nan)
    for i, own in enumerate(values):
        differences = np.ma.masked_invalid(own - values)
        n = differences.count(axis=1)
        mean = differences.mean(axis=1).filled(np.nan)
        spread = differences.std(axis=1, ddof=1).filled(np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * stdtr(n - 1.0, -np.abs(mean) / (spread / np.sqrt(n)))
        equal = np.ma.ptp(differences, axis=1).filled(np.nan) <= 1e-12 * np.maximum(1.0, np.abs(mean))
        p[equal] = np.where(np.abs(mean[equal]) <= 1e-12, 1.0, 0.0)
        tests[i] = np.where(n < 2, np.nan, p)
    return tests
