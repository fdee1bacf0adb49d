"""Operators made of operators: one after another, scaled, masked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.operators._arrays import is_tensor, like
from sxtbench.operators.protocol import LinearOperator, Operator


class Composition(Operator):
    """`B @ A`: applies `A`, then `B`; the adjoint is `A.T` after `B.T`.

    Parameters
    ----------
    outer, inner : LinearOperator
        `B` and `A`.

    Raises
    ------
    InputError
        Where the range of `inner` is not the domain of `outer`.

    Examples
    --------
    >>> import numpy as np
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import Blur, ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[0, 60], columns=16, slices=4, pixel_size_nm=20)
    >>> A = Blur(geometry.shape, sigma_px=1.5) @ ParallelBeam(geometry, (4, 16, 16))
    >>> A(np.ones((4, 16, 16))).shape
    (2, 4, 16)
    """

    def __init__(self, outer: LinearOperator, inner: LinearOperator) -> None:
        if tuple(inner.range_shape) != tuple(outer.domain_shape):
            raise InputError(
                f"the inner operator's range is {tuple(inner.range_shape)}, the outer operator's domain is "
                f"{tuple(outer.domain_shape)}: expected the same shape"
            )
        self.outer = outer
        self.inner = inner

    @property
    def domain_shape(self) -> tuple[Any, ...]:
        """Domain of `inner`."""
        return self.inner.domain_shape

    @property
    def range_shape(self) -> tuple[Any, ...]:
        """Range of `outer`."""
        return self.outer.range_shape

    @property
    def exact_adjoint(self) -> bool:
        """Whether both adjoints are exact."""
        return all(getattr(part, "exact_adjoint", True) for part in (self.outer, self.inner))

    def views(self, indices: ArrayLike) -> "Composition":
        """Return the same operator for some views, in that order; see `ParallelBeam.views`.

        Both parts are restricted where the outer one maps views to views (a blur), only the outer one otherwise.
        """
        inner = _views(self.inner, indices) if _maps_views(self.outer) else self.inner
        return Composition(_views(self.outer, indices), inner)

    @property
    def maps_views(self) -> bool:
        """Whether a view of the range comes from the same view of the domain alone."""
        return _maps_views(self.outer) and _maps_views(self.inner)

    def __call__(self, x: Any, /) -> Any:
        """Apply `inner`, then `outer`."""
        return self.outer(self.inner(x))

    def _adjoint(self, y: Any) -> Any:
        return self.inner.T(self.outer.T(y))


class Scaled(Operator):
    """`factor * A(x)`: a number, or one factor for each value, such as the square root of the data's weights.

    Parameters
    ----------
    operator : LinearOperator
        `A`.
    factor : float or array_like, broadcast to A.range_shape
        For a `Stack` a number, or a list with one of these for each block.

    Raises
    ------
    InputError
        For factors of another shape, or that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> A = ParallelBeam(ParallelGeometry(angles_deg=[0], columns=4, slices=1, pixel_size_nm=1000), (1, 4, 4))
    >>> Scaled(A, 0.5)(np.ones((1, 4, 4)))
    array([[[2., 2., 2., 2.]]], dtype=float32)
    """

    def __init__(self, operator: LinearOperator, factor: ArrayLike | Sequence[ArrayLike]) -> None:
        self.operator = operator
        self.factor = _per_block(operator.range_shape, factor, "factor", np.float32)
        for values in _flat(self.factor):
            if not np.all(np.isfinite(values)):
                raise InputError("factor holds NaN or infinity, expected finite numbers")

    @property
    def domain_shape(self) -> tuple[Any, ...]:
        """Domain of the operator."""
        return self.operator.domain_shape

    @property
    def range_shape(self) -> tuple[Any, ...]:
        """Range of the operator."""
        return self.operator.range_shape

    @property
    def exact_adjoint(self) -> bool:
        """Whether the operator's adjoint is exact."""
        return bool(getattr(self.operator, "exact_adjoint", True))

    @property
    def maps_views(self) -> bool:
        """Whether a view of the range comes from the same view of the domain alone."""
        return _maps_views(self.operator)

    def views(self, indices: ArrayLike) -> "Scaled":
        """Return the same operator for some views, in that order; see `ParallelBeam.views`."""
        return Scaled(_views(self.operator, indices), _on_views(self.factor, self.range_shape, indices))

    def __call__(self, x: Any, /) -> Any:
        """Apply the operator and scale."""
        return _each(self.operator(x), self.factor, _times)

    def _adjoint(self, y: Any) -> Any:
        return self.operator.T(_each(y, self.factor, _times))


