"""A slab of a specimen in a capillary as it is stored: an interior and a full-field scan, truth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.interior import Pair, acquire_pair, draw_region_um
from sxtbench.acquisition.series import TiltSeries
from sxtbench.datasets.conditions import derive
from sxtbench.datasets.flat_grid import LAC_STEP_EXPONENT
from sxtbench.datasets.recipe import CapillaryRecipe, MammalianScene
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.record import Job, Record, series_arrays, series_content
from sxtbench.datasets.simulate import StageTimer
from sxtbench.datasets.store import Hierarchy, Volume, rounded
from sxtbench.geometry import VolumeGrid
from sxtbench.randomness import generator, stage_key
from sxtbench.specimens.bacteria import draw_bacteria, render_bacteria
from sxtbench.specimens.mammalian import draw_mammalian, render_mammalian
from sxtbench.specimens.specimen import Specimen

_COUNTS = ("interior", "full", "interior_360", "full_360")
_THINNED = ("interior_thinned", "full_thinned")


@dataclass(frozen=True, eq=False)
class Simulation:
    """One specimen with its two scans.

    Parameters
    ----------
    specimen : Specimen
        On the slab's grid; its `lac` is the scene.
    pair : Pair
        The scans and their true shifts.
    centre_um : tuple of two float, um
        Centre (y, x) of the region.
    """

    specimen: Specimen
    pair: Pair
    centre_um: tuple[float, float]


def simulate(recipe: CapillaryRecipe, split: str, index: int, timer: StageTimer | None = None) -> Simulation:
    """Draw and image one specimen; the families of the recipe take turns.

    Parameters
    ----------
    recipe : CapillaryRecipe
        Of one tier.
    split : str
        A key of `randomness.SPLITS`.
    index : int
        Number of the specimen within the split.
    timer : StageTimer, optional
        Adds up the seconds of each stage.
    """
    timed = timer or StageTimer()
    draw: Callable[[str], np.random.Generator] = partial(generator, recipe.seed, split, index)
    families = recipe.families.present
    scene, p = families[index % len(families)], recipe.acquisition
    rows, _, columns = scene.shape
    margin = p.margin_rows(columns)
    slab = VolumeGrid(scene.shape, recipe.voxel_size_nm)
    tall = VolumeGrid((rows + 2 * margin, columns, columns), recipe.voxel_size_nm)
    with timed("phantom generation"):
        if isinstance(scene, MammalianScene):
            render = partial(render_mammalian, draw_mammalian(scene.specimen, field=slab, generator_of=draw))
        else:
            render = partial(render_bacteria, draw_bacteria(scene.specimen, field=slab, generator_of=draw))
    with timed("voxelisation"):
        specimen, simulated = render(slab), render(tall)
    field_um = slab.size_um[2]
    # One specimen of each family shares a number here, so that both have off-centre regions.
    centre = draw_region_um(
        p,
        index=index // len(families),
        field_um=field_um,
        width_um=recipe.region_share * field_um,
        bore_um=scene.bore_um,
        generator=draw,
    )
    key = partial(stage_key, recipe.seed, split, index)
    with timed("tilt series"):
        pair = acquire_pair(
            simulated.lac,
            simulated.coverage,
            rows=rows,
            voxel_size_nm=recipe.voxel_size_nm,
            centre_um=centre,
            parameters=p,
            generator=draw,
            keys={name: key(f"{name}_counts") for name in _COUNTS} | {name: key(name) for name in _THINNED},
        )
    return Simulation(specimen, pair, centre)


def content(recipe: CapillaryRecipe, split: str, index: int) -> dict[str, NDArray[np.generic]]:
    """Simulate one specimen and return the arrays that its content hash covers."""
    return content_of(simulate(recipe, split, index))


def content_of(simulation: Simulation) -> dict[str, NDArray[np.generic]]:
    """Return the arrays that the content hash of a simulation covers."""
    shifts = {f"true_shifts/{name}": array for name, array in simulation.pair.true_shifts_px.items()}
    return {"labels": simulation.specimen.labels, **shifts, **series_content(simulation.pair.series)}


def record(job: Job, timer: StageTimer | None = None) -> Record:
    """Simulate one specimen and return what is stored of it."""
    spec, timed = job.spec, timer or StageTimer()
    recipe = spec.recipe
    assert isinstance(recipe, CapillaryRecipe)
    simulation = simulate(recipe, job.split, job.index, timed)
    pair, specimen = simulation.pair, simulation.specimen
    edge_um = recipe.voxel_size_nm / 1000
    attributes = {
        "id": job.group,
        "pixel_size_nm": {name: series.pixel_size_nm for name, series in pair.series.items()},
        "energy_ev": recipe.acquisition.energy_ev,
        "field_columns": specimen.lac.shape[2],
        "floored_share": pair.floored_share,
    }
    with timed("reconstruction"):
        series = derive(pair.series, spec.reference, attributes, content_sha256="")
        volumes = {
            name: rounded(reconstruct(name, spec, series, specimen.lac.shape), RECONSTRUCTION_STEP_EXPONENT)
            for name in spec.stored_reconstructions
        }
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, one in pair.series.items():
        arrays |= series_arrays(name, one, projections=not name.endswith("_high"))
    middle = specimen.lac.shape[0] // 2
    return Record(
        inputs=Hierarchy(
            arrays=arrays,
            volumes={f"reconstructions/{name}": Volume(array, edge_um, "1/um") for name, array in volumes.items()},
            attributes=attributes,
        ),
        targets=Hierarchy(
            arrays={f"true_shifts/{name}": array for name, array in pair.true_shifts_px.items()},
            volumes={
                "lac": Volume(rounded(specimen.lac, LAC_STEP_EXPONENT), edge_um, "1/um"),
                "labels": Volume(specimen.labels, edge_um),
                **{f"masks/{name}": Volume(m.astype(np.uint8), edge_um) for name, m in specimen.masks.items()},
            },
            attributes={"id": job.group},
        ),
        objects=specimen.objects,
        content=content_of(simulation),
        preview=volumes["fbp"][middle] if volumes else _mean_along_beam(pair.series["interior"], specimen),
        row={
            "views": len(pair.series["interior"].angles_deg),
            "floored_share": pair.floored_share,
            "shape_zyx": list(specimen.lac.shape),
            "pixel_size_nm": recipe.voxel_size_nm,
            "region_y_um": simulation.centre_um[0],
            "region_x_um": simulation.centre_um[1],
        },
    )


def _mean_along_beam(series: TiltSeries, specimen: Specimen) -> NDArray[np.float32]:
    """First view as mean LAC over the depth of the field, 1/um: a picture that shows nothing of the truth."""
    mean: NDArray[np.float32] = series.projections[0] / np.float32(specimen.grid.size_um[1])
    return mean
