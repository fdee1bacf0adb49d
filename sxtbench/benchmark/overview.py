"""How methods rank across tasks: the mean of their ranks, with an interval over specimens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.compare import FEWEST_GROUPS
from sxtbench.benchmark.ranks import resampled_ranks
from sxtbench.metrics.registry import Metric

_FEWEST_TASKS = 2


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The ranked methods of one task, tier and track, best first.

    Parameters
    ----------
    slugs : tuple of str
        The methods.
    ranks : tuple of int
        From 1; equal means share one.
    values : tuple of ndarray, shape (n_seeds, n_groups), float64
        Of each method, as `sxtbench.benchmark.ranks.side_by_side` returns them.
    metric : Metric
        The primary.
    """

    slugs: tuple[str, ...]
    ranks: tuple[int, ...]
    values: tuple[NDArray[np.float64], ...]
    metric: Metric


def overview_of(rankings: Mapping[str, Ranking]) -> list[dict[str, Any]]:
    """Return the methods that are ranked on two tasks or more, the least mean relative rank first.

    Parameters
    ----------
    rankings : mapping of Ranking
        By task, of one tier and track.

    Returns
    -------
    list of dict
        A method each: `mean` of its rank over its tasks with its `interval`, `relative` (0: first everywhere, 1: last
        everywhere) with `relative_interval`, and `places`, by task its rank and the number of methods.
        The intervals are percentiles over resamples of the specimens of every task; None where a task has fewer than
        eight, as no verdict is given there either.
    """
    tasks = {task: ranking for task, ranking in rankings.items() if len(ranking.slugs) > 1}
    drawn = {task: resampled_ranks(ranking.values, ranking.metric) for task, ranking in tasks.items()}
    rows = []
    for slug in sorted({slug for ranking in tasks.values() for slug in ranking.slugs}):
        at = {task: ranking.slugs.index(slug) for task, ranking in tasks.items() if slug in ranking.slugs}
        if len(at) < _FEWEST_TASKS:
            continue
        ranks = np.array([tasks[task].ranks[i] for task, i in at.items()], float)
        resampled = np.stack([drawn[task][i] for task, i in at.items()]).astype(float)
        others = np.array([len(tasks[task].slugs) - 1 for task in at], float)
        few = any(tasks[task].values[0].shape[1] < FEWEST_GROUPS for task in at)
        rows.append(
            {
                "slug": slug,
                "mean": float(ranks.mean()),
                "interval": None if few else _interval(resampled),
                "relative": float(((ranks - 1) / others).mean()),
                "relative_interval": None if few else _interval((resampled - 1) / others[:, None]),
                "places": {
                    task: {"rank": tasks[task].ranks[i], "of": len(tasks[task].slugs)} for task, i in at.items()
                },
            }
        )
    return sorted(rows, key=lambda row: (row["relative"], row["mean"], row["slug"]))


def _interval(resampled: NDArray[np.float64]) -> list[float]:
    return [float(end) for end in np.percentile(resampled.mean(axis=0), [2.5, 97.5])]
