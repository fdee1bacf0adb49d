"""What a simulator of yeast draws, set beside what its recipe states: sizes, counts, LAC, ice, angles, illumination.

Geometry is drawn without voxels, so hundreds of specimens cost a minute. A quantity whose law is unconditional, or is
clipped to bounds that are known for each draw, is *tested*. A constant is *held* or not. A quantity that must find room
follows its law only until room runs out: what the recipe asks for and what came of it are set side by side, and no test
is made of a hypothesis that is false by construction.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter

from sxtbench.acquisition.illumination import spoil_flat_field
from sxtbench.acquisition.scene import SceneParameters, build_scene
from sxtbench.acquisition.series import AcquisitionParameters
from sxtbench.acquisition.tilt import TiltParameters, draw_tilt_scheme
from sxtbench.distributions import Distribution
from sxtbench.geometry import VolumeGrid
from sxtbench.randomness import generator
from sxtbench.specimens.shapes import Shape
from sxtbench.specimens.specimen import Specimen, Yeast, make_yeast, render_yeast
from sxtbench.specimens.yeast import YeastParameters
from sxtbench.specimens.yeast_interior import CELL, CYTOPLASM, DROPLET, MITOCHONDRION, NUCLEUS, VACUOLE
from sxtbench.studies.fidelity_statistics import count_law, count_ranks, uniform_p, uniform_ranks

SPLIT = "study"
_COARSEST = 8  # voxels of the simulation along an edge of those that ice and beads are drawn on here
_FIELD_PIXELS = 16  # of the image that the flat field's error is drawn on: it does not depend on the sampling
_RATIOS = 4000  # draws of three axis ratios, for the law of an ellipsoid's mean radius
_NOISE = 1.36  # over sqrt(n): 95 % of the largest gaps between a law and n draws of it lie below (Kolmogorov)
_LAWS: TypeAdapter[Distribution] = TypeAdapter(Distribution)
_KINDS = {VACUOLE: "vacuoles", DROPLET: "droplets", MITOCHONDRION: "mitochondria", NUCLEUS: "nuclei"}


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


@dataclass(frozen=True)
class Comparisons:
    """Stated and drawn.

    Parameters
    ----------
    tested : DataFrame
        `quantity`, `stated`, `draws`, `mean`, `distance` (Kolmogorov-Smirnov, of the ranks), `p`.
    held : DataFrame
        Constants and identities: `quantity`, `stated`, `draws`, `worst` (largest deviation).
    conditional : DataFrame
        `quantity`, `stated`, `stated_mean`, `mean`, `share` (mean over stated), `draws`, `gap` (largest, between the
        stated and the drawn distribution), `gap_by_chance` (95 %), `condition`.
    ranks : dict of ndarray
        Of each tested quantity: uniform on [0, 1] if it follows its law.
    counts : dict of (ndarray, ndarray)
        Of each conditional count: stated and drawn shares of 0, 1, 2, ...
    """

    tested: pd.DataFrame
    held: pd.DataFrame
    conditional: pd.DataFrame
    ranks: dict[str, NDArray[np.float64]]
    counts: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


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
        for kind, name in _KINDS.items():
            row[name] = sum(b.kind == kind for b in bodies)
        vacuoles = [mean_radius_um(b.shapes[0]) for b in bodies if b.kind == VACUOLE]
        row["largest_vacuole_um"] = max(vacuoles, default=0.0)
        draws.cells.append(row)
        for body in bodies:
            if body.kind in _KINDS:
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
    return build_scene(
        lac, coverage, grid, half_depth_um=half_depth_um, parameters=empty, generator=draw, threads=1
    )  # fmt: skip


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


def compare_draws(draws: Draws, recipe: YeastRecipe) -> Comparisons:
    """Set draws beside a recipe, which need not be the one they were drawn from.

    Parameters
    ----------
    draws : Draws
        Of `draw_specimens`.
    recipe : YeastRecipe
        What is stated.

    Returns
    -------
    Comparisons
    """
    rng = np.random.default_rng(20080501)  # divides atoms; the same in every run
    table = _Table(rng)
    cells, bodies, specimens = (pd.DataFrame(rows) for rows in (draws.cells, draws.bodies, draws.specimens))
    packed = cells[cells.packed]
    p, scene, imaging = recipe.specimen, recipe.scene, recipe.acquisition
    of = {kind: bodies[bodies.kind == kind] for kind in _KINDS}

    table.count("cells in the field", p.cells.count, specimens.cells)
    ratios = np.array([p.cells.axis_ratio.draw(rng) for _ in range(3 * _RATIOS)]).reshape(-1, 3)
    table.law("cell radius [um]", p.cells.radius_um, packed.radius_um, factors=np.prod(ratios, axis=1) ** (1 / 3))
    table.sample("cell, longest over shortest semi-axis", p.cells.axis_ratio, packed.elongation, _elongation(ratios))
    table.law("depth off the grid's plane [um]", p.cells.depth_offset_um, packed.depth_um)
    for axis in "zx":
        shift, room = specimens[f"shift_{axis}_um"], specimens[f"room_{axis}_um"]
        name = f"shift along {axis} [um], cut to the room"
        table.law(name, p.cells.plane_offset_um, shift, low=-room, high=room)
    table.law("wall [um]", p.cells.wall.thickness_um, cells.wall_um)
    table.law("LAC, wall [1/um]", p.cells.wall.lac_per_um, cells.wall_lac)
    table.law("LAC, cytoplasm [1/um]", p.cells.cytoplasm_lac_per_um, cells.lac)
    table.law("LAC, nucleus [1/um]", p.nucleus.lac_per_um, of[NUCLEUS].lac)
    table.law("LAC, mitochondria [1/um]", p.mitochondria.lac_per_um, of[MITOCHONDRION].lac)
    above, below = p.vacuoles.lac_above_ice_per_um, p.vacuoles.lac_below_cytoplasm_per_um
    table.law(
        "LAC, vacuoles [1/um], clipped",
        p.vacuoles.lac_per_um,
        of[VACUOLE].lac,
        low=-np.inf if above is None else scene.ice_lac_per_um + above,
        high=np.inf if below is None else of[VACUOLE].cell_lac - below,
    )
    above = p.droplets.lac_above_cytoplasm_per_um
    low = -np.inf if above is None else of[DROPLET].cell_lac + above
    table.law("LAC, droplets [1/um], clipped", p.droplets.lac_per_um, of[DROPLET].lac, low=low)

    bound = 2 * specimens.half_depth_um + scene.ice_clearance_um
    table.law("ice [um], at least the cells' depth", scene.ice_thickness_um, specimens.ice_um, low=bound)
    if scene.fiducials is not None:
        z, _, x = recipe.grid.simulation.size_um
        table.counts_of("gold beads", scene.fiducials.density_per_um2, z * x, specimens.beads)
        table.law("bead's diameter [um]", scene.fiducials.diameter_um, draws.beads_um)
    tilt = imaging.tilt
    table.law("tilt offset [degrees]", tilt.offset_deg, specimens.tilt_offset_deg)
    jitter = _normal(tilt.jitter_sd_deg)
    table.law("true less nominal angle [degrees]", jitter, draws.jitter_deg)
    steps = int(np.floor(tilt.range_deg / tilt.step_deg + 1e-6)) + 1
    table.identity("views lost", f"{round(tilt.dropped_share * steps)} of {steps}", specimens.views_lost,
                   np.abs(specimens.views_lost - round(tilt.dropped_share * steps)))  # fmt: skip
    longest = f"at most {tilt.longest_dropped_run} neighbours"
    beyond = np.maximum(specimens.longest_run - tilt.longest_dropped_run, 0)
    table.identity("longest run of lost views", longest, specimens.longest_run, beyond)
    if imaging.flat_field is not None:
        both = _normal(math.hypot(imaging.flat_field.smooth_sd, imaging.flat_field.global_sd))
        table.law("flat field's error, logarithm", both, draws.flat_field)
    _conditional(table, p, cells, packed, specimens, of, extended=_extended(recipe))
    return table.result()


def _conditional(
    table: "_Table",
    p: YeastParameters,
    cells: pd.DataFrame,
    packed: pd.DataFrame,
    specimens: pd.DataFrame,
    of: dict[str, pd.DataFrame],
    *,
    extended: bool,
) -> None:
    if extended:
        table.realised_count(
            "neighbours", p.cells.neighbour_count, specimens.neighbours, "must lie clear of all others"
        )
    table.realised_count("vacuoles in a cell", p.vacuoles.count, cells.vacuoles, "must fit; some break into several")
    n_whole = of[VACUOLE][(of[VACUOLE].cell_vacuoles == 1) & ~of[VACUOLE].sphere]
    ratios = np.array([p.vacuoles.axis_ratio.draw(table.rng) for _ in range(3 * _RATIOS)]).reshape(-1, 3)
    table.realised(
        "radius of a single unbroken vacuole / cell's",
        p.vacuoles.radius_fraction,
        n_whole.radius_um / n_whole.cell_radius_um,
        "must fit; radii below the smallest are drawn again",
        factors=np.prod(ratios, axis=1) ** (1 / 3),
    )
    nucleus = p.nucleus
    present = (0.0, 1.0) if nucleus.probability == 1 else (1 - nucleus.probability, nucleus.probability)
    table.realised_count("nuclei in a cell", present, cells.nuclei, "must fit beside the vacuoles")
    if nucleus.axis_ratio.min == nucleus.axis_ratio.max == 1:
        found = of[NUCLEUS]
        least = nucleus.smallest_radius_fraction
        most = np.minimum(
            nucleus.largest_radius_fraction, nucleus.room_fraction - found.largest_vacuole_um / found.cell_radius_um
        )
        share = (found.radius_um / found.cell_radius_um - least) / (most - least)
        free = most > least + 1e-9
        table.realised(
            "nucleus, radius within its range", _uniform(0.0, 1.0), share[free], "its range ends at the vacuoles"
        )
    table.realised_count("droplets in a cell", p.droplets.count, cells.droplets, "each must find room")
    table.realised(
        "droplet's radius [um]", p.droplets.radius_um, of[DROPLET].radius_um, "large ones find room less often"
    )
    table.realised_count(
        "mitochondria in a cell", p.mitochondria.count, cells.mitochondria, "each must find room for two pieces"
    )
    tubes = of[MITOCHONDRION]
    table.realised(
        "mitochondrion's diameter [um]",
        p.mitochondria.diameter_um,
        2 * tubes.radius_um,
        "thick ones find room less often",
    )
    most_pieces = 1 + math.ceil((p.mitochondria.length_um.max or 100.0) / p.mitochondria.segment_um)
    edges = (np.arange(most_pieces + 1) + 0.5) * p.mitochondria.segment_um
    reached = p.mitochondria.length_um.cdf(edges)
    reached[:2] = 0.0
    table.realised_count(
        "pieces of a mitochondrion", tuple(np.diff(reached, prepend=0.0)), tubes.pieces, "ends where there is no room"
    )


def _extended(recipe: YeastRecipe) -> bool:
    return recipe.grid.simulation.size_um[2] > recipe.grid.target.size_um[2] + 1e-9


def _elongation(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(ratios.max(axis=1) / ratios.min(axis=1))


def _normal(sd: float) -> Distribution:
    return _LAWS.validate_python({"mean": 0.0, "sd": sd})


def _uniform(low: float, high: float) -> Distribution:
    return _LAWS.validate_python({"min": low, "max": high})


def law_text(law: Distribution) -> str:
    """Say what a distribution is.

    >>> law_text(_uniform(1.7, 2.2)), law_text(_normal(0.1)), law_text(_uniform(3, 3))
    ('1.7 to 2.2', '0 ± 0.1', '3')
    """
    if law.mean is None:
        return f"{law.min:g}" if law.min == law.max else f"{law.min:g} to {law.max:g}"
    text = f"{law.mean:g} ± {law.sd:g}"
    if law.min is not None or law.max is not None:
        low, high = ("" if bound is None else f"{bound:g}" for bound in (law.min, law.max))
        text += f" in [{low}, {high}]"
    return text


def law_mean(law: Distribution) -> float:
    """Return the mean of a distribution, clipping included.

    >>> round(law_mean(_LAWS.validate_python({"mean": 0, "sd": 1, "min": 0})), 4)
    0.3989
    """
    centre, reach = (0.0, 0.0) if law.mean is None or law.sd is None else (law.mean, 10 * law.sd)
    low = law.min if law.min is not None else centre - reach
    high = law.max if law.max is not None else centre + reach
    x = np.linspace(low, high, 20001)
    return float(low + np.trapezoid(1 - law.cdf(x), x))


def _constant(law: Distribution) -> float | None:
    if law.mean is not None and law.sd == 0:
        return float(np.clip(law.mean, law.min, law.max)) if law.min is not None or law.max is not None else law.mean
    return law.min if law.mean is None and law.min == law.max else None


class _Table:
    """Rows of the three tables, as they are added."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._tested: list[dict[str, Any]] = []
        self._held: list[dict[str, Any]] = []
        self._conditional: list[dict[str, Any]] = []
        self._ranks: dict[str, NDArray[np.float64]] = {}
        self._counts: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def law(
        self,
        quantity: str,
        law: Distribution,
        values: ArrayLike,
        *,
        low: ArrayLike = -np.inf,
        high: ArrayLike = np.inf,
        factors: NDArray[np.float64] | None = None,
    ) -> None:
        """Test values against a law, clipped to bounds, or times a random factor."""
        x, constant = np.asarray(values, np.float64), _constant(law)
        if x.size == 0:
            return
        if constant is not None and (factors is None or np.ptp(factors) == 0):
            wanted = np.maximum(low, np.minimum(constant * (1.0 if factors is None else factors[0]), high))
            self.identity(quantity, law_text(law), x, np.abs(x - wanted))
            return
        ranks = (
            uniform_ranks(law, x, self.rng, low=low, high=high) if factors is None else self._scaled(law, x, factors)
        )
        self._test(quantity, law_text(law), x, ranks)

    def sample(self, quantity: str, law: Distribution, values: ArrayLike, reference: NDArray[np.float64]) -> None:
        """Test values against many draws of what the law makes."""
        x = np.asarray(values, np.float64)
        if np.ptp(reference) == 0:
            self.identity(quantity, law_text(law), x, np.abs(x - reference[0]))
            return
        ordered = np.sort(reference)
        first, last = (np.searchsorted(ordered, x, side) / ordered.size for side in ("left", "right"))
        self._test(quantity, "ratios " + law_text(law), x, first + self.rng.random(x.shape) * (last - first))

    def count(self, quantity: str, law: Any, values: ArrayLike) -> None:
        """Test counts against a law on whole numbers."""
        probabilities, n = count_law(law), np.asarray(values, np.int64)
        if probabilities.max() > 1 - 1e-12:
            only = int(probabilities.argmax())
            self.identity(quantity, f"{only}", n, np.abs(n - only))
            return
        self._test(quantity, _count_text(law), n, count_ranks(probabilities, n, self.rng))

    def counts_of(self, quantity: str, density: Distribution, amount: float, values: ArrayLike) -> None:
        """Test counts against a law of their density."""
        n = np.asarray(values, np.int64)
        most = max(int(n.max(initial=0)), round(_largest(density) * amount)) + 1
        probabilities = np.diff(density.cdf((np.arange(most + 1) + 0.5) / amount), prepend=0.0)
        self._test(quantity, f"({law_text(density)}) x {amount:.3g}", n, count_ranks(probabilities, n, self.rng))

    def identity(self, quantity: str, stated: str, values: ArrayLike, deviation: ArrayLike) -> None:
        """Note a constant or a rule, and how far the worst draw is from it."""
        worst = float(np.max(np.asarray(deviation, np.float64), initial=0.0))
        self._held.append({"quantity": quantity, "stated": stated, "draws": np.size(values), "worst": worst})

    def realised(
        self,
        quantity: str,
        law: Distribution,
        values: ArrayLike,
        condition: str,
        *,
        factors: NDArray[np.float64] | None = None,
    ) -> None:
        """Set what found room beside the law it was drawn from."""
        x = np.asarray(values, np.float64)
        if x.size == 0:
            return
        scale = 1.0 if factors is None else float(factors.mean())
        if _constant(law) is None or factors is not None:
            ranks = uniform_ranks(law, x, self.rng) if factors is None else self._scaled(law, x, factors)
            gap = uniform_p(ranks)[0]
        else:
            gap = float(np.mean(np.abs(x - law_mean(law)) > 1e-9))
        self._condition(quantity, law_text(law), law_mean(law) * scale, x, gap, condition)

    def realised_count(self, quantity: str, law: Any, values: ArrayLike, condition: str) -> None:
        """Set how many found room beside how many were asked for."""
        probabilities, n = count_law(law), np.asarray(values, np.int64)
        most = max(len(probabilities), int(n.max(initial=0)) + 1)
        stated = np.pad(probabilities, (0, most - len(probabilities)))
        found = np.bincount(n, minlength=most) / n.size
        self._counts[quantity] = stated, found
        mean = float(np.sum(np.arange(len(probabilities)) * probabilities))
        gap = float(np.abs(np.cumsum(found - stated)).max())
        self._condition(quantity, _count_text(law), mean, n.astype(np.float64), gap, condition)

    def result(self) -> Comparisons:
        """Return the tables."""
        held = pd.DataFrame(self._held, columns=["quantity", "stated", "draws", "worst"])
        return Comparisons(pd.DataFrame(self._tested), held, pd.DataFrame(self._conditional), self._ranks, self._counts)

    def _scaled(self, law: Distribution, x: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([float(law.cdf(value / factors).mean()) for value in x])

    def _test(self, quantity: str, stated: str, x: NDArray[Any], ranks: NDArray[np.float64]) -> None:
        distance, p = uniform_p(ranks)
        self._tested.append(
            {"quantity": quantity, "stated": stated, "draws": x.size, "mean": x.mean(), "distance": distance, "p": p}
        )
        self._ranks[quantity] = ranks

    def _condition(
        self, quantity: str, stated: str, mean: float, x: NDArray[np.float64], gap: float, condition: str
    ) -> None:
        self._conditional.append(
            {
                "quantity": quantity,
                "stated": stated,
                "stated_mean": mean,
                "mean": x.mean(),
                "share": x.mean() / mean if mean else math.nan,
                "draws": x.size,
                "gap": gap,
                "gap_by_chance": _NOISE / math.sqrt(x.size),
                "condition": condition,
            }
        )


def _count_text(law: Any) -> str:
    if not isinstance(law, tuple):
        return law_text(law)
    shown = [f"{share:.0%}" for share in count_law(law)]
    return f"0, 1, ...: {', '.join(shown)}" if len(shown) <= 6 else "lengths in whole pieces"


def _largest(law: Distribution) -> float:
    if law.max is not None:
        return law.max
    assert law.mean is not None
    assert law.sd is not None
    return law.mean + 8 * law.sd
