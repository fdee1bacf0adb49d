"""Post-processing on balls whose answers are known: what is true stays, what is a speck goes, at any voxel size."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.learning.postprocess import ObjectParameters, PostprocessParameters, clean_labels, instances
from sxtbench.metrics.overlap import iou

VOXEL_NM = 100.0
SHAPE = (56, 56, 80)
Ball = tuple[float, float, float, float]


def ball(z: float, y: float, x: float, radius: float) -> NDArray[np.bool_]:
    """A ball at a place in um from the first voxel's centre."""
    squares = [(g * VOXEL_NM / 1000 - c) ** 2 for g, c in zip(np.indices(SHAPE, sparse=True), (z, y, x), strict=True)]
    inside: NDArray[np.bool_] = sum(squares) <= radius**2
    return inside


def yeast() -> NDArray[np.uint8]:
    """Two cells, one of the smallest kind, cut by a face; vacuoles, one with a droplet in it; small droplets."""
    labels = np.zeros(SHAPE, np.uint8)
    paint: list[tuple[int, Ball]] = [
        (1, (2.8, 2.8, 2.6, 1.9)),
        (2, (2.8, 2.6, 2.4, 1.0)),
        (3, (2.8, 2.6, 2.4, 0.3)),
        (3, (2.8, 4.2, 2.9, 0.25)),
        (2, (3.9, 2.8, 3.2, 0.3)),
        (1, (2.4, 2.6, 7.6, 1.7)),
        (3, (2.4, 3.6, 7.5, 0.3)),
    ]
    for label, place in paint:
        labels[ball(*place)] = label
    return labels


def test_true_cells_and_organelles_stay() -> None:
    truth = yeast()
    cleaned = clean_labels(truth, VOXEL_NM)
    assert cleaned.dtype == np.uint8
    assert min(iou(cleaned, truth).values()) > 0.98
    for label, place in ((2, (2.8, 2.6, 2.4, 1.0)), (2, (3.9, 2.8, 3.2, 0.3)), (3, (2.4, 3.6, 7.5, 0.3))):
        here = ball(*place)
        assert iou((cleaned == label)[here].astype(int), (truth == label)[here].astype(int), classes=[1])[1] > 0.95


