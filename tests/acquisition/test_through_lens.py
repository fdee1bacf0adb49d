"""A tilt series through a lens of limited depth of field: what is out of focus is blurred more."""

import numpy as np
import pytest
from pydantic import ValidationError

from sxtbench.acquisition.scene import Scene
from sxtbench.acquisition.series import AcquisitionParameters, DeepAcquisitionParameters, Exposure, acquire
from sxtbench.geometry import VolumeGrid
from sxtbench.randomness import generator

GRID = VolumeGrid((32, 120, 64), 40.0)
PLAIN = {
    "energy_ev": 510,
    "outer_zone_width_nm": 25,
    "detected_photons_per_pixel": 1e6,
    "tilt": {
        "range_deg": 60,
        "step_deg": 30,
        "offset_deg": 0.0,
        "dropped_share": 0.0,
        "longest_dropped_run": 1,
        "jitter_sd_deg": 0.0,
    },
    "flat_field": None,
    "misalignment": None,
}


def taken(depth_um: float, parameters: AcquisitionParameters, *, factor: int = 1) -> Exposure:
    """Take a series of a small block at a depth, in a slab of ice of 3 um."""
    excess = np.zeros(GRID.shape, np.float32)
    row = round(depth_um / GRID.voxel_size_um + (GRID.shape[1] - 1) / 2)
    excess[15:17, row - 1 : row + 1, 31:33] = 0.1
    scene = Scene(
        excess=excess,
        slab=np.ones(GRID.shape[1], np.float32),
        ice_lac_per_um=0.1,
        ice_thickness_um=3.0,
        masks={},
        beads_um=np.zeros((0, 4)),
    )
    return acquire(
        scene,
        np.ones(GRID.shape, np.float32),
        GRID,
        factor=factor,
        columns=64 // factor,
        parameters=parameters,
        generator=lambda stage: generator(1, "study", 0, stage),
        counts_key=5,
    )


def peak(exposure: Exposure) -> float:
    view = -np.log(exposure.transmission[np.argmin(np.abs(exposure.series.angles_deg))])
    return float(view.max() - np.median(view))


def test_blur_grows_with_depth_only_where_the_depth_of_field_is_limited() -> None:
    flat = AcquisitionParameters.model_validate(PLAIN)
    deep = DeepAcquisitionParameters.model_validate(PLAIN | {"depth_of_field": "limited"})
    depths = (0.0, 1.1, 2.2)
    in_focus, through_lens = ([peak(taken(depth, p)) for depth in depths] for p in (flat, deep))
    assert max(in_focus) - min(in_focus) < 1e-3 * max(in_focus)
    # Its kernels are sampled at the voxels' centres, which these voxels do coarsely for a lens of 25 nm in focus.
    assert through_lens[0] == pytest.approx(in_focus[0], rel=0.2)
    assert through_lens[1] < 0.85 * through_lens[0]
    assert through_lens[2] < 0.7 * through_lens[1]


def test_the_whole_absorbance_is_kept_and_the_ice_is_added_once() -> None:
    deep = DeepAcquisitionParameters.model_validate(PLAIN | {"depth_of_field": "limited"})
    exposure = taken(0.9, deep, factor=2)
    cos = np.cos(np.deg2rad(exposure.true_angles_deg))
    absorbance = -np.log(exposure.transmission.astype(np.float64)) - (0.1 * 3.0 / cos)[:, None, None]
    mass = absorbance.sum(axis=(1, 2)) * 0.08**2
    np.testing.assert_allclose(mass, 8 * 0.1 * 0.04**3, rtol=0.01)  # eight voxels of 0.1/um
    assert exposure.series.counts.shape == (3, 16, 32)


def test_a_recipe_must_say_that_the_depth_of_field_is_limited() -> None:
    with pytest.raises(ValidationError, match="depth_of_field"):
        DeepAcquisitionParameters.model_validate(PLAIN)
