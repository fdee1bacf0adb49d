"""A detector that sees less than was projected."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sxtbench.errors import InputError
from sxtbench.operators._arrays import checked, checked_views, is_tensor
from sxtbench.operators.protocol import Operator


class Crop(Operator):
    """Cut off columns on both sides of each view: `C(y)`, and its exact adjoint `C.T(y)`, which puts zeros there.

    Light from beside a truncated detector reaches it through the lens: project on a wider one, blur, then crop.

    Parameters
    ----------
    shape : tuple of three int
        Shape of the wide projections, (n_angles, n_slices, n_columns).
    margin : int
        Columns to cut off on each side.

    Raises
    ------
    InputError
        For a margin that leaves no column.

    Examples
    --------
    >>> C = Crop((1, 1, 4), 1)
    >>> C([[[1, 2, 3, 4]]]).tolist(), C.T([[[2, 3]]]).tolist()
    ([[[2.0, 3.0]]], [[[0.0, 2.0, 3.0, 0.0]]])
    """

    def __init__(self, shape: Sequence[int], margin: int) -> None:
        if len(shape) != 3 or any(int(n) != n or n < 1 for n in shape):
            raise InputError(f"shape is {tuple(shape)}, expected three positive numbers, (angle, z, u)")
        if int(margin) != margin or not 0 <= 2 * margin < shape[2]:
            raise InputError(f"margin is {margin}, expected a whole number of columns, less than half of {shape[2]}")
        self.shape: tuple[int, int, int] = (int(shape[0]), int(shape[1]), int(shape[2]))
        self.margin = int(margin)

    maps_views = True  # a view of the range comes from the same view of the domain alone

    @property
    def domain_shape(self) -> tuple[int, int, int]:
        """Shape of the wide projections, (angle, z, u)."""
        return self.shape

    @property
    def range_shape(self) -> tuple[int, int, int]:
        """Shape of the cropped projections, (angle, z, u)."""
        n, rows, columns = self.shape
        return n, rows, columns - 2 * self.margin

    def views(self, indices: ArrayLike) -> "Crop":
        """Return the same for some views, in that order; see `ParallelBeam.views`."""
        return Crop((checked_views(indices, self.shape[0]).size, *self.shape[1:]), self.margin)

    def __call__(self, x: Any, /) -> Any:
        """Crop projections.

        Parameters
        ----------
        x : array_like, shape (n_angles, n_slices, n_columns), cast to float32
            Projections; or a torch tensor with any axes in front.

        Returns
        -------
        ndarray, shape `range_shape`, float32, or a tensor like `x`
        """
        array = checked(x, self.shape, "projections", "(angle, z, u)")
        seen = array[..., self.margin : self.shape[2] - self.margin]
        return seen if is_tensor(array) else np.ascontiguousarray(seen)

    def _adjoint(self, y: Any) -> Any:
        array = checked(y, self.range_shape, "projections", "(angle, z, u)")
        if is_tensor(array):
            wide = array.new_zeros((*array.shape[:-1], self.shape[2]))
            wide[..., self.margin : self.shape[2] - self.margin] = array
            return wide
        return np.pad(array, ((0, 0), (0, 0), (self.margin, self.margin)))
