import numpy as np
import pytest
from scipy import stats

from sxtbench.acquisition.counts import (
    _key_words,
    _philox,
    absorbance,
    floored_share,
    poisson_counts,
    split_counts,
    thin_counts,
)
from sxtbench.errors import InputError


def chi_square_p(sample, distribution):
    """P-value of a sample against a discrete distribution, in bins of at least 20 expected."""
    low, high = int(distribution.ppf(1e-4)), int(distribution.ppf(1 - 1e-4))
    edges = np.unique(np.linspace(low, high, 60).astype(int))
    expected = np.diff(np.concatenate([[0.0], distribution.cdf(edges), [1.0]])) * sample.size
    observed = np.bincount(np.searchsorted(edges, sample), minlength=expected.size)
    keep = expected > 20
    observed = np.append(observed[keep], observed[~keep].sum())
    expected = np.append(expected[keep], expected[~keep].sum())
    if expected[-1] < 5:
        observed, expected = observed[:-1], expected[:-1]
        expected *= observed.sum() / expected.sum()
    return stats.chisquare(observed, expected).pvalue


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (0, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (2**64 - 1, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (0x85A308D3243F6A88, 0x299F31D0A4093822, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_philox_gives_the_published_known_answers(counter, key, words):
    draw = {0: 0, 2**64 - 1: 2**64 - 1}.get(counter, 0x0370734413198A2E)
    found = np.empty(4, np.uint64)
    _philox(np.uint64(counter), np.uint64(draw), _key_words(key), found)
    assert tuple(found) == words


@pytest.mark.parametrize("mean", [0.05, 0.5, 5, 9.99, 10, 12, 100, 700, 1e4])
def test_counts_are_poisson(mean):
    n = 400_000
    counts = poisson_counts(np.full(n, mean), key=17)
    assert counts.dtype == np.uint32
    assert abs(counts.mean() - mean) < 4.5 * np.sqrt(mean / n)
    assert abs(counts.var() / mean - 1) < 4.5 * np.sqrt((2 + 1 / mean) / n)
    assert chi_square_p(counts, stats.poisson(mean)) > 1e-3


def test_neighbouring_pixels_and_keys_are_independent():
    a, b = (poisson_counts(np.full(200_000, 50.0), key=key).astype(float) for key in (1, 2))
    for x, y in ((a[:-1], a[1:]), (a, b)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 0.01


def test_a_draw_depends_on_key_index_and_mean_only():
    mean = np.random.default_rng(0).uniform(0, 60, (3, 200, 211))
    counts = poisson_counts(mean, key=5, threads=1)
    assert np.array_equal(counts, poisson_counts(mean, key=5, threads=4))
    shorter = poisson_counts(mean.ravel()[:70_001], key=5)
    assert np.array_equal(shorter, counts.ravel()[:70_001])
    assert not np.array_equal(counts, poisson_counts(mean, key=6))


def test_a_last_bit_in_the_mean_moves_few_pixels_by_little():
    mean = np.random.default_rng(0).uniform(0, 2000, 1_000_000)
    a, b = (poisson_counts(m, key=5).astype(np.int64) for m in (mean, mean * (1 + 1e-7)))
    moved = np.abs(a - b)[a != b]
    assert 0 < moved.size < 1e-4 * a.size * 2  # the mean itself moves by 1e-4 photons
    assert np.mean(moved == 1) > 0.9
    c = poisson_counts(mean * (1 + 2e-16), key=5).astype(np.int64)
    assert np.count_nonzero(a != c) < 1e-5 * a.size


def test_impossible_means_are_refused():
    for bad in (-1.0, np.nan, np.inf, 1e12):
        with pytest.raises(InputError):
            poisson_counts([1.0, bad], key=0)
    assert poisson_counts([0.0], key=0) == 0


@pytest.mark.parametrize(("n", "fraction"), [(3, 0.25), (30, 0.1), (200, 0.25), (1840, 0.25), (1840, 0.9), (60, 0.5)])
def test_thinning_is_binomial(n, fraction):
    thinned = thin_counts(np.full(300_000, n, np.uint32), fraction, key=3)
    assert thinned.max() <= n
    assert abs(thinned.mean() - n * fraction) < 4.5 * np.sqrt(n * fraction * (1 - fraction) / thinned.size)
    assert chi_square_p(thinned, stats.binom(n, fraction)) > 1e-3


def test_a_thinned_exposure_is_an_exposure_at_a_lower_dose():
    thinned = thin_counts(poisson_counts(np.full(300_000, 80.0), key=1), 0.25, key=2, threads=3)
    assert chi_square_p(thinned, stats.poisson(20)) > 1e-3
    full = poisson_counts(np.full(1000, 80.0), key=1)
    assert np.array_equal(thin_counts(full, 1.0, key=2), full)
    assert not thin_counts(full, 0.0, key=2).any()
    assert np.array_equal(thin_counts(full, 0.25, key=2, threads=1), thinned[:1000])


def test_a_split_exposure_is_two_independent_ones():
    full = poisson_counts(np.full((300, 1000), 60.0), key=1)
    for fraction in (0.5, 0.2):
        first, rest = split_counts(full, key=2, fraction=fraction)
        assert np.array_equal(first, thin_counts(full, fraction, key=2))
        assert np.array_equal(first + rest, full)
        assert first.dtype == rest.dtype == np.uint32
        assert first.shape == rest.shape == full.shape
        assert chi_square_p(first.ravel(), stats.poisson(60 * fraction)) > 1e-3
        assert chi_square_p(rest.ravel(), stats.poisson(60 * (1 - fraction))) > 1e-3
        assert abs(np.corrcoef(first.ravel(), rest.ravel())[0, 1]) < 4.5 / np.sqrt(full.size)
    with pytest.raises(InputError, match=r"fraction is 1\.5"):
        split_counts(full, key=2, fraction=1.5)


def test_absorbance_floors_empty_pixels_at_half_a_count():
    counts = np.array([[[0, 1, 100]], [[10, 50, 0]]], np.uint32)
    found = absorbance(counts, np.array([100.0, 50.0]))
    expected = [[[np.log(200), np.log(100), 0]], [[np.log(5), 0, np.log(100)]]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32
    assert floored_share(counts) == pytest.approx(1 / 3)
