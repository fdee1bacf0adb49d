"""Whether one result is better than another: a paired comparison on the same specimens, with a verdict (DESIGN 10).

The unit is the specimen. Its two values are compared on the metric's scale at the reference level of every axis; the
mean of the differences has a 95 % interval and a two-sided paired t test. A difference counts where the test, adjusted
for the size of its family, says so and it is beyond the metric's margin; two results are tied only where the whole
interval lies within the margin.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from sxtbench.benchmark.aggregate import (
    REFERENCE,
    GroupValues,
    LevelKey,
    area_values,
    curve_values,
    seed_values,
    seeds_by_groups,
)
from sxtbench.benchmark.records import MEAN_OF_LEVELS, Level, condition_text
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.seeds import seeded_difference
from sxtbench.benchmark.statistics import from_scale, paired_difference, to_scale
from sxtbench.errors import InputError
from sxtbench.labels import NAMES
from sxtbench.metrics.registry import get_metric
from sxtbench.multiplicity import holm

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["better", "worse", "tied", "inconclusive"]

FEWEST_GROUPS = 8
"""Below so many specimens no verdict but `inconclusive` is given."""

SIGNIFICANCE = 0.05
OPPOSITE: dict[Verdict, Verdict] = {
    "better": "worse",
    "worse": "better",
    "tied": "tied",
    "inconclusive": "inconclusive",
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One result against another on one metric at one level.

    Parameters
    ----------
    verdict : {"better", "worse", "tied", "inconclusive"}
        Of the first result against the other.
    reason : str
        Why, in words.
    method, other : str
        Names of the two methods.
    metric : str
        Its id.
    class_ : int or None
        The class, or None for the metric as a whole.
    level : dict
        `{}` at the reference level of every axis, `{axis: level}` at another one, `{axis: "mean"}` for the area under
        that axis's curve.
    mean, other_mean : float
        Over the paired specimens, on the metric's scale (of a `nearest` metric: the distance from its ideal value).
    difference, low, high : float
        `mean - other_mean` and its 95 % interval, on the metric's scale; NaN where no specimen has both values.
    p, p_adjusted : float
        Of the two-sided paired t test; after Holm over the family.
    n_groups : int
        Specimens with a value in both results.
    n_seeds : tuple of two int
        Training seeds of each result.
    margin : float or None
        Differences up to this do not matter; None where the metric declares none.
    levels : tuple of Comparison
        The same at the other levels and for the areas, a family of its own; empty there and on a board.
    """

    verdict: Verdict
    reason: str
    method: str
    other: str
    metric: str
    class_: int | None
    level: dict[str, Level]
    mean: float
    other_mean: float
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    n_groups: int
    n_seeds: tuple[int, int]
    margin: float | None
    levels: tuple["Comparison", ...] = field(default=(), repr=False)

    def to_frame(self) -> "pd.DataFrame":
        """Return a row a level: the reference first, then the other levels and the areas.

        Returns
        -------
        pandas.DataFrame
            Columns axis, level (NA at the reference), mean, other_mean, difference, low, high, p, p_adjusted, n_groups,
            verdict, reason.
        """
        import pandas as pd

        names = ("mean", "other_mean", "difference", "low", "high", "p", "p_adjusted", "n_groups", "verdict", "reason")
        points = (self, *self.levels)
        places = [next(iter(point.level.items()), (pd.NA, pd.NA)) for point in points]
        columns = {"axis": [axis for axis, _ in places], "level": [level for _, level in places]}
        return pd.DataFrame({**columns, **{name: [getattr(point, name) for point in points] for name in names}})

    def to_json(self) -> str:
        """Serialise with sorted keys and null for NaN, as `sxtbench compare --json` prints it."""
        return json.dumps(_plain(asdict(self)), sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)


