import numpy as np
import pytest
from scipy.ndimage import shift as spline_shift
from scipy.signal import fftconvolve

from sxtbench.acquisition.depth import project_through_lens
from sxtbench.acquisition.optics import ZonePlate, blur_in_focus, xm2
from sxtbench.acquisition.strip import project_strips
from sxtbench.errors import InputError

LENS = xm2(35)


def points(shape, count, seed=0):
    """A volume with a few voxels that are not empty."""
    rng = np.random.default_rng(seed)
    volume = np.zeros(shape, np.float32)
    volume[tuple(rng.integers(0, n, count) for n in shape)] = rng.uniform(0.2, 1, count)
    return volume


def convolved(image, kernel):
    """An image blurred by a kernel, going on as its first and last row, and as nothing beside its columns."""
    half = len(kernel) // 2
    return fftconvolve(np.pad(image, ((half, half), (0, 0)), mode="edge"), kernel, mode="same")[half:-half]


def direct(volume, angle, lens, *, voxel_size_nm, columns, half_width):
    """One view, voxel by voxel: its shadow, blurred by the kernel of its own depth."""
    z, y, x = np.nonzero(volume)
    dy, dx = y - (volume.shape[1] - 1) / 2, x - (volume.shape[2] - 1) / 2
    depths = (dy * np.cos(np.deg2rad(angle)) - dx * np.sin(np.deg2rad(angle))) * voxel_size_nm
    total = np.zeros((volume.shape[0], columns))
    for i, kernel in enumerate(lens.psf(depths, voxel_size_nm, half_width)):
        alone = np.zeros((1, *volume.shape[1:]), np.float32)
        alone[0, y[i], x[i]] = volume[z[i], y[i], x[i]]
        image = np.zeros_like(total)
        image[z[i]] = project_strips(alone, [angle], voxel_size_um=voxel_size_nm / 1000, columns=columns, threads=1)[0]
        total += convolved(image, kernel)
    return total


@pytest.mark.parametrize("lens", [LENS, ZonePlate(outer_zone_width_nm=35, energy_ev=517)])
def test_it_is_the_direct_sum_over_voxels(lens):
    volume = points((3, 141, 61), 12)
    views = project_through_lens(volume, [0, 90, -152], voxel_size_nm=40, columns=181, lens=lens, half_width=20)
    for view, angle in zip(views, [0, 90, -152], strict=True):
        expected = direct(volume, angle, lens, voxel_size_nm=40, columns=181, half_width=20)
        assert np.abs(view - expected).max() < 1e-4 * expected.max()


def test_more_slices_than_a_tile_and_the_papers_window():
    volume = points((21, 90, 40), 15, seed=3)
    view = project_through_lens(volume, [20.0], voxel_size_nm=40, columns=110, lens=LENS, half_width=5)[0]
    expected = direct(volume, 20.0, LENS, voxel_size_nm=40, columns=110, half_width=5)
    assert np.abs(view - expected).max() < 1e-4 * expected.max()


def test_nodes_of_the_default_distance_are_near_enough():
    volume = np.random.default_rng(0).random((2, 150, 20), np.float32)
    arguments = {"voxel_size_nm": 40, "columns": 60, "lens": ZonePlate(outer_zone_width_nm=35, energy_ev=517)}
    fine = project_through_lens(volume, [0, 70], depth_step_nm=100, **arguments)
    assert np.abs(project_through_lens(volume, [0, 70], **arguments) - fine).max() < 1e-5 * fine.max()
    coarse = project_through_lens(volume, [0, 70], depth_step_nm=2000, **arguments)
    assert np.abs(coarse - fine).max() > 1e-4 * fine.max()


def test_mass_is_conserved_where_nothing_leaves_the_detector():
    volume = np.repeat(np.random.default_rng(1).random((1, 40, 50), np.float32), 5, axis=0)
    angles = np.array([0, 27.0, 45, 90, 200])
    views = project_through_lens(volume, angles, voxel_size_nm=50, columns=200, lens=LENS)
    np.testing.assert_allclose(
        views.sum(axis=2, dtype=np.float64),
        volume.sum(axis=(1, 2), dtype=np.float64) * 0.05 + np.zeros((5, 1)),
        rtol=2e-6,
    )


