"""A small limited-angle problem with photon noise, that the tests of the solvers share."""

import numpy as np

from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam

SHAPE = (6, 48, 48)
INCIDENT = 800.0


def cell():
    """LAC of a round cell with a vacuole and a droplet, vacuum around it."""
    z, y, x = np.indices(SHAPE) - (np.array(SHAPE)[:, None, None, None] - 1) / 2

    def ball(cy, cx, radius):
        return (x - cx) ** 2 + (y - cy) ** 2 + (2 * z) ** 2 <= radius**2

    lac = np.zeros(SHAPE, np.float32)
    lac[ball(0, 0, 18)] = 0.35
    lac[ball(3, -5, 8)] = 0.18
    lac[ball(-8, 7, 4)] = 0.62
    return lac


def limited_angle(seed=0, tilt_range_deg=100.0, step_deg=2.5, incident=INCIDENT):
    """Operator, truth, noisy absorbance and counts."""
    angles = np.arange(-tilt_range_deg / 2, tilt_range_deg / 2 + 1e-6, step_deg)
    geometry = ParallelGeometry(angles_deg=angles, columns=48, slices=SHAPE[0], pixel_size_nm=100)
    A = ParallelBeam(geometry, SHAPE)
    truth = cell()
    counts = np.random.default_rng(seed).poisson(incident * np.exp(-A(truth))).astype(np.float32)
    return A, truth, -np.log(np.maximum(counts, 0.5) / incident).astype(np.float32), counts


def psnr(x, truth):
    return float(20 * np.log10(0.5 / np.sqrt(np.mean((x - truth) ** 2))))


class Dense:
    """A matrix as an operator."""

    dtype = np.dtype(np.float32)

    def __init__(self, matrix):
        self.matrix = np.asarray(matrix, np.float64)
        self.range_shape, self.domain_shape = (self.matrix.shape[0],), (self.matrix.shape[1],)

    def __call__(self, x):
        return (self.matrix @ np.asarray(x, np.float64)).astype(np.float32)

    @property
    def T(self):
        return Dense(self.matrix.T)
