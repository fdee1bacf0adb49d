"""Numbers of a tilt series and of its reconstruction that a real one has too: histograms, spectra, autocorrelation.

All are per specimen, and in um, so that series of different pixels and fields can share a figure. Projections are those
within 50 degrees of 0; reconstructions are read in the inscribed cylinder.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, stats

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics.regions import cylinder
from sxtbench.metrics.shells import shell_sums, softened
from sxtbench.reconstruction import fbp

RANGE_DEG = 100.0
"""Width of the range of angles that is looked at: what real series of a flat grid reach (PROTOCOL 1.12)."""

PROJECTION_BINS = np.linspace(-0.5, 4.0, 226)
RECONSTRUCTION_BINS = np.linspace(-1.0, 1.5, 251)
_FEWEST_VIEWS = 3
_MOST_SHELL_VIEWS = 40
_CHUNK = 64


class Series(Protocol):
    """A tilt series, simulated (`TiltSeries`) or a user's (`datasets.own.OwnSeries`)."""

    @property
    def projections(self) -> NDArray[np.float32]:
        """Absorbance, shape (n_angles, z, u)."""
        ...

    @property
    def angles_deg(self) -> NDArray[np.float64]:
        """Nominal angles, shape (n_angles,)."""
        ...

    @property
    def pixel_size_nm(self) -> float:
        """Edge of a pixel, nm."""
        ...


@dataclass(frozen=True, eq=False)
class Curves:
    """What is read off one array of absorbance or LAC.

    Parameters
    ----------
    histogram : ndarray, shape (bins,), float64
        Share of values in each bin; those beyond the ends count to the outermost.
    frequency_per_um, power : ndarray, shape (shells,), float64
        Mean over each ring or shell: absorbance^2 um^2 per projection, (1/um)^2 um^3 of a volume.
    lags_um : dict of ndarray, um
        By axis ("z", "u"; "z", "y", "x"): distances.
    autocorrelation : dict of ndarray
        By axis: 1 at 0.
    """

    histogram: NDArray[np.float64]
    frequency_per_um: NDArray[np.float64]
    power: NDArray[np.float64]
    lags_um: dict[str, NDArray[np.float64]]
    autocorrelation: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Appearance:
    """How a specimen looks.

    Parameters
    ----------
    projections, reconstruction : Curves
        Of absorbance, and of LAC in 1/um.
    summary : dict of float
        By name; NaN where it cannot be read.
    """

    projections: Curves
    reconstruction: Curves
    summary: dict[str, float]


def appearance(
    series: Series,
    *,
    filter: str,
    bands_per_um: tuple[tuple[float, float], ...],
    volume: NDArray[np.float32] | None = None,
) -> Appearance:
    """Read histograms, spectra and autocorrelation off a tilt series and its filtered backprojection.

    Parameters
    ----------
    series : Series
        Aligned, the tilt axis vertical and in the middle of the columns.
    filter : str
        Of the filtered backprojection.
    bands_per_um : tuple of (low, high), cycles per um
        Over which power is summed up; one without a shell in it is NaN.
    volume : ndarray, shape (z, y, x), float32, 1/um, optional
        The reconstruction, where it has been made.

    Returns
    -------
    Appearance

    Raises
    ------
    InputError
        For fewer than three views within 50 degrees of 0.
    """
    chosen = np.flatnonzero(np.abs(series.angles_deg) <= RANGE_DEG / 2 + 1e-6)
    if chosen.size < _FEWEST_VIEWS:
        raise InputError(
            f"the tilt series has {chosen.size} views within {RANGE_DEG / 2:g} degrees of 0, expected {_FEWEST_VIEWS} "
            "or more"
        )
    views = np.asarray(series.projections[chosen], np.float32)
    pixel_um = series.pixel_size_nm / 1000
    if volume is None:
        volume = reconstruct(series, filter)
    projected, reconstructed = _of_views(views, pixel_um), _of_volume(volume, pixel_um)
    inside = volume[cylinder(volume.shape)]
    summary = _moments("absorbance", views) | _moments("LAC", inside)
    for name, curves in (("projections", projected), ("reconstruction", reconstructed)):
        for low, high in bands_per_um:
            summary[f"log10 power, {name}, {low:g} to {high:g} per um"] = _band(curves, low, high)
        for axis, values in curves.autocorrelation.items():
            summary[f"autocorrelation length, {name}, along {axis} [um]"] = correlation_length(
                curves.lags_um[axis], values
            )
    return Appearance(projected, reconstructed, summary)


