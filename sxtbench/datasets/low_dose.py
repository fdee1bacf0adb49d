"""A cell in a capillary with what a study of dose needs: calibration pairs, a twin, the worth of each dose."""

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.counts import absorbance, poisson_counts
from sxtbench.acquisition.series import Exposure, TiltSeries
from sxtbench.datasets import cube
from sxtbench.datasets.conditions import derive
from sxtbench.datasets.cube_recipe import LowDoseRecipe
from sxtbench.datasets.flat_grid import LAC_STEP_EXPONENT
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.record import Job, Record, series_arrays, series_content
from sxtbench.datasets.simulate import StageTimer
from sxtbench.datasets.spec import PRIVATE, group_id
from sxtbench.datasets.store import Hierarchy, Volume, rounded
from sxtbench.errors import InputError
from sxtbench.hashing import sha256_arrays
from sxtbench.metrics.dose import DoseInformation
from sxtbench.randomness import stage_key
from sxtbench.reconstruction import fbp
from sxtbench.specimens.mammalian import DROPLET, Mammalian
from sxtbench.specimens.specimen import Specimen

CALIBRATION_INDEX = 500_000
"""Added to a specimen's number: its calibration specimen, which is never scored."""

_SCORED = ("validation", "test", PRIVATE)  # splits whose targets hold a reference curve
_TWINS = "test"  # not in a private split: the difference of the two exposures shows where droplets are


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation:
    """One specimen with its acquisition, its calibration pairs and perhaps its twin.

    Parameters
    ----------
    main : cube.Simulation
        The specimen at full dose.
    series : dict of TiltSeries
        All at full dose: `main`, `paired`, `paired_low` (another exposure of the same tilts, to be thinned), and `twin`
        where there is one.
    twin : cube.Simulation or None
        The specimen without some of its droplets; its counts are in `series`.
    vacated_um : ndarray, shape (n, 4), float64, um
        Centre (z, y, x) and radius of the droplets that the twin lacks.
    """

    main: cube.Simulation
    series: dict[str, TiltSeries]
    twin: cube.Simulation | None
    vacated_um: NDArray[np.float64]


def simulate(recipe: LowDoseRecipe, split: str, index: int, timer: StageTimer | None = None) -> Simulation:
    """Draw and image one specimen, its calibration specimen and its twin.

    Parameters
    ----------
    recipe : LowDoseRecipe
        Of one tier.
    split : str
        A key of `randomness.SPLITS`.
    index : int
        Number of the specimen within the split.
    timer : StageTimer, optional
        Adds up the seconds of each stage.
    """
    main = cube.simulate(recipe, split, index, timer)
    sibling = cube.simulate(recipe.calibration, split, CALIBRATION_INDEX + index, timer).exposure
    again = _key(f"paired_low {stage_key(recipe.seed, split, CALIBRATION_INDEX + index, 'counts')}")
    series = {
        "main": main.exposure.series,
        "paired": sibling.series,
        "paired_low": replace(sibling.series, counts=_counts(sibling, sibling.series.incident_photons, again)),
    }
    twin, vacated = None, np.zeros((0, 4))
    if split == _TWINS and index % recipe.low_dose.twins.every == 0:
        droplets = recipe.low_dose.twins.droplets
        twin = cube.simulate(recipe, split, index, timer, change=partial(without_droplets, count=droplets))
        vacated = _largest_droplets(main.specimen.objects, droplets)
        incident = main.exposure.series.incident_photons  # the same light, though there is less in its way
        counts = _counts(twin.exposure, incident, stage_key(recipe.seed, split, index, "counts"))
        series["twin"] = replace(main.exposure.series, counts=counts)
    return Simulation(main=main, series=series, twin=twin, vacated_um=vacated)


def without_droplets(cell: Mammalian, *, count: int) -> Mammalian:
    """Return a specimen without its largest droplets.

    Parameters
    ----------
    cell : Mammalian
        From `draw_mammalian`.
    count : int
        How many go.

    Raises
    ------
    InputError
        Where there are fewer.
    """
    droplets = sorted((b for b in cell.bodies if b.kind == DROPLET), key=lambda b: -b.shapes[0].reach_um)
    if len(droplets) < count:
        raise InputError(f"the recipe drew {len(droplets)} droplets, too few for a twin without {count}")
    gone = {id(body) for body in droplets[:count]}
    return replace(cell, bodies=tuple(body for body in cell.bodies if id(body) not in gone))


def content(recipe: LowDoseRecipe, split: str, index: int) -> dict[str, NDArray[np.generic]]:
    """Simulate one specimen and return the arrays that its content hash covers."""
    return content_of(simulate(recipe, split, index))


def content_of(simulation: Simulation) -> dict[str, NDArray[np.generic]]:
    """Return the arrays that the content hash of a simulation covers."""
    return {
        "labels": simulation.main.specimen.labels,
        "true_angles_deg": simulation.main.exposure.true_angles_deg,
        **series_content(simulation.series),
    }


