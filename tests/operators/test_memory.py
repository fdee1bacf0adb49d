"""Calls that do not fit the memory say so before they start."""

import tracemalloc

import numpy as np
import pytest
from backends import CASES, beam, pair

from sxtbench.errors import InputError
from sxtbench.operators import _memory
from sxtbench.operators._memory import available_bytes, scratch_bytes


def test_there_is_memory():
    available = available_bytes()
    assert available is not None
    assert 2**26 < available < 2**50


def test_without_proc_it_is_what_the_machine_has(monkeypatch):
    class Missing:
        def __init__(self, name):
            self.name = name

        def read_text(self):
            raise FileNotFoundError(self.name)

    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr(_memory, "Path", Missing)
    total = available_bytes()
    assert total is not None
    assert total > 2**26
    monkeypatch.setattr(_memory.os, "sysconf", unknown)
    assert available_bytes() is None


def test_a_volume_that_does_not_fit_is_refused_with_numbers():
    A = beam(columns=8, slices=8, shape=(8192, 8192, 8192), angles=[0])
    size = r"to \(8192, 8192, 8192\) needs 20\d\d\.\d GiB of memory, \d+\.\d GiB are available"
    with pytest.raises(InputError, match=f"an adjoint {size}"):
        A.T(np.zeros(A.range_shape))
    with pytest.raises(InputError, match=f"a backprojection {size}"):
        A.backproject(np.zeros(A.range_shape))


def test_each_call_asks(monkeypatch):
    monkeypatch.setattr(_memory, "available_bytes", lambda: 1000)
    monkeypatch.setattr(_memory, "_UNCHECKED", 0)
    A = beam(**CASES["plain"])
    x, y = np.zeros(A.domain_shape), np.zeros(A.range_shape)
    for call, what in ((lambda: A(x), "a projection"), (lambda: A.T(y), "an adjoint")):
        with pytest.raises(InputError, match=f"{what} to .* needs 0.0 GiB"):
            call()
    with pytest.raises(InputError, match="a backprojection to"):
        A.backproject(y)
    monkeypatch.setattr(_memory, "available_bytes", lambda: None)
    A(x)


@pytest.mark.parametrize("aligned", [True, False])
def test_the_estimate_for_numba_is_near_what_is_used(aligned):
    offset = 0.0 if aligned else 0.5
    A = beam(
        angles=np.arange(0, 180, 4), columns=200, slices=40, shape=(40, 200, 200), slice_offset_px=offset, threads=2
    )
    x = pair(A)[0]
    A(x)
    tracemalloc.start()
    y = A(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    estimate = y.nbytes + scratch_bytes("numba", A.range_shape, A.domain_shape, 2, aligned)
    assert 0.8 < estimate / peak < 1.25
