"""Where things go: cells side by side in the grid plane, and a vacuole broken into tangent spheres."""

import numpy as np
from numpy.typing import NDArray

from sxtbench.specimens.shapes import random_directions, random_rotation

# The source's loss is written in voxels of cells with a radius of about 50: its unit here is a fiftieth of the mean.
_UNITS_PER_RADIUS = 50.0
_START_SD = 10.0
_GAP = 0.01
_PULL = 0.1
_STEPS = 1000
_RATE = (1.0, 0.01)
_MEMORY = (0.9, 0.95)  # short: the first overlaps are steep, and must not slow the gentle pull that follows


def pack_discs(radii_um: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Place discs about the origin, close to each other and without overlap.

    Minimises sum_{i<j} penalty(gap_ij) + 0.1 sum_i |p_i| with gap_ij = r_i + r_j - d_ij + 0.01 and penalty(g) = g^2 for
    g > 1, max(g, 0) below (Egebjerg and Wüstner 2025) by Adam with the analytic gradient and a falling rate, then
    spreads all centres by the one factor that clears the last overlap.

    Parameters
    ----------
    radii_um : ndarray, shape (n,), float64, um
        Radii.
    rng : numpy.random.Generator
        Draws the starting positions.

    Returns
    -------
    ndarray, shape (n, 2), float64, um
        Centres; |p_i - p_j| >= r_i + r_j for each pair. A single disc lies at the origin.
    """
    n = len(radii_um)
    start = rng.normal(0.0, _START_SD, (n, 2))
    if n == 1:
        return np.zeros((1, 2))
    unit = float(np.mean(radii_um)) / _UNITS_PER_RADIUS
    radii = np.asarray(radii_um, np.float64) / unit
    touching = radii[:, None] + radii[None, :] + _GAP
    position, first, second = start, np.zeros((n, 2)), np.zeros((n, 2))
    rates, (a, b) = np.geomspace(*_RATE, _STEPS), _MEMORY
    for step, rate in enumerate(rates, 1):
        gradient = _gradient(position, touching)
        first = a * first + (1 - a) * gradient
        second = b * second + (1 - b) * gradient**2
        position = position - rate * (first / (1 - a**step)) / (np.sqrt(second / (1 - b**step)) + 1e-8)
    distance = _distances(position)
    np.fill_diagonal(distance, np.inf)
    position = (position - position.mean(axis=0)) * max(1.0, float((touching / distance).max()))
    return np.asarray(position * unit)


def _distances(position: NDArray[np.float64]) -> NDArray[np.float64]:
    offset = position[:, None] - position[None, :]
    return np.asarray(np.sqrt((offset**2).sum(axis=2)))


def _gradient(position: NDArray[np.float64], touching: NDArray[np.float64]) -> NDArray[np.float64]:
    offset = position[:, None] - position[None, :]
    distance = np.sqrt((offset**2).sum(axis=2))
    np.fill_diagonal(distance, np.inf)
    gap = touching - distance
    slope = np.where(gap > 1.0, 2.0 * gap, (gap > 0.0) * 1.0)
    away = (slope / np.maximum(distance, 1e-9))[:, :, None] * offset
    size = np.sqrt((position**2).sum(axis=1, keepdims=True))
    return np.asarray(_PULL * position / np.maximum(size, 1e-9) - away.sum(axis=1))


def apollonian_fragments(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nine tangent spheres of unequal size that fill the unit sphere: an Apollonian packing of depth one.

    Four equal tangent spheres in their circumscribed sphere, then the sphere that each of the five leaves room for
    (Soddy: if b_5 is the bend of one, the other solution's is b_1 + .. + b_4 - b_5, likewise for bend times centre).
    An inversion about a random point outside makes the sizes unequal and keeps every tangency.

    Returns
    -------
    centres : ndarray, shape (9, 3), float64
        In units of the circumscribed sphere's radius, about its centre.
    radii : ndarray, shape (9,), float64
        Likewise.
    """
    outer = 1.0 + np.sqrt(1.5)  # circumscribed about four unit spheres at the corners of a tetrahedron of edge 2
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float64) / np.sqrt(2.0)
    centres = np.concatenate([corners, np.zeros((1, 3))])
    bends = np.array([1.0, 1.0, 1.0, 1.0, -1.0 / outer])
    weighted = centres * bends[:, None]
    new_bends = bends.sum() - 2.0 * bends
    new_centres = (weighted.sum(axis=0) - 2.0 * weighted) / new_bends[:, None]
    all_centres = np.concatenate([corners, new_centres]) / outer
    all_radii = np.concatenate([np.ones(4), 1.0 / new_bends]) / outer

    pole = random_directions(rng, 1)[0] * rng.uniform(2.5, 5.0)
    power = 1.0 / (((all_centres - pole) ** 2).sum(axis=1) - all_radii**2)
    outer_power = 1.0 / ((pole**2).sum() - 1.0)
    inverted = pole + (all_centres - pole) * power[:, None]
    middle = pole - pole * outer_power
    turn = random_rotation(rng)
    offset = (inverted - middle) / outer_power
    spun = offset[:, :1] * turn[0] + offset[:, 1:2] * turn[1] + offset[:, 2:] * turn[2]
    return np.asarray(spun), np.asarray(all_radii * power / outer_power)
