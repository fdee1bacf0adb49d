"""Simultaneous and ordered-subset iterative reconstruction: SIRT and SART."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.operators import LinearOperator, Stack
from sxtbench.reconstruction._blocks import (
    Array,
    Bounds,
    add,
    backward,
    blocks_of,
    clip,
    forward,
    is_stacked,
    limits,
    ones,
    reciprocal,
    residual,
    shapes,
    start,
)
from sxtbench.reconstruction._loop import Callback, iterate

_MOST_WEIGHTS = 2**30  # bytes of column weights that are kept; beyond, they are computed again each time


def sirt(
    A: LinearOperator,
    y: Any,
    iterations: int = 50,
    x0: ArrayLike | None = None,
    *,
    relaxation: float = 1.0,
    bounds: Bounds = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> Array:
    """Simultaneous iterative reconstruction: `x += relaxation * C A^T R (y - A x)`.

    `R = 1 / (A 1)` and `C = 1 / (A^T 1)`, summed over the blocks of a `Stack`; where a sum is below 1e-8 (a ray that
    misses the volume, a voxel that no ray meets) the weight is 0.

    Parameters
    ----------
    A : LinearOperator
        Forward operator; entries not negative.
    y : array_like, shape A.range_shape, cast to float32, or a list of them for a `Stack`
        Data.
    iterations : int
        How many.
    x0 : array_like, shape A.domain_shape, optional
        Start; zero by default. Not changed.
    relaxation : float
        Between 0 and 2.
    bounds : tuple of two (float or None), optional
        Least and greatest LAC; the iterate is clipped to them. The interior paper's code clips at 0.
    callback : callable, optional
        Called as `callback(iteration, x)` after each iteration, from 1; the solver ends where it returns True.
    progress : bool
        Draw a bar on stderr.

    Returns
    -------
    ndarray, shape A.domain_shape, float32

    Raises
    ------
    InputError
        For data or a start of another shape or with NaN or infinity, and parameters out of their range.
    Interrupted
        For a Ctrl-C, with the current iterate.

    References
    ----------
    Gregor and Benson, IEEE Trans. Med. Imaging 27 (2008) 918, doi 10.1109/TMI.2008.923696; Ekman et al., Phys. Scr. 100
    (2025) 126008, below equation 7.

    Examples
    --------
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[0, 60, 120], columns=8, slices=1, pixel_size_nm=1000)
    >>> A = ParallelBeam(geometry, volume_shape=(1, 8, 8))
    >>> x = sirt(A, A(np.full((1, 8, 8), 0.3)), iterations=100)
    >>> bool(np.abs(A(x) - A(np.full((1, 8, 8), 0.3))).max() < 0.01)
    True
    """
    _require(iterations, relaxation)
    low, high = limits(bounds)
    data = blocks_of(A, y)
    x = start(A, x0, data)
    update = _Update(A, data, keep=True)
    for _ in iterate(iterations, x, name="SIRT", callback=callback, progress=progress):
        add(x, relaxation, update(x))
        clip(x, low, high)
    return x


def sart(
    A: LinearOperator,
    y: Any,
    iterations: int = 10,
    x0: ArrayLike | None = None,
    *,
    subsets: int = 8,
    relaxation: float = 1.0,
    bounds: Bounds = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> Array:
    """SIRT with ordered subsets of the views: each iteration updates once for every subset.

    Subset k holds the views k, k + subsets, k + 2 subsets, ... and subsets are visited in bit-reversed order, so that
    successive ones lie far apart. With as many subsets as views this is SART (Andersen and Kak 1984). An iteration
    comes about `subsets` times as far as one of SIRT; with 8 subsets of 120 views it costs about twice as much (128^3),
    with one subset a view about 20 times, as each update passes over the whole volume.

    Parameters
    ----------
    A : LinearOperator
        A `ParallelBeam`, an operator on its projections (`Blur @ ParallelBeam`), or a `Stack` of such: it has `views`.
    y : array_like, shape A.range_shape, cast to float32, or a list of them for a `Stack`
        Data, views along the first axis.
    iterations : int
        Passes over all views.
    x0 : array_like, shape A.domain_shape, optional
        Start; zero by default. Not changed.
    subsets : int
        How many; more than there are views count as that many.
    relaxation : float
        Between 0 and 2. With noisy data small values or few iterations: the subsets contradict each other.
    bounds : tuple of two (float or None), optional
        Least and greatest LAC; the iterate is clipped to them after each subset.
    callback : callable, optional
        Called as `callback(iteration, x)` after each iteration, from 1; the solver ends where it returns True.
    progress : bool
        Draw a bar on stderr.

    Returns
    -------
    ndarray, shape A.domain_shape, float32

    Raises
    ------
    InputError
        For an operator without views, data or a start of another shape or with NaN or infinity, and parameters out of
        their range.
    Interrupted
        For a Ctrl-C, with the current iterate.

    References
    ----------
    Andersen and Kak, Ultrason. Imaging 6 (1984) 81, doi 10.1016/0161-7346(84)90008-7; Wang and Jiang, J. X-Ray Sci.
    Technol. 12 (2004) 169 (ordered subsets).

    Examples
    --------
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[0, 45, 90, 135], columns=8, slices=1, pixel_size_nm=1000)
    >>> A = ParallelBeam(geometry, volume_shape=(1, 8, 8))
    >>> x = sart(A, A(np.full((1, 8, 8), 0.3)), iterations=20, subsets=4)
    >>> bool(np.abs(A(x) - A(np.full((1, 8, 8), 0.3))).max() < 0.01)
    True
    """
    _require(iterations, relaxation)
    low, high = limits(bounds)
    if subsets < 1:
        raise InputError(f"subsets is {subsets}, expected 1 or more")
    data = blocks_of(A, y)
    x = start(A, x0, data)
    updates = _subset_updates(A, data, subsets)
    for _ in iterate(iterations, x, name="SART", callback=callback, progress=progress):
        for update in updates:
            add(x, relaxation, update(x))
            clip(x, low, high)
    return x


class _Update:
    """`x -> C A^T R (y - A x)`, with the weights of rows and, where there is room, of columns kept."""

    def __init__(self, A: LinearOperator, data: Sequence[Array], keep: bool) -> None:
        self.A, self.data = A, data
        self.rows = [reciprocal(block) for block in forward(A, ones(tuple(A.domain_shape), data[0]))]
        self.columns = self._column_weights() if keep else None

    def _column_weights(self) -> Array:
        rays = [ones(tuple(block.shape), block) for block in self.data]
        return reciprocal(backward(self.A, rays))

    def __call__(self, x: Array) -> Array:
        remainder = residual(self.A, self.data, x)
        for block, weight in zip(remainder, self.rows, strict=True):
            block *= weight
        columns = self._column_weights() if self.columns is None else self.columns
        step = backward(self.A, remainder)
        step *= columns
        return step


def _subset_updates(A: LinearOperator, data: Sequence[Array], subsets: int) -> list[_Update]:
    """Return the updates of all subsets in the order of their visits."""
    count = min(subsets, min(shape[0] for shape in shapes(A)))
    keep = 4 * int(np.prod(A.domain_shape, dtype=np.int64)) * count <= _MOST_WEIGHTS
    return [_Update(*_subset(A, data, k, count), keep) for k in bit_reversed(count)]


def _subset(A: LinearOperator, data: Sequence[Array], k: int, count: int) -> tuple[LinearOperator, list[Array]]:
    if isinstance(A, Stack):
        parts = [_views(block, np.arange(k, len(y), count)) for block, y in zip(A.blocks, data, strict=True)]
        return Stack(parts), [y[k::count] for y in data]
    if is_stacked(A):
        raise InputError(f"sart needs the views of each block, and {type(A).__name__} hides them: expected a Stack")
    return _views(A, np.arange(k, len(data[0]), count)), [data[0][k::count]]


def _views(A: LinearOperator, indices: NDArray[np.int64]) -> LinearOperator:
    restricted = getattr(A, "views", None)
    if restricted is None:
        raise InputError(f"sart needs an operator with views, such as ParallelBeam; {type(A).__name__} has none")
    subset: LinearOperator = restricted(indices)
    return subset


def bit_reversed(count: int) -> list[int]:
    """Return 0 ... count - 1 so that neighbours in the list lie far apart: in the order of their reversed bits.

    >>> bit_reversed(6)
    [0, 4, 2, 1, 5, 3]
    """
    bits = max(1, (count - 1).bit_length())
    return sorted(range(count), key=lambda k: int(f"{k:0{bits}b}"[::-1], 2))


def _require(iterations: int, relaxation: float) -> None:
    if iterations < 0:
        raise InputError(f"iterations is {iterations}, expected 0 or more")
    if not 0 < relaxation < 2:
        raise InputError(f"relaxation is {relaxation}, expected a number between 0 and 2")
