"""What a simulator of yeast draws: sizes, counts, LAC, ice, angles, illumination.

Geometry is drawn without voxels, so hundreds of specimens cost a minute.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.illumination import spoil_flat_field
from sxtbench.acquisition.scene import SceneParameters, build_scene
from sxtbench.acquisition.series import AcquisitionParameters
from sxtbench.acquisition.tilt import TiltParameters, draw_tilt_scheme
from sxtbench.geometry import VolumeGrid
from sxtbench.randomness import generator
from sxtbench.specimens.shapes import Shape
from sxtbench.specimens.specimen import Specimen, Yeast, make_yeast, render_yeast
from sxtbench.specimens.yeast import YeastParameters
from sxtbench.specimens.yeast_interior import CELL, CYTOPLASM, DROPLET, MITOCHONDRION, NUCLEUS, VACUOLE

SPLIT = "study"
PARTS = {VACUOLE: "vacuoles", DROPLET: "droplets", NUCLEUS: "nuclei", MITOCHONDRION: "mitochondria"}
"""What is in a cell: the kind of a body, and what several are called."""

_COARSEST = 8  # voxels of the simulation along an edge of those that ice and beads are drawn on here
_FIELD_PIXELS = 16  # of the image that the flat field's error is drawn on: it does not depend on the sampling


class Grids(Protocol):
    """The grids of a recipe."""

    @property
    def target(self) -> VolumeGrid:
        """That of the answers."""
        ...

    @property
    def simulation(self) -> VolumeGrid:
        """That of the simulation."""
        ...


class YeastRecipe(Protocol):
    """What the report reads of a recipe: `datasets.recipe.Recipe` has it."""

    @property
    def specimen(self) -> YeastParameters:
        """Cells and what is in them."""
        ...

    @property
    def scene(self) -> SceneParameters:
        """Ice and what lies in it."""
        ...

    @property
    def acquisition(self) -> AcquisitionParameters:
        """How it is imaged."""
        ...

    @property
    def grid(self) -> Grids:
        """Sampling."""
        ...


@dataclass
class Draws:
    """What came of a number of specimens, a row each.

    Parameters
    ----------
    specimens, cells, bodies : list of dict
        One row a specimen, a cell, and a thing in a cell.
    beads_um, jitter_deg, flat_field : list of float
        Diameters of beads, true less nominal angles, log-amplitude of the flat field's error in the field's middle.
    """

    specimens: list[dict[str, Any]] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    beads_um: list[float] = field(default_factory=list)
    jitter_deg: list[float] = field(default_factory=list)
    flat_field: list[float] = field(default_factory=list)


def draw_specimens(
    recipe: YeastRecipe, seed: int, number: int, *, tell: Callable[[str], None] = lambda line: None
) -> Draws:
    """Draw specimens with their ice and tilt schemes, and note what came out.

    Ice and beads are drawn by `build_scene` on a coarse grid without cells in it: their thickness and their number do
    not depend on the sampling.

    Parameters
    ----------
    recipe : YeastRecipe
        What is drawn from.
    seed : int
        Root of all generators; specimens are 0 .. number - 1 of the split "study".
    number : int
        Specimens.
    tell : callable
        Told what is going on.

    Returns
    -------
    Draws
    """
    draws = Draws()
    for index in range(number):
        if index % max(1, number // 10) == 0:
            tell(f"drawing specimen {index + 1} of {number}")
        _draw(recipe, partial(generator, seed, SPLIT, index), index, draws)
    return draws


def render_specimen(recipe: YeastRecipe, seed: int, index: int) -> Specimen:
    """Draw a specimen of the split "study" and render it on the target's grid."""
    return render_yeast(_make(recipe, partial(generator, seed, SPLIT, index)), recipe.grid.target)


def _make(recipe: YeastRecipe, draw: Callable[[str], np.random.Generator]) -> Yeast:
    return make_yeast(
        recipe.specimen,
        field=recipe.grid.target,
        extended=recipe.grid.simulation,
        ice_lac_per_um=recipe.scene.ice_lac_per_um,
        generator_of=draw,
    )


