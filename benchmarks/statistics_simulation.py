"""Simulate the statistics of results: how often intervals cover, and how often equal methods are called different.

Run: python benchmarks/statistics_simulation.py [REPEATS]  (2000 by default; prints the tables of docs/protocol.md)
"""

import math
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew

from sxtbench.benchmark.aggregate import REFERENCE, seed_values
from sxtbench.benchmark.ranks import intervals_of_ranks
from sxtbench.benchmark.result import load_result
from sxtbench.benchmark.seeds import seeded_difference, seeded_interval
from sxtbench.benchmark.statistics import group_interval, paired_difference
from sxtbench.content import content_folder
from sxtbench.metrics.registry import get_metric
from sxtbench.multiplicity import holm

GROUPS = (6, 12, 30, 100)
COMPARED = (8, 12, 30, 100)
SEEDS = (3, 5, 10)
EQUAL = 10
"""Methods of a board on which all are equal."""

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]


def scores_of(task: str, method: str) -> Values:
    """Return the committed scores of a method on the specimens of `small`: a population to draw from."""
    result = load_result(content_folder("leaderboard") / "results" / task / "small" / f"{method}.json")
    rows = [row for row in result.rows if row.metric == result.primary]
    [values] = seed_values(rows, result.axes)
    return np.array([value for _, value in sorted(values[result.primary, None][REFERENCE].items())])


def normal(rng: np.random.Generator, n: int) -> Values:
    return rng.normal(size=n)


def drawn_from(population: Values) -> Draw:
    """Return a draw of specimens with replacement; the population's mean is the truth, so it is moved to 0."""
    centred = population - population.mean()
    return lambda rng, n: rng.choice(centred, n)


def populations() -> dict[str, tuple[Draw, float]]:
    """Return what is drawn from, and its skewness: headlines of methods, and the difference of two."""
    found: dict[str, tuple[Draw, float]] = {"normal": (normal, 0.0)}
    boosting = scores_of("limited-angle-segmentation", "gradient-boosting")
    unet = scores_of("limited-angle-segmentation", "unet2d")
    for name, values in (
        ("IoU of `gradient-boosting`", boosting),
        ("IoU of `unet2d`", unet),
        ("IoU of `unet2d` less that of `gradient-boosting`", unet - boosting),
        ("PSNR of `tv`", scores_of("limited-angle-reconstruction", "tv")),
        ("organelles, IoU of `capillary-boosting`", scores_of("organelle-segmentation", "capillary-boosting")),
        ("organelles, IoU of `capillary-otsu`", scores_of("organelle-segmentation", "capillary-otsu")),
    ):
        found[name] = drawn_from(values), float(skew(values))
    return found


def coverage(draw: Draw, n: int, repeats: int) -> float:
    """Return how often the interval of `n` specimens holds the true mean, 0."""
    rng = np.random.default_rng([n, repeats])
    hits = 0
    for _ in range(repeats):
        found = group_interval(draw(rng, n))
        hits += found.low <= 0 <= found.high
    return hits / repeats


def seed_coverage(seeds: int, n: int, spread: float, repeats: int) -> tuple[float, float]:
    """Return how often the interval over seeds and specimens holds the mean, and one that takes seeds for known.

    Specimens have a standard deviation of 1, single answers 0.5, and the seeds' means `spread`.
    """
    rng = np.random.default_rng([seeds, n, repeats])
    hits = alone = 0
    for _ in range(repeats):
        values = rng.normal(size=n) + spread * rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, n))
        found, naive = seeded_interval(values), group_interval(values.mean(axis=0))
        hits += found.low <= 0 <= found.high
        alone += naive.low <= 0 <= naive.high
    return hits / repeats, alone / repeats


def false_positives(draw: Draw, n: int, repeats: int) -> tuple[float, float]:
    """Return how often a difference that is 0 in truth is called better, and worse, whatever the margin."""
    rng = np.random.default_rng([n, repeats, 1])
    found = [paired_difference(draw(rng, n), np.zeros(n)) for _ in range(repeats)]
    wrong = [pair.interval.mean > 0 for pair in found if pair.p < 0.05]
    return sum(wrong) / repeats, (len(wrong) - sum(wrong)) / repeats


