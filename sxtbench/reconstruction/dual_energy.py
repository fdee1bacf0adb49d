"""Light of a second energy in the beam: what it does to transmissions, how to find it and how to take it out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from sxtbench.errors import InputError

_FEWEST = 10  # pairs
_GRID = 65  # values of c from which a fit starts
_NO_SECOND = 1e-6  # a smaller share is rounding
_TABLE = 1 << 14
_LEAST_ABSORBANCE = -1.0  # noise lifts transmissions above 1


class DualEnergyFit(NamedTuple):
    """Fitted model of two energies.

    Parameters
    ----------
    phi0 : float
        Share of the main energy in the open beam.
    c : float
        LAC at the second energy over LAC at the main one.
    residual : float
        Root mean square of `i_b - model`, transmission.
    """

    phi0: float
    c: float
    residual: float


class StrayLightFit(NamedTuple):
    """Fitted affine model of stray light.

    Parameters
    ----------
    gain, offset : float
        `i_b = gain i_a + offset`.
    residual : float
        Root mean square of `i_b - model`, transmission.
    """

    gain: float
    offset: float
    residual: float


def dual_energy_transmission(i_a: ArrayLike, phi0: float, c: float) -> NDArray[np.float64]:
    """Return the transmission that a beam of two energies shows, `phi0 i_a + (1 - phi0) i_a^c` (equation 16).

    Parameters
    ----------
    i_a : array_like, any shape, transmission
        `exp(-mu L)` at the main energy, not negative.
    phi0 : float
        Share of the main energy in the open beam, above 0, up to 1.
    c : float
        LAC at the second energy over LAC at the main one, 0 or more; 0: the second passes unhindered (stray light).

    Returns
    -------
    ndarray, the shape of `i_a`, float64, transmission

    Raises
    ------
    InputError
        For a share or a ratio outside its range (the model would not rise with `i_a`), and for transmissions that are
        negative or not finite.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, appendix B.2 (equation 16).

    Examples
    --------
    >>> dual_energy_transmission([1.0, 0.1], phi0=0.95, c=0.3).round(4).tolist()
    [1.0, 0.1201]
    """
    _check_model(phi0, c)
    main = _transmissions(i_a, "i_a", positive=False)
    return phi0 * main + (1 - phi0) * main**c


def fit_dual_energy(
    i_a: ArrayLike,
    i_b: ArrayLike,
    *,
    incident_photons: tuple[float, float] | None = None,
    c_range: tuple[float, float] = (0.0, 0.9),
) -> DualEnergyFit:
    """Find the share and the LAC ratio of a second energy from the same pixels with and without it.

    Least squares in `i_b`, started from the best of a row of `c` (for each of them `phi0` is a linear problem). With
    `incident_photons` each residual is divided by what the noise of both images makes of it; without, noise of `i_a` is
    taken for signal, which shifts the result.

    Parameters
    ----------
    i_a, i_b : array_like, any shape, transmission
        Pairs of normalised transmissions: of a clean beam and of one with the second energy.
    incident_photons : tuple of two float, photons per pixel, optional
        Open beam behind `i_a` and `i_b`.
    c_range : tuple of two float
        Where `c` is sought. 1 must not be in it: two energies with the same LAC are one.

    Returns
    -------
    DualEnergyFit
        `(phi0, c, residual)`.

    Raises
    ------
    InputError
        For arrays of different shapes, fewer than 10 pairs, transmissions that are not positive and finite, a range
        that reaches 1, and for pairs that do not determine `c` (no second energy, or too little of it for the noise).

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, appendix B.2 (equation 16).

    Examples
    --------
    >>> clean = np.exp(-np.linspace(0, 3, 50))
    >>> found = fit_dual_energy(clean, dual_energy_transmission(clean, 0.95, 0.3))
    >>> round(found.phi0, 4), round(found.c, 4)
    (0.95, 0.3)
    """
    a, b = _pairs(i_a, i_b)
    low, high = c_range
    if not 0 <= low < high < 1 and not 1 < low < high < np.inf:
        raise InputError(f"c_range is {c_range}, expected 0 <= low < high < 1, or 1 < low < high")
    if incident_photons is not None and not all(np.isfinite(n) and n > 0 for n in incident_photons):
        raise InputError(f"incident_photons are {incident_photons}, expected two positive numbers")
    log_a = np.log(a)

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        phi0, c = x
        power = np.exp(c * log_a)
        misfit: NDArray[np.float64] = b - phi0 * a - (1 - phi0) * power
        if incident_photons is not None:
            slope = phi0 + (1 - phi0) * c * power / a
            misfit /= np.sqrt(b / incident_photons[1] + slope**2 * a / incident_photons[0])
        return misfit

    starts = []
    for c in np.linspace(low, high, _GRID):
        power = np.exp(c * log_a)
        difference = a - power
        square = float(np.sum(difference**2))
        phi0 = float(np.sum((b - power) * difference)) / square if square > 0 else 1.0
        start = np.array([np.clip(phi0, 0.0, 1.0), c])
        starts.append((float(np.sum(residuals(start) ** 2)), start))
    best = min(starts, key=lambda pair: pair[0])[1]
    found = optimize.least_squares(residuals, best, bounds=([0, low], [1, high]), x_scale=(0.1, 0.1), xtol=1e-12)
    phi0, c = (float(value) for value in found.x)
    error = _standard_error(np.asarray(found.jac, np.float64), residuals(found.x))
    if error > (high - low) / 2 or 1 - phi0 < _NO_SECOND:
        raise InputError(
            f"these pairs do not determine c (phi0 {phi0:.4g}, standard error of c {error:.2g}): the two transmissions "
            "differ too little, expected a second energy that shows above the noise"
        )
    rest = b - dual_energy_transmission(a, max(phi0, np.finfo(float).tiny), c)
    return DualEnergyFit(phi0, c, float(np.sqrt(np.mean(rest**2))))


def invert_dual_energy(
    i_b: ArrayLike, phi0: float, c: float, *, largest_absorbance: float = 12.0
) -> NDArray[np.float64]:
    """Return the transmission at the main energy alone, by a table of the model, which rises with it.

    Parameters
    ----------
    i_b : array_like, any shape, transmission
        Measured with both energies, positive.
    phi0, c : float
        As in `dual_energy_transmission`.
    largest_absorbance : float
        Where the table ends: transmissions below become `exp(-largest_absorbance)`. What is darker than the second
        energy alone could be (`c = 0`) ends there too.

    Returns
    -------
    ndarray, the shape of `i_b`, float64, transmission
        Above `exp(1)`, the table's other end, values stay there.

    Raises
    ------
    InputError
        As `dual_energy_transmission`, and for transmissions of 0.

    Examples
    --------
    >>> mixed = dual_energy_transmission(np.exp([0.0, -1.5, -3.0]), 0.95, 0.3)
    >>> (-np.log(invert_dual_energy(mixed, 0.95, 0.3))).round(4) + 0.0
    array([0. , 1.5, 3. ])
    """
    _check_model(phi0, c)
    if not largest_absorbance > 0:
        raise InputError(f"largest_absorbance is {largest_absorbance}, expected a positive number")
    measured = -np.log(_transmissions(i_b, "i_b"))
    table = np.linspace(_LEAST_ABSORBANCE, largest_absorbance, _TABLE)
    shown = -np.log(dual_energy_transmission(np.exp(-table), phi0, c))
    return np.exp(-np.interp(measured, shown, table))


def fit_stray_light(i_a: ArrayLike, i_b: ArrayLike) -> StrayLightFit:
    """Fit the rival of two energies, light that the specimen does not absorb: `i_b = gain i_a + offset`.

    Parameters
    ----------
    i_a, i_b : array_like, any shape, transmission
        Pairs, as for `fit_dual_energy`; compare the two `residual`.

    Returns
    -------
    StrayLightFit
        `(gain, offset, residual)`, by least squares in `i_b`.

    Raises
    ------
    InputError
        As `fit_dual_energy`.

    Examples
    --------
    >>> found = fit_stray_light(np.linspace(0.1, 1, 10), 0.9 * np.linspace(0.1, 1, 10) + 0.1)
    >>> round(found.gain, 6), round(found.offset, 6)
    (0.9, 0.1)
    """
    a, b = _pairs(i_a, i_b)
    centred = a - a.mean()
    gain = float(np.sum(centred * b) / np.sum(centred**2))
    offset = float(b.mean() - gain * a.mean())
    return StrayLightFit(gain, offset, float(np.sqrt(np.mean((b - gain * a - offset) ** 2))))


def invert_stray_light(i_b: ArrayLike, gain: float, offset: float, *, least: float = 1e-5) -> NDArray[np.float64]:
    """Return `(i_b - offset) / gain`, at least `least`.

    Parameters
    ----------
    i_b : array_like, any shape, transmission
        Measured, positive.
    gain, offset : float
        From `fit_stray_light`; the gain is positive.
    least : float
        Smallest transmission that is returned: below the offset there is none.

    Returns
    -------
    ndarray, the shape of `i_b`, float64, transmission
    """
    if not (np.isfinite(gain) and gain > 0 and np.isfinite(offset)):
        raise InputError(f"gain is {gain} and offset {offset}, expected finite numbers and a positive gain")
    return np.maximum((_transmissions(i_b, "i_b") - offset) / gain, least)


def _standard_error(slopes: NDArray[np.float64], misfit: NDArray[np.float64]) -> float:
    """Of the second of two unknowns; infinite where the first can take its place."""
    first, second = slopes.T
    own = float(np.sum(second**2))
    left = own - float(np.sum(first * second)) ** 2 / max(float(np.sum(first**2)), np.finfo(float).tiny)
    if left <= 1e-12 * own:
        return np.inf
    return float(np.sqrt(np.sum(misfit**2) / max(misfit.size - 2, 1) / left))


def _check_model(phi0: float, c: float) -> None:
    if not 0 < phi0 <= 1:
        raise InputError(f"phi0 is {phi0}, expected above 0 and up to 1: the model must rise with the transmission")
    if not (np.isfinite(c) and c >= 0):
        raise InputError(f"c is {c}, expected 0 or more: the model must rise with the transmission")


def _transmissions(values: ArrayLike, name: str, *, positive: bool = True) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    sound = np.isfinite(array) & (array > 0 if positive else array >= 0)
    if not sound.all():
        wanted = "positive" if positive else "not negative"
        raise InputError(f"{name} holds {array[~sound][0]}, expected transmissions that are finite and {wanted}")
    return array


def _pairs(i_a: ArrayLike, i_b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = _transmissions(i_a, "i_a"), _transmissions(i_b, "i_b")
    if a.shape != b.shape:
        raise InputError(f"i_a has shape {a.shape} and i_b {b.shape}, expected pairs")
    if a.size < _FEWEST:
        raise InputError(f"there are {a.size} pairs, expected {_FEWEST} or more")
    if np.ptp(a) < 1e-6:
        raise InputError(f"i_a is {a.flat[0]:.4g} in every pair, expected transmissions that differ")
    return a.ravel(), b.ravel()
