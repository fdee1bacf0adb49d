"""Intervals over specimens and training seeds, and results that hold several seeds."""

import json
import math

import numpy as np
import pytest
import scipy.stats
from fake_results import AXES, fake_result, result_of

from sxtbench.benchmark.aggregate import check_aggregates
from sxtbench.benchmark.combine import combine
from sxtbench.benchmark.compare import OPPOSITE, compare, compare_all, sentence
from sxtbench.benchmark.pairs import Pairs
from sxtbench.benchmark.plots import rows_at_reference
from sxtbench.benchmark.result import Aggregate, Method, Result, aggregate, load_result
from sxtbench.benchmark.seeds import seeded_difference, seeded_interval
from sxtbench.benchmark.statistics import group_interval
from sxtbench.errors import InputError
from sxtbench.metrics.registry import get_metric

RNG = np.random.default_rng(0)
SPECIMENS = RNG.normal(0.6, 0.05, 12)


def seeds_of(name: str, *, spread: float = 0.0, mean: float = 0.0, k: int = 3, n: int = 12) -> list[Result]:
    """Results of one method, of a seed each."""
    rng = np.random.default_rng([*map(ord, name)])
    moves = spread * (np.arange(k) - (k - 1) / 2)
    return [
        result_of(name, SPECIMENS[:n] + mean + move + rng.normal(0, 0.005, n), method=Method(name=name, seeds=(seed,)))
        for seed, move in enumerate(moves)
    ]


def test_seeds_that_do_not_differ_change_nothing():
    values = RNG.normal(size=12)
    found, one = seeded_interval([values] * 4), group_interval(values)
    assert (found.mean, found.low, found.high) == pytest.approx((one.mean, one.low, one.high), rel=1e-9)
    assert found.method == "seeds"


