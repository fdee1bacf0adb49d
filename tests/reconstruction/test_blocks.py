"""Arithmetic that the solvers share: sums in double, checks, and torch tensors in place of numpy arrays."""

import numpy as np
import pytest
from problems import Dense, limited_angle

from sxtbench.errors import InputError
from sxtbench.operators import ParallelBeam, Stack
from sxtbench.reconstruction import cgne, sart, sirt, tv
from sxtbench.reconstruction._blocks import add, dot, limits, reciprocal

SOLVERS = {"cgne": (cgne, {}), "sirt": (sirt, {}), "sart": (sart, {}), "tv": (tv, {"weight": 1.0})}
each_solver = pytest.mark.parametrize("name", SOLVERS)


def test_inner_products_are_summed_in_double():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((3, 300, 301)).astype(np.float32) for _ in range(2))
    expected = float((a.astype(np.float64) * b).sum())
    assert dot([a, b], [b, a]) == pytest.approx(2 * expected, rel=1e-12)
    # Products that are no float32: 1 + 2^-20 squared would lose its last term.
    c = np.full(5, 1 + 2.0**-20, np.float32)
    assert dot([c], [c]) == 5 * (1 + 2.0**-20) ** 2


def test_steps_are_added_in_place_across_parts():
    target = np.arange(3 * 2**16 + 5, dtype=np.float32).reshape(-1, 1)
    expected = target + np.float32(0.5) * target
    add(target, 0.5, target.copy())
    np.testing.assert_array_equal(target, expected)


def test_what_no_ray_meets_has_no_weight():
    assert reciprocal(np.array([0, 1e-9, 0.5], np.float32)).tolist() == [0, 0, 2]


def test_bounds_are_two_numbers():
    assert limits(None) == (-np.inf, np.inf)
    assert limits((0, None)) == (0, np.inf)
    with pytest.raises(InputError, match="low <= high"):
        limits((0.0, float("nan")))


@each_solver
def test_tensors_give_what_arrays_give(name):
    torch = pytest.importorskip("torch")
    solver, kwargs = SOLVERS[name]
    A, _, y, counts = limited_angle()
    B = ParallelBeam(A.geometry, A.volume_shape, backend="torch")
    start = np.full(A.volume_shape, 0.1, np.float32)
    if name == "tv":
        kwargs = kwargs | {"data_weights": counts}
    expected = solver(A, y, 6, start, **kwargs)
    arrays = solver(B, y, 6, start, **kwargs)
    given = {key: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for key, v in kwargs.items()}
    tensors = solver(B, torch.from_numpy(y), 6, torch.from_numpy(start), **given)
    assert isinstance(tensors, torch.Tensor)
    np.testing.assert_allclose(arrays, expected, atol=2e-5)
    np.testing.assert_allclose(tensors.numpy(), expected, atol=2e-5)
    assert (start == np.float32(0.1)).all()


def test_tensors_in_a_stack_within_bounds():
    torch = pytest.importorskip("torch")
    A, _, y, _ = limited_angle()
    parts = [range(15), range(15, 41)]
    numba = Stack([A.views(part) for part in parts])
    other = Stack([ParallelBeam(A.views(part).geometry, A.volume_shape, backend="torch") for part in parts])
    data = [y[:15], y[15:]]
    for solver, kwargs in ((cgne, {"nonnegative": True}), (sirt, {"bounds": (0.0, 0.4)}), (sart, {"subsets": 5})):
        found = solver(other, [torch.from_numpy(block) for block in data], 4, **kwargs)
        np.testing.assert_allclose(found.numpy(), solver(numba, data, 4, **kwargs), atol=2e-5)


@each_solver
def test_bad_tensors_are_one_line(name):
    torch = pytest.importorskip("torch")
    solver, kwargs = SOLVERS[name]
    A, _, y, _ = limited_angle()
    B = ParallelBeam(A.geometry, A.volume_shape, backend="torch")
    spoiled = torch.from_numpy(y.copy())
    spoiled[23, 1, 1] = float("inf")
    with pytest.raises(InputError, match="y holds NaN or infinity in view 23"):
        solver(B, spoiled, **kwargs)
    with pytest.raises(InputError, match=r"y has dtype torch\.int32"):
        solver(B, spoiled.int(), **kwargs)


def test_bad_arrays_are_one_line():
    A, _, y, _ = limited_angle()
    with pytest.raises(InputError, match="y has dtype complex64, expected real numbers"):
        cgne(A, y + 0j)
    start = np.zeros(A.volume_shape, np.float32)
    start[4, 0, 0] = np.nan
    with pytest.raises(InputError, match="x0 holds NaN or infinity in slice 4"):
        cgne(A, y, x0=start)
    stack = Stack([A.views(range(15)), A.views(range(15, 41))])
    with pytest.raises(InputError, match="y is one ndarray, the operator expects a list of 2 arrays"):
        cgne(stack, y)
    with pytest.raises(InputError, match="y is 3 arrays, the operator expects a list of 2"):
        cgne(stack, [y, y, y])
    with pytest.raises(InputError, match=r"y\[1\] has shape \(25, 6, 48\), .*: 25 projections for 26 angles"):
        cgne(stack, [y[:15], y[16:]])
    with pytest.raises(InputError, match="y holds NaN or infinity, expected"):
        cgne(Dense(np.eye(3)), [1, np.nan, 2])
