"""The check of an adjoint, and what operators share."""

import numpy as np
import pytest
from backends import CASES, beam

from sxtbench.operators import Blur, LinearOperator, Masked, Scaled, Stack, check_adjoint


class Matrix:
    """A matrix as an operator, with any other matrix as its adjoint."""

    dtype = np.dtype(np.float32)

    def __init__(self, matrix, adjoint):
        self.matrix, self.adjoint = matrix, adjoint
        self.range_shape, self.domain_shape = matrix.shape[:1], matrix.shape[1:]

    def __call__(self, x):
        return (self.matrix @ np.asarray(x)).astype(np.float32)

    @property
    def T(self):
        return Matrix(self.adjoint, self.matrix)


def test_the_check_measures_how_wrong_an_adjoint_is():
    matrix = np.random.default_rng(0).random((5, 7))
    assert check_adjoint(Matrix(matrix, matrix.T)) < 1e-6
    for error in (1e-5, 1e-3, 0.1):
        assert check_adjoint(Matrix(matrix, matrix.T * (1 + error))) == pytest.approx(error, rel=0.1)
    assert check_adjoint(Matrix(np.zeros((5, 7)), np.zeros((7, 5)))) == 0


def test_the_check_finds_one_wrong_block_of_a_stack():
    matrix = np.random.default_rng(0).random((5, 7))
    right, wrong = Matrix(matrix, matrix.T), Matrix(matrix, matrix.T * 1.01)
    assert check_adjoint(Stack([right, right])) < 1e-6
    assert check_adjoint(Stack([right, wrong])) > 1e-3
    assert check_adjoint(Stack([wrong, right]).T) > 1e-3


def test_the_seed_chooses_the_pair():
    matrix = np.random.default_rng(0).random((5, 7))
    wrong = Matrix(matrix, matrix.T + 0.1 * np.eye(7, 5))
    assert check_adjoint(wrong, seed=1) == check_adjoint(wrong, seed=1) != check_adjoint(wrong, seed=2)


def test_tensors_are_drawn_where_asked():
    torch = pytest.importorskip("torch")
    seen = []

    class Doubled:
        domain_shape, range_shape, dtype = (4,), (4,), np.dtype(np.float32)

        def __call__(self, x):
            seen.append(x)
            return 2 * x

        @property
        def T(self):
            return self

    assert check_adjoint(Doubled(), device="cpu") < 1e-6
    assert all(isinstance(x, torch.Tensor) and x.dtype == torch.float32 for x in seen)


def test_every_operator_here_is_one():
    A = beam(**CASES["plain"])
    B = Blur(A.range_shape, sigma_px=1)
    stack = Stack([A, B @ A])
    for operator in (A, B, B @ A, Scaled(A, 2), Masked(A), stack, Scaled(stack, 2), Masked(stack)):
        assert operator.T.T is operator
        for one in (operator, operator.T):
            assert isinstance(one, LinearOperator)
            assert one.dtype == np.float32
            assert one.T.domain_shape == one.range_shape
            assert one.T.range_shape == one.domain_shape
            assert check_adjoint(one) <= 1e-6
