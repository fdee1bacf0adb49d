"""What a linear operator is, the base that the operators here share, and the test of an adjoint."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sxtbench.operators.compose import Composition

FLOAT32 = np.dtype(np.float32)


@runtime_checkable
class LinearOperator(Protocol):
    """A linear map between float32 arrays of fixed shapes, with its adjoint `T`.

    What `Stack` maps to is a list of arrays: its range is then a tuple of shapes. The adjoint is exact unless the
    operator says `exact_adjoint = False`.
    """

    @property
    def domain_shape(self) -> tuple[Any, ...]:
        """Shape of what the operator is applied to, or a tuple of shapes where that is a list."""
        ...

    @property
    def range_shape(self) -> tuple[Any, ...]:
        """Shape of what it returns, or a tuple of shapes where that is a list."""
        ...

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """float32."""
        ...

    @property
    def T(self) -> "LinearOperator":
        """The adjoint."""
        ...

    def __call__(self, x: Any, /) -> Any:
        """Apply the operator."""
        ...


class Operator(ABC):
    """Base of the operators here: `T`, `@` and `dtype`, from a `__call__` and an `_adjoint`."""

    @property
    @abstractmethod
    def domain_shape(self) -> tuple[Any, ...]:
        """Shape of what the operator is applied to, or a tuple of shapes where that is a list."""

    @property
    @abstractmethod
    def range_shape(self) -> tuple[Any, ...]:
        """Shape of what it returns, or a tuple of shapes where that is a list."""

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """float32."""
        return FLOAT32

    @property
    def exact_adjoint(self) -> bool:
        """Whether `T` is the adjoint to rounding."""
        return True

    @property
    def T(self) -> LinearOperator:
        """The adjoint, an operator."""
        return Adjoint(self)

    def __matmul__(self, inner: LinearOperator) -> "Composition":
        """Return the operator that applies `inner`, then this one."""
        from sxtbench.operators.compose import Composition

        return Composition(self, inner)

    @abstractmethod
    def __call__(self, x: Any, /) -> Any:
        """Apply the operator."""

    @abstractmethod
    def _adjoint(self, y: Any) -> Any:
        """Apply the adjoint."""


class Adjoint(Operator):
    """The adjoint of an operator: `A.T`. Its own `T` is the operator itself."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    @property
    def domain_shape(self) -> tuple[Any, ...]:
        """Range of the operator."""
        return self._operator.range_shape

    @property
    def range_shape(self) -> tuple[Any, ...]:
        """Domain of the operator."""
        return self._operator.domain_shape

    @property
    def exact_adjoint(self) -> bool:
        """Whether it is the adjoint to rounding."""
        return self._operator.exact_adjoint

    @property
    def T(self) -> LinearOperator:
        """The operator."""
        return self._operator

    def __call__(self, y: Any, /) -> Any:
        """Apply the adjoint: an array (or list of arrays) of the operator's range to one of its domain."""
        return self._operator._adjoint(y)

    def _adjoint(self, x: Any) -> Any:
        return self._operator(x)


def check_adjoint(operator: LinearOperator, seed: int = 0, device: str | None = None) -> float:
    """Return how far `<A x, y>` is from `<x, A.T y>` for one random pair.

    Parameters
    ----------
    operator : LinearOperator
        `A`.
    seed : int
        Seed of the random x and y, uniform on [0, 1): for a projector no product cancels another, so that the result
        is the error of its weights.
    device : str, optional
        A torch device: x and y are then tensors there. numpy arrays by default.

    Returns
    -------
    float
        `|<A x, y> - <x, A.T y>| / max(|<A x, y>|, |<x, A.T y>|)`, summed in float64; 0 if both are 0. Up to about 1e-6
        for an exact adjoint in float32. An operator with `exact_adjoint = False` misses that by far; CGNE then
        restarts or stalls, where SIRT still converges to something near.

    Examples
    --------
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[-30, 0, 30], columns=16, slices=1, pixel_size_nm=20)
    >>> check_adjoint(ParallelBeam(geometry, volume_shape=(1, 16, 16))) < 1e-6
    True
    """
    rng = np.random.default_rng(seed)
    x = _random(operator.domain_shape, rng, device)
    y = _random(operator.range_shape, rng, device)
    left = _inner(operator(x), y)
    right = _inner(x, operator.T(y))
    scale = max(abs(left), abs(right))
    return abs(left - right) / scale if scale else 0.0


def _random(shape: tuple[Any, ...], rng: np.random.Generator, device: str | None) -> Any:
    if shape and isinstance(shape[0], tuple):
        return [_random(one, rng, device) for one in shape]
    values = rng.uniform(0, 1, shape).astype(np.float32)
    if device is None:
        return values
    import torch

    return torch.from_numpy(values).to(device)


def _inner(a: Any, b: Any) -> float:
    if isinstance(a, (list, tuple)):
        return sum(_inner(p, q) for p, q in zip(a, b, strict=True))
    return float(np.vdot(_doubles(a), _doubles(b)))


def _doubles(values: Any) -> NDArray[np.float64]:
    on_cpu = values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()
    return on_cpu.astype(np.float64)
