"""Gradient-boosted trees on multi-scale voxel features: the classical pixel classifier, fitted in seconds.

Features are Gaussians, gradient magnitudes and second derivatives along each axis, from 0.5 voxel to 1.2 um; the
second derivatives stay apart because the missing wedge makes the beam direction different from the others.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingClassifier

_BLOCK = 2_000_000
_COARSE = -10  # the Gaussian of the last scale but one, among the features
_MISSED = 0.005  # share of the cell voxels in training that may be fainter


class GradientBoosting:
    """Classify voxels by boosted trees.

    Parameters
    ----------
    tiers : dict of dict
        Constants by tier, found by `sxtbench tune` on validation; the set with the nearest `voxel_size_nm` is taken.
    scales_nm : list of float
        Standard deviations of the Gaussians, nm; those below half a voxel are left out.
    classes : sequence of int
        Labels of the answer, background first.
    name : str
        Of the method.
    """

    def __init__(
        self,
        tiers: dict[str, dict[str, float]],
        scales_nm: list[float],
        classes: Sequence[int] = (0, 1, 2, 3),
        name: str = "gradient-boosting",
    ) -> None:
        self.tiers, self.scales_nm, self.classes, self.name = tiers, scales_nm, tuple(classes), name
        self.model: HistGradientBoostingClassifier | None = None
        self.faintest = -np.inf

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        """Fit on voxels drawn from `cyl` of the training samples, the rarer classes more often than they occur."""
        rng = np.random.default_rng(seed)
        constants = self._constants(train[0].voxel_size_nm)
        count = min(len(train), int(constants["training_samples"]))
        rows, answers = [], []
        for index in np.linspace(0, len(train) - 1, count).round().astype(int):
            sample = train[int(index)]
            truth = sample.targets["labels"]
            chosen = _draw(truth, sample.region, self.classes, constants, rng)
            features = np.stack([f.ravel()[chosen] for f in self._features(sample)], axis=1)
            rows.append(features)
            answers.append(truth.ravel()[chosen])
        features, labels = np.concatenate(rows), np.concatenate(answers)
        self.faintest = float(np.quantile(features[labels > 0, _COARSE], _MISSED))
        self.model = HistGradientBoostingClassifier(
            max_iter=int(constants["iterations"]),
            learning_rate=constants["learning_rate"],
            max_leaf_nodes=int(constants["leaves"]),
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        ).fit(features, labels)

    def predict(self, sample: Any) -> NDArray[np.uint8]:
        """Return the most probable class of each voxel of `cyl`, after smoothing the probabilities.

        Voxels whose surroundings are fainter than those of nearly all cell voxels in training are background at once.
        """
        if self.model is None:
            raise RuntimeError("fit it first: this method ships no weights")
        constants = self._constants(sample.voxel_size_nm)
        features = [f.ravel() for f in self._features(sample)]
        inside = np.flatnonzero(sample.region.ravel() & (features[_COARSE] >= self.faintest))
        probability = np.zeros((len(self.classes), sample.region.size), np.float32)
        probability[0] = 1.0
        for start in range(0, inside.size, _BLOCK):
            part = inside[start : start + _BLOCK]
            found = self.model.predict_proba(np.stack([f[part] for f in features], axis=1))
            probability[:, part] = 0.0
            for column, label in enumerate(self.model.classes_):
                probability[self.classes.index(label), part] = found[:, column]
        shape = sample.region.shape
        smooth = [
            ndimage.gaussian_filter(p.reshape(shape), constants["smoothing_nm"] / sample.voxel_size_nm)
            for p in probability
        ]
        return np.array(self.classes, np.uint8)[np.argmax(smooth, axis=0)]

    def _constants(self, voxel_size_nm: float) -> dict[str, float]:
        return min(self.tiers.values(), key=lambda c: abs(np.log(c["voxel_size_nm"] / voxel_size_nm)))

    def _features(self, sample: Any) -> Iterator[NDArray[np.float32]]:
        volume = sample.reconstructions["fbp"]
        yield volume
        for scale in self.scales_nm:
            sigma = scale / sample.voxel_size_nm
            if sigma < 0.5:
                continue
            smooth = ndimage.gaussian_filter(volume, sigma, mode="nearest")
            yield smooth
            slopes = [np.gradient(smooth, axis=axis) for axis in range(3)]
            yield sigma * np.sqrt(sum(slope * slope for slope in slopes))
            for axis in range(3):
                yield sigma**2 * np.gradient(slopes[axis], axis=axis)


def _draw(
    truth: NDArray[np.uint8],
    region: NDArray[np.bool_],
    classes: tuple[int, ...],
    constants: dict[str, float],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw voxels of one sample, each class in proportion to (its size) ** balance."""
    inside = np.flatnonzero(region.ravel())
    labels = truth.ravel()[inside]
    sizes = np.array([np.count_nonzero(labels == label) for label in classes], float)
    shares = np.where(sizes > 0, sizes ** constants["balance"], 0.0)
    wanted = np.minimum(sizes, constants["voxels_per_sample"] * shares / shares.sum()).astype(int)
    parts = [
        rng.choice(inside[labels == label], count, replace=False)
        for label, count in zip(classes, wanted, strict=True)
        if count
    ]
    return np.concatenate(parts)
