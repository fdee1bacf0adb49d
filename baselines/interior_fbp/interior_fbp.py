"""Filtered backprojection of a truncated scan, on the whole field."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.reconstruction import fbp_interior


class InteriorFbp:
    """FBP of the interior scan alone, its views extended beyond the detector.

    Parameters
    ----------
    tiers : dict of dict
        `filter` by tier and level, found by `sxtbench tune` on validation.
    """

    name = "interior-fbp"

    def __init__(self, tiers: dict[str, dict[str, Any]]) -> None:
        self.tiers = tiers

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the LAC, shape (z, y, x), 1/um."""
        series = sample.series["interior"]
        constants = constants_for(self.tiers, sample)
        return fbp_interior(series.projections, series.geometry, sample.shape, sample.voxel_size_nm, **constants)
