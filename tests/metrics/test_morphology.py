"""The tables of organelles: analytic balls, distances and moments, on cubes and on other voxels."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sxtbench.errors import InputError
from sxtbench.metrics import quantify
from sxtbench.metrics.morphology import surface_um2


def grid_of(shape, edges):
    return np.meshgrid(*((np.arange(n) + 0.5) * e for n, e in zip(shape, edges, strict=True)), indexing="ij")


def paint(labels, edges, label, centre, semi):
    axes = grid_of(labels.shape, edges)
    inside = sum(((a - c) / s) ** 2 for a, c, s in zip(axes, centre, np.broadcast_to(semi, 3), strict=True)) < 1
    labels[inside] = label
    return inside


CUBES, BRICKS = (0.05, 0.05, 0.05), (0.08, 0.05, 0.04)


@pytest.mark.parametrize("edges", [CUBES, BRICKS])
def test_a_ball(edges) -> None:
    labels = np.zeros((32, 40, 48), np.uint8)
    centre, radius = (1.02, 0.99, 1.03), 0.5
    inside = paint(labels, edges, 3, centre, radius)
    lac = np.where(inside, 0.6, 0.1).astype(np.float32)
    [row] = quantify(labels, voxel_size_nm=[e * 1000 for e in edges], lac=lac).organelles.to_dict("records")
    assert row["volume_um3"] == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)
    assert row["equivalent_radius_um"] == pytest.approx(radius, rel=0.01)
    assert row["surface_um2"] == pytest.approx(4 * math.pi * radius**2, rel=0.02)
    assert row["sphericity"] == pytest.approx(1, abs=0.02)
    assert row["mean_lac_per_um"] == pytest.approx(0.6)
    for name, place in zip("zyx", centre, strict=True):
        assert row[f"{name}_um"] == pytest.approx(place, abs=0.01)
        assert row[f"extent_{name}_um"] == pytest.approx(2 * radius, rel=0.02)
    assert not row["at_border"]
    assert row["cell"] == 0
    assert math.isnan(row["to_cell_surface_um"])


def test_an_ellipsoid() -> None:
    labels = np.zeros((40, 40, 60), np.uint8)
    paint(labels, CUBES, 3, (1, 1, 1.5), (0.4, 0.5, 1.2))
    [row] = quantify(labels, voxel_size_nm=50).organelles.to_dict("records")
    extents = [row[f"extent_{name}_um"] for name in "zyx"]
    assert extents == pytest.approx([0.8, 1.0, 2.4], rel=0.02)
    a, b, c, p = 0.4, 0.5, 1.2, 1.6075  # Thomsen's formula, within 1.1 %
    area = 4 * math.pi * (((a * b) ** p + (a * c) ** p + (b * c) ** p) / 3) ** (1 / p)
    assert row["surface_um2"] == pytest.approx(area, rel=0.03)


def test_the_surface_of_a_plate_that_is_a_voxel_thick() -> None:
    plate = np.zeros((60, 60, 3), bool)
    plate[:, :, 1] = True
    assert surface_um2(plate, (1.0, 1.0, 1.0)) == pytest.approx(2 * 60**2, rel=0.12)


@pytest.mark.parametrize("edges", [CUBES, BRICKS])
@pytest.mark.parametrize("gap", [0.3, 0.75])
def test_the_gap_between_two_balls(edges, gap: float) -> None:
    labels = np.zeros((40, 48, 64), np.uint8)
    paint(labels, edges, 3, (1.0, 1.1, 0.6), 0.35)
    direction = np.array([0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
    paint(labels, edges, 6, np.array([1.0, 1.1, 0.6]) + direction * (0.35 + gap + 0.25), 0.25)
    table = quantify(labels, voxel_size_nm=[e * 1000 for e in edges]).organelles
    assert table["to_mitochondrion_um"][0] == pytest.approx(gap, abs=0.06)
    assert table["to_lipid_droplet_um"][1] == pytest.approx(table["to_mitochondrion_um"][0])
    assert math.isnan(table["to_lipid_droplet_um"][0])


def test_distances_by_brute_force_and_touching_is_zero() -> None:
    rng = np.random.default_rng(5)
    labels = np.zeros((20, 24, 28), np.uint8)
    for label in (3, 4, 6):
        for _ in range(3):
            z, y, x = rng.integers(1, (14, 18, 22))
            labels[z : z + 4, y : y + 4, x : x + 4] = label
    labels[1:5, 1:5, 1:5], labels[1:5, 1:5, 5:9] = 3, 6
    table = quantify(labels, voxel_size_nm=(80, 50, 40)).organelles
    kinds = {3: "lipid_droplet", 4: "nucleus", 6: "mitochondrion"}
    from sxtbench.metrics.instances import bodies_of

    bodies = bodies_of(labels, voxel_size_nm=(80, 50, 40))
    points = [np.argwhere(body.mask) + [side.start for side in body.box] for body in bodies]
    for i, body in enumerate(bodies):
        for label, kind in kinds.items():
            others = [points[j] for j, other in enumerate(bodies) if other.label == label]
            if label == body.label or not others:
                continue
            away = np.abs(points[i][:, None] - np.concatenate(others)[None]) - 1
            expected = np.sqrt(((np.maximum(away, 0) * BRICKS_TOUCH) ** 2).sum(axis=2)).min()
            assert table[f"to_{kind}_um"][i] == pytest.approx(expected, abs=1e-9)
    assert (table[table["class"] == 3]["to_mitochondrion_um"] == 0).any()
    assert cdist(points[0], points[0]).min() == 0


BRICKS_TOUCH = np.array([0.08, 0.05, 0.04])


def cell() -> np.ndarray:
    labels = np.zeros((64, 64, 64), np.uint8)
    paint(labels, CUBES, 1, (1.6, 1.6, 1.6), 1.4)
    paint(labels, CUBES, 4, (1.6, 1.6, 1.3), 0.6)
    paint(labels, CUBES, 5, (1.6, 1.6, 1.3), 0.25)
    paint(labels, CUBES, 3, (1.6, 1.6, 2.5), 0.3)
    return labels


def test_a_cell() -> None:
    labels = cell()
    found = quantify(labels, voxel_size_nm=50)
    by_kind = found.organelles.set_index("kind")
    assert by_kind.loc["lipid droplet", "to_cell_surface_um"] == pytest.approx(0.2, abs=0.05)
    assert by_kind.loc["nucleus", "to_cell_surface_um"] == pytest.approx(0.5, abs=0.06)
    assert by_kind.loc["nucleolus", "to_nucleus_um"] == 0.0
    assert by_kind.loc["nucleus", "volume_um3"] == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.02)
    cells = found.cells.set_index("kind")
    assert cells["count"].to_dict() == {"cell": 1, "lipid droplet": 1, "nucleus": 1, "nucleolus": 1}
    assert cells.loc["cell", "volume_um3"] == pytest.approx(4 / 3 * math.pi * 1.4**3, rel=0.02)
    assert cells.loc["nucleus", "share"] == pytest.approx((0.6 / 1.4) ** 3, rel=0.03)


def test_the_end_of_the_volume_cuts_bodies_and_is_no_surface_of_the_cell() -> None:
    labels = cell()[:, :, 20:60]
    found = quantify(labels, voxel_size_nm=50).organelles.set_index("kind")
    assert found.loc["nucleus", "at_border"]
    assert not found.loc["lipid droplet", "at_border"]
    assert found.loc["lipid droplet", "to_cell_surface_um"] == pytest.approx(0.2, abs=0.05)


def test_labels_with_nothing_give_empty_tables() -> None:
    found = quantify(np.zeros((8, 8, 8), np.uint8), voxel_size_nm=50)
    assert len(found.organelles) == len(found.cells) == 0
    assert "volume_um3" in found.organelles


@pytest.mark.parametrize(
    ("lac", "said"),
    [
        (np.zeros((8, 8, 9)), "the LAC has shape (8, 8, 9)"),
        (np.zeros((8, 8, 8), np.uint8), "the LAC is uint8"),
        (np.full((8, 8, 8), np.nan), "finite"),
    ],
)
def test_what_is_no_lac(lac: np.ndarray, said: str) -> None:
    with pytest.raises(InputError) as caught:
        quantify(np.ones((8, 8, 8), np.uint8), voxel_size_nm=50, lac=lac)
    assert said in str(caught.value)
