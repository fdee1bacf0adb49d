"""Figure 10: light of a second energy in the interior scan, found against the full-field scan and taken out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sxtbench.acquisition.counts import poisson_counts
from sxtbench.acquisition.depth import project_through_lens
from sxtbench.acquisition.optics import xm2
from sxtbench.geometry import ParallelGeometry
from sxtbench.randomness import stage_key
from sxtbench.reconstruction import fbp
from sxtbench.reconstruction.dual_energy import (
    DualEnergyFit,
    StrayLightFit,
    dual_energy_transmission,
    fit_dual_energy,
    fit_stray_light,
    invert_dual_energy,
    invert_stray_light,
)
from sxtbench.studies.figures import COLOURS, new_figure
from sxtbench.studies.phantom import inside_cylinder
from sxtbench.studies.published import EXPERIMENT_PHOTONS
from sxtbench.studies.study import Check, Findings, Report, Size, fluence_text, markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sxtbench.studies.phantom import PhantomSource

PHI0, C = 0.95, 0.3
"""Truth: share of the main energy, and LAC at the second over LAC at the main one. The paper states neither."""

SIZES: Mapping[str, Size] = {
    "fast": {"radius_um": 6.0, "pixel_size_nm": 80.0, "slices": 6, "views": 46},
    "default": {"radius_um": 6.0, "pixel_size_nm": 40.0, "slices": 8, "views": 92},
    "paper": {"radius_um": 6.0, "pixel_size_nm": 40.0, "slices": 64, "views": 92},
}
DISAGREEMENTS = (7, 8)

LEVELS = (0.25, 1.0, 10.0)
"""Fluences beside the experiment's, over it."""

_FULL, _INTERIOR = 60, 35  # zone widths, nm
_DEEPEST = 3.0  # absorbance up to which the correction is tested
_LEAST = 0.05
_BINS = 30
_FEWEST = 1000  # a bin with a smaller part of all pixels is left out
_MEASURED, _CORRECTED, _STRAIGHT = "interior scan, as measured", "corrected by two energies", "corrected by stray light"
_INNER = 0.9  # of the radius: where LAC is read


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Transmissions of the same pixels in both scans.

    Parameters
    ----------
    clean, mixed : ndarray, shape (n_angles, z, u), float64, transmission
        Of the full-field scan (one energy) and of the interior scan (two), as counted.
    truth : ndarray, same shape, float64, absorbance
        Of the interior scan at the main energy, without noise.
    photons : float
        Open beam behind both, per pixel and image.
    """

    clean: NDArray[np.float64]
    mixed: NDArray[np.float64]
    truth: NDArray[np.float64]
    photons: float


def run(size: Size, *, source: "PhantomSource", seed: int, report: Report) -> Findings:
    """Do the study.

    Parameters
    ----------
    size : mapping
        One of `SIZES`.
    source : PhantomSource
        Where the cylinder comes from.
    seed : int
        Of the photons.
    report : callable
        Told what is going on.

    Returns
    -------
    Findings
    """
    pixel, views = float(size["pixel_size_nm"]), int(size["views"])
    angles = np.arange(views, dtype=np.float64) * (180 / views)
    report("phantom")
    phantom, images = _images(size, source, angles, report)
    photons = EXPERIMENT_PHOTONS * (pixel / 20.0) ** 2
    found = {}
    for i, (level, lens) in enumerate([*((level, _FULL) for level in LEVELS), (1.0, _INTERIOR)]):
        report(f"fit, {level:g} times the experiment's fluence, interior lens {lens} nm")
        pairs = _expose(images[_FULL], images[lens], photons * level, seed, i)
        found[level, lens] = pairs, *_fits(pairs)
    pairs, energies, stray = found[1.0, _FULL]
    report("reconstructions")
    bias = _lac_bias(pairs, energies, stray, phantom, angles, pixel, float(size["radius_um"]))
    fits = _fit_table(found)
    binned = _binned(pairs, energies, stray)
    curve = correction_errors(energies, stray)
    return Findings(
        text=_text(fits, bias, energies, pairs, pixel),
        tables={
            "dual_energy_fits": fits,
            "dual_energy_residuals": binned,
            "dual_energy_correction": curve,
            "dual_energy_lac": bias,
        },
        figures={"dual_energy": _figure(pairs, energies, stray, binned, curve)},
        checks=_checks(energies, stray, binned, curve, bias),
        fluence=f"{fluence_text(photons, pixel)} Fits at {LEVELS[0]:g} and {LEVELS[-1]:g} times that stand beside it.",
        captions={
            "dual_energy": "a) What the second energy adds to the transmission: all pairs of pixels (grey), their mean "
            "at equal true transmission (dots), and both models. b) What the models leave of that mean, with two "
            "standard errors. c) Error of the absorbance before and after correction, for light without noise."
        },
    )


def _images(
    size: Size, source: "PhantomSource", angles: NDArray[np.float64], report: Report
) -> tuple[NDArray[np.float32], dict[int, NDArray[np.float64]]]:
    """Return the phantom's slices, and their absorbance through both lenses, with depths of field, by zone width."""
    pixel, slices, radius = float(size["pixel_size_nm"]), int(size["slices"]), float(size["radius_um"])
    lenses = {width: xm2(width, design_energy_ev=550.0) for width in (_FULL, _INTERIOR)}
    margin = max(lens.half_width(1000 * radius, pixel) for lens in lenses.values())
    phantom = source.cylinder(radius_um=radius, slices=slices + 2 * margin, voxel_size_nm=pixel)
    columns = phantom.shape[2] + 2 * (phantom.shape[2] // 20)
    images = {}
    for width, lens in lenses.items():
        report(f"projections through the {width} nm lens")
        whole = project_through_lens(
            phantom, angles, voxel_size_nm=pixel, columns=columns, lens=lens, half_width=margin
        )
        images[width] = whole[:, margin : margin + slices].astype(np.float64)
    return phantom[margin : margin + slices], images


def _expose(full: NDArray[np.float64], interior: NDArray[np.float64], photons: float, seed: int, place: int) -> _Pairs:
    """Count photons of both scans."""
    mixed = dual_energy_transmission(np.exp(-interior), PHI0, C)
    counts = [
        np.maximum(poisson_counts(light * photons, stage_key(seed, "study", place, stage)), 1) / photons
        for light, stage in ((np.exp(-full), "full_counts"), (mixed, "interior_counts"))
    ]
    return _Pairs(counts[0], counts[1], interior, photons)


def _fits(pairs: _Pairs) -> tuple[DualEnergyFit, StrayLightFit]:
    photons = (pairs.photons, pairs.photons)
    return fit_dual_energy(pairs.clean, pairs.mixed, incident_photons=photons), fit_stray_light(
        pairs.clean, pairs.mixed
    )


def _fit_table(found: Mapping[tuple[float, int], tuple[_Pairs, DualEnergyFit, StrayLightFit]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "fluence_over_experiment": level,
                "interior_lens_nm": lens,
                "phi0": energies.phi0,
                "c": energies.c,
                "residual": energies.residual,
                "gain": stray.gain,
                "offset": stray.offset,
                "residual_stray_light": stray.residual,
            }
            for (level, lens), (_, energies, stray) in found.items()
        ]
    )


