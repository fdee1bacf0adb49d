"""Otsu's threshold on the quantitative FBP, morphology and containment: the classical way, without training.

Cells are found against ice, filled and smoothed; vacuoles are the dim part inside a cell, droplets what is brighter
than its surroundings. All levels are shares of steps in LAC, so that a volume without noise is segmented as well.
"""

from typing import Any

import numpy as np
from edt import edtsq
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_objects

from sxtbench.metrics.dilation import dilated
from sxtbench.reconstruction import fbp

CYTOPLASM, VACUOLE, DROPLET = 1, 2, 3


class FbpOtsu:
    """Segment by thresholds found in each volume.

    Parameters
    ----------
    tiers : dict of dict
        Constants by tier, found by `sxtbench tune` on validation. A volume takes the set whose `voxel_size_nm` is
        nearest to its own.
    """

    name = "fbp-otsu"

    def __init__(self, tiers: dict[str, dict[str, float]]) -> None:
        self.tiers = tiers

    def predict(self, sample: Any) -> NDArray[np.uint8]:
        """Segment the sample's FBP, made anew with its views extended: the stored one has a bright rim."""
        series = sample.tilt_series
        volume = fbp(series.projections, series.geometry, volume_shape=sample.shape, filter="ram-lak", extension="edge")
        return self.segment(volume, sample.voxel_size_nm, region=sample.region)

    def segment(
        self, volume: NDArray[np.float32], voxel_size_nm: float, *, region: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """Segment any volume of LAC.

        Parameters
        ----------
        volume : ndarray, shape (z, y, x), float32, 1/um
            A quantitative reconstruction.
        voxel_size_nm : float
            Edge of a voxel, nm.
        region : ndarray, shape (z, y, x), bool, optional
            Where the threshold is found; everywhere by default.

        Returns
        -------
        ndarray, shape (z, y, x), uint8
            0 background, 1 cytoplasm, 2 vacuole, 3 lipid droplet.
        """
        constants = min(self.tiers.values(), key=lambda c: abs(np.log(c["voxel_size_nm"] / voxel_size_nm)))
        inside = np.ones(volume.shape, bool) if region is None else region

        def smooth(name: str) -> NDArray[np.float32]:
            return ndimage.gaussian_filter(volume, constants[name] / voxel_size_nm, mode="nearest")

        def voxels(name: str) -> float:
            return constants[name] / voxel_size_nm

        labels = np.zeros(volume.shape, np.uint8)
        coarse = smooth("cell_smoothing_nm")
        seen = coarse[inside]
        border = threshold_otsu(seen)
        if not (seen > border).any():  # constant
            return labels
        ice, flesh = seen[seen <= border].mean(), seen[seen > border].mean()
        cells = coarse > ice + constants["cell_level"] * (flesh - ice)
        cells = _filled(_closed(cells, voxels("cell_closing_nm")))
        cells = _opened(cells, voxels("cell_opening_nm"))
        cells = _rounded(cells, constants["cell_core"], voxels("smallest_cell_radius_nm"))
        if not cells.any():
            return labels
        labels[cells] = CYTOPLASM

        medium = smooth("vacuole_smoothing_nm")
        core = _eroded(cells, voxels("vacuole_depth_nm"))
        if core.any():
            vacuoles = core & (medium < ice + constants["vacuole_level"] * (np.median(medium[core]) - ice))
            vacuoles = _opened(vacuoles, voxels("vacuole_opening_nm"))
            labels[dilated(vacuoles, round(voxels("vacuole_growth_nm"))) & cells] = VACUOLE

        fine = smooth("droplet_smoothing_nm")
        around = smooth("droplet_surroundings_nm")
        droplets = (fine - around > constants["droplet_excess"]) & _eroded(cells, voxels("droplet_depth_nm"))
        labels[remove_small_objects(droplets, max_size=int(constants["droplet_voxels"]))] = DROPLET
        return labels


def _eroded(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Keep what is farther than `radius` voxels from anything outside the mask."""
    return ~dilated(~mask, radius) & mask


def _opened(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Open by a ball of any radius."""
    return mask if radius < 0.5 else dilated(_eroded(mask, radius), radius)


def _rounded(mask: NDArray[np.bool_], share: float, smallest: float) -> NDArray[np.bool_]:
    """Open each component by a share of its own largest inscribed ball; drop those whose ball is below `smallest`.

    One radius for all would fit the sizes of cells that it was chosen on, and no others.
    """
    depth = np.sqrt(edtsq(mask))
    parts, count = ndimage.label(mask)
    largest = np.zeros(count + 1)
    largest[1:] = ndimage.maximum(depth, parts, np.arange(1, count + 1)) if count else 0
    radius = share * largest[parts]
    core = (depth > radius) & (largest >= smallest)[parts]
    return (largest >= smallest)[parts] & (edtsq(~core) <= radius**2) if core.any() else core


def _closed(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Close by a ball, with matter assumed beyond no border."""
    if radius < 0.5:
        return mask
    margin = int(np.ceil(radius)) + 1
    padded = np.pad(mask, margin)
    closed = ~_opened(~padded, radius)
    return closed[margin:-margin, margin:-margin, margin:-margin]


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill holes in 3-D, then in each z-slice: a vacuole that touches the wall in the wedge is open in 3-D only."""
    filled = ndimage.binary_fill_holes(mask)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in filled])
