"""Operators of numpy arrays inside torch's automatic differentiation."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import Blur, ParallelBeam, Scaled, Stack

torch = pytest.importorskip("torch")
from sxtbench.operators.autograd import project  # noqa: E402


def beam(n_angles=4, columns=9):
    geometry = ParallelGeometry(
        angles_deg=np.linspace(-60, 60, n_angles), columns=columns, slices=2, pixel_size_nm=1000.0, slice_offset_px=0.3
    )
    return ParallelBeam(geometry, (2, 7, 8))


def test_the_value_is_the_operator_s_and_the_gradient_its_adjoint():
    A = Blur((4, 2, 9), sigma_px=0.7) @ beam()
    x = np.random.default_rng(0).random((3, 1, 2, 7, 8), dtype=np.float32)
    weights = np.random.default_rng(1).random((3, 1, 4, 2, 9), dtype=np.float32)
    tensor = torch.from_numpy(x).requires_grad_()
    y = project(A, tensor)
    assert y.shape == (3, 1, 4, 2, 9)
    (y * torch.from_numpy(weights)).sum().backward()
    for i in range(3):
        assert np.array_equal(y[i, 0].detach().numpy(), A(x[i, 0]))
        assert np.array_equal(tensor.grad[i, 0].numpy(), A.T(weights[i, 0]))


def test_gradients_against_differences():
    """Operators compute in float32, so a unit step: the map is linear, its differences are exact at any step."""
    A = Scaled(beam(), 0.25)
    x = torch.rand(2, 7, 8, dtype=torch.float64, requires_grad=True)
    options = dict(eps=1.0, atol=1e-5, rtol=1e-5)
    assert torch.autograd.gradcheck(lambda v: project(A, v), x, **options)
    assert torch.autograd.gradgradcheck(lambda v: project(A, v), x, **options)


def test_a_wrong_adjoint_does_not_pass_the_check():
    class Wrong:
        domain_shape = range_shape = (3,)

        def __init__(self, factor):
            self.factor = np.float32(factor)

        def __call__(self, x):
            return self.factor * x

        @property
        def T(self):
            return Wrong(1.01)

    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda v: project(Wrong(1), v), x, eps=1.0, atol=1e-5)


def test_the_gradient_of_a_gradient():
    """|grad of 1/2 |A x|^2|^2 = |A^T A x|^2, whose gradient is 2 (A^T A)^2 x."""
    A = beam()
    x = torch.rand(2, 7, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(0.5 * (project(A, x) ** 2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((gradient**2).sum(), x)
    expected = 2 * A.T(A(A.T(A(x.detach().numpy()))))
    assert np.allclose(second.numpy(), expected, rtol=1e-4)


def test_a_network_learns_through_it():
    A = beam(n_angles=12)
    truth = torch.rand(1, 2, 7, 8)
    data = project(A, truth)
    x = torch.zeros_like(truth, requires_grad=True)
    optimiser = torch.optim.Adam([x], lr=0.05)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = ((project(A, x) - data) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 * losses[0]


def test_an_empty_batch():
    assert project(beam(), torch.zeros(0, 2, 7, 8)).shape == (0, 4, 2, 9)


def test_bad_input():
    A = beam()
    with pytest.raises(InputError, match=r"x has shape \(7, 8\), expected \(2, 7, 8\), with any axes in front"):
        project(A, torch.zeros(7, 8))
    with pytest.raises(InputError, match=r"dtype torch.int64, expected torch.float32 or torch.float64"):
        project(A, torch.zeros(2, 7, 8, dtype=torch.int64))
    with pytest.raises(InputError, match="one block of the Stack at a time"):
        project(Stack([A]), torch.zeros(2, 7, 8))
    with pytest.raises(InputError, match=r'x is on meta, expected the CPU: .*backend="torch"'):
        project(A, torch.zeros(2, 7, 8, device="meta"))
