"""A network that takes the noise out of reconstructions, trained on the true LAC of the train split."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sxtbench import load_method
from sxtbench.errors import InputError
from sxtbench.learning import build_network, count_parameters, load_network, minimise, predict_volume, save_weights
from sxtbench.reconstruction import fbp

_UNIT = 0.3  # 1/um, as in sxtbench.learning.inputs


class VolumeCnn:
    """Denoise reconstructions by a 2.5-D U-Net, supervised by the truth of other cells, at every dose at once.

    Parameters
    ----------
    name : str
        Of the method.
    start : str, optional
        A method whose answer is a further input, to which the network adds what it lacks. Left out: the FBP alone.
    specimens : int
        Of the train split that are learned from.
    steps, batch : int
        Optimiser steps, and slices a step.
    features, stages, slices : int
        Of the network.
    learning_rate : float
        Of AdamW; it falls along a line.
    """

    def __init__(
        self,
        name: str = "volume-cnn",
        start: str | None = None,
        specimens: int = 12,
        steps: int = 500,
        batch: int = 8,
        features: int = 16,
        stages: int = 3,
        slices: int = 5,
        learning_rate: float = 0.003,
    ) -> None:
        self.name, self.specimens = name, specimens
        self.start: Any = None if start is None else load_method(start)
        self.steps, self.batch, self.learning_rate = steps, batch, learning_rate
        self.architecture = {
            "name": "unet2d",
            "classes": 1,
            "stages": stages,
            "features": features,
            "slices": slices,
            "channels": 2 if start is None else 3,
            "norm": "batch",
        }
        self.network: Any = None

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        """Learn from the cells of the first specimens of train, turned and flipped."""
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = build_network(self.architecture)
        groups = list(dict.fromkeys(sample.group for sample in train))[: self.specimens]
        at_reference = [sample for sample in train.at_reference if sample.group in groups]
        # The wall of a capillary is ten times brighter than what is in a cell, and would rule the loss.
        truth = {
            s.group: np.stack([s.targets["lac"] / np.float32(_UNIT), s.targets["cells"]]).astype(np.float32)
            for s in at_reference
        }
        learned = [(self._channels(sample), truth[sample.group]) for sample in train if sample.group in groups]
        half, depth = self.architecture["slices"] // 2, learned[0][1].shape[1]
        network = self.network

        def loss() -> torch.Tensor:
            seen, wanted = [], []
            for _ in range(self.batch):
                volume, lac = learned[rng.integers(len(learned))]
                z = rng.integers(depth)
                near = np.clip(np.arange(z - half, z + half + 1), 0, depth - 1)
                turned, along = int(rng.integers(4)), int(rng.choice((1, -1)))
                seen.append(np.rot90(volume[:, near[::along]], turned, axes=(-2, -1)).copy())
                wanted.append(np.rot90(lac[:, z], turned, axes=(-2, -1)).copy())
            slabs = torch.from_numpy(np.stack(seen))
            answer = network(slabs)[:, 0]
            if self.start is not None:
                answer = answer + slabs[:, 0, half]
            goal, cells = torch.from_numpy(np.stack(wanted)).unbind(1)
            return ((answer - goal).square() * cells).sum() / cells.sum().clamp(min=1.0)

        minimise(network, loss, steps=self.steps, learning_rate=self.learning_rate)

    @property
    def trained_parameters(self) -> int | None:
        """Numbers that training finds; None before it."""
        return None if self.network is None else count_parameters(self.network)

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the LAC, shape (z, y, x), 1/um."""
        if self.network is None:
            raise InputError("predicts before it was fitted; call fit or load first")
        seen = self._channels(sample)
        lac: NDArray[np.float32] = predict_volume(self.network, seen, activation="none")[0]
        return (lac if self.start is None else lac + seen[0]) * np.float32(_UNIT)

    def save(self, path: Path) -> None:
        """Write the weights."""
        save_weights(path, self.network, metadata={"method": self.name})

    def load(self, path: Path) -> None:
        """Read weights that `save` wrote."""
        self.network, _ = load_network(path)

    def _channels(self, sample: Any) -> NDArray[np.float32]:
        seen = channels(sample)
        if self.start is None:
            return seen
        return np.concatenate([self.start.predict(sample)[None] / np.float32(_UNIT), seen])


def channels(sample: Any) -> NDArray[np.float32]:
    """Return the Hann FBP in multiples of 0.3/um and how noisy it is, shape (2, z, y, x), float32."""
    series = sample.tilt_series
    noise = np.float32(np.sqrt(5 / series.counts.mean()))
    volume = fbp(series.projections, series.geometry, volume_shape=sample.shape, filter="hann") / np.float32(_UNIT)
    return np.stack([volume / np.hypot(np.float32(1), noise), np.full_like(volume, noise)])
