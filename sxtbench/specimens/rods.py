"""Rods in a bore: spherocylinders at random, some of them touching, none overlapping."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sxtbench.jit import exact_kernel
from sxtbench.specimens.shapes import Shape, capsule, random_directions

_BATCH = 256  # candidates looked at together
_BISECTIONS = 60


@dataclass(frozen=True)
class Bore:
    """Where rods may lie.

    Parameters
    ----------
    radius_um : float, um
        Radius about z that every rod stays in, whole.
    gap_um : float, um
        Least distance between rods that do not touch.
    """

    radius_um: float
    gap_um: float


class Packing:
    """Rods placed so far.

    Parameters
    ----------
    bore : Bore
        Where they may lie.
    """

    def __init__(self, bore: Bore) -> None:
        self._bore = bore
        self._rods = np.empty((0, 7))  # centre, half of the axis, radius
        self._touches = np.zeros(0, np.bool_)

    def __len__(self) -> int:
        return len(self._rods)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The rods, in the order in which they were placed."""
        return tuple(capsule(r[:3] - r[3:6], r[:3] + r[3:6], float(r[6])) for r in self._rods)

    @property
    def touching(self) -> NDArray[np.bool_]:
        """Which of them touch another, shape (n,)."""
        return self._touches

    @property
    def heights_um(self) -> NDArray[np.float64]:
        """Extent of each along z, shape (n,), um."""
        return np.asarray(2.0 * (np.abs(self._rods[:, 3]) + self._rods[:, 6]))

    def place(
        self,
        half_um: float,
        radius_um: float,
        near_um: tuple[float, float],
        rng: np.random.Generator,
        *,
        touch: bool,
        batches: int,
    ) -> bool:
        """Put one rod at the first of many random places and directions that will do.

        Parameters
        ----------
        half_um, radius_um : float, um
            Half of the straight part, and radius.
        near_um : two float, um
            Bounds of the height |z| above the middle plane at which the rod begins; below zero it crosses that plane.
        rng : numpy.random.Generator
            Draws the candidates.
        touch : bool
            Slide each candidate along a random line into contact with a rod that is there already.
        batches : int
            Of candidates, before the rod is given up.

        Returns
        -------
        bool
            Whether it was placed.
        """
        for _ in range(batches):
            # One direction a batch: among many, those that stand upright would find room first.
            axes = np.repeat(half_um * random_directions(rng, 1), _BATCH, axis=0)
            reach = np.abs(axes[:, 0]) + radius_um
            angle, out = rng.uniform(0.0, 2.0 * np.pi, _BATCH), np.sqrt(rng.random(_BATCH))
            free = max(self._bore.radius_um - radius_um, 0.0)
            z = rng.uniform(np.maximum(near_um[0] + reach, 0.0), near_um[1] + reach) * rng.choice([-1.0, 1.0], _BATCH)
            centres = np.stack([z, free * out * np.sin(angle), free * out * np.cos(angle)], axis=1)
            hosts = np.full(_BATCH, -1)
            if touch:
                hosts = rng.integers(len(self._rods), size=_BATCH)
                lines = random_directions(rng, _BATCH)
                along = rng.uniform(-1.0, 1.0, (_BATCH, 1))
                centres = self._rods[hosts, :3] + along * self._rods[hosts, 3:6]
                _slide(centres, axes, radius_um, lines, hosts, self._rods)
            near = np.abs(centres[:, 0]) - reach
            good = (near > near_um[0]) & (near <= near_um[1])
            ends = np.stack([centres - axes, centres + axes])
            good &= (np.sqrt((ends[..., 1:] ** 2).sum(axis=-1)) + radius_um <= self._bore.radius_um).all(axis=0)
            _clear(centres, axes, radius_um, hosts, self._rods, self._bore.gap_um, good)
            if good.any():
                k = int(np.argmax(good))
                self._rods = np.concatenate([self._rods, [[*centres[k], *axes[k], radius_um]]])
                self._touches = np.append(self._touches, touch)
                if touch:
                    self._touches[hosts[k]] = True
                return True
        return False


@exact_kernel
def segment_distance(
    p: NDArray[np.float64], d: NDArray[np.float64], q: NDArray[np.float64], e: NDArray[np.float64]
) -> float:
    """Distance of the segments p +- d and q +- e."""
    dd, de, ee, dr, er, rr = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for a in range(3):
        r = p[a] - q[a]
        dd += d[a] * d[a]
        de += d[a] * e[a]
        ee += e[a] * e[a]
        dr += d[a] * r
        er += e[a] * r
        rr += r * r
    # Minimise |r + s d - t e|^2 over the square |s|, |t| <= 1: from the free minimum (or any s if parallel) one pass
    # of clamped coordinate steps reaches the minimum, as in Ericson, Real-Time Collision Detection, 5.1.9.
    determinant = dd * ee - de * de
    s = 0.0
    if determinant > 1e-12 * dd * ee and determinant > 0.0:
        s = min(max((de * er - ee * dr) / determinant, -1.0), 1.0)
    t = 0.0
    if ee > 0.0:
        t = min(max((er + s * de) / ee, -1.0), 1.0)
    if dd > 0.0:
        s = min(max((t * de - dr) / dd, -1.0), 1.0)
    squared = rr + s * s * dd + t * t * ee + 2.0 * (s * dr - t * er - s * t * de)
    return float(np.sqrt(max(squared, 0.0)))


@exact_kernel
def _clear(
    centres: NDArray[np.float64],
    axes: NDArray[np.float64],
    radius: float,
    hosts: NDArray[np.int64],
    rods: NDArray[np.float64],
    gap: float,
    good: NDArray[np.bool_],
) -> None:
    """Drop candidates that come closer than `gap` to a rod other than their host."""
    for c in range(len(centres)):
        if not good[c]:
            continue
        for k in range(len(rods)):
            if k == hosts[c]:
                continue
            if segment_distance(centres[c], axes[c], rods[k, :3], rods[k, 3:6]) < radius + rods[k, 6] + gap:
                good[c] = False
                break


@exact_kernel
def _slide(
    centres: NDArray[np.float64],
    axes: NDArray[np.float64],
    radius: float,
    lines: NDArray[np.float64],
    hosts: NDArray[np.int64],
    rods: NDArray[np.float64],
) -> None:
    """Move candidates, whose centre lies on their host's axis, outwards along their line until they just touch it."""
    moved = np.empty(3)
    for c in range(len(centres)):
        host = rods[hosts[c]]
        contact = radius + host[6]
        low, high = 0.0, 2.0 * contact
        for a in range(3):
            high += abs(axes[c, a]) + 2.0 * abs(host[3 + a])
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            for a in range(3):
                moved[a] = centres[c, a] + middle * lines[c, a]
            if segment_distance(moved, axes[c], host[:3], host[3:6]) < contact:
                low = middle
            else:
                high = middle
        for a in range(3):
            centres[c, a] += high * lines[c, a]
