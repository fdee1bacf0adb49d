"""How far the numbers of `sxtbench assess` follow the true score: the tables of docs/assess.md.

Specimens are those of the tiny recipe of limited-angle-reconstruction under another seed, so that no split of the
benchmark is looked at. Run: python benchmarks/assess_study.py [SPECIMENS]
"""

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from sxtbench.benchmark.task import get_task
from sxtbench.cli.console import progress, ready
from sxtbench.datasets.dataset import Sample
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics import data_consistency, fsc, score_volume
from sxtbench.metrics.reference_free import assess_series, grid_of, half_sets, held_out, pinned_cgne, pinned_fbp
from sxtbench.metrics.volume import mean_correlation
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import cgne, fbp, sirt, tv
from sxtbench.reconstruction.extended import placed

SEED = 7
ROWS = slice(24, 40)  # neighbours, as total variation couples rows
OF_DATA = ("frc_mean", "frc_seventh_nm", "noise_per_um", "held_out_rms", "held_out_chi2", "incident_per_um2", "views")
OF_METHODS = ("frc_mean", "frc_seventh_nm", "noise_per_um", "held_out_chi2", "own_chi2")
BETTER_LOW = {"frc_seventh_nm", "noise_per_um", "held_out_rms", "held_out_chi2", "own_chi2"}
TRUE = ("psnr", "fsc_all")
TRIED = (3, 5, 7, 10, 14, 20, 30)
FALSE_FRIENDS = ("fbp + pattern", "fbp x 0.5")

Solve = Callable[[np.ndarray, ParallelGeometry], np.ndarray]


def methods() -> dict[str, Solve]:
    def filtered(name: str, sigma: float = 0.0) -> Solve:
        return lambda y, g: gaussian_filter(fbp(y, g, grid_of(g), filter=name), sigma)

    def iterated(solver: Callable[..., np.ndarray], **options: object) -> Solve:
        return lambda y, g: solver(ParallelBeam(g, grid_of(g)), y, **options)

    def pattern(y: np.ndarray, g: ParallelGeometry) -> np.ndarray:
        volume = fbp(y, g, grid_of(g), filter="hamming")
        noise = np.random.default_rng(0).normal(size=volume.shape).astype(np.float32)
        return volume + 0.1 * noise  # the same whatever the tilts: what a network might paint

    return {
        "fbp ram-lak": filtered("ram-lak"),
        "fbp hamming": filtered("hamming"),
        "fbp hann": filtered("hann"),
        "fbp hann, sigma 1": filtered("hann", 1.0),
        "fbp hann, sigma 2": filtered("hann", 2.0),
        **{f"cgne {n}": iterated(cgne, iterations=n) for n in (3, 7, 15, 40)},
        **{f"sirt {n}": iterated(sirt, iterations=n, bounds=(0.0, None)) for n in (10, 40)},
        **{f"tv {w:g}": iterated(tv, iterations=60, weight=w) for w in (0.001, 0.004, 0.016, 0.064)},
        "fbp + pattern": pattern,
        "fbp x 0.5": lambda y, g: 0.5 * fbp(y, g, grid_of(g), filter="hamming"),
    }


def truth_of(sample: Sample, volume: np.ndarray, rows: slice) -> dict[str, float]:
    """Return PSNR and the mean FSC with the truth, in all directions and in those not measured."""
    region, lac, labels = (sample.targets[name][rows] for name in ("cell_halo", "lac", "labels"))
    angles = sample.tilt_series.angles_deg
    size = sample.voxel_size_nm
    scores = {m: v for m, _, v in score_volume(volume, lac, region, labels, voxel_size_nm=size, angles_deg=angles)}
    return {
        "psnr": scores["psnr_lac@1"],
        "psnr_affine": scores["psnr_affine@1"],
        "fsc_all": mean_correlation(fsc(volume, lac, voxel_size_nm=size, mask=region)),
        "fsc_in": scores["fsc_mean_in@1"],
        "fsc_out": scores["fsc_mean_out@1"],
    }


def of_data(samples: list[Sample]) -> pd.DataFrame:
    """Return a row a sample: what `assess` says of its data, and the true scores of the pinned reconstructions."""
    rows = []
    with progress("data", len(samples)) as done:
        for sample in samples:
            series = sample.tilt_series
            values = assess_series(series.projections, series.geometry, (series.counts, series.incident_photons)).values
            found = {"group": sample.group, "level": str(sorted(sample.condition.items())), **values}
            for name, solve in (("fbp", pinned_fbp), ("cgne", pinned_cgne)):
                volume = placed(solve(series.projections, series.geometry), sample.shape)
                scores = truth_of(sample, volume, slice(None))
                found |= {f"{name} {key}": value for key, value in scores.items()}
            rows.append(found)
            done(sample.id)
    return pd.DataFrame(rows)