def compare(result: Result, other: Result, metric: str | None = None, class_: int | None = None) -> Comparison:
    """Compare two results of the same task on the same data.

    Parameters
    ----------
    result, other : Result
        From `evaluate` or `load_result`: of one task (version, tier and hash), split, fingerprint and set of samples.
    metric : str, optional
        Its id; the primary metric where left out.
    class_ : int, optional
        One class of a metric with classes.

    Returns
    -------
    Comparison
        At the reference level of every axis, a family of one. `levels` holds the other levels and the areas under the
        curves, adjusted among themselves.

    Raises
    ------
    InputError
        Where the two cannot be compared, with what differs, or the metric was not scored.

    References
    ----------
    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6 (1979), 65-70.
    B. Efron, Better bootstrap confidence intervals, J. Am. Stat. Assoc. 82 (1987), 171-185.

    Examples
    --------
    >>> from sxtbench.benchmark.result import load_result
    >>> from sxtbench.content import content_folder
    >>> folder = content_folder("leaderboard") / "results" / "limited-angle-segmentation" / "small"
    >>> found = compare(load_result(folder / "gradient-boosting.json"), load_result(folder / "fbp-otsu.json"))
    >>> found.verdict, found.n_groups
    ('better', 48)
    """
    chosen = metric or result.primary
    require_comparable(result, other, chosen)
    first, second = _points(result, chosen, class_), _points(other, chosen, class_)
    points = [
        _paired(result, other, chosen, class_, dict(level), first[level], second[level])
        for level in first
        if level in second
    ]
    [head] = _judge(points[:1])
    return replace(head, levels=tuple(_judge(points[1:])))


def compare_all(results: Sequence[Result], metric: str | None = None) -> dict[tuple[int, int], Comparison]:
    """Compare every two of several results at the reference level; the p-values are adjusted for all pairs.

    Parameters
    ----------
    results : sequence of Result
        Comparable with one another: the ranked methods of one task, tier and track.
    metric : str, optional
        Its id; the primary metric of the first result where left out.

    Returns
    -------
    dict
        By (i, j), the places of the two results, both orders: the verdict of `results[i]` against `results[j]`.

    Raises
    ------
    InputError
        As `compare`.
    """
    if len(results) < 2:
        return {}
    chosen = metric or results[0].primary
    for other in results[1:]:
        require_comparable(results[0], other, chosen)
    values = [_points(result, chosen, None)[()] for result in results]
    pairs = [(i, j) for i in range(len(results)) for j in range(i + 1, len(results))]
    judged = _judge([_paired(results[i], results[j], chosen, None, {}, values[i], values[j]) for i, j in pairs])
    found = dict(zip(pairs, judged, strict=True))
    return {**found, **{(j, i): _reversed(comparison) for (i, j), comparison in found.items()}}


def adjusted_comparison(
    results: tuple[Result, Result], values: tuple[Sequence[GroupValues], Sequence[GroupValues]], p_adjusted: float
) -> Comparison:
    """Compare two results on their primary metric at the reference level, with a p-value adjusted elsewhere.

    Parameters
    ----------
    results : tuple of two Result
        Comparable with one another.
    values : tuple of two sequences of dict
        Their headline by group, in the metric's unit, for each training seed.
    p_adjusted : float
        From Holm's procedure over the whole family.
    """
    comparison = _paired(*results, results[0].primary, None, {}, *values)
    verdict, reason = _verdict(comparison, p_adjusted)
    return replace(comparison, p_adjusted=p_adjusted, verdict=verdict, reason=reason)


def require_comparable(result: Result, other: Result, metric: str) -> None:
    """Raise `InputError` with the first thing in which two results differ that makes them no pair."""
    get_metric(metric)
    first, second = protocol_of(result, metric), protocol_of(other, metric)
    for name, value in first.items():
        if value != second[name]:
            both = (value, second[name])
            short = all(isinstance(v, str | int) for v in both) and name != "axes"
            values = f" ({both[0]!s:.40} and {both[1]!s:.40})" if short else ""
            raise InputError(
                f"{result.method.name} and {other.method.name} cannot be compared: other {name}{values}; "
                "both must be scored on the same task, tier, split, data and conditions"
            )


