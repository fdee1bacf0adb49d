"""Filtered backprojection of parallel-beam projections, for any list of angles."""

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam

EXTENSIONS = (None, "edge")
FILTERS = ("ram-lak", "shepp-logan", "hann", "hamming")
_EDGE_COLUMNS = 8  # over which the value at the edge is averaged: less noise
_CHUNK_BYTES = 32 * 2**20  # of padded rows that are filtered at a time
_SAME_DEG = 1e-6  # angles closer than this are one direction


def fbp(
    projections: ArrayLike,
    geometry: ParallelGeometry,
    volume_shape: tuple[int, int, int] | None = None,
    voxel_size_nm: float | None = None,
    filter: str = "ram-lak",
    extension: str | None = None,
) -> NDArray[np.float32]:
    """Reconstruct a volume of LAC by filtered backprojection.

    The ramp filter is the discrete one of Kak and Slaney, zero-padded to at least twice the detector; the
    backprojection is pixel-driven with linear interpolation; views are weighted by `view_weights`. Beyond the detector,
    projections count as zero, or as `extension` says.

    Parameters
    ----------
    projections : array_like, shape (n_angles, n_slices, n_columns), cast to float32, absorbance
        The tilt series.
    geometry : ParallelGeometry
        Where the views were taken.
    volume_shape : tuple of three int, optional
        Voxels along (z, y, x); (slices, columns, columns) by default.
    voxel_size_nm : float, optional
        Edge of a voxel, nm; the detector's pixel by default.
    filter : str
        "ram-lak", "shepp-logan", "hann" or "hamming".
    extension : str, optional
        "edge": views of a truncated specimen go on beyond the detector from the value at its edge, see
        `filter_projections`. What is seen keeps its shape and loses the bright rim, but the mean level is lower.

    Returns
    -------
    ndarray, shape volume_shape, float32, LAC in 1/um

    Raises
    ------
    InputError
        For a filter or an extension that does not exist, for projections of another shape than the geometry's or with
        NaN or infinity.

    References
    ----------
    Kak and Slaney, Principles of Computerized Tomographic Imaging (1988), section 3.3; Kyrieleis et al., J. Microsc.
    241 (2011) 69, doi 10.1111/j.1365-2818.2010.03408.x (extension of truncated views).

    Examples
    --------
    >>> import numpy as np
    >>> geometry = ParallelGeometry(angles_deg=np.arange(0, 180, 6), columns=32, slices=1, pixel_size_nm=50)
    >>> fbp(np.zeros(geometry.shape, np.float32), geometry, filter="hamming").shape
    (1, 32, 32)
    """
    shape = (geometry.slices, geometry.columns, geometry.columns) if volume_shape is None else volume_shape
    operator = ParallelBeam(geometry, shape, voxel_size_nm)
    filtered = filter_projections(projections, geometry, filter=filter, extension=extension)
    return operator.backproject(filtered, view_weights(geometry.angles_deg))


