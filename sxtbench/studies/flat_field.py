"""The flat field of the paper's simulations: light that grows with the specimen's thickness, row by row.

One Poisson level then describes every row and view of a cell of uneven thickness. It is a device of the simulation and
no instrument's; the suite's scored data have none.
"""

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.counts import poisson_counts


def z_normalising_flat_field(ideal: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the light of each row of each view: the mean over its columns of exp(+ideal absorbance).

    Parameters
    ----------
    ideal : ndarray, shape (n_angles, z, u), float32, absorbance
        Projections without blur, over the full width, empty columns included.

    Returns
    -------
    ndarray, shape (n_angles, z, 1), float64
        Relative to the open beam.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, appendix A.

    Examples
    --------
    >>> float(z_normalising_flat_field(np.zeros((1, 1, 4), np.float32))[0, 0, 0])
    1.0
    """
    return np.asarray(np.exp(ideal.astype(np.float64)).mean(axis=2, keepdims=True))


def with_photon_noise(
    absorbance: NDArray[np.float32], ideal: NDArray[np.float32], photons: float, key: int
) -> NDArray[np.float32]:
    """Count photons under the z-normalising flat field, and return absorbance.

    Parameters
    ----------
    absorbance : ndarray, shape (n_angles, z, u), float32
        What the lens images.
    ideal : ndarray, shape (n_angles, z, u_full), float32
        Projections without blur over the full width: they make the flat field.
    photons : float
        Of the open beam, per pixel and image, before the flat field.
    key : int
        64-bit key of the counts.

    Returns
    -------
    ndarray, shape of `absorbance`, float32
        `-ln(max(counts, 1) / (photons * flat field))`.
    """
    return counted(absorbance, photons * z_normalising_flat_field(ideal), key)


def counted(absorbance: NDArray[np.float32], incident: NDArray[np.float64], key: int) -> NDArray[np.float32]:
    """Count photons, and return absorbance.

    Parameters
    ----------
    absorbance : ndarray, shape (n_angles, z, u), float32
        What the lens images.
    incident : ndarray, broadcast to that shape, float64
        Open-beam photons per pixel.
    key : int
        64-bit key of the counts.

    Returns
    -------
    ndarray, shape of `absorbance`, float32
        `-ln(max(counts, 1) / incident)`.
    """
    counts = poisson_counts(np.exp(-absorbance.astype(np.float64)) * incident, key)
    return np.asarray(np.log(incident) - np.log(np.maximum(counts, 1)), np.float32)
