"""Otsu thresholds from outside inwards: the glass, the cell in its bore, the nucleus, then what stands out around it.

The wall is the brightest class of the mean along the axis, the cell what is brighter than ice within it, the nucleus
the largest bright body of the smoothed inside. Droplets and mitochondria exceed their surroundings by a fixed LAC.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.morphology import remove_small_objects

from sxtbench.metrics.dilation import dilated

DROPLET, NUCLEUS, MITOCHONDRION = 3, 4, 6


class CapillaryOtsu:
    """Segment by thresholds found in each volume.

    Parameters
    ----------
    tiers : dict of dict
        Constants by tier, found by `sxtbench tune` on validation. A volume takes the set whose `voxel_size_nm` is
        nearest to its own.
    """

    name = "capillary-otsu"

    def __init__(self, tiers: dict[str, dict[str, float]]) -> None:
        self.tiers = tiers

    def predict(self, sample: Any) -> NDArray[np.uint8]:
        """Segment the sample's FBP."""
        return self.segment(sample.reconstructions["fbp"], sample.voxel_size_nm)

    def segment(self, volume: NDArray[np.float32], voxel_size_nm: float) -> NDArray[np.uint8]:
        """Segment any volume of LAC that shows a capillary along z.

        Parameters
        ----------
        volume : ndarray, shape (z, y, x), float32, 1/um
            A quantitative reconstruction.
        voxel_size_nm : float
            Edge of a voxel, nm.

        Returns
        -------
        ndarray, shape (z, y, x), uint8
            0 background, 3 lipid droplet, 4 nucleus, 6 mitochondrion.
        """
        constants = min(self.tiers.values(), key=lambda c: abs(np.log(c["voxel_size_nm"] / voxel_size_nm)))

        def voxels(name: str) -> float:
            return constants[name] / voxel_size_nm

        def smooth(name: str) -> NDArray[np.float32]:
            return ndimage.gaussian_filter(volume, voxels(name), mode="nearest")

        labels = np.zeros(volume.shape, np.uint8)
        cell = _cell(smooth("cell_smoothing_nm"), _bore(volume, voxels("wall_clearance_nm")))
        depth = ndimage.distance_transform_edt(cell)
        core = depth > voxels("nucleus_depth_nm")
        if not core.any():
            return labels

        # Weighted by what belongs to the cell, as the glass beside it would outshine all that is in it.
        inside = depth > voxels("droplet_depth_nm")
        around = _mean_within(volume, inside, voxels("surroundings_nm"))
        excess = smooth("fine_smoothing_nm") - around
        droplets = inside & (excess > constants["droplet_excess"])
        droplets = remove_small_objects(droplets, max_size=int(constants["droplet_voxels"]))

        bulk = _mean_within(volume, cell & ~dilated(droplets, 1.5), voxels("nucleus_smoothing_nm"))
        level = threshold_otsu(bulk[core]) + constants["nucleus_excess"]
        nucleus = _largest(_opened(core & (bulk > level), voxels("nucleus_opening_nm")))
        nucleus = ndimage.binary_fill_holes(dilated(nucleus, voxels("nucleus_growth_nm")))

        mitochondria = inside & ~nucleus & ~dilated(droplets, 1.5) & (excess > constants["mitochondrion_excess"])
        mitochondria = remove_small_objects(mitochondria, max_size=int(constants["mitochondrion_voxels"]))
        labels[nucleus & cell] = NUCLEUS
        labels[mitochondria] = MITOCHONDRION
        labels[droplets] = DROPLET
        return labels


def _bore(volume: NDArray[np.float32], clearance: float) -> NDArray[np.bool_]:
    """Return the inside of the wall, shape (y, x), less `clearance` voxels; everything where no wall closes."""
    along = volume.mean(axis=0)
    wall = along > threshold_multiotsu(along, classes=3)[1]
    inside = ndimage.binary_fill_holes(wall) & ~wall
    away = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    bore: NDArray[np.bool_] = away > clearance
    return bore if bore.any() else np.ones(bore.shape, bool)


def _cell(smooth: NDArray[np.float32], bore: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest body that is brighter than ice, without holes."""
    within = np.broadcast_to(bore, smooth.shape)
    return ndimage.binary_fill_holes(_largest(within & (smooth > threshold_otsu(smooth[within]))))


def _mean_within(volume: NDArray[np.float32], mask: NDArray[np.bool_], sigma: float) -> NDArray[np.float32]:
    """Return the Gaussian mean over the voxels of a mask; 0 where none is near."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(mask, volume, np.float32(0)), sigma)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-3)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest connected body."""
    bodies, count = ndimage.label(mask)
    return bodies == np.argmax(np.bincount(bodies.ravel())[1:]) + 1 if count else mask


def _opened(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Open by a ball of any radius."""
    if radius < 0.5:
        return mask
    return dilated(ndimage.distance_transform_edt(mask) > radius, radius)
