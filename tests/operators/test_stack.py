"""Operators side by side."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import Blur, LinearOperator, ParallelBeam, Stack, check_adjoint


def beam(n_angles, columns, shape=(2, 12, 12)):
    angles = np.linspace(-70, 70, n_angles)
    geometry = ParallelGeometry(angles_deg=angles, columns=columns, slices=shape[0], pixel_size_nm=20.0)
    return ParallelBeam(geometry, shape)


def test_a_stack_is_its_blocks():
    A, B = beam(3, 12), beam(5, 6)
    both = Stack([A, B])
    x = np.random.default_rng(0).random((2, 12, 12), dtype=np.float32)
    y = both(x)
    assert [part.shape for part in y] == list(both.range_shape) == [A.range_shape, B.range_shape]
    assert np.array_equal(y[0], A(x))
    assert np.array_equal(y[1], B(x))
    assert np.allclose(both.T(y), A.T(A(x)) + B.T(B(x)), rtol=1e-6)
    assert both.T.range_shape == both.domain_shape == (2, 12, 12)
    assert both.T.T is both
    assert both.T.domain_shape == both.range_shape
    assert isinstance(both, LinearOperator)
    assert isinstance(both.T, LinearOperator)
    assert both.dtype == np.float32


def test_adjoint():
    A, B = beam(3, 12), beam(5, 6)
    blurred = Blur(B.range_shape, sigma_px=1.0) @ B
    assert check_adjoint(Stack([A])) <= 1e-6
    assert check_adjoint(Stack([A, blurred, B])) <= 1e-6
    assert check_adjoint(Stack([A, B]).T) <= 1e-6
    assert check_adjoint(Stack([A, B]) @ (B.T @ B)) <= 1e-6


def test_input_is_left_alone():
    class Same:
        """Returns what it is given, not a copy."""

        domain_shape = range_shape = (3,)

        def __call__(self, x):
            return x

        @property
        def T(self):
            return self

    y = [np.ones(3, np.float32), np.ones(3, np.float32)]
    assert np.array_equal(Stack([Same(), Same()]).T(y), [2, 2, 2])
    assert np.array_equal(y, np.ones((2, 3)))


def test_bad_input():
    with pytest.raises(InputError, match="no blocks"):
        Stack([])
    with pytest.raises(InputError, match=r"block 1 of the stack has the domain \(2, 9, 9\), block 0 has \(2, 12, 12\)"):
        Stack([beam(3, 12), beam(3, 12, shape=(2, 9, 9))])
    both = Stack([beam(3, 12), beam(5, 6)])
    with pytest.raises(InputError, match="1 arrays, expected a list of 2"):
        both.T([np.zeros((3, 2, 12))])
    with pytest.raises(InputError, match="ndarray, expected a list of 2"):
        both.T(np.zeros((2, 3, 2, 12)))
    with pytest.raises(InputError, match=r"expected \(5, 2, 6\)"):
        both.T([np.zeros((3, 2, 12)), np.zeros((3, 2, 12))])
