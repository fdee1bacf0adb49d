"""Two independent halves of a tilt series, for Fourier ring and shell correlation.

Photon counts are halved by `sxtbench.acquisition.counts.split_counts`, which keeps all angles.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators._arrays import checked_views


class Half(NamedTuple):
    """One half: its views (n, slices, columns), their geometry, and which views of the whole series they are."""

    projections: NDArray[np.float32]
    geometry: ParallelGeometry
    views: NDArray[np.int64]


def select_views(geometry: ParallelGeometry, indices: ArrayLike) -> ParallelGeometry:
    """Return the geometry of some views, in that order.

    Parameters
    ----------
    geometry : ParallelGeometry
        All views.
    indices : array_like, 1-D, int
        Views to keep, in this order; negative ones count from the end.

    Returns
    -------
    ParallelGeometry

    Raises
    ------
    InputError
        For no views, views that do not exist, and indices that are not whole numbers.

    Examples
    --------
    >>> whole = ParallelGeometry(angles_deg=[-20, 0, 20], columns=8, slices=1, pixel_size_nm=20)
    >>> select_views(whole, [2, 0]).angles_deg
    array([ 20., -20.])
    """
    chosen = checked_views(indices, geometry.shape[0])
    return ParallelGeometry(
        angles_deg=np.asarray(geometry.angles_deg)[chosen],
        columns=geometry.columns,
        slices=geometry.slices,
        pixel_size_nm=geometry.pixel_size_nm,
        column_offset_px=np.asarray(geometry.column_offset_px)[chosen],
        slice_offset_px=np.asarray(geometry.slice_offset_px)[chosen],
    )


def even_odd(projections: NDArray[np.float32], geometry: ParallelGeometry) -> tuple[Half, Half]:
    """Split a tilt series into every other view, in the order of the angles.

    Neighbouring angles go to different halves whatever the order they were taken in, so that both halves cover the
    same range as evenly as the whole. An odd number of views leaves one more in the first half. Within a half, views
    stay in the order of the series.

    Parameters
    ----------
    projections : ndarray, shape (n_angles, n_slices, n_columns)
        Views.
    geometry : ParallelGeometry
        Their geometry.

    Returns
    -------
    tuple of two Half
        Even views (first, third, ... smallest angle) and odd ones.

    Raises
    ------
    InputError
        For projections of another shape than the geometry's, and for fewer than two views.

    References
    ----------
    Cardone, Grünewald, Steven, J. Struct. Biol. 151 (2005) 117, doi 10.1016/j.jsb.2005.04.006 (even/odd tilts).

    Examples
    --------
    >>> geometry = ParallelGeometry(angles_deg=[0, 40, 20, -20, -40], columns=8, slices=1, pixel_size_nm=20)
    >>> even, odd = even_odd(np.zeros((5, 1, 8), np.float32), geometry)
    >>> even.geometry.angles_deg, odd.geometry.angles_deg
    (array([  0.,  40., -40.]), array([ 20., -20.]))
    """
    if projections.shape != geometry.shape:
        raise InputError(f"projections have shape {projections.shape}, the geometry is of {geometry.shape}")
    if len(projections) < 2:
        raise InputError("a tilt series of one view has no halves, expected two views or more")
    order = np.argsort(np.asarray(geometry.angles_deg), kind="stable")
    even, odd = (np.sort(order[first::2]) for first in (0, 1))
    return tuple(Half(projections[part], select_views(geometry, part), part) for part in (even, odd))  # type: ignore[return-value]
