"""Whether the simulator does what its recipe says, and how what it makes compares with a real tilt series.

Four questions, each with tests that can fail: are things drawn from the laws that the recipe states; do voxels hold
what was drawn; do counts and lens behave as physics says; does another seed make specimens of the same kind. A real
series, where a user gives one, is ranked among the simulated ones: it is one, and one has no p-value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from sxtbench.acquisition.series import AcquisitionParameters
from sxtbench.labels import COLOURS as LABEL_COLOURS
from sxtbench.multiplicity import holm
from sxtbench.specimens.yeast_interior import CYTOPLASM, DROPLET, MITOCHONDRION, NUCLEUS, VACUOLE
from sxtbench.studies.fidelity_draws import SPLIT, Comparisons, YeastRecipe, compare_draws, draw_specimens, law_text
from sxtbench.studies.fidelity_images import (
    PROJECTION_BINS,
    RANGE_DEG,
    RECONSTRUCTION_BINS,
    Appearance,
    Curves,
    Series,
    appearance,
    binned_series,
    reconstruct,
)
from sxtbench.studies.fidelity_physics import (
    LIGHT_EDGES,
    Imaged,
    Light,
    Rendered,
    poisson_deviates,
    read_light,
    read_rendered,
    transfer,
)
from sxtbench.studies.fidelity_statistics import (
    histogram_p,
    interval,
    normal_p,
    permuted_p,
    rank_among,
    uniform_p,
)
from sxtbench.studies.figures import new_figure
from sxtbench.studies.study import Check, Findings, Report, Size, fluence_text, markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES: Mapping[str, Size] = {
    "fast": {"tier": "tiny", "drawn": 100, "imaged": 8, "permutations": 20_000},
    "default": {"tier": "small", "drawn": 300, "imaged": 16, "permutations": 50_000},
    "paper": {"tier": "full", "drawn": 300, "imaged": 4, "permutations": 20_000},
}
DISAGREEMENTS: tuple[int, ...] = ()

__all__ = ["ALPHA", "DISAGREEMENTS", "PUBLISHED_LAC", "SIZES", "SPLIT", "SimulatorSource", "run"]

ALPHA = 0.01
"""Chance that a simulator without fault fails any of the tests of the family (Holm)."""

_STATED, _REPLICATE, _REAL = "#1f77b4", "#ff7f0e", "#000000"
_KIND_COLOURS = {CYTOPLASM: 1, VACUOLE: 2, DROPLET: 3, NUCLEUS: 4, MITOCHONDRION: 6}
_SOFT_CUTOFF = 0.4  # cycles per pixel: of the lens that shows its transfer function below Nyquist
_BAND_SHARES = (0.1, 0.25, 0.5, 1.0)  # of Nyquist
_FEWEST_PIXELS = 1000  # of a point of the figure
_ERRORS = 4.0  # standard errors within which a number must lie that is checked by itself
_PHOTONS, _VOLUME, _TRANSFER = 0.02, 0.01, 0.005

PUBLISHED_LAC = {
    CYTOPLASM: "0.346 ± 0.027",
    VACUOLE: "0.182 ± 0.039",
    DROPLET: "0.570 ± 0.111",
}
"""LAC of yeast, 1/um: configuration of SimAQ (doi 10.48550/arXiv.2508.10821), attributed there to Chen et al. 2024."""


@dataclass(frozen=True, kw_only=True)
class SimulatorSource:
    """A simulator, and what is set beside it.

    Parameters
    ----------
    recipe : YeastRecipe
        What is stated, and drawn from.
    image : callable
        (acquisition, seed, index) -> a specimen of the split "study" with its tilt series.
    filter : str
        Of filtered backprojections.
    description : str
        For the page.
    series : Series, optional
        A real tilt series.
    series_name : str
        Names it on the page.
    series_energy_ev : float, optional
        Its photon energy.
    """

    recipe: YeastRecipe
    image: Callable[[AcquisitionParameters, int, int], Imaged]
    filter: str
    description: str
    series: Series | None = None
    series_name: str = ""
    series_energy_ev: float | None = None


@dataclass(frozen=True, eq=False)
class _Group:
    """Specimens of one seed."""

    looks: list[Appearance]
    lights: list[Light]
    rendered: list[Rendered]

    def summaries(self) -> pd.DataFrame:
        """Return a row a specimen: what a real one has too, and volume fractions."""
        return pd.DataFrame(
            [look.summary | made.fractions for look, made in zip(self.looks, self.rendered, strict=True)]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Binned:
    projections: NDArray[np.float32]
    angles_deg: NDArray[np.float64]
    pixel_size_nm: float


def run(size: Size, *, source: SimulatorSource, seed: int, report: Report) -> Findings:
    """Do the study.

    Parameters
    ----------
    size : mapping
        One of `SIZES`.
    source : SimulatorSource
        The simulator.
    seed : int
        Specimens are those of the root seed 2 * seed, the replicate those of 2 * seed + 1.
    report : callable
        Told what is going on.

    Returns
    -------
    Findings
    """
    recipe = source.recipe
    bands = _bands(recipe.grid.target.voxel_size_nm)
    real = None if source.series is None else _real(source, bands)
    comparisons = compare_draws(draw_specimens(recipe, 2 * seed, size["drawn"], tell=report), recipe)
    rng = np.random.default_rng([seed, 1])
    groups = [_imaged(source, root, size["imaged"], bands, rng, report) for root in (2 * seed, 2 * seed + 1)]
    report("the lens")
    lens = _lens(source, 2 * seed)
    report("tests")
    summaries = [group.summaries() for group in groups]
    tests = _tests(comparisons, groups, summaries, size["permutations"], rng)
    ranked = _ranked(summaries, real)
    parts = pd.concat([made.parts for group in groups for made in group.rendered], ignore_index=True)
    lac = _lac_table(parts, recipe)
    volumes = _volume_table(groups, parts)
    tables = {
        "tests": tests,
        "held": comparisons.held,
        "conditional": comparisons.conditional,
        "lac": lac,
        "volumes": volumes,
        "summaries": ranked,
    }
    lights = [light for group in groups for light in group.lights]
    figures = {
        "drawn": _draws_figure(comparisons),
        "voxels": _voxels_figure(parts, summaries),
        "light": _light_figure(lights, lens),
        "looks": _looks_figure(groups, real),
    }
    acquisition = recipe.acquisition
    return Findings(
        text=_text(size, source, comparisons, tests, lac, volumes, ranked, lights, lens),
        tables=tables,
        figures=figures,
        checks=_checks(comparisons, tests, lights, lens, parts, volumes, acquisition),
        fluence=fluence_text(acquisition.detected_photons_per_pixel, recipe.grid.target.voxel_size_nm)
        + " (Counted behind the specimen, as those are.)",
        captions=_captions(real is not None, source.series_name),
    )


def _bands(voxel_size_nm: float) -> tuple[tuple[float, float], ...]:
    nyquist = 500.0 / voxel_size_nm
    edges = [float(np.floor(100 * share * nyquist) / 100) for share in _BAND_SHARES]
    return tuple(pairwise(edges))


def _real(source: SimulatorSource, bands: tuple[tuple[float, float], ...]) -> Appearance:
    """Read a real series on pixels about as large as the simulated ones."""
    series = source.series
    assert series is not None
    factor = round(source.recipe.grid.target.voxel_size_nm / series.pixel_size_nm)
    if factor >= 2:
        series = _Binned(
            projections=binned_series(series.projections, factor),
            angles_deg=series.angles_deg,
            pixel_size_nm=series.pixel_size_nm * factor,
        )
    return appearance(series, filter=source.filter, bands_per_um=bands)


def _imaged(
    source: SimulatorSource,
    root: int,
    number: int,
    bands: tuple[tuple[float, float], ...],
    rng: np.random.Generator,
    report: Report,
) -> _Group:
    group = _Group([], [], [])
    for index in range(number):
        report(f"imaging specimen {index + 1} of {number}, seed {root}")
        imaged = source.image(source.recipe.acquisition, root, index)
        series = imaged.exposure.series
        volume = reconstruct(series, source.filter)
        group.looks.append(appearance(series, filter=source.filter, bands_per_um=bands, volume=volume))
        group.lights.append(read_light(imaged, rng))
        group.rendered.append(read_rendered(imaged.specimen, volume))
    return group


def _lens(source: SimulatorSource, root: int) -> dict[str, Any]:
    """Image one specimen once more, through a lens that ends below Nyquist."""
    acquisition = source.recipe.acquisition
    soft = source.recipe.grid.target.voxel_size_nm / _SOFT_CUTOFF
    other = acquisition.model_copy(update={"outer_zone_width_nm": soft})
    sharp, blurred = (source.image(settings, root, 0).exposure for settings in (acquisition, other))
    zone = acquisition.outer_zone_width_nm
    return {"soft_nm": soft, "cutoff_per_um": 1000 / soft, **transfer(sharp, blurred, zone, soft)}


def _tests(
    comparisons: Comparisons,
    groups: list[_Group],
    summaries: list[pd.DataFrame],
    permutations: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the family: a row a test, with its p by itself and adjusted for all."""
    rows = [
        {
            "group": "drawn",
            "test": row.quantity,
            "stated": row.stated,
            "draws": row.draws,
            "value": row.mean,
            "distance": row.distance,
            "p": row.p,
        }
        for row in comparisons.tested.itertuples()
    ]
    lights = [light for group in groups for light in group.lights]
    for name, (value, deviate) in poisson_deviates(lights).items():
        rows.append(
            {
                "group": "photons",
                "test": name,
                "stated": "1",
                "draws": len(lights),
                "value": value,
                "p": normal_p(deviate),
            }
        )
    ranks = np.concatenate([light.ranks for light in lights])
    distance, p = uniform_p(ranks)
    rows.append(
        {"group": "photons", "test": "counts in their own Poisson law", "stated": "Poisson", "draws": ranks.size,
         "value": ranks.mean(), "distance": distance, "p": p}
    )  # fmt: skip
    ours, other = summaries
    for name in ours.columns:
        together = pd.concat([ours[name], other[name]])
        if together.isna().any() or together.nunique() < 2:
            continue
        p = permuted_p(ours[name], other[name], permutations=permutations, rng=rng)
        rows.append(
            {"group": "replicate", "test": name, "stated": f"{other[name].mean():.4g}", "draws": len(together),
             "value": ours[name].mean(), "p": p}
        )  # fmt: skip
    for name, which in (("absorbance", "projections"), ("LAC", "reconstruction")):
        pair = [np.cumsum([getattr(look, which).histogram for look in group.looks], axis=1) for group in groups]
        rows.append(
            {"group": "replicate", "test": f"histogram of {name}", "stated": "the replicate's",
             "draws": sum(len(group.looks) for group in groups), "value": np.nan,
             "distance": float(np.abs(pair[0].mean(axis=0) - pair[1].mean(axis=0)).max()),
             "p": histogram_p(*pair, permutations=permutations, rng=rng)}
        )  # fmt: skip
    tests = pd.DataFrame(rows)
    tests["adjusted"] = holm(tests.p.to_list())
    return tests