def seed_false_positives(seeds: int, n: int, spread: float, repeats: int) -> float:
    """Return how often two methods that are equal in truth, each with several seeds, are called different."""
    rng = np.random.default_rng([seeds, n, repeats, 1])
    wrong = 0
    for _ in range(repeats):
        specimens = rng.normal(size=n)
        one, two = (
            specimens + spread * rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, n)) for _ in range(2)
        )
        wrong += seeded_difference(one, two).p < 0.05
    return wrong / repeats


def family_errors(n: int, boards: int, methods: int = EQUAL) -> tuple[float, float]:
    """Return how often any pair of equal methods is called different: adjusted by Holm, and without."""
    rng = np.random.default_rng([n, boards, methods])
    adjusted = plain = 0
    for _ in range(boards):
        values = rng.normal(size=n) + 0.5 * rng.normal(size=(methods, n))
        p = [paired_difference(values[i], values[j]).p for i in range(methods) for j in range(i)]
        adjusted += min(holm(p)) < 0.05
        plain += min(p) < 0.05
    return adjusted / boards, plain / boards


def rank_coverage(n: int, gap: float, boards: int, methods: int = EQUAL) -> float:
    """Return how often a rank's interval holds the method's rank in truth; without gaps, that on new specimens.

    The methods' means are `gap` standard errors of a paired difference apart.
    """
    rng = np.random.default_rng([n, boards, methods, 2])
    metric, error = get_metric("psnr_lac@1"), 0.5 * math.sqrt(2 / n)
    truth = 20 - gap * error * np.arange(methods)[:, None]
    hits = 0
    for _ in range(boards):
        values = truth + rng.normal(size=n) + 0.5 * rng.normal(size=(methods, n))
        again = (truth + 0.5 * rng.normal(size=(methods, n))).mean(axis=1)
        ranks = np.arange(methods) + 1 if gap else (again[:, None] < again).sum(axis=1) + 1
        found = intervals_of_ranks([v[None] for v in values], metric)
        hits += sum(best <= rank <= worst for (best, worst), rank in zip(filter(None, found), ranks, strict=True))
    return hits / (boards * methods)


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """Return a Markdown table; floats are shares, printed in percent."""
    texts = [[f"{100 * cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *texts])


def main(repeats: int = 2000) -> None:
    found, boards = populations(), repeats // 10

    def show(title: str, head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
        print(f"\n{title}\n\n{table(head, rows)}", flush=True)

    print(f"{repeats} repeats each, {boards} boards")
    show(
        "Coverage of 95 % intervals, %",
        ("population", "skewness", *(f"n = {n}" for n in GROUPS)),
        [(name, f"{s:+.1f}", *(coverage(draw, n, repeats) for n in GROUPS)) for name, (draw, s) in found.items()],
    )
    show(
        "Equal methods called better, and worse, in one comparison, %",
        ("difference", *(f"n = {n}" for n in COMPARED)),
        [
            (name, *(" and ".join(f"{100 * share:.1f}" for share in shares) for shares in of_draw))
            for name in ("normal", "IoU of `unet2d` less that of `gradient-boosting`")
            for of_draw in [[false_positives(found[name][0], n, repeats) for n in COMPARED]]
        ],
    )
    show(
        f"Any pair of {EQUAL} equal methods called different, %",
        ("n", "Holm", "unadjusted"),
        [(n, *family_errors(n, boards)) for n in (8, 12, 30)],
    )
    show(
        "Training seeds, 24 specimens: coverage of both levels, of specimens alone; equal methods called different, %",
        ("seeds' spread", "seeds", "both levels", "specimens alone", "called different"),
        [
            (f"{s:g}", k, *seed_coverage(k, 24, s, repeats), seed_false_positives(k, 24, s, repeats))
            for s in (0.0, 0.3, 1.0)
            for k in SEEDS
        ],
    )
    show(
        "Intervals of ranks that hold the true rank, by their distance; of equal methods that on new specimens, %",
        ("n", "4 apart", "2 apart", "1 apart", "equal, on new specimens"),
        [(n, *(rank_coverage(n, gap, boards) for gap in (4.0, 2.0, 1.0, 0.0))) for n in (8, 12, 30)],
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
