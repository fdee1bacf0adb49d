"""Filtered backprojection, an enhancement before or after it, and grey values calibrated on train."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import fourier_gaussian
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from sxtbench.benchmark.constants import constants_for
from sxtbench.enhancement import material, paganin, unsharp_mask
from sxtbench.metrics import lac_regression
from sxtbench.reconstruction import fbp

Volume = NDArray[np.float32]


def _gaussian(sample: Any, *, sigma_px: float) -> Volume:
    """Filter in Fourier space: a Gaussian of half a voxel, sampled in space, is none."""
    return fft.ifftn(fourier_gaussian(fft.fftn(sample.reconstructions["fbp"]), sigma_px)).real.astype(np.float32)


def _unsharp(sample: Any, *, sigma_px: float, amount: float) -> Volume:
    return unsharp_mask(sample.reconstructions["fbp"], sigma_px=sigma_px, amount=amount)


def _paganin(sample: Any, *, distance_um: float) -> Volume:
    """Filter the transmission of each view as of protein in ice, `distance_um` from focus."""
    series = sample.tilt_series
    energy = series.energy_ev
    protein = material("protein", energy).less(material("ice", energy))
    absorbance = paganin(
        np.exp(-series.projections),
        distance_um=distance_um,
        energy_ev=energy,
        pixel_size_nm=series.pixel_size_nm,
        delta=protein.delta,
        beta=protein.beta,
    )
    return fbp(absorbance, series.geometry, volume_shape=sample.shape)


def _paganin_unsharp(sample: Any, *, distance_um: float, sigma_px: float, amount: float) -> Volume:
    return unsharp_mask(_paganin(sample, distance_um=distance_um), sigma_px=sigma_px, amount=amount)


def _non_local(sample: Any, *, h_per_um: float, patch_size: int, patch_distance: int) -> Volume:
    volume = sample.reconstructions["fbp"]
    return denoise_nl_means(volume, h=h_per_um, patch_size=patch_size, patch_distance=patch_distance, fast_mode=True)


def _total_variation(sample: Any, *, weight: float, iterations: int) -> Volume:
    return denoise_tv_chambolle(sample.reconstructions["fbp"], weight=weight, eps=0, max_num_iter=iterations)


ENHANCEMENTS: dict[str, Callable[..., Volume]] = {
    "gaussian": _gaussian,
    "unsharp": _unsharp,
    "paganin": _paganin,
    "paganin-unsharp": _paganin_unsharp,
    "nlm-denoise": _non_local,
    "tv-denoise": _total_variation,
}


class EnhancedFbp:
    """Enhance each reconstruction, then put its grey values right.

    The calibration is the line by which the enhanced volume follows the truth over cells and their halo, turned around:
    one for each family and level, from the first specimens of train. It changes the LAC, not what can be told apart.

    Parameters
    ----------
    name : str
        Of the method; a key of `ENHANCEMENTS`.
    tiers : dict of dict
        Constants of the enhancement by tier and level, found by `sxtbench tune` on validation.
    specimens : int
        How many of the train split are looked at.
    """

    def __init__(self, name: str, tiers: dict[str, dict[str, Any]], specimens: int = 16) -> None:
        self.name, self.tiers, self.specimens = name, tiers, specimens
        self.calibration: dict[tuple[Any, ...], tuple[float, float]] = {}

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        """Fit the calibration."""
        found: dict[tuple[Any, ...], list[tuple[Volume, Volume]]] = {}
        for sample in train.of_first_specimens(self.specimens):
            region = sample.targets["cell_halo"]
            pair = self._enhanced(sample)[region], sample.targets["lac"][region]
            found.setdefault(_key(sample), []).append(pair)
        for key, pairs in found.items():
            self.calibration[key] = lac_regression(*(np.concatenate(values) for values in zip(*pairs, strict=True)))

    def predict(self, sample: Any) -> Volume:
        """Return the LAC, shape (z, y, x), 1/um."""
        slope, intercept = self.calibration[_key(sample)]
        return (self._enhanced(sample) - np.float32(intercept)) / np.float32(slope)

    def _enhanced(self, sample: Any) -> Volume:
        return ENHANCEMENTS[self.name](sample, **constants_for(self.tiers, sample))


def _key(sample: Any) -> tuple[Any, ...]:
    return (sample.metadata["family"], *sample.condition.items())
