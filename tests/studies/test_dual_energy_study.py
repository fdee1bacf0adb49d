import numpy as np
import pytest

from sxtbench.reconstruction.dual_energy import DualEnergyFit, StrayLightFit
from sxtbench.studies.dual_energy import LEVELS, PHI0, C, correction_errors, run
from sxtbench.studies.phantom import inside_cylinder


class Cylinder:
    """A cylinder of two values, in place of a cell."""

    description = "a cylinder"

    def cylinder(self, *, radius_um, slices, voxel_size_nm):
        n = 2 * round(1000 * radius_um / voxel_size_nm) + 1
        lac = np.full((slices, n, n), 0.2, np.float32)
        lac[:, : n // 2] = 0.28
        return lac * inside_cylinder(lac.shape, 1000 * radius_um / voxel_size_nm)


@pytest.fixture(scope="module")
def findings():
    size = {"radius_um": 6.0, "pixel_size_nm": 160.0, "slices": 3, "views": 16}
    return run(size, source=Cylinder(), seed=0, report=lambda line: None)


def test_every_check_passes_at_a_small_size(findings):
    assert [check.name for check in findings.checks if not check.passed] == []


def test_fits_come_closer_with_more_photons(findings):
    fits = findings.tables["dual_energy_fits"]
    same = fits[fits.interior_lens_nm == 60]
    assert same.fluence_over_experiment.tolist() == list(LEVELS)
    assert (np.diff(same.residual) < 0).all()
    assert (np.diff(same.residual / same.residual_stray_light) < 0).all()


def test_reconstruction_gets_its_lac_back(findings):
    bias = findings.tables["dual_energy_lac"].set_index("data").relative
    assert bias["interior scan, as measured"] < -0.05
    assert abs(bias["corrected by two energies"]) < 0.01


def test_error_without_correction_grows_with_thickness_and_the_truth_corrects_all_of_it():
    table = correction_errors(DualEnergyFit(PHI0, C, 0.0), StrayLightFit(0.98, 0.02, 0.0))
    assert (np.diff(table.error_none) < 0).all()
    assert table.error_none.iloc[-1] == pytest.approx(np.log(PHI0 * np.exp(-3) + 0.05 * np.exp(-0.9)) / -3 - 1)
    assert table.error_dual_energy.abs().max() < 1e-5


def test_a_wrong_model_fails_the_bias_check():
    table = correction_errors(DualEnergyFit(0.95, 0.6, 0.0), StrayLightFit(0.98, 0.02, 0.0))
    assert table.error_dual_energy.abs().max() > 0.01


def test_same_seed_same_numbers(findings):
    size = {"radius_um": 6.0, "pixel_size_nm": 160.0, "slices": 3, "views": 16}
    again = run(size, source=Cylinder(), seed=0, report=lambda line: None)
    other = run(size, source=Cylinder(), seed=1, report=lambda line: None)
    first = findings.tables["dual_energy_fits"]
    assert again.tables["dual_energy_fits"].equals(first)
    assert not other.tables["dual_energy_fits"].equals(first)
