"""Data as a list of blocks, whether the operator is a `Stack` or not, and arithmetic on them: numpy or torch.

Arrays are float32; inner products are summed in float64. Passes over numpy arrays go a few thousand values at a time:
temporaries stay small.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sxtbench.errors import InputError
from sxtbench.operators import LinearOperator
from sxtbench.operators._arrays import is_tensor

Array = Any
"""A numpy array, or a torch tensor where the operator takes tensors."""
Bounds = tuple[float | None, float | None] | None
"""Least and greatest value of an iterate."""

_PART = 2**16


def is_stacked(A: LinearOperator) -> bool:
    """Whether an operator maps to a list of arrays."""
    return bool(A.range_shape) and isinstance(A.range_shape[0], tuple)


def shapes(A: LinearOperator) -> list[tuple[int, ...]]:
    """Return the shapes of an operator's blocks."""
    return list(A.range_shape) if is_stacked(A) else [tuple(A.range_shape)]


def blocks_of(A: LinearOperator, y: Any, name: str = "y") -> list[Array]:
    """Return data as a list of float32 arrays, one a block, checked.

    Raises
    ------
    InputError
        For another number of blocks, another shape, numbers that are not real, NaN or infinity.
    """
    wanted = shapes(A)
    given = y if is_stacked(A) else [y]
    if not isinstance(given, (list, tuple)) or len(given) != len(wanted):
        got = f"{len(given)} arrays" if isinstance(given, (list, tuple)) else f"one {type(given).__name__}"
        raise InputError(f"{name} is {got}, the operator expects a list of {len(wanted)} arrays")
    names = [f"{name}[{i}]" for i in range(len(wanted))] if is_stacked(A) else [name]
    return [checked(*entry, "view") for entry in zip(given, wanted, names, strict=True)]


def checked(array: Any, shape: tuple[int, ...], name: str, item: str = "slice") -> Array:
    """Return an array as float32 in C order, or raise with one line that says what is wrong and in which item."""
    values: Array = array if is_tensor(array) else np.asarray(array)
    if tuple(values.shape) != tuple(shape):
        hint = ""
        if item == "view" and len(shape) == len(values.shape) == 3 and values.shape[0] != shape[0]:
            hint = f": {values.shape[0]} projections for {shape[0]} angles"
        raise InputError(f"{name} has shape {tuple(values.shape)}, the operator expects {tuple(shape)}{hint}")
    if is_tensor(values):
        if not values.is_floating_point():
            raise InputError(f"{name} has dtype {values.dtype}, expected torch.float32")
    elif values.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {values.dtype}, expected real numbers")
    else:
        values = np.asarray(values, np.float32, order="C")
    if is_tensor(values):
        finite = values.isfinite().reshape(len(values), -1).all(1).tolist()
    else:
        finite = [bool(np.isfinite(part).all()) for part in values]
    if not all(finite):
        place = f" in {item} {finite.index(False)}" if len(shape) == 3 else ""
        raise InputError(f"{name} holds NaN or infinity{place}, expected finite numbers")
    return values


def start(A: LinearOperator, x0: ArrayLike | None, data: Sequence[Array]) -> Array:
    """Return the first iterate, an array of its own: zero, or a copy of `x0`; of the kind of the data."""
    if is_tensor(data[0]):
        zero = data[0].new_zeros(tuple(A.domain_shape))
        return zero if x0 is None else checked(x0, A.domain_shape, "x0") + zero
    return np.zeros(A.domain_shape, np.float32) if x0 is None else checked(x0, A.domain_shape, "x0").copy()


def forward(A: LinearOperator, x: Array) -> list[Array]:
    """Apply an operator; a list of blocks."""
    return A(x) if is_stacked(A) else [A(x)]


def backward(A: LinearOperator, blocks: Sequence[Array]) -> Array:
    """Apply the adjoint to a list of blocks."""
    return A.T(list(blocks)) if is_stacked(A) else A.T(blocks[0])


def residual(A: LinearOperator, data: Sequence[Array], x: Array) -> list[Array]:
    """Return `y - A x`, arrays of their own in C order."""
    images = forward(A, x)
    return [
        y - image if is_tensor(y) else np.subtract(y, image, order="C") for y, image in zip(data, images, strict=True)
    ]


def dot(a: Sequence[Array], b: Sequence[Array]) -> float:
    """Inner product of two lists of blocks, summed in float64."""
    return float(sum(_dot(p, q) for p, q in zip(a, b, strict=True)))


def add(target: Array, factor: float, step: Array) -> None:
    """`target += factor * step` in place; `target` in C order."""
    if is_tensor(target):
        target.add_(step, alpha=factor)
        return
    for part, piece in _parts(target, step):
        part += np.float32(factor) * piece


def ones(shape: tuple[int, ...], like: Array) -> Array:
    """Return ones of the kind of an array."""
    return like.new_ones(shape) if is_tensor(like) else np.ones(shape, np.float32)


def reciprocal(array: Array, smallest: float = 1e-8) -> Array:
    """Return 1 / array, and 0 where a value is below `smallest`: what no ray meets has no weight."""
    if is_tensor(array):
        return (array > smallest) / array.clamp(min=smallest)
    return np.where(array > smallest, 1 / np.maximum(array, np.float32(smallest)), np.float32(0)).astype(np.float32)


def limits(bounds: Bounds) -> tuple[float, float]:
    """Return bounds as two numbers, infinite where there is none."""
    low, high = (None, None) if bounds is None else bounds
    least, most = -np.inf if low is None else float(low), np.inf if high is None else float(high)
    if not least <= most:
        raise InputError(f"bounds are ({low}, {high}), expected (low, high) with low <= high")
    return least, most


def clip(x: Array, low: float, high: float) -> None:
    """Clip in place."""
    if np.isinf(low) and np.isinf(high):
        return
    if is_tensor(x):
        x.clamp_(min=low, max=high)
    else:
        np.clip(x, np.float32(low), np.float32(high), out=x)


def _dot(a: Array, b: Array) -> float:
    if is_tensor(a):
        return float((a.double() * b.double()).sum())
    from sxtbench.reconstruction._sums import inner

    return float(sum(inner(p, q) for p, q in _parts(a, b)))


def _parts(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    flat = [array.reshape(-1) for array in arrays]
    for begin in range(0, flat[0].size, _PART):
        yield tuple(array[begin : begin + _PART] for array in flat)
