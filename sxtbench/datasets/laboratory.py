"""A specimen of a laboratory microscope as it is stored: two kinds of light, reference reconstructions, truth.

The truth holds what contrast is measured with: regions, and the low-pass family of each light.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.laboratory import INCOHERENT, LaboratoryExposure, acquire_laboratory
from sxtbench.acquisition.scene import to_target
from sxtbench.acquisition.series import TiltSeries
from sxtbench.datasets.cube import without_slab
from sxtbench.datasets.flat_grid import LAC_STEP_EXPONENT
from sxtbench.datasets.laboratory_recipe import LaboratoryRecipe, YeastOnGrid
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.record import Job, Record, series_arrays, series_content
from sxtbench.datasets.simulate import StageTimer, make_slab
from sxtbench.datasets.store import Hierarchy, Volume, rounded
from sxtbench.geometry import VolumeGrid
from sxtbench.labels import GLASS
from sxtbench.metrics.contrast import contrast_regions, family_arrays, low_pass_family
from sxtbench.metrics.dilation import dilated
from sxtbench.metrics.regions import cell_halo
from sxtbench.randomness import generator, stage_key
from sxtbench.reconstruction import fbp
from sxtbench.specimens.capillary import disc_share
from sxtbench.specimens.mammalian import draw_mammalian, render_mammalian
from sxtbench.specimens.specimen import Truth

FAMILIES = ("yeast", "mammalian")
_ARTEFACT_VOXELS = 2.0  # around what lies in the ice, no ice is measured


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation:
    """One specimen with its two tilt series.

    Parameters
    ----------
    family : str
        `yeast` or `mammalian`.
    specimen : Truth
        On the target's grid.
    lac : ndarray, shape (z, y, x), float32, 1/um
        The scene on the target's grid.
    artefacts : dict of ndarray, shape (z, y, x), bool
        `fiducials`, `cracks`, `impurities`; none in a capillary.
    holder : ndarray, shape (z, y, x), bool
        Inside of the slab of ice, or of the bore.
    exposure : LaboratoryExposure
        The tilt series and their truth.
    """

    family: str
    specimen: Truth
    lac: NDArray[np.float32]
    artefacts: dict[str, NDArray[np.bool_]]
    holder: NDArray[np.bool_]
    exposure: LaboratoryExposure

    @property
    def series(self) -> dict[str, TiltSeries]:
        """The series under the names that they are stored with: `main`, and `main_<light>`."""
        return {"main" if name == INCOHERENT else f"main_{name}": s for name, s in self.exposure.series.items()}


def simulate(recipe: LaboratoryRecipe, split: str, index: int, timer: StageTimer | None = None) -> Simulation:
    """Draw and image one specimen; the families take turns.

    Parameters
    ----------
    recipe : LaboratoryRecipe
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
    family = FAMILIES[index % len(FAMILIES)]
    part = recipe.families.yeast if family == "yeast" else recipe.families.mammalian
    target, fine, factor = part.grid.target, part.grid.simulation, part.grid.simulation_refinement
    artefacts: dict[str, NDArray[np.bool_]] = {}
    if isinstance(part, YeastOnGrid):
        slab = make_slab(part.specimen, part.scene, part.grid, draw, timed)
        specimen, scene, coverage, lac, artefacts = slab.specimen, slab.scene, slab.coverage, slab.lac, slab.artefacts
        inside = np.abs(target.axes_um()[1]) <= scene.ice_thickness_um / 2
        holder = np.broadcast_to(inside[:, None], target.shape)
    else:
        with timed("phantom generation"):
            cell = draw_mammalian(part.specimen, field=target, generator_of=draw)
        with timed("voxelisation"):
            simulated = render_mammalian(cell, fine)
            specimen = (simulated if factor == 1 else render_mammalian(cell, target)).truth
            lac, scene, coverage = (
                to_target(simulated.lac, factor=factor),
                without_slab(simulated.lac),
                simulated.coverage,
            )
            holder = _bore(target, part.specimen.capillary.bore_um)  # type: ignore[union-attr]
    with timed("tilt series"):
        exposure = acquire_laboratory(
            scene,
            coverage,
            fine,
            factor=factor,
            columns=target.shape[2],
            parameters=recipe.acquisition,
            detected_photons_per_pixel=part.detected_photons_per_pixel,
            generator=draw,
            counts_key=stage_key(recipe.seed, split, index, "counts"),
        )
    return Simulation(family=family, specimen=specimen, lac=lac, artefacts=artefacts, holder=holder, exposure=exposure)


def _bore(grid: VolumeGrid, bore_um: float) -> NDArray[np.bool_]:
    """Voxels wholly inside the bore."""
    _, y, x = grid.axes_um()
    return np.broadcast_to(disc_share(bore_um / 2, y, x, grid.voxel_size_um) == 1, grid.shape)


