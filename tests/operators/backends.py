"""Geometries with everything that a projector has to place, for tests of the backends against numba."""

import numpy as np

from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam

ANGLES = [0, 45, 90, 135, 180, -45, 225, 270, 360, 33.3, -70]
N = len(ANGLES)
CASES = {
    "plain": dict(columns=30, slices=3, shape=(3, 30, 30)),
    "non-square, truncated": dict(columns=20, slices=2, shape=(2, 50, 21)),
    "wide": dict(columns=60, slices=1, shape=(1, 20, 20)),
    "fewer rows": dict(columns=20, slices=4, shape=(7, 20, 20)),
    "another voxel": dict(columns=20, slices=6, shape=(9, 30, 30), voxel_size_nm=13.0),
    "coarse voxel": dict(columns=40, slices=12, shape=(5, 15, 15), voxel_size_nm=55.0),
    "offsets": dict(
        columns=22,
        slices=7,
        shape=(10, 13, 17),
        voxel_size_nm=15.0,
        origin_nm=(9, 40, -66),
        column_offset_px=np.linspace(-3, 4, N),
        slice_offset_px=np.linspace(-1, 1.2, N),
    ),
}


def beam(backend="numba", device=None, angles=ANGLES, *, columns, slices, shape, **options):
    offsets = {name: options.pop(name) for name in ("column_offset_px", "slice_offset_px") if name in options}
    geometry = ParallelGeometry(angles_deg=angles, columns=columns, slices=slices, pixel_size_nm=20.0, **offsets)
    return ParallelBeam(geometry, shape, backend=backend, device=device, **options)


def pair(operator, seed=0):
    """Random volume and projections."""
    rng = np.random.default_rng(seed)
    return rng.random(operator.domain_shape, dtype=np.float32), rng.random(operator.range_shape, dtype=np.float32)


def relative(a, b):
    return float(np.linalg.norm(np.asarray(a, np.float64) - b) / np.linalg.norm(b))