def _ranked(summaries: list[pd.DataFrame], real: Appearance | None) -> pd.DataFrame:
    """Return one row a quantity: both seeds, and where a real series lies among all simulated specimens."""
    ours, other = summaries
    both = pd.concat(summaries, ignore_index=True)
    rows = []
    for name in both.columns:
        low, high = interval(both[name])
        value = float("nan") if real is None else real.summary.get(name, float("nan"))
        simulated = both[name].dropna()
        rows.append(
            {
                "quantity": name,
                "mean": ours[name].mean(),
                "sd": ours[name].std(),
                "replicate_mean": other[name].mean(),
                "replicate_sd": other[name].std(),
                "low_95": low,
                "high_95": high,
                "real": value,
                "real_percentile": rank_among(value, simulated) if np.isfinite(value) and len(simulated) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _lac_table(parts: pd.DataFrame, recipe: YeastRecipe) -> pd.DataFrame:
    specimen = recipe.specimen
    stated = {
        CYTOPLASM: specimen.cells.cytoplasm_lac_per_um,
        VACUOLE: specimen.vacuoles.lac_per_um,
        DROPLET: specimen.droplets.lac_per_um,
        NUCLEUS: specimen.nucleus.lac_per_um,
        MITOCHONDRION: specimen.mitochondria.lac_per_um,
    }
    rows = []
    for kind, law in stated.items():
        of = parts[parts.kind == kind]
        inner = of[of.interior > 0]
        rows.append(
            {
                "structure": kind,
                "recipe": law_text(law),
                "drawn": _spread(of.drawn),
                "voxels": _spread(inner.rendered),
                "worst_voxel": float(inner.worst.max()) if len(inner) else np.nan,
                "fbp": _spread(inner.reconstructed),
                "published": PUBLISHED_LAC.get(kind, ""),
                "bodies": len(of),
                "with_interior": len(inner),
            }
        )
    return pd.DataFrame(rows)


def _spread(values: pd.Series) -> str:
    return f"{values.mean():.3f} ± {values.std():.3f}" if values.count() > 1 else ""


def _volume_table(groups: list[_Group], parts: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for kind in (DROPLET, NUCLEUS, MITOCHONDRION):
        of = parts[(parts.kind == kind) & parts.whole]
        rows.append(_ratio(f"{kind}: in voxels over analytic", of.visible_um3 / of.volume_um3))
    made = [rendered for group in groups for rendered in group.rendered]
    for name in made[0].label_volume:
        centres, visible = np.array([rendered.label_volume[name] for rendered in made]).T
        rows.append(_ratio(f"{name}: label over visible", pd.Series(centres[visible > 0] / visible[visible > 0])))
    return pd.DataFrame(rows)


def _ratio(name: str, values: pd.Series) -> dict[str, Any]:
    error = values.std() / np.sqrt(max(len(values), 1))
    return {"volume": name, "n": len(values), "mean": values.mean(), "sd": values.std(), "standard_error": error}


def _checks(
    comparisons: Comparisons,
    tests: pd.DataFrame,
    lights: list[Light],
    lens: dict[str, Any],
    parts: pd.DataFrame,
    volumes: pd.DataFrame,
    acquisition: AcquisitionParameters,
) -> tuple[Check, ...]:
    checks = []
    names = {
        "drawn": "drawn as the recipe states",
        "photons": "photons are Poisson and independent",
        "replicate": "another seed, the same kind of specimens",
    }
    for group, name in names.items():
        of = tests[tests.group == group]
        least = float(of.adjusted.min())
        checks.append(
            Check(f"{name}: smallest of {len(of)} adjusted p", least, f"above {ALPHA}", least > ALPHA, "exact")
        )
    worst = float(comparisons.held.worst.max())
    checks.append(Check("constants and rules held: largest deviation", worst, "below 1e-9", worst < 1e-9, "exact"))
    fano = float(tests.set_index("test").value["variance of counts over their expectation"])
    error = _ERRORS * np.sqrt(sum(light.variance for light in lights)) / sum(light.pixels for light in lights)
    checks.append(
        Check(
            "variance of counts over their expectation", fano, f"1 within {error:.1g}", abs(fano - 1) < error, "exact"
        )
    )
    ratio = float(np.nanmean([light.photons for light in lights]) / acquisition.detected_photons_per_pixel)
    checks.append(
        Check(
            "photons behind cells over the recipe's", ratio, f"1 within {_PHOTONS}", abs(ratio - 1) < _PHOTONS, "exact"
        )
    )
    off, beyond = _lens_errors(lens)
    checks += [
        Check("transfer function of the lens: largest error", off, f"below {_TRANSFER}", off < _TRANSFER, "exact"),
        Check("transfer function beyond the cutoff", beyond, f"below {_TRANSFER}", beyond < _TRANSFER, "exact"),
    ]
    droplets = parts[(parts.kind == DROPLET) & (parts.interior > 0)]
    if len(droplets):
        worst = float(droplets.worst.max())
        checks.append(
            Check("LAC of droplets' inner voxels less what was drawn", worst, "below 1e-5", worst < 1e-5, "exact")
        )
    counted = volumes[~volumes.volume.str.startswith(MITOCHONDRION)]
    beyond = float((((counted["mean"] - 1).abs() - _VOLUME).clip(lower=0) / counted.standard_error).max())
    checks.append(
        Check(
            f"mean volumes in voxels, labels included: standard errors beyond {_VOLUME:.0%}",
            beyond,
            f"below {_ERRORS:g}",
            beyond < _ERRORS,
            "exact",
        )
    )
    return tuple(checks)


def _lens_errors(lens: dict[str, Any]) -> tuple[float, float]:
    """Return the largest error below the cutoff, and the largest value beyond it."""
    below = lens["frequency_per_um"] <= lens["cutoff_per_um"]
    error = np.abs(lens["measured"] - lens["predicted"])
    return float(error[below].max()), float(np.abs(lens["measured"][~below]).max())


def _text(
    size: Size,
    source: SimulatorSource,
    comparisons: Comparisons,
    tests: pd.DataFrame,
    lac: pd.DataFrame,
    volumes: pd.DataFrame,
    ranked: pd.DataFrame,
    lights: list[Light],
    lens: dict[str, Any],
) -> str:
    drawn = tests[tests.group == "drawn"]
    photons = tests[tests.group == "photons"]
    replicate = tests[tests.group == "replicate"]
    failed = tests[tests.adjusted <= ALPHA].test.tolist()
    conditional = comparisons.conditional
    differs = conditional[conditional.gap > conditional.gap_by_chance]
    shares = [f"{row.quantity} ({row.mean:.3g} where {row.stated_mean:.3g} is stated)" for row in differs.itertuples()]
    shown_conditional = pd.DataFrame(
        {
            "quantity": conditional.quantity,
            "stated": conditional.stated,
            "stated mean": conditional.stated_mean,
            "drawn mean": conditional["mean"],
            "drawn / stated": [f"{share:.3f}" for share in conditional.share],
            "draws": conditional.draws,
            "gap": [f"{gap:.3f}" for gap in conditional.gap],
            "gap by chance": [f"{gap:.3f}" for gap in conditional.gap_by_chance],
            "why": conditional.condition,
        }
    )
    shown_lac = lac[["structure", "recipe", "drawn", "voxels", "fbp", "published"]].set_axis(
        ["structure", "recipe", "drawn", "inner voxels", f"FBP of {RANGE_DEG:g} degrees, there", "published"], axis=1
    )
    off, beyond = _lens_errors(lens)
    n = size["imaged"]
    verdict = (
        f"All {len(tests)} tests pass."
        if not failed
        else f"{len(failed)} of {len(tests)} tests fail: {', '.join(failed)}."
    )
    permutations = int(size["permutations"])
    recipe = source.recipe
    return f"""Does the simulator do what its recipe says, and does another seed make the same kind of specimens?
{size["drawn"]} specimens are drawn without voxels, {n} of them are imaged, and {n} more of another seed.

**What came out.** {verdict} {_differs_text(shares)}

The {len(tests)} tests are one family, adjusted by Holm: a simulator without fault fails any of them with probability
{ALPHA:g} at most. Seeds are fixed, so that a run repeats. Checks of a number within a band (transfer function, volumes,
photons) stand by themselves.

## Drawn as stated

A quantity drawn from a law of the recipe, or clipped to bounds known for each draw (a vacuole's LAC to that of its
cell and of ice, ice to the cells' depth, a shift to the room there is), is turned into its rank in that law, atoms
divided at random; ranks are tested for uniformity (Kolmogorov and Smirnov). Gold beads are drawn here in ice without
cells: with cells, those that find no room are left out. Not tested: texture, deformation, cracks, impurities, of which
no single draw can be read off.

{markdown_table(_shown_tests(drawn, ("quantity", "stated", "draws", "mean")))}

The recipe's {len(comparisons.held)} constants and rules held in every draw, to {comparisons.held.worst.max():.1g}
([held.csv](held.csv)).

## Asked for, and found room

These must fit, so their drawn distribution is *not* the one stated, and a test of that would fail rightly. The gap is
the largest between both cumulative distributions; by chance alone it stays below the last number in 95 of 100 cases.

{markdown_table(shown_conditional)}

## In voxels

Inner voxels are those none of whose 26 neighbours belongs to another body; the texture of cytoplasm, nucleus,
mitochondria and vacuoles averages out in them, droplets have none. Reconstructions are read in bodies within 90 % of
the inscribed cylinder's radius: what is cut by the detector's edge brightens the rim.

{markdown_table(shown_lac)}

Published: the configuration of SimAQ (Egebjerg and Wuestner 2025, doi 10.48550/arXiv.2508.10821), attributed there to
Chen et al. 2024. Its droplets are *measured* values, dimmed by the lens; the recipe's are those before it. No published
volume fractions or sizes of comparable strains are at hand, so none stand here.

{markdown_table(_shown_volumes(volumes))}

Analytic volumes are those before deformation, which changes a single body's and not the mean; bodies of one specimen
share it, so that the standard errors, of independent bodies, are somewhat small. Pieces of a mitochondrion overlap in
its bends, which the analytic volume counts twice.

## Photons and lens

{markdown_table(_shown_tests(photons, ("test", "expected", "specimens or counts", "here")))}

Fresh exposures are drawn from the stored expectation of four views, and compared with their own mean. Photons behind
cells (checks below) are read within 3 degrees of 0, in the shadow on the voxels of the target, whose area differs by
about 1 % from the finer one that sets the exposure.

The recipe's lens ends at {1000 / recipe.acquisition.outer_zone_width_nm:.3g} cycles per um, the detector's Nyquist
frequency is {500 / recipe.grid.target.voxel_size_nm:.3g}: a spectrum of these projections cannot show where. One
specimen is imaged once more through a lens of {lens["soft_nm"]:.0f} nm that ends below. That series, without noise, is
the first one filtered by the ratio of both transfer functions, to {off:.2g}; {beyond:.2g} is left beyond the cutoff.

## Another seed

Specimens are compared with specimens: pixels of one are not independent. For each number below, and for whole
histograms, {permutations} random exchanges of specimens between the seeds say how often the difference of means is as
large; p is at least {_least_p(n, permutations):.1g}, and the family asks for {ALPHA / len(tests):.1g} at its strictest.
A length that some specimen does not reach within its field has no p. {_power_text(n, permutations, len(tests))}

{markdown_table(_shown_ranks(ranked, replicate))}

{_real_text(source, ranked, 2 * n)}"""


def _differs_text(shares: list[str]) -> str:
    if not shares:
        return "What must find room follows its stated distribution within chance."
    return f"What must find room departs from its stated distribution in {len(shares)} cases: {'; '.join(shares)}."


def _least_p(n: int, permutations: int) -> float:
    return max(1 / permutations, 2 / comb(2 * n, n))


def _power_text(n: int, permutations: int, tests: int) -> str:
    if _least_p(n, permutations) > ALPHA / tests:
        return f"With {n} specimens a seed no difference can reach that: here the comparison is for the eye only."
    # the difference of two means of n has a standard error of sd sqrt(2 / n); z for half of the strictest level
    visible = (norm.isf(ALPHA / tests / 2) + norm.isf(0.2)) * np.sqrt(2 / n)
    return (
        f"With {n} specimens a seed, a difference of {visible:.1f} standard deviations is found with 80 % probability."
    )


def _shown_tests(tests: pd.DataFrame, names: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            names[0]: tests.test,
            names[1]: tests.stated,
            names[2]: tests.draws,
            names[3]: [f"{value:.4g}" for value in tests.value],
            "distance": ["" if np.isnan(d) else f"{d:.3f}" for d in tests.distance],
            "p": tests.p,
            "adjusted": tests.adjusted,
        }
    )


def _shown_volumes(volumes: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "volume": volumes.volume,
            "n": volumes.n,
            "mean": [
                f"{mean:.4f} ± {error:.4f}" for mean, error in zip(volumes["mean"], volumes.standard_error, strict=True)
            ],
            "standard deviation": volumes.sd,
        }
    )


def _shown_ranks(ranked: pd.DataFrame, replicate: pd.DataFrame) -> pd.DataFrame:
    p = replicate.set_index("test").p
    table = pd.DataFrame(
        {
            "quantity": ranked.quantity,
            "mean ± sd": [f"{a:.3g} ± {b:.2g}" for a, b in zip(ranked["mean"], ranked.sd, strict=True)],
            "other seed": [
                f"{a:.3g} ± {b:.2g}" for a, b in zip(ranked.replicate_mean, ranked.replicate_sd, strict=True)
            ],
            "p": [p.get(name, np.nan) for name in ranked.quantity],
        }
    )
    if ranked.real.notna().any():
        table["real"] = ranked.real
        table["its percentile"] = [f"{rank:.0f}" if np.isfinite(rank) else "–" for rank in ranked.real_percentile]
    return table


def _real_text(source: SimulatorSource, ranked: pd.DataFrame, n: int) -> str:
    if source.series is None:
        return (
            "No real tilt series was given: `--series FILE` sets one beside these, with its percentile among the "
            f"{n} simulated specimens."
        )
    series, voxel = source.series, source.recipe.grid.target.voxel_size_nm
    views, rows, columns = series.projections.shape
    factor = round(voxel / series.pixel_size_nm)
    binned = f", binned by {factor} to {series.pixel_size_nm * factor:g} nm" if factor >= 2 else ""
    coarse = (
        " Its pixels are coarser than the simulated ones: bands beyond its Nyquist frequency stay empty."
        if series.pixel_size_nm > 1.2 * voxel
        else ""
    )
    field_um, ours_um = columns * series.pixel_size_nm / 1000, source.recipe.grid.target.size_um[2]
    wide = (
        f" Its field is {field_um:.3g} um wide, the simulated one {ours_um:.3g}: means and the lowest frequencies "
        "depend on how much of it cells fill."
        if abs(field_um - ours_um) > 0.1 * ours_um
        else ""
    )
    energy = source.series_energy_ev
    stated = source.recipe.acquisition.energy_ev
    other = (
        f" It was taken at {energy:g} eV, the recipe is for {stated:g} eV: absorbance and LAC differ by that alone."
        if energy is not None and abs(energy - stated) > 0.01 * stated
        else ""
    )
    known = ranked[ranked.real_percentile.notna()]
    outside = known[(known.real < known.low_95) | (known.real > known.high_95)].quantity.tolist()
    said = (
        f"Outside the middle 95 % of the simulated: {'; '.join(outside)}."
        if outside
        else "None is outside the middle 95 %."
    )
    return f"""## A real series

{source.series_name}: {views} views of {rows} x {columns} pixels of {series.pixel_size_nm:g} nm{binned}, read like the
simulated ones: views within {RANGE_DEG / 2:g} degrees of 0, filtered backprojection with the same filter.
{(coarse + wide + other).strip()}
It is one series: of {len(known)} quantities, {len(outside)} lie outside the middle 95 % of {n} simulated
specimens, where one in twenty would by chance if they were independent. A rank is all that one series can give; no
p-value is. {said}"""


def _captions(real: bool, name: str) -> dict[str, str]:
    black = f" Black: {name}." if real else ""
    return {
        "drawn": "a) How far the ranks of each tested quantity are from uniform, times the root of their number: one "
        "line a quantity, dotted where one of twenty reaches by chance. Others: counts as stated (grey) and as found "
        "in the specimens (blue), for things that must find room.",
        "voxels": "a) LAC of inner voxels against what was drawn, b) LAC of a reconstruction there: small droplets are "
        "dimmed by lens, filter and missing views. c) Volume in voxels over the analytic one, by size: deformation and "
        "the raster of subsamples spread it, its mean is 1. d) Volume fractions of the specimens of both seeds.",
        "light": "a) Squared deviation of counts over their expectation, by expectation, with two standard errors. "
        "b) Spectrum of transmission: measured, without noise, and the floor that photon noise should have. "
        "c) Transfer function of a lens that ends below Nyquist (dotted) over the recipe's: measured, predicted "
        "from the recipe's series, and the ratio itself, which spectral leakage of the window does not touch.",
        "looks": "Above projections, below reconstructions: histogram, spectrum, autocorrelation. Bands hold the "
        "middle 95 % of the specimens of one seed, pointwise; lines are the means of both seeds." + black,
    }


def _draws_figure(comparisons: Comparisons) -> "Figure":
    figure = new_figure(11.4, 6.2)
    axes = figure.subplots(2, 3).ravel()
    grid = np.linspace(0, 1, 201)
    first = axes[0]
    for k, (name, ranks) in enumerate(comparisons.ranks.items()):
        found = np.searchsorted(np.sort(ranks), grid, side="right") / ranks.size
        line = np.sqrt(ranks.size) * (found - grid)
        style = ("-", "--", ":")[k // 7 % 3]
        first.plot(grid, line, linewidth=0.9, linestyle=style, color=f"C{k % 7}", label=name.split(" [")[0])
    for side in (-1, 1):
        first.axhline(1.36 * side, color="black", linewidth=0.8, linestyle=":")
    first.set(xlabel="rank in the stated law", ylabel=r"$\sqrt{n}$ (found - uniform)", ylim=(-2.2, 2.2))
    first.set_title(f"a) ranks of {len(comparisons.ranks)} tested quantities", fontsize=10)
    panels = [name for name in comparisons.counts if not name.startswith(("nuclei", "neighbours"))][:4]
    for letter, panel, name in zip("bcde", axes[1:], panels, strict=False):
        stated, found = comparisons.counts[name]
        n = np.arange(len(stated))
        seen = (stated > 1e-4) | (found > 1e-4)
        panel.bar(n, stated, width=0.9, color="#cccccc", label="stated")
        panel.plot(n[seen], found[seen], "o-", color=_STATED, markersize=3, linewidth=1, label="found")
        last = int(np.flatnonzero(seen)[-1])
        panel.set(xlabel=name, ylabel="share", xlim=(-0.8, last + 0.8))
        panel.set_title(f"{letter}) {name}", fontsize=10)
        panel.legend(fontsize=7.5)
    for panel in axes[1 + len(panels) :]:
        panel.set_axis_off()
    handles, labels = first.get_legend_handles_labels()
    axes[-1].legend(handles, labels, fontsize=7, loc="center", ncol=1, title="lines of a)", title_fontsize=8)
    return figure


def _voxels_figure(parts: pd.DataFrame, summaries: list[pd.DataFrame]) -> "Figure":
    figure = new_figure(11.4, 6.6)
    (first, second), (third, fourth) = figure.subplots(2, 2)
    for kind, label in _KIND_COLOURS.items():
        of = parts[(parts.kind == kind) & (parts.interior > 0)]
        colour = LABEL_COLOURS[label]
        first.plot(of.drawn, of.rendered, "o", markersize=2.5, color=colour, alpha=0.6, label=kind)
        second.plot(of.drawn, of.reconstructed, "o", markersize=2.5, color=colour, alpha=0.6, label=kind)
        if kind in (DROPLET, NUCLEUS):
            whole = parts[(parts.kind == kind) & parts.whole]
            radius = (3 * whole.volume_um3.astype(float) / (4 * np.pi)) ** (1 / 3)
            third.plot(
                radius, whole.visible_um3 / whole.volume_um3, "o", markersize=2.5, color=colour, alpha=0.5, label=kind
            )
    for axes, title in (
        (first, "a) inner voxels, as rendered"),
        (second, f"b) inner voxels, FBP of {RANGE_DEG:g} degrees"),
    ):
        axes.plot([0.1, 0.95], [0.1, 0.95], color="black", linewidth=0.7)
        axes.set(xlabel="LAC drawn [1/µm]", ylabel="mean LAC there [1/µm]")
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=7.5, markerscale=2)
    third.axhline(1, color="black", linewidth=0.7)
    third.set(xlabel="radius [µm]", ylabel="volume in voxels / analytic", xlim=(0, None))
    third.set_title("c) volumes", fontsize=10)
    third.legend(fontsize=7.5, markerscale=2)
    names = [str(name) for name in summaries[0].columns if str(name).startswith("volume fraction")]
    for row, name in enumerate(reversed(names)):
        for offset, frame, colour in ((0.12, summaries[0], _STATED), (-0.12, summaries[1], _REPLICATE)):
            fourth.plot(frame[name], np.full(len(frame), row + offset), "|", color=colour, markersize=9)
    fourth.set_yticks(range(len(names)), [name.removeprefix("volume fraction, ") for name in reversed(names)])
    fourth.set(xlabel="volume fraction", xlim=(0, None))
    fourth.set_title("d) volume fractions: a seed (blue), its replicate (orange)", fontsize=10)
    return figure


def _light_figure(lights: list[Light], lens: dict[str, Any]) -> "Figure":
    figure = new_figure(11.4, 3.7)
    first, second, third = figure.subplots(1, 3)
    squares, pixels = np.sum([light.by_light for light in lights], axis=0)
    seen = pixels > _FEWEST_PIXELS
    middle = np.sqrt(LIGHT_EDGES[1:] * LIGHT_EDGES[:-1])[seen]
    error = 2 * np.sqrt((2 + 1 / middle) / pixels[seen])
    first.errorbar(middle, squares[seen] / pixels[seen], error, fmt="o", color=_STATED, markersize=3.5, linewidth=1)
    first.axhline(1, color="black", linewidth=0.7)
    first.set(xlabel="expected counts", ylabel="(count - expected)² / expected", xlim=(0, None))
    reach = max(3 * float(np.median(error)), 0.01)
    first.set_ylim(1 - 3 * reach, 1 + 3 * reach)
    first.set_title("a) variance of counts", fontsize=10)
    frequency = lights[0].frequency_per_um[1:]
    for name, label, colour in (("measured", "measured", _STATED), ("noise_free", "without noise", "#2ca02c")):
        second.plot(
            frequency, np.mean([getattr(light, name) for light in lights], axis=0)[1:], color=colour, label=label
        )
    floor = float(np.mean([light.floor for light in lights]))
    second.axhline(floor, color="black", linewidth=0.8, linestyle="--", label="floor by the photons")
    second.set(xlabel="frequency [1/µm]", ylabel="power (white noise: variance)", yscale="log")
    second.set_title("b) spectrum of projections", fontsize=10)
    second.legend(fontsize=7.5)
    third.plot(lens["frequency_per_um"], lens["predicted"], color="#bbbbbb", linewidth=4, label="predicted")
    third.plot(lens["frequency_per_um"], lens["measured"], color=_STATED, linewidth=1, label="measured")
    third.plot(lens["frequency_per_um"], lens["ratio"], color="black", linewidth=0.7, linestyle="--", label="ratio")
    third.axvline(lens["cutoff_per_um"], color="black", linewidth=0.7, linestyle=":")
    third.set(xlabel="frequency [1/µm]", ylabel="transfer function over the recipe's")
    third.set_title(f"c) a lens of {lens['soft_nm']:.0f} nm over the recipe's", fontsize=10)
    third.legend(fontsize=7.5)
    return figure


def _looks_figure(groups: list[_Group], real: Appearance | None) -> "Figure":
    figure = new_figure(11.4, 6.6)
    axes = figure.subplots(2, 3)
    rows = (
        ("projections", PROJECTION_BINS, "absorbance", "µm²", "u", "z"),
        ("reconstruction", RECONSTRUCTION_BINS, "LAC [1/µm]", "µm", "x", "y"),
    )
    for (which, bins, unit, power, across, along), (left, middle, right) in zip(rows, axes, strict=True):
        centres, width = (bins[1:] + bins[:-1]) / 2, bins[1] - bins[0]
        curves: list[list[Curves]] = [[getattr(look, which) for look in group.looks] for group in groups]
        shown = None if real is None else getattr(real, which)
        _band_and_means(left, centres, [[c.histogram / width for c in group] for group in curves])
        frequency = curves[0][0].frequency_per_um[1:]
        _band_and_means(middle, frequency, [[c.power[1:] for c in group] for group in curves])
        for axis, style in ((across, "-"), (along, "--")):
            lags = curves[0][0].lags_um[axis]
            _band_and_means(right, lags, [[c.autocorrelation[axis] for c in group] for group in curves], style, axis)
            if shown is not None:
                right.plot(shown.lags_um[axis], shown.autocorrelation[axis], style, color=_REAL, linewidth=1.2)
        if shown is not None:
            left.plot(centres, shown.histogram / width, color=_REAL, linewidth=1.2, label="real")
            middle.plot(shown.frequency_per_um[1:], shown.power[1:], color=_REAL, linewidth=1.2, label="real")
        mean = np.mean([c.histogram for group in curves for c in group], axis=0)
        inside = 1 + np.flatnonzero(mean[1:-1] > 2e-5)  # without what lies beyond the ends
        left.set(
            xlabel=unit, ylabel="density", yscale="log", xlim=(bins[inside[0]], bins[inside[-1] + 1]), ylim=(2e-3, None)
        )
        middle.set(xlabel="frequency [1/µm]", ylabel=f"power [{power}]", yscale="log", xlim=(0, frequency[-1]))
        right.set(xlabel="distance [µm]", ylabel="autocorrelation", xlim=(0, lags[-1]))
        right.axhline(0, color="black", linewidth=0.6)
        for panel, title in ((left, "histogram"), (middle, "spectrum"), (right, "autocorrelation")):
            panel.set_title(f"{which}: {title}", fontsize=10)
            panel.legend(fontsize=7.5)
    return figure


def _band_and_means(
    axes: Any, x: NDArray[np.float64], groups: list[list[NDArray[np.float64]]], style: str = "-", name: str = ""
) -> None:
    low, high = interval(np.array(groups[0]))
    axes.fill_between(x, low, high, color=_STATED, alpha=0.25, linewidth=0)
    for values, colour, label in zip(groups, (_STATED, _REPLICATE), ("one seed", "another seed"), strict=True):
        text = f"along {name}" if name and colour == _STATED else None if name else label
        axes.plot(x, np.mean(values, axis=0), style, color=colour, linewidth=1.2, label=text)
