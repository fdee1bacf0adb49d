"""The four studies of figures 2 to 5 at sizes that take seconds: what they compute, and that their checks can fail."""

import numpy as np
import pytest
from phantoms import Grain

from sxtbench.studies import dose_map, dose_optimisation, interior_nullspace, interior_psf
from sxtbench.studies.published import DOSE_OPTIMISATION, published_table

NULLSPACE = {
    "shape": (2, 60, 68),
    "voxel_size_nm": 400.0,
    "region_um": 10.0,
    "interior_views": 96,
    "full_views": (2, 9, 18, 48),
    "iterations": 25,
    "null_iterations": 40,
}
PSF = {
    "radius_um": 2.5,
    "slices": 2,
    "voxel_size_nm": 50.0,
    "region_um": 1.9,
    "views": 60,
    "photons": 60000.0,
    "iterations": 15,
}
DOSE = {**PSF, "photons": 6000.0, "full_views": (3, 9, 30)}
MAP = {"radius_um": 2.0, "region_um": 1.5, "voxel_size_nm": 50.0, "slices": 1}


def told(module, size, seed=0):
    lines = []
    return module.run(size, source=Grain(), seed=seed, report=lines.append), lines


def by_name(findings):
    return {check.name: check for check in findings.checks}


@pytest.fixture(scope="module")
def nullspace():
    return told(interior_nullspace, NULLSPACE)


@pytest.fixture(scope="module")
def psf():
    return told(interior_psf, PSF)


@pytest.fixture(scope="module")
def dose():
    return told(dose_optimisation, DOSE)


def test_the_grid_of_full_views_is_the_published_one():
    assert list(interior_nullspace.GRID) == published_table("nullspace").n_full.tolist()


def test_a_few_full_views_settle_the_region(nullspace):
    findings, lines = nullspace
    table, others = findings.tables["nullspace"], findings.tables["others"].set_index("data")
    assert table.n_full.tolist() == list(NULLSPACE["full_views"])
    assert others.psnr_region["combined"] > others.psnr_region["interior only"] + 5
    assert others.null_region["interior only"] > 10 * others.null_region["combined"]
    assert abs(others.bias_region["combined"]) < 0.005 < 0.03 < abs(others.bias_region["interior only"])
    assert np.all(np.diff(table.null_volume) < 0)
    assert table.published_psnr_volume[0] == pytest.approx(18.0516, abs=1e-3)
    assert any("combined, 9 full views: iteration 1," in line for line in lines)


def test_the_null_component_is_one_that_no_view_sees():
    size = {**NULLSPACE, "null_iterations": 200}
    setup = interior_nullspace._setup(size, Grain())
    A = setup.scan(9, setup.detector_px)
    row = interior_nullspace._row(setup, A, "sparse", lambda line: None)
    assert np.linalg.norm(A(row.null)) < 1e-3 * np.linalg.norm(A(setup.phantom))
    measured = setup.phantom - row.null
    assert abs(np.vdot(measured, row.null)) < 0.02 * np.linalg.norm(measured) * np.linalg.norm(row.null)
    share = np.sum(row.null**2) / np.sum(setup.phantom**2)
    assert row.values["null_volume"] == pytest.approx(share, rel=1e-3)


def test_checks_of_the_null_space_can_fail(nullspace):
    table, others = (nullspace[0].tables[name].copy() for name in ("nullspace", "others"))
    good = {check.name: check.passed for check in interior_nullspace._checks(table, others)}
    others["psnr_region"] = others.psnr_region.to_numpy()[::-1]
    others["bias_region"] = others.bias_region.to_numpy()[[2, 1, 0, 3]]
    others["null_region"] = 0.02
    table["null_region"], table["null_volume"] = 0.02, np.arange(len(table)) + 1.0
    table["psnr_volume"], table["psnr_region"] = np.arange(len(table))[::-1] + 1.0, np.arange(len(table)) * 3.0
    bad = {check.name: check.passed for check in interior_nullspace._checks(table, others)}
    failing = [name for name in good if not bad[name]]
    assert len(failing) >= 10
    table["psnr_region"] = 20.0
    flat = {check.name: check.passed for check in interior_nullspace._checks(table, others)}
    assert sum(not passed for name, passed in flat.items() if "too few" in name) == 1


def test_published_numbers_of_figure_3_are_exact():
    checks = interior_psf.published_checks()
    assert len(checks) == 6
    assert all(check.passed and check.kind == "exact" for check in checks)


def test_relative_psnr_is_that_of_the_volumes(psf):
    findings, _ = psf
    table = findings.tables["psnr_by_radius"]
    assert table.width_um.between(0, 5.1).all()
    inside = table[table.width_um < 1.8]
    assert (inside.relative_combined > inside.relative_interior + 3).all()
    assert findings.tables["ring_correlation"].smooth_35.iloc[:3].mean() > 0.9
    published = findings.tables["scans"].published_seventh_nm.to_numpy()
    np.testing.assert_allclose(published.astype(float), [np.nan, 61.85, 79.67, 66.33, 65.86], atol=0.01)
    names = by_name(findings)
    assert names["region: combined over interior only, dB"].passed
    assert not any("beyond" in name or "resolution of full" in name for name in names), "too small to be asked"


def test_noise_comes_from_the_seed_alone(psf):
    again, _ = told(interior_psf, PSF)
    other, _ = told(interior_psf, PSF, seed=1)
    first = psf[0].tables["psnr_by_radius"]
    assert first.equals(again.tables["psnr_by_radius"])
    assert not first.equals(other.tables["psnr_by_radius"])


def test_equation_13_is_exact():
    exposures, budget = dose_optimisation.budget_checks()
    assert exposures.passed
    assert budget.passed
    assert len(dose_optimisation.PUBLISHED_PHOTONS) == len(DOSE_OPTIMISATION["n_full"])


def test_a_division_of_the_dose_is_paid_for_in_full(dose):
    findings, _ = dose
    table = findings.tables["dose_optimisation"]
    assert (np.diff(table.interior_photons) < 0).all()
    assert by_name(findings)["dose of every division over the reference's, less 1"].passed
    assert np.isfinite(table.filter(like="psnr").to_numpy()).all()
    assert table.published_direct.isna().all()


def test_checks_of_the_division_can_fail(dose):
    table = dose[0].tables["dose_optimisation"].copy()
    table["psnr_direct"], table["psnr_deconvolved"] = [20.0, 19.0, 18.0], 17.0
    table["interior_photons"] = 1.0
    checks = dose_optimisation._checks(table, 21.0, 2.3, 60, 6000.0)
    assert len(checks) == 5
    assert not any(check.passed for check in checks)


def test_the_dose_moves_from_the_edge_into_the_region():
    findings, _ = told(dose_map, MAP)
    table = findings.tables["schemes"].set_index("scheme")
    assert table.whole.to_numpy() == pytest.approx(1.0, abs=0.01)
    assert table.region["combined"] > 1.2 * table.region["full rotation"]
    exact = [check for check in findings.checks if check.kind == "exact"]
    assert len(exact) == 4
    profiles = findings.tables["profiles"]
    assert profiles.combined.iloc[0] > profiles.full_rotation.iloc[0]


@pytest.mark.parametrize("what", ["nullspace", "psf", "dose"])
def test_pages_have_tables_captions_and_figures_with_content(what, request):
    findings, _ = request.getfixturevalue(what)
    assert set(findings.captions) == set(findings.figures)
    assert "|---|" in findings.text
    assert all(figure.axes for figure in findings.figures.values())
    assert "experiment" in findings.fluence
