"""What a network sees of a sample: reconstructions as channels, on one scale."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.series import TiltSeries
from sxtbench.errors import InputError
from sxtbench.learning.quantiles import normal_quantiles
from sxtbench.metrics.regions import cylinder
from sxtbench.reconstruction import extended, poisson_weights, tv

Scaling = Literal["lac", "zscore", "rank"]

_LAC_UNIT = 0.3  # 1/um, about that of cytoplasm

TILT_SERIES = "tilt_series"
"""Among the inputs of a network: the measured views themselves, by `sinogram`."""

TV = "tv"
"""Among the inputs of a network: the reconstruction of a flat-grid series by `regularised`, which no sample stores."""

# Those of the baseline tv at small, with fewer iterations: a stream makes it anew for each view of a specimen.
_TV_OPTIONS: dict[str, Any] = {"iterations": 40, "weight": 4.0, "extension_x": 1.6, "depth_um": 6.0}
_SYSTEMATIC_SD = 0.03  # absorbance

NO_VIEW = 999.0
"""In the place of an angle, degrees: a row that holds no view."""


def normalise(volume: NDArray[np.float32], region: NDArray[np.bool_], scaling: Scaling = "lac") -> NDArray[np.float32]:
    """Bring a reconstruction to the scale that a network is trained on.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32, LAC in 1/um
        One reconstruction.
    region : ndarray, shape (z, y, x), bool
        Where it is valid; what lies outside becomes 0.
    scaling : str
        "lac": multiples of 0.3/um, so that LAC keeps its meaning. "zscore": zero mean and unit deviation in the region,
        for volumes of unknown unit. "rank": the quantiles of a normal distribution by rank (`normal_quantiles`; the
        SimAQ paper's, without its random draw); contrast then depends on how much of each organelle there is.

    Returns
    -------
    ndarray, shape (z, y, x), float32
    """
    if scaling == "rank":
        return normal_quantiles(volume, region)
    values: NDArray[np.floating[Any]] = volume[region]
    if scaling == "lac":
        values = values / np.float32(_LAC_UNIT)
    else:
        values = (values - values.mean()) / max(float(values.std()), 1e-6)
    out = np.zeros(volume.shape, np.float32)
    out[region] = values
    return out


def regularised(series: TiltSeries, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return a reconstruction that is held to what was measured, and where nothing was, to what LAC can be.

    Photon-weighted least squares with total variation, without negative LAC and with vacuum beyond the ice, from 40
    iterations: the wedge is filled in part, droplets and outlines are sharper along the beam than in the FBP.

    Parameters
    ----------
    series : TiltSeries
        Of a specimen on a flat grid.
    shape : tuple of three int
        Voxels of the volume, (z, y, x).

    Returns
    -------
    ndarray, shape (z, y, x), float32, LAC in 1/um
    """
    projections = series.projections
    photons = poisson_weights(projections, series.incident_photons, systematic_sd=_SYSTEMATIC_SD)
    return extended(tv, projections, series.geometry, shape, data_weights=photons, **_TV_OPTIONS)


def sinogram(series: TiltSeries, views: int | None = None) -> NDArray[np.float32]:
    """Return a tilt series as one channel that says its own geometry.

    Parameters
    ----------
    series : TiltSeries
        Of one specimen, its detector centred on the axis.
    views : int, optional
        Rows of each slice; those beyond the views have the angle `NO_VIEW` and zeros. As many as views by default.

    Returns
    -------
    ndarray, shape (z, views, u + 1), float32
        Multiples of the absorbance of a voxel of 0.3/um; in the last column the angle in degrees.

    Raises
    ------
    InputError
        For a detector that is not centred, and more views than rows.
    """
    if series.column_offset_px is not None and np.any(series.column_offset_px):
        raise InputError("the detector is off the axis; a network that sees tilt series expects it centred")
    absorbance = np.asarray(series.projections, np.float32).swapaxes(0, 1)
    slices, count, columns = absorbance.shape
    rows = count if views is None else views
    if count > rows:
        raise InputError(f"the tilt series has {count} views, expected at most {rows}")
    out = np.zeros((slices, rows, columns + 1), np.float32)
    out[:, :count, :-1] = absorbance / np.float32(_LAC_UNIT * series.pixel_size_nm / 1000)
    out[:, :, -1] = NO_VIEW
    out[:, :count, -1] = series.angles_deg
    return out


def channels(sample: Any, inputs: tuple[str, ...], scaling: Scaling) -> NDArray[np.float32]:
    """Return the reconstructions of a sample as channels, shape (channels, z, y, x), float32.

    Parameters
    ----------
    sample : Sample
        Offers `reconstructions` by name, `shape` and `region`; a task that scores about cells alone has no region that
        is no secret, and the cylinder stands in for it, as in training.
    inputs : tuple of str
        Names of reconstructions, such as `("fbp",)` or `("fbp", "tv")`, or `("tilt_series",)` alone.
    scaling : str
        As in `normalise`.
    """
    if TILT_SERIES in inputs:
        return sinogram(sample.tilt_series)[None]
    region = cylinder(sample.shape) if sample.region is None else sample.region
    volumes = (
        regularised(sample.tilt_series, sample.shape) if name == TV else sample.reconstructions[name] for name in inputs
    )
    return np.stack([normalise(volume, region, scaling) for volume in volumes])
