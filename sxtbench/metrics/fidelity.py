"""How near a volume of values comes to the truth, voxel by voxel: RMSE, PSNR, SSIM, bias per label, regression line.

Sums run in double precision. Every function takes a mask; an empty one makes the value undefined (NaN).
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.labels import BACKGROUND, CYTOPLASM, DROPLET, UNLABELLED, VACUOLE

LAC_RANGE = 0.5  # 1/um, R of PROTOCOL 3: the data range of the whole suite
LAC_RMSE_FLOOR = 1e-4  # 1/um
PSNR_CAP = 100.0  # dB
SSIM_K1, SSIM_K2, SSIM_SIGMA, SSIM_WINDOW = 0.01, 0.03, 1.5, 11
_BLOCK = 1 << 17  # larger ones cost page faults


def rmse(pred: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Root mean square error.

    Parameters
    ----------
    pred, truth : ndarray, any equal shape, real
        Answer and truth, in one unit.
    mask : ndarray, shape of `truth`, bool, optional
        Where to count; everywhere if left out.

    Returns
    -------
    float
        In the unit of the values; NaN for an empty mask.

    Raises
    ------
    InputError
        If shapes or dtypes are out of the contract, or a counted value is NaN or infinite.

    Examples
    --------
    >>> rmse([1.0, 2.0, 9.0], [1.0, 4.0, 0.0], mask=[True, True, False])
    1.4142135623730951
    """
    squares, count = 0.0, 0
    for answer, reference in _blocks(pred, truth, mask):
        error = answer - reference
        squares += _dot(error, error)
        count += error.size
    return math.sqrt(squares / count) if count else math.nan


def psnr(pred: ArrayLike, truth: ArrayLike, *, data_range: float, mask: ArrayLike | None = None) -> float:
    """Peak signal-to-noise ratio, `20 log10(data_range / RMSE)`, at most 100 dB.

    Parameters
    ----------
    pred, truth, mask
        As in `rmse`.
    data_range : float
        The range that the values can span, in their unit. There is no default: a range taken from the data makes
        volumes incomparable.

    Returns
    -------
    float
        dB; NaN for an empty mask.

    Raises
    ------
    InputError
        As `rmse`, and if `data_range` is not positive and finite.

    Examples
    --------
    >>> round(psnr([0.0, 0.1], [0.0, 0.0], data_range=1.0), 2)
    23.01
    """
    _positive(data_range, "data_range")
    error = rmse(pred, truth, mask)
    if math.isnan(error):
        return math.nan
    return PSNR_CAP if error == 0 else min(PSNR_CAP, 20 * math.log10(data_range / error))


