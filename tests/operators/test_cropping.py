"""Cropping: the exact adjoint, views, tensors."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.operators import Crop, LinearOperator, check_adjoint


def test_it_cuts_and_its_adjoint_fills_with_zeros():
    operator = Crop((2, 3, 9), 2)
    x = np.random.default_rng(0).random(operator.domain_shape, dtype=np.float32)
    assert isinstance(operator, LinearOperator)
    assert np.array_equal(operator(x), x[:, :, 2:7])
    assert check_adjoint(operator) < 1e-6
    assert np.array_equal(operator.views([1])(x[[1]]), x[[1], :, 2:7])
    assert np.array_equal(Crop((2, 3, 9), 0)(x), x)


def test_tensors_give_the_same():
    torch = pytest.importorskip("torch")
    operator = Crop((2, 4, 6), 1)
    x, y = (np.random.default_rng(0).random(s, dtype=np.float32) for s in (operator.domain_shape, operator.range_shape))
    assert np.array_equal(operator(torch.from_numpy(x)).numpy(), operator(x))
    assert np.array_equal(operator.T(torch.from_numpy(y)).numpy(), operator.T(y))


@pytest.mark.parametrize("margin", [-1, 3, 1.5])
def test_a_margin_that_leaves_nothing_is_refused(margin):
    with pytest.raises(InputError, match="margin is"):
        Crop((2, 4, 6), margin)