def _models(
    transmission: NDArray[np.float64], energies: DualEnergyFit, stray: StrayLightFit
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return (
        dual_energy_transmission(transmission, energies.phi0, energies.c),
        stray.gain * transmission + stray.offset,
    )


def _binned(pairs: _Pairs, energies: DualEnergyFit, stray: StrayLightFit) -> pd.DataFrame:
    """Mean residual of both models over pixels of like true transmission: bins of `i_a` would sort by its noise."""
    truth = np.exp(-pairs.truth).ravel()
    measured = pairs.mixed.ravel()
    place = np.minimum((truth * _BINS).astype(int), _BINS - 1)
    count = np.bincount(place, minlength=_BINS)
    kept = count >= max(20, truth.size / _FEWEST)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(place, values, _BINS)[kept] / count[kept]

    noise = np.sqrt(mean(measured) / pairs.photons / count[kept])
    both = _models(truth, energies, stray)
    return pd.DataFrame(
        {
            "true_transmission": mean(truth),
            "pixels": count[kept],
            "added": mean(measured - truth),
            "residual_dual_energy": mean(measured - both[0]),
            "residual_stray_light": mean(measured - both[1]),
            "standard_error": noise,
        }
    )


def correction_errors(energies: DualEnergyFit, stray: StrayLightFit) -> pd.DataFrame:
    """Return the error of absorbance without a correction and after either, for light without noise.

    Parameters
    ----------
    energies, stray : fits
        Found on noisy pairs.

    Returns
    -------
    DataFrame
        A row a true absorbance from 0.05 to 3; relative errors.
    """
    absorbance = np.linspace(_LEAST, _DEEPEST, 60)
    shown = dual_energy_transmission(np.exp(-absorbance), PHI0, C)
    corrected = {
        "none": shown,
        "dual_energy": invert_dual_energy(shown, energies.phi0, energies.c),
        "stray_light": invert_stray_light(shown, stray.gain, stray.offset),
    }
    errors = {f"error_{name}": -np.log(light) / absorbance - 1 for name, light in corrected.items()}
    return pd.DataFrame({"absorbance": absorbance, **errors})


def _lac_bias(
    pairs: _Pairs,
    energies: DualEnergyFit,
    stray: StrayLightFit,
    phantom: NDArray[np.float32],
    angles: NDArray[np.float64],
    pixel_nm: float,
    radius_um: float,
) -> pd.DataFrame:
    """Mean error of LAC in the specimen, by FBP of each version of the data."""
    shape = phantom.shape[0], phantom.shape[1], phantom.shape[2]
    geometry = ParallelGeometry(
        angles_deg=angles, columns=pairs.mixed.shape[2], slices=shape[0], pixel_size_nm=pixel_nm
    )
    inside = np.broadcast_to(inside_cylinder(shape, _INNER * 1000 * radius_um / pixel_nm), shape)
    truth = float(phantom[inside].mean(dtype=np.float64))
    versions = {
        "full-field scan, one energy": pairs.clean,
        _MEASURED: pairs.mixed,
        _CORRECTED: invert_dual_energy(pairs.mixed, energies.phi0, energies.c),
        _STRAIGHT: invert_stray_light(pairs.mixed, stray.gain, stray.offset),
    }
    rows = []
    for name, light in versions.items():
        absorbance = (-np.log(light)).astype(np.float32)
        volume = fbp(absorbance, geometry, volume_shape=shape, filter="hamming")
        bias = float(volume[inside].mean(dtype=np.float64)) - truth
        rows.append({"data": name, "lac_bias": bias, "relative": bias / truth})
    return pd.DataFrame(rows)


def _checks(
    energies: DualEnergyFit, stray: StrayLightFit, binned: pd.DataFrame, curve: pd.DataFrame, bias: pd.DataFrame
) -> tuple[Check, ...]:
    worst = float(curve.error_dual_energy.abs().max())
    rest = {
        name: float(np.sqrt(np.average(binned[f"residual_{name}"] ** 2, weights=binned.pixels)))
        for name in ("dual_energy", "stray_light")
    }
    left = bias.set_index("data").lac_bias.abs()
    raw, corrected = float(left[_MEASURED]), float(left[_CORRECTED])
    return (
        Check(f"phi0, truth {PHI0}", energies.phi0, "within 0.02", abs(energies.phi0 - PHI0) <= 0.02, "trend"),
        Check(f"c, truth {C}", energies.c, "within 10 %", abs(energies.c / C - 1) <= 0.1, "trend"),
        Check(
            f"largest error of corrected absorbance up to {_DEEPEST:g}, relative",
            worst,
            "below 0.01",
            worst < 0.01,
            "trend",
        ),
        Check(
            "root mean square residual, two energies over stray light",
            energies.residual / stray.residual,
            "below 1",
            energies.residual < stray.residual,
            "trend",
        ),
        Check(
            "the same without noise (means of pixels of like transmission)",
            rest["dual_energy"] / rest["stray_light"],
            "below 1",
            rest["dual_energy"] < rest["stray_light"],
            "trend",
        ),
        Check(
            "LAC bias after correction over that before", corrected / raw, "below 0.2", corrected < 0.2 * raw, "trend"
        ),
    )


def _text(fits: pd.DataFrame, bias: pd.DataFrame, energies: DualEnergyFit, pairs: _Pairs, pixel_nm: float) -> str:
    relative = 100 * bias.set_index("data").relative
    own = float(fits.c[fits.interior_lens_nm == _INTERIOR].iloc[0])
    shown = fits.copy()
    for name, digits in (
        ("phi0", 4),
        ("c", 4),
        ("gain", 4),
        ("offset", 4),
        ("residual", 5),
        ("residual_stray_light", 5),
    ):
        shown[name] = [f"{value:.{digits}f}" for value in shown[name]]
    shown.columns = pd.Index(
        [
            "fluence / experiment",
            "interior lens, nm",
            "phi0",
            "c",
            "residual",
            "gain",
            "offset",
            "residual, stray light",
        ]
    )
    table = pd.DataFrame(
        {
            "FBP from": bias.data,
            "mean LAC error, 1/µm": [f"{value:+.4f}" for value in bias.lac_bias],
            "relative": [f"{100 * value:+.2f} %" for value in bias.relative],
        }
    )
    return f"""A monochromator lets a little light of a second energy pass, at which the specimen absorbs less. Dark
pixels then look too bright, and thick regions too thin. The full-field scan is taken as clean. The same pixels in both
scans give the share of the main energy, `phi0`, and the ratio of the two LAC, `c`: `I_B = phi0 I_A + (1 - phi0) I_A^c`
(equation 16). The rival, stray light, is a straight line.

Here both scans of a cylinder are simulated at the resolution of the full-field lens (60 nm, with its depth of field),
on pixels of {pixel_nm:g} nm with {pairs.photons:.0f} photons: {pairs.clean.size} pairs. The interior scan has
phi0 = {PHI0} and c = {C}; the paper gives no numbers for its experiment.

**What came out.** phi0 = {energies.phi0:.3f} and c = {energies.c:.3f}. The second energy lowers the LAC by
{-relative[_MEASURED]:.1f} %; {relative[_CORRECTED]:+.2f} % are left after correction by two energies and
{relative[_STRAIGHT]:+.2f} % after a straight line.

{markdown_table(shown)}

{markdown_table(table)}

What to know before using it on a measurement:

- Fits weigh each pair by what photon noise in *both* scans makes of its residual. Without, noise in the clean scan
  passes for signal, and c comes out too low.
- Bring both scans to one resolution first. With the interior scan left at that of its own lens (last row), c comes out
  at {own:.2f}, and the two models leave equal residuals: the lenses differ by more than the models do.
- The root mean square residual hardly tells the models apart while noise dominates it; means over pixels of like
  transmission do (figure, b).
- A mean LAC does not tell the models apart; the error at a given thickness does (figure, c)."""


def _figure(
    pairs: _Pairs, energies: DualEnergyFit, stray: StrayLightFit, binned: pd.DataFrame, curve: pd.DataFrame
) -> "Figure":
    from matplotlib.colors import LogNorm

    figure = new_figure(11.4, 3.8)
    first, second, third = figure.subplots(1, 3)
    transmission = np.linspace(0.02, 1, 200)
    both = _models(transmission, energies, stray)
    ours, rival = COLOURS["combined"], COLOURS["60"]
    first.hist2d(
        pairs.clean.ravel(),
        (pairs.mixed - pairs.clean).ravel(),
        bins=(90, 60),
        range=((0, 1.05), (-0.05, 0.08)),
        cmap="Greys",
        norm=LogNorm(vmin=1),
        rasterized=True,
    )
    first.plot(binned.true_transmission, binned.added, "o", color="black", markersize=3.5, label="mean of pairs")
    first.plot(
        transmission,
        both[0] - transmission,
        color=ours,
        label=f"two energies: $\\phi_0$ = {energies.phi0:.3f}, c = {energies.c:.2f}",
    )
    first.plot(
        transmission,
        both[1] - transmission,
        color=rival,
        linestyle="--",
        label=f"stray light: {stray.gain:.3f} $I_A$ + {stray.offset:.3f}",
    )
    first.set(
        xlabel="transmission $I_A$, full-field scan",
        ylabel="added in the interior scan, $I_B - I_A$",
        xlim=(0, 1.05),
        ylim=(-0.05, 0.08),
    )
    first.legend(fontsize=7.5, loc="upper right", framealpha=0.9)
    first.set_title("a) pairs of pixels", fontsize=10)
    for name, colour, label in (
        ("dual_energy", ours, "two energies"),
        ("stray_light", rival, "stray light"),
    ):
        second.errorbar(
            binned.true_transmission,
            1000 * binned[f"residual_{name}"],
            2000 * binned.standard_error,
            fmt="o-",
            color=colour,
            markersize=3.5,
            linewidth=1,
            label=label,
        )
        third.plot(curve.absorbance, 100 * curve[f"error_{name}"], color=colour, label=f"corrected, {label}")
    third.plot(
        curve.absorbance, 100 * curve.error_none, color=COLOURS["reference"], linestyle="--", label="not corrected"
    )
    second.set(xlabel="true transmission", ylabel="$I_B$ - model [0.001]")
    second.set_title("b) what the models leave", fontsize=10)
    third.set(xlabel="true absorbance µL", ylabel="error of absorbance [%]")
    third.set_title("c) error of absorbance", fontsize=10)
    third.axhspan(-1, 1, color="#dddddd", zorder=0, label="±1 %")
    for axes in (second, third):
        axes.axhline(0, color="black", linewidth=0.6)
        axes.grid(alpha=0.25)
        axes.legend(fontsize=7.5)
    return figure
