"""The part of a volume that data say nothing about."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.operators import LinearOperator
from sxtbench.reconstruction._blocks import backward, checked, dot, forward
from sxtbench.reconstruction._loop import Callback, iterate
from sxtbench.reconstruction.tv import operator_norm

METHODS = ("cgne", "wilson-barrett")
_ROUNDING = 1e-6  # of the first gradient: float32 operators have no more to say below


def null_component(
    A: LinearOperator,
    x0: ArrayLike,
    iterations: int = 200,
    method: str = "cgne",
    *,
    step: float | None = None,
    callback: Callback | None = None,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Return what remains of a volume when all that an operator measures has been taken off.

    The volume is `x0 = x_measured + x_null`; least squares on data of zero, started at `x0`, change the measured part
    only and take it to zero. Wilson and Barrett's iteration does so with a constant step and is far slower: where
    conjugate gradients need 50 iterations it needs thousands.

    Parameters
    ----------
    A : LinearOperator
        What is measured; a `Stack` for several scans.
    x0 : array_like, shape A.domain_shape, cast to float32
        The volume.
    iterations : int
        Iterations at most. Conjugate gradients end earlier when the gradient has come down to rounding: going on would
        let the component grow again.
    method : {"cgne", "wilson-barrett"}
        Conjugate gradients, or `x <- x - step A^T A x`.
    step : float, optional
        Of the second method; below `2 / |A|^2`. One over `|A|^2` from a power iteration by default.
    callback : callable, optional
        Called as `callback(iteration, x)` after each iteration; the iteration ends where it returns True.
    progress : bool
        Draw a bar on stderr.

    Returns
    -------
    ndarray, shape A.domain_shape, float32, in the unit of `x0`

    Raises
    ------
    InputError
        For an unknown method, a volume of another shape, and a step that is not positive.
    Interrupted
        For a Ctrl-C, with the current iterate.

    References
    ----------
    Wilson and Barrett, as in Kuo et al. and Zeng and Gullberg; Ekman et al., Phys. Scr. 100 (2025) 126008, eq. 9, whose
    figure 2 was made with conjugate gradients.

    Examples
    --------
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[0], columns=8, slices=1, pixel_size_nm=1000)
    >>> A = ParallelBeam(geometry, volume_shape=(1, 8, 8))        # one view: sums over columns
    >>> stripes = np.zeros((1, 8, 8)); stripes[:, ::2] = 1        # half of it is the mean over each column
    >>> null_component(A, stripes, iterations=20)[0, :3, 0].round(3).tolist()
    [0.5, -0.5, 0.5]
    """
    if method not in METHODS:
        raise InputError(f"method is {method!r}, expected one of: {', '.join(METHODS)}")
    if step is not None and not step > 0:
        raise InputError(f"step is {step}, expected a positive number")
    if iterations < 0:
        raise InputError(f"iterations is {iterations}, expected 0 or more")
    x = checked(x0, A.domain_shape, "x0").astype(np.float64)
    if method == "wilson-barrett":
        length = 1 / operator_norm(A, x.astype(np.float32)) ** 2 if step is None else step
        for _ in iterate(iterations, x, name="null space", callback=callback, progress=progress):
            x -= length * _normal(A, x)
        return np.asarray(x, np.float32)
    # Iterates are kept in double precision; the operators work in single.
    gradient = -_normal(A, x)
    direction = gradient.copy()
    slope = first = float(np.vdot(gradient, gradient))
    for _ in iterate(iterations, x, name="null space", callback=callback, progress=progress):
        if slope <= _ROUNDING**2 * first:
            break
        image = forward(A, direction.astype(np.float32))
        curvature = dot(image, image)
        if curvature == 0:
            break
        x += slope / curvature * direction
        gradient -= slope / curvature * backward(A, image)
        new = float(np.vdot(gradient, gradient))
        direction = gradient + new / slope * direction
        slope = new
    return np.asarray(x, np.float32)


def _normal(A: LinearOperator, x: NDArray[np.float64]) -> Any:
    return backward(A, forward(A, x.astype(np.float32))).astype(np.float64)
