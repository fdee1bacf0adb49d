"""SIRT and SART: the published weights, consistency, subsets, bounds."""

import numpy as np
import pytest
from problems import Dense, limited_angle, psnr

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import Blur, ParallelBeam, Stack
from sxtbench.reconstruction import sart, sirt
from sxtbench.reconstruction.sirt import bit_reversed


def matrix(seed=0, rows=12, columns=7):
    rng = np.random.default_rng(seed)
    found = rng.random((rows, columns)) * (rng.random((rows, columns)) < 0.6)
    found[3] = 0  # a ray that misses the volume
    found[:, 2] = 0  # a voxel that no ray meets
    return found


def test_one_step_is_the_published_formula():
    M = matrix()
    y = np.random.default_rng(1).random(12)
    rows, columns = M.sum(1), M.sum(0)
    R = np.divide(1, rows, out=np.zeros(12), where=rows > 0)
    C = np.divide(1, columns, out=np.zeros(7), where=columns > 0)
    x0 = np.random.default_rng(2).random(7)
    expected = x0 + 1.5 * C * (M.T @ (R * (y - M @ x0)))
    np.testing.assert_allclose(sirt(Dense(M), y, 1, x0, relaxation=1.5), expected, atol=1e-6)


def test_converges_to_weighted_least_squares():
    M = np.abs(np.random.default_rng(3).standard_normal((20, 6))) + 0.01
    y = np.random.default_rng(4).random(20)
    root = np.sqrt(1 / M.sum(1))
    expected = np.linalg.lstsq(root[:, None] * M, root * y)[0]
    np.testing.assert_allclose(sirt(Dense(M), y, 5000), expected, atol=2e-3)


def test_what_no_ray_meets_stays_at_the_start():
    x = sirt(Dense(matrix()), np.ones(12), 20, np.full(7, 0.25))
    assert x[2] == np.float32(0.25)
    assert np.isfinite(x).all()


def test_a_stack_is_one_operator():
    A, _, y, _ = limited_angle()
    first, second = np.arange(0, 41, 3), np.setdiff1d(np.arange(41), np.arange(0, 41, 3))
    stack = Stack([A.views(first), A.views(second)])
    np.testing.assert_allclose(sirt(stack, [y[first], y[second]], 8), sirt(A, y, 8), atol=2e-6)


def test_bounds_hold_at_every_iteration():
    A, _, y, _ = limited_angle()
    seen = []
    for solver in (sirt, sart):
        solver(A, y, 3, bounds=(0.0, 0.5), callback=lambda i, x: seen.append((x.min(), x.max())))
    assert min(low for low, _ in seen) == 0.0
    assert max(high for _, high in seen) == 0.5


def test_sart_with_one_subset_is_sirt():
    A, _, y, _ = limited_angle()
    np.testing.assert_allclose(sart(A, y, 4, subsets=1), sirt(A, y, 4), atol=1e-6)


def test_sart_comes_farther_an_iteration():
    A, truth, _, _ = limited_angle()
    exact = A(truth)

    def misfit(x):
        return float(np.linalg.norm(A(x) - exact))

    assert misfit(sart(A, exact, 3, subsets=8)) < 0.5 * misfit(sirt(A, exact, 3))


def test_sart_works_through_a_blur_and_on_stacks():
    A, truth, _, _ = limited_angle()
    blurred = Blur(A.range_shape, sigma_px=0.8) @ A
    y = blurred(truth)
    x = sart(blurred, y, 5, subsets=5)
    assert np.linalg.norm(blurred(x) - y) < 0.05 * np.linalg.norm(y)
    stack = Stack([A.views(range(20)), A.views(range(20, 41))])
    both = sart(stack, stack(truth), 5, subsets=5)
    assert psnr(both, truth) > 14


def test_more_subsets_than_views_are_one_a_view():
    geometry = ParallelGeometry(angles_deg=[-40, 0, 40], columns=8, slices=1, pixel_size_nm=100)
    A = ParallelBeam(geometry, (1, 8, 8))
    y = A(np.full((1, 8, 8), 0.3))
    np.testing.assert_array_equal(sart(A, y, 2, subsets=99), sart(A, y, 2, subsets=3))


@pytest.mark.parametrize("count", [1, 2, 5, 8, 41])
def test_subsets_are_visited_once_and_far_apart(count):
    order = bit_reversed(count)
    assert sorted(order) == list(range(count))
    if count >= 8:
        assert np.abs(np.diff(order)).min() >= 2


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"iterations": -1}, "iterations is -1"),
        ({"relaxation": 2.0}, "relaxation is 2.0, expected a number between 0 and 2"),
        ({"bounds": (0.5, 0.1)}, "low <= high"),
    ],
)
@pytest.mark.parametrize("solver", [sirt, sart])
def test_bad_parameters(solver, kwargs, said):
    A, _, y, _ = limited_angle()
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        solver(A, y, **kwargs)


def test_sart_needs_views():
    with pytest.raises(InputError, match="Dense has none"):
        sart(Dense(np.ones((4, 3))), np.ones(4), 1)
    A, _, y, _ = limited_angle()
    with pytest.raises(InputError, match="subsets is 0"):
        sart(A, y, 1, subsets=0)
