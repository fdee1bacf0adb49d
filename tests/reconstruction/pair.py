"""A small interior problem, made by another projector than the solvers', that several tests share."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from sxtbench.acquisition.strip import project_strips
from sxtbench.geometry import ParallelGeometry

ROWS, N, WIDTH = 4, 128, 48
VOXEL_NM = 80.0


def phantom(seed=3):
    """LAC of granular matter that fills the field's cylinder: without it the interior problem would be easy."""
    rng = np.random.default_rng(seed)
    lac = np.full((ROWS, N, N), 0.2)
    for size, strength in ((24, 0.05), (9, 0.04), (4, 0.03)):
        coarse = gaussian_filter(rng.normal(size=(ROWS, N, N)), (1.5, size / 2.5, size / 2.5))
        lac += strength * coarse / coarse.std()
    y, x = np.indices((N, N)) - (N - 1) / 2
    lac[:, np.hypot(y, x) > 0.48 * N] = 0
    return np.clip(lac, 0, None).astype(np.float32)


@dataclass
class Pair:
    """Truth, data and geometry of one pair of scans."""

    truth: np.ndarray
    interior: ParallelGeometry
    full: ParallelGeometry
    data: list[np.ndarray]
    region: np.ndarray

    def psnr(self, x, region=None):
        error = (x - self.truth)[self.region if region is None else region]
        return float(20 * np.log10(0.5 / np.sqrt(np.mean(error.astype(np.float64) ** 2))))


def make_pair(full_views=19, interior_views=92, *, centre=(0.0, 0.0), photons=None, blur_px=(0.0, 0.0), seed=0):
    """Image the phantom twice: a central or off-centre interior scan, and a full one with pixels twice as large.

    `centre` is (y, x) in voxels; `photons` is the open beam per interior pixel, None for no noise; `blur_px` the sd
    of a Gaussian for each lens.
    """
    truth = phantom()
    rng = np.random.default_rng(seed)
    angles = np.arange(interior_views) * 180 / interior_views
    theta = np.deg2rad(angles)
    offset = centre[1] * np.cos(theta) + centre[0] * np.sin(theta)
    light = np.exp(-_seen(truth, angles, blur_px[0]))
    columns = np.arange(WIDTH) - (WIDTH - 1) / 2
    place = (N - 1) / 2 + columns[None] + offset[:, None]
    cut = np.stack([[np.interp(p, np.arange(N), row) for row in view] for view, p in zip(light, place, strict=True)])
    interior = ParallelGeometry(
        angles_deg=angles, columns=WIDTH, slices=ROWS, pixel_size_nm=VOXEL_NM, column_offset_px=offset
    )
    sparse = np.arange(full_views) * 180 / full_views
    binned = np.exp(-_seen(truth, sparse, blur_px[1])).reshape(full_views, ROWS // 2, 2, N // 2, 2).mean(axis=(2, 4))
    full = ParallelGeometry(angles_deg=sparse, columns=N // 2, slices=ROWS // 2, pixel_size_nm=2 * VOXEL_NM)
    data = []
    for transmission, area in ((cut, 1), (binned, 4)):
        if photons is not None:
            counts = rng.poisson(photons * area * transmission)
            transmission = np.maximum(counts, 0.5) / (photons * area)
        data.append(-np.log(transmission).astype(np.float32))
    y, x = np.indices((N, N)) - (N - 1) / 2
    disc = np.hypot(y - centre[0], x - centre[1]) < 0.475 * WIDTH
    return Pair(truth, interior, full, data, np.broadcast_to(disc, truth.shape))


def _seen(truth, angles, sigma):
    views = project_strips(truth, angles, voxel_size_um=VOXEL_NM / 1000, columns=N)
    return np.stack([gaussian_filter(view, sigma, mode="nearest") for view in views]) if sigma else views
