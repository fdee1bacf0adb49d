"""Halves of a tilt series."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam, even_odd, select_views


def series(angles):
    n = len(angles)
    geometry = ParallelGeometry(
        angles_deg=angles,
        columns=8,
        slices=2,
        pixel_size_nm=20.0,
        column_offset_px=np.arange(n) * 0.1,
        slice_offset_px=-np.arange(n) * 0.2,
    )
    return np.random.default_rng(0).random(geometry.shape, dtype=np.float32), geometry


@pytest.mark.parametrize("count", [2, 7, 60])
def test_halves_share_no_view_and_cover_the_same_range(count):
    rng = np.random.default_rng(count)
    angles = rng.permutation(np.linspace(-60, 60, count))
    projections, geometry = series(angles)
    even, odd = even_odd(projections, geometry)
    assert sorted([*even.views, *odd.views]) == list(range(count))
    assert len(even.views) - len(odd.views) == count % 2
    for half in (even, odd):
        assert np.array_equal(half.projections, projections[half.views])
        assert np.array_equal(half.geometry.angles_deg, angles[half.views])
        assert np.array_equal(half.geometry.column_offset_px, half.views * 0.1)
        assert np.array_equal(half.geometry.slice_offset_px, half.views * -0.2)
        assert half.geometry.shape == half.projections.shape
        if count > 3:
            gaps = np.diff(np.sort(half.geometry.angles_deg))
            assert np.allclose(gaps, 2 * 120 / (count - 1))


def test_views_of_a_projector_are_its_projections():
    projections, geometry = series(np.linspace(-60, 60, 5))
    A = ParallelBeam(geometry, (2, 8, 8))
    x = np.random.default_rng(0).random((2, 8, 8), dtype=np.float32)
    even, _ = even_odd(projections, geometry)
    assert np.array_equal(ParallelBeam(even.geometry, (2, 8, 8))(x), A(x)[even.views])
    assert np.array_equal(A.views(even.views)(x), A(x)[even.views])


def test_bad_input():
    projections, geometry = series([0, 10])
    with pytest.raises(InputError, match=r"projections have shape \(1, 2, 8\), the geometry is of \(2, 2, 8\)"):
        even_odd(projections[:1], geometry)
    with pytest.raises(InputError, match="one view has no halves"):
        even_odd(*series([0]))
    with pytest.raises(InputError, match="indices run from -3 to 0, expected views of 2"):
        select_views(geometry, [0, -3])
    for nothing in ([], [[0]], [0.5]):
        with pytest.raises(InputError, match="indices are"):
            select_views(geometry, nothing)