def test_depth_grows_along_y_at_0_and_against_x_at_90_degrees():
    # the light's spectrum makes the far side of focus differ from the near one by some 0.4 %
    volume = np.zeros((31, 221, 221), np.float32)
    volume[15, 110 + 100, 110 - 100] = 1  # y = 2 um, x = -2 um: behind focus at 0 and at 90 degrees, before it at 180
    near, far = LENS.psf([-2000, 2000], 20, 15)[:, 15, 15] * 0.02
    views = project_through_lens(volume, [0, 90, 180], voxel_size_nm=20, columns=221, lens=LENS, half_width=15)
    for view, column, peak, other in zip(views, (10, 210, 210), (far, far, near), (near, near, far), strict=True):
        assert np.unravel_index(view.argmax(), view.shape) == (15, column)
        assert view.max() == pytest.approx(peak, rel=2e-4)
        assert abs(view.max() / other - 1) > 2e-3


def test_a_positive_tilt_moves_what_lies_deep_to_the_right():
    volume = np.zeros((1, 41, 41), np.float32)
    volume[0, 28, 30] = 1
    views = project_through_lens(volume, [30.0, -30.0], voxel_size_nm=20, columns=141, lens=LENS)
    centre = views[:, 0] @ (np.arange(141) - 70.0) / views[:, 0].sum(axis=1)
    np.testing.assert_allclose(centre, [10 * np.cos(np.pi / 6) + 4, 10 * np.cos(np.pi / 6) - 4], atol=0.05)


def test_shifts_move_the_content():
    volume = np.zeros((24, 60, 60), np.float32)
    volume[6:18, 20:40, 15:35] = np.random.default_rng(0).random((12, 20, 20))
    arguments = {"voxel_size_nm": 20, "columns": 100, "lens": xm2(60), "half_width": 25}
    still = project_through_lens(volume, [10, 10, 10], **arguments)
    shifts = [[0, 0], [3, -7], [-1.5, 2.25]]
    moved = project_through_lens(volume, [10, 10, 10], shifts_px=shifts, **arguments)
    np.testing.assert_allclose(moved[0], still[0], atol=1e-6)
    np.testing.assert_allclose(moved[1, 3:, :-7], still[1, :-3, 7:], atol=1e-6)
    expected = spline_shift(still[2], shifts[2], order=5, mode="nearest")
    np.testing.assert_allclose(moved[2, 2:-2], expected[2:-2], atol=1e-3 * still.max())


@pytest.mark.parametrize(("lens", "shifts", "error"), [(LENS, 0, 1e-6), (LENS, 12.5, 1e-4), (None, 12.5, 1e-3)])
def test_a_narrow_detector_is_the_middle_of_a_wide_one(lens, shifts, error):
    # a shift by part of a pixel rings at the noise's edge, and the ringing goes round the padded image
    volume = np.random.default_rng(2).random((4, 80, 100), np.float32)
    arguments = {"voxel_size_nm": 20, "lens": lens, "half_width": 8 if lens else None}
    if shifts:
        arguments["shifts_px"] = [[0.25, shifts], [0, -3]]
    wide = project_through_lens(volume, [15, 80], columns=181, **arguments)
    narrow = project_through_lens(volume, [15, 80], columns=31, **arguments)
    np.testing.assert_allclose(narrow, wide[:, :, 75:106], rtol=0, atol=error * wide.max())


def test_what_leaves_on_one_side_does_not_come_back_on_the_other():
    volume = np.zeros((1, 60, 60), np.float32)
    volume[0, 59, 59] = 1
    view = project_through_lens(volume, [45], voxel_size_nm=20, columns=85, lens=LENS)[0, 0]
    assert view.argmax() == 84
    assert np.abs(view[:50]).max() < 1e-6 * view.max()


