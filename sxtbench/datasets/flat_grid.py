"""A specimen on a flat grid as it is stored: simulation, reference reconstructions, truth."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.series import TiltSeries
from sxtbench.acquisition.tilt import select_range
from sxtbench.datasets.recipe import FlatGridRecipe, Recipe, ShiftedRecipe
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.record import Job, Record, exposure_content, series_arrays
from sxtbench.datasets.simulate import Simulation, StageTimer, simulate
from sxtbench.datasets.spec import DatasetSpec
from sxtbench.datasets.store import Hierarchy, Volume, rounded
from sxtbench.metrics.regions import cell_halo

LAC_STEP_EXPONENT = 13
"""The stored truth is rounded to multiples of 2^-13 1/um: just above the floor of the scored PSNR (1e-4/um)."""


def content(recipe: Recipe | ShiftedRecipe, split: str, index: int) -> dict[str, NDArray[np.generic]]:
    """Simulate one specimen and return the arrays that its content hash covers."""
    simulation = simulate(recipe, split, index)
    return exposure_content(simulation.specimen.labels, simulation.exposure)


def record(job: Job, timer: StageTimer | None = None) -> Record:
    """Simulate one specimen and return what is stored of it."""
    spec, timed = job.spec, timer or StageTimer()
    recipe = spec.recipe
    assert isinstance(recipe, Recipe | ShiftedRecipe)
    simulation = simulate(recipe, job.split, job.index, timer=timed)
    with timed("reconstruction"):
        volumes = reconstructions(spec, simulation)
    return record_of(job, simulation, volumes, timed)


def reconstructions(spec: DatasetSpec, simulation: Simulation) -> dict[str, NDArray[np.float32]]:
    """Return the stored reconstructions of the reference level by name, shape (z, y, x), 1/um, not yet rounded."""
    recipe = spec.recipe
    assert isinstance(recipe, FlatGridRecipe)
    series = reference_series(spec, recipe, simulation)
    return {name: reconstruct(name, spec, {"main": series}, recipe.grid.shape) for name in spec.stored_reconstructions}


def record_of(
    job: Job, simulation: Simulation, volumes: Mapping[str, NDArray[np.float32]], timer: StageTimer
) -> Record:
    """Return what is stored of a simulated specimen.

    Parameters
    ----------
    job : Job
        Which sample it is.
    simulation : Simulation
        The specimen and its tilt series.
    volumes : mapping of ndarray, shape (z, y, x), float32, 1/um
        What `reconstructions` returned. **Rounded in place**, as the simulation's LAC is.
    timer : StageTimer
        Adds to the stage `storage`.
    """
    recipe = job.spec.recipe
    assert isinstance(recipe, FlatGridRecipe)
    exposure, specimen, edge_um = simulation.exposure, simulation.specimen, recipe.grid.voxel_size_nm / 1000
    with timer("storage"):
        for volume in volumes.values():
            rounded(volume, RECONSTRUCTION_STEP_EXPONENT, out=volume)
        lac = rounded(simulation.lac, LAC_STEP_EXPONENT, out=simulation.lac)
        masks = {**specimen.masks, **simulation.artefacts}
        masks["cell_halo"] = cell_halo(specimen.labels, simulation.artefacts, recipe.grid.voxel_size_nm)
        arrays = series_arrays("main", exposure.series)
    return Record(
        inputs=Hierarchy(
            arrays=arrays,
            volumes={f"reconstructions/{name}": Volume(array, edge_um, "1/um") for name, array in volumes.items()},
            attributes={
                "id": job.group,
                "pixel_size_nm": exposure.series.pixel_size_nm,
                "energy_ev": exposure.series.energy_ev,
                "tilt_range_centre_deg": exposure.tilt_offset_deg,
                "floored_share": exposure.floored_share,
            },
        ),
        targets=Hierarchy(
            arrays={"true_angles_deg": exposure.true_angles_deg, "true_shifts_px": exposure.true_shifts_px},
            volumes={
                "lac": Volume(lac, edge_um, "1/um"),
                "labels": Volume(specimen.labels, edge_um),
                **{f"masks/{name}": Volume(mask.view(np.uint8), edge_um) for name, mask in masks.items()},
            },
            attributes={"id": job.group, "ice_thickness_um": simulation.ice_thickness_um},
        ),
        objects=specimen.objects,
        content=exposure_content(specimen.labels, exposure),
        preview=volumes["fbp"][specimen.labels.shape[0] // 2],
        row={
            "views": len(exposure.series.angles_deg),
            "floored_share": exposure.floored_share,
            "shape_zyx": list(recipe.grid.shape),
            "pixel_size_nm": recipe.grid.voxel_size_nm,
        },
    )


def reference_series(spec: DatasetSpec, recipe: FlatGridRecipe, simulation: Simulation) -> TiltSeries:
    """Return the tilts of the reference level."""
    exposure = simulation.exposure
    full = recipe.acquisition.tilt.range_deg
    kept = select_range(
        exposure.series.angles_deg,
        offset_deg=exposure.tilt_offset_deg,
        tilt_range_deg=spec.reference.get("tilt_range_deg", full),
        full_range_deg=full,
    )
    return exposure.series.select(kept)
