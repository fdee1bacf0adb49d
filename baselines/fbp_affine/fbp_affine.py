"""Filtered backprojection, then the gain and offset that fit it best to the truth of the train split."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.metrics import affine_fit, lac_regression
from sxtbench.reconstruction import fbp


class FbpAffine:
    """FBP with calibrated grey values: one gain and one offset for each family and level of each axis.

    Parameters
    ----------
    tiers : dict of dict
        `filter` and `extension` by tier, found by `sxtbench tune` on validation; `calibration: truth` fits the answer
        by the truth and turns the line around, so that noise in the answer does not flatten it.
    specimens : int
        How many of the train split are looked at; two numbers are well known from a few.
    """

    name = "fbp-affine"

    def __init__(self, tiers: dict[str, dict[str, Any]], specimens: int = 16) -> None:
        self.tiers, self.specimens = tiers, specimens
        self.calibration: dict[tuple[Any, ...], tuple[float, float]] = {}

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        """Fit gain and offset over the scored region, pooled over specimens."""
        groups = sorted({sample.group for sample in train})[: self.specimens]
        found: dict[tuple[Any, ...], list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = {}
        for sample in train:
            if sample.group in groups:
                region = sample.scored_region
                pair = self._fbp(sample)[region], sample.targets["lac"][region]
                found.setdefault(_key(sample), []).append(pair)
                by_truth = constants_for(self.tiers, sample).get("calibration") == "truth"
        for key, pairs in found.items():
            answer, truth = (np.concatenate(values) for values in zip(*pairs, strict=True))
            if by_truth:
                slope, intercept = lac_regression(answer, truth)
                self.calibration[key] = 1 / slope, -intercept / slope
            else:
                self.calibration[key] = affine_fit(answer, truth)

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the calibrated LAC, shape (z, y, x), 1/um."""
        gain, offset = self.calibration[_key(sample)]
        return np.float32(gain) * self._fbp(sample) + np.float32(offset)

    def _fbp(self, sample: Any) -> NDArray[np.float32]:
        series = sample.tilt_series
        constants = constants_for(self.tiers, sample)
        constants.pop("calibration", None)
        return fbp(series.projections, series.geometry, volume_shape=sample.shape, **constants)


def _key(sample: Any) -> tuple[Any, ...]:
    return (sample.metadata.get("family"), *sample.condition.items())
