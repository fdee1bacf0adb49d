"""Quantiles by a histogram: those of a sort, whatever the threads."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from sxtbench.errors import InputError
from sxtbench.learning.inputs import normalise
from sxtbench.learning.quantiles import normal_quantiles
from sxtbench.metrics.regions import cylinder


def test_they_are_those_of_a_sort() -> None:
    rng = np.random.default_rng(3)
    volume = rng.normal(0.2, 0.07, (40, 48, 48)).astype(np.float32)
    volume[:, 20:30, 20:30] += 0.3
    volume[5, 24, 24] = 5.0  # a bead
    region = cylinder((40, 48, 48))
    expected = np.zeros(volume.shape)
    expected[region] = ndtri((rankdata(volume[region]) - 0.5) / region.sum())
    found = normal_quantiles(volume, region)
    assert np.sqrt(np.mean((found - expected)[region] ** 2)) < 2e-4
    assert (found[~region] == 0).all()
    np.testing.assert_array_equal(found, normal_quantiles(volume, region, workers=3))
    np.testing.assert_array_equal(found, normalise(volume, region, "rank"))


def test_ties_share_their_mean_rank() -> None:
    volume = np.array([[[7, 7, 1, 9]]], np.float32)
    expected = ndtri(np.array([0.5, 0.5, 0.125, 0.875]))
    np.testing.assert_allclose(normal_quantiles(volume, volume > 0)[0, 0], expected, rtol=1e-6)
    assert (normal_quantiles(np.full((2, 3, 4), 5, np.float32), np.ones((2, 3, 4), bool)) == 0).all()
    assert (normal_quantiles(volume, volume < 0) == 0).all()


def test_bad_values_are_named() -> None:
    volume = np.array([[[0, np.nan, 1]]], np.float32)
    with pytest.raises(InputError, match="NaN or infinity"):
        normal_quantiles(volume, np.ones((1, 1, 3), bool))
    assert np.isfinite(normal_quantiles(volume, np.array([[[True, False, True]]]))).all()
    with pytest.raises(InputError, match="the region has shape"):
        normal_quantiles(volume, np.ones((1, 1, 2), bool))
