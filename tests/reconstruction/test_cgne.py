"""CGNE: convergence, the restart, positivity, and where it stops."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import cgne


class Dense:
    """A matrix as an operator; `flaws` are calls whose result is spoiled."""

    def __init__(self, matrix, flaws=()):
        self.matrix = np.asarray(matrix, np.float64)
        self.range_shape, self.domain_shape = (self.matrix.shape[0],), (self.matrix.shape[1],)
        self.flaws, self.calls = set(flaws), 0

    def __call__(self, x):
        self.calls += 1
        factor = 0.2 if self.calls in self.flaws else 1.0
        return (factor * self.matrix @ x.astype(np.float64)).astype(np.float32)

    @property
    def T(self):
        return Dense(self.matrix.T)


def problem(seed=0, rows=30, columns=12):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, columns)), rng.standard_normal(columns).astype(np.float32)


def tomography():
    geometry = ParallelGeometry(angles_deg=np.arange(0, 180, 6), columns=32, slices=2, pixel_size_nm=50)
    A = ParallelBeam(geometry, (2, 32, 32))
    truth = np.zeros((2, 32, 32), np.float32)
    truth[0, 8:20, 10:26] = 0.35
    truth[1, 12:18, 12:18] = 0.6
    return A, truth


def test_recovers_a_full_rank_problem():
    matrix, truth = problem()
    found = cgne(Dense(matrix), matrix @ truth, iterations=30)
    assert found.dtype == np.float32
    assert np.abs(found - truth).max() < 1e-4


def test_equals_least_squares_with_inconsistent_data():
    matrix, _ = problem(1)
    y = np.random.default_rng(2).standard_normal(30)
    assert np.abs(cgne(Dense(matrix), y, iterations=40) - np.linalg.lstsq(matrix, y)[0]).max() < 1e-4


def test_is_conjugate_not_steepest_descent():
    """In exact arithmetic n steps are enough for n distinct singular values; steepest descent would be far off."""
    matrix = np.diag([1.0, 3.0, 10.0, 30.0])
    truth = np.array([4.0, -3.0, 2.0, 1.0])
    assert np.abs(cgne(Dense(matrix), matrix @ truth, iterations=4) - truth).max() < 1e-3


def test_the_residual_of_a_tomogram_falls_at_every_iteration():
    A, truth = tomography()
    y = A(truth)
    residuals, iterations = [float(np.linalg.norm(y))], []

    def watch(iteration, x):
        iterations.append(iteration)
        residuals.append(float(np.linalg.norm(y - A(x))))

    x = cgne(A, y, iterations=25, callback=watch)
    assert iterations == list(range(1, 26))
    assert np.all(np.diff(residuals) < 0)
    assert residuals[-1] < 0.01 * residuals[0]
    assert np.linalg.norm(x - truth) < 0.15 * np.linalg.norm(truth)


def test_restart_when_the_residual_would_grow():
    """The third application of A is spoiled: the step is far too long, must be left out, and is made up for later."""
    matrix, truth = problem(3)
    y = matrix @ truth
    path = []
    flawed = Dense(matrix, flaws={3})  # 1: residual of the start, 2: first step, 3: second step
    found = cgne(flawed, y, iterations=40, callback=lambda _, x: path.append(x.copy()))
    assert np.array_equal(path[0], path[1])
    assert not np.array_equal(path[1], path[2])
    assert np.abs(found - truth).max() < 1e-4
    # After the restart it goes on like a fresh start from the same x.
    fresh = cgne(Dense(matrix), y, iterations=5, x0=path[1])
    assert path[6] == pytest.approx(fresh, abs=1e-6)


def test_nonnegative():
    A, truth = tomography()
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, A.range_shape).astype(np.float32)
    seen = []
    x = cgne(A, A(truth) + noise, iterations=15, nonnegative=True, callback=lambda _, x: seen.append(float(x.min())))
    assert min(seen) >= 0
    assert cgne(A, A(truth) + noise, iterations=15).min() < 0
    assert np.linalg.norm(x - truth) < 0.3 * np.linalg.norm(truth)


def test_nonnegative_step_is_projected_steepest_descent():
    matrix, truth = problem(4)
    y = matrix @ truth
    x = np.full(12, 0.5)
    found = cgne(Dense(matrix), y, iterations=3, x0=x, nonnegative=True)
    for _ in range(3):
        s = matrix.T @ (y - matrix @ x)
        x = np.maximum(x + (s @ s) / np.sum((matrix @ s) ** 2) * s, 0)
    assert found == pytest.approx(x, abs=1e-5)


def test_start_is_used_and_not_changed():
    matrix, truth = problem(5)
    start = truth + np.float32(0.01)
    kept = start.copy()
    cgne(Dense(matrix), matrix @ truth, iterations=3, x0=start)
    assert np.array_equal(start, kept)
    assert np.array_equal(cgne(Dense(matrix), matrix @ truth, iterations=0, x0=start), start)


def test_stops_cleanly_when_there_is_nothing_to_do():
    A, _ = tomography()
    calls = []
    x = cgne(A, np.zeros(A.range_shape), iterations=5, callback=lambda i, _: calls.append(i))
    assert not x.any()
    assert calls == []
    exact = Dense(np.eye(3) * 2)
    found = cgne(exact, np.array([2.0, 4.0, 8.0]), iterations=100)
    assert found.tolist() == [1, 2, 4]
    assert exact.calls < 5


def test_bad_input():
    A, truth = tomography()
    y = A(truth)
    with pytest.raises(InputError, match=r"y has shape \(32,\), the operator expects \(30, 2, 32\)"):
        cgne(A, np.zeros(32))
    with pytest.raises(InputError, match="x0 has shape"):
        cgne(A, y, x0=np.zeros((1, 32, 32)))
    with pytest.raises(InputError, match="y holds NaN"):
        cgne(A, np.full_like(y, np.nan))
    with pytest.raises(InputError, match="iterations is -1"):
        cgne(A, y, iterations=-1)
