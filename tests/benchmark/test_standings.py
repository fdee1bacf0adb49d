from pathlib import Path

import numpy as np
import pytest
from fake_results import result_of

from sxtbench.benchmark.compare import compare_all
from sxtbench.benchmark.standings import Entry, ends_of, order_of, ranks_of, ties_of
from sxtbench.metrics.registry import get_metric

BASE = np.linspace(0.4, 0.6, 10)


def entry(name, mean, metric="miou@1"):
    values = BASE - BASE.mean() + mean
    return Entry(path=Path(f"{name}.json"), result=result_of(name, values, metric))


def test_equal_means_share_a_rank():
    assert ranks_of([0.9, 0.8, 0.8, 0.5, float("nan")]) == [1, 2, 2, 4, None]


@pytest.mark.parametrize(
    ("means", "letters"),
    [
        ([0.9, 0.8, 0.7], ["", "", ""]),
        ([0.805, 0.804, 0.7], ["a", "a", ""]),
        ([0.809, 0.803, 0.797], ["a", "a b", "b"]),  # the ends are 0.012 apart: no tie of all three
        ([0.805, 0.804, 0.803, 0.6, 0.599], ["a", "a", "a", "b", "b"]),
        ([0.9], [""]),
    ],
)
def test_tie_groups_are_runs_of_which_every_two_are_tied(means, letters):
    verdicts = compare_all([entry(f"m{i}", mean).result for i, mean in enumerate(means)])
    found = ties_of(len(means), verdicts)
    assert [letters for letters, _ in found] == letters
    for i, (_, partners) in enumerate(found):
        assert all(verdicts[i, j].verdict == "tied" for j in partners)


def test_the_order_follows_the_direction_of_the_metric():
    for metric, means, best in (
        ("miou@1", [0.2, 0.6], 0.6),
        ("nucleus_as_vacuole@1", [0.2, 0.6], 0.2),
        ("lac_slope@1", [0.7, 1.1], 1.1),
    ):
        entries = [entry(str(mean), mean, metric) for mean in means]
        first = min(entries, key=lambda e: order_of(e, get_metric(metric)))
        assert first.result.headline.mean == pytest.approx(best)


def test_bars_end_where_a_metric_ends_or_where_the_methods_do():
    controls = [entry("trivial", 0.1), entry("oracle", 0.9)]
    ends, text = ends_of(controls, [entry("a", 0.5)], get_metric("miou@1"))
    assert ends == pytest.approx((0.1, 0.9))
    assert text == "the bar runs from trivial (left) to oracle (right)"
    psnr = get_metric("psnr_lac@1")
    controls = [entry("trivial", 10, psnr.id), entry("oracle", 70, psnr.id)]
    method = entry("a", 20, psnr.id)
    ends, _ = ends_of(controls, [method], psnr)
    assert ends == pytest.approx((10, method.result.headline.high))
    ends, text = ends_of([], [method], psnr)
    assert ends == (method.result.headline.low, method.result.headline.high)
    assert "worst end" in text
    assert ends_of(controls, [entry("a", 5, psnr.id)], psnr) == (None, "")
    assert ends_of([], [], psnr)[0] is None
    assert ends_of([], [entry("a", 0.1, "lac_slope@1")], get_metric("lac_slope@1")) == (None, "")
    lower = get_metric("nucleus_as_vacuole@1")
    assert ends_of([], [entry("a", 0.3, lower.id)], lower)[0] == (1.0, 0.0)
