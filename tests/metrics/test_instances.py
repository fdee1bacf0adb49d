"""From labels to objects: what is one and what is two, on any grid."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.metrics.instances import RULES, Rule, bodies_of, boundary, cells_of, edges_um, split

VOXEL_UM = 0.05


def ball(
    shape: tuple[int, int, int], centre: tuple[float, ...], radius: float, edges=(1.0, 1.0, 1.0)
) -> NDArray[np.bool_]:
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum(((g - c) * e) ** 2 for g, c, e in zip(grid, centre, edges, strict=True)) < radius**2


def test_touching_balls_are_cut_apart_at_the_neck_and_both_keep_their_volume() -> None:
    shape, one = (24, 24, 40), ball((24, 24, 40), (12, 12, 12), 7)
    two = ball(shape, (12, 12, 25), 7)
    parts = split(one | two, (VOXEL_UM,) * 3, RULES[3])
    assert len(parts) == 2
    sizes = [int(mask.sum()) for _, mask in parts]
    assert sum(sizes) == int((one | two).sum())
    assert sizes == pytest.approx([one.sum(), two.sum()], rel=0.02)
    assert len(split(one | two, (VOXEL_UM,) * 3, Rule(how="components", least_radius_um=0.1))) == 1


def test_a_long_ball_is_one() -> None:
    z, y, x = np.ogrid[-10:11, -10:11, -24:25]
    long = (z / 7) ** 2 + (y / 8) ** 2 + (x / 20) ** 2 < 1
    assert len(split(long, (VOXEL_UM,) * 3, RULES[3])) == 1


def test_a_droplet_in_a_vacuole_cuts_nothing() -> None:
    vacuole = ball((40, 40, 40), (20, 20, 20), 15)
    vacuole &= ~ball((40, 40, 40), (20, 20, 24), 5)
    assert len(split(vacuole, (VOXEL_UM,) * 3, RULES[2])) == 1


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_rule_means_the_same_on_a_finer_grid(factor: int) -> None:
    """The component is larger than the grid on which necks are looked for, from 2 on."""
    shape = (24 * factor, 24 * factor, 40 * factor)
    mask = ball(shape, (11.5 * factor,) * 3, 7 * factor) | ball(
        shape, (11.5 * factor, 11.5 * factor, 24.5 * factor), 7 * factor
    )
    parts = split(mask, (0.1 / factor,) * 3, RULES[2])
    assert len(parts) == 2
    assert sum(int(part.sum()) for _, part in parts) == int(mask.sum())
    assert parts[0][1].sum() == pytest.approx(parts[1][1].sum(), rel=0.05)


def test_voxels_need_not_be_cubes() -> None:
    edges = (0.1, 0.05, 0.05)
    mask = ball((14, 24, 40), (6.5, 12, 12), 0.35, edges) | ball((14, 24, 40), (6.5, 12, 25), 0.35, edges)
    assert len(split(mask, edges, RULES[3])) == 2


def test_specks_are_no_objects_and_voxels_that_meet_at_a_corner_are_one() -> None:
    mask = np.zeros((8, 8, 8), bool)
    mask[1, 1, 1] = True
    assert split(mask, (VOXEL_UM,) * 3, RULES[6]) == []
    assert len(split(mask, (1.0,) * 3, RULES[6])) == 1
    mask[2, 2, 2] = True
    assert len(split(mask, (1.0,) * 3, RULES[6])) == 1


def two_cells() -> NDArray[np.uint8]:
    labels = np.zeros((32, 32, 64), np.uint8)
    for x in (16, 46):
        labels[ball(labels.shape, (16, 16, x), 15)] = 1
        labels[ball(labels.shape, (16, 16, x - 4), 4)] = 4
        labels[ball(labels.shape, (16, 16, x + 5), 3)] = 4
        labels[ball(labels.shape, (16, 16, x - 4), 1.5)] = 5
    labels[4:7, 4:7, 60:63] = 3
    return labels


def test_cells_that_touch_are_two_and_each_has_one_nucleus() -> None:
    labels = two_cells()
    assert [cell.cell for cell in cells_of(labels, voxel_size_nm=100)] == [1, 2]
    bodies = bodies_of(labels, voxel_size_nm=100)
    nuclei = [body for body in bodies if body.label == 4]
    assert [body.cell for body in nuclei] == [1, 2]
    assert sum(int(body.mask.sum()) for body in nuclei) == int(np.isin(labels, (4, 5)).sum())
    assert [body.cell for body in bodies if body.label == 3] == [0]


def test_without_cytoplasm_there_are_no_cells_and_nuclei_are_components() -> None:
    labels = np.where(two_cells() == 4, 4, 0).astype(np.uint8)
    assert cells_of(labels, voxel_size_nm=100) == []
    assert [body.cell for body in bodies_of(labels, voxel_size_nm=100)] == [0] * 2  # the lesser part is below 0.3 um


def test_a_class_that_the_suite_does_not_know_has_components() -> None:
    labels = np.zeros((8, 8, 16), np.uint8)
    labels[2:5, 2:5, 2:5] = labels[2:5, 2:5, 9:12] = 77
    assert [(body.label, body.box[2].start) for body in bodies_of(labels, voxel_size_nm=100)] == [(77, 2), (77, 9)]


def test_the_end_of_the_volume_is_no_surface() -> None:
    assert not boundary(np.ones((3, 3, 3), bool)).any()
    half = np.zeros((3, 3, 4), bool)
    half[..., :2] = True
    assert boundary(half).sum(axis=(0, 1)).tolist() == [0, 9, 0, 0]
    within = np.ones_like(half)
    within[..., 2] = False
    assert not boundary(half, within=within).any()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros((4, 4), np.uint8), "shape (4, 4)"),
        (np.zeros((4, 4, 4)), "labels are float64"),
        (np.zeros((4, 4, 4), bool), "labels are bool"),
        (np.full((4, 4, 4), 300), "[300, 300]"),
        (np.zeros((0, 4, 4), np.uint8), "(0, 4, 4)"),
    ],
)
def test_what_are_no_labels(labels: NDArray, said: str) -> None:
    with pytest.raises(InputError) as caught:
        bodies_of(labels, voxel_size_nm=100)
    assert said in str(caught.value)


@pytest.mark.parametrize("size", [0, -1, np.nan, [1, 2], [1, 2, 0]])
def test_what_is_no_voxel_size(size) -> None:
    with pytest.raises(InputError, match="voxel_size_nm"):
        edges_um(size)
