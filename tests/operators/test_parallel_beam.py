"""The projector against line integrals, against ASTRA, and against itself in threads, forks and without a cache."""

import itertools
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry, VolumeGrid
from sxtbench.operators import LinearOperator, ParallelBeam, check_adjoint


def relative(a, b):
    return float(np.linalg.norm(np.asarray(a, np.float64) - b) / np.linalg.norm(b))


def beam(angles, columns=32, slices=1, pixel=20.0, shape=None, du=0.0, dz=0.0, **options):
    geometry = ParallelGeometry(
        angles_deg=angles,
        columns=columns,
        slices=slices,
        pixel_size_nm=pixel,
        column_offset_px=du,
        slice_offset_px=dz,
    )
    return ParallelBeam(geometry, (slices, columns, columns) if shape is None else shape, **options)


# --- adjoint ---------------------------------------------------------------------------------------------------------

EXACT = [0.0, 45.0, 90.0, 135.0, 180.0, -45.0, -90.0, 225.0, 270.0, 360.0]
CASES = {
    "plain": dict(angles=np.arange(0, 180, 13), columns=30),
    "exact angles": dict(angles=EXACT, columns=17),
    "negative and beyond 180": dict(angles=[-70, -12.5, 200, 333, 719], columns=24),
    "one view": dict(angles=[33], columns=24),
    "truncated": dict(angles=EXACT, columns=9, shape=(1, 40, 40)),
    "wide": dict(angles=EXACT, columns=90, shape=(1, 20, 20)),
    "non-square": dict(angles=EXACT, columns=33, shape=(2, 50, 21), slices=2),
    "offsets": dict(angles=[0, 45, 61], columns=20, slices=9, du=[0.3, -4.7, 30.0], dz=[0.25, -3.5, 1.0]),
    "another voxel": dict(angles=EXACT, columns=20, slices=6, shape=(9, 30, 30), voxel_size_nm=13.0),
    "coarse voxel": dict(angles=EXACT, columns=40, slices=12, shape=(5, 15, 15), voxel_size_nm=55.0),
    "off the axis": dict(angles=EXACT, columns=20, slices=5, origin_nm=(17.0, -130.0, 260.0)),
    "fewer rows": dict(angles=EXACT, columns=20, slices=3, shape=(10, 20, 20)),
    "33 slices": dict(angles=[-50, 0, 45, 77], columns=18, slices=33),
    "20 slices, one voxel": dict(angles=[-50, 0, 45, 77], columns=5, slices=20, shape=(20, 1, 1)),
    "never seen": dict(angles=[0, 60], columns=8, slices=4, dz=[100.0, -100.0]),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_adjoint(case):
    assert check_adjoint(beam(**case)) <= 1e-6


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_adjoint_of_any_geometry(data):
    def number(low, high):
        return st.floats(low, high, allow_nan=False)

    def size(high):
        return st.integers(1, high)

    angles = data.draw(st.lists(st.one_of(number(-400, 400), st.sampled_from(EXACT)), min_size=1, max_size=9))
    n = len(angles)
    operator = beam(
        angles,
        columns=data.draw(size(40)),
        slices=data.draw(size(18)),
        shape=data.draw(st.tuples(size(18), size(33), size(33))),
        du=data.draw(st.lists(number(-20, 20), min_size=n, max_size=n)),
        dz=data.draw(st.one_of(st.just(0.0), st.lists(number(-6, 6), min_size=n, max_size=n))),
        voxel_size_nm=data.draw(number(6, 70)),
        origin_nm=data.draw(st.tuples(number(-100, 100), number(-300, 300), number(-300, 300))),
    )
    # Where rays do no more than graze the volume's margin, all that is left are weights of rounding size.
    assume(operator(np.ones(operator.domain_shape)).max(initial=0) > 1e-3 * operator.voxel_size_nm / 1000)
    assert check_adjoint(operator, seed=data.draw(st.integers(0, 99))) <= 1e-6


def test_check_adjoint_finds_a_wrong_one():
    class Wrong:
        domain_shape = range_shape = (4, 4)

        def __call__(self, x):
            return x * np.float32(2)

        @property
        def T(self):
            return lambda y: y * np.float32(2.001)

    assert check_adjoint(Wrong()) > 1e-4


def test_the_adjoint_is_an_operator():
    A = beam([0, 30], columns=8, slices=2, shape=(3, 9, 7))
    assert isinstance(A, LinearOperator)
    assert isinstance(A.T, LinearOperator)
    assert A.domain_shape == A.T.range_shape == (3, 9, 7)
    assert A.range_shape == A.T.domain_shape == (2, 2, 8)
    assert A.T.T is A
    x = np.random.default_rng(0).random((3, 9, 7))
    assert np.array_equal(pickle.loads(pickle.dumps(A))(x), A(x))


def test_views_are_those_of_the_whole():
    A = beam([0, 30, 77, 140], columns=20, slices=5, du=[0.5, 1, -2, 3], dz=[0, 0.5, -1.25, 2], voxel_size_nm=17.0)
    x = np.random.default_rng(0).random(A.domain_shape)
    some = A.views([3, 0, -2])
    assert some.range_shape == (3, 5, 20)
    assert np.array_equal(some(x), A(x)[[3, 0, 2]])
    assert check_adjoint(some) <= 1e-6
    for bad in ([], [4], [-5], [0.5], [[0]], 2, [True, False, True, False]):
        with pytest.raises(InputError, match="indices"):
            A.views(bad)


# --- line integrals --------------------------------------------------------------------------------------------------


def ellipses(rng, count=6):
    """Random ellipses inside a square of side 2: x, y, half axes, rotation, LAC."""
    return np.stack(
        [
            rng.uniform(-0.5, 0.5, count),
            rng.uniform(-0.5, 0.5, count),
            rng.uniform(0.1, 0.35, count),
            rng.uniform(0.1, 0.35, count),
            rng.uniform(0, np.pi, count),
            rng.uniform(0.1, 1.0, count),
        ],
        axis=1,
    )


def paint(shapes, x, y):
    """LAC at points."""
    value = np.zeros(np.broadcast(x, y).shape)
    for x0, y0, a, b, turn, lac in shapes:
        p = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)
        q = -(x - x0) * np.sin(turn) + (y - y0) * np.cos(turn)
        value += lac * ((p / a) ** 2 + (q / b) ** 2 <= 1)
    return value


