"""Alignment of interior views: each is moved so that it correlates with anchors and with its neighbours in angle."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, optimize, sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from sxtbench.errors import InputError
from sxtbench.reconstruction.ncc import Tables, overlap_ncc

_SAME_DEG = 1e-3  # directions closer than this are one
_WIDE = 5.0  # a gap of so many median gaps is where the chain of neighbours ends
_LEAST_OVERLAP = 0.25
_ROBUST_ROUNDS = 20
_ROBUST_PX = 0.5  # residuals below this count as noise
_FREE = 1e-9  # weight that holds what no pair determines at zero
_MEMORY = 20  # steps that the quasi-Newton method remembers

Callback = Callable[[int, NDArray[np.float64]], object]


def align(
    images: ArrayLike,
    angles_deg: ArrayLike,
    anchors: ArrayLike | None = None,
    anchor_angles_deg: ArrayLike | None = None,
    *,
    pixel_ratio: float = 2.0,
    column_offset_px: ArrayLike = 0.0,
    max_shift_px: int | None = None,
    lowpass_px: float = 1.0,
    highpass_px: float = 0.0,
    anchor_weight: float = 10.0,
    anchor_reach_deg: float | None = None,
    common_point: bool = True,
    iterations: int = 500,
    callback: Callback | None = None,
) -> NDArray[np.float64]:
    """Find the shifts that bring interior views into the frame of full-field anchors.

    The sum of the correlation coefficients of all pairs image-anchor and image-neighbour is maximised over the shifts
    of all images at once (equation 14). Coefficients over the overlap of each pair are cached at whole shifts and
    interpolated by bicubic splines, which also give the gradient for a quasi-Newton method (L-BFGS). It starts from
    the shifts that agree best, in the sense of least absolute differences, with the whole-pixel peaks of all pairs.
    Directions count modulo 180 degrees: an image from the other side is a mirror image in u.

    Parameters
    ----------
    images : array_like, shape (n, rows, columns), absorbance
        Interior views.
    angles_deg : array_like, shape (n,), degrees
        Their angles, in any order.
    anchors : array_like, shape (m, rows', columns'), absorbance, optional
        Aligned views of the whole field, centred on the axis and on the images' rows. Without any, neighbours alone
        decide: errors add up along the chain, and where the specimen stands remains open. It is put where shifts are
        smallest (no mean of dz; no part of du that a move of the specimen explains).
    anchor_angles_deg : array_like, shape (m,), degrees
        Their angles.
    pixel_ratio : float
        Edge of an anchor's pixel in pixels of the images, 1 or more. Anchors are resampled by cubic splines.
    column_offset_px : array_like, shape () or (n,), pixels of the images
        Where the images' centre lies in each view (`ParallelGeometry`), for a region off the axis.
    max_shift_px : int, optional
        Greatest shift along each axis; a sixth of the columns by default.
    lowpass_px, highpass_px : float, pixels of the images
        Standard deviations of the Gaussian that smooths and of the one whose result is subtracted; 0: none.
    anchor_weight : float
        Of image-anchor pairs against 1 for neighbours; 1 is equation 14.
    anchor_reach_deg : float, optional
        Pair an image with anchors up to this far in angle. By default less than half of the gap to its neighbour, as
        in equation 14.
    common_point : bool
        Neighbours see the specimen from two directions, so what dominates them has moved by `d/dtheta (x cos + y sin)`.
        Fit the place (x, y) of that point together with the shifts. Needs anchors in three directions, else left out.
    iterations : int
        Of L-BFGS, at most.
    callback : callable, optional
        Called as `callback(iteration, shifts)` after each; the search ends where it returns True.

    Returns
    -------
    ndarray, shape (n, 2), float64, pixels of the images
        (dz, du) to apply to each image, with the sign of `scipy.ndimage.shift`.

    Raises
    ------
    InputError
        For fewer than two images, arrays that do not belong together, NaN or infinity, anchors whose field does not
        hold the images, and where no anchor lies close enough to an image in angle.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, appendix B (equations 14, 15); Byrd et al., SIAM J. Sci. Comput. 16
    (1995) 1190, doi 10.1137/0916069 (L-BFGS).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scene = ndimage.gaussian_filter(rng.random((1, 48, 64)), (0, 2, 2))
    >>> images = np.concatenate([scene[:, 8:40, 10:50], scene[:, 11:43, 12:52]])  # a beam that does not turn
    >>> align(images, [0, 0.1], scene, [0], pixel_ratio=1).round(1) + 0.0
    array([[ 0., -2.],
           [ 3.,  0.]])
    """
    views, angles = _checked(images, angles_deg, "images")
    if len(views) < 2:
        raise InputError(f"there are {len(views)} images, expected two or more")
    if min(lowpass_px, highpass_px, anchor_weight) < 0 or iterations < 0:
        raise InputError("lowpass_px, highpass_px, anchor_weight and iterations must be 0 or more")
    offsets = np.asarray(column_offset_px, np.float64)
    if offsets.shape not in ((), angles.shape) or not np.isfinite(offsets).all():
        raise InputError(f"column_offset_px has shape {offsets.shape}, expected one finite number or one a view")
    largest = math.ceil(views.shape[2] / 6) if max_shift_px is None else max_shift_px
    if largest < 1:
        raise InputError(f"max_shift_px is {largest}, expected 1 or more")
    smooth = _band_pass(views, lowpass_px, highpass_px)
    pairs = [_neighbours(smooth, angles, largest)]
    if anchors is not None:
        if anchor_angles_deg is None:
            raise InputError("anchors came without anchor_angles_deg")
        full, full_angles = _checked(anchors, anchor_angles_deg, "anchors")
        chosen = _near(angles, full_angles, anchor_reach_deg)
        patches, start = _patches(
            full, chosen, views.shape, pixel_ratio, np.broadcast_to(offsets, angles.shape), largest
        )
        patches = _band_pass(patches, lowpass_px, highpass_px)
        table = overlap_ncc(
            smooth[chosen.image], patches, reach=(largest,) * 2, start=start, least_overlap=_LEAST_OVERLAP
        )
        pairs.append(_Pairs(chosen.image, None, chosen.sign, chosen.parallax, Tables.of(table), anchor_weight))
        common_point = common_point and len(np.unique(np.round(full_angles[chosen.anchor] % 180, 2))) >= 3
    shifts = _start(pairs, len(views))
    shifts = _maximise(pairs, shifts, common_point and anchors is not None, iterations, callback)
    return shifts if anchors is not None else _centred(shifts, angles, mirrored=bool(np.any(pairs[0].sign < 0)))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of one kind: an image and an anchor, or an image and another image.

    Parameters
    ----------
    image : ndarray, shape (p,), int
        The image that is moved.
    other : ndarray, shape (p,), int, or None
        The image that it is compared with; None for anchors, which stay.
    sign : ndarray, shape (p,), float64
        -1 where the partner is seen from the other side and was flipped in u, else 1.
    parallax : ndarray, shape (p, 2), float64
        How far a point at (x, y) = (1, 0) and (0, 1) moves in u from the partner's view to the image's.
    tables : Tables
        Correlation by relative shift.
    weight : float
        In the sum.
    """

    image: NDArray[np.int64]
    other: NDArray[np.int64] | None
    sign: NDArray[np.float64]
    parallax: NDArray[np.float64]
    tables: Tables
    weight: float

    def relative(self, shifts: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shift of each image against its partner."""
        out: NDArray[np.float64] = shifts[self.image].copy()
        if self.other is not None:
            out[:, 0] -= shifts[self.other, 0]
            out[:, 1] -= self.sign * shifts[self.other, 1]
        out[:, 1] += (self.parallax * point).sum(axis=1)
        return out


def _neighbours(smooth: NDArray[np.float64], angles: NDArray[np.float64], largest: int) -> _Pairs:
    """Each image with the next in direction, around the half circle; the widest gap is left out if it is a wide one."""
    direction = np.mod(angles, 180)
    image = np.argsort(direction, kind="stable")
    other = np.roll(image, -1)
    gaps = np.append(np.diff(direction[image]), direction[image[0]] + 180 - direction[image[-1]])
    if len(image) == 2 or gaps.max() > _WIDE * np.median(gaps):
        kept = np.arange(len(gaps)) != np.argmax(gaps)
        image, other = image[kept], other[kept]
    sign, parallax = _turn(angles[image], angles[other])
    partners = smooth[other]
    reach = min(2 * largest, smooth.shape[1] - 1), min(2 * largest, smooth.shape[2] - 1)
    partners[sign < 0] = partners[sign < 0][:, :, ::-1]
    table = overlap_ncc(smooth[image], partners, reach=reach, least_overlap=_LEAST_OVERLAP)
    return _Pairs(image, other, sign, parallax, Tables.of(table), 1.0)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Pairs of an image and an anchor: `_Pairs` without tables."""

    image: NDArray[np.int64]
    anchor: NDArray[np.int64]
    sign: NDArray[np.float64]
    parallax: NDArray[np.float64]


def _near(angles: NDArray[np.float64], anchor_angles: NDArray[np.float64], reach: float | None) -> _Chosen:
    """Anchors close to each image in direction."""
    if reach is None:
        between = _gap(angles[:, None], angles)
        between[between < _SAME_DEG] = 180.0
        limit = between.min(axis=1) / 2
    else:
        limit = np.full(len(angles), reach)
    gap = _gap(angles[:, None], anchor_angles)
    image, anchor = np.nonzero(gap < np.maximum(limit, _SAME_DEG)[:, None])
    if image.size == 0:
        raise InputError(
            f"the anchor closest to an image in angle is {gap.min():.3g} degrees off, expected less than "
            f"{limit.max():.3g}: nothing ties the images to the anchors' frame"
        )
    return _Chosen(image, anchor, *_turn(angles[image], anchor_angles[anchor]))


def _gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle between directions, degrees, 0 to 90."""
    gap: NDArray[np.float64] = np.abs(np.mod(a - b + 90, 180) - 90)
    return gap


def _turn(angles: NDArray[np.float64], partners: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Sign of u in the partner's view, and parallax."""
    a, b = np.deg2rad(angles), np.deg2rad(partners)
    sign = np.where(np.cos(a - b) < 0, -1.0, 1.0)
    return sign, np.stack([np.cos(a) - sign * np.cos(b), np.sin(a) - sign * np.sin(b)], axis=1)


def _patches(
    anchors: NDArray[np.float64],
    chosen: _Chosen,
    shape: tuple[int, ...],
    ratio: float,
    offsets: NDArray[np.float64],
    largest: int,
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Resample the anchor of each pair onto the pixels of its image and up to `largest` beyond, as far as it goes."""
    if not (np.isfinite(ratio) and ratio >= 1):
        raise InputError(f"pixel_ratio is {ratio}, expected an anchor's pixel of 1 or more pixels of the images")
    centre = np.stack([np.zeros(len(chosen.image)), chosen.sign * offsets[chosen.image]], axis=1)
    room = (np.array(anchors.shape[1:]) * ratio - shape[1:]) / 2 - np.abs(centre).max(axis=0)
    if np.any(room < -ratio / 2):  # half an anchor's pixel may be missing: rows and columns are whole numbers
        field = anchors.shape[1] * ratio, anchors.shape[2] * ratio
        raise InputError(
            f"the anchors' field is {field[0]:g} x {field[1]:g} pixels of the images, expected at least "
            f"{shape[1]:g} x {shape[2] + 2 * np.abs(centre[:, 1]).max():g}"
        )
    margin = np.clip(np.floor(room), 0, largest).astype(int)
    z, u = (np.arange(-m, n + m) - (n - 1) / 2 for m, n in zip(margin, shape[1:], strict=True))
    splines = ndimage.spline_filter1d(ndimage.spline_filter1d(anchors, 3, axis=1, mode="mirror"), 3, mode="mirror")
    out = np.empty((len(chosen.image), z.size, u.size))
    half = (np.array(anchors.shape[1:]) - 1) / 2
    for k, (anchor, sign, middle) in enumerate(zip(chosen.anchor, chosen.sign, centre[:, 1], strict=True)):
        places = np.broadcast_arrays((z / ratio + half[0])[:, None], (sign * u + middle) / ratio + half[1])
        out[k] = ndimage.map_coordinates(splines[anchor], places, mode="nearest", prefilter=False)
    return out, (int(margin[0]), int(margin[1]))


def _band_pass(images: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    out = ndimage.gaussian_filter(images, (0, low, low), mode="nearest") if low else images.copy()
    if high:
        out -= ndimage.gaussian_filter(images, (0, high, high), mode="nearest")
    return out


def _start(pairs: list[_Pairs], n: int) -> NDArray[np.float64]:
    """Shifts that agree with the peaks of all tables, by least absolute differences (reweighted least squares)."""
    out = np.empty((n, 2))
    found = [_peaks(kind.tables) for kind in pairs]
    heights = np.maximum(np.concatenate([height for _, height in found]), 0)
    for axis in (0, 1):
        matrix = sparse.vstack([_differences(kind, n, axis) for kind in pairs]).tocsr()
        target = np.concatenate([peak[:, axis] for peak, _ in found])
        weights = heights
        for _ in range(_ROBUST_ROUNDS):
            normal = matrix.T @ sparse.diags_array(weights) @ matrix + _FREE * sparse.eye_array(n)
            out[:, axis] = sparse.linalg.spsolve(normal.tocsc(), matrix.T @ (weights * target))
            weights = heights / np.maximum(np.abs(matrix @ out[:, axis] - target), _ROBUST_PX)
    return out


def _differences(kind: _Pairs, n: int, axis: int) -> "sparse.coo_array[np.float64]":
    """Matrix from the shifts of all images along one axis to the relative shifts of the pairs."""
    row, ones = np.arange(len(kind.image)), np.ones(len(kind.image))
    if kind.other is None:
        return sparse.coo_array((ones, (row, kind.image)), shape=(row.size, n))
    second = -kind.sign if axis else -ones
    places = np.concatenate([row, row]), np.concatenate([kind.image, kind.other])
    return sparse.coo_array((np.concatenate([ones, second]), places), shape=(row.size, n))


def _peaks(tables: Tables) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whole shift of the largest entry of each table, and that entry."""
    flat = tables.values.reshape(len(tables.values), -1)
    best = flat.argmax(axis=1)
    places = np.stack(np.unravel_index(best, tables.values.shape[1:]), axis=1) - tables.reach
    return places.astype(np.float64), flat[np.arange(len(flat)), best]


def _maximise(
    pairs: list[_Pairs], start: NDArray[np.float64], common_point: bool, iterations: int, callback: Callback | None
) -> NDArray[np.float64]:
    """Maximise equation 14 from `start`; the common point, where it is fitted, is the last two unknowns."""
    n = len(start)

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        shifts, point = x[: 2 * n].reshape(n, 2), x[2 * n :] if common_point else np.zeros(2)
        total, slope, pull = 0.0, np.zeros((n, 2)), np.zeros(2)
        for kind in pairs:
            value, gradient = kind.tables(kind.relative(shifts, point))
            gradient *= kind.weight
            total += kind.weight * float(value.sum())
            np.add.at(slope, kind.image, gradient)
            if kind.other is not None:
                np.add.at(slope, kind.other, -gradient * np.stack([np.ones_like(kind.sign), kind.sign], axis=1))
            pull += (kind.parallax * gradient[:, 1:]).sum(axis=0)
        return -total, -np.concatenate([slope.ravel(), pull if common_point else []])

    done = 0

    def after(xk: NDArray[np.float64]) -> None:
        nonlocal done
        done += 1
        if callback is not None and callback(done, xk[: 2 * n].reshape(n, 2).copy()) is True:
            raise StopIteration

    if iterations == 0:
        return start
    with threadpool_limits(1, user_api="blas"):  # its matrices are so small that threads only wait for each other
        found = optimize.minimize(
            loss,
            np.concatenate([start.ravel(), np.zeros(2 if common_point else 0)]),
            jac=True,
            method="L-BFGS-B",
            callback=after,
            options={"maxiter": iterations, "maxcor": _MEMORY, "ftol": 1e-12, "gtol": 1e-6},
        )
    return np.asarray(found.x[: 2 * n], np.float64).reshape(n, 2)


def _centred(shifts: NDArray[np.float64], angles: NDArray[np.float64], *, mirrored: bool) -> NDArray[np.float64]:
    """Take away what pairs of images cannot tell: the place of the specimen, and of the axis unless a pair mirrors."""
    radians = np.deg2rad(angles)
    free = np.stack([np.cos(radians), np.sin(radians)] + ([] if mirrored else [np.ones_like(radians)]), axis=1)
    du = shifts[:, 1] - free @ np.linalg.lstsq(free, shifts[:, 1], rcond=None)[0]
    return np.stack([shifts[:, 0] - shifts[:, 0].mean(), du], axis=1)


def _checked(images: ArrayLike, angles_deg: ArrayLike, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    views, angles = np.asarray(images), np.asarray(angles_deg, np.float64)
    if views.ndim != 3 or angles.shape != views.shape[:1] or 0 in views.shape:
        raise InputError(
            f"{name} have shape {views.shape} and their angles {angles.shape}, expected (n, rows, columns) and (n,)"
        )
    if views.dtype.kind not in "fiub":
        raise InputError(f"{name} have dtype {views.dtype}, expected real numbers")
    views = views.astype(np.float64)
    finite = np.isfinite(views).all(axis=(1, 2)) & np.isfinite(angles)
    if not finite.all():
        raise InputError(f"{name} hold NaN or infinity in view {int(np.argmin(finite))} or its angle")
    return views, angles
