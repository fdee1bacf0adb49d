"""A matrix product whose every bit is fixed: which terms of a sum are added first, each rounded once.

A library's product adds in an order that depends on the processor, on its number of threads and on where in the matrix
an element lies, and single photon counts follow the last bits of what they are drawn from. Here the order is written
down: the one in which the first data were made (OpenBLAS 0.3.31, its kernels for AVX2), so that these stand.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from sxtbench.jit import exact_kernel

_BLOCK = 8  # columns
_BAND = 12  # rows
_HALF = 6
_TOGETHER = 8  # terms: of whole groups of them odd ones may be added apart
_WIDE = 256  # columns from which a product is divided


def ordered_product(a: NDArray[np.float32], b: NDArray[np.float32], *, divided: bool = False) -> NDArray[np.float32]:
    """Return `a @ b`, with the same bits on every machine.

    Terms are added by the fused multiply-add of IEEE 754, in the order of the inner index; in some blocks of 8 columns
    odd terms are added up on their own (`_apart`). Zeros cost nothing.

    Parameters
    ----------
    a : ndarray, shape (rows, inner), float32
        Finite.
    b : ndarray, shape (inner, columns), float32
        Finite.
    divided : bool
        Divide a wide product, as two threads did.

    Returns
    -------
    ndarray, shape (rows, columns), float32
    """
    product = np.zeros((a.shape[0], b.shape[1]), np.float32)
    nonzero = b != 0
    first = np.argmax(nonzero, axis=1)
    last = np.where(nonzero.any(axis=1), b.shape[1] - np.argmax(nonzero[:, ::-1], axis=1), 0)
    _add(a, b, first, last, _apart(*product.shape, divided), product)
    return product


def _apart(rows: int, columns: int, divided: bool) -> NDArray[np.bool_]:
    """Return where odd terms are added apart: shape (rows, blocks of columns).

    These are the rows beyond the last whole band of 12, and half of each band in the first and in the last block. A
    wide product may be divided into two parts along the columns and four along the rows; this then holds in each.
    """
    apart = np.zeros((rows, columns // _BLOCK), bool)
    halve = divided and columns >= _WIDE
    width = -(-columns // (2 * _BLOCK)) if halve else apart.shape[1]
    height = -(-rows // 4) if halve else rows
    for left in range(0, apart.shape[1], max(width, 1)):
        for top in range(0, rows, height):
            part = apart[top : top + height, left : left + width]
            band = np.arange(len(part)) % _BAND
            beyond = np.arange(len(part)) >= len(part) // _BAND * _BAND
            if part.shape[1] > 1:
                part[band < _HALF, 0] = True
                part[(band < _HALF) == (part.shape[1] % 2 == 0), -1] = True
            part[beyond] = True
    return apart


def _typed_fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Multiply and add float32, rounded once: the processor's instruction, or the C library."""
    return types.float32(a, b, c), lambda context, builder, signature, args: builder.fma(*args)


_fma: Any = intrinsic(_typed_fma)


@exact_kernel
def _add(a: Any, b: Any, first: Any, last: Any, apart: Any, product: Any) -> None:
    inner = a.shape[1]
    paired = inner // _TOGETHER * _TOGETHER
    for row in range(len(a)):
        line = product[row]
        for k in range(inner):
            if a[row, k] != 0:
                for column in range(first[k], last[k]):
                    line[column] = _fma(a[row, k], b[k, column], line[column])
        for block in range(apart.shape[1]):
            if not apart[row, block]:
                continue
            for column in range(_BLOCK * block, _BLOCK * (block + 1)):
                even = odd = np.float32(0)
                for k in range(inner):
                    if k < paired and k % 2:
                        odd = _fma(a[row, k], b[k, column], odd)
                    else:
                        even = _fma(a[row, k], b[k, column], even)
                line[column] = even + odd