def integrals(shapes, u, theta):
    """Line integrals along x cos + y sin = u, from the definition of an ellipse, not from the code under test."""
    value = np.zeros(np.broadcast(u, theta).shape)
    for x0, y0, a, b, turn, lac in shapes:
        distance = u - (x0 * np.cos(theta) + y0 * np.sin(theta))
        half = a**2 * np.cos(theta - turn) ** 2 + b**2 * np.sin(theta - turn) ** 2
        value += lac * 2 * a * b * np.sqrt(np.maximum(half - distance**2, 0)) / half
    return value


def painted_slice(shapes, n, width, centre=(0.0, 0.0), fine=4):
    axis = ((np.arange(n * fine) + 0.5) / (n * fine) - 0.5) * width
    return paint(shapes, axis[None] + centre[1], axis[:, None] + centre[0]).reshape(n, fine, n, fine).mean(axis=(1, 3))


def test_line_integrals_of_ellipses_and_their_error_falls():
    angles = np.array([0, 10, 45, 61.3, 90, 118, 135, 170, -33, 260])
    for seed in range(3):
        shapes = ellipses(np.random.default_rng(seed))
        errors = []
        for n in (32, 64, 128, 256):
            A = beam(angles, columns=n, pixel=2000 / n)
            u = (np.arange(n) - (n - 1) / 2) * 2 / n
            exact = integrals(shapes, u[None], np.deg2rad(angles)[:, None])
            errors.append(relative(A(painted_slice(shapes, n, 2.0)[None])[:, 0], exact))
        assert errors[-1] < 0.02
        assert all(fine < 0.75 * coarse for coarse, fine in itertools.pairwise(errors)), errors


