"""Do intervals cover, and are equal methods left equal: the short form of benchmarks/statistics_simulation.py."""

import math
import runpy
from pathlib import Path
from typing import Any

import pytest

REPEATS = {6: 1000, 12: 1000, 30: 500, 100: 500}


@pytest.fixture(scope="module")
def simulation() -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "statistics_simulation.py"))


def chance(share: float, repeats: int) -> float:
    """Two standard errors of a share."""
    return 2 * math.sqrt(share * (1 - share) / repeats)


@pytest.mark.parametrize("n", REPEATS)
@pytest.mark.parametrize("name", ["normal", "IoU of `unet2d`"])
def test_intervals_cover_as_often_as_they_say(simulation: dict[str, Any], name: str, n: int) -> None:
    draw, _ = simulation["populations"]()[name]
    room = chance(0.95, REPEATS[n])
    assert 0.925 - room < simulation["coverage"](draw, n, REPEATS[n]) < 0.975 + room


def test_equal_methods_are_not_called_better(simulation: dict[str, Any]) -> None:
    for name in ("normal", "IoU of `unet2d` less that of `gradient-boosting`"):
        draw, skewness = simulation["populations"]()[name]
        assert abs(skewness) < 1
        for n in (8, 30):
            better, worse = simulation["false_positives"](draw, n, 600)
            assert max(better, worse) < 0.05 + chance(0.05, 600)
            assert better + worse > 0.01  # it is a test


def test_on_a_board_of_equal_methods_none_is_called_better(simulation: dict[str, Any]) -> None:
    adjusted, unadjusted = simulation["family_errors"](12, 100)
    assert adjusted < 0.05 + chance(0.05, 100)
    assert unadjusted > 0.4  # why the p-values are adjusted


def test_seeds_are_covered(simulation: dict[str, Any]) -> None:
    covered, alone = simulation["seed_coverage"](5, 24, 0.3, 800)
    assert 0.925 - chance(0.95, 800) < covered < 0.975 + chance(0.95, 800)
    assert alone < covered
    assert simulation["seed_false_positives"](5, 24, 0.3, 800) < 0.05 + chance(0.05, 800)


def test_the_documents_print_the_whole_table(simulation: dict[str, Any]) -> None:
    """The first line of the table, as the script makes it: the rest takes minutes."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text()
    cells = [f"{100 * simulation['coverage'](simulation['normal'], n, 2000):.1f}" for n in (6, 12)]
    assert f"| normal | +0.0 | {' | '.join(cells)} |" in page
