"""What a linear operator is, and the test of its adjoint."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class LinearOperator(Protocol):
    """A linear map between float32 arrays of two fixed shapes, with its exact adjoint `T`."""

    @property
    def domain_shape(self) -> tuple[int, ...]:
        """Shape of what the operator is applied to."""
        ...

    @property
    def range_shape(self) -> tuple[int, ...]:
        """Shape of what it returns."""
        ...

    @property
    def T(self) -> "LinearOperator":
        """The exact adjoint."""
        ...

    def __call__(self, x: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Apply the operator."""
        ...


def check_adjoint(operator: LinearOperator, seed: int = 0) -> float:
    """Return how far `<A x, y>` is from `<x, A.T y>` for one random pair.

    Parameters
    ----------
    operator : LinearOperator
        `A`.
    seed : int
        Seed of the random x and y, uniform on [0, 1): for a projector no product cancels another, so that the result
        is the error of its weights.

    Returns
    -------
    float
        `|<A x, y> - <x, A.T y>| / max(|<A x, y>|, |<x, A.T y>|)`, summed in float64; 0 if both are 0.

    Examples
    --------
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[-30, 0, 30], columns=16, slices=1, pixel_size_nm=20)
    >>> check_adjoint(ParallelBeam(geometry, volume_shape=(1, 16, 16))) < 1e-6
    True
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, operator.domain_shape).astype(np.float32)
    y = rng.uniform(0, 1, operator.range_shape).astype(np.float32)
    left = float(np.vdot(operator(x).astype(np.float64), y.astype(np.float64)))
    right = float(np.vdot(x.astype(np.float64), operator.T(y).astype(np.float64)))
    scale = max(abs(left), abs(right))
    return abs(left - right) / scale if scale else 0.0