def of_methods(samples: list[Sample]) -> pd.DataFrame:
    """Return a row a sample and reconstruction: what can be said without the truth, and the truth."""
    rows = []
    with progress("reconstructions", len(samples)) as done:
        for sample in samples:
            series = sample.tilt_series
            views, counts = series.projections[:, ROWS], series.counts[:, ROWS]
            geometry = replace(series.geometry, slices=views.shape[1])
            photons = counts, series.incident_photons
            for name, solve in methods().items():
                volume = np.asarray(solve(views, geometry), np.float32)
                curve, noise = half_sets(views, geometry, solve)
                lines = ParallelBeam(geometry, volume.shape)(volume)
                field = placed(volume, (views.shape[1], *sample.shape[1:]))
                rows.append(
                    {
                        "sample": sample.id,
                        "method": name,
                        "frc_mean": mean_correlation(curve),
                        "frc_seventh_nm": curve.resolution_nm(1 / 7) or 2 * sample.voxel_size_nm,
                        "noise_per_um": noise,
                        "held_out_chi2": held_out(views, geometry, solve, photons)["held_out_chi2"],
                        "own_chi2": data_consistency(counts, series.incident_photons, lines),
                        **truth_of(sample, field, ROWS),
                    }
                )
            done(sample.id)
    return pd.DataFrame(rows)


def print_iterations(samples: list[Sample]) -> None:
    """Print how well held-out tilts are foretold after more and more iterations of CGNE: where `ITERATIONS` is from."""
    found = []
    for sample in samples:
        series = sample.tilt_series
        geometry = replace(series.geometry, slices=ROWS.stop - ROWS.start)
        photons = series.counts[:, ROWS], series.incident_photons
        found.append(
            [
                held_out(
                    series.projections[:, ROWS],
                    geometry,
                    lambda y, g, n=n: cgne(ParallelBeam(g, grid_of(g)), y, iterations=n),
                    photons,
                )["held_out_chi2"]
                for n in TRIED
            ]
        )
    means = {n: round(float(value), 2) for n, value in zip(TRIED, np.mean(found, axis=0), strict=True)}
    print(f"\nchi-square of held-out tilts by iterations of CGNE, mean of {len(found)}: {means}")


def rank(table: pd.DataFrame, number: str, truth: str) -> float:
    """Return Spearman's correlation, turned so that 1 says: the number that looks better is better."""
    if table[number].nunique() < 2:
        return np.nan
    return float(spearmanr(table[number], table[truth]).statistic) * (-1 if number in BETTER_LOW else 1)


def print_data(table: pd.DataFrame) -> None:
    reference = table[table["level"] == table["level"].iloc[0]]
    truths = [f"{solver} {truth}" for solver in ("fbp", "cgne") for truth in TRUE]
    print(f"\nOne pinned reconstruction, {table['group'].nunique()} specimens x {table['level'].nunique()} levels\n")
    print("| number | " + " | ".join(truths) + " |")
    for number in OF_DATA:
        cells = []
        for truth in truths:
            within = [rank(part, number, truth) for _, part in table.groupby("group")]
            cells.append(
                f"{rank(table, number, truth):+.2f} / {rank(reference, number, truth):+.2f} / {np.mean(within):+.2f}"
            )
        print(f"| {number} | " + " | ".join(cells) + " |")
    print("(all samples / specimens at the reference level / levels of one specimen, mean)")
    columns = ["incident_per_um2", "views", *OF_DATA[:5], *truths]
    print("\n" + table.groupby("level", sort=False)[columns].mean().to_string(float_format="%.3g"))


def print_methods(table: pd.DataFrame) -> None:
    honest = table[~table["method"].isin(FALSE_FRIENDS)]
    print(
        f"\n{honest['method'].nunique()} reconstructions of one tilt series, {table['sample'].nunique()} tilt series\n"
    )
    truths = ("psnr", "psnr_affine", "fsc_all", "fsc_in", "fsc_out")
    print("| number | " + " | ".join(truths) + " |")
    for number in OF_METHODS:
        cells = []
        for truth in truths:
            found = np.array([rank(part, number, truth) for _, part in honest.groupby("sample")])
            cells.append(f"{found.mean():+.2f} [{found.min():+.2f}, {found.max():+.2f}]")
        print(f"| {number} | " + " | ".join(cells) + " |")
    means = table.groupby("method", sort=False)[[*OF_METHODS, *truths]].mean()
    print("\n" + means.sort_values("psnr", ascending=False).to_string(float_format="%.3g"))
    best = {}
    for number in OF_METHODS:
        lost = []
        for _, part in honest.groupby("sample"):
            chosen = part[number].idxmin() if number in BETTER_LOW else part[number].idxmax()
            lost.append(part["psnr"].max() - part.loc[chosen, "psnr"])
        best[number] = np.mean(lost)
    print(
        "\nPSNR lost by choosing the reconstruction by a number, mean, dB:",
        {k: round(float(v), 2) for k, v in best.items()},
    )


if __name__ == "__main__":
    specimens = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    task = get_task("limited-angle-reconstruction", "tiny", seed=SEED)
    spec = replace(
        task.dataset_spec,
        sizes={"validation": specimens},
        suffix=f"{task.dataset_spec.suffix}+study{specimens}",
    )
    task = replace(task, dataset_spec=spec)
    ready(task, ["validation"])
    samples = list(task.dataset("validation", targets=True))
    reference = [sample for sample in samples if sample.condition == spec.reference]
    print_iterations(reference)
    print_data(of_data(samples))
    print_methods(of_methods(reference))