def protocol_of(result: Result, metric: str) -> dict[str, object]:
    """Return what two results must share to be set side by side, by its name on the board."""
    axes = {name: axis.model_dump(mode="json") for name, axis in result.axes.items()}
    samples = {(r.sample, r.group, condition_text(r.condition), r.class_) for r in result.rows if r.metric == metric}
    return {
        "task": result.task,
        "task version": result.version,
        "tier": result.tier,
        "split": result.split,
        "task hash": result.task_hash,
        "dataset fingerprint": result.fingerprint,
        "primary metric": result.primary,
        "axes": json.dumps(axes, sort_keys=True),
        "set of samples": tuple(sorted(samples, key=str)),
    }


def difference_text(comparison: Comparison) -> str:
    """Return the difference with its interval, as a factor where the metric's scale is logarithmic.

    `+0.031 [0.022, 0.040]`, `x1.21 [1.10, 1.33]`, or `no value`.
    """
    if math.isnan(comparison.difference):
        return "no value"
    metric = get_metric(comparison.metric)
    values = (comparison.difference, comparison.low, comparison.high)
    if metric.scale != "linear":
        factor, low, high = (from_scale(value, metric.scale) for value in values)
        return f"x{factor:.3g} [{low:.3g}, {high:.3g}]"
    difference, low, high = values
    return f"{difference:+.{metric.digits}f} [{low:.{metric.digits}f}, {high:.{metric.digits}f}]"


def sentence(comparison: Comparison) -> str:
    """Return the verdict in words, in one line."""
    metric = get_metric(comparison.metric)
    verdict = {
        "better": "is better than",
        "worse": "is worse than",
        "tied": "is tied with",
        "inconclusive": "against",
    }[comparison.verdict]
    name = metric.name if comparison.class_ is None else f"{metric.name}, {NAMES.get(comparison.class_, 'class')}"
    if metric.direction == "nearest":
        name = f"distance of {name} from {metric.ideal:g}"
    unit = f" {metric.unit}" if metric.unit and metric.scale == "linear" else ""
    end = ": inconclusive" if comparison.verdict == "inconclusive" else ""
    return (
        f"{comparison.method} {verdict} {comparison.other}{end}. {name} {difference_text(comparison)}{unit} "
        f"over {comparison.n_groups} specimens{_seeds_text(comparison)}: {comparison.reason}."
    )


def _seeds_text(comparison: Comparison) -> str:
    one, other = comparison.n_seeds
    return "" if one == other == 1 else f" ({one} and {other} training seeds)"


_Point = tuple[tuple[str, Level], ...]


def _points(result: Result, metric: str, class_: int | None) -> dict[_Point, list[GroupValues]]:
    """Values of the groups of each seed at the reference (key `()`), at each other level and of each area."""
    seeds = seed_values([row for row in result.rows if row.metric == metric], result.axes)
    points = [_points_of_seed(values, result, metric, class_) for values in seeds]
    return {at: [of_seed[at] for of_seed in points] for at in points[0]}


def _points_of_seed(
    values: Mapping[tuple[str, int | None], Mapping[LevelKey, GroupValues]],
    result: Result,
    metric: str,
    class_: int | None,
) -> dict[_Point, GroupValues]:
    if (metric, class_) not in values:
        classes = sorted(label for _, label in values if label is not None)
        if not values:
            held = ", ".join(sorted({row.metric for row in result.rows}))
            raise InputError(f"{result.method.name}: {metric} was not scored; the result holds {held}")
        if not classes:
            raise InputError(f"{result.method.name}: {metric} has no classes, leave class {class_} out")
        raise InputError(
            f"{result.method.name}: {metric} is one value a class, choose one of {', '.join(map(str, classes))}"
        )
    levels = values[metric, class_]
    if REFERENCE not in levels:
        raise InputError(f"{result.method.name}: {metric} was not scored at the reference level")
    points: dict[_Point, GroupValues] = {(): levels[REFERENCE]}
    for axis, declared in sorted(result.axes.items(), key=lambda item: (-len(item[1].levels), item[0])):
        curve = curve_values(levels, axis, declared)
        points.update({((axis, at),): groups for at, groups in curve.items() if at != declared.reference})
        if len(curve) == len(declared.levels):
            points[((axis, MEAN_OF_LEVELS),)] = area_values(curve, declared, get_metric(metric).scale)
    return points


