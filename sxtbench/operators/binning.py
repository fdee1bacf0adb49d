"""Larger detector pixels: each reads the mean over the small ones that it covers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sxtbench.errors import InputError
from sxtbench.operators._arrays import checked, checked_views, is_tensor
from sxtbench.operators.protocol import Operator


class Bin(Operator):
    """Mean over blocks of detector pixels: `B(y)`, and its exact adjoint `B.T(y)`.

    `ParallelBeam` samples a projection at the centres of its pixels. A detector whose pixels span several voxels
    integrates over them: project on pixels as small as a voxel, then bin.

    Parameters
    ----------
    shape : tuple of three int
        Shape of the projections on small pixels, (n_angles, n_slices, n_columns).
    factor : int
        Small pixels along the edge of a large one, in rows and in columns.

    Raises
    ------
    InputError
        For a factor that does not divide rows and columns.

    Examples
    --------
    >>> B = Bin((1, 2, 4), 2)
    >>> B([[[1, 3, 0, 0], [1, 3, 0, 8]]]).tolist()
    [[[2.0, 2.0]]]
    >>> B.T([[[4, 0]]]).tolist()
    [[[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]]
    """

    def __init__(self, shape: Sequence[int], factor: int) -> None:
        if len(shape) != 3 or any(int(n) != n or n < 1 for n in shape):
            raise InputError(f"shape is {tuple(shape)}, expected three positive numbers, (angle, z, u)")
        if int(factor) != factor or factor < 1 or shape[1] % factor or shape[2] % factor:
            raise InputError(
                f"factor is {factor}, expected a whole number that divides {shape[1]} rows and {shape[2]} columns"
            )
        self.shape: tuple[int, int, int] = (int(shape[0]), int(shape[1]), int(shape[2]))
        self.factor = int(factor)

    maps_views = True  # a view of the range comes from the same view of the domain alone

    @property
    def domain_shape(self) -> tuple[int, int, int]:
        """Shape of the projections on small pixels, (angle, z, u)."""
        return self.shape

    @property
    def range_shape(self) -> tuple[int, int, int]:
        """Shape of the projections on large pixels, (angle, z, u)."""
        n, rows, columns = self.shape
        return n, rows // self.factor, columns // self.factor

    def views(self, indices: ArrayLike) -> "Bin":
        """Return the same for some views, in that order; see `ParallelBeam.views`."""
        return Bin((checked_views(indices, self.shape[0]).size, *self.shape[1:]), self.factor)

    def __call__(self, x: Any, /) -> Any:
        """Average projections over large pixels.

        Parameters
        ----------
        x : array_like, shape (n_angles, n_slices, n_columns), cast to float32
            Projections; or a torch tensor with any axes in front.

        Returns
        -------
        ndarray, shape `range_shape`, float32, or a tensor like `x`
        """
        array, f = checked(x, self.shape, "projections", "(angle, z, u)"), self.factor
        if is_tensor(array):
            _, rows, columns = self.range_shape
            return array.reshape(*array.shape[:-2], rows, f, columns, f).mean(dim=(-3, -1))
        total = np.zeros(self.range_shape, np.float32)
        for row in range(f):
            for column in range(f):
                total += array[:, row::f, column::f]
        total *= np.float32(1 / f**2)
        return total

    def _adjoint(self, y: Any) -> Any:
        array, f = checked(y, self.range_shape, "projections", "(angle, z, u)"), self.factor
        if is_tensor(array):
            return array.repeat_interleave(f, dim=-2).repeat_interleave(f, dim=-1) / f**2
        spread = np.empty(self.shape, np.float32)
        for row in range(f):
            for column in range(f):
                np.multiply(array, np.float32(1 / f**2), out=spread[:, row::f, column::f])
        return spread
