import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from fake_results import AXES, fake_result, result_of
from hypothesis import given, settings
from hypothesis import strategies as st

import sxtbench as sb
from sxtbench.benchmark.compare import OPPOSITE, compare, compare_all, difference_text, sentence
from sxtbench.benchmark.result import Axis, aggregate
from sxtbench.errors import InputError
from sxtbench.metrics.registry import METRICS
from sxtbench.multiplicity import holm

BASE = np.linspace(0.4, 0.6, 12)


def shifted(mean: float, sd: float, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Paired values whose differences have exactly this mean and standard deviation."""
    base = np.linspace(0.4, 0.6, n)
    noise = np.random.default_rng(n).normal(size=n)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    return base + mean + sd * noise, base


@pytest.mark.parametrize(
    ("mean", "sd", "verdict", "reason"),
    [
        (0.05, 0.02, "better", "beyond the margin of 0.01"),
        (-0.05, 0.02, "worse", "beyond the margin of 0.01"),
        (0.002, 0.004, "tied", "the whole interval lies within the margin"),
        (0.008, 0.001, "tied", "the whole interval lies within the margin"),  # significant, and of no matter
        (0.009, 0.004, "inconclusive", "not beyond the margin of 0.01, though p ="),
        (0.02, 0.08, "inconclusive", "the interval reaches beyond the margin"),
    ],
)
def test_the_four_verdicts(mean, sd, verdict, reason):
    a, b = shifted(mean, sd)
    found = compare(result_of("a", a), result_of("b", b))
    assert found.verdict == verdict
    assert reason in found.reason
    expected = scipy.stats.ttest_rel(a, b)
    interval = expected.confidence_interval(0.95)
    assert found.difference == pytest.approx(mean, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)
    assert found.p == found.p_adjusted == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.n_groups, found.margin) == (12, 0.01)


def test_from_thirty_groups_the_interval_is_a_bootstrap_and_the_test_stays():
    a, b = shifted(0.03, 0.05, n=40)
    found = compare(result_of("a", a), result_of("b", b))
    expected = scipy.stats.bootstrap((a - b,), np.mean, n_resamples=20_000, method="BCa", rng=7).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-3)
    assert found.p == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_below_eight_specimens_nothing_is_concluded(n):
    found = compare(result_of("a", BASE[:n] + 0.3), result_of("b", BASE[:n]))
    assert found.verdict == "inconclusive"
    assert "too few, a verdict needs 8" in found.reason
    assert found.difference == pytest.approx(0.3)
    assert compare(result_of("a", BASE[:8] + 0.3), result_of("b", BASE[:8])).verdict == "better"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([9, 31]))
def test_exchanging_the_results_mirrors_everything(seed, n):
    rng = np.random.default_rng(seed)
    a = result_of("a", rng.uniform(0.4, 0.6, n))
    b = result_of("b", rng.uniform(0.4, 0.6, n))
    one, two = compare(a, b), compare(b, a)
    assert two.verdict == OPPOSITE[one.verdict]
    assert (two.difference, two.low, two.high) == (-one.difference, -one.high, -one.low)
    assert two.p == one.p


def test_a_result_is_tied_with_itself_and_the_order_of_rows_does_not_matter():
    a = result_of("a", BASE)
    assert compare(a, a).verdict == "tied"
    assert compare(a, a).p == 1.0
    b = result_of("b", BASE[::-1])
    mixed = b.model_copy(update={"rows": tuple(reversed(b.rows))})
    assert compare(a, b) == compare(a, mixed)


def test_a_constant_difference_needs_no_test():
    found = compare(result_of("a", np.full(9, 1.0)), result_of("b", np.zeros(9)))
    assert (found.verdict, found.p) == ("better", 0.0)
    assert (found.low, found.high) == (1.0, 1.0)


def test_lower_is_better_where_the_metric_says_so(monkeypatch):
    metric = "nucleus_as_vacuole@1"
    good, bad = result_of("good", BASE - 0.2, metric), result_of("bad", BASE, metric)
    assert "declares no margin" in compare(good, bad).reason
    monkeypatch.setitem(METRICS, metric, replace(METRICS[metric], margin=0.01))
    assert compare(good, bad).verdict == "better"
    assert compare(good, bad).difference < 0


def test_a_signed_metric_is_compared_by_its_distance_from_the_ideal(monkeypatch):
    metric = "lac_slope@1"
    monkeypatch.setitem(METRICS, metric, replace(METRICS[metric], margin=0.01))
    near = result_of("near", 1 + np.linspace(-0.02, 0.02, 10), metric)
    far = result_of("far", 1 + np.tile([-0.3, 0.3], 5), metric)
    found = compare(near, far)
    assert found.verdict == "better"
    assert found.other_mean == pytest.approx(0.3)
    assert "distance of LAC slope from 1" in sentence(found)


def test_on_a_logarithmic_scale_differences_are_factors(monkeypatch):
    monkeypatch.setitem(METRICS, "rmse@1", replace(METRICS["rmse@1"], scale="log10", margin=0.05))
    found = compare(result_of("a", 2 * BASE, "rmse@1"), result_of("b", BASE, "rmse@1"))
    assert found.verdict == "worse"
    assert found.difference == pytest.approx(math.log10(2))
    assert difference_text(found) == "x2 [2, 2]"


def test_undefined_in_both_is_left_out_and_in_one_ends_the_verdict():
    a, b = BASE + 0.2, BASE.copy()
    a[0] = b[0] = math.nan
    found = compare(result_of("a", a), result_of("b", b))
    assert (found.verdict, found.n_groups) == ("better", 11)
    a[1] = math.nan
    found = compare(result_of("a", a), result_of("b", b))
    assert (found.verdict, found.n_groups) == ("inconclusive", 10)
    assert found.reason == "1 specimen has a value in one result only"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"task": "other-task"}, r"other task \(limited-angle-segmentation and other-task\)"),
        ({"version": 2}, r"other task version \(1 and 2\)"),
        ({"tier": "tiny"}, r"other tier \(small and tiny\)"),
        ({"split": "validation"}, r"other split \(test and validation\)"),
        ({"task_hash": "c" * 64}, r"other task hash \(a{40} and c{40}\)"),
        ({"fingerprint": "c" * 64}, r"other dataset fingerprint \(b{40} and c{40}\)"),
        ({"axes": {"photons": Axis(levels=[1, 0.25], reference=1)}}, "other axes;"),
    ],
)
def test_results_of_other_tasks_data_or_conditions_are_refused(changes, says):
    with pytest.raises(InputError, match=f"^a and b cannot be compared: {says}") as caught:
        compare(result_of("a", BASE), result_of("b", BASE, **changes))
    assert "\n" not in str(caught.value)


def test_missing_samples_are_refused():
    with pytest.raises(InputError, match="other set of samples"):
        compare(result_of("a", BASE), result_of("b", BASE[:-1]))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("miuo@1",), "did you mean 'miou@1'"),
        (("psnr_lac@1",), r"psnr_lac@1 was not scored; the result holds cell_iou@1, dice@1"),
        (("iou@1", 7), "iou@1 is one value a class, choose one of 1, 2, 3"),
        (("cell_iou@1", 1), "cell_iou@1 has no classes, leave class 1 out"),
    ],
)
def test_a_metric_that_is_not_there_is_named(arguments, says):
    result = fake_result("a", 0.3, groups=2)
    with pytest.raises(InputError, match=says):
        compare(result, result, *arguments)


def test_levels_are_a_family_of_their_own():
    a, b = fake_result("a", 0.2, groups=9), fake_result("b", 0.5, groups=9)
    found = compare(a, b, "dice@1", 3)
    assert found.verdict == "better"
    assert found.p == found.p_adjusted
    places = [point.level for point in found.levels]
    assert places == [
        {"tilt_range_deg": 140},
        {"tilt_range_deg": 120},
        {"tilt_range_deg": 80},
        {"tilt_range_deg": "mean"},
        {"photons": 0.25},
        {"photons": "mean"},
    ]
    assert [point.p_adjusted for point in found.levels] == holm([point.p for point in found.levels])
    for point in found.levels:
        expected = [r.aggregate_of("dice@1", 3, point.level).mean for r in (a, b)]
        assert [point.mean, point.other_mean] == pytest.approx(expected)
    frame = found.to_frame()
    assert len(frame) == 7
    assert frame.query("axis == 'photons' and level == 'mean'").difference.item() == found.levels[-1].difference


def test_the_family_of_a_board_is_adjusted_over_all_pairs():
    rng = np.random.default_rng(0)
    results = [
        result_of(name, 0.5 + shift + rng.normal(0, 0.03, 12))
        for name, shift in zip("abc", (0.04, 0.02, 0), strict=True)
    ]
    family = compare_all(results)
    assert set(family) == {(i, j) for i in range(3) for j in range(3) if i != j}
    pairs = [(0, 1), (0, 2), (1, 2)]
    single = [compare(results[i], results[j]) for i, j in pairs]
    assert [family[pair].p_adjusted for pair in pairs] == pytest.approx(holm([found.p for found in single]))
    assert any(family[pair].p_adjusted > found.p for pair, found in zip(pairs, single, strict=True))
    for i, j in pairs:
        assert family[j, i].verdict == OPPOSITE[family[i, j].verdict]
        assert family[j, i].difference == -family[i, j].difference
    assert compare_all(results[:1]) == {}
    with pytest.raises(InputError, match="other tier"):
        compare_all([*results, result_of("d", BASE, tier="tiny")])


def test_holm_is_the_closure_of_bonferroni():
    rng = np.random.default_rng(5)
    for _ in range(40):
        p = rng.uniform(0, 0.2, 5).round(2).tolist()
        closed = [
            max(
                min(1.0, len(subset) * min(p[k] for k in subset))
                for size in range(1, 6)
                for subset in itertools.combinations(range(5), size)
                if i in subset
            )
            for i in range(5)
        ]
        assert holm(p) == pytest.approx(closed)
    assert holm([0.01, math.nan, 0.02])[::2] == pytest.approx([0.02, 0.02])
    assert holm([]) == []


def test_equal_methods_are_seldom_called_different():
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        p = [scipy.stats.ttest_rel(*rng.normal(size=(2, 10))).pvalue for _ in range(6)]
        wrong += min(holm(p)) < 0.05
    assert wrong / 300 < 0.08


def test_public_name_words_and_json():
    a, b = fake_result("a", 0.2, groups=9), fake_result("b", 0.5, groups=9)
    assert sb.compare is compare
    found = sb.compare(a, b)
    words = sentence(found)
    assert words.startswith("a is better than b. mean IoU +0.")
    assert "over 9 specimens: beyond the margin of 0.01" in words
    content = json.loads(found.to_json())
    assert (content["verdict"], content["class"], len(content["levels"])) == ("better", None, 6)
    few = compare(result_of("a", BASE[:1]), result_of("b", BASE[:1]))
    assert json.loads(few.to_json())["p"] is None


def test_only_the_reference_enters_the_headline_comparison():
    a, b = fake_result("a", 0.2, groups=9), fake_result("b", 0.5, groups=9)
    rows = tuple(r.model_copy(update={"value": 0.0}) if r.condition["photons"] == 0.25 else r for r in a.rows)
    spoiled = a.model_copy(update={"rows": rows, "aggregates": aggregate(rows, AXES)})
    assert compare(spoiled, b).difference == compare(a, b).difference
    assert compare(spoiled, b).levels[-2].difference < compare(a, b).levels[-2].difference
