"""The bench measures what it says: its matrix is the projector, its peers project the same, its table is whole."""

import numpy as np
import pytest

from sxtbench.benchmark import projector_bench as bench
from sxtbench.operators import ParallelBeam


def test_the_matrix_is_the_projector() -> None:
    geometry = bench._geometry(24, 13, 1)
    x = np.random.default_rng(0).random((1, 24, 24), np.float32)
    expected = ParallelBeam(geometry, x.shape)(x)
    np.testing.assert_allclose((bench.joseph_matrix(geometry, 24) @ x.ravel()).reshape(13, 1, 24), expected, atol=1e-6)


def test_finufft_projects_the_same() -> None:
    """Smooth inside: the slice theorem then gives the same line integrals, in pixels."""
    pytest.importorskip("finufft")
    y, x = np.indices((48, 48)) - 23.5
    volume = np.exp(-((x - 3) ** 2 + (y + 2) ** 2) / 50).astype(np.float32)[None].repeat(2, axis=0)
    found = bench._finufft(volume, 20).run["forward"]()
    expected = ParallelBeam(bench._geometry(48, 20, 2), volume.shape)(volume) / (bench.PIXEL_NM / 1000)
    shifted = np.roll(found, 24, axis=2).transpose(1, 0, 2)  # the transform counts from the centre, half a pixel off
    assert np.abs(shifted - expected).max() < 0.15 * expected.max()


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "REPEATS", 1)
    said: list[str] = []
    table = bench.projector_table([16, 32], 6, said.append)
    assert "| 16 | sxtbench (numba) |" in table
    assert "(1.0x)" in table
    assert "1 of 32 slices, scaled" in table
    assert "of the L2 bound" in table
    assert any("round 1 of 1" in line for line in said)


def test_the_memory_is_that_of_the_measured_process() -> None:
    """Linux counts what a parent held before exec in `ru_maxrss`, which hid a projection's scratch."""
    held = np.ones(2**26, np.float32)
    ready, extra = bench._in_a_process(192, 8)
    assert held.nbytes > extra > 2**21
    assert ready > 0
