import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from sxtbench.benchmark.statistics import _SEED, RESAMPLES, group_interval, mean_on_scale
from sxtbench.errors import InputError


def test_student_below_thirty_groups():
    values = np.random.default_rng(0).normal(0.6, 0.05, 29)
    found = group_interval(values)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.method == "t"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.mean == pytest.approx(values.mean())


def test_bca_from_thirty_groups():
    values = np.random.default_rng(0).beta(8, 2, 30)
    found = group_interval(values, bounds=(0, 1))
    rng = np.random.default_rng(_SEED)
    expected = scipy.stats.bootstrap(
        (np.sort(values),), np.mean, n_resamples=RESAMPLES, method="BCa", random_state=rng
    ).confidence_interval
    assert found.method == "bca"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    other = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", random_state=np.random.default_rng(99)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.004)


def test_student_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = [(i := group_interval(rng.normal(0.5, 0.1, 6))).low <= 0.5 <= i.high for _ in range(2000)]
    assert 0.93 < np.mean(hits) < 0.97


def test_clipped_to_the_bounds():
    found = group_interval([0.2, 1.0, 1.0], bounds=(0, 1))
    assert found.high == 1.0
    assert group_interval([0.2, 1.0, 1.0]).high > 1.0


@pytest.mark.parametrize("values", [[0.7], [0.7] * 5, [0.7] * 40])
def test_degenerate(values):
    found = group_interval(values)
    assert found.method == "degenerate"
    assert (found.low, found.mean, found.high) == pytest.approx((0.7, 0.7, 0.7))
    assert found.n_groups == len(values)


def test_undefined_groups_are_left_out():
    found = group_interval([math.nan, 0.4, 0.6])
    assert found.n_groups == 2
    assert found.mean == pytest.approx(0.5)
    empty = group_interval([math.nan])
    assert empty.method == "undefined"
    assert math.isnan(empty.mean)
    assert empty.n_groups == 0


@settings(deadline=None)
@given(st.permutations(list(np.random.default_rng(0).random(31))))
def test_order_of_groups_changes_no_bit(values):
    assert group_interval(values) == group_interval(sorted(values))
    assert group_interval(values, scale="log2") == group_interval(values[::-1], scale="log2")


@pytest.mark.parametrize(("scale", "log", "base"), [("log10", np.log10, 10.0), ("log2", np.log2, 2.0)])
def test_log_scales_average_logarithms(scale, log, base):
    values = np.array([0.5, 2.0, 30.0, 4.0])
    found = group_interval(values, scale=scale)
    linear = group_interval(log(values))
    assert found.mean == pytest.approx(scipy.stats.gmean(values))
    assert (found.low, found.high) == pytest.approx((base**linear.low, base**linear.high))
    assert mean_on_scale(values, scale) == pytest.approx(found.mean)


def test_overflow_on_a_log_scale_meets_the_bound():
    found = group_interval([1e-100, 1e100], scale="log10", bounds=(0.1, 100.0))
    assert (found.low, found.high) == (0.1, 100.0)


def test_refuses_what_has_no_logarithm_and_infinity():
    with pytest.raises(InputError, match="must be positive"):
        group_interval([0.0, 1.0], scale="log2")
    with pytest.raises(InputError, match="infinite"):
        group_interval([math.inf])
