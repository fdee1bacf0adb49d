"""CGNE that stops at the best PSNR against the phantom, as the paper does. Only studies may look at the truth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.metrics import psnr
from sxtbench.operators import LinearOperator
from sxtbench.reconstruction import cgne
from sxtbench.studies.reading import peak

_PATIENCE = 5


@dataclass(frozen=True, eq=False)
class Best:
    """The best iterate.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32
        The iterate, in the unit of the phantom.
    psnr : float, dB
        Its PSNR in the mask.
    iteration : int
        Its number.
    exhausted : bool
        Whether the iterations ended before the PSNR had turned.
    """

    volume: NDArray[np.float32]
    psnr: float
    iteration: int
    exhausted: bool


def best_cgne(
    A: LinearOperator,
    y: Any,
    truth: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    *,
    iterations: int = 100,
    nonnegative: bool = False,
    report: Callable[[str], None] = lambda line: None,
    name: str = "CGNE",
) -> Best:
    """Reconstruct by CGNE from zero until the PSNR has not risen for more than 5 iterations; return the best iterate.

    Parameters
    ----------
    A : LinearOperator
        The operator, or a `Stack`.
    y : ndarray or list of them
        Data.
    truth : ndarray, shape A.domain_shape, float32
        The phantom.
    mask : ndarray, shape of `truth`, bool, or None
        Where PSNR is read; everywhere for None.
    iterations : int
        At most.
    nonnegative : bool
        Projected steepest descent instead (`sxtbench.reconstruction.cgne`).
    report : callable
        Told each iteration.
    name : str
        What it is told first.

    Returns
    -------
    Best
    """
    top = peak(truth)
    kept, best, at, last = np.zeros(truth.shape, np.float32), -np.inf, 0, 0

    def look(iteration: int, x: Any) -> bool:
        nonlocal best, at, last
        value, last = psnr(x, truth, data_range=top, mask=mask), iteration
        if value > best:
            best, at = value, iteration
            np.copyto(kept, x)
        report(f"{name}: iteration {iteration}, {value:.2f} dB")
        return iteration - at > _PATIENCE

    cgne(A, y, iterations, nonnegative=nonnegative, callback=look)
    return Best(kept, float(best), at, last - at <= _PATIENCE)
