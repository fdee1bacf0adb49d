"""Room for balls and tubes in an irregular cell: clear of its surface, of its nucleus and of each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sxtbench.jit import exact_kernel
from sxtbench.specimens.implicit import Surface
from sxtbench.specimens.shapes import Shape, capsule, ellipsoid, random_directions

_BATCH = 128  # places looked at together
_BATCHES = 8  # before a thing is given up
_TURNS = 12  # directions in which a tube may go on
_FEWEST_SEGMENTS = 2  # of a tube worth the name


class Room:
    """What is left of the space inside one surface and outside others, while things are put into it.

    Parameters
    ----------
    within : Surface
        The container.
    outside : sequence of Surface
        What things must not enter.
    gap_um : float, um
        Least distance between any two things, and to the surfaces.
    """

    def __init__(self, within: Surface, outside: Sequence[Surface], gap_um: float) -> None:
        self._within, self._outside, self._gap_um = within, tuple(outside), gap_um
        self._pieces = np.empty((0, 7))  # start, end, radius

    def add(self, shape: Shape) -> None:
        """Take the room of a ball or capsule."""
        self._pieces = np.concatenate([self._pieces, _piece(shape)[None]])

    def first_free(self, places_um: NDArray[np.float64], radius_um: float) -> int | None:
        """Return the first of n candidates, each m places, where a ball of that radius has room at all its places.

        Parameters
        ----------
        places_um : ndarray, shape (n, m, 3), float64, um
            Candidates.
        radius_um : float, um
            Radius of the ball.
        """
        n, m, _ = places_um.shape
        need = radius_um + self._gap_um
        points = places_um.reshape(-1, 3)
        deep = np.asarray(self._within.depth_um(points) >= need)
        for hole in self._outside:
            deep[deep] = hole.depth_um(points[deep]) <= -need
        chosen = _first_clear(places_um, np.asarray(deep.reshape(n, m).all(axis=1)), self._pieces, need)
        return None if chosen < 0 else int(chosen)

    def ball(self, radius_um: float, rng: np.random.Generator) -> Shape | None:
        """Put a ball at the first of many random places that will do; None where none does."""
        place = self._place(radius_um, rng)
        if place is None:
            return None
        placed = ellipsoid(place, radius_um)
        self.add(placed)
        return placed

    def tube(
        self, radius_um: float, length_um: float, segment_um: float, bend: float, rng: np.random.Generator
    ) -> tuple[Shape, ...]:
        """Grow a bent tube of straight pieces through what room is left; it stays short where both its ends find none.

        Parameters
        ----------
        radius_um, length_um, segment_um : float, um
            Radius, length of the path, length of a piece.
        bend : float
            Standard deviation of a piece's turn, in radians about each of two axes.
        rng : numpy.random.Generator
            Draws the path.

        Returns
        -------
        tuple of Shape
            Two or more capsules from end to end, or none.
        """
        n_segments = max(_FEWEST_SEGMENTS, round(length_um / segment_um))
        tip = self._place(radius_um, rng)
        if tip is None:
            return ()
        tube: list[Shape] = []
        ways = [(tip, None), (tip, None)]  # one end, then the other where the first found no more room
        while ways and len(tube) < n_segments:
            (end, heading), turned = ways[0], random_directions(rng, _TURNS)
            if heading is not None:
                turned = heading + bend * rng.standard_normal((_TURNS, 3))
                turned /= np.sqrt((turned**2).sum(axis=1, keepdims=True))
            ends = end + segment_um * turned
            chosen = self.first_free(np.stack([ends, (end + ends) / 2], axis=1), radius_um)
            if chosen is None:
                ways.pop(0)
                tube.reverse()
                continue
            tube.append(capsule(end, ends[chosen], radius_um))
            if heading is None and len(ways) == 2:
                ways[1] = (tip, -turned[chosen])
            ways[0] = (ends[chosen], turned[chosen])
        if len(tube) < _FEWEST_SEGMENTS:
            return ()
        self._pieces = np.concatenate([self._pieces, np.array([_piece(shape) for shape in tube])])
        return tuple(tube)

    def _place(self, radius_um: float, rng: np.random.Generator) -> NDArray[np.float64] | None:
        low, high = self._within.bounds_um
        for _ in range(_BATCHES):
            places = rng.uniform(low, high, (_BATCH, 3))
            chosen = self.first_free(places[:, None], radius_um)
            if chosen is not None:
                return np.asarray(places[chosen])
        return None


def _piece(shape: Shape) -> NDArray[np.float64]:
    half = shape.radii_um[0] * shape.rotation[0] if shape.form else np.zeros(3)
    return np.concatenate([shape.centre_um - half, shape.centre_um + half, shape.radii_um[1:2]])


@exact_kernel
def _first_clear(
    places: NDArray[np.float64], allowed: NDArray[np.bool_], pieces: NDArray[np.float64], need: float
) -> int:
    """Index of the first allowed candidate all of whose places are `need` away from all pieces; -1 without any."""
    for c in range(len(places)):
        clear = allowed[c]
        for m in range(places.shape[1] if clear else 0):
            point = places[c, m]
            for s in range(len(pieces)):
                start, end = pieces[s, :3], pieces[s, 3:6]
                reach = pieces[s, 6] + need
                if min(start[0], end[0]) - point[0] > reach or point[0] - max(start[0], end[0]) > reach:
                    continue
                along, squared, length = 0.0, 0.0, 0.0
                for a in range(3):
                    edge, away = end[a] - start[a], point[a] - start[a]
                    along += edge * away
                    squared += away * away
                    length += edge * edge
                if along > 0.0:
                    part = min(along / length, 1.0)
                    squared += part * (part * length - 2.0 * along)
                if squared < reach * reach:
                    clear = False
                    break
            if not clear:
                break
        if clear:
            return c
    return -1
