import math

import numpy as np
import pytest
from fake_results import fake_volume_result, result_of

from sxtbench.benchmark.compare import compare_all
from sxtbench.benchmark.pairs import Pairs, paired_p_values
from sxtbench.benchmark.statistics import paired_difference
from sxtbench.errors import InputError


@pytest.mark.parametrize(
    "results",
    [
        [fake_volume_result(name, gain) for name, gain in (("a", 1.0), ("b", 1.02), ("c", 0.0), ("d", 3.0))],
        [result_of("a", [0.1, 0.2, 0.3]), result_of("b", [0.1, 0.2, 0.3]), result_of("c", [0.2, math.nan, 0.4])],
        [result_of("a", np.linspace(0.5, 2, 9), "equivalent_dose@1"), result_of("b", [1.0] * 9, "equivalent_dose@1")],
        [result_of("a", [0.1, 0.2, 0.3])],
        [],
    ],
    ids=["volumes", "equal and undefined", "logarithmic", "one", "none"],
)
def test_pairs_are_what_comparing_all_gives(results):
    expected, pairs = compare_all(results), Pairs(results)
    assert set(pairs) == set(expected)
    for pair, comparison in expected.items():
        assert pairs[pair].verdict == comparison.verdict
        assert pairs[pair].reason == comparison.reason
        for name in ("p", "p_adjusted", "difference", "low", "high"):
            assert getattr(pairs[pair], name) == pytest.approx(getattr(comparison, name), rel=1e-9, nan_ok=True)


def test_p_values_are_those_of_one_pair_after_the_other():
    values = np.random.default_rng(0).normal(0, 1, (4, 7))
    values[3] = values[2]
    found = paired_p_values(values)
    for i, j in ((0, 1), (1, 2), (2, 3), (0, 3)):
        assert found[i, j] == found[j, i] == pytest.approx(paired_difference(values[i], values[j]).p)
    assert found[2, 3] == 1.0


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="cannot be compared: other dataset fingerprint"):
        Pairs([result_of("a", [0.1, 0.2]), result_of("b", [0.1, 0.2], fingerprint="c" * 64)])
    with pytest.raises(KeyError):
        Pairs([result_of("a", [0.1, 0.2]), result_of("b", [0.1, 0.2])])[0, 2]