def test_specimens_that_do_not_differ_leave_the_seeds():
    of_seeds = RNG.normal(size=5)
    found = seeded_interval(np.repeat(of_seeds[:, None], 20, axis=1))
    expected = scipy.stats.ttest_1samp(of_seeds, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_the_variance_is_that_of_the_mean_and_not_less():
    """The mean square of many simulated means against what the intervals take it for, at Satterthwaite's freedom."""
    rng = np.random.default_rng(1)
    shape = (3, 16)
    values = [
        rng.normal(size=shape[1]) + 0.4 * rng.normal(size=(shape[0], 1)) + 0.3 * rng.normal(size=shape)
        for _ in range(1500)
    ]
    true = 1 / 16 + 0.4**2 / 3 + 0.3**2 / 48
    assert np.var([v.mean() for v in values]) == pytest.approx(true, rel=0.1)
    taken = np.mean([v.mean(axis=0).var(ddof=1) / 16 + v.mean(axis=1).var(ddof=1) / 3 for v in values])
    assert true < taken == pytest.approx(true + 0.3**2 / 48, rel=0.1)
    found = [seeded_interval(v) for v in values]
    assert 0.925 < np.mean([i.low <= 0 <= i.high for i in found]) < 0.975
    alone = [group_interval(v.mean(axis=0)) for v in values]
    assert np.mean([i.low <= 0 <= i.high for i in alone]) < 0.9  # why seeds must not be left out


def test_of_two_trainings_each_the_difference_is_a_paired_t_test():
    a, b = RNG.normal(size=(2, 10))
    found, expected = seeded_difference(a[None], b[None]), scipy.stats.ttest_rel(a, b)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.interval.low == pytest.approx(expected.confidence_interval(0.95).low, rel=1e-9)


def test_seeds_of_two_methods_are_not_paired():
    a, b = RNG.normal(size=(4, 10)), RNG.normal(size=(3, 10))
    one, two, mixed = seeded_difference(a, b), seeded_difference(b, a), seeded_difference(a[::-1], b)
    assert (two.interval.mean, two.interval.low) == (-one.interval.mean, -one.interval.high)
    assert two.p == one.p == pytest.approx(mixed.p)
    assert seeded_difference(a + np.array([[3], [-3], [2], [-2]]), b).p > one.p


def test_what_has_no_interval():
    assert seeded_interval(np.full((3, 5), 0.7)).method == "degenerate"
    assert seeded_interval([[0.5], [0.6], [0.7]]).method == "degenerate"
    assert seeded_interval(np.full((3, 5), math.nan)).method == "undefined"
    with_gap = RNG.normal(size=(3, 9))
    with_gap[1, 4] = math.nan
    assert seeded_interval(with_gap) == seeded_interval(np.delete(with_gap, 4, axis=1))
    assert seeded_interval(10.0**with_gap, scale="log10", bounds=(0, 2)).high == 2
    with pytest.raises(InputError, match="3 or more seeds"):
        seeded_interval(with_gap[:2])
    with pytest.raises(InputError, match="equal groups"):
        seeded_difference(with_gap, with_gap[:, :3])
    with pytest.raises(InputError, match="not finite"):
        seeded_difference(with_gap, with_gap)


def test_a_combined_result_is_a_result(tmp_path):
    parts = [
        fake_result("net", error, groups=9).model_copy(update={"method": Method(name="net", seeds=(seed,))})
        for seed, error in enumerate((0.2, 0.25, 0.3))
    ]
    found = combine(parts)
    assert (found.n_seeds, found.method.seeds) == (3, (0, 1, 2))
    loaded = load_result(found.save(tmp_path / "net.json"))
    assert loaded == found
    check_aggregates(loaded)
    assert {a.method for a in found.aggregates} == {"seeds"}
    assert len(found.aggregates) == len(parts[0].aggregates)
    assert found.headline.n_groups == 9
    assert found.headline.mean == pytest.approx(np.mean([part.headline.mean for part in parts]))
    assert found.headline.high - found.headline.low > max(p.headline.high - p.headline.low for p in parts)
    assert found.resources.wall_time_s.fit == pytest.approx(31 * 0.25)
    assert found.resources.peak_memory_mb == pytest.approx(300 + 900 * 0.3)
    assert set(found.to_frame().seed) == {0, 1, 2}
    assert "3 training seeds" in found.summary()
    assert found.curve("miou@1", "tilt_range_deg").levels == AXES["tilt_range_deg"].levels
    assert aggregate(reversed(found.rows), found.axes) == found.aggregates
    dots = rows_at_reference(found, get_metric("miou@1"), None)
    assert len(dots) == 9
    assert dots[0].value == pytest.approx(
        np.mean([rows_at_reference(p, get_metric("miou@1"), None)[0].value for p in parts])
    )
    assert "seed" not in json.loads(parts[0].to_json())["rows"][0]


def test_seeds_are_numbered_where_results_name_none():
    parts = [part.model_copy(update={"method": Method(name="net")}) for part in seeds_of("net")]
    assert combine(parts).method.seeds == (0, 1, 2)


def test_seeds_that_differ_more_than_methods_do_decide_nothing():
    sure = compare(combine(seeds_of("net", spread=0.004, mean=0.05)), result_of("plain", SPECIMENS))
    assert sure.verdict == "better"
    assert "over 12 specimens (3 and 1 training seeds)" in sentence(sure)
    wild = combine(seeds_of("wild", spread=0.08, mean=0.05))
    unsure = compare(wild, result_of("plain", SPECIMENS))
    assert unsure.verdict == "inconclusive"
    assert compare(seeds_of("wild", spread=0.08, mean=0.05)[2], result_of("plain", SPECIMENS)).verdict == "better"
    back = compare(result_of("plain", SPECIMENS), wild)
    assert (back.verdict, back.n_seeds) == (OPPOSITE[unsure.verdict], (1, 3))
    assert (back.low, back.p) == (-unsure.high, unsure.p)


def test_a_family_with_seeds_is_the_same_at_once_and_one_by_one():
    results = [combine(seeds_of("wild", spread=0.03)), result_of("plain", SPECIMENS + 0.01), *seeds_of("net")[:1]]
    at_once, one_by_one = Pairs(results), compare_all(results)
    assert set(at_once) == set(one_by_one)
    for pair, found in one_by_one.items():
        assert at_once[pair].verdict == found.verdict
        assert at_once[pair].p_adjusted == pytest.approx(found.p_adjusted, rel=1e-9)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda parts: parts[:2], "2 results, expected those of at least 3 training seeds"),
        (lambda parts: [*parts[:2], parts[1]], "net: two results are of seed 1, expected another seed each"),
        (lambda parts: [*parts[:2], *seeds_of("other")[2:]], "of method name 'net' and 'other', expected one method's"),
        (lambda parts: [*parts[:2], *seeds_of("net", n=11)[2:]], "cannot be compared: other set of samples"),
        (lambda parts: [combine(parts), *parts[1:]], "one of the results is of several seeds already"),
        (
            lambda parts: [*parts[:2], parts[2].model_copy(update={"method": Method(name="net")})],
            "expected one each or none at all",
        ),
    ],
)
def test_what_cannot_be_combined_is_named(spoil, says):
    with pytest.raises(InputError, match=says) as caught:
        combine(spoil(seeds_of("net")))
    assert "\n" not in str(caught.value)


def test_a_result_cannot_hide_a_seed(tmp_path):
    content = json.loads(combine(seeds_of("net")).to_json())
    rows = content["rows"]
    for spoiled, says in (
        ({"rows": [row for row in rows if row["seed"] < 2]}, "method.seeds are"),
        ({"rows": rows[:-1]}, "rows of training seed 2 are of other samples or metrics"),
        ({"rows": [row | {"seed": None} if row["seed"] == 0 else row for row in rows]}, "method.seeds are"),
        ({"rows": [row | {"seed": -1} for row in rows]}, "greater than or equal to 0"),
    ):
        path = tmp_path / "spoiled.json"
        path.write_text(json.dumps(content | spoiled))
        with pytest.raises(InputError, match=says):
            check_aggregates(load_result(path))
    narrow = combine(seeds_of("net", spread=0.05))
    claim = narrow.headline.model_copy(update={"low": narrow.headline.mean - 1e-4})
    others = [a for a in narrow.aggregates if a != narrow.headline]
    assert isinstance(claim, Aggregate)
    with pytest.raises(InputError, match="low of miou@1"):
        check_aggregates(narrow.model_copy(update={"aggregates": (claim, *others)}))
