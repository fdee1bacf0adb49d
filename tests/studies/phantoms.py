"""A source of phantoms that takes no time: grain and a few balls in a cylinder, or in a cell within the slices."""

import numpy as np
from scipy import ndimage

from sxtbench.studies.phantom import inside_cylinder


class Grain:
    description = "grain"

    def cylinder(self, *, radius_um, slices, voxel_size_nm):
        n = 2 * round(1000 * radius_um / voxel_size_nm) + 1
        return self._lac((slices, n, n)) * inside_cylinder((n, n), 1000 * radius_um / voxel_size_nm)

    def cell(self, *, shape, voxel_size_nm):
        y, x = (np.linspace(-1, 1, n) for n in shape[1:])
        return self._lac(shape) * (np.hypot(y[:, None], 1.2 * x[None]) < 0.9)

    def _lac(self, shape):
        rng = np.random.default_rng(0)
        balls = ndimage.gaussian_filter(rng.standard_normal(shape), 2) > 0.12
        return (0.22 + 0.1 * balls + 0.03 * rng.standard_normal(shape)).clip(0.02).astype(np.float32)
