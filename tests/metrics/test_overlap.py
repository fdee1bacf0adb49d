import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score, jaccard_score

from sxtbench.errors import InputError
from sxtbench.metrics import dice, iou, share_called, union_iou
from sxtbench.metrics.overlap import _BLOCK, joint_counts

labels = st.sampled_from([0, 1, 2, 3, 255])
pair = hnp.array_shapes(min_dims=1, max_dims=3, max_side=6).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.uint8, shape, elements=st.integers(0, 3)), hnp.arrays(np.uint8, shape, elements=labels)
    )
)


@given(pair)
def test_iou_is_the_definition_by_brute_force(volumes):
    pred, truth = volumes
    found = iou(pred, truth, classes=[1, 2, 3])
    for label in (1, 2, 3):
        p = {i for i, (a, t) in enumerate(zip(pred.flat, truth.flat, strict=True)) if t != 255 and a == label}
        t = {i for i, t in enumerate(truth.flat) if t == label}
        expected = len(p & t) / len(p | t) if p | t else math.nan
        assert found[label] == pytest.approx(expected, nan_ok=True)


@given(pair)
def test_dice_follows_from_iou(volumes):
    overlaps, dices = iou(*volumes), dice(*volumes)
    for label, value in overlaps.items():
        assert dices[label] == pytest.approx(2 * value / (1 + value), nan_ok=True)


@settings(max_examples=30)
@given(pair)
def test_symmetric_and_one_for_equal_volumes(volumes):
    pred = volumes[0]
    truth = np.where(volumes[1] == 255, 0, volumes[1])
    assert iou(pred, truth) == pytest.approx(iou(truth, pred), nan_ok=True)
    assert all(math.isnan(v) or v == 1 for v in iou(pred, pred).values())


def test_equal_to_scikit_learn():
    rng = np.random.default_rng(1)
    truth, pred = rng.integers(0, 4, (2, 12, 13, 14))
    classes = [1, 2, 3]
    expected = jaccard_score(truth.ravel(), pred.ravel(), labels=classes, average=None)
    assert list(iou(pred, truth, classes=classes).values()) == pytest.approx(list(expected))
    expected = f1_score(truth.ravel(), pred.ravel(), labels=classes, average=None)
    assert list(dice(pred, truth, classes=classes).values()) == pytest.approx(list(expected))


def test_unlabelled_voxels_count_nowhere():
    pred, truth = np.array([1, 1, 2, 2]), np.array([1, 255, 255, 2])
    assert iou(pred, truth, classes=[1, 2]) == {1: 1.0, 2: 1.0}


def test_mask_restricts_the_count():
    pred, truth = np.array([1, 1, 0, 1]), np.array([1, 0, 1, 1])
    assert iou(pred, truth, classes=[1]) == {1: 0.5}
    assert iou(pred, truth, classes=[1], mask=np.array([True, False, False, True])) == {1: 1.0}


def test_empty_classes():
    pred, truth = np.array([0, 1, 1]), np.array([0, 1, 2])
    for metric in (iou, dice):
        found = metric(pred, truth, classes=[1, 2, 3])
        assert found[2] == 0.0
        assert math.isnan(found[3])
        assert metric(truth, pred, classes=[2]) == {2: 0.0}


def test_more_voxels_than_a_block():
    rng = np.random.default_rng(0)
    pred, truth = rng.integers(0, 4, (2, _BLOCK + 7), dtype=np.uint8)
    counts = joint_counts(pred, truth)
    assert counts.sum() == pred.size
    assert counts[2, 3] == np.count_nonzero((truth == 2) & (pred == 3))


def test_cell_as_one_and_nucleus_called_vacuole():
    truth = np.array([1, 2, 3, 0, 1])
    pred = np.array([2, 2, 1, 0, 0])
    assert union_iou(pred, truth, classes=[1, 2, 3]) == 0.75
    nucleus = np.array([True, False, False, False, True])
    assert share_called(pred, nucleus) == 0.5
    assert share_called(pred, nucleus, truth=np.array([255, 2, 3, 0, 1])) == 0.0
    assert math.isnan(share_called(pred, np.zeros(5, bool)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint32])
def test_any_integer_dtype(dtype):
    assert iou(np.array([1, 2], dtype), np.array([1, 1], np.uint8), classes=[1]) == {1: 0.5}


@pytest.mark.parametrize(
    ("pred", "says"),
    [
        (np.zeros((2, 2), bool), "dtype bool"),
        (np.zeros((2, 2)), "dtype float64"),
        (np.zeros((2, 3), int), r"shape \(2, 3\), expected the truth's \(2, 2\)"),
        (np.full((2, 2), -1), r"span \[-1, -1\]"),
        (np.full((2, 2), 256), r"span \[256, 256\]"),
    ],
)
def test_refuses_what_are_no_labels(pred, says):
    with pytest.raises(InputError, match=says):
        iou(pred, np.zeros((2, 2), np.uint8))


def test_refuses_bad_masks_and_classes():
    volume = np.zeros((2, 2), np.uint8)
    with pytest.raises(InputError, match="mask is uint8"):
        iou(volume, volume, mask=volume)
    for classes in ([], [1, 1], [255], [-1]):
        with pytest.raises(InputError, match="classes are"):
            iou(volume, volume, classes=classes)
