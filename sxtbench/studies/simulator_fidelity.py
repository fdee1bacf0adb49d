"""Whether the simulator does what its recipe says, and how what it makes compares with a real tilt series.

Four questions, each with tests that can fail: are things drawn from the laws that the recipe states; do voxels hold
what was drawn; do counts and lens behave as physics says; does another seed make specimens of the same kind. A real
series, where a user gives one, is ranked among the simulated ones: it is one, and one has no p-value.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sxtbench.multiplicity import holm
from sxtbench.specimens.yeast_interior import CYTOPLASM, DROPLET, MITOCHONDRION, NUCLEUS, VACUOLE
from sxtbench.studies.fidelity_draws import SPLIT, YeastRecipe, draw_specimens
from sxtbench.studies.fidelity_figures import captions, report_figures
from sxtbench.studies.fidelity_images import Appearance
from sxtbench.studies.fidelity_laws import Comparisons, compare_draws, law_text
from sxtbench.studies.fidelity_page import page_text
from sxtbench.studies.fidelity_physics import Light, poisson_deviates
from sxtbench.studies.fidelity_source import Group, SimulatorSource, image_group, lens_errors, read_real, soft_lens
from sxtbench.studies.fidelity_statistics import (
    ALPHA,
    histogram_p,
    interval,
    normal_p,
    permuted_p,
    rank_among,
    uniform_p,
)
from sxtbench.studies.study import Check, Findings, Report, Size, fluence_text

SIZES: Mapping[str, Size] = {
    "fast": {"tier": "tiny", "drawn": 100, "imaged": 8, "permutations": 20_000},
    "default": {"tier": "small", "drawn": 300, "imaged": 16, "permutations": 50_000},
    "paper": {"tier": "full", "drawn": 300, "imaged": 4, "permutations": 20_000},
}
DISAGREEMENTS: tuple[int, ...] = ()

__all__ = ["DISAGREEMENTS", "SIZES", "SPLIT", "SimulatorSource", "run"]

_ERRORS = 4.0  # standard errors within which a number must lie that is checked by itself
_PHOTONS, _VOLUME, _TRANSFER = 0.02, 0.01, 0.005

# LAC of yeast, 1/um: configuration of SimAQ (doi 10.48550/arXiv.2508.10821), attributed there to Chen et al. 2024
_PUBLISHED_LAC = {CYTOPLASM: "0.346 ± 0.027", VACUOLE: "0.182 ± 0.039", DROPLET: "0.570 ± 0.111"}


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
    real = read_real(source)
    comparisons = compare_draws(draw_specimens(recipe, 2 * seed, size["drawn"], tell=report), recipe)
    rng = np.random.default_rng([seed, 1])
    groups = [image_group(source, root, size["imaged"], rng, report) for root in (2 * seed, 2 * seed + 1)]
    report("the lens")
    lens = soft_lens(source, 2 * seed)
    report("tests")
    lights = [light for group in groups for light in group.lights]
    parts = pd.concat([made.parts for group in groups for made in group.rendered], ignore_index=True)
    summaries = [group.summaries() for group in groups]
    tables = {
        "tests": _tests(comparisons, lights, groups, summaries, size["permutations"], rng),
        "held": comparisons.held,
        "conditional": comparisons.conditional,
        "lac": _lac_table(parts, recipe),
        "volumes": _volume_table(groups, parts),
        "summaries": _ranked(summaries, real),
    }
    photons = recipe.acquisition.detected_photons_per_pixel
    return Findings(
        text=page_text(size, source, tables, lens),
        tables=tables,
        figures=report_figures(comparisons, groups, summaries, parts, lens, real),
        checks=_checks(tables, lights, lens, parts, photons),
        fluence=fluence_text(photons, recipe.grid.target.voxel_size_nm)
        + " (Counted behind the specimen, as those are.)",
        captions=captions(source),
    )


def _tests(
    comparisons: Comparisons,
    lights: list[Light],
    groups: list[Group],
    summaries: list[pd.DataFrame],
    permutations: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the family: a row a test, with its p by itself and adjusted for all."""
    rows: list[tuple[Any, ...]] = [
        ("drawn", row.quantity, row.stated, row.draws, row.mean, row.distance, row.p)
        for row in comparisons.tested.itertuples()
    ]
    for name, (value, deviate) in poisson_deviates(lights).items():
        rows.append(("photons", name, "1", len(lights), value, np.nan, normal_p(deviate)))
    ranks = np.concatenate([light.ranks for light in lights])
    name = "counts in their own Poisson law"
    rows.append(("photons", name, "Poisson", ranks.size, ranks.mean(), *uniform_p(ranks)))
    ours, other = summaries
    for name in ours.columns:
        together = pd.concat([ours[name], other[name]])
        if together.isna().any() or together.nunique() < 2:
            continue
        p = permuted_p(ours[name], other[name], permutations=permutations, rng=rng)
        rows.append(("replicate", name, f"{other[name].mean():.4g}", len(together), ours[name].mean(), np.nan, p))
    for name, which in (("absorbance", "projections"), ("LAC", "reconstruction")):
        pair = [np.cumsum([getattr(look, which).histogram for look in group.looks], axis=1) for group in groups]
        gap = float(np.abs(pair[0].mean(axis=0) - pair[1].mean(axis=0)).max())
        p = histogram_p(*pair, permutations=permutations, rng=rng)
        rows.append(("replicate", f"histogram of {name}", "the replicate's", sum(map(len, pair)), np.nan, gap, p))
    tests = pd.DataFrame(rows, columns=["group", "test", "stated", "draws", "value", "distance", "p"])
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
                "published": _PUBLISHED_LAC.get(kind, ""),
                "bodies": len(of),
                "with_interior": len(inner),
            }
        )
    return pd.DataFrame(rows)


