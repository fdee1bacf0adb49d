"""A network that makes short exposures look like long ones, trained on a few pairs of tilts."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from sxtbench.errors import InputError
from sxtbench.learning import build_network, count_parameters, load_network, minimise, save_weights

_SMOOTHING_PX = 1.5
_UNIT = 0.3  # absorbance: about the contrast of a cell
_LEAST = 0.25  # counts


class ProjectionCnn:
    """Denoise each view by a U-Net; the harness reconstructs.

    After Yang et al. 2018, doi 10.1038/s41598-018-19426-7: pairs of a short and a long exposure of a few tilts, a
    fully convolutional network, mean square error. The tilts are those of calibration specimens, at every dose at once.

    Parameters
    ----------
    steps, batch : int
        Optimiser steps, and views a step.
    features, stages : int
        Of the network.
    learning_rate : float
        Of AdamW; it falls along a line.
    """

    name = "projection-cnn"
    answer = "projections"

    def __init__(
        self, steps: int = 300, batch: int = 8, features: int = 16, stages: int = 3, learning_rate: float = 0.003
    ) -> None:
        self.steps, self.batch, self.learning_rate = steps, batch, learning_rate
        self.architecture = {
            "name": "unet2d",
            "classes": 1,
            "stages": stages,
            "features": features,
            "channels": 3,
            "norm": "batch",
        }
        self.network: Any = None

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        """Learn from the calibration pairs of both splits, at every level of dose; no target is looked at."""
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = build_network(self.architecture)
        pairs = [pair for split in (train, validation) for sample in split for pair in _pairs(sample)]
        network = self.network

        def loss() -> torch.Tensor:
            chosen = [_flipped(pairs[i], rng) for i in rng.integers(len(pairs), size=self.batch)]
            seen, wanted = (torch.from_numpy(np.stack(part)) for part in zip(*chosen, strict=True))
            return (seen[:, 0] + network(seen[:, :, None])[:, 0] - wanted).square().mean()

        minimise(network, loss, steps=self.steps, learning_rate=self.learning_rate)

    @property
    def trained_parameters(self) -> int | None:
        """Numbers that training finds; None before it."""
        return None if self.network is None else count_parameters(self.network)

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return absorbance, shape (n_angles, z, u), float32."""
        if self.network is None:
            raise InputError("predicts before it was fitted; call fit or load first")
        views = []
        with torch.inference_mode():
            for one in channels(sample.tilt_series):
                seen = torch.from_numpy(one)[None]
                views.append((seen[:, 0] + self.network(seen[:, :, None])[:, 0])[0].numpy())
        absorbance: NDArray[np.float32] = np.float32(_UNIT) * np.stack(views)
        return absorbance

    def save(self, path: Path) -> None:
        """Write the weights."""
        save_weights(path, self.network, metadata={"method": self.name})

    def load(self, path: Path) -> None:
        """Read weights that `save` wrote."""
        self.network, _ = load_network(path)


def channels(series: Any) -> NDArray[np.float32]:
    """Return what the network sees of each view, shape (n_angles, 3, z, u), float32.

    Absorbance of the smoothed counts in units of 0.3; what smoothing took away, in units of the noise; and the noise of
    the smoothed absorbance.
    """
    counts = series.counts.astype(np.float32)
    smooth = ndimage.gaussian_filter(counts, (0, _SMOOTHING_PX, _SMOOTHING_PX), mode="nearest")
    smooth = np.maximum(smooth, np.float32(_LEAST))
    incident = series.incident_photons.astype(np.float32)[:, None, None]
    parts = np.log(incident / smooth) / _UNIT, (counts - smooth) / np.sqrt(smooth), 1 / np.sqrt(smooth)
    return np.stack(parts, axis=1).astype(np.float32)


def _pairs(sample: Any) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return inputs and wanted absorbance of the calibration tilts."""
    if not {"paired", "paired_low"} <= set(sample.series):
        raise InputError(f"{sample.id}: has no calibration pairs, expected the series 'paired' and 'paired_low'")
    wanted = sample.series["paired"].projections / np.float32(_UNIT)
    return list(zip(channels(sample.series["paired_low"]), wanted, strict=True))


def _flipped(
    pair: tuple[NDArray[np.float32], NDArray[np.float32]], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    along = tuple(axis for axis in (-2, -1) if rng.random() < 0.5)
    seen, wanted = (np.ascontiguousarray(np.flip(part, along)) for part in pair)
    return seen, wanted
