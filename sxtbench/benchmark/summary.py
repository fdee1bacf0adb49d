"""A result as a short text table."""

import math
from typing import TYPE_CHECKING

from sxtbench.benchmark.records import MEAN_OF_LEVELS, Aggregate, condition_text
from sxtbench.labels import NAMES
from sxtbench.metrics.registry import METRICS, Metric, get_metric

if TYPE_CHECKING:
    from sxtbench.benchmark.result import Result


def summary(result: "Result") -> str:
    """Return the headline, the columns beside it at the reference level, and the curves of the primary metric."""
    groups = result.headline.n_groups
    head = (
        f"{result.method.name} on {result.task}@{result.version}, {result.tier}, {result.split}: "
        f"{groups} specimen{'' if groups == 1 else 's'}, "
        f"{f'{result.n_seeds} training seeds, ' if result.n_seeds > 1 else ''}track {result.method.track}"
    )
    lines = [("metric", "mean", "95 % interval")]
    repeating = headline_by_class(result)
    for found in sorted(result.aggregates, key=lambda a: (a.metric != result.primary, bool(a.level))):
        if found.level and (found.metric != result.primary or found.class_ is not None):
            continue
        if found.class_ is None and found.metric == repeating:
            continue
        metric = get_metric(found.metric)
        mean = "-" if math.isnan(found.mean) else f"{found.mean:.{metric.digits}f}"
        lines.append((_name(found, metric), mean, _span(found, metric)))
    for found in result.shifted.aggregates if result.shifted else ():
        if found.metric == result.primary and found.class_ is None:
            metric = get_metric(found.metric)
            lines.append((f"{metric.name}, shifted domain", f"{found.mean:.{metric.digits}f}", _span(found, metric)))
    widths = [max(len(line[i]) for line in lines) for i in (0, 1)]
    table = [f"  {name:<{widths[0]}} {mean:>{widths[1]}}  {span}".rstrip() for name, mean, span in lines]
    flags = [f"  flags: {', '.join(result.flags)}"] if result.flags else []
    return "\n".join([head, *table, *flags])


def headline_by_class(result: "Result") -> str | None:
    """Return the metric with classes whose mean over them is the headline, as IoU's is mean IoU; None if none is."""
    means = {a.metric: a.mean for a in result.aggregates if a.class_ is None and not a.level}
    headline = result.headline.mean
    for metric in METRICS.values():
        if metric.per_class and metric.id in means and metric.id != result.primary:
            if math.isclose(means[metric.id], headline, rel_tol=1e-9, abs_tol=1e-12):
                return metric.id
    return None


def _name(found: Aggregate, metric: Metric) -> str:
    name = metric.name
    if found.class_ is not None:
        name += f", {NAMES.get(found.class_, found.class_)}"
    if list(found.level.values()) == [MEAN_OF_LEVELS]:
        name += f", mean over {next(iter(found.level))}"
    elif found.level:
        name += f" at {condition_text(found.level)}"
    return name + (f" ({metric.unit})" if metric.unit else "")


def _span(found: Aggregate, metric: Metric) -> str:
    if found.method == "undefined":
        return found.why or "undefined"
    if found.method == "degenerate":
        return "one specimen" if found.n_groups == 1 else "all equal"
    return f"[{found.low:.{metric.digits}f}, {found.high:.{metric.digits}f}]"
