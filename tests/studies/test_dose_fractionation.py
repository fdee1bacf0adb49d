import numpy as np
import pytest

from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics import psnr
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import cgne
from sxtbench.studies.dose_fractionation import (
    DOSES,
    PUBLISHED_HALF_NM,
    SIZES,
    VIEWS,
    best_descents,
    run,
)
from sxtbench.studies.phantom import inside_cylinder
from sxtbench.studies.reading import peak


def textured(slices, n, seed=0):
    rng = np.random.default_rng(seed)
    lac = (0.25 + 0.06 * rng.standard_normal((slices, n, n))).astype(np.float32)
    lac[:, n // 3 : n // 2, n // 3 : n // 2] += 0.2
    return np.maximum(lac, 0) * inside_cylinder(lac.shape, (n - 1) / 2)


class Texture:
    """White texture in a cylinder, in place of a cell."""

    description = "texture"

    def cylinder(self, *, radius_um, slices, voxel_size_nm):
        return textured(slices, 2 * round(1000 * radius_um / voxel_size_nm) + 1)


SMALL = {
    "radius_um": 2.0,
    "region_um": 2.6,
    "voxel_size_nm": 50.0,
    "slices": 2,
    "views": (9, 61, 91, 121),
    "iterations": 25,
}


@pytest.fixture(scope="module")
def findings():
    return run(SMALL, source=Texture(), seed=0, report=lambda line: None)


@pytest.fixture(scope="module")
def problem():
    n, views = 24, 15
    geometry = ParallelGeometry(angles_deg=np.arange(views) * 12.0, columns=35, slices=3, pixel_size_nm=100.0)
    A = ParallelBeam(geometry, (3, n, n))
    truth = textured(1, n)
    rng = np.random.default_rng(1)
    data = A(np.repeat(truth, 3, axis=0))
    data = data + (np.array([0.0, 0.02, 0.2])[None, :, None] * rng.standard_normal(data.shape)).astype(np.float32)
    return geometry, A, truth, data.astype(np.float32)


def test_side_by_side_is_projected_descent_on_each_alone(problem):
    geometry, A, truth, data = problem
    one = ParallelBeam(
        ParallelGeometry(
            angles_deg=geometry.angles_deg, columns=geometry.columns, slices=1, pixel_size_nm=geometry.pixel_size_nm
        ),
        truth.shape,
    )
    everywhere = np.ones(truth.shape, bool)
    found = best_descents(A, data, truth, everywhere, iterations=12)
    for i, best in enumerate(found):
        values = []
        alone = []

        def look(iteration, x, values=values, alone=alone):
            values.append(psnr(x, truth, data_range=peak(truth)))
            alone.append(x.copy())

        cgne(one, data[:, i : i + 1], 12, nonnegative=True, callback=look)
        assert best.iteration == int(np.argmax(values)) + 1
        assert best.psnr == pytest.approx(max(values), abs=1e-3)
        np.testing.assert_allclose(best.volume, alone[best.iteration - 1], atol=2e-4)


def test_noisy_data_stop_earlier_and_say_so(problem):
    _, A, truth, data = problem
    found = best_descents(A, data, truth, np.ones(truth.shape, bool), iterations=40)
    assert found[2].iteration < found[0].iteration
    assert found[2].psnr < found[0].psnr
    assert not found[2].exhausted
    assert (found[2].volume >= 0).all()


def test_published_curves_are_read_to_a_tenth_of_a_nanometre(findings):
    check = findings.checks[0]
    assert check.kind == "exact"
    assert check.passed
    assert {len(values) for values in PUBLISHED_HALF_NM.values()} == {len(VIEWS)}


def test_more_photons_need_more_views(findings):
    table = findings.tables["fractionation"].set_index(["dose", "views"])
    few, many = min(SMALL["views"]), max(SMALL["views"])
    gain = [table.half_nm[dose, few] / table.half_nm[dose, many] for dose in (DOSES[0], DOSES[-1])]
    assert gain[1] > gain[0]
    assert (np.diff([table["mean"][dose, many] for dose in DOSES]) > 0).all()


def test_the_dose_is_what_is_shared(findings):
    table = findings.tables["fractionation"]
    assert (table.photons_per_image == table.dose // table.views).all()


def test_published_numbers_stand_beside_a_cylinder_of_the_papers_size_only(findings):
    assert findings.tables["fractionation"].published_half_nm.isna().all()
    assert SIZES["default"]["radius_um"] == SIZES["paper"]["radius_um"]
    assert SIZES["default"]["views"] == VIEWS