def test_line_integrals_of_smooth_blobs_to_a_few_parts_in_ten_thousand():
    """Gaussians have no edges to voxelise: what is left is the error of interpolation, which falls with n^2."""
    angles = np.array([0, 10, 45, 61.3, 90, 118, 135, 170, -33, 260])
    rng = np.random.default_rng(7)
    centres, widths = rng.uniform(-0.4, 0.4, (5, 2)), rng.uniform(0.05, 0.12, 5)
    theta = np.deg2rad(angles)[:, None]
    errors = []
    for n in (64, 128, 256):
        axis = (np.arange(n) - (n - 1) / 2) * 2 / n
        x, exact = np.zeros((1, n, n)), np.zeros((angles.size, n))
        for (cx, cy), width in zip(centres, widths, strict=True):
            x += np.exp(-((axis[None] - cx) ** 2 + (axis[:, None] - cy) ** 2) / (2 * width**2))
            distance = axis - (cx * np.cos(theta) + cy * np.sin(theta))
            exact += width * np.sqrt(2 * np.pi) * np.exp(-(distance**2) / (2 * width**2))
        errors.append(relative(beam(angles, columns=n, pixel=2000 / n)(x)[:, 0], exact))
    assert errors[-1] < 1e-3
    assert all(fine < 0.3 * coarse for coarse, fine in itertools.pairwise(errors)), errors


def test_offsets_origin_and_another_voxel_against_line_integrals():
    shapes = ellipses(np.random.default_rng(5))
    angles = np.array([0, 25, 45, 80, 90, 140, -60])
    du = np.linspace(-7.3, 9.1, angles.size)
    # The volume is centred at y = 0.11, x = -0.23 um and 2.4 um wide; its voxels are not the detector's pixels.
    A = beam(
        angles, columns=120, pixel=16.0, shape=(1, 200, 200), du=du, voxel_size_nm=12.0, origin_nm=(0, 110.0, -230.0)
    )
    u = (np.arange(120) - 119 / 2 + du[:, None]) * 0.016
    exact = integrals(shapes, u, np.deg2rad(angles)[:, None])
    assert relative(A(painted_slice(shapes, 200, 2.4, centre=(0.11, -0.23))[None])[:, 0], exact) < 0.015


@pytest.mark.parametrize("theta", [0, 30, 45, 90, 120, -30, 200, 315])
def test_orientation(theta):
    """A blob off the centre is seen at u = x cos + y sin; a flip of any axis or of the angle would move it."""
    n, x, y = 65, 14.0, 5.0
    axis = np.arange(n) - (n - 1) / 2
    blob = np.exp(-((axis[None] - x) ** 2 + (axis[:, None] - y) ** 2) / 8)
    view = beam([theta], columns=n)(blob[None])[0, 0].astype(np.float64)
    seen = (view @ axis) / view.sum()
    expected = x * np.cos(np.deg2rad(theta)) + y * np.sin(np.deg2rad(theta))
    assert seen == pytest.approx(expected, abs=5e-3)
    assert view.sum() == pytest.approx(blob.sum() * 0.02, rel=2e-3)


