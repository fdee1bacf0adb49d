"""How numbers, axes and metrics are written on the board and in figures."""

import math

from sxtbench.benchmark.records import Aggregate, Level, level_text
from sxtbench.metrics.registry import Metric

DASH = "–"
_UNITS = {"_deg": "degrees", "_nm": "nm", "_um": "µm", "_ev": "eV", "_px": "pixels"}


def axis_title(name: str) -> str:
    """Return an axis in words, with its unit.

    >>> axis_title("tilt_range_deg")
    'tilt range, degrees'
    """
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')}, {unit}"
    return name.replace("_", " ")


def axis_name(name: str) -> str:
    """Return an axis in words, without its unit.

    >>> axis_name("tilt_range_deg")
    'tilt range'
    """
    return axis_title(name).partition(",")[0]


def at_level(name: str, level: Level) -> str:
    """Return a place on an axis.

    >>> at_level("tilt_range_deg", 100.0)
    'tilt range 100°'
    """
    return f"{axis_name(name)} {level_text(level)}{'°' if name.endswith('_deg') else ''}"


def unit(metric: Metric) -> str:
    """Return a metric's unit as it is printed; empty for a ratio."""
    return "µm⁻¹" if metric.unit == "1/um" else metric.unit.replace("um", "µm")


def metric_title(metric: Metric) -> str:
    """Return a metric's name with its unit.

    >>> from sxtbench.metrics.registry import get_metric
    >>> metric_title(get_metric("psnr_lac@1"))
    'PSNR, dB'
    """
    return f"{metric.name}, {unit(metric)}" if metric.unit else metric.name


def direction(metric: Metric) -> str:
    """Return which values are better.

    >>> from sxtbench.metrics.registry import get_metric
    >>> direction(get_metric("lac_bias@1"))
    'nearest to 0 is better'
    """
    return (
        f"nearest to {metric.ideal:g} is better" if metric.direction == "nearest" else f"{metric.direction} is better"
    )


def value(number: float, metric: Metric) -> str:
    """Return a value with the metric's decimals; a dash where undefined."""
    return DASH if math.isnan(number) else f"{number:.{metric.digits}f}"


def span(found: Aggregate, metric: Metric) -> str:
    """Return an interval with one decimal less than the mean, or why there is none."""
    if found.method == "undefined":
        return found.why or "undefined"
    if found.method == "degenerate":
        return "one specimen" if found.n_groups == 1 else "all equal"
    digits = max(metric.digits - 1, 0)
    return f"[{found.low:.{digits}f}, {found.high:.{digits}f}]"


def mean_and_span(found: Aggregate, metric: Metric) -> str:
    """Return a mean with its interval."""
    return f"{value(found.mean, metric)} {span(found, metric)}"


def duration(seconds: float | None) -> str:
    """Return a time with a unit that suits it.

    >>> duration(0.25), duration(90.0), duration(None)
    ('250 ms', '1.5 min', '–')
    """
    if seconds is None:
        return DASH
    for limit, name, size in ((1.0, "ms", 1e-3), (60.0, "s", 1.0), (3600.0, "min", 60.0)):
        if seconds < limit:
            return f"{seconds / size:.{0 if seconds / size >= 100 else 1}f} {name}"
    return f"{seconds / 3600.0:.1f} h"


def megabytes(number: float | None) -> str:
    """Return an amount of memory.

    >>> megabytes(1500.0)
    '1.5 GB'
    """
    if number is None:
        return DASH
    return f"{number:.0f} MB" if number < 1000 else f"{number / 1000:.1f} GB"


def count(number: float | None) -> str:
    """Return a number of things with a unit that suits it.

    >>> count(5.0), count(31_400.0), count(2_500_000.0), count(None)
    ('5', '31.4 k', '2.5 M', '–')
    """
    if number is None:
        return DASH
    for limit, name, size in ((1e3, "", 1.0), (1e6, " k", 1e3), (1e9, " M", 1e6)):
        if number < limit:
            return f"{number / size:.3g}{name}"
    return f"{number / 1e9:.3g} G"


def plain(text: str) -> str:
    """Return a text without what could move or hide other text: control, formatting and bidirectional characters.

    Line breaks become spaces, the others U+FFFD.

    >>> plain("two" + chr(10) + "lines, " + chr(0x202E) + "turned")
    'two lines, \ufffdturned'
    """
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "\ufffd" for character in text
    )
