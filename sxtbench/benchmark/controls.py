"""Controls: methods that bracket the scale of a task. They are shown on the board and never ranked."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.content import content_folder
from sxtbench.datasets.recipe import read_yaml
from sxtbench.labels import GLASS

if TYPE_CHECKING:
    from sxtbench.datasets.dataset import Dataset, Sample

TRUTH = {"labels": "labels", "volume": "lac", "shifts": "true_shifts_px"}
"""The target that an answer of each kind is compared with."""


class Oracle:
    """The truth."""

    name = "oracle"
    description = "Control: the truth."

    def predict(self, sample: "Sample") -> NDArray[Any]:
        """Return the target."""
        return sample.targets[TRUTH[sample.metadata["answer"]]]


class Trivial:
    """The empty answer: background everywhere, no shifts, or the LAC with the least mean square error on train."""

    name = "trivial"
    description = "Control: background everywhere, no shifts, or one LAC, the mean of the scored region over train."
    fits = ("volume",)

    def __init__(self) -> None:
        self._lac = float("nan")

    def fit(self, train: "Dataset", validation: "Dataset", *, seed: int) -> None:
        """Find the constant LAC."""
        values = [s.targets["lac"][s.scored_region] for s in train.at_reference]
        self._lac = float(np.concatenate(values).mean(dtype=np.float64))

    def predict(self, sample: "Sample") -> NDArray[Any]:
        """Return the constant."""
        if sample.metadata["answer"] == "labels":
            return np.zeros(sample.shape, np.uint8)
        if sample.metadata["answer"] == "shifts":
            return np.zeros(sample.answer_shape, np.float64)
        return np.full(sample.shape, self._lac, np.float32)


class OracleStop:
    """The baseline `cgne`, but stopped where it comes nearest to the truth: what a perfect stopping rule would gain."""

    name = "oracle-stop"
    description = "Control: the baseline cgne, each sample stopped at its best iteration against the truth."

    def __init__(self, most_iterations: int = 60, patience: int = 5) -> None:
        self.most_iterations, self.patience = most_iterations, patience

    def predict(self, sample: "Sample") -> NDArray[np.float32]:
        """Return the iterate with the least mean square error in the scored region; give up `patience` after it."""
        from sxtbench.reconstruction import cgne, extended
        from sxtbench.reconstruction.extended import placed

        config = read_yaml(content_folder("baselines") / "cgne" / "config.yaml")
        grid = constants_for(config["parameters"]["tiers"], sample)
        grid.pop("iterations")

        region = sample.targets["cell_halo"]
        truth = sample.targets["lac"][region]
        series = sample.tilt_series
        least, best, at = np.inf, np.zeros(sample.shape, np.float32), 0

        def watch(iteration: int, x: NDArray[np.float32]) -> bool:
            nonlocal least, best, at
            volume = placed(x, sample.shape)
            error = float(np.mean((volume[region] - truth) ** 2, dtype=np.float64))
            if error < least:
                least, best, at = error, volume, iteration
            return iteration - at >= self.patience

        options = {"iterations": self.most_iterations, "callback": watch, **grid}
        extended(cgne, series.projections, series.geometry, sample.shape, **options)
        return best


class LabelPaint:
    """The true labels, each painted with its mean LAC in the specimen: what knowing the outlines alone would give."""

    name = "label-paint"
    description = "Control: the true labels, each painted with the mean of the truth over it."

    def predict(self, sample: "Sample") -> NDArray[np.float32]:
        """Return the painted labels; ice, glass and vacuum as they are."""
        labels, truth = sample.targets["suite_labels"], sample.targets["lac"]
        volume = np.asarray(truth, np.float32).copy()
        for label in range(1, GLASS):
            part = labels == label
            if part.any():
                volume[part] = truth[part].mean(dtype=np.float64)
        return volume


CONTROLS = {control.name: control for control in (Oracle, OracleStop, Trivial, LabelPaint)}
"""Classes by name."""

SEE_TARGETS = (Oracle, OracleStop, LabelPaint)
"""The only classes that are handed samples with targets."""
