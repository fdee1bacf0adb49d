"""Binning: means, the exact adjoint, views, and pixels that integrate over voxels."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import Bin, LinearOperator, ParallelBeam, check_adjoint


def test_it_is_the_mean_of_blocks():
    x = np.random.default_rng(0).random((3, 4, 6), dtype=np.float32)
    assert np.allclose(Bin(x.shape, 2)(x), x.reshape(3, 2, 2, 3, 2).mean(axis=(2, 4)), atol=1e-6)
    assert np.array_equal(Bin(x.shape, 1)(x), x)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_adjoint_is_exact(factor):
    operator = Bin((2, 6, 12), factor)
    assert isinstance(operator, LinearOperator)
    assert check_adjoint(operator) < 1e-6
    geometry = ParallelGeometry(angles_deg=[0, 33, 91], columns=12, slices=6, pixel_size_nm=20)
    assert check_adjoint(Bin(geometry.shape, factor) @ ParallelBeam(geometry, (6, 12, 12))) < 1e-5


def test_views_are_chosen():
    x = np.random.default_rng(0).random((5, 2, 4), dtype=np.float32)
    geometry = ParallelGeometry(angles_deg=[0, 20, 40, 60, 80], columns=4, slices=2, pixel_size_nm=20)
    assert np.array_equal(Bin(x.shape, 2).views([3, 0])(x[[3, 0]]), Bin(x.shape, 2)(x)[[3, 0]])
    both = Bin(geometry.shape, 2) @ ParallelBeam(geometry, (2, 4, 4))
    volume = np.random.default_rng(1).random((2, 4, 4), dtype=np.float32)
    assert np.allclose(both.views([3, 0])(volume), both(volume)[[3, 0]], atol=1e-7)


def test_tensors_give_the_same():
    torch = pytest.importorskip("torch")
    operator = Bin((2, 4, 6), 2)
    x, y = (np.random.default_rng(0).random(s, dtype=np.float32) for s in (operator.domain_shape, operator.range_shape))
    assert np.allclose(operator(torch.from_numpy(x)).numpy(), operator(x), atol=1e-6)
    assert np.allclose(operator.T(torch.from_numpy(y)).numpy(), operator.T(y), atol=1e-6)
    assert operator(torch.from_numpy(np.stack([x, x]))).shape == (2, 2, 2, 3)


@pytest.mark.parametrize(("shape", "factor"), [((2, 5, 4), 2), ((2, 4, 4), 0), ((2, 4), 2)])
def test_what_does_not_divide_is_refused(shape, factor):
    with pytest.raises(InputError, match="expected"):
        Bin(shape, factor)
