"""What is known of a user's data without a truth, beside the same numbers of our test samples."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.own import read_input
from sxtbench.benchmark.task import Task, get_task
from sxtbench.content import content_folder
from sxtbench.datasets.exchange import import_series
from sxtbench.datasets.own import OwnFile
from sxtbench.errors import InputError
from sxtbench.files import write_text
from sxtbench.metrics.reference_free import (
    PERCENTILES,
    Assessment,
    assess_series,
    assess_volume,
    contrast_of,
    pinned_fbp,
    summary_of,
)

if TYPE_CHECKING:
    import pandas as pd

_SERIES_ONLY = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".txrm", ".xrm")


@dataclass(frozen=True, kw_only=True)
class Number:
    """A row of the table.

    Parameters
    ----------
    label, unit : str
        As printed.
    digits : int
        Significant digits that are printed.
    """

    label: str
    unit: str = ""
    digits: int = 3


NUMBERS: dict[str, Number] = {
    "views": Number(label="views"),
    "tilt_range_deg": Number(label="tilt range", unit="degrees"),
    "pixel_size_nm": Number(label="pixel", unit="nm"),
    "field_um": Number(label="field", unit="um"),
    "detected_per_pixel": Number(label="detected photons a pixel"),
    "incident_per_pixel": Number(label="incident photons a pixel"),
    "incident_per_um2": Number(label="incident photons, all views", unit="1/um^2"),
    "frc_seventh_nm": Number(label="split-tilt FRC, period at 1/7", unit="nm"),
    "frc_mean": Number(label="split-tilt FRC, mean to Nyquist"),
    "noise_per_um": Number(label="noise, from the half sets", unit="1/um"),
    "held_out_rms": Number(label="held-out tilts, residual", unit="absorbance"),
    "held_out_chi2": Number(label="held-out tilts, chi-square"),
    **{f"lac_p{p:02d}": Number(label=f"LAC, percentile {p}", unit="1/um") for p in PERCENTILES},
    "cnr": Number(label="CNR between the masks"),
}
"""What can be told of data, in the order of the table."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The numbers of a dataset's test samples, from their inputs alone.

    Parameters
    ----------
    dataset : str
        Its name, `<task>-<tier>`.
    fingerprint : str
        Of its test split.
    samples : list of str
        Ids.
    values : dict of list of (float or None)
        A value a sample, by the name of the number.
    histogram : ndarray, shape (100,), float64
        Mean share of the voxels in each bin of the LAC.
    """

    dataset: str
    fingerprint: str
    samples: list[str]
    values: dict[str, list[float | None]]
    histogram: NDArray[np.float64]

    def finite(self, name: str) -> NDArray[np.float64]:
        """Return the values of a number that are there."""
        return np.array([value for value in self.values.get(name, []) if value is not None], np.float64)

    @cached_property
    def rotates(self) -> bool:
        """Whether its tilts cover a full rotation."""
        return bool(np.median(self.finite("tilt_range_deg")) >= 180)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A number of a user's data beside ours; `place` is where it lies in the range of our samples."""

    name: str
    label: str
    unit: str
    yours: float
    median: float = math.nan
    low: float = math.nan
    high: float = math.nan
    place: str = ""


def assess(
    found: OwnFile,
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    *,
    report: Callable[[str], None] = lambda step: None,
) -> Assessment:
    """Measure a user's data: the tilt series where there is one, else the reconstruction.

    Parameters
    ----------
    found : OwnFile
        From `read_data`.
    masks : tuple of two ndarray, shape (z, y, x), bool, optional
        Regions whose contrast is measured: in the file's reconstruction, else in ours of the tilt series.
    report : callable
        Called with the name of each step.

    Returns
    -------
    Assessment

    Raises
    ------
    InputError
        For a file of labels alone, too few views, and masks that do not fit.
    """
    series, volume = found.series, found.volume
    if series is not None:
        measured = assess_series(series.projections, series.geometry, series.photons, report=report)
    elif volume is not None:
        report("LAC")
        measured = assess_volume(volume, found.voxel_size_nm)
    else:
        raise InputError("the file holds labels alone, expected a tilt series or a reconstruction")
    if masks is None:
        return measured
    report("contrast")
    if volume is None:
        assert series is not None
        shape = series.geometry.slices, series.geometry.columns, series.geometry.columns
        for mask in masks:
            if mask.shape != shape:
                raise InputError(f"a mask has shape {mask.shape} (z, y, x), expected {shape}, that of the tilt series")
        rows = np.flatnonzero((masks[0] | masks[1]).any(axis=(1, 2)))
        if not rows.size:
            raise InputError("both masks are empty")
        geometry = replace(series.geometry, slices=rows.size)
        volume = pinned_fbp(np.ascontiguousarray(series.projections[:, rows]), geometry)
        masks = masks[0][rows], masks[1][rows]
    return replace(measured, values={**measured.values, "cnr": contrast_of(volume, *masks)})


def read_data(
    path: Path, *, axes: str | None = None, voxel_size_nm: float | None = None, lac_unit: str | None = None
) -> OwnFile:
    """Read an import, a tilt series that says all of itself (NXtomo, txrm), or a reconstruction.

    Parameters
    ----------
    path : Path
        The file.
    axes, voxel_size_nm, lac_unit
        Of a reconstruction, as for `import_volume`.
    """
    if path.suffix.lower() not in _SERIES_ONLY:
        return read_input(path, axes=axes, voxel_size_nm=voxel_size_nm, lac_unit=lac_unit)
    for name, value in {"--axes": axes, "--voxel-size": voxel_size_nm, "--lac-unit": lac_unit}.items():
        if value is not None:
            raise InputError(f"{name} is for a reconstruction, and {path} is a tilt series")
    series = import_series(path)
    return OwnFile(series=series, volume=None, labels=None, voxel_size_nm=series.pixel_size_nm, axes=None)


