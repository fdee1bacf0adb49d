import numpy as np
import pytest
from phantoms import Grain

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics import psnr
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import cgne
from sxtbench.studies.published import TABLES, published_path, published_table
from sxtbench.studies.reading import annular_errors, crossing_nm, peak, psnr_in, region_cylinder, ring_correlation
from sxtbench.studies.stopping import best_cgne

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(("column", "nm"), [("frc_60_s", 79.67), ("frc_35_s", 61.85)])
def test_the_papers_resolutions_come_out_of_its_own_table(column, nm):
    table = published_table("frc")
    assert crossing_nm(table.freq, table[column], 1 / 7, 20.0) == pytest.approx(nm, abs=0.1)


def test_the_published_tables_carry_their_licence():
    notice = (published_path("frc").parent / "README.md").read_text()
    assert "MIT" in notice
    assert "Axel Ekman" in notice
    assert all(file in notice for file in TABLES.values())
    assert all(len(published_table(name)) > 10 for name in TABLES)


def test_the_region_is_the_papers_cylinder():
    shape, width = (9, 20, 21), 6.5
    mask = region_cylinder(shape, width)
    for place in np.ndindex(shape):
        z, y, x = (i - (n - 1) / 2 for i, n in zip(place, shape, strict=True))
        assert mask[place] == (y**2 + x**2 < (width / 2) ** 2 and abs(z) < width / 2)


def test_psnr_takes_its_range_from_the_whole_phantom_zeros_included():
    truth = np.zeros((1, 10, 10), np.float32)
    truth[0, :5] = np.linspace(0.1, 1, 50).reshape(5, 10)
    wrong = truth + np.float32(0.1)
    mask = truth > 0
    assert psnr_in(wrong, truth, mask) == pytest.approx(20 * np.log10(np.percentile(truth, 99) / 0.1), abs=1e-4)
    assert peak(truth, mask) > peak(truth)


def test_annuli_add_up_to_the_disc_and_see_where_the_error_is():
    truth = Grain().cylinder(radius_um=2.0, slices=3, voxel_size_nm=50.0)
    y, x = (np.arange(n) - (n - 1) / 2 for n in truth.shape[1:])
    distance = np.hypot(y[:, None], x[None])
    error = np.where(distance < 20, 0.01, 0.1).astype(np.float32)
    errors = annular_errors({"a": truth + error}, truth, radius_px=40, annuli=4)
    values = errors.psnr("a")
    np.testing.assert_allclose(values[:2] - values[2:], 20, atol=1e-3)
    assert errors.psnr_between("a", 0, 20) == pytest.approx(values[0], abs=1e-3)
    inside = errors.squares["a"].sum() / errors.count.sum()
    assert errors.psnr_between("a", 0, 40) == pytest.approx(10 * np.log10(errors.top**2 / inside))
    assert np.all(np.diff(errors.radius_px) > 0)


def test_rings_are_round_k_without_a_window():
    n = 24
    truth = RNG.random((3, 40, 40)).astype(np.float32)
    other = (truth + RNG.standard_normal(truth.shape) * 0.5).astype(np.float32)
    found = ring_correlation(other, truth, width_px=n, pixel_size_nm=20.0)
    a, b = (np.fft.fft2(v[1, 8:32, 8:32]) for v in (other, truth))
    k = np.round(np.hypot(*np.meshgrid(*[np.fft.fftfreq(n) * n] * 2))).astype(int)
    for ring in range(1, n // 2 + 1):
        at = k == ring
        wanted = (a[at] * b[at].conj()).real.sum() / np.sqrt((abs(a[at]) ** 2).sum() * (abs(b[at]) ** 2).sum())
        assert found.raw[ring] == pytest.approx(wanted, abs=1e-6)
    np.testing.assert_allclose(found.frequency, np.arange(n // 2 + 1) / (n / 2))


def test_a_volume_correlates_with_itself_and_smoothing_moves_the_crossing():
    volume = RNG.random((2, 30, 30)).astype(np.float32)
    own = ring_correlation(volume, volume, width_px=30, pixel_size_nm=20.0)
    np.testing.assert_allclose(own.raw, 1, atol=1e-6)
    assert own.crossing_nm() is None
    table = published_table("frc")
    assert crossing_nm(table.freq, table.frc_60, 1 / 7, 20.0) == pytest.approx(84.94, abs=0.05)


def test_a_square_that_does_not_fit_is_refused():
    volume = np.zeros((2, 30, 30), np.float32)
    with pytest.raises(InputError, match=r"square is 31 px wide, the slice has \(30, 30\)"):
        ring_correlation(volume, volume, width_px=31, pixel_size_nm=20.0)


def test_cgne_stops_at_the_best_iterate():
    truth = Grain().cylinder(radius_um=1.0, slices=2, voxel_size_nm=50.0)
    geometry = ParallelGeometry(
        angles_deg=np.linspace(0, 180, 60, endpoint=False), columns=41, slices=2, pixel_size_nm=50.0
    )
    A = ParallelBeam(geometry, truth.shape)
    y = A(truth)
    y = (y + 0.02 * RNG.standard_normal(y.shape)).astype(np.float32)
    mask = region_cylinder(truth.shape, 30)
    values = []
    cgne(A, y, 40, callback=lambda i, x: values.append(psnr(x, truth, data_range=peak(truth), mask=mask)))
    told = []
    best = best_cgne(A, y, truth, mask, iterations=40, report=told.append, name="full")
    assert best.iteration == int(np.argmax(values)) + 1
    assert best.psnr == pytest.approx(max(values))
    assert psnr_in(best.volume, truth, mask) == pytest.approx(best.psnr)
    assert len(told) == best.iteration + 6 < 40
    assert told[0].startswith("full: iteration 1, ")
    assert not best.exhausted
    assert best_cgne(A, y, truth, mask, iterations=2).exhausted
