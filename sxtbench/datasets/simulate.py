"""The way of a sample: recipe, specimen, scene, tilt series at nominal angles."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.scene import GeneratorOf, Scene, SceneParameters, build_scene
from sxtbench.acquisition.series import Exposure, acquire
from sxtbench.datasets.first_data import sums_divided
from sxtbench.datasets.grid import GridParameters
from sxtbench.datasets.recipe import Recipe, ShiftedRecipe
from sxtbench.randomness import generator, stage_key
from sxtbench.specimens.budding import BuddingParameters, draw_budding, render_budding
from sxtbench.specimens.specimen import Truth, make_yeast, render_yeast
from sxtbench.specimens.yeast import YeastParameters


class StageTimer:
    """Seconds spent in each stage, in the order of first use.

    >>> timer = StageTimer()
    >>> with timer("count"):
    ...     _ = sum(range(10))
    >>> list(timer.seconds)
    ['count']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add the time of the block to the stage `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation:
    """One specimen with its acquisition.

    Parameters
    ----------
    specimen : Truth
        On the target's grid.
    lac : ndarray, shape (z, y, x), float32, 1/um
        The scene on the target's grid: cells, ice and artefacts.
    artefacts : dict of ndarray, shape (z, y, x), bool
        `fiducials`, `cracks`, `impurities` on the target's grid.
    ice_thickness_um : float, um
        Of the slab.
    exposure : Exposure
        The tilt series and its truth.
    """

    specimen: Truth
    lac: NDArray[np.float32]
    artefacts: dict[str, NDArray[np.bool_]]
    ice_thickness_um: float
    exposure: Exposure


def simulate(recipe: Recipe | ShiftedRecipe, split: str, index: int, *, timer: StageTimer | None = None) -> Simulation:
    """Draw and image one specimen.

    Parameters
    ----------
    recipe : Recipe or ShiftedRecipe
        Of one tier.
    split : str
        A key of `randomness.SPLITS`.
    index : int
        Number of the specimen within the split.
    timer : StageTimer, optional
        Adds up the seconds of each stage.
    """
    timed = timer or StageTimer()
    draw = partial(generator, recipe.seed, split, index)
    key = partial(stage_key, recipe.seed, split, index)
    slab = make_slab(recipe.specimen, recipe.scene, recipe.grid, draw, timed)
    specimen, scene = slab.specimen, slab.scene
    factor, columns = recipe.grid.simulation_refinement, recipe.grid.target.shape[2]
    with timed("tilt series"):
        exposure = acquire(
            scene,
            slab.coverage,
            recipe.grid.simulation,
            factor=factor,
            columns=columns,
            parameters=recipe.acquisition,
            generator=draw,
            counts_key=key("counts"),
            divided=sums_divided(recipe.hash),
        )
    return Simulation(
        specimen=specimen,
        lac=slab.lac,
        artefacts=slab.artefacts,
        ice_thickness_um=scene.ice_thickness_um,
        exposure=exposure,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Slab:
    """A specimen in its slab of ice, on two grids.

    Parameters
    ----------
    specimen : Truth
        On the target's grid.
    lac : ndarray, shape (z, y, x), float32, 1/um
        The scene on the target's grid.
    artefacts : dict of ndarray, shape (z, y, x), bool
        `fiducials`, `cracks`, `impurities` on the target's grid.
    scene : Scene
        On the simulation's grid.
    coverage : ndarray, shape (z, y, x), float32
        Share of the simulation's voxels inside cells.
    """

    specimen: Truth
    lac: NDArray[np.float32]
    artefacts: dict[str, NDArray[np.bool_]]
    scene: Scene
    coverage: NDArray[np.float32]


def make_slab(
    specimen: YeastParameters | BuddingParameters,
    scene: SceneParameters,
    grid: GridParameters,
    draw: GeneratorOf,
    timed: StageTimer,
) -> Slab:
    """Draw a specimen of a flat grid and the ice around it.

    Parameters
    ----------
    specimen, scene, grid : parameters
        Parts of a recipe.
    draw : callable
        Stage -> generator.
    timed : StageTimer
        Adds up the seconds of each stage.
    """
    target, fine = grid.target, grid.simulation
    factor, columns = grid.simulation_refinement, target.shape[2]
    with timed("phantom generation"):
        where = {"field": target, "extended": fine}
        ice = scene.ice_lac_per_um
        if isinstance(specimen, YeastParameters):
            yeast = make_yeast(specimen, ice_lac_per_um=ice, generator_of=draw, **where)
            render = partial(render_yeast, yeast)
        else:
            budding = draw_budding(specimen, ice_lac_per_um=ice, generator_of=draw, **where)
            render = partial(render_budding, budding)
    with timed("voxelisation"):
        if factor == 1:  # the target's voxels are the simulation's middle ones
            simulated = render(fine, columns=columns)
            truth = simulated.truth
        else:
            simulated = render(fine)
            truth = render(target).truth
    with timed("scene (ice, cracks)"):
        built = build_scene(
            simulated.lac,
            simulated.coverage,
            fine,
            half_depth_um=simulated.half_depth_um,
            parameters=scene,
            generator=draw,
        )
        lac = built.lac(factor=factor, columns=columns)
        artefacts = {name: built.mask(name, factor=factor, columns=columns) for name in sorted(built.masks)}
    return Slab(specimen=truth, lac=lac, artefacts=artefacts, scene=built, coverage=simulated.coverage)
