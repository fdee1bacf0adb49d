"""A trained network that ships with its weights: slabs of reconstructions in, labels or LAC out."""

import json
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.learning import answer_of, count_parameters, load_network


class SlabNetwork:
    """Answer by a network, one set of weights a tier.

    Parameters
    ----------
    name : str
        Of the method.
    weights : dict of dict
        By tier: `file`, relative to the folder of config.yaml, and its `sha256`.
    batch : int
        Slabs at a time.
    flips : bool
        Average over the in-plane flips of the input.
    postprocess : bool
        Tidy the labels of yeast (`clean_labels`).
    """

    folder: Path

    def __init__(
        self,
        name: str,
        weights: dict[str, dict[str, str]],
        batch: int = 8,
        flips: bool = False,
        postprocess: bool = False,
    ) -> None:
        self.name, self.weights = name, weights
        self.options = {"batch": batch, "flips": flips, "postprocess": postprocess}
        self.loaded: dict[str, Any] = {}

    @property
    def trained_parameters(self) -> int | None:
        """Numbers that training found, of the tier that was answered last; None before."""
        return count_parameters([*self.loaded.values()][-1][0]) if self.loaded else None

    def predict(self, sample: Any) -> NDArray[Any]:
        """Return labels, uint8, or LAC in 1/um, float32, shape (z, y, x)."""
        tier = sample.metadata["tier"]
        if tier not in self.weights:
            raise InputError(
                f"ships weights for {', '.join(self.weights)}, none for {tier}; `sxtbench train` makes them"
            )
        if tier not in self.loaded:
            chosen = self.weights[tier]
            self.loaded[tier] = load_network(self.folder / chosen["file"], sha256=chosen["sha256"])
        network, metadata = self.loaded[tier]
        answer: NDArray[Any] = answer_of(network, sample, **json.loads(metadata["seen"]), **self.options)
        return answer
