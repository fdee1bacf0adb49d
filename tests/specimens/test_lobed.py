"""Smooth unions of ellipsoids: field and points agree, necks are narrow, what is placed lies inside and apart."""

import numpy as np
import pytest

from sxtbench.specimens.budding_parameters import FormParameters
from sxtbench.specimens.deformation import identity
from sxtbench.specimens.lobed import Inset, Lobed, draw_lobed, enclosing_ball, melted, place_inside
from sxtbench.specimens.shapes import ellipsoid


def form(**changes: object) -> FormParameters:
    plain = {
        "axis_ratio": 1.0,
        "lobes": 1,
        "lobe_radius_fraction": 0.6,
        "neck_fraction": 0.4,
        "blend_fraction": 0.1,
        "irregularity_fraction": 0.05,
        "irregularity_length_fraction": 0.7,
    }
    return FormParameters.model_validate(plain | changes)


def drawn(seed: int, **changes: object) -> Lobed:
    return draw_lobed(form(**changes), np.random.default_rng(seed), np.random.default_rng(seed + 100))


def test_melting_lies_below_the_minimum_by_a_quarter_at_most() -> None:
    a, b = np.linspace(-1, 1, 201), np.zeros(201)
    found = melted(a, b, 0.4)
    below = np.minimum(a, b) - found
    assert below.max() == pytest.approx(0.1)
    assert (below[np.abs(a) >= 0.4] == 0).all()
    np.testing.assert_array_equal(melted(a, b, 0.0), np.minimum(a, b))
    assert np.abs(np.diff(found, 2)).max() < np.abs(np.diff(np.minimum(a, b), 2)).max() / 5  # no crease is left


def test_field_and_depth_are_one_surface() -> None:
    body = drawn(1, lobes=2).scaled(1.5).moved(np.array([0.3, -0.2, 0.1]))
    axis = np.linspace(-3.5, 3.5, 24)
    field = body.on(axis, axis, axis)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    depth = body.depth_um(points).reshape(field.shape)
    clear = np.abs(depth) > 0.01
    np.testing.assert_array_equal((field < 0)[clear], (depth > 0)[clear])
    inside = points[(field < 0).ravel()]
    assert len(inside) > 50
    assert (inside >= body.bounds_um[0]).all()
    assert (inside <= body.bounds_um[1]).all()
    on_surface = body.depth_um(body.offsets_um + body.centre_um)
    assert on_surface.min() > -1e-6
    assert on_surface.max() < body.blend_um  # at a neck, where the slope is small
    assert (on_surface < 1e-6).mean() > 0.5


def test_a_bud_has_a_neck() -> None:
    """Along the line from mother to bud the cross-section is widest in each and narrow between them."""
    body = drawn(3, irregularity_fraction=0.0)
    axis = body.lobes[1].centre_um / np.linalg.norm(body.lobes[1].centre_um)
    side = np.linalg.svd(axis[None])[2][1]
    along, out = np.linspace(-0.9, 1.9, 57), np.linspace(0.0, 1.2, 121)
    points = along[:, None, None] * axis + out[None, :, None] * side
    inside = body.depth_um(points.reshape(-1, 3)).reshape(len(along), len(out)) > 0
    width = out[np.argmin(inside, axis=1)]
    neck = width[(along > 0.5) & (along < 1.3)].min()
    assert width[along < 0.5].max() == pytest.approx(1.0, abs=0.03)
    assert width[along > 1.3].max() == pytest.approx(0.6, abs=0.03)
    assert 0.24 < neck < 0.42  # 0.4 of the bud's radius, and what melts


def test_scaling_and_moving() -> None:
    body = drawn(5)
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (200, 3))
    centre = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(
        body.scaled(2.0).moved(centre).depth_um(2.0 * points + centre), 2.0 * body.depth_um(points), atol=1e-9
    )


def test_the_enclosing_ball_holds_all_and_is_hardly_larger_than_it_must_be() -> None:
    centre, radius = enclosing_ball(np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, -1.0], [0.2, 0.1, 0]]))
    np.testing.assert_allclose(centre, 0.0, atol=0.02)
    assert radius == pytest.approx(1.0, abs=0.02)
    points = drawn(7).offsets_um
    centre, radius = enclosing_ball(points)
    assert np.linalg.norm(points - centre, axis=1).max() <= radius


def test_what_is_placed_lies_inside_and_apart() -> None:
    cell = drawn(9).scaled(2.0)
    inside, rng = Inset(cell, 0.15), np.random.default_rng(0)
    placed: list[Lobed] = []
    for seed in range(5):
        found = place_inside(drawn(20 + seed).scaled(0.4), inside, placed, 0.05, rng)
        if found is not None:
            placed.append(found)
    assert len(placed) >= 3
    for body in placed:
        surface = body.offsets_um + body.centre_um
        assert cell.depth_um(surface).min() > 0.15
        assert all(other.depth_um(surface).max() < 0 for other in placed if other is not body)
    assert place_inside(drawn(30).scaled(3.0), inside, [], 0.0, rng) is None


def test_plain_ball() -> None:
    ball = Lobed((ellipsoid(np.zeros(3), 1.0),), identity(), 0.0, np.zeros(3))
    np.testing.assert_allclose(ball.depth_um(np.array([[0.0, 0.0, 0.4], [0.0, 1.5, 0.0]])), [0.6, -0.5], atol=1e-6)
    assert ball.radius_um == pytest.approx(1.0)