def filter_projections(
    projections: ArrayLike, geometry: ParallelGeometry, *, filter: str = "ram-lak", extension: str | None = None
) -> NDArray[np.float32]:
    """Apply the (windowed) ramp filter along the detector's columns.

    Parameters
    ----------
    projections : array_like, shape (n_angles, n_slices, n_columns), cast to float32, absorbance
        The tilt series.
    geometry : ParallelGeometry
        Gives the shape and the pixel size.
    filter : str
        "ram-lak", "shepp-logan", "hann" or "hamming".
    extension : str, optional
        "edge": each row goes on for half of the detector's width on both sides, from the mean of its outermost
        `_EDGE_COLUMNS` columns down to zero along half a cosine. (Kyrieleis et al. hold the edge's value; for a slab of
        ice that leaves every field of view this takes its whole LAC away, the cosine about half of it.)

    Returns
    -------
    ndarray, shape (n_angles, n_slices, n_columns), float32, 1/um
    """
    views = np.asarray(projections)
    if views.shape != geometry.shape:
        raise InputError(f"projections have shape {views.shape}, the geometry expects {geometry.shape}, (angle, z, u)")
    if views.dtype.kind not in "fiub":
        raise InputError(f"projections have dtype {views.dtype}, expected real numbers")
    if extension not in EXTENSIONS:
        raise InputError(f"extension is {extension!r}, expected one of: {', '.join(map(str, EXTENSIONS))}")
    n_angles, slices, columns = views.shape
    margin = 0 if extension is None else columns // 2
    size = scipy.fft.next_fast_len(2 * (columns + 2 * margin), real=True)
    response = (ramp_response(size, filter) / (geometry.pixel_size_nm / 1000)).astype(np.float32)
    out = np.empty(views.shape, np.float32)
    rows, out_rows = views.reshape(-1, columns), out.reshape(-1, columns)
    chunk = max(1, _CHUNK_BYTES // (4 * size))
    for begin in range(0, n_angles * slices, chunk):
        part = np.asarray(rows[begin : begin + chunk], np.float32)
        finite = np.isfinite(part).all(axis=1)
        if not finite.all():
            angle, row = divmod(begin + int(np.argmin(finite)), slices)
            raise InputError(f"projections hold NaN or infinity in view {angle}, row {row}; expected finite absorbance")
        spectrum = scipy.fft.rfft(continued(part, margin), size, axis=1, workers=available_cores())
        spectrum *= response
        filtered = scipy.fft.irfft(spectrum, size, axis=1, workers=available_cores())
        out_rows[begin : begin + chunk] = filtered[:, margin : margin + columns]
    return out


def continued(views: NDArray[np.float32], margin: int) -> NDArray[np.float32]:
    """Continue views beyond both sides of the detector, from the value at its edge to zero along half a cosine.

    Parameters
    ----------
    views : ndarray, shape (..., n_columns), float32
        Projections, or rows of them.
    margin : int
        Columns more on each side.

    Returns
    -------
    ndarray, shape (..., n_columns + 2 * margin), float32
    """
    if margin == 0:
        return views
    fall = (0.5 + 0.5 * np.cos(np.pi * np.arange(1, margin + 1) / (margin + 1))).astype(np.float32)
    left = views[..., :_EDGE_COLUMNS].mean(axis=-1, keepdims=True)
    right = views[..., -_EDGE_COLUMNS:].mean(axis=-1, keepdims=True)
    return np.concatenate([left * fall[::-1], views, right * fall], axis=-1)


def ramp_response(size: int, filter: str = "ram-lak") -> NDArray[np.float64]:
    """Return the frequency response of the ramp filter for unit pixels, from 0 to the Nyquist frequency.

    Parameters
    ----------
    size : int
        Length of the transform (padded).
    filter : str
        "ram-lak", "shepp-logan", "hann" or "hamming".

    Returns
    -------
    ndarray, shape (size // 2 + 1,), float64
        The transform of the band-limited ramp sampled in space, h(0) = 1/4, h(odd n) = -1/(pi n)^2, so that zero
        frequency is not exactly 0 but what a finite kernel makes of it; times the window, which is 1 there.
    """
    n = np.arange(size)
    distance = np.minimum(n, size - n)
    odd = distance % 2 == 1
    ramp = np.zeros(size)
    ramp[0] = 0.25
    ramp[odd] = -1 / (np.pi * distance[odd]) ** 2
    response: NDArray[np.float64] = scipy.fft.rfft(ramp).real * window(np.arange(size // 2 + 1) / size, filter)
    return response


def window(frequency: ArrayLike, filter: str) -> NDArray[np.float64]:
    """Return the window of a filter.

    Parameters
    ----------
    frequency : array_like, cycles per pixel, 0 to 0.5
        Frequencies.
    filter : str
        "ram-lak": 1; "shepp-logan": sinc(f); "hann": 0.5 + 0.5 cos(2 pi f); "hamming": 0.54 + 0.46 cos(2 pi f).

    Returns
    -------
    ndarray, float64
        1 at zero frequency.
    """
    f = np.asarray(frequency, np.float64)
    if filter == "ram-lak":
        return np.ones_like(f)
    if filter == "shepp-logan":
        return np.sinc(f)
    if filter == "hann":
        return 0.5 + 0.5 * np.cos(2 * np.pi * f)
    if filter == "hamming":
        return 0.54 + 0.46 * np.cos(2 * np.pi * f)
    raise InputError(f"filter is {filter!r}, expected one of: {', '.join(FILTERS)}")


def view_weights(angles_deg: ArrayLike) -> NDArray[np.float64]:
    """Return the angular weight of each view, summing to pi for any tilt range.

    Directions are angles mod 180. A direction weighs half of the gaps to its two neighbours, around the circle; a gap
    counts at most twice the median gap, so that neither the ends of a limited range nor views beside dropped ones stand
    for directions that nobody measured. Views of one direction share its weight. With weights that sum to pi, a compact
    object keeps its mean at any range.

    Parameters
    ----------
    angles_deg : array_like, shape (n_angles,), degrees
        Angles in any order.

    Returns
    -------
    ndarray, shape (n_angles,), float64, radians

    Examples
    --------
    >>> np.rad2deg(view_weights([0, 45, 90, 135])).round(6).tolist()
    [45.0, 45.0, 45.0, 45.0]
    >>> np.rad2deg(view_weights([-20, 0, 20])).round(3).tolist()    # gaps 20, 20 and 140, which counts as 40
    [67.5, 45.0, 67.5]
    """
    angles = np.asarray(angles_deg, np.float64)
    if angles.ndim != 1 or angles.size == 0 or not np.all(np.isfinite(angles)):
        raise InputError(f"angles_deg has shape {angles.shape}, expected one or more finite angles in a 1-D list")
    ticks = np.round(angles / _SAME_DEG).astype(np.int64) % round(180 / _SAME_DEG)
    distinct, which, views = np.unique(ticks, return_inverse=True, return_counts=True)
    after = np.diff(np.append(distinct, distinct[0] + round(180 / _SAME_DEG))) * _SAME_DEG
    after = np.minimum(after, 2 * np.median(after))
    weights: NDArray[np.float64] = ((after + np.roll(after, 1)) / 2 / views)[which]
    weights *= np.pi / weights.sum()
    return weights
