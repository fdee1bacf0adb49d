"""From values per sample to means over groups: classes -> sample -> level -> group -> mean and interval (DESIGN 10).

Three kinds of mean come out: at the reference level of every axis (the headline), at each level of an axis (its curve),
and over the levels of an axis within a specimen, then over specimens (the curve's area).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.records import MEAN_OF_LEVELS, Aggregate, Axis, Level, Row, condition_text
from sxtbench.benchmark.seeds import FEWEST_SEEDS, seeded_interval
from sxtbench.benchmark.statistics import group_interval, mean_on_scale
from sxtbench.errors import InputError
from sxtbench.metrics.registry import METRICS, Scale, get_metric

if TYPE_CHECKING:
    from sxtbench.benchmark.result import Result

LevelKey = tuple[str, Level] | None
"""One axis off its reference and its level there; None: every axis at its reference."""

REFERENCE: LevelKey = None
GroupValues = dict[str, float]
_Series = tuple[str, int | None]


def aggregate(rows: Iterable[Row], axes: Mapping[str, Axis]) -> tuple[Aggregate, ...]:
    """Average rows: classes -> sample -> (the reference level, or one level of a curve) -> group -> mean and interval.

    Metrics with classes also get a mean over the classes of each sample (class None), but for those whose best value
    lies between worse ones: their errors would cancel. Each axis all of whose levels were scored also gets the mean
    over its levels within a group (level `mean`): the area of its curve. Where rows are of several training seeds, the
    intervals are of specimens and seeds (`seeded_interval`), but those about a median.

    Parameters
    ----------
    rows : iterable of Row
        Values per sample, in any order.
    axes : mapping of Axis
        The task's axes; each key of a row's condition must be one of them. An axis that a condition does not name is
        at its reference.

    Returns
    -------
    tuple of Aggregate
        By metric, class and level.

    Raises
    ------
    InputError
        If a condition names no axis or level of the task or varies two axes at once, a value comes twice, a sample
        belongs to two groups, or seeds do not all have the same samples.
    """
    by_seed = seed_values(rows, axes)
    order = {metric: i for i, metric in enumerate(METRICS)}
    found: list[Aggregate] = []
    for metric, label in sorted(by_seed[0], key=lambda key: (order[key[0]], -1 if key[1] is None else key[1])):
        points = [_points(values[metric, label], axes, get_metric(metric).scale) for values in by_seed]
        found += [_over_groups(metric, label, dict(at), [p[at] for p in points]) for at in points[0]]
    return tuple(found)


def seed_values(rows: Iterable[Row], axes: Mapping[str, Axis]) -> list[dict[_Series, dict[LevelKey, GroupValues]]]:
    """Return `group_values` of each training seed, in the order of the seeds; of one where rows name none.

    Raises
    ------
    InputError
        As `group_values`, and where two seeds do not have values of the same samples.
    """
    parts: dict[int | None, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row.seed].append(row)
    seeds = sorted(parts, key=lambda seed: -1 if seed is None else seed) or [None]
    if seeds[0] is None and len(seeds) > 1:
        raise InputError("some rows name a training seed and some do not, expected all or none")
    if 1 < len(seeds) < FEWEST_SEEDS:
        raise InputError(f"rows are of {len(seeds)} training seeds, expected one or at least {FEWEST_SEEDS}")
    for seed in seeds[1:]:
        if _places(parts[seed]) != _places(parts[seeds[0]]):
            raise InputError(f"rows of training seed {seed} are of other samples or metrics than those of {seeds[0]}")
    return [group_values(parts[seed], axes) for seed in seeds]


def _places(rows: Iterable[Row]) -> set[tuple[str, str, str, int | None]]:
    return {(row.sample, condition_text(row.condition), row.metric, row.class_) for row in rows}


def seeds_by_groups(seeds: Sequence[GroupValues], groups: Sequence[str]) -> NDArray[np.float64]:
    """Return the values of groups as an array (n_seeds, n_groups), NaN where one is missing or undefined."""
    return np.array([[values.get(group, math.nan) for group in groups] for values in seeds], np.float64)


def group_values(rows: Iterable[Row], axes: Mapping[str, Axis]) -> dict[_Series, dict[LevelKey, GroupValues]]:
    """Average the samples of each group, per metric and class (None: the mean over classes) and per level.

    Parameters
    ----------
    rows : iterable of Row
        Values per sample, in any order, after one training.
    axes : mapping of Axis
        The task's axes.

    Returns
    -------
    dict
        By (metric, class), by level, by group: the group's value in the metric's unit, NaN where undefined.

    Raises
    ------
    InputError
        As `aggregate`.
    """
    samples: dict[_Series, dict[LevelKey, dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    classes: dict[tuple[str, LevelKey, str, str], list[float]] = defaultdict(list)
    seen: set[tuple[str, int | None, str, LevelKey]] = set()
    group_of: dict[str, str] = {}
    for row in rows:
        level, metric = _level(row, axes), get_metric(row.metric)
        key = (row.metric, row.class_, row.sample, level)
        if key in seen:
            raise InputError(f"{row.sample}: {row.metric}, class {row.class_}, comes twice at {level or 'reference'}")
        seen.add(key)
        if group_of.setdefault(row.sample, row.group) != row.group:
            raise InputError(f"{row.sample}: belongs to group {group_of[row.sample]} and to group {row.group}")
        if metric.per_class != (row.class_ is not None):
            raise InputError(f"{row.sample}: {row.metric} with class {row.class_}, which that metric does not have")
        samples[row.metric, row.class_][level][row.group].append(row.value)
        if metric.per_class and metric.direction != "nearest":
            classes[row.metric, level, row.sample, row.group].append(row.value)
    for (name, level, _, group), values in classes.items():
        samples[name, None][level][group].append(mean_on_scale(values, get_metric(name).scale))
    return {
        series: {
            level: {group: mean_on_scale(values, get_metric(series[0]).scale) for group, values in groups.items()}
            for level, groups in levels.items()
        }
        for series, levels in samples.items()
    }


def curve_values(levels: Mapping[LevelKey, GroupValues], axis: str, declared: Axis) -> dict[Level, GroupValues]:
    """Return the values of each group at each scored level of one axis; empty where only the reference was scored."""
    keys = {level: REFERENCE if level == declared.reference else (axis, level) for level in declared.levels}
    curve = {level: levels[key] for level, key in keys.items() if key in levels}
    return {} if set(curve) <= {declared.reference} else curve


def area_values(curve: Mapping[Level, GroupValues], declared: Axis, scale: Scale) -> GroupValues:
    """Average a whole curve within each group; groups that miss a level are left out."""
    return {
        group: mean_on_scale([groups[group] for groups in curve.values()], scale)
        for group in curve[declared.reference]
        if all(not math.isnan(groups.get(group, math.nan)) for groups in curve.values())
    }


def check_aggregates(result: "Result") -> None:
    """Raise `InputError` unless the aggregates are what the rows give: a result cannot claim more than it shows."""
    claimed = {(a.metric, a.class_, _key(a.level)): a for a in result.aggregates}
    computed = {(a.metric, a.class_, _key(a.level)): a for a in aggregate(result.rows, result.axes)}
    if len(claimed) != len(result.aggregates) or claimed.keys() != computed.keys():
        odd = sorted(map(str, claimed.keys() ^ computed.keys()))[:1] or ["one that comes twice"]
        raise InputError(f"{result.method.name}: aggregates do not match the rows, such as {odd[0]}")
    for key, claim in claimed.items():
        for name in ("mean", "low", "high", "n_groups"):
            stated, right = float(getattr(claim, name)), float(getattr(computed[key], name))
            if not (math.isclose(stated, right, rel_tol=1e-6, abs_tol=1e-9) or (stated != stated and right != right)):
                raise InputError(
                    f"{result.method.name}: {name} of {claim.metric}, class {claim.class_}, at "
                    f"{condition_text(claim.level) or 'the reference'} is {stated:.6g}, its rows give {right:.6g}"
                )
    if result.shifted is not None:
        check_aggregates(result.on_shifted())


def _level(row: Row, axes: Mapping[str, Axis]) -> LevelKey:
    off: list[tuple[str, Level]] = []
    for axis, level in row.condition.items():
        if axis not in axes:
            raise InputError(
                f"{row.sample}: condition {axis!r} is no axis of the task ({', '.join(axes) or 'it has none'})"
            )
        if level not in axes[axis].levels:
            raise InputError(f"{row.sample}: {axis} is {level!r}, expected one of {list(axes[axis].levels)}")
        if level != axes[axis].reference:
            off.append((axis, level))
    if len(off) > 1:
        raise InputError(
            f"{row.sample}: varies {' and '.join(axis for axis, _ in off)} at once, expected one at a time"
        )
    return off[0] if off else REFERENCE


def _points(
    levels: Mapping[LevelKey, GroupValues], axes: Mapping[str, Axis], scale: Scale
) -> dict[tuple[tuple[str, Level], ...], GroupValues]:
    """Values of the groups at the reference, at each level of each axis, and of each area."""
    points: dict[tuple[tuple[str, Level], ...], GroupValues] = {}
    if REFERENCE in levels:
        points[()] = levels[REFERENCE]
    for axis, declared in axes.items():
        curve = curve_values(levels, axis, declared)
        points.update({((axis, at),): groups for at, groups in curve.items()})
        if len(curve) == len(declared.levels):
            points[((axis, MEAN_OF_LEVELS),)] = area_values(curve, declared, scale)
    return points


def _over_groups(metric: str, label: int | None, level: dict[str, Level], seeds: Sequence[GroupValues]) -> Aggregate:
    declared = get_metric(metric)
    values = seeds_by_groups(seeds, sorted(set().union(*seeds)))
    if len(seeds) > 1 and declared.centre == "mean":
        interval = seeded_interval(values, scale=declared.scale, bounds=declared.bounds)
    else:
        of_groups = [mean_on_scale(v, declared.scale) for v in values[:, ~np.isnan(values).any(axis=0)].T]
        found = values[0] if len(seeds) == 1 else of_groups
        interval = group_interval(found, scale=declared.scale, bounds=declared.bounds, centre=declared.centre)
    return Aggregate(
        metric=metric,
        class_=label,
        level=level,
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        n_groups=interval.n_groups,
        method=interval.method,
        why="no specimen has a value" if interval.method == "undefined" else None,
    )


def _key(level: Mapping[str, Level]) -> tuple[tuple[str, Level], ...]:
    return tuple(sorted(level.items()))
