"""Counts smoothed by a Gaussian before the logarithm."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sxtbench.benchmark.constants import constants_for

_LEAST = 0.5  # counts, as in the suite's absorbance


class GaussianProjections:
    """Smooth the counts of each view; the harness reconstructs.

    Parameters
    ----------
    tiers : dict of dict
        `sigma_px` by tier and level, found by `sxtbench tune` on validation.
    """

    name = "gaussian-projections"
    answer = "projections"

    def __init__(self, tiers: dict[str, dict[str, Any]]) -> None:
        self.tiers = tiers

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return absorbance, shape (n_angles, z, u), float32."""
        series = sample.tilt_series
        sigma = constants_for(self.tiers, sample)["sigma_px"]
        counts = ndimage.gaussian_filter(series.counts.astype(np.float32), (0, sigma, sigma), mode="nearest")
        incident = series.incident_photons.astype(np.float32)[:, None, None]
        absorbance: NDArray[np.float32] = np.log(incident / np.maximum(counts, _LEAST))
        return absorbance
