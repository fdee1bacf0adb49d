"""Correlation over the overlap against a direct sum, and the splines through its tables."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from sxtbench.errors import InputError
from sxtbench.reconstruction.ncc import Tables, overlap_ncc


def direct(moved, fixed, dz, du, least):
    """Coefficient of the pixels that lie on each other after a move by (dz, du)."""
    pairs = [
        (moved[z, u], fixed[z + dz, u + du])
        for z, u in np.ndindex(moved.shape)
        if 0 <= z + dz < fixed.shape[0] and 0 <= u + du < fixed.shape[1]
    ]
    if len(pairs) < max(least * moved.size, 2):
        return 0.0
    return float(np.corrcoef(np.transpose(pairs))[0, 1])


@pytest.mark.parametrize(("shape", "start"), [((10, 8), (1, -1)), ((5, 12), (-2, 3)), ((7, 9), (0, 0))])
@pytest.mark.parametrize("least", [0.05, 0.6])
def test_tables_equal_direct_sums(shape, start, least):
    rng = np.random.default_rng(0)
    moved, fixed = rng.random((2, 7, 9)), rng.random((2, *shape))
    table = overlap_ncc(moved, fixed, reach=(6, 8), start=start, least_overlap=least)
    for k, i, j in np.ndindex(table.shape):
        expected = direct(moved[k], fixed[k], start[0] + i - 6, start[1] + j - 8, least)
        assert table[k, i, j] == pytest.approx(expected, abs=1e-12)


def test_grey_values_do_not_matter_and_flat_images_do_not_correlate():
    rng = np.random.default_rng(1)
    moved, fixed = rng.random((1, 12, 14)), rng.random((1, 12, 14))
    table = overlap_ncc(moved, fixed, reach=(4, 4))
    np.testing.assert_allclose(overlap_ncc(0.01 * moved + 50, 30 - 7 * fixed, reach=(4, 4)), -table, atol=1e-9)
    assert np.all(overlap_ncc(np.full((1, 12, 14), 3.3), fixed, reach=(4, 4)) == 0)
    half = moved.copy()
    half[:, :, :9] = 0.1
    assert np.all(overlap_ncc(half, fixed, reach=(0, 6))[0, 0, 11:] == 0)  # only flat columns lie on the other


def test_many_pairs_are_as_each_alone():
    rng = np.random.default_rng(2)
    moved, fixed = rng.random((70, 6, 7)), rng.random((70, 6, 7))
    table = overlap_ncc(moved, fixed, reach=(2, 3))
    np.testing.assert_allclose(table[65], overlap_ncc(moved[65:66], fixed[65:66], reach=(2, 3))[0], atol=1e-12)


def test_stacks_that_do_not_belong_together():
    with pytest.raises(InputError, match=r"shapes \(2, 4, 4\) and \(3, 4, 4\)"):
        overlap_ncc(np.zeros((2, 4, 4)), np.zeros((3, 4, 4)), reach=(1, 1))


def test_splines_go_through_the_entries_and_equal_scipy():
    rng = np.random.default_rng(3)
    values = rng.random((3, 7, 11))
    tables = Tables.of(values)
    for shift in ((0, 0), (-3, -5), (3, 5), (3, -5), (2, 4)):
        value, _ = tables(np.tile(np.array(shift, float), (3, 1)))
        np.testing.assert_allclose(value, values[:, 3 + shift[0], 5 + shift[1]], atol=1e-12)
    shifts = rng.uniform((-3, -5), (3, 5), (3, 2))
    for value, table, shift in zip(tables(shifts)[0], values, shifts, strict=True):
        assert value == pytest.approx(map_coordinates(table, np.add(shift, (3, 5))[:, None], order=3, mode="mirror")[0])


def test_gradients_are_differences_and_vanish_beyond_the_window():
    rng = np.random.default_rng(4)
    tables = Tables.of(rng.random((50, 7, 11)))
    shifts = rng.uniform((-2.99, -4.99), (2.99, 4.99), (50, 2))
    _, gradient = tables(shifts)
    for axis in (0, 1):
        step = np.zeros(2)
        step[axis] = 1e-6
        difference = (tables(shifts + step)[0] - tables(shifts - step)[0]) / 2e-6
        np.testing.assert_allclose(gradient[:, axis], difference, atol=1e-7)
    far = shifts * (0, 1) + (9, 0)
    value, gradient = tables(far)
    np.testing.assert_allclose(value, tables(np.minimum(far, (3, 5)))[0])
    assert np.all(gradient[:, 0] == 0)
    assert np.all(gradient[:, 1] != 0)
