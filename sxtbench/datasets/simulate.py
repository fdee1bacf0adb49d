"""The way of a sample: recipe, specimen, scene, tilt series at nominal angles."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.scene import build_scene
from sxtbench.acquisition.series import Exposure, acquire
from sxtbench.datasets.recipe import Recipe, ShiftedRecipe
from sxtbench.randomness import generator, stage_key
from sxtbench.specimens.budding import draw_budding, render_budding
from sxtbench.specimens.specimen import Specimen, make_yeast, render_yeast


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
    specimen : Specimen
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

    specimen: Specimen
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
    target, fine = recipe.grid.target, recipe.grid.simulation
    factor, columns = recipe.grid.simulation_refinement, target.shape[2]
    with timed("phantom generation"):
        where = {"field": target, "extended": fine}
        ice = recipe.scene.ice_lac_per_um
        if isinstance(recipe, Recipe):
            yeast = make_yeast(recipe.specimen, ice_lac_per_um=ice, generator_of=draw, **where)
            render = partial(render_yeast, yeast)
        else:
            budding = draw_budding(recipe.specimen, ice_lac_per_um=ice, generator_of=draw, **where)
            render = partial(render_budding, budding)
    with timed("voxelisation"):
        simulated = render(fine)
        specimen = render(target)
    with timed("scene (ice, cracks)"):
        scene = build_scene(
            simulated.lac,
            simulated.coverage,
            fine,
            half_depth_um=simulated.half_depth_um,
            parameters=recipe.scene,
            generator=draw,
        )
        lac = scene.lac(factor=factor, columns=columns)
        artefacts = {name: scene.mask(name, factor=factor, columns=columns) for name in sorted(scene.masks)}
    with timed("tilt series"):
        exposure = acquire(
            scene,
            simulated.coverage,
            fine,
            factor=factor,
            columns=columns,
            parameters=recipe.acquisition,
            generator=draw,
            counts_key=key("counts"),
        )
    return Simulation(
        specimen=specimen,
        lac=lac,
        artefacts=artefacts,
        ice_thickness_um=scene.ice_thickness_um,
        exposure=exposure,
    )
