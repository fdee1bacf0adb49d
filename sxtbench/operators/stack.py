"""Several operators on one volume, side by side: data that come from more than one acquisition."""

from collections.abc import Sequence
from typing import Any

from sxtbench.errors import InputError
from sxtbench.operators.protocol import LinearOperator, Operator


class Stack(Operator):
    """`[A1; A2; ...]`: maps a volume to the list of what the blocks make of it; the adjoint sums the blocks' adjoints.

    Parameters
    ----------
    blocks : sequence of LinearOperator
        Operators of one domain.

    Raises
    ------
    InputError
        For no blocks, and for a block of another domain than the first.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, equation 7: full views and views of an interior region as one operator.

    Examples
    --------
    >>> import numpy as np
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> full = ParallelGeometry(angles_deg=[0, 90], columns=8, slices=1, pixel_size_nm=20)
    >>> interior = ParallelGeometry(angles_deg=[0, 45, 90], columns=4, slices=1, pixel_size_nm=20)
    >>> A = Stack([ParallelBeam(full, (1, 8, 8)), ParallelBeam(interior, (1, 8, 8))])
    >>> y = A(np.ones((1, 8, 8)))
    >>> [block.shape for block in y], A.T(y).shape
    ([(2, 1, 8), (3, 1, 4)], (1, 8, 8))
    """

    def __init__(self, blocks: Sequence[LinearOperator]) -> None:
        self.blocks = tuple(blocks)
        if not self.blocks:
            raise InputError("the stack has no blocks, expected at least one operator")
        first = tuple(self.blocks[0].domain_shape)
        for i, block in enumerate(self.blocks):
            if tuple(block.domain_shape) != first:
                raise InputError(
                    f"block {i} of the stack has the domain {tuple(block.domain_shape)}, block 0 has {first}: "
                    "expected one domain for all"
                )

    @property
    def domain_shape(self) -> tuple[int, ...]:
        """The one domain of all blocks."""
        return self.blocks[0].domain_shape

    @property
    def range_shape(self) -> tuple[tuple[int, ...], ...]:
        """The blocks' ranges."""
        return tuple(block.range_shape for block in self.blocks)

    @property
    def exact_adjoint(self) -> bool:
        """Whether the adjoints of all blocks are exact."""
        return all(getattr(block, "exact_adjoint", True) for block in self.blocks)

    def __call__(self, x: Any, /) -> list[Any]:
        """Apply every block.

        Parameters
        ----------
        x : array_like, shape domain_shape
            The volume.

        Returns
        -------
        list of ndarray, one a block, float32
        """
        return [block(x) for block in self.blocks]

    def _adjoint(self, y: Any) -> Any:
        if not isinstance(y, (list, tuple)) or len(y) != len(self.blocks):
            got = f"{len(y)} arrays" if isinstance(y, (list, tuple)) else type(y).__name__
            raise InputError(f"the data of a stack are {got}, expected a list of {len(self.blocks)} arrays")
        total = self.blocks[0].T(y[0])
        for block, part in zip(self.blocks[1:], y[1:], strict=True):
            total = total + block.T(part)
        return total
