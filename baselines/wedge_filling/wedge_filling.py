"""Self-supervised filling of the missing wedge: a network that never saw a truth, only reconstructions turned about."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from sxtbench.acquisition.counts import absorbance
from sxtbench.errors import InputError
from sxtbench.learning import build_network, count_parameters, load_network, minimise, predict_volume, save_weights
from sxtbench.reconstruction import fbp

_UNIT = 0.3  # 1/um, as in sxtbench.learning.inputs
_RANGE = (-0.5, 3.0)  # of estimates, in units: gold beads, a hundred times brighter than cells, would rule the loss
_EXPONENT = 0.5  # of the share of directions that is measured; 0 is plain FBP
_FADING_PX = 4


class WedgeFilling:
    """Turn an estimate about z, take its wedge away and add noise, and learn the way back.

    The first estimate is the FBP. Turned, it holds structure in directions that are then left out, and the network
    learns what such structure looks like without them. It then answers the real FBP, which is the next
    estimate. Slices are (x, y) planes: the wedge lies in them, and along z nothing is missing.

    Parameters
    ----------
    weights : dict of dict
        By tier: `file`, relative to the folder of config.yaml, and its `sha256`.
    rounds : int
        Estimates that are learned from, one after another.
    steps : int
        Optimiser steps in a round.
    turns : int
        Angles by which each estimate is turned in a round.
    features, stages, slices : int
        Of the network.
    batch : int
        Slices a step.
    learning_rate : float
        Of AdamW; it falls along a line within each round.
    """

    name = "wedge-filling"
    folder = Path(__file__).parent

    def __init__(
        self,
        weights: dict[str, dict[str, str]] | None = None,
        rounds: int = 5,
        steps: int = 100,
        turns: int = 4,
        features: int = 8,
        stages: int = 3,
        slices: int = 3,
        batch: int = 8,
        learning_rate: float = 0.002,
    ) -> None:
        self.weights = weights or {}
        self.rounds, self.steps, self.turns = rounds, steps, turns
        self.batch, self.learning_rate = batch, learning_rate
        self.architecture = {
            "name": "unet2d",
            "classes": 1,
            "stages": stages,
            "features": features,
            "slices": slices,
            "norm": "batch",
        }
        self.network: Any = None
        self.told: list[str] = []

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        """Learn from the tilt series of `train` at the reference level; no target is looked at."""
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = build_network(self.architecture)
        samples = list(train)
        reference = [sample for sample in samples if sample.condition == samples[0].condition]
        filtered = [_filtered(sample) for sample in reference]
        estimates = filtered
        for number in range(self.rounds):
            pairs = list(self._pairs(estimates, samples, rng))
            loss = self._learn(pairs, rng)
            estimates = [self._restored(volume) for volume in filtered]
            self.told.append(f"round {number + 1} of {self.rounds}: loss {loss:.4f}")

    @property
    def trained_parameters(self) -> int | None:
        """Numbers that training finds; None before it."""
        return None if self.network is None else count_parameters(self.network)

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the LAC, shape (z, y, x), 1/um."""
        if self.network is None:
            tier = sample.metadata["tier"]
            if tier not in self.weights:
                raise InputError(f"ships weights for {', '.join(self.weights) or 'no tier'}, none for {tier}")
            chosen = self.weights[tier]
            self.network, _ = load_network(self.folder / chosen["file"], sha256=chosen["sha256"])
        lac: NDArray[np.float32] = np.float32(_UNIT) * self._restored(_filtered(sample))
        return lac

    def save(self, path: Path) -> None:
        """Write the weights."""
        save_weights(path, self.network, metadata={"method": self.name}, half=True)

    def _restored(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add what the network says is missing, in multiples of 0.3/um."""
        added: NDArray[np.float32] = predict_volume(self.network, volume, activation="none")[0]
        return volume + added

    def _pairs(
        self, estimates: list[NDArray[np.float32]], samples: list[Any], rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield volumes as they would be reconstructed, and as they are, both (z, y, x)."""
        for estimate in estimates:
            for _ in range(self.turns):
                turned = _turned(np.clip(estimate, *_RANGE), rng.uniform(0, 360))
                series = samples[rng.integers(len(samples))].tilt_series  # angles and photons of any level
                yield _without_wedge(turned, series.angles_deg) + _noise(series, estimate.shape, rng), turned

    def _learn(self, pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]], rng: np.random.Generator) -> float:
        """Train on slices of the pairs and return the mean loss of the last fifth."""
        network = self.network
        half = self.architecture["slices"] // 2
        depth, height, _ = pairs[0][0].shape
        disc = torch.from_numpy(_radius(pairs[0][0].shape) < 1 - 2 * _FADING_PX / height)

        def loss() -> torch.Tensor:
            chosen = [(pairs[rng.integers(len(pairs))], rng.integers(depth)) for _ in range(self.batch)]
            near = [np.clip(np.arange(z - half, z + half + 1), 0, depth - 1) for _, z in chosen]
            seen = torch.from_numpy(np.stack([pair[0][slices] for (pair, _), slices in zip(chosen, near, strict=True)]))
            wanted = torch.from_numpy(np.stack([pair[1][z] for pair, z in chosen]))
            answer = seen[:, half] + network(seen[:, None])[:, 0]
            return (answer - wanted)[:, disc].square().mean()

        losses = minimise(network, loss, steps=self.steps, learning_rate=self.learning_rate)
        return float(np.mean(losses[-max(1, self.steps // 5) :]))


def _amplitude(angles_deg: NDArray[np.float64]) -> np.float32:
    """Return the factor for an FBP whose measured directions stand for all of them."""
    angles = np.sort(angles_deg)
    share = (angles[-1] - angles[0] + np.median(np.diff(angles))) / 180
    return np.float32(min(1.0, share) ** _EXPONENT)


def _filtered(sample: Any) -> NDArray[np.float32]:
    """Return the FBP with the amplitude of what was measured, in multiples of 0.3/um.

    FBP here keeps the mean for any range of angles: what is measured stands for all directions, and is too strong.
    """
    volume = sample.reconstructions["fbp"] / np.float32(_UNIT)
    mean = volume[:, _radius(volume.shape) < 1].mean()
    scaled: NDArray[np.float32] = mean + _amplitude(sample.tilt_series.angles_deg) * (volume - mean)
    return scaled


def _turned(volume: NDArray[np.float32], angle_deg: float) -> NDArray[np.float32]:
    """Turn each slice; towards the edge of the inscribed disc it fades into the mean."""
    turned = ndimage.rotate(volume, angle_deg, axes=(2, 1), reshape=False, order=1, mode="nearest", output=np.float32)
    disc = _radius(volume.shape) < 1
    mean = turned[:, disc].mean()
    fading = np.clip((1 - _radius(volume.shape)) * volume.shape[1] / 2 / _FADING_PX, 0, 1).astype(np.float32)
    faded: NDArray[np.float32] = mean + (turned - mean) * fading
    return faded


def _radius(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the distance of each pixel of a slice from its centre, 1 at the nearest edge."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape[1:])
    return np.hypot(*np.meshgrid(y, x, indexing="ij")) / (min(shape[1:]) / 2)


def _without_wedge(volume: NDArray[np.float32], angles_deg: NDArray[np.float64]) -> NDArray[np.float32]:
    """Leave out the directions of each slice's Fourier transform that no view measures."""
    kx, ky = np.fft.rfftfreq(volume.shape[2]), np.fft.fftfreq(volume.shape[1])[:, None]
    direction = np.rad2deg(np.arctan2(ky, kx))  # of the frequencies that a view at this angle measures
    measured = (direction >= angles_deg.min()) & (direction <= angles_deg.max()) | (np.hypot(kx, ky) == 0)
    kept: NDArray[np.float64] = np.fft.irfft2(np.fft.rfft2(volume) * measured, volume.shape[1:])
    return kept.astype(np.float32)


def _noise(series: Any, shape: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return what another draw of the photons changes in `_filtered`."""
    photons = series.incident_photons
    again = rng.poisson(series.counts).astype(np.uint32)
    change = absorbance(again, photons) - series.projections
    found = fbp(change, series.geometry, volume_shape=shape, filter="hamming")
    scaled: NDArray[np.float32] = found * (_amplitude(series.angles_deg) / np.float32(_UNIT))
    return scaled
