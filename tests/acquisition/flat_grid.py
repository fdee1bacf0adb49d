"""A ball in a slab of ice: what the tests of scenes and of tilt series share."""

from functools import partial

import numpy as np

from sxtbench import randomness
from sxtbench.acquisition.scene import SceneParameters
from sxtbench.geometry import VolumeGrid

GENERATOR = partial(randomness.generator, 7, "test", 0)
GRID = VolumeGrid((80, 88, 96), 60.0)
CRACKS = {
    "region_um": 2.0,
    "thickness_um": 0.15,
    "rim_share": 0.5,
    "rim_lac_per_um": 0.1,
    "roughness": 0.5,
    "roughness_um": 0.9,
    "anisotropy": 1.5,
    "modulation": 0.3,
    "modulation_um": 2.0,
}
IMPURITIES = {"spacing_um": 0.25, "threshold_sd": 1.5, "amplitude_per_um": 0.2}
FIDUCIALS = {"density_per_um2": 0.3, "diameter_um": {"min": 0.1, "max": 0.25}, "lac_per_um": 23.7}


def parameters(**changes):
    values = {"ice_lac_per_um": 0.106, "ice_thickness_um": 4.5, "ice_clearance_um": 0.4}
    return SceneParameters(**(values | {"cracks": None, "impurities": None, "fiducials": None} | changes))


def ball(grid=GRID, radius=1.5):
    z, y, x = grid.axes_um()
    distance = np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2)
    return np.clip((radius - distance) / grid.voxel_size_um + 0.5, 0, 1).astype(np.float32)
