"""Whether imaged specimens keep what the simulator promises: photons, lens, LAC and volumes of what was drawn."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, stats

from sxtbench import labels
from sxtbench.acquisition.counts import poisson_counts
from sxtbench.acquisition.optics import incoherent_otf
from sxtbench.acquisition.series import Exposure, shadow_of
from sxtbench.metrics.shells import shell_sums
from sxtbench.specimens.specimen import Specimen
from sxtbench.specimens.yeast_interior import CELL, CYTOPLASM, DROPLET, MITOCHONDRION, NUCLEUS, VACUOLE
from sxtbench.studies.fidelity_draws import PARTS
from sxtbench.studies.fidelity_images import frequencies_per_um, hann, ring_power

LIGHT_EDGES = np.geomspace(10, 100_000, 17)
"""Of bins of expected counts, photons per pixel."""

_FRESH = 8  # exposures
_FRESH_VIEWS = 4
_RANKS = 2000  # counts of a specimen that are set against their own Poisson law
_NEAR_DEG = 3.0
_CENTRAL = (
    0.9  # of the inscribed cylinder's radius: reconstructions are read within it, as truncation brightens the rim
)
_VIEWS = 12  # of which spectra are taken


@dataclass(frozen=True, eq=False)
class Imaged:
    """A specimen on the target's grid and its tilt series.

    Parameters
    ----------
    specimen : Specimen
        The voxels.
    exposure : Exposure
        The tilt series and its truth.
    """

    specimen: Specimen
    exposure: Exposure


@dataclass(frozen=True, eq=False)
class Light:
    """Counts of one specimen against what was expected of them.

    Parameters
    ----------
    squares, pixels, variance : float
        Sum of (count - expected)^2 / expected, its mean and its variance if counts are Poisson.
    by_light : ndarray, shape (2, bins), float64
        Sums of squares and pixels by expected count, `LIGHT_EDGES`.
    fresh : tuple of two float
        Fresh exposures of one scene: sum of (count - mean of the exposures)^2 / mean, and its mean if they are Poisson.
    fresh_variance : float
        And its variance.
    ranks : ndarray, shape (n,), float64
        Of some counts in their own Poisson law; uniform on [0, 1].
    white, samples : ndarray, shape (shells,), float64
        Mean power of (count - expected) / sqrt(expected), 1 if pixels are independent; independent samples.
    measured, noise_free : ndarray, shape (shells,), float64
        Mean power of transmission with and without noise.
    floor : float
        Power that photon noise should have.
    frequency_per_um : ndarray, shape (shells,), float64
        Of the shells.
    photons : float
        Mean count behind the cells near 0 degrees.
    incident : float
        Open-beam photons per pixel.
    """

    squares: float
    pixels: float
    variance: float
    by_light: NDArray[np.float64]
    fresh: tuple[float, float]
    fresh_variance: float
    ranks: NDArray[np.float64]
    white: NDArray[np.float64]
    samples: NDArray[np.float64]
    measured: NDArray[np.float64]
    noise_free: NDArray[np.float64]
    floor: float
    frequency_per_um: NDArray[np.float64]
    photons: float
    incident: float


def read_light(imaged: Imaged, rng: np.random.Generator) -> Light:
    """Read what there is to know of a specimen's photons.

    Parameters
    ----------
    imaged : Imaged
        A specimen.
    rng : numpy.random.Generator
        Of the fresh exposures, and of which pixels are looked at.

    Returns
    -------
    Light
    """
    exposure = imaged.exposure
    series = exposure.series
    incident = float(series.incident_photons[0])
    expected = (exposure.transmission * np.float32(incident)).astype(np.float64)
    squares = (series.counts - expected) ** 2 / expected
    which = np.clip(np.searchsorted(LIGHT_EDGES, expected, side="right") - 1, 0, len(LIGHT_EDGES) - 2).ravel()
    bins = len(LIGHT_EDGES) - 1
    by_light = np.stack(
        [np.bincount(which, squares.ravel(), bins), np.bincount(which, minlength=bins).astype(np.float64)]
    )
    some = rng.integers(expected.size, size=_RANKS)
    own, mean = series.counts.ravel()[some].astype(np.float64), expected.ravel()[some]
    below, up_to = stats.poisson.cdf(own - 1, mean), stats.poisson.cdf(own, mean)

    views = np.unique(np.linspace(0, len(expected) - 1, _FRESH_VIEWS).astype(int))
    keys = rng.integers(2**63, size=_FRESH)
    fresh = np.stack([poisson_counts(expected[views].astype(np.float32), int(key)) for key in keys]).astype(np.float64)
    total = fresh.sum(axis=0)
    seen = total > 0
    spread = ((fresh - total / _FRESH) ** 2).sum(axis=0)[seen] / (total[seen] / _FRESH)
    # given its total, a pixel's counts are multinomial: mean K - 1, variance 2 (K - 1) (1 - 1 / total)
    fresh_variance = float(np.sum(2 * (_FRESH - 1) * (1 - 1 / total[seen])))

    white, measured, noise_free, samples = [], [], [], np.zeros(0)
    side = min(expected.shape[1:])
    top, left = ((n - side) // 2 for n in expected.shape[1:])
    square = slice(top, top + side), slice(left, left + side)
    window = hann((side, side))
    for k in np.unique(np.linspace(0, len(expected) - 1, _VIEWS).astype(int)):
        lit, counted = expected[k][square], series.counts[k][square]
        power, samples = ring_power((counted - lit) / np.sqrt(lit))
        white.append(power)
        measured.append(ring_power(counted / incident, window)[0])
        noise_free.append(ring_power(lit / incident, window)[0])
    near = np.abs(exposure.true_angles_deg) <= _NEAR_DEG
    shadow = shadow_of(imaged.specimen.coverage, 1, expected.shape[2])
    behind = series.counts[near][:, shadow] if near.any() and shadow.any() else np.array([np.nan])
    return Light(
        squares=float(squares.sum()),
        pixels=float(squares.size),
        variance=float(np.sum(2 + 1 / expected)),
        by_light=by_light,
        fresh=(float(spread.sum()), float(seen.sum() * (_FRESH - 1))),
        fresh_variance=fresh_variance,
        ranks=below + rng.random(_RANKS) * (up_to - below),
        white=np.mean(white, axis=0),
        samples=samples * len(white),
        measured=np.mean(measured, axis=0),
        noise_free=np.mean(noise_free, axis=0),
        floor=float(np.average(np.mean(expected, axis=0)[square], weights=window**2)) / incident**2,
        frequency_per_um=frequencies_per_um(side, series.pixel_size_nm / 1000),
        photons=float(behind.mean()),
        incident=incident,
    )


def poisson_deviates(lights: list[Light]) -> dict[str, tuple[float, float]]:
    """Return what should be 1, and by how many standard errors it is off, over all specimens.

    Returns
    -------
    dict of (float, float)
        Value and standard normal deviate, by the name of the test.
    """
    squares, pixels, variance = (
        sum(getattr(light, name) for light in lights) for name in ("squares", "pixels", "variance")
    )
    fresh, wanted = (sum(light.fresh[k] for light in lights) for k in range(2))
    found = {
        "variance of counts over their expectation": (squares / pixels, (squares - pixels) / np.sqrt(variance)),
        "variance over mean of fresh exposures": (
            fresh / wanted,
            (fresh - wanted) / np.sqrt(sum(light.fresh_variance for light in lights)),
        ),
    }
    shells = len(lights[0].white)
    samples = np.sum([light.samples for light in lights], axis=0)
    power = np.sum([light.samples * light.white for light in lights], axis=0) / np.maximum(samples, 1e-12)
    halves = {"lower": slice(1, shells // 2), "upper": slice(shells // 2, shells)}
    for name, part in halves.items():
        mean = float(np.average(power[part], weights=samples[part]))
        found[f"noise power, {name} half of the frequencies"] = (mean, (mean - 1) * float(np.sqrt(samples[part].sum())))
    return found


def transfer(
    sharp: Exposure, soft: Exposure, sharp_zone_nm: float, soft_zone_nm: float
) -> dict[str, NDArray[np.float64]]:
    """Return what one lens does to the series of another, measured on two noise-free series of one scene.

    Both curves are the cross spectrum with the sharp series over its power spectrum, of the soft series and of the
    sharp one filtered by the ratio of the two transfer functions: what leaks from low frequencies, where such a
    spectrum is steep, is in both.

    Parameters
    ----------
    sharp, soft : Exposure
        Through the two lenses.
    sharp_zone_nm, soft_zone_nm : float, nm
        Outermost zone widths.

    Returns
    -------
    dict of ndarray, shape (shells - 1,)
        `frequency_per_um`, `measured`, `predicted`, and `ratio` of the transfer functions themselves.
    """
    _, rows, columns = sharp.transmission.shape
    side = min(rows, columns)
    pixel_nm = sharp.series.pixel_size_nm
    top, left = (rows - side) // 2, (columns - side) // 2
    square = slice(top, top + side), slice(left, left + side)
    window = hann((side, side))

    def ratio_at(frequency_per_nm: NDArray[np.float64]) -> NDArray[np.float64]:
        sharp_otf = incoherent_otf(frequency_per_nm, sharp_zone_nm)
        soft_otf = incoherent_otf(frequency_per_nm, soft_zone_nm)
        return np.divide(soft_otf, sharp_otf, out=np.zeros_like(soft_otf), where=sharp_otf > 0)

    f_z, f_u = (np.fft.fftfreq(2 * n, pixel_nm) for n in (rows, columns))
    kernel = ratio_at(np.hypot(f_z[:, None], f_u[None, :]))
    crosses, power = np.zeros((2, side // 2 + 1)), np.zeros(side // 2 + 1)
    for first, second in zip(sharp.transmission, soft.transmission, strict=True):
        mirrored = np.pad(first.astype(np.float64), ((0, rows), (0, columns)), mode="symmetric")
        filtered = np.fft.ifft2(np.fft.fft2(mirrored) * kernel).real[:rows, :columns]
        for cross, other in zip(crosses, (second.astype(np.float64), filtered), strict=True):
            sums = shell_sums(first[square].astype(np.float64), other[square], window).within(None)
            cross += sums[0]
        power += sums[1]
    measured, predicted = crosses[:, 1:] / power[1:]
    frequency = frequencies_per_um(side, pixel_nm / 1000)[1:]
    return {
        "frequency_per_um": frequency,
        "measured": measured,
        "predicted": predicted,
        "ratio": ratio_at(frequency / 1000),
    }


@dataclass(frozen=True, eq=False)
class Rendered:
    """What became of drawn things in voxels.

    Parameters
    ----------
    parts : DataFrame
        A row a body: `kind`, `drawn` (LAC), `interior` (voxels none of whose 26 neighbours belongs to another body),
        `rendered` (mean LAC there), `worst` (largest deviation of a voxel there), `reconstructed` (mean there; NaN for
        bodies that reach beyond 90 % of the inscribed cylinder's radius), `volume_um3` (analytic), `visible_um3`,
        `whole` (not cut by the field).
    fractions : dict of float
        Cells over field, vacuoles, droplets, nuclei, mitochondria over cells.
    label_volume : dict of (float, float)
        By class: volume by voxel centres, and visible volume of its bodies, um^3.
    """

    parts: pd.DataFrame
    fractions: dict[str, float]
    label_volume: dict[str, tuple[float, float]]


def read_rendered(specimen: Specimen, reconstruction: NDArray[np.float32]) -> Rendered:
    """Set drawn LAC and volumes beside those in voxels.

    Parameters
    ----------
    specimen : Specimen
        Rendered.
    reconstruction : ndarray, shape (z, y, x), float32, 1/um
        On the same voxels.

    Returns
    -------
    Rendered
    """
    bodies, objects = specimen.bodies, specimen.objects
    interior = ndimage.maximum_filter(bodies, 3) == ndimage.minimum_filter(bodies, 3)
    owner = np.where(interior, bodies, 0).ravel()
    drawn = np.array([0.0, *(row["lac_per_um"] for row in objects)])
    size = len(drawn)
    number = np.bincount(owner, minlength=size)
    deviation = np.abs(specimen.lac.ravel() - drawn[owner])
    worst = np.zeros(size)
    np.maximum.at(worst, owner, deviation)
    with np.errstate(invalid="ignore", divide="ignore"):
        rendered = np.bincount(owner, specimen.lac.ravel(), size) / number
        seen = np.bincount(owner, reconstruction.ravel(), size) / number
    half = np.array(specimen.grid.size_um) / 2
    rows = []
    for row in objects:
        k = row["id"]
        centre = np.array([row["z_um"], row["y_um"], row["x_um"]])
        radii = [row[f"radius_{axis}_um"] for axis in "abc"]
        reach = sum(radii[:2]) if row["kind"] == MITOCHONDRION else max(radii)
        central = np.hypot(*centre[1:]) + reach < _CENTRAL * min(half[1:])
        rows.append(
            {
                "kind": row["kind"],
                "drawn": row["lac_per_um"],
                "interior": int(number[k]),
                "rendered": rendered[k],
                "worst": worst[k],
                "reconstructed": seen[k] if central else np.nan,
                "volume_um3": row["volume_um3"],
                "visible_um3": row["visible_volume_um3"],
                "whole": bool((np.abs(centre) + reach < half).all()),
            }
        )
    parts = pd.DataFrame(rows)
    visible = parts.groupby("kind").visible_um3.sum()
    cells = float(visible.sum())
    fractions = {"volume fraction, cells in the field": cells / float(np.prod(specimen.grid.size_um))}
    for kind, name in PARTS.items():
        fractions[f"volume fraction, {name} in cells"] = float(visible.get(kind, 0.0)) / cells
    edge = specimen.grid.voxel_size_um**3
    by_label = {
        "cytoplasm": (labels.CYTOPLASM, (CELL, CYTOPLASM, NUCLEUS, MITOCHONDRION)),
        "vacuole": (labels.VACUOLE, (VACUOLE,)),
        "lipid droplet": (labels.DROPLET, (DROPLET,)),
    }
    return Rendered(
        parts=parts,
        fractions=fractions,
        label_volume={
            name: (
                float(np.count_nonzero(specimen.labels == label)) * edge,
                float(sum(visible.get(k, 0.0) for k in kinds)),
            )
            for name, (label, kinds) in by_label.items()
        },
    )
