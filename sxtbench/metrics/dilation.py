"""Dilation of a mask by a ball."""

import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.specimens.blocks import in_blocks

_BLOCK = 16  # slices
_FARTHEST = 1000  # voxels: sums of their squares are exact in float32


def dilated(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Dilate by a ball: all voxels within `radius` (Euclidean, voxel centres) of the mask.

    Squared distances are found axis by axis, no farther than the ball reaches, in the box that it reaches.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x), bool
        What to dilate.
    radius : float, voxels
        Radius of the ball.

    Returns
    -------
    ndarray, shape (z, y, x), bool
    """
    from sxtbench.metrics._dilation import dilate, occupied

    result = np.zeros(mask.shape, bool)
    if not mask.any():
        return result
    reach = int(radius)
    if reach > _FARTHEST:
        raise InputError(f"radius is {radius} voxels, expected at most {_FARTHEST}")
    rows = np.zeros(mask.shape[:2], np.bool_)
    columns = in_blocks(lambda a, b: occupied(mask[a:b], rows[a:b]), len(mask), block=_BLOCK)
    box = []
    for one in (rows.any(axis=1), rows.any(axis=0), np.any(columns, axis=0)):
        places = np.flatnonzero(one)
        box.append(slice(max(0, places[0] - reach), places[-1] + reach + 1))
    part, out = mask[tuple(box)], result[tuple(box)]
    limit = np.float32(radius * radius)

    def block(first: int, last: int) -> None:
        dilate(part, first, last, reach, limit, out)

    in_blocks(block, len(part), block=max(_BLOCK, reach))
    return result