def _paired(
    result: Result,
    other: Result,
    metric: str,
    class_: int | None,
    level: dict[str, Level],
    first: Sequence[GroupValues],
    second: Sequence[GroupValues],
) -> Comparison:
    """Pair two results at one level; the verdict is still to be judged."""
    declared = get_metric(metric)
    groups = sorted(set().union(*first, *second))
    values = seeds_by_groups([*first, *second], groups)
    defined = ~np.isnan(values)
    both = defined.all(axis=0)
    scaled = to_scale(values[:, both], declared.scale)
    if declared.direction == "nearest":
        scaled = np.abs(scaled - to_scale(declared.ideal, declared.scale))
    one, two = scaled[: len(first)], scaled[len(first) :]
    paired = paired_difference(one[0], two[0]) if len(first) == len(second) == 1 else seeded_difference(one, two)
    alone = int((defined.any(axis=0) & ~both).sum())
    means = (one.mean(), two.mean()) if both.any() else (math.nan, math.nan)
    return Comparison(
        verdict="inconclusive",
        reason=f"{alone} specimen{'s have' if alone > 1 else ' has'} a value in one result only" if alone else "",
        method=result.method.name,
        other=other.method.name,
        metric=metric,
        class_=class_,
        level=level,
        mean=float(means[0]),
        other_mean=float(means[1]),
        difference=paired.interval.mean,
        low=paired.interval.low,
        high=paired.interval.high,
        p=paired.p,
        p_adjusted=math.nan,
        n_groups=paired.interval.n_groups,
        n_seeds=(len(first), len(second)),
        margin=declared.margin,
    )


def _judge(family: Sequence[Comparison]) -> list[Comparison]:
    """Adjust the p-values of a family and give each comparison its verdict."""
    adjusted = holm([comparison.p for comparison in family])
    judged = []
    for comparison, p in zip(family, adjusted, strict=True):
        verdict, reason = _verdict(comparison, p)
        judged.append(replace(comparison, p_adjusted=p, verdict=verdict, reason=reason))
    return judged


def _verdict(comparison: Comparison, p: float) -> tuple[Verdict, str]:
    margin = comparison.margin
    if comparison.n_groups < FEWEST_GROUPS:
        return "inconclusive", f"{comparison.n_groups} specimens are too few, a verdict needs {FEWEST_GROUPS}"
    if comparison.reason:
        return "inconclusive", comparison.reason
    if margin is None:
        return "inconclusive", f"{comparison.metric} declares no margin, so no verdict is given"
    significant = p < SIGNIFICANCE
    if significant and abs(comparison.difference) > margin:
        good = (comparison.difference > 0) == (get_metric(comparison.metric).direction == "higher")
        return "better" if good else "worse", f"beyond the margin of {margin:g}, p = {p:.2g}"
    if max(abs(comparison.low), abs(comparison.high)) <= margin:
        return "tied", f"the whole interval lies within the margin of {margin:g}"
    if significant:
        return "inconclusive", f"not beyond the margin of {margin:g}, though p = {p:.2g}"
    return "inconclusive", f"p = {p:.2g}, and the interval reaches beyond the margin of {margin:g}"


def _reversed(comparison: Comparison) -> Comparison:
    return replace(
        comparison,
        verdict=OPPOSITE[comparison.verdict],
        method=comparison.other,
        other=comparison.method,
        mean=comparison.other_mean,
        other_mean=comparison.mean,
        n_seeds=(comparison.n_seeds[1], comparison.n_seeds[0]),
        difference=-comparison.difference,
        low=-comparison.high,
        high=-comparison.low,
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key).rstrip("_"): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