def content(recipe: LaboratoryRecipe, split: str, index: int) -> dict[str, NDArray[np.generic]]:
    """Simulate one specimen and return the arrays that its content hash covers."""
    return content_of(simulate(recipe, split, index))


def content_of(simulation: Simulation) -> dict[str, NDArray[np.generic]]:
    """Return the arrays that the content hash of a simulation covers."""
    return {
        "labels": simulation.specimen.labels,
        "true_angles_deg": simulation.exposure.true_angles_deg,
        **series_content(simulation.series),
    }


def record(job: Job, timer: StageTimer | None = None) -> Record:
    """Simulate one specimen and return what is stored of it."""
    spec, timed = job.spec, timer or StageTimer()
    recipe = spec.recipe
    assert isinstance(recipe, LaboratoryRecipe)
    simulation = simulate(recipe, job.split, job.index, timed)
    exposure, specimen = simulation.exposure, simulation.specimen
    part = recipe.families.yeast if simulation.family == "yeast" else recipe.families.mammalian
    shape, voxel_size_nm = part.grid.shape, part.grid.voxel_size_nm
    edge_um = voxel_size_nm / 1000
    truth = rounded(simulation.lac, LAC_STEP_EXPONENT)
    with timed("reconstruction"):
        series = {"main": exposure.series[INCOHERENT]}
        volumes = {
            name: rounded(reconstruct(name, spec, series, shape), RECONSTRUCTION_STEP_EXPONENT)
            for name in spec.stored_reconstructions
        }
    with timed("low-pass family"):
        regions = contrast_regions(
            specimen.labels,
            _undisturbed(simulation),
            voxel_size_nm=voxel_size_nm,
            erosion_voxels=part.contrast.erosion_voxels,
        )
        halo = _halo(simulation, voxel_size_nm)
        families = {
            name: low_pass_family(
                fbp(one.projections, one.geometry, volume_shape=shape),
                truth,
                regions,
                halo,
                regions.present(part.contrast.interfaces, part.contrast.least_voxels),
                voxel_size_nm=voxel_size_nm,
                angles_deg=one.angles_deg,
            )
            for name, one in exposure.series.items()
        }
    masks = {
        **specimen.masks,
        **simulation.artefacts,
        "cell_halo": halo,
        "contrast_cell": regions.cell,
        "contrast_ice": regions.ice,
        "contrast_rim": regions.rim,
    }
    return Record(
        inputs=Hierarchy(
            arrays={k: v for name, one in simulation.series.items() for k, v in series_arrays(name, one).items()},
            volumes={f"reconstructions/{name}": Volume(array, edge_um, "1/um") for name, array in volumes.items()},
            attributes={
                "id": job.group,
                "pixel_size_nm": voxel_size_nm,
                "energy_ev": recipe.acquisition.energy_ev,
                "floored_share": exposure.floored_share,
            },
        ),
        targets=Hierarchy(
            arrays={
                "true_angles_deg": exposure.true_angles_deg,
                "true_shifts_px": np.zeros((len(exposure.true_angles_deg), 2)),
                "defocus_um": np.array([exposure.defocus_um]),
                "contrast_labels": regions.labels,
                **family_arrays(families),
            },
            volumes={
                "lac": Volume(truth, edge_um, "1/um"),
                "labels": Volume(specimen.labels, edge_um),
                **{f"masks/{name}": Volume(mask.astype(np.uint8), edge_um) for name, mask in masks.items()},
            },
            attributes={"id": job.group},
        ),
        objects=specimen.objects,
        content=content_of(simulation),
        preview=volumes["fbp"][shape[0] // 2],
        row={
            "family": simulation.family,
            "voxel_size_nm": voxel_size_nm,
            "views": len(exposure.true_angles_deg),
            "floored_share": exposure.floored_share,
            "shape_zyx": list(shape),
            "pixel_size_nm": voxel_size_nm,
        },
    )


def _undisturbed(simulation: Simulation) -> NDArray[np.bool_]:
    """Inside of the holder, away from what lies in the ice."""
    spoiled = np.zeros(simulation.holder.shape, bool)
    for mask in simulation.artefacts.values():
        spoiled |= mask
    return simulation.holder & ~dilated(spoiled, _ARTEFACT_VOXELS)


def _halo(simulation: Simulation, voxel_size_nm: float) -> NDArray[np.bool_]:
    """Cells with a halo, without artefacts and, in a capillary, without voxels that hold glass."""
    halo = cell_halo(simulation.specimen.labels, simulation.artefacts, voxel_size_nm)
    halo &= simulation.specimen.labels != GLASS
    return halo if simulation.family == "yeast" else halo & simulation.holder