def test_offsets_move_the_detector():
    """Column offset d puts column j at u + d, so the picture moves by -d columns; alike for rows."""
    rng = np.random.default_rng(1)
    x = np.zeros((10, 24, 24), np.float32)
    x[3:7, 6:18, 6:18] = rng.random((4, 12, 12))
    angles = [0.0, 37.0, 110.0]
    plain = beam(angles, columns=40, slices=10, shape=x.shape)(x)
    shifted = beam(angles, columns=40, slices=10, shape=x.shape, du=[2.0, 0.0, -3.0], dz=[1.0, -2.0, 0.0])(x)
    expected = np.stack(
        [np.roll(view, shift, (0, 1)) for view, shift in zip(plain, ((-1, -2), (2, 0), (0, 3)), strict=True)]
    )
    assert np.allclose(shifted, expected, atol=1e-6)
    half = beam(angles, columns=40, slices=10, shape=x.shape, dz=0.5)(x)
    assert np.allclose(half[:, :-1], (plain[:, :-1] + plain[:, 1:]) / 2, atol=1e-6)
    raised = beam(angles, columns=40, slices=10, shape=x.shape, origin_nm=(20.0, 0, 0))(x)
    assert np.allclose(raised, np.roll(plain, 1, axis=1), atol=1e-6)


def test_fewer_rows_are_the_central_slices():
    x = np.random.default_rng(2).random((9, 12, 12), dtype=np.float32)
    whole = beam([0, 50], columns=12, slices=9)(x)
    assert np.array_equal(beam([0, 50], columns=12, slices=3, shape=x.shape)(x), whole[:, 3:6])
    assert np.array_equal(beam([0, 50], columns=12, slices=11, shape=x.shape)(x)[:, 1:-1], whole)


def test_path_lengths_in_um():
    """Through the middle of a cube of 16 voxels of 50 nm at 0, 90 and 45 degrees."""
    y = beam([0, 90, 45], columns=1, pixel=50.0, shape=(1, 16, 16))(np.ones((1, 16, 16)))
    assert y.ravel() == pytest.approx([0.8, 0.8, 0.8 * np.sqrt(2)], rel=1e-6)


def test_equal_to_astra_linear():
    astra = pytest.importorskip("astra")
    angles = np.array([0, 7, 30, 44.9, 45, 45.1, 60, 90, 100, 135, 170, -20, 200.0])
    rng = np.random.default_rng(0)
    for (n_y, n_x), columns, pixel in (
        ((64, 64), 64, 1.0),
        ((40, 56), 91, 1.0),
        ((64, 64), 40, 0.5),
        ((48, 48), 64, 2.0),
    ):
        x = rng.random((n_y, n_x), dtype=np.float32)
        volume = astra.create_vol_geom(n_y, n_x, -n_x / 2, n_x / 2, -n_y / 2, n_y / 2)
        detector = astra.create_proj_geom("parallel", pixel, columns, -np.deg2rad(angles))
        projector = astra.create_projector("linear", detector, volume)
        data, sinogram = astra.create_sino(x, projector)
        astra.data2d.delete(data)
        astra.projector.delete(projector)
        A = beam(angles, columns=columns, pixel=1000 * pixel, shape=(1, n_y, n_x), voxel_size_nm=1000)
        assert relative(A(x[None])[:, 0], sinogram) < 1e-4


# --- pixel-driven backprojection -------------------------------------------------------------------------------------


def test_backproject_reads_the_view_where_a_voxel_is_seen():
    """Against numpy's interpolation, voxel by voxel, with every kind of offset."""
    angles, weights = np.array([0, 45, 90, 131, -20, 200.0]), np.array([1, 0.5, 2, 1, 3, 0.1])
    du, dz = np.linspace(-3, 4, 6), np.linspace(-1, 1.2, 6)
    A = beam(
        angles,
        columns=22,
        slices=7,
        pixel=20.0,
        shape=(10, 13, 17),
        du=du,
        dz=dz,
        voxel_size_nm=15.0,
        origin_nm=(9, 40, -66),
    )
    y = np.random.default_rng(3).random(A.range_shape, dtype=np.float32)
    z_axis, y_axis, x_axis = (axis * 1000 for axis in VolumeGrid((10, 13, 17), 15.0).axes_um())
    expected = np.zeros(A.domain_shape)
    for i, theta in enumerate(np.deg2rad(angles)):
        u = ((x_axis[None] - 66) * np.cos(theta) + (y_axis[:, None] + 40) * np.sin(theta)) / 20 + 21 / 2 - du[i]
        row = (z_axis + 9) / 20 + 3 - dz[i]
        padded = np.pad(y[i].astype(np.float64), 1)
        columns = np.stack([np.interp(u + 1, np.arange(24), line, left=0, right=0) for line in padded])
        for k in range(10):
            low = int(np.clip(np.floor(row[k] + 1), 0, 7))
            fraction = np.clip(row[k] + 1 - low, 0, 1)
            expected[k] += weights[i] * ((1 - fraction) * columns[low] + fraction * columns[low + 1])
    assert np.allclose(A.backproject(y, weights), expected, atol=1e-5)
    assert np.allclose(A.backproject(y), A.backproject(y, np.ones(6)), atol=0)


