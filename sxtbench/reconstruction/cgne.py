"""Least squares by conjugate gradients on the normal equations."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sxtbench.errors import InputError
from sxtbench.operators import LinearOperator
from sxtbench.operators._arrays import is_tensor
from sxtbench.reconstruction._blocks import Array, add, backward, blocks_of, clip, dot, forward, residual, start
from sxtbench.reconstruction._loop import Callback, iterate


def cgne(
    A: LinearOperator,
    y: Any,
    iterations: int = 50,
    x0: ArrayLike | None = None,
    nonnegative: bool = False,
    callback: Callback | None = None,
    *,
    noise_norm: float | None = None,
    progress: bool = False,
) -> Array:
    """Minimise `|y - A x|^2` from `x0` by conjugate gradients on the normal equations.

    The recursion is that of the interior-tomography paper's code: when a step would make the residual grow (rounding,
    an adjoint that is not exact), the step is left out and the directions start afresh from the current x. Arrays are
    float32, inner products are summed in float64, over all blocks of a `Stack`.

    Parameters
    ----------
    A : LinearOperator
        Forward operator with its exact adjoint `A.T`; a `Stack` for data from several acquisitions. For weighted least
        squares pass `Scaled(A, sqrt(weights))` and data scaled alike.
    y : array_like, shape A.range_shape, cast to float32, or a list of them for a `Stack`
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
        Called as `callback(iteration, x)` after each iteration, from 1; the solver ends where it returns True. `x` is
        the working array: copy it to keep it.
    noise_norm : float, optional
        Stop at the first iterate with `|y - A x| <= noise_norm` (Morozov's discrepancy principle). For absorbance the
        expected norm of photon noise is `sqrt(sum(1 / counts))`, see `reconstruction.weights.noise_norm`.
    progress : bool
        Draw a bar on stderr.

    Returns
    -------
    ndarray, shape A.domain_shape, float32

    Raises
    ------
    InputError
        For data or a start of another shape or with NaN or infinity, and for a negative number of iterations.
    Interrupted
        For a Ctrl-C, with the current iterate.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008.

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
    if noise_norm is not None and not noise_norm >= 0:
        raise InputError(f"noise_norm is {noise_norm}, expected 0 or more, in the unit of y")
    data = blocks_of(A, y)
    x = start(A, x0, data)
    remainder, direction = _restart(A, data, x)
    slope, misfit = dot([direction], [direction]), dot(remainder, remainder)
    enough = None if noise_norm is None else noise_norm**2
    for _ in iterate(iterations, x, name="CGNE", callback=callback, progress=progress):
        if slope == 0 or (enough is not None and misfit <= enough):
            break
        image = forward(A, direction)
        curvature = dot(image, image)
        if curvature == 0:
            break
        step = slope / curvature
        for block, change in zip(remainder, image, strict=True):
            add(block, -step, change)
        del image
        new_misfit = dot(remainder, remainder)
        accepted = new_misfit <= misfit
        if accepted:
            add(x, step, direction)
        if nonnegative:
            clip(x, 0.0, np.inf)
        if accepted and not nonnegative:
            gradient = backward(A, remainder)
            new_slope = dot([gradient], [gradient])
            direction *= np.float32(new_slope / slope) if not is_tensor(direction) else new_slope / slope
            direction += gradient
            del gradient
            slope, misfit = new_slope, new_misfit
        else:
            del remainder, direction
            remainder, direction = _restart(A, data, x)
            slope, misfit = dot([direction], [direction]), dot(remainder, remainder)
    return x


def _restart(A: LinearOperator, data: list[Array], x: Array) -> tuple[list[Array], Array]:
    """Residual at x and, as the first direction, (minus half of) the gradient; arrays of their own, in C order."""
    remainder = residual(A, data, x)
    direction = backward(A, remainder)
    return remainder, direction.clone() if is_tensor(direction) else np.array(direction, np.float32, order="C")
