import numpy as np
import pytest

from sxtbench.specimens.deformation import DeformationParameters, displace_block, draw_deformation, identity

GENTLE = DeformationParameters(sd_um=0.06, correlation_um=1.0)


@pytest.mark.parametrize("parameters", [GENTLE, DeformationParameters(sd_um=0.5, correlation_um=0.7)])
def test_nothing_folds(parameters: DeformationParameters) -> None:
    for seed in range(3):
        field = draw_deformation(parameters, (8.0, 6.0, 10.0), np.random.default_rng(seed))
        points = np.random.default_rng(1).uniform(-3, 3, (50_000, 3))
        step = 1e-5
        gradient = np.stack(
            [(field.at(points + step * e) - field.at(points - step * e)) / (2 * step) for e in np.eye(3)], axis=2
        )
        assert np.linalg.det(np.eye(3) + gradient).min() > 0
        assert np.linalg.norm(gradient, ord=2, axis=(1, 2)).max() <= field.steepest <= 0.8 + 1e-9
        assert np.sqrt((field.at(points) ** 2).sum(axis=1)).max() <= field.largest_um


def test_strength_correlation_and_inverse() -> None:
    field = draw_deformation(GENTLE, (30.0, 30.0, 30.0), np.random.default_rng(0))
    points = np.random.default_rng(2).uniform(-13, 13, (40_000, 3))
    u = field.at(points)
    assert u.std(axis=0) == pytest.approx(0.06, rel=0.08)
    one_on = field.at(points + np.array([1.0, 0.0, 0.0]))
    assert (u * one_on).mean() / (u**2).mean() == pytest.approx(0.5, abs=0.06)
    world = field.to_world(points[:500])
    np.testing.assert_allclose(world + field.at(world), points[:500], atol=1e-8)


def test_block_and_points_agree_and_none_is_none() -> None:
    field = draw_deformation(GENTLE, (6.0, 6.0, 6.0), np.random.default_rng(0))
    z, y, x = np.linspace(-2, 2, 4), np.linspace(-4, 1, 5), np.linspace(-1, 3, 6)
    out = np.empty((4, 5, 6, 3))
    displace_block(z, y, x, field.coefficients, field.spacing_um, out)
    points = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1).reshape(-1, 3)
    np.testing.assert_allclose(out.reshape(-1, 3), field.at(points), atol=1e-14)
    assert not identity().at(points).any()