# --- threads, forks, caches ------------------------------------------------------------------------------------------


def test_the_same_bits_with_any_number_of_threads():
    for slices in (12, 70):
        angles = np.arange(0, 180, 17)
        one = beam(angles, columns=30, slices=slices, dz=0.3, threads=1)
        x = np.random.default_rng(0).random(one.domain_shape, dtype=np.float32)
        y = one(x)
        for threads in (2, 3):
            more = beam(angles, columns=30, slices=slices, dz=0.3, threads=threads)
            assert np.array_equal(more(x), y)
            assert np.array_equal(more.T(y), one.T(y))
            assert np.array_equal(more.backproject(y), one.backproject(y))


def test_safe_after_a_fork():
    A = beam(np.arange(0, 180, 20), columns=24, slices=70, threads=2)
    x = np.random.default_rng(0).random(A.domain_shape, dtype=np.float32)
    expected = A.T(A(x))
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(A.T(A(x)), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_works_where_no_cache_can_be_written():
    code = (
        "import numpy as np\n"
        "from sxtbench.geometry import ParallelGeometry\n"
        "from sxtbench.operators import ParallelBeam\n"
        "g = ParallelGeometry(angles_deg=[0, 30], columns=8, slices=1, pixel_size_nm=1000)\n"
        "print(ParallelBeam(g, (1, 8, 8))(np.ones((1, 8, 8)))[0, 0, 3])"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": "/proc/nope"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(8)


# --- input -----------------------------------------------------------------------------------------------------------


def test_input_is_cast_and_left_alone():
    A = beam([0, 30, 80], columns=10, slices=2)
    x = np.random.default_rng(0).random((2, 10, 10))
    kept = x.copy()
    y = A(x)
    assert y.dtype == A.T(y).dtype == A.backproject(y).dtype == np.float32
    assert np.array_equal(x, kept)
    single = x.astype(np.float32)
    frozen = single.copy()
    frozen.flags.writeable = False
    for other in (single, frozen, single.transpose(2, 1, 0).copy().transpose(2, 1, 0)):
        assert np.array_equal(A(other), y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(backend="cuda"), "no backend 'cuda', expected one of: numba, torch, astra, torch-radon"),
        (dict(shape=(1, 8)), "volume_shape is"),
        (dict(shape=(1, 0, 8)), "volume_shape is"),
        (dict(voxel_size_nm=-1.0), "voxel_size_nm is -1.0"),
        (dict(origin_nm=(0, 0)), "origin_nm is"),
        (dict(origin_nm=(0, 0, np.nan)), "origin_nm is"),
        (dict(threads=0), "threads is 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        beam([0], columns=8, **options)


def test_bad_arrays():
    A = beam([0, 1], columns=8)
    with pytest.raises(InputError, match=r"volume has shape \(8, 8\), expected \(1, 8, 8\)"):
        A(np.zeros((8, 8)))
    with pytest.raises(InputError, match=r"projections has shape .* expected \(2, 1, 8\)"):
        A.T(np.zeros((1, 1, 8)))
    with pytest.raises(InputError, match="dtype complex"):
        A(np.zeros((1, 8, 8), complex))
    with pytest.raises(InputError, match="weights have shape"):
        A.backproject(np.zeros((2, 1, 8)), [1.0])
