"""Where volumes are scored."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from sxtbench.metrics.dilation import dilated
from sxtbench.metrics.regions import cell_halo, cylinder


@pytest.mark.parametrize("radius", [0.0, 1.0, 2.5, 3.0, 7.14, 40.0])
@pytest.mark.parametrize("shape", [(20, 30, 40), (1, 17, 9)])
def test_dilation_is_that_of_the_distance_transform(radius: float, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    mask = rng.random(shape) > 0.998
    mask[0, 3, 5] = True
    np.testing.assert_array_equal(dilated(mask, radius), distance_transform_edt(~mask) <= radius)


def test_nothing_dilates_to_nothing() -> None:
    assert not dilated(np.zeros((4, 5, 6), bool), 3.0).any()


def test_the_cylinder_is_inscribed() -> None:
    mask = cylinder((3, 64, 64))
    assert mask[:, 32, 2].all()
    assert not mask[:, 32, 1].any()
    assert not mask[:, 2, 2].any()
    assert mask.mean() == pytest.approx(np.pi * 30**2 / 64**2, rel=0.01)
    assert cylinder((3, 40, 64))[0].sum() == pytest.approx(np.pi * 18**2, rel=0.02)


def test_the_halo_holds_cells_and_no_artefacts() -> None:
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[15:25, 15:25, 15:25] = 1
    labels[18, 18, 18] = 3
    bead = np.zeros(labels.shape, bool)
    bead[20, 20, 28] = True
    halo = cell_halo(labels, {"fiducials": bead}, 100.0)
    assert halo[15:25, 15:25, 15:24].all()
    assert halo[10, 20, 20]
    assert not halo[9, 20, 20]
    assert not halo[20, 20, 25:].any()
