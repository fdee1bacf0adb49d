from fractions import Fraction
from hashlib import sha256

import numpy as np
import pytest
from numpy.typing import NDArray

from sxtbench.acquisition.ordered_product import _apart, ordered_product


def matrices(rows: int, columns: int, inner: int = 11) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(7)
    a, b = (rng.integers(-(1 << 20), 1 << 20, shape) for shape in ((rows, inner), (inner, columns)))
    b[np.abs(np.arange(columns) / columns - np.linspace(0, 1, inner)[:, None]) > 0.3] = 0  # as of a lattice of splines
    return (a / (1 << 20)).astype(np.float32), (b / (1 << 20)).astype(np.float32)


def added(terms: list[tuple[np.float32, np.float32]]) -> np.float32:
    """Fused multiply-adds in order, each rounded once."""
    total = np.float32(0)
    for x, y in terms:
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(total))
        near = np.float32(float(exact))  # rounded twice, so its neighbours are asked as well
        candidates = [np.nextafter(near, np.float32(-9)), near, np.nextafter(near, np.float32(9))]
        total = min(candidates, key=lambda c: (abs(Fraction(float(c)) - exact), int(c.view(np.uint32)) & 1))
    return total


def test_terms_are_added_in_the_stated_order() -> None:
    a, b = matrices(26, 35)
    found, apart = ordered_product(a, b), _apart(26, 35, False)
    assert 0 < apart.sum() < apart.size
    for row in range(26):
        for column in range(35):
            terms = list(zip(a[row], b[:, column], strict=True))
            if column < 32 and apart[row, column // 8]:
                expected = added([*terms[:8:2], *terms[8:]]) + added(terms[1:8:2])
            else:
                expected = added(terms)
            assert found[row, column] == expected, (row, column)


@pytest.mark.parametrize(
    ("shape", "inner", "divided", "bits"),
    [
        ((128, 144), 11, False, "87cf7058414c0de7"),
        ((256, 276), 11, False, "49b936d12ced9dca"),
        ((256, 268), 15, False, "8d5661abc8190807"),
        ((128, 144), 11, True, "87cf7058414c0de7"),
        ((256, 276), 11, True, "38bc7cce1119e2a9"),
        ((256, 268), 15, True, "4955d9a0e2932b74"),
    ],
)
def test_the_bits_are_those_of_the_first_data(shape: tuple[int, int], inner: int, divided: bool, bits: str) -> None:
    """Hashes of what NumPy 2.4.6 gave with OpenBLAS 0.3.31, kernels for Haswell, on one thread and on two."""
    assert sha256(ordered_product(*matrices(*shape, inner), divided=divided).tobytes()).hexdigest()[:16] == bits


def test_it_is_a_product() -> None:
    a, b = matrices(40, 64)
    np.testing.assert_allclose(ordered_product(a, b), a.astype(np.float64) @ b.astype(np.float64), atol=2e-6)
    assert not ordered_product(a, np.zeros_like(b)).any()
