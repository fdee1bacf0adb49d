"""The page of the fidelity report: what is said of its tests and tables, and of a real tilt series."""

from collections.abc import Mapping
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from sxtbench.studies.fidelity_images import RANGE_DEG
from sxtbench.studies.fidelity_source import SimulatorSource, binning, lens_errors
from sxtbench.studies.fidelity_statistics import ALPHA
from sxtbench.studies.study import Size, markdown_table


def page_text(size: Size, source: SimulatorSource, tables: Mapping[str, pd.DataFrame], lens: dict[str, Any]) -> str:
    """Say what was done and what came out.

    Parameters
    ----------
    size : mapping
        As the study was given it.
    source : SimulatorSource
        The simulator.
    tables : mapping of DataFrame
        Of the study, by name.
    lens : dict
        Of `soft_lens`.
    """
    tests, held, conditional = tables["tests"], tables["held"], tables["conditional"]
    lac, volumes, ranked = tables["lac"], tables["volumes"], tables["summaries"]
    drawn = tests[tests.group == "drawn"]
    photons = tests[tests.group == "photons"]
    replicate = tests[tests.group == "replicate"]
    failed = tests[tests.adjusted <= ALPHA].test.tolist()
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
    off, beyond = lens_errors(lens)
    n = size["imaged"]
    verdict = f"All {len(tests)} tests pass."
    if failed:
        verdict = f"{len(failed)} of {len(tests)} tests fail: {', '.join(failed)}."
    permutations, recipe = int(size["permutations"]), source.recipe
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

The recipe's {len(held)} constants and rules held in every draw, to {held.worst.max():.1g}
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
    means = zip(volumes["mean"], volumes.standard_error, strict=True)
    return pd.DataFrame(
        {
            "volume": volumes.volume,
            "n": volumes.n,
            "mean": [f"{mean:.4f} ± {error:.4f}" for mean, error in means],
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
    factor = binning(series, source.recipe)
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
