"""Many tests at once."""

import math
from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """Adjust the p-values of a family of tests by Holm's step-down procedure.

    Parameters
    ----------
    p : sequence of float
        In [0, 1]; NaN (no test) stays NaN and does not count.

    Returns
    -------
    list of float
        In the given order.

    References
    ----------
    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6 (1979), 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    ordered = sorted((value, i) for i, value in enumerate(p) if not math.isnan(value))
    adjusted = [math.nan] * len(p)
    largest = 0.0
    for rank, (value, i) in enumerate(ordered):
        largest = max(largest, min(1.0, value * (len(ordered) - rank)))
        adjusted[i] = largest
    return adjusted