def test_without_a_lens_it_is_the_strip_projection():
    volume = points((5, 30, 40), 20)
    arguments = {"voxel_size_nm": 50, "columns": 45, "lens": None}
    sharp = project_strips(volume, [5, 95], voxel_size_um=0.05, columns=45)
    assert np.array_equal(project_through_lens(volume, [5, 95], **arguments), sharp)
    moved = project_through_lens(volume, [5, 95], shifts_px=[[1, 2], [0, -3]], **arguments)
    np.testing.assert_allclose(moved[0, 1:, 2:], sharp[0, :-1, :-2], atol=1e-6)
    np.testing.assert_allclose(moved[1, :, :-3], sharp[1, :, 3:], atol=1e-6)


def test_infinite_depth_of_field_blurs_every_depth_as_the_focal_plane():
    volume = points((6, 120, 50), 20)
    arguments = {"voxel_size_nm": 40, "columns": 131, "lens": LENS, "half_width": 15}
    found = project_through_lens(volume, [0, 50], infinite_depth_of_field=True, **arguments)
    sharp = project_strips(volume, [0, 50], voxel_size_um=0.04, columns=131)
    kernel = LENS.psf([0.0], 40, 15)[0]
    for view, image in zip(found, sharp, strict=True):
        np.testing.assert_allclose(view, convolved(image, kernel), atol=1e-5 * view.max())
    assert np.abs(project_through_lens(volume, [0, 50], **arguments) - found).max() > 0.1 * found.max()


def test_in_focus_it_is_the_blur_of_the_cubes():
    # a flat specimen at one energy: the kernel of the focal plane against the transfer function of the yeast recipe
    lens = ZonePlate(outer_zone_width_nm=40, energy_ev=510)
    volume = np.zeros((40, 3, 60), np.float32)
    volume[12:28, 1, 15:45] = np.random.default_rng(0).random((16, 30))
    view = project_through_lens(volume, [0], voxel_size_nm=10, columns=260, lens=lens, half_width=120)
    sharp = project_strips(volume, [0], voxel_size_um=0.01, columns=260)
    blurred = blur_in_focus(sharp, pixel_size_nm=10, outer_zone_width_nm=40)
    np.testing.assert_allclose(view, blurred, atol=0.01 * blurred.max())


def test_threads_do_not_change_a_bit_and_progress_counts_views():
    volume = points((18, 60, 70), 200)
    seen = []
    arguments = {"voxel_size_nm": 40, "columns": 90, "lens": LENS, "shifts_px": np.full((5, 2), 0.3)}
    one = project_through_lens(volume, np.arange(5) * 36, threads=1, progress=seen.append, **arguments)
    assert seen == [1, 2, 3, 4, 5]
    assert np.array_equal(one, project_through_lens(volume, np.arange(5) * 36, threads=3, **arguments))


def test_an_empty_volume_gives_empty_views():
    views = project_through_lens(np.zeros((2, 30, 30), np.float32), [0, 45], voxel_size_nm=20, columns=40, lens=LENS)
    assert views.shape == (2, 2, 40)
    assert not views.any()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"volume": np.ones((3, 3), np.float32)}, "the volume has shape"),
        ({"angles_deg": []}, "angles_deg"),
        ({"angles_deg": [0, np.nan]}, "angles_deg"),
        ({"columns": 0}, "columns is 0"),
        ({"voxel_size_nm": 0}, "voxel_size_nm is 0"),
        ({"depth_step_nm": -1.0}, "depth_step_nm is -1"),
        ({"half_width": 5}, "window of 11 pixels"),
        ({"half_width": -1}, "half_width is -1"),
        ({"shifts_px": [[0, 0, 0]]}, r"shifts_px has shape \(1, 3\)"),
        ({"shifts_px": [[0, np.inf]]}, "all finite"),
    ],
)
def test_impossible_projections_are_refused(bad, message):
    arguments = {
        "volume": np.ones((1, 3, 3), np.float32),
        "angles_deg": [0.0],
        "voxel_size_nm": 20,
        "columns": 10,
        "lens": LENS,
    } | bad
    with pytest.raises(InputError, match=message):
        project_through_lens(arguments.pop("volume"), arguments.pop("angles_deg"), **arguments)
