"""From one answer to its numbers: the primary metric of the task and the columns beside it."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.answer import Answer, checked
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.records import Row, rows_of
from sxtbench.benchmark.task import SHIFTED, Task
from sxtbench.benchmark.training import answer_key, fits_of
from sxtbench.datasets.dataset import Sample
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics import (
    data_consistency,
    hallucination,
    kept_contrast,
    psnr_lac,
    score_contrast,
    score_dose,
    score_interior,
    score_quantities,
    score_shifts,
)
from sxtbench.metrics.contrast import ContrastRegions, family_of_arrays
from sxtbench.metrics.counting import QUANTITIES
from sxtbench.metrics.regions import cylinder
from sxtbench.metrics.registry import Score, score_labels
from sxtbench.metrics.volume import score_volume
from sxtbench.operators import ParallelBeam


def score_sample(task: Task, sample: Sample, answer: Answer) -> list[Score]:
    """Score one answer.

    Parameters
    ----------
    task : Task
        Says what is scored where.
    sample : Sample
        With its targets.
    answer : ndarray, shape (z, y, x), or of shifts (n_views, 2)
        Checked by `check_answer`.

    Returns
    -------
    list of (str, int or None, float)
        (metric id, class or None, value), the primary among them; NaN where undefined.
    """
    targets = sample.targets
    if task.protocol.answer.kinds[0] == "shifts":
        views = sample.series["interior"]
        return score_shifts(answer, targets["true_shifts_px"], views.angles_deg, pixel_size_nm=views.pixel_size_nm)
    if task.protocol.region == "roi":
        return score_interior(
            answer,
            targets["lac"],
            sample.scored_region,
            targets["labels"],
            voxel_size_nm=sample.voxel_size_nm,
            centre_um=sample.metadata["region_centre_um"],
            width_um=sample.metadata["region_width_um"],
        )
    if task.protocol.answer.kinds[0] == "labels":
        return score_labels(
            answer, targets["labels"], sample.region, task.protocol.primary.classes, nucleus=targets.get("nucleus")
        )
    volume = np.asarray(answer, np.float32)
    if task.protocol.primary.id == "cnr_gain_matched@1":
        scores = score_contrast_sample(sample, volume)
        return (
            [*scores, ("downstream_iou@1", None, downstream_iou(sample, volume))]
            if _is_reference(task, sample)
            else scores
        )
    if task.protocol.primary.id == "equivalent_dose@1":
        return _score_dose(sample, volume)
    series = sample.tilt_series
    scores = score_volume(
        volume,
        targets["lac"],
        sample.scored_region,
        targets["labels"],
        voxel_size_nm=sample.voxel_size_nm,
        angles_deg=series.angles_deg,
    )
    return [*scores, ("data_consistency@1", None, reprojection_chi_square(sample, volume))]


def reference_columns(task: Task, sample: Sample, answer: Answer) -> list[Score]:
    """Score what is told at the reference level only: surfaces, volumes and counts of labels.

    They take longer than the overlap and would triple the size of a result; a task has them where its report names any.

    Parameters and values as of `score_sample`.
    """
    if task.protocol.answer.kinds[0] != "labels" or not set(QUANTITIES) & set(task.report.columns):
        return []
    return score_quantities(
        answer,
        sample.targets["labels"],
        sample.region,
        task.protocol.primary.classes,
        voxel_size_nm=sample.voxel_size_nm,
    )


def rows_of_sample(
    task: Task,
    sample: Sample,
    split: str,
    load: Callable[[str], Any],
    *,
    apart: bool = False,
    beside: bool = False,
) -> list[Row]:
    """Score what a method says of one sample: the rows that it has in a result.

    Parameters
    ----------
    task : Task
        Says what is scored.
    sample : Sample
        With its targets.
    split : str
        To which it belongs; the shifted domain has no columns of the reference level.
    load : callable
        From the key of an answer (`sxtbench.benchmark.training.answer_key`) to the answer.
    apart : bool
        Whether each fit of a training axis has answers of its own; without, the same answers count for all.
    beside : bool
        Whether the split is scored beside another one, at the last fit alone.
    """
    *others, last = fits_of(task)
    is_reference = sample.condition == task.dataset_spec.reference
    answer = checked(task, sample, load(sample.id))
    scores = score_sample(task, sample, answer)
    columns = reference_columns(task, sample, answer) if is_reference and split != SHIFTED else []
    rows = rows_of(sample.id, sample.group, {**sample.condition, **last}, [*scores, *columns])
    for fit in others if is_reference and not beside else ():
        if apart:
            scores = score_sample(task, sample, checked(task, sample, load(answer_key(task, fit, sample.id))))
        rows += rows_of(sample.id, sample.group, {**sample.condition, **fit}, scores)
    return rows


def score_primary(task: Task, sample: Sample, answer: Answer) -> float:
    """Return the primary metric alone, in the task's unit."""
    primary = task.protocol.primary.id
    return next(value for metric, _, value in score_for_search(task, sample, answer) if metric == primary)


def score_for_search(task: Task, sample: Sample, answer: Answer) -> list[Score]:
    """Score what a search over constants looks at, the primary and the metric of the gate, and skip what takes long.

    Parameters and values as of `score_sample`.
    """
    if task.protocol.primary.id == "cnr_gain_matched@1":
        return score_contrast_sample(sample, np.asarray(answer, np.float32))
    if task.protocol.primary.id == "psnr_lac@1":
        return [("psnr_lac@1", None, psnr_lac(answer, sample.targets["lac"], sample.scored_region))]
    return score_sample(task, sample, answer)


