"""Objects of an answer against those of the truth: cases whose score is known."""

import math

import numpy as np
import pytest

from sxtbench.metrics import match_objects, score_quantities
from sxtbench.metrics.counting import QUANTITIES
from sxtbench.metrics.registry import METRICS

VOXEL = 50.0


def drops(*places: tuple[int, int, int], radius: float = 4.0, labels: np.ndarray | None = None) -> np.ndarray:
    volume = np.zeros((32, 48, 64), np.uint8) if labels is None else labels
    z, y, x = np.ogrid[:32, :48, :64]
    for place in places:
        volume[(z - place[0]) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2 < radius**2] = 3
    return volume


TRUTH = drops((8, 8, 8), (8, 8, 24), (8, 24, 8), (20, 30, 40))


def quality(pred: np.ndarray, truth: np.ndarray = TRUTH) -> float:
    return match_objects(pred, truth, label=3, voxel_size_nm=VOXEL).panoptic_quality()


def test_panoptic_quality_of_answers_that_miss_or_invent() -> None:
    assert quality(TRUTH) == 1.0
    assert quality(drops((8, 8, 8), (8, 8, 24), (8, 24, 8))) == pytest.approx(3 / 3.5)
    assert quality(drops((20, 10, 50), labels=TRUTH.copy())) == pytest.approx(4 / 4.5)
    assert quality(np.zeros_like(TRUTH)) == 0.0
    assert math.isnan(quality(np.zeros_like(TRUTH), np.zeros_like(TRUTH)))


def test_panoptic_quality_is_the_overlap_of_what_matches() -> None:
    truth, pred = drops((16, 24, 30)), drops((16, 24, 31))
    overlap = np.count_nonzero(truth & pred) / np.count_nonzero(truth | pred)
    assert overlap > 0.5
    assert quality(pred, truth) == pytest.approx(overlap)
    assert quality(drops((16, 24, 33)), truth) == 0.0  # too little in common to be the same


def test_one_answer_finds_one_droplet() -> None:
    truth = drops((16, 24, 20), (16, 24, 32))
    blanket = np.zeros_like(truth)
    blanket[12:21, 20:29, 16:37] = 3
    found = match_objects(blanket, truth, label=3, voxel_size_nm=VOXEL).found()
    assert sorted(found.tolist()) == [False, True]


def test_scores_of_one_class() -> None:
    pred = drops((8, 8, 8), (8, 8, 24))
    scores = {(m, c): v for m, c, v in score_quantities(pred, TRUTH, None, [3], voxel_size_nm=VOXEL)}
    assert scores["count_error@1", 3] == -0.5
    assert scores["volume_error@1", 3] == pytest.approx(-0.5, abs=0.01)
    assert scores["nsd_1@1", 3] == pytest.approx(2 / 3, abs=0.01)
    assert math.isnan(scores["recall_large@1", None])
    assert scores["recall_small@1", None] == 0.5  # balls of 0.2 um


def test_sizes_fall_into_their_bins() -> None:
    truth = drops((8, 8, 8))
    drops((8, 24, 30), radius=5.5, labels=truth)
    drops((20, 30, 50), radius=8.0, labels=truth)
    pred = truth.copy()
    pred[:, :, :16] = 0
    found = {
        m: v for m, _, v in score_quantities(pred, truth, None, [3], voxel_size_nm=VOXEL) if m.startswith("recall")
    }
    assert found == {"recall_small@1": 0.0, "recall_medium@1": 1.0, "recall_large@1": 1.0}


def test_the_truth_scores_best_and_nothing_scores_worst_inside_the_bounds() -> None:
    truth = np.where(TRUTH == 3, 3, 1).astype(np.uint8)
    truth[:, 40:] = 255
    region = np.ones(truth.shape, bool)
    region[:2] = False
    for pred in (truth % 255, np.zeros_like(truth), np.full_like(truth, 3)):
        for metric, label, value in score_quantities(pred, truth, region, [1, 3], voxel_size_nm=VOXEL):
            declared = METRICS[metric]
            assert declared.per_class == (label is not None)
            assert math.isnan(value) or declared.bounds[0] <= value <= declared.bounds[1]
    best = score_quantities(truth % 255, truth, region, [1, 3], voxel_size_nm=VOXEL)
    assert {metric for metric, _, _ in best} == set(QUANTITIES)
    ideal = {"nsd_1@1": 1, "nsd_2@1": 1, "pq@1": 1, "recall_small@1": 1}
    assert all(value == ideal.get(metric, 0) for metric, _, value in best if not math.isnan(value))


def test_a_class_that_is_not_in_the_truth() -> None:
    nothing = np.zeros_like(TRUTH)
    scores = {(m, c): v for m, c, v in score_quantities(TRUTH, nothing, None, [3], voxel_size_nm=VOXEL)}
    assert math.isnan(scores["volume_error@1", 3])
    assert math.isnan(scores["count_error@1", 3])
    assert scores["pq@1", 3] == scores["nsd_2@1", 3] == 0.0
