"""Least squares by conjugate gradients on the normal equations."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.operators import LinearOperator

Array = NDArray[np.float32]
_PART = 2**16


def cgne(
    A: LinearOperator,
    y: ArrayLike,
    iterations: int = 50,
    x0: ArrayLike | None = None,
    nonnegative: bool = False,
    callback: Callable[[int, Array], None] | None = None,
) -> Array:
    """Minimise `|y - A x|^2` from `x0` by conjugate gradients on the normal equations.

    The recursion is that of the interior-tomography paper's code: when a step would make the residual grow (rounding,
    an adjoint that is not exact), the step is left out and the directions start afresh from the current x. Arrays are
    float32, inner products are summed in float64.

    Parameters
    ----------
    A : LinearOperator
        Forward operator with its exact adjoint `A.T`.
    y : array_like, shape A.range_shape, cast to float32
        Data.
    iterations : int
        Iterations at most. It ends earlier when the gradient is exactly zero.
    x0 : array_like, shape A.domain_shape, optional
        Start; zero by default. Not changed.
    nonnegative : bool
        After each step, negative values become 0 and the directions start afresh. This is no longer a conjugate
        gradient: it is projected steepest descent with the step length of the unconstrained problem, one more
        application of `A` and `A.T` an iteration, and the residual may grow.
    callback : callable, optional
        Called as `callback(iteration, x)` after each iteration, from 1. `x` is the working array: copy it to keep it.

    Returns
    -------
    ndarray, shape A.domain_shape, float32

    Raises
    ------
    InputError
        For data or a start of another shape or with NaN or infinity, and for a negative number of iterations.

    Examples
    --------
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[0, 60, 120], columns=8, slices=1, pixel_size_nm=1000)
    >>> A = ParallelBeam(geometry, volume_shape=(1, 8, 8))
    >>> x = cgne(A, A(np.ones((1, 8, 8))), iterations=20)
    >>> bool(np.abs(A(x) - A(np.ones((1, 8, 8)))).max() < 1e-3)
    True
    """
    if iterations < 0:
        raise InputError(f"iterations is {iterations}, expected 0 or more")
    data = _checked(y, A.range_shape, "y")
    x = np.zeros(A.domain_shape, np.float32) if x0 is None else _checked(x0, A.domain_shape, "x0").copy()
    residual, direction = _restart(A, data, x)
    slope, misfit = _dot(direction, direction), _dot(residual, residual)
    for iteration in range(1, iterations + 1):
        if slope == 0:
            break
        image = A(direction)
        curvature = _dot(image, image)
        if curvature == 0:
            break
        step = slope / curvature
        _add(residual, -step, image)
        del image
        new_misfit = _dot(residual, residual)
        accepted = new_misfit <= misfit
        if accepted:
            _add(x, step, direction)
        if nonnegative:
            np.maximum(x, 0, out=x)
        if accepted and not nonnegative:
            gradient = A.T(residual)
            new_slope = _dot(gradient, gradient)
            direction *= np.float32(new_slope / slope)
            direction += gradient
            del gradient
            slope, misfit = new_slope, new_misfit
        else:
            del residual, direction
            residual, direction = _restart(A, data, x)
            slope, misfit = _dot(direction, direction), _dot(residual, residual)
        if callback is not None:
            callback(iteration, x)
    return x


def _restart(A: LinearOperator, data: Array, x: Array) -> tuple[Array, Array]:
    """Residual at x and, as the first direction, (minus half of) the gradient; arrays of their own, in C order."""
    residual = np.subtract(data, A(x), order="C")
    return residual, np.array(A.T(residual), np.float32, order="C")


def _checked(array: ArrayLike, shape: tuple[int, ...], name: str) -> Array:
    values = np.asarray(array, np.float32, order="C")
    if values.shape != shape:
        raise InputError(f"{name} has shape {values.shape}, the operator expects {shape}")
    if not all(np.isfinite(part).all() for (part,) in _parts(values)):
        raise InputError(f"{name} holds NaN or infinity, expected finite numbers")
    return values


def _parts(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield views of arrays of one shape, a few thousand values at a time: temporaries stay small."""
    flat = [array.reshape(-1) for array in arrays]
    for begin in range(0, flat[0].size, _PART):
        yield tuple(array[begin : begin + _PART] for array in flat)


def _dot(a: Array, b: Array) -> float:
    """Inner product summed in float64."""
    return float(sum(np.vdot(p.astype(np.float64), q.astype(np.float64)) for p, q in _parts(a, b)))


def _add(x: Array, factor: float, direction: Array) -> None:
    """`x += factor * direction` in place; `x` in C order."""
    for part, step in _parts(x, direction):
        part += np.float32(factor) * step
