"""Operators made of operators."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import (
    Blur,
    Composition,
    LinearOperator,
    Masked,
    ParallelBeam,
    Scaled,
    Stack,
    check_adjoint,
)

ANGLES = [-60, -20, 0, 45, 90]
SHAPE = (3, 10, 10)


def beam(angles=ANGLES, columns=10):
    geometry = ParallelGeometry(angles_deg=angles, columns=columns, slices=3, pixel_size_nm=20.0)
    return ParallelBeam(geometry, SHAPE)


def volume():
    return np.random.default_rng(0).random(SHAPE, dtype=np.float32)


def test_composition():
    A, x = beam(), volume()
    B = Blur(A.range_shape, sigma_px=1.2)
    C = B @ A
    assert isinstance(C, Composition)
    assert isinstance(C, LinearOperator)
    assert np.array_equal(C(x), B(A(x)))
    assert np.array_equal(C.T(C(x)), A.T(B.T(C(x))))
    assert C.domain_shape == C.T.range_shape == SHAPE
    assert C.range_shape == C.T.domain_shape == (5, 3, 10)
    assert C.T.T is C
    assert check_adjoint(C) <= 1e-6
    assert check_adjoint(A.T @ A) <= 1e-6
    assert check_adjoint(B @ B @ A) <= 1e-6


def test_scaled():
    A, x = beam(), volume()
    weights = np.random.default_rng(1).random(A.range_shape)
    for factor in (2.5, weights, weights[:, :1, :1]):
        S = Scaled(A, factor)
        assert S(x).dtype == S.T(A(x)).dtype == np.float32
        assert np.allclose(S(x), factor * A(x), rtol=1e-6)
        assert check_adjoint(S) <= 1e-6
    both = Scaled(Stack([A, beam(columns=6)]), [weights, 0.5])
    assert np.allclose(both(x)[1], 0.5 * beam(columns=6)(x), rtol=1e-6)
    assert check_adjoint(both) <= 1e-6


def test_masked():
    A, x = beam(), volume()
    inside = np.hypot(*np.mgrid[-4.5:5, -4.5:5]) < 3
    M = Masked(A, volume_mask=inside)
    assert np.array_equal(M(x), A(x * inside))
    assert not np.any(M.T(A(x))[:, ~inside])
    assert check_adjoint(M) <= 1e-6
    dead = np.ones(10, bool)
    dead[4] = False
    D = Masked(A, data_mask=dead)
    y = D(x)
    assert not np.any(y[..., 4])
    assert np.array_equal(y[..., :4], A(x)[..., :4])
    assert check_adjoint(D) <= 1e-6
    assert check_adjoint(Masked(A, volume_mask=inside, data_mask=dead)) <= 1e-6
    both = Masked(Stack([A, beam(columns=6)]), volume_mask=inside, data_mask=[dead, np.array(True)])
    assert check_adjoint(both) <= 1e-6


def test_what_is_masked_may_be_nan():
    A, x, y = beam(), volume(), beam()(volume())
    hole = np.ones(SHAPE, bool)
    hole[1, 2, 3] = False
    broken = np.where(hole, x, np.nan)
    assert np.array_equal(Masked(A, volume_mask=hole)(broken), A(np.where(hole, x, 0)))
    bad = np.ones(A.range_shape, bool)
    bad[2, 1] = False
    assert np.isfinite(Masked(A, data_mask=bad).T(np.where(bad, y, np.nan))).all()


def test_views_of_made_operators():
    A, x = beam(), volume()
    weights = np.random.default_rng(1).random(A.range_shape).astype(np.float32)
    keep = weights > 0.3
    inside = np.hypot(*np.mgrid[-4.5:5, -4.5:5]) < 3
    for operator in (
        A,
        Blur(A.range_shape, sigma_px=[0, 0.5, 1, 1.5, 2]) @ A,
        Scaled(A, weights),
        Scaled(A, weights[:1]),
        Scaled(A, 3.0),
        Masked(A, inside, keep),
        Scaled(Masked(Blur(A.range_shape, sigma_px=1) @ A, inside, keep), weights),
        A @ (A.T @ A),
        Masked(Blur(A.range_shape, sigma_px=1), volume_mask=keep) @ A,
    ):
        some = operator.views([3, 0])
        assert some.range_shape == (2, 3, 10)
        assert np.allclose(some(x), operator(x)[[3, 0]], rtol=1e-5, atol=1e-7)
        assert check_adjoint(some) <= 1e-6
    with pytest.raises(InputError, match="a Stack has no views to choose from"):
        Scaled(Stack([A]), 2.0).views([0])


def test_tensors():
    torch = pytest.importorskip("torch")
    A, x = beam(), volume()
    geometry = A.geometry
    T = ParallelBeam(geometry, SHAPE, backend="torch")
    weights = np.random.default_rng(1).random(A.range_shape)
    inside = np.hypot(*np.mgrid[-4.5:5, -4.5:5]) < 3
    keep = weights > 0.3

    def made(projector):
        blurred = Blur(A.range_shape, sigma_px=1) @ projector
        return Stack([Scaled(Masked(blurred, inside, keep), weights), projector])

    tensors = made(T)(torch.from_numpy(x))
    for tensor, array in zip(tensors, made(A)(x), strict=True):
        assert isinstance(tensor, torch.Tensor)
        assert np.allclose(tensor.numpy(), array, atol=1e-5)
    assert check_adjoint(made(T), device="cpu") <= 1e-6
    leaf = torch.from_numpy(x).requires_grad_()
    sum(part.sum() for part in made(T)(leaf)).backward()
    ones = [np.ones(A.range_shape)] * 2
    assert np.allclose(leaf.grad.numpy(), made(A).T(ones), rtol=1e-4, atol=1e-6)


def test_an_inexact_adjoint_is_told_on():
    class Inexact:
        domain_shape = range_shape = (5, 3, 10)
        dtype = np.dtype(np.float32)
        exact_adjoint = False

        def __call__(self, x):
            return x

        @property
        def T(self):
            return self

    A = beam()
    for operator in (Blur(A.range_shape, sigma_px=1) @ Inexact(), Scaled(Inexact(), 2), Masked(Inexact())):
        assert not operator.exact_adjoint
        assert not operator.T.exact_adjoint
    assert not Stack([Inexact(), Inexact()]).exact_adjoint
    assert (Blur(A.range_shape, sigma_px=1) @ A).exact_adjoint


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda A: A @ A, r"inner operator's range is \(5, 3, 10\), the outer operator's domain is \(3, 10, 10\)"),
        (lambda A: Scaled(A, np.ones(7)), r"factor has shape \(7,\), expected one that broadcasts to \(5, 3, 10\)"),
        (lambda A: Scaled(A, np.ones((2, 5, 3, 10))), "factor has shape"),
        (lambda A: Scaled(A, np.nan), "factor holds NaN"),
        (lambda A: Scaled(Stack([A, A]), [1.0]), "factor has 1 entries, expected one for each of 2 blocks"),
        (lambda A: Scaled(Stack([A, A]), [1.0, np.ones(7)]), "factor of block 1 has shape"),
        (lambda A: Masked(A, volume_mask=np.ones(SHAPE)), "volume_mask has dtype float64, expected booleans"),
        (lambda A: Masked(A, data_mask=np.ones((4, 3, 10), bool)), r"data_mask has shape \(4, 3, 10\)"),
        (lambda A: Masked(Stack([A])).T(np.zeros(3)), "expected a list of 1 arrays"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InputError, match=message):
        make(beam())
