"""Values to quantiles of a normal distribution, by a histogram instead of a sort."""

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.jit import exact_kernel
from sxtbench.specimens.blocks import in_blocks

_BINS = 1 << 18
_BLOCK = 16  # slices


def normal_quantiles(
    volume: NDArray[np.float32], region: NDArray[np.bool_], *, workers: int | None = None
) -> NDArray[np.float32]:
    """Replace values by the quantiles of the standard normal distribution that their ranks have.

    Ranks come from a histogram of 2^18 equal bins between the smallest and the largest value: what falls into one bin
    shares its mean rank, as ties do. On 512^3 voxels this is a few passes, where a sort takes over ten seconds.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32
        Any unit, finite within the region.
    region : ndarray, shape (z, y, x), bool
        Whose values are ranked; what lies outside becomes 0.
    workers : int, optional
        Threads, default one a core. The result does not depend on it.

    Returns
    -------
    ndarray, shape (z, y, x), float32
        Quantiles, zero outside the region.

    Raises
    ------
    InputError
        For another shape of the region, and for NaN or infinity in it.

    References
    ----------
    Egebjerg and Wüstner 2025, doi 10.48550/arXiv.2508.10821: normalisation to a normal distribution by rank.

    Examples
    --------
    >>> volume = np.array([[[1, 5, 3, 9]]], np.float32)
    >>> print(normal_quantiles(volume, volume < 9).round(3))
    [[[-0.967  0.967  0.     0.   ]]]
    """
    from scipy.special import ndtri

    if region.shape != volume.shape:
        raise InputError(f"the region has shape {region.shape}, the volume {volume.shape}, expected the same")
    length = len(volume)
    limits = in_blocks(lambda a, b: _limits(volume[a:b], region[a:b]), length, block=_BLOCK, workers=workers)
    if not all(finite for _, _, finite in limits):
        raise InputError("the volume holds NaN or infinity, expected finite values in the region")
    low, high = min(one[0] for one in limits), max(one[1] for one in limits)
    scale = _BINS / (high - low) if high > low else 0.0

    def counted(first: int, last: int) -> NDArray[np.int64]:
        count = np.zeros(_BINS, np.int64)
        for begin in range(first, last, _BLOCK):
            part = slice(begin, min(begin + _BLOCK, last))
            _count(volume[part], region[part], low, scale, count)
        return count

    count = np.sum(in_blocks(counted, length, block=max(_BLOCK, -(-length // 8)), workers=workers), axis=0)
    total = int(count.sum())
    out = np.empty(volume.shape, np.float32)
    mean_rank = (np.cumsum(count) - count / 2) / max(total, 1)
    quantile = np.where(count > 0, ndtri(mean_rank), 0.0).astype(np.float32)
    in_blocks(
        lambda a, b: _look_up(volume[a:b], region[a:b], low, scale, quantile, out[a:b]),
        length,
        block=_BLOCK,
        workers=workers,
    )
    return out


@exact_kernel
def _limits(volume: NDArray[np.float32], region: NDArray[np.bool_]) -> tuple[float, float, bool]:
    """Smallest and largest value of a region, and whether all are finite."""
    low, high, finite = np.inf, -np.inf, True
    for k in range(volume.shape[0]):
        for j in range(volume.shape[1]):
            for i in range(volume.shape[2]):
                if region[k, j, i]:
                    value = float(volume[k, j, i])
                    finite = finite and np.isfinite(value)
                    low = min(low, value)
                    high = max(high, value)
    return low, high, finite


@exact_kernel
def _count(
    volume: NDArray[np.float32], region: NDArray[np.bool_], low: float, scale: float, count: NDArray[np.int64]
) -> None:
    last = len(count) - 1
    for k in range(volume.shape[0]):
        for j in range(volume.shape[1]):
            for i in range(volume.shape[2]):
                if region[k, j, i]:
                    count[min(int((volume[k, j, i] - low) * scale), last)] += 1


@exact_kernel
def _look_up(
    volume: NDArray[np.float32],
    region: NDArray[np.bool_],
    low: float,
    scale: float,
    quantile: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    last = len(quantile) - 1
    for k in range(volume.shape[0]):
        for j in range(volume.shape[1]):
            for i in range(volume.shape[2]):
                value = np.float32(0.0)
                if region[k, j, i]:
                    value = quantile[min(int((volume[k, j, i] - low) * scale), last)]
                out[k, j, i] = value
