"""Non-local means of projections whose noise was made even by Anscombe's transform."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means

from sxtbench.benchmark.constants import constants_for

_LEAST = 0.25  # counts: the logarithm needs some


class AnscombeNlm:
    """Denoise each view by non-local means (Buades et al. 2005); the harness reconstructs.

    Parameters
    ----------
    tiers : dict of dict
        By tier and level: `h` (times the noise, which is 1), `patch_size` and `patch_distance` in pixels; found by
        `sxtbench tune` on validation.
    """

    name = "anscombe-nlm"
    answer = "projections"

    def __init__(self, tiers: dict[str, dict[str, Any]]) -> None:
        self.tiers = tiers

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return absorbance, shape (n_angles, z, u), float32."""
        series, options = sample.tilt_series, constants_for(self.tiers, sample)
        even = 2 * np.sqrt(series.counts.astype(np.float64) + 3 / 8)
        smooth = np.stack([denoise_nl_means(view, sigma=1.0, fast_mode=True, **options) for view in even])
        counts = np.maximum(unbiased_inverse(smooth), _LEAST)
        absorbance: NDArray[np.float64] = np.log(series.incident_photons[:, None, None] / counts)
        return absorbance.astype(np.float32)


def unbiased_inverse(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return expected counts from the mean of Anscombe-transformed counts (Makitalo and Foi 2011, closed form).

    Parameters
    ----------
    values : ndarray, any shape, float64
        Means of `2 sqrt(counts + 3/8)`.

    References
    ----------
    Makitalo and Foi, IEEE Trans. Image Process. 20 (2011) 2697, doi 10.1109/TIP.2011.2121085.

    Examples
    --------
    >>> unbiased_inverse(np.array([2 * np.sqrt(3 / 8), 20.0])).round(2).tolist()
    [0.0, 99.89]
    """
    d = np.maximum(values, 2 * np.sqrt(3 / 8))
    root = np.sqrt(3 / 2)
    found: NDArray[np.float64] = d**2 / 4 + root / (4 * d) - 11 / (8 * d**2) + 5 * root / (8 * d**3) - 1 / 8
    return np.maximum(found, 0.0)
