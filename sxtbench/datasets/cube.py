"""A cell that is seen whole in its capillary, as it is stored: one tilt series, reference reconstructions, truth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.scene import Scene, to_target
from sxtbench.acquisition.series import Exposure, acquire
from sxtbench.datasets.cube_recipe import AnyCubeRecipe, CubeRecipe
from sxtbench.datasets.flat_grid import LAC_STEP_EXPONENT
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.record import Job, Record, exposure_content, series_arrays
from sxtbench.datasets.simulate import StageTimer
from sxtbench.datasets.store import Hierarchy, Volume, rounded
from sxtbench.randomness import generator, stage_key
from sxtbench.specimens.mammalian import Mammalian, draw_mammalian, render_mammalian
from sxtbench.specimens.specimen import Specimen


@dataclass(frozen=True, eq=False)
class Simulation:
    """One specimen with its acquisition.

    Parameters
    ----------
    specimen : Specimen
        On the target's grid.
    lac : ndarray, shape (z, y, x), float32, 1/um
        The scene on the target's grid: the mean over the voxels of the simulation.
    exposure : Exposure
        The tilt series and its truth.
    """

    specimen: Specimen
    lac: NDArray[np.float32]
    exposure: Exposure


def simulate(
    recipe: AnyCubeRecipe,
    split: str,
    index: int,
    timer: StageTimer | None = None,
    *,
    change: Callable[[Mammalian], Mammalian] | None = None,
) -> Simulation:
    """Draw and image one specimen.

    Parameters
    ----------
    recipe : AnyCubeRecipe
        Of one tier.
    split : str
        A key of `randomness.SPLITS`.
    index : int
        Number of the specimen within the split.
    timer : StageTimer, optional
        Adds up the seconds of each stage.
    change : callable, optional
        Makes another specimen of the one that was drawn; it is imaged with the same seeds.
    """
    timed = timer or StageTimer()
    draw: Callable[[str], np.random.Generator] = partial(generator, recipe.seed, split, index)
    target, factor = recipe.target, recipe.simulation_refinement
    fine = target.refined(factor)
    with timed("phantom generation"):
        cell = draw_mammalian(recipe.specimen, field=target, generator_of=draw)
        cell = change(cell) if change else cell
    with timed("voxelisation"):
        simulated = render_mammalian(cell, fine)
        specimen = simulated if factor == 1 else render_mammalian(cell, target)
        lac = to_target(simulated.lac, factor=factor)
    with timed("tilt series"):
        exposure = acquire(
            without_slab(simulated.lac),
            simulated.coverage,
            fine,
            factor=factor,
            columns=target.shape[2],
            parameters=recipe.acquisition.series,
            generator=draw,
            counts_key=stage_key(recipe.seed, split, index, "counts"),
        )
    return Simulation(specimen=specimen, lac=lac, exposure=exposure)


def without_slab(lac: NDArray[np.float32]) -> Scene:
    """Return the scene of a capillary: its ice is in the LAC already."""
    return Scene(
        excess=lac,
        slab=np.zeros(lac.shape[1], np.float32),
        ice_lac_per_um=0.0,
        ice_thickness_um=0.0,
        masks={},
        beads_um=np.zeros((0, 4)),
    )


def content(recipe: CubeRecipe, split: str, index: int) -> dict[str, NDArray[np.generic]]:
    """Simulate one specimen and return the arrays that its content hash covers."""
    simulation = simulate(recipe, split, index)
    return exposure_content(simulation.specimen.labels, simulation.exposure)


def record(job: Job, timer: StageTimer | None = None) -> Record:
    """Simulate one specimen and return what is stored of it."""
    spec, timed = job.spec, timer or StageTimer()
    recipe = spec.recipe
    assert isinstance(recipe, CubeRecipe)
    simulation = simulate(recipe, job.split, job.index, timed)
    exposure, specimen, edge_um = simulation.exposure, simulation.specimen, recipe.target.voxel_size_um
    with timed("reconstruction"):
        series = {"main": exposure.series}
        volumes = {
            name: rounded(reconstruct(name, spec, series, recipe.shape), RECONSTRUCTION_STEP_EXPONENT)
            for name in spec.stored_reconstructions
        }
    return Record(
        inputs=Hierarchy(
            arrays=series_arrays("main", exposure.series),
            volumes={f"reconstructions/{name}": Volume(array, edge_um, "1/um") for name, array in volumes.items()},
            attributes={
                "id": job.group,
                "pixel_size_nm": exposure.series.pixel_size_nm,
                "energy_ev": exposure.series.energy_ev,
                "floored_share": exposure.floored_share,
            },
        ),
        targets=Hierarchy(
            arrays={"true_angles_deg": exposure.true_angles_deg, "true_shifts_px": exposure.true_shifts_px},
            volumes={
                "lac": Volume(rounded(simulation.lac, LAC_STEP_EXPONENT), edge_um, "1/um"),
                "labels": Volume(specimen.labels, edge_um),
                **{f"masks/{name}": Volume(m.astype(np.uint8), edge_um) for name, m in specimen.masks.items()},
            },
            attributes={"id": job.group},
        ),
        objects=specimen.objects,
        content=exposure_content(specimen.labels, exposure),
        preview=volumes["fbp"][recipe.shape[0] // 2],
        row={
            "views": len(exposure.series.angles_deg),
            "floored_share": exposure.floored_share,
            "shape_zyx": list(recipe.shape),
            "pixel_size_nm": recipe.voxel_size_nm,
        },
    )
