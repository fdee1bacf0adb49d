import numpy as np
import pytest

from sxtbench.acquisition.optics import frequency_of_otf_power
from sxtbench.studies.sampling_power import SIZES, point_spectrum, run, sample_lens, tabled_frequency


@pytest.fixture(scope="module")
def findings():
    return run(SIZES["paper"], source=None, seed=0, report=lambda line: None)


def test_the_papers_numbers_come_out_exactly(findings):
    assert {check.kind for check in findings.checks} == {"exact"}
    assert [check.name for check in findings.checks if not check.passed] == []
    views = {check.name: check.value for check in findings.checks if check.name.startswith("views for 98")}
    assert list(views.values()) == [656, 1124]


def test_the_table_goes_up_to_nyquist_at_the_rim_and_never_falls(findings):
    table = findings.tables["sampling_power"]
    assert table.views.iloc[-1] == int(np.pi * 400) + 2
    assert (np.diff(table.power_60) >= 0).all()
    assert (np.diff(table.power_35) >= 0).all()
    assert table.power_60.iloc[-1] == pytest.approx(1.0, abs=2e-3)
    assert (table.power_60 >= table.power_35 - 2e-3).all()


def test_a_lower_cutoff_needs_fewer_views(findings):
    limits = findings.tables["sampling_limits"].set_index("lens [nm]")
    ratio = limits["views, cut-off 1/dr"] / limits["views, f without the code's table"]
    assert ratio.to_numpy() == pytest.approx(1 / 1.22, rel=1e-3)


def test_tabled_frequency_comes_close_to_the_exact_one_and_ends_at_nyquist():
    for share in (0.5, 0.98):
        assert tabled_frequency(share, 0.3) == pytest.approx(frequency_of_otf_power(share, 0.3), rel=3e-3)
    assert tabled_frequency(0.999, 2.0) == 0.5


def test_spectrum_is_that_of_a_points_projections():
    """The angular transform of a point's phase ramps, computed from its position view by view."""
    columns, radius, n = 41, 20.0, 512
    angles = 2 * np.pi * np.arange(n) / n
    frequency = np.arange(columns // 2) / columns
    ramps = np.exp(-2j * np.pi * frequency[None] * radius * np.cos(angles)[:, None])
    expected = np.abs(np.fft.fft(ramps, axis=0) / n)[: int(np.pi * radius) + 3]
    np.testing.assert_allclose(point_spectrum(columns, radius), expected, atol=1e-9)


def test_all_of_the_power_is_collected_by_the_views_of_the_cutoff():
    lens = sample_lens(60, point_spectrum(201, 100), columns=201, radius_px=100, pixel_size_nm=20.0)
    assert lens.power[int(2 * np.pi * lens.cutoff * 100) + 10] == pytest.approx(lens.power[-1], rel=1e-6)
    assert lens.views(0.5) < lens.views(0.9) < lens.views(0.98)


def test_a_smaller_detector_makes_no_claim_on_the_papers_numbers():
    small = {"columns": 101, "radius_px": 50, "pixel_size_nm": 20.0}
    assert run(small, source=None, seed=0, report=lambda line: None).checks == ()
