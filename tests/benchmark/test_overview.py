import numpy as np
import pytest

from sxtbench.benchmark.overview import Ranking, overview_of
from sxtbench.metrics import get_metric


def ranking(means, groups=12, spread=0.01, names="abc"):
    rng = np.random.default_rng(1)
    values = np.array(means)[:, None, None] + rng.normal(0, spread, (len(means), 1, groups))
    order = np.argsort(-values.mean(axis=(1, 2)))
    slugs, ranks = tuple(names[i] for i in order), tuple(range(1, len(means) + 1))
    return Ranking(slugs=slugs, ranks=ranks, values=tuple(values[order]), metric=get_metric("miou@1"))


def test_the_mean_is_over_the_tasks_of_a_method():
    rankings = {
        "first": ranking([0.9, 0.5, 0.1]),
        "second": ranking([0.1, 0.9], names="ab"),
        "third": ranking([0.5], names="a"),  # one method alone is first of one: no rank to speak of
    }
    rows = {row["slug"]: row for row in overview_of(rankings)}
    assert list(rows) == ["b", "a"]  # c is ranked once only
    assert rows["a"]["mean"] == 1.5
    assert rows["a"]["relative"] == 0.5
    assert rows["b"]["relative"] == 0.25
    assert rows["a"]["places"] == {"first": {"rank": 1, "of": 3}, "second": {"rank": 2, "of": 2}}
    assert rows["b"]["interval"] == pytest.approx([1.5, 1.5])


def test_no_interval_from_fewer_than_eight_specimens():
    rows = overview_of({"first": ranking([0.9, 0.5]), "second": ranking([0.9, 0.5], groups=6)})
    assert [row["interval"] for row in rows] == [None, None]
    assert [row["mean"] for row in rows] == [1.0, 2.0]
