"""Linear interpolation along the rotation axis, between slices of a volume and rows of the detector.

A parallel beam never mixes slices, so shifts along z, another number of rows and another pixel size are a sparse matrix
with two entries a row, one for each view that has its own offset.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

ViewMap = Callable[[Callable[[int], None], int], None]


def interpolation(positions: NDArray[np.float64], size: int) -> csr_array:
    """Return the matrix that reads a line of `size` samples at `positions`, with zeros beyond both ends.

    Parameters
    ----------
    positions : ndarray, shape (n_rows,), float64
        Positions, in samples.
    size : int
        Length of the line.

    Returns
    -------
    csr_array, shape (n_rows, size), float32
    """
    below = np.floor(positions)
    fraction = positions - below
    rows = np.tile(np.arange(positions.size), 2)
    columns = np.concatenate([below, below + 1])
    weights = np.concatenate([1 - fraction, fraction])
    inside = (columns >= 0) & (columns < size) & (weights != 0)
    entries = weights[inside].astype(np.float32), (rows[inside], columns[inside].astype(np.int64))
    return csr_array(entries, shape=(positions.size, size))


class RowResampling:
    """Interpolation of each view along z, and its exact adjoint.

    Parameters
    ----------
    positions : ndarray, shape (n_angles, n_rows), float64
        For each view, where its output rows lie between the input rows, in input rows.
    size : int
        Input rows.
    """

    def __init__(self, positions: NDArray[np.float64], size: int) -> None:
        self.size = size
        self.rows = positions.shape[1]
        same = np.arange(self.rows, dtype=np.float64)
        self.is_identity = size == self.rows and bool(np.all(np.abs(positions - same) < 1e-9))
        # Input rows that any view reads; nothing else has to be computed.
        self.begin = int(np.clip(np.floor(positions.min()), 0, size))
        self.end = int(np.clip(np.floor(positions.max()) + 2, self.begin, size))
        if self.is_identity:
            return
        distinct, which = np.unique(positions, axis=0, return_inverse=True)
        matrices = [interpolation(line - self.begin, self.end - self.begin) for line in distinct]
        transposed = [csr_array(matrix.T) for matrix in matrices]
        self._matrices = [matrices[i] for i in which.ravel()]
        self._transposed = [transposed[i] for i in which.ravel()]

    def __call__(self, views: NDArray[np.float32], view_map: ViewMap) -> NDArray[np.float32]:
        """Map (n_angles, end - begin, n_columns) to (n_angles, n_rows, n_columns)."""
        return _apply(self._matrices, views, self.rows, view_map)

    def adjoint(self, views: NDArray[np.float32], view_map: ViewMap) -> NDArray[np.float32]:
        """Map (n_angles, n_rows, n_columns) to (n_angles, end - begin, n_columns)."""
        return _apply(self._transposed, views, self.end - self.begin, view_map)


def _apply(
    matrices: Sequence[csr_array], views: NDArray[np.float32], rows: int, view_map: ViewMap
) -> NDArray[np.float32]:
    n_angles, _, columns = views.shape
    out = np.empty((n_angles, rows, columns), np.float32)

    def one(i: int) -> None:
        out[i] = matrices[i] @ views[i]

    view_map(one, n_angles)
    return out
