"""Gradient noise on a hashed lattice: texture as a function of the place in the specimen, whatever the grid.

A value depends on the world coordinate, the spacing and a 64-bit key alone, so two grids that share points share
values there, and any block of a volume can be computed by itself.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.jit import kernel
from sxtbench.specimens.blocks import in_blocks

# Distance, in lattice spacings, at which the autocorrelation of gradient noise falls to 1/e (measured; tested).
CORRELATION_PER_SPACING = 0.52
_BLOCK = 16


class TextureParameters(Parameters):
    """Band-limited texture.

    Parameters
    ----------
    correlation_um : tuple of two float, um
        Shortest and longest correlation length.
    sd_per_um : float, 1/um
        Standard deviation; droplets and granules have none.
    """

    correlation_um: tuple[float, float]
    sd_per_um: float = Field(ge=0)

    @field_validator("correlation_um")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1]:
            raise ValueError(f"correlation lengths are {value[0]} and {value[1]}, expected 0 < shortest <= longest")
        return value


def gradient_noise(grid: VolumeGrid, spacing_um: float, key: int, *, workers: int | None = None) -> NDArray[np.float32]:
    """Sample band-limited noise of zero mean and about unit standard deviation.

    Parameters
    ----------
    grid : VolumeGrid
        Where to sample it, about the centre of the volume.
    spacing_um : float
        Lattice spacing, um: most power lies at wavelengths of one to three spacings. Should be at least two voxels.
    key : int
        64-bit key of the realisation.
    workers : int, optional
        Threads, default one a core. The values do not depend on it.

    Returns
    -------
    ndarray, shape grid.shape (z, y, x), float32
        The noise.

    >>> from sxtbench.geometry import VolumeGrid
    >>> small, large = VolumeGrid((4, 4, 4), 50.0), VolumeGrid((4, 4, 8), 50.0)
    >>> bool((gradient_noise(large, 0.2, 7)[:, :, 2:-2] == gradient_noise(small, 0.2, 7)).all())
    True
    """
    if not spacing_um > 0:
        raise InputError(f"the spacing of gradient noise is {spacing_um} um, it must be positive")
    z, y, x = grid.axes_um()
    out = np.empty(grid.shape, np.float32)

    def block(first: int, last: int) -> None:
        out[first:last] = 0.0
        add_gradient_noise(out[first:last], z[first:last], y, x, spacing_um=spacing_um, key=key)

    in_blocks(block, grid.shape[0], block=_BLOCK, workers=workers)
    return out


def add_gradient_noise(
    out: NDArray[np.float32],
    z_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    x_um: NDArray[np.float64],
    *,
    spacing_um: float,
    key: int,
    amplitude: float = 1.0,
) -> None:
    """Add `amplitude` times unit gradient noise at the points of three increasing axes to `out`, in place.

    Parameters
    ----------
    out : ndarray, shape (n_z, n_y, n_x), float32
        Where the noise is added.
    z_um, y_um, x_um : ndarray, float64, um
        World coordinates along the three axes, ascending.
    spacing_um : float
        Lattice spacing, um.
    key : int
        64-bit key of the realisation.
    amplitude : float
        Standard deviation of what is added.
    """
    key64 = key & 0xFFFFFFFFFFFFFFFF
    # The lattice is shifted by a part of a cell that depends on the key, so that octaves never share their nodes.
    shift = [((key64 >> bits) & 0xFFFF) / 0x10000 for bits in (0, 16, 32)]
    z, y, x = (axis / spacing_um + s for axis, s in zip((z_um, y_um, x_um), shift, strict=True))
    _add_noise(out, z, y, x, np.uint64(key64), np.float32(amplitude / _UNIT_SD))


def texture_spacings_um(correlation_um: Sequence[float], resolution_um: float) -> list[float]:
    """Lattice spacings of a texture whose correlation lengths (1/e) span a band, without what voxels cannot hold.

    Parameters
    ----------
    correlation_um : two float
        Shortest and longest correlation length, um.
    resolution_um : float
        Edge of the coarsest voxel on which the texture will be seen, um. Octaves with a spacing below two such voxels
        are left out; the longest always stays, so that the texture never vanishes.

    >>> [round(s, 3) for s in texture_spacings_um((0.04, 0.12), 0.035)]
    [0.077, 0.133, 0.231]
    >>> [round(s, 3) for s in texture_spacings_um((0.04, 0.12), 0.09)]
    [0.231]
    """
    shortest, longest = correlation_um
    if not 0 < shortest <= longest:
        raise InputError(f"correlation lengths are {shortest} and {longest} um, expected 0 < shortest <= longest")
    n = 1 + round(math.log2(longest / shortest))
    spacings = [float(s) / CORRELATION_PER_SPACING for s in np.geomspace(shortest, longest, n)]
    return [s for s in spacings[:-1] if s >= 2 * resolution_um] + spacings[-1:]


def octave_key(key: int, octave: int) -> int:
    """Key of one octave of a texture."""
    return int(np.random.SeedSequence([key & 0xFFFFFFFF, key >> 32, octave]).generate_state(1, np.uint64)[0])


def _unit_sd() -> float:
    # Mean over a cell of the variance of sum_corners w * (g . d) with g uniform in [-1, 1]^3 (variance 1/3): it factors
    # into one-dimensional integrals of w^2 and (w d)^2 with the quintic fade.
    t = (np.arange(4096) + 0.5) / 4096
    w = 1.0 - t**3 * (t * (6.0 * t - 15.0) + 10.0)
    plain, with_d = 2.0 * np.mean(w**2), 2.0 * np.mean((w * t) ** 2)
    return float(math.sqrt(3.0 * with_d * plain**2 / 3.0))


_UNIT_SD = _unit_sd()


@kernel
def _add_noise(
    out: NDArray[np.float32],
    z: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    key: np.uint64,
    amplitude: np.float32,
) -> None:
    """Gradient noise, separably: per slice the lattice is contracted along z, per row along y, then read along x."""
    n_z, n_y, n_x = out.shape
    y_first, x_first = int(np.floor(y[0])), int(np.floor(x[0]))
    lat_y, lat_x = int(np.floor(y[-1])) - y_first + 2, int(np.floor(x[-1])) - x_first + 2
    planes = np.empty((2, 3, lat_y, lat_x), np.float32)  # gradients (z, y, x) on the two lattice planes about a slice
    have = np.full(2, -(2**62))
    across = np.empty((3, lat_y, lat_x), np.float32)
    level = np.empty(lat_x, np.float32)
    slope = np.empty(lat_x, np.float32)
    index = np.empty(n_x, np.int32)
    part = np.empty(n_x, np.float32)
    fade = np.empty(n_x, np.float32)
    for i in range(n_x):
        cell = np.floor(x[i])
        t = x[i] - cell
        index[i] = int(cell) - x_first
        part[i] = t
        fade[i] = t * t * t * (t * (6.0 * t - 15.0) + 10.0)
    to_unit = np.float32(2.0 / 2097151.0)
    low = np.uint64(0x1FFFFF)
    for k in range(n_z):
        z_cell = int(np.floor(z[k]))
        for side in range(2):
            p = z_cell + side
            slot = p & 1
            if have[slot] != p:
                have[slot] = p
                for j in range(lat_y):
                    for i in range(lat_x):
                        h = (
                            key
                            + np.uint64(p) * np.uint64(0x9E3779B97F4A7C15)
                            + np.uint64(y_first + j) * np.uint64(0xC2B2AE3D27D4EB4F)
                            + np.uint64(x_first + i) * np.uint64(0x165667B19E3779F9)
                        )
                        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                        h = h ^ (h >> np.uint64(31))
                        planes[slot, 0, j, i] = np.float32(np.int64(h & low)) * to_unit - np.float32(1.0)
                        planes[slot, 1, j, i] = np.float32(np.int64((h >> np.uint64(21)) & low)) * to_unit - np.float32(
                            1.0
                        )
                        planes[slot, 2, j, i] = np.float32(np.int64((h >> np.uint64(42)) & low)) * to_unit - np.float32(
                            1.0
                        )
        tz = z[k] - np.floor(z[k])
        wz = np.float32(tz * tz * tz * (tz * (6.0 * tz - 15.0) + 10.0))
        before, after = z_cell & 1, (z_cell + 1) & 1
        near, far = np.float32(tz), np.float32(tz - 1.0)
        for j in range(lat_y):
            for i in range(lat_x):
                a = planes[before, 0, j, i] * near
                b = planes[after, 0, j, i] * far
                across[0, j, i] = a + wz * (b - a)
                a = planes[before, 1, j, i]
                across[1, j, i] = a + wz * (planes[after, 1, j, i] - a)
                a = planes[before, 2, j, i]
                across[2, j, i] = a + wz * (planes[after, 2, j, i] - a)
        for j in range(n_y):
            y_cell = np.floor(y[j])
            ty = y[j] - y_cell
            q = int(y_cell) - y_first
            wy = np.float32(ty * ty * ty * (ty * (6.0 * ty - 15.0) + 10.0))
            near, far = np.float32(ty), np.float32(ty - 1.0)
            for i in range(lat_x):
                a = across[0, q, i] + across[1, q, i] * near
                b = across[0, q + 1, i] + across[1, q + 1, i] * far
                level[i] = amplitude * (a + wy * (b - a))
                a = across[2, q, i]
                slope[i] = amplitude * (a + wy * (across[2, q + 1, i] - a))
            for i in range(n_x):
                c = index[i]
                left = level[c] + slope[c] * part[i]
                right = level[c + 1] + slope[c + 1] * (part[i] - np.float32(1.0))
                out[k, j, i] += left + fade[i] * (right - left)
