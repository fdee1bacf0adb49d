"""Self-supervised denoising of reconstructions: a network predicts what some views say from what the others say."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.learning import build_network, count_parameters, load_network, minimise, predict_volume, save_weights
from sxtbench.reconstruction import fbp

_UNIT = 0.3  # 1/um, as in sxtbench.learning.inputs


class Noise2Inverse:
    """Denoise the FBP by a 2.5-D U-Net that never saw a truth.

    After Hendriksen et al. 2020, doi 10.1109/TCI.2020.3019647, strategy X:1: views are dealt out to `parts`
    reconstructions; the network sees the mean of all but one and is to predict that one, whose noise it cannot know.
    The answer is the mean over what is left out. It learns from the measured series of train and validation, at every
    dose at once.

    Parameters
    ----------
    parts : int
        Reconstructions.
    specimens : int
        How many are learned from.
    steps, batch : int
        Optimiser steps, and slices a step.
    features, stages, slices : int
        Of the network.
    learning_rate : float
        Of AdamW; it falls along a line.
    """

    name = "noise2inverse"

    def __init__(
        self,
        parts: int = 4,
        specimens: int = 6,
        steps: int = 500,
        batch: int = 8,
        features: int = 16,
        stages: int = 3,
        slices: int = 5,
        learning_rate: float = 0.003,
    ) -> None:
        self.parts, self.specimens = parts, specimens
        self.steps, self.batch, self.learning_rate = steps, batch, learning_rate
        self.architecture = {
            "name": "unet2d",
            "classes": 1,
            "stages": stages,
            "features": features,
            "slices": slices,
            "channels": 2,
            "norm": "batch",
        }
        self.network: Any = None

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        """Learn from the tilt series of both splits at every dose; no target is looked at."""
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = build_network(self.architecture)
        samples = [sample for split in (train, validation) for sample in split]
        groups = list(dict.fromkeys(sample.group for sample in samples))[: self.specimens]
        learned = [(_noise(s), self._reconstructions(s)) for s in samples if s.group in groups]
        half, depth = self.architecture["slices"] // 2, learned[0][1].shape[1]
        disc = torch.from_numpy(_disc(learned[0][1].shape[2:]))
        network = self.network

        def loss() -> torch.Tensor:
            seen, wanted, weights = [], [], []
            for _ in range(self.batch):
                noise, volumes = learned[rng.integers(len(learned))]
                left, z = rng.integers(self.parts), rng.integers(depth)
                near = np.clip(np.arange(z - half, z + half + 1), 0, depth - 1)
                slab = (volumes[:, near].sum(axis=0) - volumes[left, near]) / (self.parts - 1)
                turned = int(rng.integers(4))
                seen.append(np.rot90(channels(slab, noise), turned, axes=(-2, -1)).copy())
                wanted.append(np.rot90(volumes[left, z], turned).copy())
                weights.append(1 / (1 + noise**2))
            input_ = torch.from_numpy(np.stack(seen))
            answer = network(input_)[:, 0]
            error = (answer - torch.from_numpy(np.stack(wanted)))[:, disc].square().mean(dim=1)
            return (error * torch.tensor(weights, dtype=torch.float32)).mean()

        minimise(network, loss, steps=self.steps, learning_rate=self.learning_rate)

    @property
    def trained_parameters(self) -> int | None:
        """Numbers that training finds; None before it."""
        return None if self.network is None else count_parameters(self.network)

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the LAC, shape (z, y, x), 1/um."""
        if self.network is None:
            raise InputError("predicts before it was fitted; call fit or load first")
        volumes, noise = self._reconstructions(sample), _noise(sample)
        total = volumes.sum(axis=0)
        answer = np.zeros(sample.shape, np.float32)
        for left in volumes:
            seen = channels((total - left) / (self.parts - 1), noise)
            answer += predict_volume(self.network, seen, activation="none")[0]
        lac: NDArray[np.float32] = answer * np.float32(_UNIT / self.parts)
        return lac

    def save(self, path: Path) -> None:
        """Write the weights."""
        save_weights(path, self.network, metadata={"method": self.name})

    def load(self, path: Path) -> None:
        """Read weights that `save` wrote."""
        self.network, _ = load_network(path)

    def _reconstructions(self, sample: Any) -> NDArray[np.float32]:
        """Return the FBP of each part of the views, shape (parts, z, y, x), in multiples of 0.3/um."""
        series = sample.tilt_series
        found = []
        for first in range(self.parts):
            some = series.select(np.arange(first, len(series.angles_deg), self.parts))
            found.append(fbp(some.projections, some.geometry, volume_shape=sample.shape, filter="hann"))
        return np.stack(found) / np.float32(_UNIT)


def channels(volume: NDArray[np.float32], noise: float) -> NDArray[np.float32]:
    """Return a slab or a volume and, as a second channel, its noise; shape (2, z, y, x), float32."""
    return np.stack([volume / np.float32(np.hypot(1, noise)), np.full_like(volume, noise)])


def _noise(sample: Any) -> float:
    """Return about how noisy a reconstruction is, 1 at twenty counts a pixel."""
    return float(np.sqrt(20 / sample.tilt_series.counts.mean()))


def _disc(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    inside: NDArray[np.bool_] = np.hypot(y[:, None], x[None, :]) < min(shape) / 2 - 2
    return inside