def psnr_lac(pred: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Score PSNR as every task does: `20 log10(0.5 / max(RMSE, 1e-4))`, values in 1/um, at most 73.98 dB (PROTOCOL 3).

    Parameters and errors as in `rmse`.

    Examples
    --------
    >>> round(psnr_lac([0.35, 0.45], [0.4, 0.4]), 2)
    20.0
    """
    return _psnr_of(rmse(pred, truth, mask))


def psnr_affine(pred: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """`psnr_lac` after the best gain and offset of this one volume (`affine_fit`): what is left without calibration.

    Parameters and errors as in `rmse`.

    Examples
    --------
    >>> round(psnr_affine([0.0, 1.0, 2.0], [0.1, 0.3, 0.5]), 2)
    73.98
    """
    gain, offset = affine_fit(pred, truth, mask)
    squares, count = 0.0, 0
    for answer, reference in _blocks(pred, truth, mask):
        error = gain * answer + offset - reference
        squares += _dot(error, error)
        count += error.size
    return _psnr_of(math.sqrt(squares / count) if count else math.nan)


def affine_fit(pred: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> tuple[float, float]:
    """Gain and offset that bring the answer nearest to the truth: least squares of `gain * pred + offset - truth`.

    Parameters and errors as in `rmse`.

    Returns
    -------
    tuple of two float
        (gain, offset); (0, mean of the truth) for a constant answer; NaN for an empty mask.

    Examples
    --------
    >>> affine_fit([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
    (2.0, 1.0)
    """
    count, mean_pred, mean_truth, var_pred, _, covariance = _moments(pred, truth, mask)
    if count == 0:
        return math.nan, math.nan
    gain = covariance / var_pred if var_pred > 0 else 0.0
    return gain, mean_truth - gain * mean_pred


def lac_regression(pred: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> tuple[float, float]:
    """Slope and intercept of the regression of the answer on the truth, over voxels: 1 and 0 are right.

    The truth has no error, so that noise in the answer does not bend this line; it does bend that of `affine_fit`,
    whose gain falls as noise grows.

    Parameters and errors as in `rmse`.

    Returns
    -------
    tuple of two float
        (slope, intercept), the intercept in the unit of the values; NaN where the truth is constant or the mask empty.

    Examples
    --------
    >>> lac_regression([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
    (0.5, -0.5)
    """
    count, mean_pred, mean_truth, _, var_truth, covariance = _moments(pred, truth, mask)
    if count == 0 or var_truth == 0:
        return math.nan, math.nan
    slope = covariance / var_truth
    return slope, mean_pred - slope * mean_truth


def lac_bias(
    pred: ArrayLike,
    truth: ArrayLike,
    labels: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    classes: Sequence[int] = (BACKGROUND, CYTOPLASM, VACUOLE, DROPLET),
) -> dict[int, float]:
    """Mean of the answer less mean of the truth over the voxels of each label.

    Parameters
    ----------
    pred, truth, mask
        As in `rmse`.
    labels : ndarray, shape of `truth`, integer, labels in [0, 255]
        True labels.
    classes : sequence of int
        Labels to report, each in [0, 254].

    Returns
    -------
    dict
        `{label: bias}` in the unit of the values; NaN for a label without a voxel in the mask.

    Raises
    ------
    InputError
        As `rmse`, and if labels or classes are out of the contract.

    Examples
    --------
    >>> lac_bias([0.5, 0.25, 0.5], [0.25, 0.25, 0.5], [1, 1, 2], classes=[1, 2, 3])
    {1: 0.125, 2: 0.0, 3: nan}
    """
    members = [int(c) for c in classes]
    if not members or len(set(members)) != len(members) or not all(0 <= c < UNLABELLED for c in members):
        raise InputError(f"classes are {members}, expected one or more different labels in [0, 254]")
    ids = np.asarray(labels)
    if not np.issubdtype(ids.dtype, np.integer) or ids.shape != np.shape(truth):
        raise InputError(f"labels are {ids.dtype} of shape {ids.shape}, expected integers of shape {np.shape(truth)}")
    if ids.dtype != np.uint8 and ids.size and not (ids.min() >= 0 and ids.max() <= UNLABELLED):
        raise InputError(f"labels span [{ids.min()}, {ids.max()}], expected values in [0, 255]")
    sums, counts = np.zeros(UNLABELLED + 1), np.zeros(UNLABELLED + 1, np.int64)
    for (answer, reference), block in zip(_blocks(pred, truth, mask), _selected(ids, mask), strict=True):
        sums += np.bincount(block, weights=answer - reference, minlength=UNLABELLED + 1)
        counts += np.bincount(block, minlength=UNLABELLED + 1)
    return {c: float(sums[c] / counts[c]) if counts[c] else math.nan for c in members}


def ssim(pred: ArrayLike, truth: ArrayLike, *, data_range: float, mask: ArrayLike | None = None) -> float:
    """Structural similarity with fixed constants, averaged over the mask.

    K1 = 0.01, K2 = 0.03; Gaussian window of sd 1.5 cut at 5 voxels (11 wide), along every axis, so that it is a ball
    for a volume and a disc for an image; population covariances. The map is scikit-image's; without a mask, a border of
    5 voxels is left out of its mean, as there.

    Parameters
    ----------
    pred, truth : ndarray, shape (z, y, x) or (y, x), real, each side at least 11
        Answer and truth, in one unit.
    data_range : float
        As in `psnr`.
    mask : ndarray, shape of `truth`, bool, optional
        Where to average. Windows at its edge reach up to 5 voxels beyond it.

    Returns
    -------
    float
        In [-1, 1]; NaN for an empty mask.

    Raises
    ------
    InputError
        As `psnr`, and if a side is shorter than the window.

    References
    ----------
    Wang et al. (2004), doi 10.1109/TIP.2003.819861.

    Examples
    --------
    >>> ramp = np.arange(256.0).reshape(16, 16) / 256
    >>> ssim(ramp, ramp, data_range=1.0)
    1.0
    """
    from skimage.metrics import structural_similarity

    _positive(data_range, "data_range")
    answer, reference, keep = _checked(pred, truth, mask)
    if reference.ndim not in (2, 3) or min(reference.shape) < SSIM_WINDOW:
        raise InputError(f"SSIM of shape {reference.shape}: expected 2 or 3 axes of at least {SSIM_WINDOW} voxels")
    if keep is not None:
        if not keep.any():
            return math.nan
        box = _bounding_box(keep)
        answer, reference, keep = answer[box], reference[box], keep[box]
    dtype = np.float32 if answer.dtype == reference.dtype == np.float32 else np.float64
    answer, reference = np.asarray(answer, dtype), np.asarray(reference, dtype)
    _finite(answer, "answer")
    _finite(reference, "truth")
    mean, every = structural_similarity(  # type: ignore[no-untyped-call]
        answer,
        reference,
        data_range=data_range,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        K1=SSIM_K1,
        K2=SSIM_K2,
        full=True,
    )
    return float(mean) if keep is None else float(np.mean(every[keep], dtype=np.float64))


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.einsum("i,i->", a, b))  # on this thread: BLAS starts others, which a busy machine makes wait


def _psnr_of(error: float) -> float:
    return math.nan if math.isnan(error) else 20 * math.log10(LAC_RANGE / max(error, LAC_RMSE_FLOOR))


def _moments(
    pred: ArrayLike, truth: ArrayLike, mask: ArrayLike | None
) -> tuple[int, float, float, float, float, float]:
    """Return voxel count, the two means, the two variances and the covariance; two passes, so that nothing cancels."""
    count, total_pred, total_truth = 0, 0.0, 0.0
    least, most = np.full(2, np.inf), np.full(2, -np.inf)
    for pair in _blocks(pred, truth, mask):
        if pair[0].size:
            count += pair[0].size
            total_pred += float(pair[0].sum())
            total_truth += float(pair[1].sum())
            least = np.minimum(least, [part.min() for part in pair])
            most = np.maximum(most, [part.max() for part in pair])
    if count == 0:
        return 0, math.nan, math.nan, math.nan, math.nan, math.nan
    mean_pred, mean_truth = total_pred / count, total_truth / count
    sums = np.zeros(3)
    for answer, reference in _blocks(pred, truth, mask):
        p, t = answer - mean_pred, reference - mean_truth
        sums += (_dot(p, p), _dot(t, t), _dot(p, t))
    sums[:2] *= least < most  # a constant has no variance, not one of rounding
    var_pred, var_truth, covariance = (float(value) / count for value in sums)
    return count, mean_pred, mean_truth, var_pred, var_truth, covariance


def _blocks(
    pred: ArrayLike, truth: ArrayLike, mask: ArrayLike | None
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the counted voxels of answer and truth as doubles, a block at a time: 512^3 of them would be 2 GB."""
    answer, reference, keep = _checked(pred, truth, mask)
    for p, t in zip(_selected(answer, keep), _selected(reference, keep), strict=True):
        pair = p.astype(np.float64), t.astype(np.float64)
        _finite(pair[0], "answer")
        _finite(pair[1], "truth")
        yield pair


def _selected(values: NDArray[np.generic], mask: ArrayLike | None) -> Iterator[NDArray[np.generic]]:
    flat = values.reshape(-1)
    keep = None if mask is None else np.asarray(mask).reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        yield flat[block] if keep is None else flat[block][keep[block]]


def _checked(
    pred: ArrayLike, truth: ArrayLike, mask: ArrayLike | None
) -> tuple[NDArray[np.generic], NDArray[np.generic], NDArray[np.bool_] | None]:
    answer, reference = np.asarray(pred), np.asarray(truth)
    for array, what in ((answer, "answer"), (reference, "truth")):
        if array.dtype.kind not in "fiub":
            raise InputError(f"the {what} has dtype {array.dtype}, expected real numbers")
    if answer.shape != reference.shape:
        raise InputError(f"the answer has shape {answer.shape}, expected the truth's {reference.shape}")
    if mask is None:
        return answer, reference, None
    keep = np.asarray(mask)
    if keep.dtype != np.bool_ or keep.shape != reference.shape:
        raise InputError(f"the mask is {keep.dtype} of shape {keep.shape}, expected bool of shape {reference.shape}")
    return answer, reference, keep


def _finite(values: NDArray[np.generic], what: str) -> None:
    if not np.isfinite(values).all():
        raise InputError(f"the {what} holds NaN or infinity where it is scored, expected finite values")


def _positive(data_range: float, what: str) -> None:
    if not (math.isfinite(data_range) and data_range > 0):
        raise InputError(f"{what} is {data_range}, expected a positive number in the unit of the values")


def _bounding_box(keep: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the box of a mask with the reach of the window around it, at least a window wide."""
    box = []
    for axis, length in enumerate(keep.shape):
        inside = np.flatnonzero(keep.any(axis=tuple(k for k in range(keep.ndim) if k != axis)))
        low, high = max(0, inside[0] - SSIM_WINDOW // 2), min(length, inside[-1] + SSIM_WINDOW // 2 + 1)
        low = max(0, min(low, high - SSIM_WINDOW))
        box.append(slice(int(low), int(max(high, low + SSIM_WINDOW))))
    return tuple(box)
