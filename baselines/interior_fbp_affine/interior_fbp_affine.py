"""Filtered backprojection of a truncated scan, then the gain and offset that fit it best to the truth of train."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.metrics import affine_fit
from sxtbench.reconstruction import fbp_interior

Level = tuple[tuple[str, float], ...]


class InteriorFbpAffine:
    """Interior FBP with calibrated grey values: one gain and one offset for each level of each axis.

    Parameters
    ----------
    tiers : dict of dict
        `filter` by tier and level, found by `sxtbench tune` on validation.
    """

    name = "interior-fbp-affine"

    def __init__(self, tiers: dict[str, dict[str, Any]]) -> None:
        self.tiers = tiers
        self.calibration: dict[Level, tuple[float, float]] = {}

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        """Fit gain and offset in the scored region, pooled over the specimens of train."""
        found: dict[Level, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = {}
        for sample in train:
            region = sample.scored_region
            pair = self._fbp(sample)[region], sample.targets["lac"][region]
            found.setdefault(tuple(sample.condition.items()), []).append(pair)
        for condition, pairs in found.items():
            answer, truth = (np.concatenate(values) for values in zip(*pairs, strict=True))
            self.calibration[condition] = affine_fit(answer, truth)

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the calibrated LAC, shape (z, y, x), 1/um."""
        gain, offset = self.calibration[tuple(sample.condition.items())]
        return np.float32(gain) * self._fbp(sample) + np.float32(offset)

    def _fbp(self, sample: Any) -> NDArray[np.float32]:
        series = sample.series["interior"]
        constants = constants_for(self.tiers, sample)
        return fbp_interior(series.projections, series.geometry, sample.shape, sample.voxel_size_nm, **constants)