class Masked(Operator):
    """An operator that does not see voxels outside a mask, or whose data are zero outside one.

    Parameters
    ----------
    operator : LinearOperator
        `A`.
    volume_mask : array_like of bool, broadcast to A.domain_shape, optional
        Voxels that are projected; the others count as zero, and the adjoint leaves them zero.
    data_mask : array_like of bool, broadcast to A.range_shape, optional
        Data that count; for a `Stack` a list with one mask for each block.

    Raises
    ------
    InputError
        For a mask of another shape or that is not boolean.

    Examples
    --------
    >>> import numpy as np
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> A = ParallelBeam(ParallelGeometry(angles_deg=[0], columns=4, slices=1, pixel_size_nm=1000), (1, 4, 4))
    >>> Masked(A, volume_mask=np.array([True, True, False, False]))(np.ones((1, 4, 4)))
    array([[[4., 4., 0., 0.]]], dtype=float32)
    """

    def __init__(
        self,
        operator: LinearOperator,
        volume_mask: ArrayLike | None = None,
        data_mask: ArrayLike | Sequence[ArrayLike] | None = None,
    ) -> None:
        self.operator = operator
        everything = np.array(True)
        domain, data = operator.domain_shape, operator.range_shape
        self.volume_mask = _per_block(domain, everything if volume_mask is None else volume_mask, "volume_mask", bool)
        self.data_mask = _per_block(data, everything if data_mask is None else data_mask, "data_mask", bool)

    @property
    def domain_shape(self) -> tuple[Any, ...]:
        """Domain of the operator."""
        return self.operator.domain_shape

    @property
    def range_shape(self) -> tuple[Any, ...]:
        """Range of the operator."""
        return self.operator.range_shape

    @property
    def exact_adjoint(self) -> bool:
        """Whether the operator's adjoint is exact."""
        return bool(getattr(self.operator, "exact_adjoint", True))

    @property
    def maps_views(self) -> bool:
        """Whether a view of the range comes from the same view of the domain alone."""
        return _maps_views(self.operator)

    def views(self, indices: ArrayLike) -> "Masked":
        """Return the same operator for some views, in that order; see `ParallelBeam.views`."""
        volume_mask = self.volume_mask
        if self.maps_views:
            volume_mask = _on_views(volume_mask, self.domain_shape, indices)
        data_mask = _on_views(self.data_mask, self.range_shape, indices)
        return Masked(_views(self.operator, indices), volume_mask, data_mask)

    def __call__(self, x: Any, /) -> Any:
        """Apply the operator to the masked volume and mask the data."""
        return _each(self.operator(_each(x, self.volume_mask, _where)), self.data_mask, _where)

    def _adjoint(self, y: Any) -> Any:
        return _each(self.operator.T(_each(y, self.data_mask, _where)), self.volume_mask, _where)


def _per_block(shape: tuple[Any, ...], values: Any, name: str, dtype: type) -> Any:
    """Constants as arrays that broadcast to a shape, or a list of them where the shape is one of shapes."""
    if shape and isinstance(shape[0], tuple):
        several = values if isinstance(values, (list, tuple)) else [values] * len(shape)
        if len(several) != len(shape):
            raise InputError(f"{name} has {len(several)} entries, expected one for each of {len(shape)} blocks")
        return [
            _per_block(one, part, f"{name} of block {i}", dtype)
            for i, (one, part) in enumerate(zip(shape, several, strict=True))
        ]
    given = np.asarray(values)
    if dtype is bool and given.dtype != bool:
        raise InputError(f"{name} has dtype {given.dtype}, expected booleans")
    array: NDArray[Any] = given.astype(dtype)
    try:
        fits = np.broadcast_shapes(array.shape, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits:
        raise InputError(f"{name} has shape {array.shape}, expected one that broadcasts to {tuple(shape)}")
    return array


def _flat(values: Any) -> list[NDArray[Any]]:
    return [array for part in values for array in _flat(part)] if isinstance(values, list) else [values]


def _each(arrays: Any, constants: Any, combine: Any) -> Any:
    """Combine an array, or each of a list of them, with its constants."""
    if isinstance(constants, list):
        if not isinstance(arrays, (list, tuple)) or len(arrays) != len(constants):
            raise InputError(f"expected a list of {len(constants)} arrays, one for each block")
        return [_each(array, values, combine) for array, values in zip(arrays, constants, strict=True)]
    return combine(arrays, constants)


def _times(array: Any, factor: NDArray[np.float32]) -> Any:
    given = array if is_tensor(array) else np.asarray(array)
    return given * like(factor, given)


def _where(array: Any, mask: NDArray[np.bool_]) -> Any:
    # Not a product: NaN outside the mask must not get through.
    if mask.ndim == 0 and mask:
        return array
    if is_tensor(array):
        return array.where(like(mask, array), array.new_zeros(()))
    given = np.asarray(array)
    return np.where(mask, given, given.dtype.type(0))


def _maps_views(operator: LinearOperator) -> bool:
    return bool(getattr(operator, "maps_views", False))


def _views(operator: LinearOperator, indices: ArrayLike) -> Any:
    restrict = getattr(operator, "views", None)
    if restrict is None:
        raise InputError(f"a {type(operator).__name__} has no views to choose from, expected an operator with `views`")
    return restrict(indices)


def _on_views(constants: Any, shape: tuple[Any, ...], indices: ArrayLike) -> Any:
    """Constants of some views: those that differ from view to view are picked."""
    if constants.ndim == len(shape) and constants.shape[0] > 1:
        return constants[np.asarray(indices)]
    return constants