def record(job: Job, timer: StageTimer | None = None) -> Record:
    """Simulate one specimen and return what is stored of it."""
    spec, timed = job.spec, timer or StageTimer()
    recipe = spec.recipe
    assert isinstance(recipe, LowDoseRecipe)
    simulation = simulate(recipe, job.split, job.index, timed)
    main, twin = simulation.main, simulation.twin
    exposure, specimen, edge_um = main.exposure, main.specimen, recipe.target.voxel_size_um
    covered = content_of(simulation)
    digest = sha256_arrays(covered)
    with timed("reconstruction"):
        series = derive({"main": exposure.series}, spec.reference, {}, content_sha256=digest)
        volumes = {
            name: rounded(reconstruct(name, spec, series, recipe.shape), RECONSTRUCTION_STEP_EXPONENT)
            for name in spec.stored_reconstructions
        }
    lac = rounded(main.lac, LAC_STEP_EXPONENT)
    targets: dict[str, NDArray[np.generic]] = {"true_angles_deg": exposure.true_angles_deg}
    if job.split in _SCORED:
        with timed("reference curve"):
            targets |= reference_curve(recipe, exposure, specimen, lac, digest)
    volumes_of = {"": (lac, specimen)}
    if twin is not None:
        volumes_of["twin/"] = (rounded(twin.lac, LAC_STEP_EXPONENT), twin.specimen)
        targets["vacated_um"] = simulation.vacated_um
    return Record(
        inputs=Hierarchy(
            arrays={key: a for name, one in simulation.series.items() for key, a in _stored(name, one).items()},
            volumes={f"reconstructions/{name}": Volume(array, edge_um, "1/um") for name, array in volumes.items()},
            attributes={
                "id": job.group,
                "pixel_size_nm": exposure.series.pixel_size_nm,
                "energy_ev": exposure.series.energy_ev,
                "floored_share": exposure.floored_share,
            },
        ),
        targets=Hierarchy(
            arrays=targets,
            volumes={
                **{f"{own}lac": Volume(array, edge_um, "1/um") for own, (array, _) in volumes_of.items()},
                **{f"{own}labels": Volume(s.labels, edge_um) for own, (_, s) in volumes_of.items()},
                **{f"masks/{name}": Volume(m.astype(np.uint8), edge_um) for name, m in specimen.masks.items()},
            },
            attributes={"id": job.group},
        ),
        objects=specimen.objects,
        content=covered,
        preview=volumes["fbp"][recipe.shape[0] // 2],
        row={
            "views": len(exposure.series.angles_deg),
            "floored_share": exposure.floored_share,
            "shape_zyx": list(recipe.shape),
            "pixel_size_nm": recipe.voxel_size_nm,
            "calibration_id": group_id(job.split, CALIBRATION_INDEX + job.index),
            "has_twin": twin is not None,
        },
    )


def reference_curve(
    recipe: LowDoseRecipe, exposure: Exposure, specimen: Specimen, lac: NDArray[np.float32], content_sha256: str
) -> dict[str, NDArray[np.generic]]:
    """Return what fresh exposures of a specimen are worth by dose: the information of their Ram-Lak FBP.

    Parameters
    ----------
    recipe : LowDoseRecipe
        Gives the doses and the number of exposures.
    exposure : Exposure
        Of the specimen.
    specimen : Specimen
        Gives the cells.
    lac : ndarray, shape (z, y, x), float32, 1/um
        The scene.
    content_sha256 : str
        From which the keys of the exposures follow.

    Returns
    -------
    dict of ndarray
        `reference_doses` over the full dose, `reference_information` (mean of the exposures, isotonic in the dose),
        and `noise_free_information`, shape (1,).
    """
    from sklearn.isotonic import IsotonicRegression  # half of the time in which a worker process starts

    series = exposure.series
    worth = DoseInformation(lac, specimen.masks["cells"], voxel_size_nm=recipe.voxel_size_nm)
    shape = recipe.shape

    def information(projections: NDArray[np.float32]) -> float:
        return worth.of(fbp(projections, series.geometry, volume_shape=shape))

    doses = np.array(recipe.reference_doses)
    found = np.zeros((len(doses), recipe.low_dose.reference.seeds))
    for row, dose in zip(found, doses, strict=True):
        incident = series.incident_photons * dose
        for number in range(len(row)):
            key = _key(f"reference {content_sha256} {float(dose)!r} {number}")
            row[number] = information(absorbance(_counts(exposure, incident, key), incident))
    rising = IsotonicRegression().fit_transform(np.log(doses), found.mean(axis=1))
    return {
        "reference_doses": doses,
        "reference_information": np.asarray(rising, np.float64),
        "noise_free_information": np.array([information(-np.log(exposure.transmission))]),
    }


def _counts(exposure: Exposure, incident_photons: NDArray[np.float64], key: int) -> NDArray[np.uint32]:
    return poisson_counts(exposure.transmission * incident_photons.astype(np.float32)[:, None, None], key)


def _largest_droplets(objects: list[dict[str, Any]], count: int) -> NDArray[np.float64]:
    droplets = sorted((row for row in objects if row["kind"] == DROPLET), key=lambda row: -row["radius_a_um"])
    return np.array([[row[part] for part in ("z_um", "y_um", "x_um", "radius_a_um")] for row in droplets[:count]])


def _key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _stored(name: str, series: TiltSeries) -> dict[str, NDArray[np.generic]]:
    """Absorbance is left out: it belongs to the full dose, which no sample has."""
    return series_arrays(name, series, projections=False)
