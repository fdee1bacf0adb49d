import math
import subprocess
import sys

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.metrics import get_metric, iou, score_labels
from sxtbench.metrics.registry import METRICS, mean_of_defined


def test_unknown_metric_names_the_nearest():
    with pytest.raises(InputError, match=r"'miuo@1': did you mean 'miou@1'\?"):
        get_metric("miuo@1")
    with pytest.raises(InputError, match="there are miou@1"):
        get_metric("zzzzzz")


def test_declarations_are_complete():
    for key, metric in METRICS.items():
        assert key == metric.id
        assert metric.bounds[0] < metric.bounds[1]
        assert metric.description.endswith(".")


def test_oracle_scores_one_and_trivial_zero():
    truth = np.random.default_rng(0).integers(0, 4, (8, 8, 8), dtype=np.uint8)
    nucleus = truth == 1
    oracle = {(m, c): v for m, c, v in score_labels(truth, truth, None, [1, 2, 3], nucleus)}
    assert {v for (m, _), v in oracle.items() if m != "nucleus_as_vacuole@1"} == {1.0}
    assert oracle["nucleus_as_vacuole@1", None] == 0.0
    trivial = score_labels(np.zeros_like(truth), truth, None, [1, 2, 3], nucleus)
    assert {v for _, _, v in trivial} == {0.0}


def test_rows_agree_with_the_metrics_and_keep_to_the_region():
    truth, pred = np.random.default_rng(1).integers(0, 4, (2, 6, 6, 6), dtype=np.uint8)
    region = np.zeros(truth.shape, bool)
    region[2:] = True
    nucleus = truth == 1
    found = {(m, c): v for m, c, v in score_labels(pred, truth, region, [1, 2, 3], nucleus)}
    expected = iou(pred, truth, mask=region)
    assert [found["iou@1", c] for c in (1, 2, 3)] == list(expected.values())
    assert found["miou@1", None] == pytest.approx(np.mean(list(expected.values())))
    inside = nucleus & region
    assert found["nucleus_as_vacuole@1", None] == pytest.approx(np.mean(pred[inside] == 2))


def test_absent_class_is_left_out_of_the_mean():
    truth = np.array([[[1, 1, 2, 0]]], np.uint8)
    pred = np.array([[[1, 0, 2, 0]]], np.uint8)
    found = {(m, c): v for m, c, v in score_labels(pred, truth, None, [1, 2, 3])}
    assert math.isnan(found["iou@1", 3])
    assert found["miou@1", None] == 0.75
    assert ("nucleus_as_vacuole@1", None) not in found


def test_cell_only_where_its_parts_are_scored():
    truth = np.array([[[3, 4, 6, 0]]], np.uint8)
    assert "cell_iou@1" not in {m for m, _, _ in score_labels(truth, truth, None, [3, 4, 6])}


def test_mean_of_nothing_is_undefined():
    assert math.isnan(mean_of_defined([math.nan]))
    assert mean_of_defined([math.nan, 0.5]) == 0.5


def test_importing_metrics_loads_nothing_heavy():
    code = (
        "import sys, sxtbench.metrics; "
        "print([m for m in ('scipy', 'pandas', 'numba', 'skimage', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
