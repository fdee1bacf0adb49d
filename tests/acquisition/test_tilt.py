import numpy as np
import pytest
from pydantic import ValidationError

from sxtbench.acquisition.tilt import TiltParameters, draw_tilt_scheme, full_rotation_deg, select_range
from sxtbench.errors import InputError


def scheme(step=2.0, **changes):
    values = {
        "range_deg": 140,
        "step_deg": step,
        "offset_deg": {"mean": 0, "sd": 5, "min": -10, "max": 10},
        "dropped_share": 0.2,
        "longest_dropped_run": 3,
        "jitter_sd_deg": 0.1,
    }
    return TiltParameters(**(values | changes))


@pytest.mark.parametrize(("step", "views"), [(2.5, 32), (2.0, 40), (1.0, 80)])
def test_a_fifth_of_the_views_is_lost_in_short_runs(step, views):
    kept = []
    for seed in range(60):
        drawn = draw_tilt_scheme(scheme(step), np.random.default_rng(seed))
        steps = np.round((drawn.nominal_deg + 70) / step).astype(int)
        np.testing.assert_allclose(drawn.nominal_deg, steps * step - 70)
        planned = round(140 / step) + 1
        assert len(steps) == planned - round(0.2 * planned)
        gaps = np.diff(np.concatenate([[-1], steps, [planned]]))
        assert gaps.min() >= 1
        assert gaps.max() <= 4  # at most three lost between two kept views
        assert np.abs(drawn.true_deg).max() < 90
        assert -10 <= drawn.offset_deg <= 10
        window = select_range(drawn.nominal_deg, offset_deg=drawn.offset_deg, tilt_range_deg=100, full_range_deg=140)
        kept.append(len(window))
    assert abs(np.mean(kept) - views) < 0.04 * views


def test_levels_are_nested_windows_about_the_offset():
    drawn = draw_tilt_scheme(scheme(), np.random.default_rng(3))
    previous = set(range(len(drawn.nominal_deg)))
    assert set(select_range(drawn.nominal_deg, offset_deg=9, tilt_range_deg=140, full_range_deg=140)) == previous
    for level in (120, 100, 80):
        chosen = select_range(drawn.nominal_deg, offset_deg=9, tilt_range_deg=level, full_range_deg=140)
        assert set(chosen) < previous
        assert np.all(np.abs(drawn.nominal_deg[chosen] - 9) <= level / 2)
        previous = set(chosen)


def test_true_angles_scatter_by_the_jitter():
    errors = np.concatenate(
        [
            np.subtract(d.true_deg, d.nominal_deg)
            for d in (draw_tilt_scheme(scheme(1.0), np.random.default_rng(s)) for s in range(40))
        ]
    )
    assert abs(errors.mean()) < 0.01
    assert errors.std() == pytest.approx(0.1, rel=0.05)


def test_a_series_that_reaches_90_degrees_is_refused():
    with pytest.raises(ValidationError, match="90 degrees"):
        scheme(range_deg=179.5)


def test_runs_that_cannot_hold_the_losses_are_refused():
    with pytest.raises(ValueError, match="cannot lose"):
        draw_tilt_scheme(scheme(dropped_share=0.9), np.random.default_rng(0))


@pytest.mark.parametrize("n", [1, 2, 19, 96, 97])
def test_mirror_images_are_interlaced(n):
    half, full = full_rotation_deg(n, mirror_images=False), full_rotation_deg(n, mirror_images=True)
    np.testing.assert_allclose(half, np.arange(n) * 180 / n)
    np.testing.assert_allclose(np.sort(full % 180), half, atol=1e-10)  # the same directions,
    assert np.all(np.diff(full) > 0)
    sides = full[np.argsort(full % 180)] >= 180
    assert np.array_equal(sides, np.arange(n) % 2 == 1)  # by turns from both sides
    assert full[-1] < 360


def test_no_image_is_no_rotation():
    with pytest.raises(InputError, match="0 views"):
        full_rotation_deg(0, mirror_images=True)
