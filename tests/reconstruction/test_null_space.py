"""The null component: orthogonal to what is measured; a few full views leave little of it in the region."""

import numpy as np
import pytest
from pair import VOXEL_NM, make_pair, phantom

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import null_component, pair_operator, scan_operator


def share(component, truth, region=None):
    """Ratio of squared norms, as the paper's code plots it."""
    where = slice(None) if region is None else region
    return float(np.sum(component[where].astype(np.float64) ** 2) / np.sum(truth[where].astype(np.float64) ** 2))


def test_what_remains_is_not_seen_and_what_was_taken_is():
    geometry = ParallelGeometry(angles_deg=np.arange(0, 180, 30), columns=16, slices=1, pixel_size_nm=100)
    A = ParallelBeam(geometry, (1, 16, 16))
    x = np.random.default_rng(0).random((1, 16, 16), dtype=np.float32)
    null = null_component(A, x, iterations=300)
    assert np.abs(A(null)).max() < 1e-3 * np.abs(A(x)).max()
    assert abs(np.vdot(null, x - null)) < 2e-3 * np.vdot(x, x)
    again = null_component(A, null, iterations=300)
    assert np.abs(again - null).max() < 2e-3


def test_wilson_and_barrett_go_the_same_way_more_slowly():
    geometry = ParallelGeometry(angles_deg=np.arange(0, 180, 30), columns=16, slices=1, pixel_size_nm=100)
    A = ParallelBeam(geometry, (1, 16, 16))
    x = np.random.default_rng(0).random((1, 16, 16), dtype=np.float32)
    end = null_component(A, x, iterations=300)
    steps = (20, 200, 2000)
    distance = [float(np.linalg.norm(null_component(A, x, n, "wilson-barrett") - end)) for n in steps]
    assert distance == sorted(distance, reverse=True)
    assert distance[-1] < 0.05 * float(np.linalg.norm(x))
    fast = float(np.linalg.norm(null_component(A, x, iterations=20) - end))
    assert fast < distance[0] / 2


def test_a_few_full_views_leave_little_unknown_in_the_region():
    pair, truth = make_pair(full_views=7), phantom()
    shape = truth.shape
    interior = null_component(scan_operator(pair.interior, shape, VOXEL_NM), truth, iterations=50)
    assert share(interior, truth, pair.region) > 0.05
    found = {}
    for views in (2, 7, 31):
        full = make_pair(full_views=views).full
        found[views] = null_component(pair_operator(pair.interior, full, shape), truth, iterations=50)
    regions = [share(component, truth, pair.region) for component in found.values()]
    assert all(value < 0.01 for value in regions)
    volumes = [share(component, truth) for component in found.values()]
    assert volumes == sorted(volumes, reverse=True)
    assert 0.05 < volumes[0] < 0.15
    assert volumes[-1] < 0.03


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "svd"}, "expected one of: cgne, wilson-barrett"),
        ({"method": "wilson-barrett", "step": -1.0}, "expected a positive number"),
        ({"iterations": -1}, "expected 0 or more"),
    ],
)
def test_bad_arguments_get_one_line(changes, message):
    geometry = ParallelGeometry(angles_deg=[0, 90], columns=8, slices=1, pixel_size_nm=100)
    with pytest.raises(InputError, match=message):
        null_component(ParallelBeam(geometry, (1, 8, 8)), np.zeros((1, 8, 8)), **changes)
