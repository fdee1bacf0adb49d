"""Draws of a simulator set beside the laws that its recipe states.

A quantity whose law is unconditional, or is clipped to bounds that are known for each draw, is *tested*. A constant is
*held* or not. A quantity that must find room follows its law only until room runs out: what the recipe asks for and
what came of it are set side by side, and no test is made of a hypothesis that is false by construction.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter

from sxtbench.distributions import Distribution
from sxtbench.specimens.yeast_interior import DROPLET, MITOCHONDRION, NUCLEUS, VACUOLE
from sxtbench.studies.fidelity_draws import PARTS, Draws, YeastRecipe
from sxtbench.studies.fidelity_statistics import count_law, count_ranks, uniform_p, uniform_ranks

_RATIOS = 4000  # draws of three axis ratios, for the law of an ellipsoid's mean radius
_NOISE = 1.36  # over sqrt(n): 95 % of the largest gaps between a law and n draws of it lie below (Kolmogorov)
_LAWS: TypeAdapter[Distribution] = TypeAdapter(Distribution)


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
    of = {kind: bodies[bodies.kind == kind] for kind in PARTS}

    table.count("cells in the field", p.cells.count, specimens.cells)
    ratios = _axis_ratios(p.cells.axis_ratio, rng)
    table.law("cell radius [um]", p.cells.radius_um, packed.radius_um, factors=_mean_radius(ratios))
    elongation = ratios.max(axis=1) / ratios.min(axis=1)
    table.sample("cell, longest over shortest semi-axis", p.cells.axis_ratio, packed.elongation, elongation)
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
    _conditional(table, recipe, cells, specimens, of)
    return table.result()


def _conditional(
    table: "_Table", recipe: YeastRecipe, cells: pd.DataFrame, specimens: pd.DataFrame, of: dict[str, pd.DataFrame]
) -> None:
    p = recipe.specimen
    if recipe.grid.simulation.size_um[2] > recipe.grid.target.size_um[2] + 1e-9:
        table.realised_count(
            "neighbours", p.cells.neighbour_count, specimens.neighbours, "must lie clear of all others"
        )
    table.realised_count("vacuoles in a cell", p.vacuoles.count, cells.vacuoles, "must fit; some break into several")
    n_whole = of[VACUOLE][(of[VACUOLE].cell_vacuoles == 1) & ~of[VACUOLE].sphere]
    table.realised(
        "radius of a single unbroken vacuole / cell's",
        p.vacuoles.radius_fraction,
        n_whole.radius_um / n_whole.cell_radius_um,
        "must fit; radii below the smallest are drawn again",
        factors=_mean_radius(_axis_ratios(p.vacuoles.axis_ratio, table.rng)),
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


def _axis_ratios(law: Distribution, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.array([law.draw(rng) for _ in range(3 * _RATIOS)]).reshape(-1, 3)


def _mean_radius(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.prod(ratios, axis=1) ** (1 / 3))


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
        ranks = uniform_ranks(law, x, self.rng, low=low, high=high) if factors is None else _scaled(law, x, factors)
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
            ranks = uniform_ranks(law, x, self.rng) if factors is None else _scaled(law, x, factors)
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


def _scaled(law: Distribution, x: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(law.cdf(value / factors).mean()) for value in x])


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