def _draw(recipe: YeastRecipe, draw: Callable[[str], np.random.Generator], index: int, draws: Draws) -> None:
    field_grid, yeast = recipe.grid.target, _make(recipe, draw)
    by_cell: dict[int, list[Any]] = {}
    for body in yeast.geometry.bodies:
        by_cell.setdefault(body.cell, []).append(body)
    packed = []
    for number, bodies in by_cell.items():
        outside, inside = (next(b for b in bodies if b.kind == kind) for kind in (CELL, CYTOPLASM))
        outline, inner = outside.shapes[0], inside.shapes[0]
        radius = mean_radius_um(outline)
        row = {
            "specimen": index,
            "packed": number <= yeast.geometry.n_cells,
            "radius_um": radius,
            "elongation": float(outline.radii_um.max() / outline.radii_um.min()),
            "depth_um": float(outline.centre_um[1]),
            "wall_um": float(np.mean(outline.radii_um - inner.radii_um)),
            "wall_lac": outside.lac_per_um,
            "lac": inside.lac_per_um,
        }
        if row["packed"]:
            packed.append(outline)
        for kind, name in PARTS.items():
            row[name] = sum(b.kind == kind for b in bodies)
        vacuoles = [mean_radius_um(b.shapes[0]) for b in bodies if b.kind == VACUOLE]
        row["largest_vacuole_um"] = max(vacuoles, default=0.0)
        draws.cells.append(row)
        for body in bodies:
            if body.kind in PARTS:
                draws.bodies.append(_body_row(body, index, row))
    scene = _scene(recipe, yeast.half_depth_um, draw)
    draws.beads_um += (2 * scene.beads_um[:, 3]).tolist()
    scheme = draw_tilt_scheme(recipe.acquisition.tilt, draw("tilt"))
    draws.jitter_deg += (scheme.true_deg - scheme.nominal_deg).tolist()
    if recipe.acquisition.flat_field is not None:
        shape = scheme.nominal_deg.size, _FIELD_PIXELS * field_grid.shape[0] // field_grid.shape[2], _FIELD_PIXELS
        error = np.ones(shape, np.float32)
        spoil_flat_field(error, recipe.acquisition.flat_field, draw("illumination"))
        draws.flat_field += np.log(error[:, shape[1] // 2, shape[2] // 2].astype(np.float64)).tolist()
    lost = lost_runs(scheme.nominal_deg, recipe.acquisition.tilt)
    half = np.array(field_grid.size_um)[[0, 2]] / 2
    reach = np.array([shape.reach_um for shape in packed])[:, None]
    centres = np.array([shape.centre_um[[0, 2]] for shape in packed])
    low, high = (centres - reach).min(axis=0), (centres + reach).max(axis=0)
    shift, room = (low + high) / 2, np.maximum(half - (high - low) / 2, 0.0)
    draws.specimens.append(
        {
            "cells": yeast.geometry.n_cells,
            "neighbours": len(by_cell) - yeast.geometry.n_cells,
            "shift_z_um": shift[0],
            "shift_x_um": shift[1],
            "room_z_um": room[0],
            "room_x_um": room[1],
            "half_depth_um": yeast.half_depth_um,
            "ice_um": scene.ice_thickness_um,
            "beads": len(scene.beads_um),
            "tilt_offset_deg": scheme.offset_deg,
            "views_lost": sum(lost),
            "longest_run": max(lost, default=0),
        }
    )


def _body_row(body: Any, index: int, cell: dict[str, Any]) -> dict[str, Any]:
    shape = body.shapes[0]
    return {
        "specimen": index,
        "kind": body.kind,
        "lac": body.lac_per_um,
        "radius_um": float(shape.radii_um[1]) if body.kind == MITOCHONDRION else mean_radius_um(shape),
        "pieces": len(body.shapes),
        "sphere": bool(np.ptp(shape.radii_um) == 0),
        "cell_lac": cell["lac"],
        "cell_radius_um": cell["radius_um"],
        "cell_vacuoles": cell["vacuoles"],
        "largest_vacuole_um": cell["largest_vacuole_um"],
    }


def _scene(recipe: YeastRecipe, half_depth_um: float, draw: Callable[[str], np.random.Generator]) -> Any:
    fine = recipe.grid.simulation
    common = math.gcd(*fine.shape)
    factor = max(k for k in range(1, _COARSEST + 1) if common % k == 0)
    z, y, x = (n // factor for n in fine.shape)
    grid = VolumeGrid((z, y, x), fine.voxel_size_nm * factor)
    empty = recipe.scene.model_copy(update={"cracks": None, "impurities": None})
    lac, coverage = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    return build_scene(lac, coverage, grid, half_depth_um=half_depth_um, parameters=empty, generator=draw, threads=1)


def mean_radius_um(shape: Shape) -> float:
    """Return the radius of the ball of an ellipsoid's volume, um."""
    return float(np.prod(shape.radii_um) ** (1 / 3))


def lost_runs(nominal_deg: NDArray[np.float64], tilt: TiltParameters) -> list[int]:
    """Return the lengths of the runs of neighbouring views that a series has lost.

    >>> tilt = TiltParameters(range_deg=8, step_deg=2, offset_deg=0, dropped_share=0.4, longest_dropped_run=3,
    ...                       jitter_sd_deg=0)
    >>> lost_runs(np.array([0.0, 4.0]), tilt)
    [2, 1]
    """
    steps = int(np.floor(tilt.range_deg / tilt.step_deg + 1e-6))
    kept = np.zeros(steps + 1, np.bool_)
    kept[np.rint(np.asarray(nominal_deg) / tilt.step_deg + steps / 2).astype(int)] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], kept, [True]]).astype(int)))
    return [int(length) for length in edges[1::2] - edges[::2]]
