"""The plane of a contrast task: CNR against MTF50, with the curve of what a low-pass reaches."""

import math
from collections.abc import Sequence
from typing import Any

from sxtbench.benchmark.plots import ticks_of
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.wording import metric_title, value
from sxtbench.metrics.registry import get_metric

_GAIN, _CNR, _MTF, _OUTSIDE = "cnr_gain_matched@1", "cnr_mean@1", "mtf50@1", "outside_family@1"


def contrast_plane(results: Sequence[Result]) -> dict[str, Any] | None:
    """Place each result by its sharpness and its contrast, and draw the low-passes that they are measured by.

    A result holds its CNR and its gain; their ratio is the CNR of the low-pass with the same MTF50. These points, one a
    result that lies within the low-passes, are the curve.

    Parameters
    ----------
    results : sequence of Result
        Their places choose colours and marks.

    Returns
    -------
    dict or None
        None where no result has both numbers.
    """
    points = [(i, r, _mean(r, _MTF), _mean(r, _CNR)) for i, r in enumerate(results)]
    points = [point for point in points if not any(math.isnan(v) for v in point[2:])]
    if not points:
        return None
    low_pass = sorted((x, y / _mean(r, _GAIN)) for _, r, x, y in points if _mean(r, _OUTSIDE) == 0)
    across = [x for _, _, x, _ in points]
    upward = [y for *_, y in points] + [y for _, y in low_pass]
    x_ticks, y_ticks = ticks_of(min(across), max(across), least=100), ticks_of(min(upward), max(upward), least=1.0)
    width, height, left, right, top, bottom = 460.0, 300.0, 46.0, 14.0, 12.0, 44.0

    def place(x: float, y: float) -> tuple[float, float]:
        u = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        v = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return left + (width - left - right) * u, top + (height - top - bottom) * (1 - v)

    cnr, mtf = get_metric(_CNR), get_metric(_MTF)
    marks = []
    for index, result, x, y in points:
        u, v = place(x, y)
        text = f"{result.method.name}: CNR {value(y, cnr)} at an MTF50 of {value(x, mtf)} nm"
        marks.append({"index": index, "x": u, "y": v, "name": result.method.name, "text": text})
    return {
        "width": width,
        "height": height,
        "left": left,
        "right": width - right,
        "top": top,
        "bottom": height - bottom,
        "x_title": metric_title(mtf),
        "y_title": metric_title(cnr),
        "x_ticks": [{"x": place(tick, y_ticks[0])[0], "text": f"{tick:g}"} for tick in x_ticks],
        "y_ticks": [{"y": place(x_ticks[0], tick)[1], "text": f"{tick:g}"} for tick in y_ticks],
        "marks": marks,
        "curve": " ".join(
            f"{'M' if i == 0 else 'L'}{u:.1f} {v:.1f}" for i, (u, v) in enumerate(place(*point) for point in low_pass)
        )
        if len(low_pass) > 1
        else "",
    }


def _mean(result: Result, metric: str) -> float:
    found = (a.mean for a in result.aggregates if a.metric == metric and a.class_ is None and not a.level)
    return next(found, math.nan)
