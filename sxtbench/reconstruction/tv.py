"""Weighted least squares with total variation, by the primal-dual hybrid gradient method."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.operators import LinearOperator, Scaled
from sxtbench.operators._arrays import is_tensor
from sxtbench.reconstruction._blocks import Array, Bounds, backward, blocks_of, dot, forward, is_stacked, limits, start
from sxtbench.reconstruction._loop import Callback, iterate

_GRADIENT_NORM = np.sqrt(12.0)  # bound of the norm of 3-D forward differences
# Dual over primal step. It changes how fast the minimum comes, not which: measured for photon weights on flat grids,
# where diagonal preconditioning was no faster; without weights 1 would be better.
_BALANCE = np.sqrt(10.0)
_POWER_ITERATIONS = 10
_SAFETY = 1.02  # the power iteration comes from below


def tv(
    A: LinearOperator,
    y: Any,
    iterations: int = 200,
    x0: ArrayLike | None = None,
    *,
    weight: float,
    data_weights: Any = None,
    bounds: Bounds = (0.0, None),
    callback: Callback | None = None,
    progress: bool = False,
) -> Array:
    """Minimise `1/2 |W^(1/2) (A x - y)|^2 + weight * TV(x)` within bounds.

    TV is isotropic: the sum over voxels of the length of the forward differences along (z, y, x), in the unit of x (not
    divided by the voxel size). With `data_weights` the inverse variance of the data, the first term is half a
    chi-square, and `weight` is in units of 1 / LAC: with a noisier tilt series the same weight smooths more.

    The method is that of Chambolle and Pock with constant steps: the gradient is scaled to the norm of `W^(1/2) A`, and
    the norm of both together is bounded from a power iteration (seeded; 10 applications of `A` and `A.T`).

    Parameters
    ----------
    A : LinearOperator
        Forward operator with its exact adjoint; a `Stack` for data from several acquisitions. Its domain is a volume.
    y : array_like, shape A.range_shape, cast to float32, or a list of them for a `Stack`
        Data.
    iterations : int
        How many; stopping early smooths less along directions that were not measured.
    x0 : array_like, shape A.domain_shape, optional
        Start; zero by default. Not changed.
    weight : float
        Of the total variation, 0 or more.
    data_weights : array_like, shape of y, or a list of them, optional
        Inverse variances, see `reconstruction.weights.poisson_weights`; 1 by default.
    bounds : tuple of two (float or None), optional
        Least and greatest LAC, 1/um; not negative by default. None: no bounds.
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
        For data, weights or a start of another shape or with NaN or infinity, negative weights, wrong bounds.
    Interrupted
        For a Ctrl-C, with the current iterate.

    References
    ----------
    Chambolle and Pock, J. Math. Imaging Vis. 40 (2011) 120, doi 10.1007/s10851-010-0251-1; Sidky, Jorgensen and Pan,
    Phys. Med. Biol. 57 (2012) 3065, doi 10.1088/0031-9155/57/10/3065.

    Examples
    --------
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[-60, -30, 0, 30, 60], columns=16, slices=1, pixel_size_nm=1000)
    >>> A = ParallelBeam(geometry, volume_shape=(1, 16, 16))
    >>> truth = np.zeros((1, 16, 16), np.float32)
    >>> truth[:, 5:11, 4:12] = 0.3
    >>> x = tv(A, A(truth), iterations=300, weight=0.1)
    >>> bool(np.sqrt(np.mean((x - truth) ** 2)) < 0.01)
    True
    """
    if iterations < 0:
        raise InputError(f"iterations is {iterations}, expected 0 or more")
    if not weight >= 0:
        raise InputError(f"weight is {weight}, expected 0 or more")
    low, high = limits(bounds)
    if len(A.domain_shape) != 3:
        raise InputError(f"tv needs a volume (z, y, x); the operator's domain is {tuple(A.domain_shape)}")
    data = blocks_of(A, y)
    weighted = A
    if data_weights is not None:
        roots = [_root(block) for block in blocks_of(A, data_weights, "data_weights")]
        weighted = Scaled(A, roots if is_stacked(A) else roots[0])
        data = [root * block for root, block in zip(roots, data, strict=True)]
    x = start(A, x0, data)
    work: _Numba | _Torch = _Torch() if is_tensor(x) else _Numba()
    norm = operator_norm(weighted, x)
    if norm == 0:
        return x
    scale = norm / _GRADIENT_NORM
    both = _SAFETY * np.sqrt(2.0) * norm  # |[A; s grad]| <= sqrt(|A|^2 + s^2 |grad|^2)
    dual_step, step = float(_BALANCE / both), float(1 / (_BALANCE * both))
    ahead = x + 0
    dual_data = [block * 0 for block in data]
    dual_gradient = x.new_zeros((3, *x.shape)) if is_tensor(x) else np.zeros((3, *x.shape), np.float32)
    for _ in iterate(iterations, x, name="TV", callback=callback, progress=progress):
        for dual, image, block in zip(dual_data, forward(weighted, ahead), data, strict=True):
            image -= block
            image *= dual_step
            dual += image
            dual *= 1 / (1 + dual_step)
        work.ascend(dual_gradient, ahead, dual_step * scale**2, weight)
        work.descend(x, ahead, backward(weighted, dual_data), dual_gradient, step, low, high)
    return x


def operator_norm(A: LinearOperator, like: Array, seed: int = 0) -> float:
    """Return the greatest singular value of an operator, by power iteration from a seeded positive start.

    Parameters
    ----------
    A : LinearOperator
        With its adjoint.
    like : ndarray or tensor, shape A.domain_shape
        Says which kind of array the operator takes.
    seed : int
        Of the start, uniform on [0, 1).

    Returns
    -------
    float
        From below, to a few per cent; 0 for the zero operator.
    """
    x: Array = np.random.default_rng(seed).random(tuple(A.domain_shape), np.float32)
    if is_tensor(like):
        x = like.new_tensor(x)
    norm = 0.0
    for _ in range(_POWER_ITERATIONS):
        length = float(np.sqrt(dot([x], [x])))
        if length == 0:
            return 0.0
        x = x * (1 / length)
        image = forward(A, x)
        norm = float(np.sqrt(dot(image, image)))
        x = backward(A, image)
    return norm


def _root(weights: Array) -> Array:
    if bool((weights < 0).any()):
        raise InputError("data_weights hold negative values, expected inverse variances")
    return weights.sqrt() if is_tensor(weights) else np.sqrt(weights)


class _Numba:
    """Steps on numpy arrays: compiled, slabs of slices on threads. Slabs write apart, so threads change nothing."""

    def ascend(self, dual: Array, x: Array, step: float, bound: float) -> None:
        from sxtbench.reconstruction._gradient import ascend

        _in_slabs(len(x), lambda begin, end: ascend(dual, x, step, bound, begin, end))

    def descend(self, x: Array, ahead: Array, slope: Array, dual: Array, step: float, low: float, high: float) -> None:
        from sxtbench.reconstruction._gradient import descend

        slope = np.ascontiguousarray(slope)
        _in_slabs(len(x), lambda begin, end: descend(x, ahead, slope, dual, step, low, high, begin, end))


class _Torch:
    """The same steps on tensors."""

    def ascend(self, dual: Array, x: Array, step: float, bound: float) -> None:
        dual[0, :-1] += step * (x[1:] - x[:-1])
        dual[1, :, :-1] += step * (x[:, 1:] - x[:, :-1])
        dual[2, :, :, :-1] += step * (x[:, :, 1:] - x[:, :, :-1])
        dual *= (bound / dual.square().sum(0).sqrt().clamp(min=1e-30)).clamp(max=1)

    def descend(self, x: Array, ahead: Array, slope: Array, dual: Array, step: float, low: float, high: float) -> None:
        divergence = x * 0
        divergence[:-1] += dual[0, :-1]
        divergence[1:] -= dual[0, :-1]
        divergence[:, :-1] += dual[1, :, :-1]
        divergence[:, 1:] -= dual[1, :, :-1]
        divergence[:, :, :-1] += dual[2, :, :, :-1]
        divergence[:, :, 1:] -= dual[2, :, :, :-1]
        after = (x - step * (slope - divergence)).clamp(min=low, max=high)
        ahead.copy_(2 * after - x)
        x.copy_(after)


def _in_slabs(slices: int, work: Callable[[int, int], None]) -> None:
    workers = min(slices, available_cores())
    edges = [slices * i // workers for i in range(workers + 1)]
    if workers == 1:
        work(0, slices)
        return
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work, *pair) for pair in pairwise(edges)]:
            future.result()