def table(measured: Assessment, reference: Reference | None) -> list[Row]:
    """Set numbers beside those of our samples.

    Parameters
    ----------
    measured : Assessment
        Of a user's data.
    reference : Reference or None
        Of ours.

    Returns
    -------
    list of Row
        In the order of `NUMBERS`; without ours where we have none.
    """
    rows = []
    for name, number in NUMBERS.items():
        if name not in measured.values:
            continue
        yours = measured.values[name]
        row = Row(name=name, label=number.label, unit=number.unit, yours=yours)
        ours = np.zeros(0) if reference is None else reference.finite(name)
        if ours.size:
            low, high = float(ours.min()), float(ours.max())
            slack = 1e-3 * max(abs(low), abs(high))  # ours are rounded
            place = "below" if yours < low - slack else "above" if yours > high + slack else "within"
            row = replace(
                row,
                median=float(np.median(ours)),
                low=low,
                high=high,
                place="" if math.isnan(yours) else place,
            )
        rows.append(row)
    return rows


def assess_split(
    task: Task, split: str = "test", *, progress: Callable[[str], None] = lambda name: None
) -> dict[str, Any]:
    """Measure the samples of a split at the reference level, from their inputs alone.

    Parameters
    ----------
    task : Task
        With a tilt series `main`.
    split : str
        Opened without targets.
    progress : callable
        Called with the id of each sample.

    Returns
    -------
    dict
        As `tasks/<task>/assess-<tier>.json` keeps it.
    """
    data = task.dataset(split).at_reference
    found = []
    for sample in data:
        series = sample.tilt_series
        found.append(assess_series(series.projections, series.geometry, (series.counts, series.incident_photons)))
        progress(sample.id)
    rounded = [summary_of(one.values) for one in found]
    return {
        "dataset": task.dataset_spec.name,
        "fingerprint": data.fingerprint,
        "samples": data.ids,
        "values": {name: [one[name] for one in rounded] for name in rounded[0]},
        "histogram": [round(float(share), 5) for share in np.mean([one.histogram for one in found], axis=0)],
    }


def list_references() -> list[Reference]:
    """Return the numbers of every dataset that has some."""
    return [_read(path) for path in sorted(content_folder("tasks").glob("*/assess-*.json"))]


def reference_for(task: str, tier: str) -> Reference:
    """Return the numbers of a task's dataset at one tier.

    Examples
    --------
    >>> reference_for("limited-angle-reconstruction", "tiny").dataset
    'limited-angle-segmentation-tiny'
    """
    name = get_task(task, tier).dataset_spec.name
    known = {reference.dataset: reference for reference in list_references()}
    if name not in known:
        raise InputError(f"there are no numbers of {name}, there are those of {', '.join(known)}")
    return known[name]


def nearest_reference(values: Mapping[str, float]) -> Reference:
    """Return the dataset that is nearest: a full rotation or not, then the pixel, then the photons that are detected.

    Where photons are not known, the dataset with more of them is taken.
    """

    def distance(reference: Reference) -> tuple[bool, float, float]:
        size, photons = (
            math.log(np.median(reference.finite(name))) for name in ("pixel_size_nm", "detected_per_pixel")
        )
        rotates = values.get("tilt_range_deg", 0.0) >= 180
        known = values.get("detected_per_pixel")
        apart = -photons if known is None else abs(photons - math.log(max(known, 1e-3)))
        return rotates != reference.rotates, abs(size - math.log(values["pixel_size_nm"])), apart

    return min(list_references(), key=distance)


def write_rows(path: Path, rows: list[Row], *, file: str, beside: str | None) -> None:
    """Write the table as `.csv` or `.json`."""
    if path.suffix == ".csv":
        write_text(path, frame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        return
    content = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in vars(row).items()}
        for row in rows
    ]
    write_text(path, json.dumps({"file": file, "beside": beside, "numbers": content}, indent=1, allow_nan=False) + "\n")


def frame(rows: list[Row]) -> "pd.DataFrame":
    """Return the table as a data frame."""
    import pandas as pd

    return pd.DataFrame([vars(row) for row in rows])


def text(rows: list[Row], reference: Reference | None) -> str:
    """Return the table for a terminal."""
    heads = ("", "yours", *(("ours", "from", "to", "") if reference else ()))
    lines = [heads]
    for row in rows:
        digits = NUMBERS[row.name].digits
        ours = (row.median, row.low, row.high) if reference else ()
        cells = [_number(value, digits) for value in (row.yours, *ours)]
        label = f"{row.label}, {row.unit}" if row.unit else row.label
        lines.append((label, *cells, *((row.place,) if reference else ())))
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in (0, 5) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _number(value: float, digits: int) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if 10**digits <= abs(value) < 1e5 else f"{value:.{digits}g}"


def _read(path: Path) -> Reference:
    content = json.loads(path.read_text(encoding="utf-8"))
    return Reference(**{**content, "histogram": np.array(content["histogram"], np.float64)})