def score_contrast_sample(sample: Sample, volume: NDArray[np.float32]) -> list[Score]:
    """Return the contrast scores of one answer, the primary first.

    Parameters
    ----------
    sample : Sample
        With its targets, among them regions and low-pass families.
    volume : ndarray, shape (z, y, x), float32, 1/um
        The answer.
    """
    targets = sample.targets
    regions = ContrastRegions(
        labels=targets["contrast_labels"],
        cell=targets["contrast_cell"],
        ice=targets["contrast_ice"],
        rim=targets["contrast_rim"],
    )
    return score_contrast(
        volume,
        targets["lac"],
        targets["labels"],
        regions,
        sample.scored_region,
        family_of_arrays(targets, str(sample.condition["illumination"])),
        voxel_size_nm=sample.voxel_size_nm,
        angles_deg=sample.tilt_series.angles_deg,
    )


def downstream_iou(sample: Sample, volume: NDArray[np.float32]) -> float:
    """Return the mean IoU of what the baseline `fbp-otsu` makes of an enhanced volume of yeast; NaN of other cells.

    Grey values are first cut to 0 to 1/um: gold at 24/um leaves the thresholds' histogram no room for the rest.

    Parameters
    ----------
    sample : Sample
        With its targets.
    volume : ndarray, shape (z, y, x), float32, 1/um
        The answer.
    """
    if sample.metadata["family"] != "yeast":
        return math.nan
    region = cylinder(sample.shape)
    labels = _segmenter().segment(np.clip(volume, *_WINDOW), sample.voxel_size_nm, region=region)
    return next(
        value
        for name, _, value in score_labels(labels, sample.targets["labels"], region, (1, 2, 3))
        if name == "miou@1"
    )


_WINDOW = (0.0, 1.0)  # 1/um


@cache
def _segmenter() -> Any:
    return load_method("fbp-otsu")


def _is_reference(task: Task, sample: Sample) -> bool:
    return sample.condition == task.dataset_spec.reference


def _score_dose(sample: Sample, volume: NDArray[np.float32]) -> list[Score]:
    """Score an answer at low dose; of a twin only what is not there, so that it takes no part in any other mean."""
    targets, voxel_size_nm = sample.targets, sample.voxel_size_nm
    if sample.twin_of:
        there = targets["lac_of_specimen"]
        found = hallucination(volume, targets["lac"], there, targets["vacated_um"], voxel_size_nm=voxel_size_nm)
        return [("hallucination@1", None, found)]
    scores = score_dose(
        volume,
        targets["lac"],
        sample.scored_region,
        targets["labels"],
        voxel_size_nm=voxel_size_nm,
        doses=targets["reference_doses"],
        reference=targets["reference_information"],
        noise_free=float(targets["noise_free_information"][0]),
        dose_used=sample.condition["dose"],
    )
    if "vacated_um" not in targets:
        return scores
    kept = kept_contrast(
        volume, targets["lac"], targets["lac_of_twin"], targets["vacated_um"], voxel_size_nm=voxel_size_nm
    )
    return [*scores, ("kept_contrast@1", None, kept)]


def reprojection_chi_square(sample: Sample, volume: NDArray[np.float32]) -> float:
    """Compare the counts with the reprojected answer, over the rays that meet no matter outside of it.

    A flat-grid specimen goes on beyond the field, and an answer does not: rays count whose path through the slab of ice
    lies within the field. The nominal angles are used, as a method has no others.

    Parameters
    ----------
    sample : Sample
        With its targets.
    volume : ndarray, shape (z, y, x), float32, 1/um
        The answer.

    Returns
    -------
    float
        Mean squared residual in units of the Poisson variance; NaN where no ray is left.
    """
    series = sample.tilt_series
    thickness = float(sample.targets["ice_thickness_um"])
    inside = covered_rays(series.geometry, sample.shape, sample.voxel_size_nm, thickness)
    absorbance = ParallelBeam(series.geometry, sample.shape, sample.voxel_size_nm)(volume)
    return data_consistency(series.counts, series.incident_photons, absorbance, mask=inside)


def covered_rays(
    geometry: ParallelGeometry, shape: tuple[int, int, int], voxel_size_nm: float, thickness_um: float
) -> NDArray[np.bool_]:
    """Return which detector columns of each view see the slab of ice only through the volume.

    Parameters
    ----------
    geometry : ParallelGeometry
        Of the tilt series.
    shape : tuple of three int
        Voxels of the volume, (z, y, x).
    voxel_size_nm : float
        Edge of a voxel, nm.
    thickness_um : float
        Of the slab, centred on the axis, um.

    Returns
    -------
    ndarray, shape (n_angles, 1, n_columns), bool

    Examples
    --------
    >>> geometry = ParallelGeometry(angles_deg=[0, 45, 80], columns=4, slices=1, pixel_size_nm=1000)
    >>> covered_rays(geometry, (1, 4, 4), 1000, 1.0)[:, 0].astype(int).tolist()
    [[1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    theta = np.deg2rad(np.asarray(geometry.angles_deg, np.float64))[:, None]
    offsets = np.broadcast_to(np.asarray(geometry.column_offset_px, np.float64), (theta.size,))[:, None]
    columns = (np.arange(geometry.columns) - (geometry.columns - 1) / 2 + offsets) * geometry.pixel_size_nm
    cos = np.maximum(np.cos(theta), 1e-9)
    reach = np.abs(columns) / cos + thickness_um * 500 * np.tan(np.abs(theta))
    return (reach <= shape[2] * voxel_size_nm / 2)[:, None, :]
