"""How far shifts are from those that would align a series, in pixels (PROTOCOL 4)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError

Score = tuple[str, int | None, float]
LARGEST_ERROR_PX = 10.0


def score_shifts(pred: ArrayLike, truth: ArrayLike, angles_deg: ArrayLike, *, pixel_size_nm: float) -> list[Score]:
    """Score the shifts of one series.

    Parameters
    ----------
    pred, truth : ndarray, shape (n_angles, 2), float, pixels
        Shift (dz, du) to apply to each view.
    angles_deg : array_like, shape (n_angles,), degrees
        Of the views.
    pixel_size_nm : float, nm
        Edge of a pixel.

    Returns
    -------
    list of (str, None, float)
        (metric id, None, value).

    Examples
    --------
    >>> truth = np.zeros((3, 2))
    >>> found = np.array([[0.0, 3.0], [4.0, 0.0], [0.0, 20.0]])
    >>> [(name, round(value, 2)) for name, _, value in score_shifts(found, truth, [0, 60, 120], pixel_size_nm=20)][:2]
    [('alignment_error@1', 5.67), ('alignment_median@1', 4.0)]
    """
    answer, reference = np.asarray(pred, np.float64), np.asarray(truth, np.float64)
    angles = np.asarray(angles_deg, np.float64)
    if answer.shape != (angles.size, 2) or reference.shape != answer.shape:
        raise InputError(
            f"shifts have shape {answer.shape} and {reference.shape}, expected ({angles.size}, 2): one a view"
        )
    errors = capped_errors(answer - reference)
    free = capped_errors(without_gauge(answer - reference, angles))
    return [
        ("alignment_error@1", None, float(errors.mean())),
        ("alignment_median@1", None, float(np.median(errors))),
        ("alignment_p95@1", None, float(np.percentile(errors, 95))),
        ("alignment_error_nm@1", None, float(errors.mean() * pixel_size_nm)),
        ("alignment_error_free@1", None, float(free.mean())),
    ]


def capped_errors(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the length of each difference, at most 10 pixels: one lost view is not the whole score."""
    return np.minimum(np.hypot(difference[:, 0], difference[:, 1]), LARGEST_ERROR_PX)


def without_gauge(difference: NDArray[np.float64], angles_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take off what moving the whole specimen would explain: a constant in z, `A cos + B sin` in u (least squares).

    Parameters
    ----------
    difference : ndarray, shape (n_angles, 2), float64, pixels
        Of two sets of shifts.
    angles_deg : ndarray, shape (n_angles,), degrees
        Of the views.

    Returns
    -------
    ndarray, shape (n_angles, 2), float64
    """
    theta = np.deg2rad(angles_deg)
    basis = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    move, *_ = np.linalg.lstsq(basis, difference[:, 1], rcond=None)
    return np.stack([difference[:, 0] - difference[:, 0].mean(), difference[:, 1] - basis @ move], axis=1)
