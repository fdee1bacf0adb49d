"""Ranks in resamples of the specimens."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_results import result_of

from sxtbench.benchmark.ranks import intervals_of_ranks, rank_intervals, resampled_ranks
from sxtbench.benchmark.standings import Entry, order_of, tables_of
from sxtbench.errors import InputError
from sxtbench.metrics.registry import get_metric

PSNR = get_metric("psnr_lac@1")
SPECIMENS = np.random.default_rng(0).normal(20, 3, 12)


def noisy(mean: float, seed: int, noise: float = 0.2, seeds: int = 1) -> np.ndarray:
    return SPECIMENS + mean + np.random.default_rng(seed).normal(0, noise, (seeds, 12))


def test_specimens_are_drawn_for_all_methods_alike():
    """A specimen that is hard for all moves no rank, however much specimens differ."""
    assert intervals_of_ranks([SPECIMENS[None] + 0.01, SPECIMENS[None]], PSNR) == [(1, 1), (2, 2)]
    apart = [SPECIMENS[None] + 0.01, SPECIMENS[None, ::-1]]
    assert intervals_of_ranks(apart, PSNR) == [(1, 2), (1, 2)]


def test_the_interval_is_the_middle_of_the_ranks_of_plain_resamples():
    methods = [noisy(mean, i, 0.5) for i, mean in enumerate((0.3, 0.2, 0.1, -1))]
    found = intervals_of_ranks(methods, PSNR)
    rng = np.random.default_rng(7)
    ranks = []
    for _ in range(2000):
        means = np.array([m[0, drawn].mean() for drawn in [rng.integers(0, 12, 12)] for m in methods])
        ranks.append((means[:, None] < means).sum(axis=1) + 1)
    share = np.mean([[low <= r <= high for r, (low, high) in zip(row, found, strict=True)] for row in ranks], axis=0)
    assert (share >= 0.945).all()
    assert found[3] == (4, 4)
    for i, (low, high) in enumerate(found[:3]):
        assert high > low
        narrower = [sum(a <= row[i] <= b for row in ranks) for a, b in ((low + 1, high), (low, high - 1))]
        assert max(narrower) < 0.985 * 2000


def test_neither_the_order_nor_other_methods_matter_to_equal_ones():
    methods = [noisy(0.1 * i, i, seeds=3 if i == 2 else 1) for i in range(5)]
    found = intervals_of_ranks(methods, PSNR)
    assert intervals_of_ranks(methods[::-1], PSNR) == found[::-1]
    assert resampled_ranks(methods, PSNR).tolist() == resampled_ranks(methods[::-1], PSNR)[::-1].tolist()
    twins = intervals_of_ranks([methods[0], methods[4], methods[0]], PSNR)
    assert twins[0] == twins[2]


def test_the_direction_and_the_scale_are_the_metrics():
    good, bad = noisy(1, 1) / 100, noisy(0, 2) / 100
    lower = get_metric("nucleus_as_vacuole@1")
    assert intervals_of_ranks([bad, good], get_metric("miou@1")) == [(2, 2), (1, 1)]
    assert intervals_of_ranks([bad, good], lower) == [(1, 1), (2, 2)]
    nearest = get_metric("lac_slope@1")
    assert intervals_of_ranks([1 + bad, 1 + good, 0.9 + 0 * good], nearest) == [(2, 2), (3, 3), (1, 1)]
    logarithmic = replace(PSNR, scale="log10")
    steady, wild = np.full((1, 12), 10.0), np.tile([1.0, 40.0], 6)[None]  # means 10 and 20.5, geometric 10 and 6.3
    assert np.mean(resampled_ranks([steady, wild], logarithmic)[0] == 1) > 0.7
    assert np.mean(resampled_ranks([steady, wild], PSNR)[0] == 1) < 0.1


def test_below_eight_specimens_there_is_none():
    methods = [noisy(i, i) for i in range(3)]
    assert intervals_of_ranks([m[:, :7] for m in methods], PSNR) == [None] * 3
    assert intervals_of_ranks([m[:, :8] for m in methods], PSNR) == [(3, 3), (2, 2), (1, 1)]
    gaps = methods[1].copy()
    gaps[:, :5] = math.nan
    assert intervals_of_ranks([methods[0], gaps], PSNR) == [None, None]


def test_undefined_groups_are_left_out_and_undefined_methods_have_no_rank():
    methods = [noisy(i, i, 0.01) for i in range(2)]
    methods[1][:, 0] = math.nan
    nothing = np.full((1, 12), math.nan)
    found = intervals_of_ranks([*methods, nothing], PSNR)
    assert found[2] is None
    assert found[0] is not None
    assert intervals_of_ranks([nothing], PSNR) == [None]
    with pytest.raises(InputError, match="equal groups"):
        intervals_of_ranks([methods[0], methods[1][:, 1:]], PSNR)


def test_seeds_that_differ_make_a_rank_less_firm():
    steady, other = noisy(0.5, 1, 0.05, seeds=3), noisy(0, 2, 0.05)
    assert intervals_of_ranks([steady, other], PSNR) == [(1, 1), (2, 2)]
    assert intervals_of_ranks([steady + np.array([[-2], [0], [2]]), other], PSNR) == [(1, 2), (1, 2)]


def test_of_results():
    results = [result_of(f"m{i}", 0.5 + 0.1 * i + np.linspace(0, 0.1, 9)) for i in range(3)]
    assert rank_intervals(results) == [(3, 3), (2, 2), (1, 1)]
    assert rank_intervals([]) == []
    with pytest.raises(InputError, match="other set of samples"):
        rank_intervals([*results, result_of("short", np.linspace(0, 1, 8))])


def test_the_board_shows_them_beside_the_ranks():
    values = {"c": 0.5, "a": 0.7, "b": 0.69}
    noise = {name: np.random.default_rng(i).normal(0, 0.05, 9) for i, name in enumerate(values)}
    entries = [
        Entry(path=Path(f"{name}.json"), result=result_of(name, mean + noise[name])) for name, mean in values.items()
    ]
    entries.sort(key=lambda entry: order_of(entry, get_metric("miou@1")))
    [table] = tables_of(entries, [], get_metric("miou@1"), [])
    assert [row["rank_range"]["text"] for row in table["rows"]] == ["1 to 2", "1 to 2", "3"]
    assert [row["rank_range"]["ends"] for row in table["rows"]] == [[1, 2], [1, 2], [3, 3]]
    few = [Entry(path=e.path, result=result_of(e.slug, [0.1, 0.2, 0.3])) for e in entries]
    [table] = tables_of(few, [], get_metric("miou@1"), [])
    assert [row["rank_range"] for row in table["rows"]] == [{"text": "–", "ends": None, "sort": ""}] * 3
