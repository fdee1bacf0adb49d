import numpy as np
import pytest

from sxtbench.studies.alignment_anchors import SIZES, VIEWS, chosen, run, without_gauge
from sxtbench.studies.phantom import inside_cylinder

SMALL = {"pixel_size_nm": 80.0, "rows": 16, "field_px": 64, "specimens": 1, "anchors": (3, 19)}


class Balls:
    """A cylinder full of balls, in place of a cell."""

    description = "balls"

    def cylinder(self, *, radius_um, slices, voxel_size_nm):
        n = 2 * round(1000 * radius_um / voxel_size_nm) + 1
        rng = np.random.default_rng(3)
        z, y, x = np.ogrid[:slices, :n, :n]
        lac = np.full((slices, n, n), 0.15, np.float32)
        for _ in range(60):
            centre, radius = rng.uniform((0, 0, 0), (slices, n, n)), rng.uniform(1.5, 4)
            lac[(z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2] = rng.uniform(0.3, 0.9)
        return lac * inside_cylinder(lac.shape, 1000 * radius_um / voxel_size_nm)


@pytest.fixture(scope="module")
def findings():
    return run(SMALL, source=Balls(), seed=0, report=lambda line: None)


def test_anchors_hold_what_neighbours_let_drift(findings):
    table = findings.tables["alignment_anchors"].set_index(["sampling", "method", "anchors"]).error_px
    for sampling in ("half turn", "whole turn, mirror images"):
        assert table[sampling, "align", 19] < 0.5
        assert table[sampling, "align", 19] < table[sampling, "align", 3]
        assert table[sampling, "align", 19] < table[sampling, "align", 0]
        assert table[sampling, "equation 14", 19] < 1


def test_table_is_the_mean_of_the_views_shown(findings):
    views = findings.tables["alignment_views"]
    table = findings.tables["alignment_anchors"].set_index(["sampling", "method", "anchors"]).error_px
    assert views.groupby("anchors").size().to_dict() == {0: VIEWS, 3: VIEWS, 19: VIEWS}
    assert views[views.anchors == 3].error_px.mean() == pytest.approx(table["half turn", "align", 3])
    np.testing.assert_allclose(np.hypot(views.error_z_px, views.error_u_px), views.error_px)


def test_a_specimen_of_ones_own_takes_the_place_of_both_families(findings):
    assert set(findings.tables["alignment_anchors"].specimen) == {"specimen"}


@pytest.mark.parametrize("count", [3, 5, 10, 19, 46])
def test_anchors_are_spread_and_distinct(count):
    views = chosen(count)
    assert len(set(views.tolist())) == count
    gaps = np.diff([*views, VIEWS])
    assert gaps.max() - gaps.min() <= 1


def test_gauge_takes_a_move_of_the_specimen_and_no_more():
    angles = np.arange(0.0, 180.0, 5.0)
    radians = np.deg2rad(angles)
    move = np.stack([np.full(angles.size, 1.5), 2 * np.cos(radians) - np.sin(radians)], axis=1)
    drift = np.stack([np.zeros(angles.size), np.cos(3 * radians)], axis=1)
    np.testing.assert_allclose(without_gauge(move, angles), 0, atol=1e-12)
    left = without_gauge(move + drift, angles)
    assert np.abs(left).max() > 0.5
    np.testing.assert_allclose(without_gauge(left, angles), left, atol=1e-12)


def test_default_has_the_papers_numbers_of_anchors():
    assert SIZES["default"]["anchors"] == SIZES["paper"]["anchors"] == (3, 5, 10, 19, 46)
