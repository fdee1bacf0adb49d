import numpy as np
import pytest

from sxtbench.benchmark.overview import Ranking, overview_of, resampled_ranks


def ranking(means, groups=12, spread=0.01, names="abc"):
    rng = np.random.default_rng(1)
    merits = np.array(means)[:, None] + rng.normal(0, spread, (len(means), groups))
    order = np.argsort(-merits.mean(axis=1))
    slugs = tuple(names[i] for i in order)
    return Ranking(slugs=slugs, ranks=tuple(range(1, len(means) + 1)), merits=merits[order])


def test_ranks_are_sure_where_methods_are_far_apart_and_not_where_they_are_near():
    far = resampled_ranks(ranking([0.9, 0.5, 0.1]).merits)
    assert (far == [1, 2, 3]).all()
    near = resampled_ranks(ranking([0.5, 0.5, 0.1], spread=0.1).merits)
    assert set(near[:, 0]) == {1, 2}
    assert (near[:, 2] == 3).all()


def test_equal_methods_share_a_rank_and_undefined_values_are_left_out():
    merits = np.array([[0.5, 0.6, 0.7], [0.5, 0.6, 0.7], [np.nan, np.nan, np.nan], [np.nan, 0.1, 0.2]])
    drawn = resampled_ranks(merits, 50)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, :2] == 1).all()
    assert (drawn[:, 2] >= 3).all()


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
