"""A task's gate: results whose other numbers are too far from those of a reference method are shown, not ranked."""

import math
from collections.abc import Mapping, Sequence

from sxtbench.benchmark.result import Result
from sxtbench.benchmark.standings import Entry
from sxtbench.benchmark.task import Gate
from sxtbench.benchmark.wording import unit
from sxtbench.labels import NAMES
from sxtbench.metrics.registry import get_metric


def gated(entries: Sequence[Entry], gate: Gate | None) -> dict[str, str]:
    """Return why some results are not ranked, by their file's name.

    Parameters
    ----------
    entries : sequence of Entry
        Results that can be compared, the gate's reference method among them; without it nothing is kept out.
    gate : Gate or None
        Of the task.
    """
    reference = next((e.result for e in entries if gate and e.slug == gate.like), None)
    if gate is None or reference is None:
        return {}
    return {e.slug: reason for e in entries if (reason := _reason(e.result, reference, gate))}


def _reason(result: Result, reference: Result, gate: Gate) -> str:
    """Return the widest miss of a result as one line; empty where it passes."""
    return missed(_by_class(result, gate.metric), _by_class(reference, gate.metric), gate)


def missed(found: Mapping[int, float], right: Mapping[int, float], gate: Gate) -> str:
    """Return the widest miss as one line; empty where every class is near enough.

    Parameters
    ----------
    found, right : mapping of int to float
        The gate's metric by class, of what is judged and of the gate's own method.
    gate : Gate
        Of the task.
    """
    metric = get_metric(gate.metric)
    missing = sorted(right.keys() - found.keys())
    if missing:
        return f"no {metric.name} of {NAMES.get(missing[0], str(missing[0]))}"
    misses = {label: abs(found[label] - value) for label, value in right.items()}
    label = max(misses, key=lambda one: misses[one], default=None)
    if label is None or misses[label] <= gate.within:
        return ""
    return f"{metric.name} of {NAMES.get(label, str(label))} off by {misses[label]:.3f} {unit(metric)}"


def _by_class(result: Result, metric: str) -> dict[int, float]:
    return {
        a.class_: a.mean
        for a in result.aggregates
        if a.metric == metric and a.class_ is not None and not a.level and not math.isnan(a.mean)
    }
