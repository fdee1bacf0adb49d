"""What all iterative solvers share: callbacks, progress, Ctrl-C, bad data."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from problems import limited_angle

from sxtbench.errors import InputError
from sxtbench.reconstruction import Interrupted, cgne, noise_norm, sart, sirt, tv

SOLVERS = {"cgne": (cgne, {}), "sirt": (sirt, {}), "sart": (sart, {}), "tv": (tv, {"weight": 1.0})}
each_solver = pytest.mark.parametrize("name", SOLVERS)


@pytest.fixture(autouse=True)
def _ctrl_c():
    """Ctrl-C as in a terminal: a run that was started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@each_solver
def test_the_callback_sees_every_iterate_and_may_stop(name):
    solver, kwargs = SOLVERS[name]
    A, _, y, _ = limited_angle()
    iterates = {}

    def watch(iteration, x):
        iterates[iteration] = x.copy()
        return iteration == 3

    found = solver(A, y, 10, callback=watch, **kwargs)
    assert list(iterates) == [1, 2, 3]
    np.testing.assert_array_equal(found, iterates[3])
    np.testing.assert_array_equal(found, solver(A, y, 3, **kwargs))


@each_solver
def test_ctrl_c_ends_after_the_iteration_with_its_iterate(name):
    solver, kwargs = SOLVERS[name]
    A, _, y, _ = limited_angle()
    before = signal.getsignal(signal.SIGINT)

    def press(iteration, x):
        if iteration == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="stopped after iteration 2") as caught:
        solver(A, y, 10, callback=press, **kwargs)
    assert caught.value.iteration == 2
    np.testing.assert_array_equal(caught.value.x, solver(A, y, 2, **kwargs))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_acts_at_once():
    A, _, y, _ = limited_angle()

    def press_twice(iteration, x):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")

    with pytest.raises(KeyboardInterrupt) as caught:
        cgne(A, y, 5, callback=press_twice)
    assert not isinstance(caught.value, Interrupted)


def test_solvers_run_beside_the_main_thread():
    A, _, y, _ = limited_angle()
    found = []
    thread = threading.Thread(target=lambda: found.append(cgne(A, y, 3)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0], cgne(A, y, 3))


def test_the_bar_is_drawn_on_stderr():
    code = (
        "import numpy as np; from sxtbench.geometry import ParallelGeometry;"
        "from sxtbench.operators import ParallelBeam;"
        "from sxtbench.reconstruction import sirt;"
        "g = ParallelGeometry(angles_deg=[0, 60], columns=8, slices=1, pixel_size_nm=10);"
        "sirt(ParallelBeam(g, (1, 8, 8)), np.ones(g.shape), 3, progress=True)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "SIRT" in ran.stderr
    assert "3/3" in ran.stderr
    assert ran.stdout == ""


@each_solver
def test_bad_data_is_one_line(name):
    solver, kwargs = SOLVERS[name]
    A, _, y, _ = limited_angle()
    with pytest.raises(InputError, match=r"y has shape \(40, 6, 48\), .*: 40 projections for 41 angles"):
        solver(A, y[:-1], **kwargs)
    spoiled = y.copy()
    spoiled[17, 2, 3] = np.nan
    with pytest.raises(InputError, match="y holds NaN or infinity in view 17"):
        solver(A, spoiled, **kwargs)
    with pytest.raises(InputError, match="x0 has shape"):
        solver(A, y, x0=np.zeros((1, 1, 1)), **kwargs)


def test_the_discrepancy_principle_stops_at_the_noise():
    A, _, y, counts = limited_angle()
    steps = []
    level = noise_norm(counts)
    x = cgne(A, y, 60, noise_norm=level, callback=lambda i, _: steps.append(i))
    assert 2 < steps[-1] < 60
    assert np.linalg.norm(y - A(x)) <= level
    assert np.linalg.norm(y - A(cgne(A, y, steps[-1] - 1))) > level
    with pytest.raises(InputError, match="noise_norm is -1"):
        cgne(A, y, noise_norm=-1)


def test_the_start_is_kept_and_used():
    A, truth, y, _ = limited_angle()
    start = truth.copy()
    for solver, kwargs in SOLVERS.values():
        assert not np.array_equal(solver(A, y, 1, start, **kwargs), solver(A, y, 1, **kwargs))
    np.testing.assert_array_equal(start, truth)