def _spread(values: pd.Series) -> str:
    return f"{values.mean():.3f} ± {values.std():.3f}" if values.count() > 1 else ""


def _volume_table(groups: list[Group], parts: pd.DataFrame) -> pd.DataFrame:
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
    tables: Mapping[str, pd.DataFrame], lights: list[Light], lens: dict[str, Any], parts: pd.DataFrame, photons: float
) -> tuple[Check, ...]:
    exact = partial(Check, kind="exact")
    tests, volumes = tables["tests"], tables["volumes"]
    checks = []
    names = {
        "drawn": "drawn as the recipe states",
        "photons": "photons are Poisson and independent",
        "replicate": "another seed, the same kind of specimens",
    }
    for group, name in names.items():
        of = tests[tests.group == group]
        least = float(of.adjusted.min())
        checks.append(exact(f"{name}: smallest of {len(of)} adjusted p", least, f"above {ALPHA}", least > ALPHA))
    worst = float(tables["held"].worst.max())
    fano = float(tests.set_index("test").value["variance of counts over their expectation"])
    error = _ERRORS * np.sqrt(sum(light.variance for light in lights)) / sum(light.pixels for light in lights)
    ratio = float(np.nanmean([light.photons for light in lights]) / photons)
    off, beyond = lens_errors(lens)
    checks += [
        exact("constants and rules held: largest deviation", worst, "below 1e-9", worst < 1e-9),
        exact("variance of counts over their expectation", fano, f"1 within {error:.1g}", abs(fano - 1) < error),
        exact("photons behind cells over the recipe's", ratio, f"1 within {_PHOTONS}", abs(ratio - 1) < _PHOTONS),
        exact("transfer function of the lens: largest error", off, f"below {_TRANSFER}", off < _TRANSFER),
        exact("transfer function beyond the cutoff", beyond, f"below {_TRANSFER}", beyond < _TRANSFER),
    ]
    droplets = parts[(parts.kind == DROPLET) & (parts.interior > 0)]
    if len(droplets):
        worst = float(droplets.worst.max())
        checks.append(exact("LAC of droplets' inner voxels less what was drawn", worst, "below 1e-5", worst < 1e-5))
    counted = volumes[~volumes.volume.str.startswith(MITOCHONDRION)]
    beyond = float((((counted["mean"] - 1).abs() - _VOLUME).clip(lower=0) / counted.standard_error).max())
    name = f"mean volumes in voxels, labels included: standard errors beyond {_VOLUME:.0%}"
    checks.append(exact(name, beyond, f"below {_ERRORS:g}", beyond < _ERRORS))
    return tuple(checks)
