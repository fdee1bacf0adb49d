"""Interior tomography: a truncated scan of a region, alone or together with sparse views of the whole field."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import Bin, Blur, Crop, LinearOperator, ParallelBeam, Scaled, Stack
from sxtbench.reconstruction._blocks import blocks_of, is_stacked
from sxtbench.reconstruction.fbp import continued, fbp

Shape = tuple[int, int, int]
_NESTS = 1e-6
_BESIDE = 0.1  # of the field: how far a detector as wide as the field may stand beside the axis
_REACH = 1.3  # of a Gaussian's width at half maximum: three standard deviations


def scan_operator(
    geometry: ParallelGeometry,
    volume_shape: Shape,
    voxel_size_nm: float,
    *,
    blur_nm: float | None = None,
    name: str = "the scan",
) -> LinearOperator:
    """Return the operator of one scan: rays as fine as the voxels, a lens, and the detector's pixels.

    Parameters
    ----------
    geometry : ParallelGeometry
        Of the scan; its pixel is one or several voxels, its rows cover the volume's slices.
    volume_shape : tuple of three int
        Voxels (z, y, x): the whole field.
    voxel_size_nm : float
        Edge of a voxel, nm.
    blur_nm : float, optional
        Full width at half maximum of a Gaussian that stands for the lens in focus; its outermost zone width in the
        interior paper (eq. 11 and 12). The solver then deconvolves. None: no blur.
    name : str
        Of the scan, for errors.

    Returns
    -------
    LinearOperator
        From the volume to the scan's projections, with its exact adjoint.

    Raises
    ------
    InputError
        For fewer than two views, pixels that are no whole number of voxels, rows that do not cover the slices, and a
        detector that leaves the field. One as wide as the field or wider only has to be centred on it to a tenth.

    Examples
    --------
    >>> geometry = ParallelGeometry(angles_deg=[0, 90], columns=8, slices=2, pixel_size_nm=40)
    >>> scan_operator(geometry, (4, 16, 16), 20.0, blur_nm=60.0).range_shape
    (2, 2, 8)
    """
    if len(volume_shape) != 3 or not voxel_size_nm > 0:
        raise InputError(
            f"volume_shape is {tuple(volume_shape)} and voxel_size_nm is {voxel_size_nm}, expected (z, y, x) and a "
            "positive number of nm"
        )
    views, rows, columns = geometry.shape
    if views < 2:
        raise InputError(f"{name} has {views} view, expected at least 2")
    factor = round(geometry.pixel_size_nm / voxel_size_nm)
    if factor < 1 or abs(geometry.pixel_size_nm / voxel_size_nm - factor) > _NESTS:
        raise InputError(
            f"{name}: pixel sizes do not nest: a pixel of {geometry.pixel_size_nm:g} nm is no multiple of a voxel of "
            f"{voxel_size_nm:g} nm"
        )
    if rows * factor != volume_shape[0]:
        raise InputError(
            f"{name} has no common frame with the volume: {rows} rows of {geometry.pixel_size_nm:g} nm, expected "
            f"{volume_shape[0]} slices of {voxel_size_nm:g} nm"
        )
    if float(np.abs(geometry.slice_offset_px).max()) >= rows:
        raise InputError(
            f"{name} has no common frame with the volume: its {rows} rows are shifted by "
            f"{float(np.abs(geometry.slice_offset_px).max()):g}"
        )
    offset = np.asarray(geometry.column_offset_px) * factor
    field, width = max(volume_shape[1:]), columns * factor
    beyond = float(np.abs(offset).max()) - max(0, field - width) / 2
    if beyond > (1 if width < field else _BESIDE * field):
        raise InputError(
            f"{name}: the region lies outside the field of view: its detector reaches {beyond * voxel_size_nm:.0f} nm "
            f"beyond a field of {field * voxel_size_nm:g} nm"
        )
    # what lies beside a truncated detector reaches it through the lens
    margin = 0 if blur_nm is None else int(np.ceil(_REACH * blur_nm / voxel_size_nm))
    fine = ParallelGeometry(
        angles_deg=geometry.angles_deg,
        columns=columns * factor + 2 * margin,
        slices=rows * factor,
        pixel_size_nm=voxel_size_nm,
        column_offset_px=offset,
        slice_offset_px=np.asarray(geometry.slice_offset_px) * factor,
    )
    operator: LinearOperator = ParallelBeam(fine, volume_shape, voxel_size_nm)
    if blur_nm is not None:
        blurred = Blur(fine.shape, fwhm_nm=blur_nm, pixel_size_nm=voxel_size_nm) @ operator
        operator = Crop(fine.shape, margin) @ blurred
    if factor == 1:
        return operator
    return Bin((views, rows * factor, columns * factor), factor) @ operator


def pair_operator(
    interior: ParallelGeometry,
    full: ParallelGeometry,
    volume_shape: Shape,
    voxel_size_nm: float | None = None,
    *,
    blur_nm: tuple[float | None, float | None] = (None, None),
) -> Stack:
    """Return the operator of both scans on one volume (eq. 7 of the interior paper).

    Parameters
    ----------
    interior, full : ParallelGeometry
        Of the truncated and of the full-field scan, in one frame: the same rotation axis, the same rows.
    volume_shape : tuple of three int
        Voxels (z, y, x): the whole field.
    voxel_size_nm : float, optional
        Edge of a voxel, nm; the interior pixel by default.
    blur_nm : tuple of two float or None
        For each scan, as in `scan_operator`: `(35, 60)` for the two zone plates of XM-2.

    Returns
    -------
    Stack
        Its data are `[interior projections, full projections]`.

    Raises
    ------
    InputError
        As `scan_operator`, for a full-field scan that is narrower than the interior one, and for a region that it does
        not see.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, eq. 7, 11, 12.

    Examples
    --------
    >>> interior = ParallelGeometry(angles_deg=[0, 60, 120], columns=8, slices=2, pixel_size_nm=20)
    >>> full = ParallelGeometry(angles_deg=[0, 90], columns=8, slices=1, pixel_size_nm=40)
    >>> A = pair_operator(interior, full, (2, 16, 16))
    >>> A.range_shape
    ((3, 2, 8), (2, 1, 8))
    """
    voxel = interior.pixel_size_nm if voxel_size_nm is None else voxel_size_nm
    if full.columns * full.pixel_size_nm < interior.columns * interior.pixel_size_nm:
        raise InputError(
            f"the full-field scan is {full.columns * full.pixel_size_nm:g} nm wide, narrower than the interior one "
            f"({interior.columns * interior.pixel_size_nm:g} nm): are they exchanged?"
        )
    if not isinstance(blur_nm, (tuple, list)) or len(blur_nm) != 2:
        raise InputError(f"blur_nm is {blur_nm}, expected two widths in nm, (interior, full), each a number or None")
    blocks = [
        scan_operator(geometry, volume_shape, voxel, blur_nm=blur, name=f"the {name} scan")
        for geometry, blur, name in ((interior, blur_nm[0], "interior"), (full, blur_nm[1], "full-field"))
    ]
    region, seen = _reach_nm(interior), _reach_nm(full)
    if region > seen + full.pixel_size_nm:
        raise InputError(
            f"the region lies outside the field of view of the full-field scan: it reaches {region:.0f} nm from the "
            f"axis, the scan {seen:.0f} nm"
        )
    return Stack(blocks)


def _reach_nm(geometry: ParallelGeometry) -> float:
    """Return how far from the axis a scan sees in its farthest view."""
    offset = float(np.abs(geometry.column_offset_px).max())
    return (offset + geometry.columns / 2) * geometry.pixel_size_nm


def weighted(A: LinearOperator, y: Any, data_weights: Any) -> tuple[Scaled, Any]:
    """Return operator and data scaled by the square root of weights: plain least squares on them is weighted.

    Parameters
    ----------
    A : LinearOperator
        Any, or a `Stack`.
    y : array_like, shape A.range_shape, or a list of them for a `Stack`
        Data.
    data_weights : array_like like `y`, or a list of them
        Inverse variances, such as `poisson_weights` gives.

    Returns
    -------
    A : Scaled
        To solve with `cgne`.
    y : ndarray, or a list of them
        In the same form as given.

    Examples
    --------
    >>> geometry = ParallelGeometry(angles_deg=[0, 90], columns=4, slices=1, pixel_size_nm=100)
    >>> A, y = weighted(ParallelBeam(geometry, (1, 4, 4)), np.ones((2, 1, 4)), np.full((2, 1, 4), 9.0))
    >>> float(y.max())
    3.0
    """
    data, weights = blocks_of(A, y), blocks_of(A, data_weights, "data_weights")
    if any(float(block.min()) < 0 for block in weights):
        raise InputError("data_weights hold negative values, expected inverse variances")
    roots = [np.sqrt(block) for block in weights]
    scaled = [root * block for root, block in zip(roots, data, strict=True)]
    return (Scaled(A, roots), scaled) if is_stacked(A) else (Scaled(A, roots[0]), scaled[0])


def fbp_interior(
    projections: ArrayLike,
    geometry: ParallelGeometry,
    volume_shape: Shape,
    voxel_size_nm: float | None = None,
    *,
    beyond: NDArray[np.float32] | None = None,
    filter: str = "ram-lak",
) -> NDArray[np.float32]:
    """Backproject a truncated scan on the whole field, its views extended beyond the detector.

    Parameters
    ----------
    projections : array_like, shape (n_angles, z, u), float32, absorbance
        The truncated scan.
    geometry : ParallelGeometry
        Of it.
    volume_shape : tuple of three int
        Voxels (z, y, x): the whole field.
    voxel_size_nm : float, optional
        Edge of a voxel, nm; the pixel by default.
    beyond : ndarray, shape (z, y, x), float32, 1/um, optional
        A coarse reconstruction of the whole field, such as of a sparse scan: its projections take the place of what the
        detector did not see, scaled to meet the measured ones at their edges. Left out: the edge's value, falling to
        zero at the field's rim along half a cosine; where the scan stands beside the axis, as far on both sides as on
        the wider one.
    filter : str
        As in `fbp`.

    Returns
    -------
    ndarray, shape (z, y, x), float32, LAC in 1/um

    References
    ----------
    Kyrieleis et al., J. Microsc. 241 (2011) 69, doi 10.1111/j.1365-2818.2010.03408.x; for `beyond` the approach of
    references 13 and 14 in Ekman et al., Phys. Scr. 100 (2025) 126008.

    Examples
    --------
    >>> geometry = ParallelGeometry(angles_deg=range(0, 180, 10), columns=8, slices=1, pixel_size_nm=100)
    >>> fbp_interior(np.ones((18, 1, 8)), geometry, (1, 16, 16)).shape
    (1, 16, 16)
    """
    voxel = geometry.pixel_size_nm if voxel_size_nm is None else voxel_size_nm
    views = np.asarray(projections, np.float32)
    if views.shape != geometry.shape:
        raise InputError(f"projections have shape {views.shape}, the geometry expects {geometry.shape}, (angle, z, u)")
    if beyond is not None and beyond.shape != tuple(volume_shape):
        raise InputError(f"beyond has shape {beyond.shape}, expected that of the volume, {tuple(volume_shape)}")
    # without a coarse volume, which fills its corners, the field is the circle that every view sees alike
    field = max(volume_shape[1:]) if beyond is None else float(np.hypot(*volume_shape[1:]))
    beside = (field * voxel / geometry.pixel_size_nm - geometry.columns) / 2
    margin = max(0, int(np.ceil(beside + np.abs(geometry.column_offset_px).max())))
    wide = ParallelGeometry(
        angles_deg=geometry.angles_deg,
        columns=geometry.columns + 2 * margin,
        slices=geometry.slices,
        pixel_size_nm=geometry.pixel_size_nm,
        column_offset_px=geometry.column_offset_px,
        slice_offset_px=geometry.slice_offset_px,
    )
    if beyond is None:
        filled = continued(views, margin)
    else:
        filled = ParallelBeam(wide, volume_shape, voxel)(beyond)
        seen = slice(margin, margin + geometry.columns)
        _meet(filled, views, seen)
        filled[:, :, seen] = views
    return fbp(filled, wide, volume_shape=volume_shape, voxel_size_nm=voxel, filter=filter)


def _meet(filled: NDArray[np.float32], views: NDArray[np.float32], seen: slice) -> None:
    """Scale what lies beside the measured columns so that both agree over some columns at each edge, in place."""
    near = max(1, views.shape[2] // 16)
    for side, edge in ((slice(None, seen.start), slice(0, near)), (slice(seen.stop, None), slice(-near, None))):
        measured = views[:, :, edge].mean(axis=2, keepdims=True)
        guessed = filled[:, :, seen][:, :, edge].mean(axis=2, keepdims=True)
        filled[:, :, side] *= np.where(guessed > 0, np.clip(measured / np.maximum(guessed, 1e-6), 0.5, 2), 1)
