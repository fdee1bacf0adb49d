"""FBP: a disc keeps its LAC at any range and window; filters and view weights."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import fbp, view_weights
from sxtbench.reconstruction.fbp import FILTERS, filter_projections, ramp_response, window

LAC = 0.346
N, PIXEL_NM, RADIUS_UM = 128, 50.0, 2.0
FULL = np.arange(0, 180, 1.5)
RANGES = {
    "180": (FULL, 0.01),
    "180 dropped": (np.delete(FULL, [50, 51, 52]), 0.01),
    "360": (np.arange(0, 360, 2.0), 0.01),
    "140": (np.arange(-70, 70.1, 2), 0.02),
    "140 dropped": (np.delete(np.arange(-70, 70.1, 2), [3, 30, 31, 32]), 0.02),
    "100": (np.arange(-50, 50.1, 2), 0.02),
    "100 dropped": (np.delete(np.arange(-50, 50.1, 2), [0, 20, 21, 22]), 0.02),
    "100 coarse, shuffled": (np.random.default_rng(0).permutation(np.arange(-45, 55.1, 5)), 0.02),
}


def disc(geometry, centre=(0.0, 0.0), offset=0.0):
    """Line integrals of a disc with its centre at (y, x) um."""
    theta = np.deg2rad(geometry.angles_deg)[:, None]
    u = (np.arange(geometry.columns) - (geometry.columns - 1) / 2 + offset) * geometry.pixel_size_nm / 1000
    distance = u - (centre[1] * np.cos(theta) + centre[0] * np.sin(theta))
    lines = 2 * LAC * np.sqrt(np.maximum(RADIUS_UM**2 - distance**2, 0))
    return np.repeat(lines[:, None].astype(np.float32), geometry.slices, axis=1)


def inner(n, voxel_um, centre=(0.0, 0.0)):
    axis = (np.arange(n) - (n - 1) / 2) * voxel_um
    return np.hypot(axis[:, None] - centre[0], axis[None] - centre[1]) < 2 / 3 * RADIUS_UM


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize(("angles", "tolerance"), RANGES.values(), ids=RANGES.keys())
@pytest.mark.parametrize("centre", [(0.0, 0.0), (-0.4, 0.7)], ids=["centred", "off centre"])
def test_a_disc_keeps_its_mean(angles, tolerance, filter, centre):
    geometry = ParallelGeometry(angles_deg=angles, columns=N, slices=1, pixel_size_nm=PIXEL_NM)
    volume = fbp(disc(geometry, centre), geometry, filter=filter)
    assert volume.dtype == np.float32
    assert volume.shape == (1, N, N)
    assert volume[0][inner(N, PIXEL_NM / 1000, centre)].mean() == pytest.approx(LAC, rel=tolerance)


def test_a_disc_is_flat_inside_and_zero_outside_and_sharper_without_a_window():
    geometry = ParallelGeometry(angles_deg=np.arange(0, 180, 0.75), columns=N, slices=1, pixel_size_nm=PIXEL_NM)
    volume = fbp(disc(geometry, (-0.4, 0.7)), geometry)[0]
    axis = (np.arange(N) - (N - 1) / 2) * PIXEL_NM / 1000
    distance = np.hypot(axis[:, None] + 0.4, axis[None] - 0.7)
    assert np.abs(volume[distance < 1.7] - LAC).max() < 0.002
    # The ring stays inside the circle of 3.2 um that every view sees; lines that touch the disc leave streaks there.
    ring = volume[(distance > 2.15) & (distance < 2.35)]
    assert abs(ring.mean()) < 0.002
    assert ring.std() < 0.02
    edges = [np.abs(np.diff(fbp(disc(geometry), geometry, filter=f)[0, N // 2])).max() for f in ("ram-lak", "hann")]
    assert edges[0] > 1.1 * edges[1]


def test_another_voxel_and_offsets():
    """Detector off the axis by a different amount in each view; voxels of 30 nm for pixels of 50."""
    angles = np.arange(0, 180, 1.5)
    du = np.random.default_rng(0).uniform(-6, 6, angles.size)
    dz = np.random.default_rng(1).uniform(-1, 1, angles.size)
    geometry = ParallelGeometry(
        angles_deg=angles, columns=N, slices=9, pixel_size_nm=PIXEL_NM, column_offset_px=du, slice_offset_px=dz
    )
    volume = fbp(disc(geometry, offset=du[:, None]), geometry, volume_shape=(5, 150, 160), voxel_size_nm=30.0)
    axis = (np.arange(160) - 159 / 2) * 0.03
    mask = np.hypot(axis[5:-5, None], axis[None]) < 2 / 3 * RADIUS_UM
    assert volume.shape == (5, 150, 160)
    assert np.array([s[mask].mean() for s in volume]) == pytest.approx(LAC, rel=0.01)


def test_filter_is_the_spatial_convolution():
    """The padded transform equals the sum over the kernel of Kak and Slaney, and does not wrap around."""
    geometry = ParallelGeometry(angles_deg=[0, 1, 2], columns=37, slices=2, pixel_size_nm=250.0)
    p = np.random.default_rng(0).random(geometry.shape)
    tau = 0.25
    distance = np.arange(37)[:, None] - np.arange(37)[None]
    with np.errstate(divide="ignore"):
        kernel = np.where(distance % 2 == 0, 0.0, -1 / (np.pi * distance * tau) ** 2)
    kernel[distance == 0] = 1 / (4 * tau**2)
    expected = tau * p @ kernel.T
    assert np.allclose(filter_projections(p, geometry), expected, atol=1e-5)


def test_ramp_and_windows():
    size = 256
    f = np.arange(size // 2 + 1) / size
    ramp = ramp_response(size)
    assert ramp[1:] == pytest.approx(f[1:], abs=2e-3)
    assert 0 < ramp[0] < 1e-2
    for filter in FILTERS:
        assert window(0.0, filter) == 1.0
        assert np.all(np.diff(window(f, filter)) <= 0)
        assert ramp_response(size, filter) == pytest.approx(ramp * window(f, filter))
    assert window(0.5, "ram-lak") == 1.0
    assert window(0.5, "hann") == pytest.approx(0.0)
    assert window(0.5, "hamming") == pytest.approx(0.08)
    assert window(0.25, "hamming") == pytest.approx(0.54)
    assert window(0.5, "shepp-logan") == pytest.approx(2 / np.pi)


# --- view weights ----------------------------------------------------------------------------------------------------


def degrees(angles):
    return np.rad2deg(view_weights(angles))


def test_equal_steps_over_the_half_circle_weigh_alike():
    for start in (0.0, -90.0, 13.7, 400.0):
        assert degrees(start + np.arange(0, 180, 4)) == pytest.approx(4.0)


@pytest.mark.parametrize(("angles", "_"), RANGES.values(), ids=RANGES.keys())
def test_weights_sum_to_pi_and_follow_their_views(angles, _):
    weights = view_weights(angles)
    assert weights.sum() == pytest.approx(np.pi)
    assert np.all(weights > 0)
    order = np.random.default_rng(1).permutation(angles.size)
    assert view_weights(angles[order]) == pytest.approx(weights[order])
    assert view_weights(angles + 540.0) == pytest.approx(weights)


def test_gaps_are_shared_and_capped():
    # Steps of 2, one view dropped (a gap of 4), then four (10, counted as 4), ends counted as 4.
    angles = np.concatenate([np.arange(0, 20, 2), np.arange(22, 42, 2), np.arange(50, 70, 2)])
    raw = np.full(30, 2.0)
    raw[[0, 9, 10, 19, 20, 29]] = 3.0
    assert degrees(angles) == pytest.approx(raw * 180 / raw.sum())


def test_repeated_directions_share_a_weight():
    once = degrees([0, 60, 120])
    assert once == pytest.approx([60, 60, 60])
    assert degrees([0, 60, 120, 180, 240, 300]) == pytest.approx([30] * 6)
    assert degrees([0, 0, 0, 60, 120]) == pytest.approx([20, 20, 20, 60, 60])
    assert degrees([-1e-12, 180, 60, 120]) == pytest.approx([30, 30, 60, 60])
    assert degrees([7.0]) == pytest.approx([180])
    assert degrees([7.0, 187.0]) == pytest.approx([90, 90])
    assert degrees([-1.0, 1.0]) == pytest.approx([90, 90])


# --- input -----------------------------------------------------------------------------------------------------------


def test_bad_input():
    geometry = ParallelGeometry(angles_deg=[0, 90], columns=8, slices=3, pixel_size_nm=20)
    good = np.zeros(geometry.shape, np.float32)
    with pytest.raises(InputError, match=r"projections have shape \(3, 2, 8\), the geometry expects \(2, 3, 8\)"):
        fbp(good.transpose(1, 0, 2), geometry)
    with pytest.raises(InputError, match="filter is 'cosine', expected one of: ram-lak"):
        fbp(good, geometry, filter="cosine")
    for bad in (np.nan, np.inf):
        broken = good.copy()
        broken[1, 2, 4] = bad
        with pytest.raises(InputError, match="NaN or infinity in view 1, row 2"):
            fbp(broken, geometry)
    with pytest.raises(InputError, match="dtype complex64"):
        fbp(good.astype(np.complex64), geometry)
    with pytest.raises(InputError, match="angles_deg"):
        view_weights([0.0, np.nan])


def test_edge_extension_takes_the_rim_of_truncated_views_away():
    """A disc that leaves the field: what is inside keeps its contrast, the rim falls to less than half."""
    angles = np.arange(0.0, 180.0, 2.0)
    wide = ParallelGeometry(angles_deg=angles, columns=128, slices=1, pixel_size_nm=100)
    narrow = ParallelGeometry(angles_deg=angles, columns=48, slices=1, pixel_size_nm=100)
    y, x = np.indices((128, 128)) - 63.5
    lac = (0.1 * (x**2 + y**2 < 60**2) + 0.25 * (x**2 + y**2 < 8**2)).astype(np.float32)[None]
    views = ParallelBeam(wide, (1, 128, 128))(lac)[:, :, 40:88]
    plain, edge = (fbp(views, narrow, extension=extension)[0] for extension in (None, "edge"))
    r = np.hypot(*(np.indices((48, 48)) - 23.5))

    def ring(image, low, high):
        return float(image[(r >= low) & (r < high)].mean())

    def rim(image):
        return ring(image, 22, 24) - ring(image, 14, 18)

    assert rim(edge) < 0.5 * rim(plain)
    assert ring(edge, 0, 6) - ring(edge, 12, 16) == pytest.approx(0.25, abs=0.02)


def test_extension_acts_on_truncated_views_only():
    geometry = ParallelGeometry(angles_deg=np.arange(0.0, 180.0, 3.0), columns=64, slices=1, pixel_size_nm=100)
    y, x = np.indices((64, 64)) - 31.5
    views = ParallelBeam(geometry, (1, 64, 64))((0.3 * (x**2 + y**2 < 15**2)).astype(np.float32)[None])
    plain, edge = (fbp(views, geometry, extension=extension) for extension in (None, "edge"))
    assert np.abs(plain - edge).max() < 2e-3
    with pytest.raises(InputError, match="extension is 'mirror', expected one of: None, edge"):
        fbp(views, geometry, extension="mirror")
