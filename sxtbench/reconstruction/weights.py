"""How well absorbance is known: weights and noise from the photons that were counted."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError


def poisson_weights(
    projections: ArrayLike, incident_photons: ArrayLike, *, systematic_sd: float = 0.0
) -> NDArray[np.float32]:
    """Return the inverse variance of absorbance: the expected counts, and less where other errors add to the noise.

    The variance of `-ln(counts / I0)` is about `1 / counts`; expected counts are `I0 exp(-absorbance)`.

    Parameters
    ----------
    projections : array_like, shape (n_angles, z, u), absorbance
        The tilt series.
    incident_photons : array_like, shape (n_angles,) or broadcastable to the projections, photons per pixel
        Open beam.
    systematic_sd : float, absorbance
        Standard deviation of errors that do not shrink with counts: flat field, alignment. 0: photons alone.

    Returns
    -------
    ndarray, shape (n_angles, z, u), float32

    References
    ----------
    Bouman and Sauer, IEEE Trans. Image Process. 5 (1996) 480, doi 10.1109/83.491321.

    Examples
    --------
    >>> poisson_weights(np.zeros((1, 1, 2)), [400.0]).tolist()
    [[[400.0, 400.0]]]
    >>> poisson_weights(np.zeros((1, 1, 1)), [400.0], systematic_sd=0.05).round(1).tolist()
    [[[200.0]]]
    """
    views = np.asarray(projections, np.float32)
    incident = np.asarray(incident_photons, np.float32)
    if views.ndim != 3 or (incident.ndim == 1 and incident.size not in (1, len(views))):
        raise InputError(
            f"projections have shape {views.shape} and incident_photons {incident.shape}, expected (angle, z, u) and "
            "one number for each angle"
        )
    if not (np.isfinite(incident).all() and (incident > 0).all()):
        raise InputError("incident_photons hold values that are not positive and finite")
    if systematic_sd < 0:
        raise InputError(f"systematic_sd is {systematic_sd}, expected 0 or more")
    expected = (incident[:, None, None] if incident.ndim == 1 else incident) * np.exp(-views)
    return (expected / (1 + expected * np.float32(systematic_sd**2))).astype(np.float32)


def noise_norm(counts: ArrayLike) -> float:
    """Return the expected norm of the photon noise in absorbance, `sqrt(sum(1 / max(counts, 1)))`.

    Parameters
    ----------
    counts : array_like, photons
        What was detected.

    Returns
    -------
    float
        For the discrepancy principle: `cgne(A, y, noise_norm=noise_norm(counts))`. Times a factor above 1 where the
        model is not exact (angles, blur, voxels): the misfit may never come down to the noise alone. Where there are no
        counts, `poisson_weights(projections, incident_photons)` are the expected ones.

    Examples
    --------
    >>> noise_norm([[[100, 100, 100, 100]]])
    0.2
    """
    detected = np.maximum(np.asarray(counts, np.float64), 1)
    return float(np.sqrt(np.sum(1 / detected)))
