from functools import partial

import numpy as np
import pytest
from flat_grid import CRACKS, FIDUCIALS, GENERATOR, GRID, IMPURITIES, ball, parameters

from sxtbench import randomness
from sxtbench.acquisition.scene import build_scene
from sxtbench.acquisition.series import AcquisitionParameters, TiltSeries, acquire
from sxtbench.errors import InputError

TILT = {
    "range_deg": 140,
    "step_deg": 5,
    "offset_deg": {"mean": 0, "sd": 5, "min": -10, "max": 10},
    "dropped_share": 0.2,
    "longest_dropped_run": 3,
    "jitter_sd_deg": 0.1,
}
FLAT = {"smooth_sd": 0.02, "global_sd": 0.01, "correlation_share": 0.25}


def acquisition(**changes):
    values = {"energy_ev": 510, "outer_zone_width_nm": 40, "detected_photons_per_pixel": 700, "tilt": TILT}
    return AcquisitionParameters(**(values | {"flat_field": None, "misalignment": None} | changes))


def exposed(lac=0.346, threads=None, factor=2, columns=40, scene_changes=None, generator=GENERATOR, **changes):
    coverage = ball()
    scene = build_scene(
        np.float32(lac) * coverage,
        coverage,
        GRID,
        half_depth_um=1.5,
        parameters=parameters(**(scene_changes or {})),
        generator=GENERATOR,
    )
    return acquire(
        scene,
        coverage,
        GRID,
        factor=factor,
        columns=columns,
        parameters=acquisition(**changes),
        generator=generator,
        counts_key=randomness.stage_key(7, "test", 0, "counts"),
        threads=threads,
    )


def test_a_slab_of_water_absorbs_once():
    exposure = exposed(lac=0.106, detected_photons_per_pixel=1e6)
    mean = exposure.series.projections.mean(axis=(1, 2))
    np.testing.assert_allclose(mean, 0.106 * 4.5 / np.cos(np.deg2rad(exposure.true_angles_deg)), rtol=1e-4)


STEADY = TILT | {"dropped_share": 0, "jitter_sd_deg": 0}


def test_the_stated_photons_arrive_behind_the_cells():
    series = exposed(tilt=STEADY).series
    axis = (np.arange(40) - 19.5) * 0.12
    shadow = axis[:, None] ** 2 + axis[None, :] ** 2 < 1.52**2
    assert series.angles_deg[14] == 0
    assert series.counts[14][shadow].mean() == pytest.approx(700, rel=0.01)
    assert np.ptp(series.incident_photons) == 0
    crooked = exposed(tilt=STEADY, flat_field=FLAT).series
    assert crooked.incident_photons[0] == pytest.approx(series.incident_photons[0])


def test_projections_show_the_ball_and_counts_are_noisy_by_their_mean():
    exposure = exposed(detected_photons_per_pixel=1e5, tilt=STEADY)
    series = exposure.series
    # chord through the ball's middle 4 x 4 pixels; the lens's tail brings in light from beside the ball (-0.006)
    expected = 2 * 0.24 * np.sqrt(1.5**2 - 2 * 0.24**2 / 3) + 0.106 * 4.5 - 0.006
    assert series.projections[14][18:22, 18:22].mean() == pytest.approx(expected, abs=0.004)
    assert series.projections.dtype == np.float32
    mean = exposure.transmission * series.incident_photons[0]
    assert np.mean((series.counts - mean) ** 2 / mean) == pytest.approx(1, rel=0.02)


def test_geometry_and_selection():
    series = exposed().series
    assert series.geometry.shape == series.counts.shape == (23, 40, 40)
    assert series.pixel_size_nm == 120
    part = series.select([3, 5])
    assert np.array_equal(part.projections, series.projections[[3, 5]])
    assert np.array_equal(part.geometry.angles_deg, series.angles_deg[[3, 5]])
    with pytest.raises(InputError, match="belong together"):
        TiltSeries(
            counts=series.counts,
            incident_photons=series.incident_photons[:2],
            angles_deg=series.angles_deg,
            pixel_size_nm=120,
            energy_ev=510,
        )


def test_the_flat_field_error_is_multiplicative():
    plain, wrong = exposed(), exposed(flat_field=FLAT)
    ratio = np.log(wrong.transmission / plain.transmission)
    assert ratio.std() == pytest.approx(np.hypot(0.02, 0.01), rel=0.25)
    assert np.abs(np.diff(ratio, axis=2)).mean() < 0.005


def test_shifts_to_apply_bring_views_back():
    from scipy import ndimage

    plain, moved = exposed(), exposed(misalignment={"shift_sd_px": 1.5})
    assert 1 < moved.true_shifts_px.std() < 2
    for i in (0, 10, 20):
        back = ndimage.shift(moved.transmission[i], moved.true_shifts_px[i], order=3, mode="nearest")
        inner = (slice(8, -8), slice(8, -8))
        error = np.abs(back - plain.transmission[i])[inner].max()
        assert error < 0.3 * np.abs(moved.transmission[i] - plain.transmission[i])[inner].max()


def test_the_whole_way_repeats_with_any_number_of_threads():
    everything = {"cracks": CRACKS, "impurities": IMPURITIES, "fiducials": FIDUCIALS}
    runs = [exposed(threads=t, scene_changes=everything, flat_field=FLAT) for t in (1, 3)]
    assert np.array_equal(runs[0].series.counts, runs[1].series.counts)
    assert runs[0].floored_share == runs[1].floored_share
    other = exposed(scene_changes=everything, generator=partial(randomness.generator, 8, "test", 0))
    assert not np.array_equal(other.series.angles_deg, runs[0].series.angles_deg)


def test_a_detector_that_cannot_be_centred_is_refused():
    with pytest.raises(InputError, match="even"):
        exposed(factor=1, columns=41)