def reconstruct(series: Series, filter: str) -> NDArray[np.float32]:
    """Reconstruct the views within 50 degrees of 0 by filtered backprojection, shape (z, u, u), 1/um."""
    chosen = np.flatnonzero(np.abs(series.angles_deg) <= RANGE_DEG / 2 + 1e-6)
    _, slices, columns = series.projections.shape
    geometry = ParallelGeometry(
        angles_deg=np.asarray(series.angles_deg)[chosen],
        columns=columns,
        slices=slices,
        pixel_size_nm=series.pixel_size_nm,
    )
    return fbp(series.projections[chosen], geometry, filter=filter)


def binned_series(projections: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Bin absorbance as larger detector pixels would see it: the mean is that of transmission.

    Rows and columns that do not fill a pixel are cut off on both sides.

    Parameters
    ----------
    projections : ndarray, shape (n_angles, z, u), float32
        Absorbance.
    factor : int
        Pixels along an edge of a larger one.

    Returns
    -------
    ndarray, shape (n_angles, z // factor, u // factor), float32

    Examples
    --------
    >>> binned_series(np.full((1, 5, 4), 0.7, np.float32), 2).shape
    (1, 2, 2)
    """
    n, rows, columns = projections.shape
    z, u = rows // factor, columns // factor
    if not (z and u):
        raise InputError(f"projections of {rows} x {columns} pixels cannot be binned by {factor}")
    top, left = (rows - z * factor) // 2, (columns - u * factor) // 2
    cut = projections[:, top : top + z * factor, left : left + u * factor]
    light = np.exp(-cut).reshape(n, z, factor, u, factor).mean(axis=(2, 4))
    return np.asarray(-np.log(light), np.float32)


def ring_power(
    image: NDArray[Any], weight: NDArray[Any] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean power of each ring or shell, white noise of unit variance having 1, and its samples.

    Parameters
    ----------
    image : ndarray, shape (z, u) or (z, y, x)
        Its weighted mean is taken off.
    weight : ndarray, shape of `image`, optional
        A window.

    Returns
    -------
    power, samples : ndarray, shape (shells,), float64
        Samples are those of independent complex coefficients, were there no window.
    """
    _, power, _, samples = shell_sums(image, image, weight).within(None)
    energy = float(np.sum(np.square(weight, dtype=np.float64))) if weight is not None else float(image.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return power / (2 * samples * energy), samples


def autocorrelation(values: NDArray[Any], weight: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Return the autocorrelation along an axis, averaged over all lines, each pair of points with its weight.

    Parameters
    ----------
    values : ndarray, any shape
        Their weighted mean is taken off.
    weight : ndarray, shape of `values`
        0 where a value does not count.
    axis : int
        Along which points are compared.

    Returns
    -------
    ndarray, shape (n // 2,), float64
        At distances of 0, 1, ... points; 1 at 0.

    Examples
    --------
    >>> autocorrelation(np.array([1.0, -1.0] * 8), np.ones(16), 0)[:3].round(6).tolist()
    [1.0, -1.0, 1.0]
    """
    x, w = np.moveaxis(values, axis, -1), np.moveaxis(weight, axis, -1)
    n = x.shape[-1]
    length = fft.next_fast_len(2 * n, real=True)
    mean = float(np.sum(x * w, dtype=np.float64) / np.sum(w, dtype=np.float64))
    products, pairs = np.zeros(length // 2 + 1), np.zeros(length // 2 + 1)
    for line in range(0, len(x) if x.ndim > 1 else 1, _CHUNK):
        part = slice(line, line + _CHUNK) if x.ndim > 1 else slice(None)
        inside = w[part].astype(np.float64)
        for total, array in ((products, (x[part] - mean) * inside), (pairs, inside)):
            spectrum = fft.rfft(array, length, axis=-1)
            total += np.sum(spectrum.real**2 + spectrum.imag**2, axis=tuple(range(array.ndim - 1)))
    numerator, denominator = (fft.irfft(total, length)[: n // 2] for total in (products, pairs))
    covariance = numerator / np.maximum(denominator, 1e-12 * denominator[0])
    return np.asarray(covariance / covariance[0])


def correlation_length(lags_um: NDArray[np.float64], values: ArrayLike) -> float:
    """Return the distance at which an autocorrelation falls to 1/e; NaN where it does not.

    >>> correlation_length(np.array([0.0, 1.0, 2.0]), [1.0, 0.5, 0.0])
    1.2642411176571153
    """
    y = np.asarray(values, np.float64)
    below = np.flatnonzero(y < np.exp(-1))
    if below.size == 0 or below[0] == 0:
        return float("nan")
    k = int(below[0])
    share = (y[k - 1] - np.exp(-1)) / (y[k - 1] - y[k])
    return float(lags_um[k - 1] + share * (lags_um[k] - lags_um[k - 1]))


def hann(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return a window (z, u) that falls to 0 at the edges."""
    z, u = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n) for n in shape)
    return np.asarray(z[:, None] * u[None, :])


def frequencies_per_um(side: int, pixel_um: float) -> NDArray[np.float64]:
    """Return the frequencies of the shells of a field of `side` pixels, cycles per um."""
    return np.arange(side // 2 + 1) / (side * pixel_um)


def _of_views(views: NDArray[np.float32], pixel_um: float) -> Curves:
    _, rows, columns = views.shape
    window = hann((rows, columns))
    spread = np.unique(np.linspace(0, len(views) - 1, min(len(views), _MOST_SHELL_VIEWS)).round().astype(int))
    power = np.mean([ring_power(views[k].astype(np.float64), window)[0] for k in spread], axis=0)
    inside = np.broadcast_to(np.float32(1), views.shape)
    # a view is compared with itself: each has a mean of its own
    own = views - views.mean(axis=(1, 2), keepdims=True)
    correlations = {name: autocorrelation(own, inside, axis) for name, axis in (("z", 1), ("u", 2))}
    return Curves(
        histogram=_histogram(views, PROJECTION_BINS),
        frequency_per_um=frequencies_per_um(max(rows, columns), pixel_um),
        power=power * pixel_um**2,
        lags_um={name: np.arange(len(values), dtype=np.float64) * pixel_um for name, values in correlations.items()},
        autocorrelation=correlations,
    )


def _of_volume(volume: NDArray[np.float32], pixel_um: float) -> Curves:
    mask = cylinder(volume.shape)
    power, _ = ring_power(volume, softened(np.ascontiguousarray(mask)))
    weight = mask.astype(np.float32)
    correlations = {name: autocorrelation(volume, weight, axis) for axis, name in enumerate("zyx")}
    return Curves(
        histogram=_histogram(volume[mask], RECONSTRUCTION_BINS),
        frequency_per_um=frequencies_per_um(max(volume.shape), pixel_um),
        power=power * pixel_um**3,
        lags_um={name: np.arange(len(values), dtype=np.float64) * pixel_um for name, values in correlations.items()},
        autocorrelation=correlations,
    )


def _histogram(values: NDArray[Any], bins: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(np.clip(values, bins[0], bins[-1]), bins)
    return counts / values.size


def _moments(name: str, values: NDArray[Any]) -> dict[str, float]:
    x = np.asarray(values, np.float64).ravel()
    low, middle, high = np.percentile(x, [5, 50, 95])
    return {
        f"{name}, mean": float(x.mean()),
        f"{name}, standard deviation": float(x.std()),
        f"{name}, skewness": float(stats.skew(x)),
        f"{name}, 5 %": float(low),
        f"{name}, median": float(middle),
        f"{name}, 95 %": float(high),
    }


def _band(curves: Curves, low: float, high: float) -> float:
    inside = (curves.frequency_per_um >= low) & (curves.frequency_per_um < high) & np.isfinite(curves.power)
    if not inside.any() or high > curves.frequency_per_um[-1] * (1 + 1e-6):
        return float("nan")
    return float(np.log10(curves.power[inside].mean()))
