"""Filtered backprojection at the nominal angles."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.reconstruction import fbp


class Fbp:
    """Reconstruct each tilt series by FBP.

    Parameters
    ----------
    filter : str
        `ram-lak`, `shepp-logan`, `hann` or `hamming`.
    tiers : dict of dict
        `extension` by tier: how truncated views go on beyond the detector.
    name : str
        Of the method.
    """

    def __init__(self, filter: str, tiers: dict[str, dict[str, Any]], name: str) -> None:
        self.filter, self.tiers, self.name = filter, tiers, name

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the LAC, shape (z, y, x), 1/um."""
        series = sample.tilt_series
        constants = constants_for(self.tiers, sample)
        return fbp(series.projections, series.geometry, volume_shape=sample.shape, filter=self.filter, **constants)
