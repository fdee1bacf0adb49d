"""What can fool quantification, on balls whose truth is known: the numbers, and docs/images/quantification.png.

Run: python benchmarks/quantification_pitfalls.py [FIGURE.png]
"""

import math
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.measure import marching_cubes, mesh_surface_area

from sxtbench.geometry import ParallelGeometry
from sxtbench.labels import COLOURS, DROPLET
from sxtbench.metrics import quantify
from sxtbench.metrics.instances import OTHER_RULE, RULES, split
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import fbp

VOXEL_UM = 0.07  # of the tier small
CYTOPLASM, LIPID = 0.35, 0.62  # 1/um
FINE = 5  # samples a voxel and axis
REPEATS = 8


def ball(size: int, radius_um: float, centre_um: np.ndarray, edge_um: float = VOXEL_UM, fine: int = FINE) -> np.ndarray:
    """Share of each voxel that a ball fills."""
    axis = ((np.arange(size * fine) + 0.5) / fine - size / 2) * edge_um
    z, y, x = (axis - c for c in centre_um)
    inside = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 < radius_um**2
    return inside.reshape(size, fine, size, fine, size, fine).mean(axis=(1, 3, 5))


def partial_volume(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Radius; volume over the truth and mean LAC of a droplet that is cut at the middle of its two LACs."""
    rows = []
    for radius in (0.10, 0.12, 0.155, 0.2, 0.25, 0.3, 0.4, 0.6):
        size = 2 * math.ceil(radius / VOXEL_UM) + 10
        volumes, means = [], []
        for _ in range(REPEATS):
            share = ball(size, radius, rng.uniform(-0.5, 0.5, 3) * VOXEL_UM)
            lac = CYTOPLASM + (LIPID - CYTOPLASM) * gaussian_filter(share, 0.7)  # about that of a Hamming FBP
            found = lac > (CYTOPLASM + LIPID) / 2
            volumes.append(found.sum() * VOXEL_UM**3 / (4 / 3 * math.pi * radius**3))
            means.append(lac[found].mean() if found.any() else math.nan)
        mean = np.nanmean(means) if not np.isnan(means).all() else math.nan
        rows.append((radius, float(np.mean(volumes)), float(mean)))
    return rows


def touching(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Distance of the centres over the diameter; objects by components and by the rule of droplets (truth: 2)."""
    radius, rows = 0.25, []
    for ratio in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5):
        components, cut = [], []
        for _ in range(REPEATS):
            direction = rng.normal(size=3)
            offset = direction / np.linalg.norm(direction) * ratio * radius
            centre = rng.uniform(-0.5, 0.5, 3) * VOXEL_UM
            mask = (ball(20, radius, centre - offset, fine=1) + ball(20, radius, centre + offset, fine=1)) > 0
            components.append(len(split(mask, (VOXEL_UM,) * 3, OTHER_RULE)))
            cut.append(len(split(mask, (VOXEL_UM,) * 3, RULES[DROPLET])))
        rows.append((ratio, float(np.mean(components)), float(np.mean(cut))))
    return rows


def missing_wedge() -> list[tuple[float, float, float]]:
    """Tilt range; extent along the beam over that across, and volume over the truth, of an FBP cut at half its top."""
    radius, size, fine, rows = 0.3, 48, 2, []
    edge_nm = VOXEL_UM * 1000
    truth = ball(size * fine, radius, np.zeros(3), edge_um=VOXEL_UM / fine, fine=2).astype(np.float32) * LIPID
    for tilt_range in (180.0, 160.0, 140.0, 120.0, 100.0, 80.0, 60.0):
        angles = np.arange(-tilt_range / 2, tilt_range / 2 + (0 if tilt_range == 180 else 1e-6), 1.0)
        shape = {"columns": size * fine, "slices": size * fine, "pixel_size_nm": edge_nm / fine}
        views = ParallelBeam(ParallelGeometry(angles_deg=angles, **shape), truth.shape)(truth)
        binned = views.reshape(len(angles), size, fine, size, fine).mean(axis=(2, 4))
        geometry = ParallelGeometry(angles_deg=angles, columns=size, slices=size, pixel_size_nm=edge_nm)
        volume = fbp(np.ascontiguousarray(binned), geometry, filter="hamming")
        labels = np.where(volume > volume.max() / 2, DROPLET, 0).astype(np.uint8)
        found = quantify(labels, voxel_size_nm=edge_nm).organelles
        row = found.loc[found["voxels"].idxmax()]
        true_um3 = 4 / 3 * math.pi * radius**3
        rows.append((tilt_range, float(row.extent_y_um / row.extent_x_um), float(row.volume_um3 / true_um3)))
    return rows


def surfaces(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Radius in voxels; sphericity of a ball by Crofton's formula and by marching cubes."""
    rows = []
    for radius in (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0):
        size = 2 * math.ceil(radius) + 6
        crofton, mesh = [], []
        for _ in range(REPEATS):
            mask = ball(size, radius, rng.uniform(-0.5, 0.5, 3), edge_um=1.0, fine=1) > 0
            crofton.append(quantify(np.where(mask, DROPLET, 0).astype(np.uint8), voxel_size_nm=1000.0).organelles)
            area = mesh_surface_area(*marching_cubes(mask.astype(float), 0.5)[:2])
            mesh.append((36 * math.pi * mask.sum() ** 2) ** (1 / 3) / area)
        rows.append((radius, float(np.mean([t["sphericity"][0] for t in crofton])), float(np.mean(mesh))))
    return rows


def draw(path: Path, tables: dict[str, list[tuple[float, float, float]]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 3.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 4)
    words = {
        "partial volume": ("radius, µm", ("volume / truth", "mean LAC / truth"), "small droplets"),
        "touching": ("distance of centres / diameter", ("components", "cut at necks"), "objects found of two balls"),
        "missing wedge": ("tilt range, degrees", ("beam / across", "volume / truth"), "a ball after FBP"),
        "surface": ("radius, voxels", ("Crofton", "marching cubes"), "sphericity of a ball"),
    }
    for panel, (name, (x, series, title)) in zip(panels, words.items(), strict=True):
        columns = np.array(tables[name]).T
        if name == "partial volume":
            columns[2] /= LIPID
        for k, (label, colour, mark) in enumerate(zip(series, (COLOURS[1], COLOURS[8]), "os", strict=True), start=1):
            panel.plot(columns[0], columns[k], marker=mark, color=colour, label=label)
        panel.axhline(2 if name == "touching" else 1, color="0.7", linestyle=":", zorder=0)
        panel.set(xlabel=x, title=title)
        panel.title.set_fontsize(10)
        panel.legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Software": None})


def main(path: str | None = None) -> None:
    rng = np.random.default_rng(0)
    tables = {
        "partial volume": partial_volume(rng),
        "touching": touching(rng),
        "missing wedge": missing_wedge(),
        "surface": surfaces(rng),
    }
    heads = {
        "partial volume": "radius, um; volume over the truth; mean LAC, 1/um (truth 0.62)",
        "touching": "distance of the centres over the diameter; objects by components; by the rule of droplets",
        "missing wedge": "tilt range, degrees; extent along the beam over across; volume over the truth",
        "surface": "radius, voxels; sphericity by Crofton's formula; by marching cubes",
    }
    for name, rows in tables.items():
        print(f"{name}: {heads[name]}")
        for row in rows:
            print("  " + "  ".join(f"{value:8.3f}" for value in row))
    if path is not None:
        draw(Path(path), tables)
        print(f"figure: {path}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
