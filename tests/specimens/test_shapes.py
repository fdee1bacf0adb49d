import numpy as np
import pytest

from sxtbench.specimens.shapes import Shape, Supports, capsule, directions, ellipsoid, random_rotation


def _surface(shape: Shape) -> np.ndarray:
    if shape.form == 0:
        return shape.surface_um(4000)
    along = np.linspace(-1, 1, 21)[:, None] * shape.radii_um[0] * shape.rotation[0]
    return (shape.centre_um + along[:, None] + directions() * shape.radii_um[1]).reshape(-1, 3)


def _random(rng: np.random.Generator, size: float) -> Shape:
    if rng.random() < 0.4:
        end = rng.normal(0, size, 3)
        return capsule(-end, end, size * rng.uniform(0.2, 0.6))
    return ellipsoid([0, 0, 0], size * rng.uniform(0.6, 1.4, 3), random_rotation(rng))


def test_inside_and_apart_agree_with_points_on_the_surfaces() -> None:
    rng = np.random.default_rng(3)
    seen = {"inside": 0, "apart": 0, "neither": 0}
    for _ in range(200):
        outer, inner = _random(rng, 1.0), _random(rng, 0.3)
        place = rng.normal(0, 0.6, 3)
        moved = inner.moved(place)
        in_outer = outer.contains(_surface(moved))
        in_inner = moved.contains(_surface(outer))
        is_inside = Supports([outer]).inside(inner, place[None], 0.01)[0, 0]
        is_apart = Supports([outer]).apart(inner, place[None], 0.01)[0, 0]
        seen["inside" if is_inside else "apart" if is_apart else "neither"] += 1
        if is_inside:
            assert in_outer.all()
        if is_apart:
            assert not in_outer.any()
            assert not in_inner.any()
        shrunk = Shape(inner.form, place, inner.radii_um * 1.05, inner.rotation)
        if outer.contains(_surface(shrunk)).all() and inner.form == 0:
            assert Supports([outer]).inside(inner, place[None])[0, 0]
    assert min(seen.values()) > 10


def test_spheres_to_the_gap() -> None:
    ball = ellipsoid([0, 0, 0], 1.0)
    at = np.array([[0, 0, 1.4999], [0, 0, 1.5001], [0.497, 0, 0], [0.503, 0, 0]])
    set_of_one = Supports([ball])
    assert set_of_one.apart(ellipsoid([0, 0, 0], 0.4), at, 0.1)[:, 0].tolist() == [False, True, False, False]
    assert set_of_one.inside(ellipsoid([0, 0, 0], 0.4), at, 0.1)[2:, 0].tolist() == [True, False]


def test_all_others_count_not_only_the_nearest() -> None:
    near, large = ellipsoid([0, 0, 1.0], 0.1), ellipsoid([0, 0, -2.0], 1.9)
    verdict = Supports([near, large]).apart(ellipsoid([0, 0, 0], 0.5), np.zeros((1, 3)))[0]
    assert verdict.tolist() == [True, False]


@pytest.mark.parametrize("shape", [ellipsoid([0.1, 0, 0], [0.5, 0.8, 1.1]), capsule([0, 0, 0], [0.4, 0.9, -0.2], 0.3)])
def test_volume_against_points(shape: Shape) -> None:
    rng = np.random.default_rng(0)
    share = shape.contains(rng.uniform(-1.5, 1.5, (400_000, 3))).mean()
    assert share * 27 == pytest.approx(shape.volume_um3, rel=0.03)


def test_rotations_are_rotations() -> None:
    rng = np.random.default_rng(1)
    turns = np.array([random_rotation(rng) for _ in range(2000)])
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1.0)
    assert np.abs(turns.mean(axis=0)).max() < 0.06