@pytest.mark.parametrize("height_um", [0.2, 0.6, 1.7, 3.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_cell_that_the_field_cuts_stays(axis: int, height_um: float) -> None:
    centre = [2.8, 2.8, 4.0]
    centre[axis] = height_um - 1.7
    truth = ball(*centre, 1.7).astype(np.uint8)  # type: ignore[call-arg]
    assert truth.any()
    assert iou(clean_labels(truth, VOXEL_NM), truth, classes=[1])[1] > 0.95
    mirrored = truth[::-1, ::-1, ::-1]
    np.testing.assert_array_equal(clean_labels(mirrored, VOXEL_NM), clean_labels(truth, VOXEL_NM)[::-1, ::-1, ::-1])


def test_specks_vanish_and_holes_close() -> None:
    truth, rng = yeast(), np.random.default_rng(0)
    noisy = np.where(rng.random(SHAPE) < 0.03, rng.integers(0, 4, SHAPE), truth).astype(np.uint8)
    noisy[ball(5.0, 5.0, 0.5, 0.3)] = 1
    noisy[ball(4.6, 4.4, 5.0, 0.7)] = 2
    cleaned = clean_labels(noisy, VOXEL_NM)
    assert min(iou(noisy, truth).values()) < 0.5
    assert min(iou(cleaned, truth).values()) > 0.85
    far = ~(ball(2.8, 2.8, 2.6, 2.1) | ball(2.4, 2.6, 7.6, 1.9))
    assert not cleaned[far].any()


def test_what_becomes_of_a_droplet_that_is_a_speck() -> None:
    labels = ball(2.8, 2.8, 4.0, 2.0).astype(np.uint8)
    labels[ball(2.8, 2.8, 4.0, 1.0)] = 2
    expected = labels.copy()
    labels[28, 28, 40] = labels[28, 28, 26] = 3
    np.testing.assert_array_equal(
        clean_labels(labels, VOXEL_NM)[ball(2.8, 2.8, 4.0, 1.8)], expected[ball(2.8, 2.8, 4.0, 1.8)]
    )


def test_organelles_outside_cells_vanish() -> None:
    labels = yeast()
    inside = labels.copy()
    labels[ball(5.0, 5.0, 5.0, 0.4)] = 3
    np.testing.assert_array_equal(clean_labels(labels, VOXEL_NM), clean_labels(inside, VOXEL_NM))


def test_a_shell_of_false_vacuole_does_not_fill_the_cell() -> None:
    labels = ball(2.8, 2.8, 4.0, 2.0).astype(np.uint8)
    labels[ball(2.8, 2.8, 4.0, 2.0) & ~ball(2.8, 2.8, 4.0, 1.75)] = 2
    assert (clean_labels(labels, VOXEL_NM)[ball(2.8, 2.8, 4.0, 1.6)] == 1).all()


def test_debris_on_a_neck_goes_and_a_bud_stays() -> None:
    cell = ball(2.8, 2.8, 2.4, 1.8)
    neck = ball(2.8, 2.8, 4.3, 0.12)
    bud, debris = ball(2.8, 2.8, 4.9, 0.7), ball(2.8, 2.8, 4.6, 0.4)
    kept = clean_labels((cell | neck | bud).astype(np.uint8), VOXEL_NM)
    assert kept[28, 28, 49] == 1
    assert clean_labels((cell | neck | debris).astype(np.uint8), VOXEL_NM)[28, 28, 46] == 0
    larger = PostprocessParameters(smallest_attached_um=1.0)
    assert clean_labels((cell | neck | bud).astype(np.uint8), VOXEL_NM, parameters=larger)[28, 28, 49] == 0


def test_two_touching_cells_are_split() -> None:
    big, small = ball(2.8, 2.8, 2.2, 1.9), ball(2.8, 2.8, 5.6, 1.7)
    assert (big & small).any()
    labels = (big | small).astype(np.uint8)
    labels[ball(2.8, 2.8, 2.2, 0.8)] = 2
    found = instances(clean_labels(labels, VOXEL_NM), VOXEL_NM)
    assert found.dtype == np.int32
    assert found.max() == 2
    for number, cell in ((1, big), (2, small)):
        assert iou((found == number).astype(int), cell.astype(int), classes=[1])[1] > 0.95


def test_one_cell_is_one_instance_even_where_the_field_cuts_it() -> None:
    numbers = instances(yeast(), VOXEL_NM)
    assert numbers.max() == 2
    np.testing.assert_array_equal(numbers > 0, yeast() > 0)
    assert (numbers == 1).sum() > (numbers == 2).sum()
    assert (instances(np.ones((8, 8, 8), np.uint8), VOXEL_NM) == 1).all()
    assert not instances(np.full((8, 8, 8), 255), VOXEL_NM).any()


def test_the_voxel_size_scales_everything() -> None:
    coarse = yeast()
    coarse[ball(5.0, 5.0, 1.0, 0.5)] = 1
    fine = coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    cleaned = clean_labels(fine, VOXEL_NM / 2)
    assert min(iou(cleaned[::2, ::2, ::2], clean_labels(coarse, VOXEL_NM)).values()) > 0.95
    assert not cleaned[100, 100, 20]
    assert clean_labels(coarse, 3 * VOXEL_NM)[50, 50, 10] == 1  # the same voxels, three times the radius in um
    assert not clean_labels(coarse, VOXEL_NM / 3)[26, 26, 24]  # a cell of 0.63 um is too small


def test_splitting_on_a_coarser_grid_covers_every_voxel() -> None:
    two = (ball(2.8, 2.8, 2.2, 1.9) | ball(2.8, 2.8, 5.6, 1.7)).astype(np.uint8)
    numbers = instances(two, 35.0, split_depth_um=0.07)  # 35 nm: split on every second voxel
    assert numbers.max() == 2
    np.testing.assert_array_equal(numbers > 0, two > 0)
    sizes = np.bincount(instances(two, VOXEL_NM).reshape(-1))
    np.testing.assert_allclose(np.bincount(numbers.reshape(-1)), sizes, rtol=0.01)


def test_limits_of_zero_leave_all_as_it_is() -> None:
    nothing = ObjectParameters(smoothing_um=0, largest_hole_um=0, smallest_um=0, smallest_cut_um=0)
    idle = PostprocessParameters(cell=nothing, vacuole=nothing, droplet=nothing, smallest_attached_um=0)
    labels = np.random.default_rng(0).integers(0, 4, (12, 12, 12)).astype(np.uint8)
    np.testing.assert_array_equal(clean_labels(labels, VOXEL_NM, parameters=idle), labels)
    empty = np.zeros((5, 6, 7), np.uint8)
    np.testing.assert_array_equal(clean_labels(empty, VOXEL_NM), empty)


@pytest.mark.parametrize(
    ("labels", "voxel", "words"),
    [
        (np.zeros((4, 4), np.uint8), 70.0, r"shape \(4, 4\), expected integers of shape \(z, y, x\)"),
        (np.zeros((4, 4, 4)), 70.0, "float64"),
        (np.full((4, 4, 4), 7), 70.0, "labels hold 7, expected values in 0-3"),
        (np.full((4, 4, 4), -1), 70.0, "labels hold -1"),
        (np.zeros((4, 4, 4), np.uint8), 0.0, "voxel_size_nm is 0.0"),
        (np.zeros((4, 4, 4), np.uint8), float("nan"), "voxel_size_nm is nan"),
    ],
)
def test_bad_input_is_one_line(labels: Any, voxel: float, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        clean_labels(labels, voxel)
    assert "\n" not in str(caught.value)


def test_a_depth_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="split_depth_um is 0"):
        instances(np.zeros((4, 4, 4), np.uint8), 70.0, split_depth_um=0)
