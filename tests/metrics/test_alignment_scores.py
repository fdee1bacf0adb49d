"""Errors of shifts: distances, their cap and the gauge."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.metrics import score_shifts
from sxtbench.metrics.alignment import without_gauge

ANGLES = np.arange(0.0, 180.0, 4.0)


def found(answer: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {name: value for name, _, value in score_shifts(answer, truth, ANGLES, pixel_size_nm=40.0)}


def test_a_known_error_is_found() -> None:
    truth = np.random.default_rng(1).normal(size=(ANGLES.size, 2))
    assert set(found(truth, truth).values()) == {0.0}
    scores = found(truth + np.array([3.0, -4.0]), truth)
    assert scores["alignment_error@1"] == pytest.approx(5.0)
    assert scores["alignment_error_nm@1"] == pytest.approx(200.0)
    assert scores["alignment_median@1"] == pytest.approx(5.0)


def test_one_lost_view_is_ten_pixels() -> None:
    truth = np.zeros((ANGLES.size, 2))
    answer = truth.copy()
    answer[3] = 500.0
    assert found(answer, truth)["alignment_error@1"] == pytest.approx(10.0 / ANGLES.size)


def test_a_move_of_the_specimen_costs_only_where_the_gauge_is_kept() -> None:
    theta = np.deg2rad(ANGLES)
    move = np.stack([np.full(ANGLES.size, 1.5), 2 * np.cos(theta) - 3 * np.sin(theta)], axis=1)
    assert np.abs(without_gauge(move, ANGLES)).max() < 1e-12
    scores = found(move, np.zeros_like(move))
    assert scores["alignment_error@1"] > 2
    assert scores["alignment_error_free@1"] == pytest.approx(0.0, abs=1e-9)
    u_shift = np.stack([np.zeros(ANGLES.size), np.full(ANGLES.size, 1.0)], axis=1)
    assert np.abs(without_gauge(u_shift, ANGLES)).max() > 0.1  # a constant in u is no move of the specimen


def test_another_number_of_shifts_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected \(45, 2\)"):
        score_shifts(np.zeros((44, 2)), np.zeros((45, 2)), ANGLES, pixel_size_nm=40.0)
