"""assess: a user's data beside our samples, and our numbers beside the data they are of."""

from dataclasses import replace
from pathlib import Path

import pytest

from sxtbench.benchmark.assess import (
    NUMBERS,
    assess,
    assess_split,
    list_references,
    nearest_reference,
    reference_for,
    table,
    text,
)
from sxtbench.benchmark.result import load_result
from sxtbench.benchmark.task import Task, get_task
from sxtbench.content import content_folder
from sxtbench.datasets.build import build
from sxtbench.datasets.own import OwnFile, OwnSeries
from sxtbench.errors import InputError
from sxtbench.metrics.reference_free import Assessment


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The first test specimen of tiny, and no other."""
    task = get_task("limited-angle-segmentation", "tiny")
    task = replace(task, dataset_spec=replace(task.dataset_spec, sizes={"test": 1}, suffix="+one"))
    folder = tmp_path_factory.mktemp("one") / "data"
    build(task.dataset_spec, folder)
    return task.at(folder)


def test_our_numbers_are_those_of_the_data_of_the_board() -> None:
    found = {reference.dataset: reference for reference in list_references()}
    results = content_folder("leaderboard") / "results"
    assert len(found) >= 6
    for name, reference in found.items():
        task, _, tier = name.rpartition("-")
        result = load_result(next(iter(sorted((results / task / tier).glob("*.json")))))
        assert result.fingerprint == reference.fingerprint, name
        assert len(reference.samples) == get_task(task, tier).dataset_spec.sizes["test"]
        assert set(reference.values) < set(NUMBERS)
        assert {len(values) for values in reference.values.values()} == {len(reference.samples)}
        assert reference.histogram.sum() == pytest.approx(1, abs=1e-3)


def test_our_numbers_are_made_again_from_nothing_and_without_targets(first: Task) -> None:
    for path in (first.data or Path()).glob("targets/test/*"):
        path.unlink()
    made = assess_split(first)
    kept = reference_for("limited-angle-reconstruction", "tiny")
    assert made["samples"] == kept.samples[:1]
    for name, [value] in made["values"].items():
        assert value == pytest.approx(kept.values[name][0], rel=2e-3, abs=2e-4), name


def test_a_sample_as_a_users_file_has_the_numbers_of_the_sample(first: Task) -> None:
    series = first.dataset("test").at_reference[0].tilt_series
    own = OwnSeries(
        projections=series.projections,
        angles_deg=series.angles_deg,
        pixel_size_nm=series.pixel_size_nm,
        energy_ev=series.energy_ev,
        photons=(series.counts, series.incident_photons),
    )
    measured = assess(OwnFile(series=own, volume=None, labels=None, voxel_size_nm=90.0, axes=None))
    reference = nearest_reference(measured.values)
    assert reference.dataset == "limited-angle-segmentation-tiny"
    rows = table(measured, reference)
    assert {row.place for row in rows} == {"within"}
    assert [row.name for row in rows] == [name for name in NUMBERS if name != "cnr"]
    printed = text(rows, reference)
    assert all(NUMBERS[row.name].label in printed for row in rows)


def test_numbers_beside_ours_are_below_within_or_above() -> None:
    reference = reference_for("limited-angle-segmentation", "small")
    noise = reference.finite("noise_per_um")
    for value, place in ((noise.min() / 2, "below"), (noise.mean(), "within"), (2 * noise.max(), "above")):
        [row] = table(Assessment(values={"noise_per_um": float(value)}, curve=None, histogram=noise), reference)
        assert row.place == place
        assert (row.low, row.high) == (noise.min(), noise.max())


def test_the_nearest_data_turn_alike_have_like_pixels_and_photons() -> None:
    def nearest(**values: float) -> str:
        return nearest_reference(values).dataset

    assert nearest(pixel_size_nm=65.0, tilt_range_deg=110.0) == "limited-angle-segmentation-small"
    assert nearest(pixel_size_nm=65.0, tilt_range_deg=180.0) == "organelle-segmentation-small"
    assert nearest(pixel_size_nm=160.0, tilt_range_deg=180.0, detected_per_pixel=20.0) == "low-dose-tiny"
    assert nearest(pixel_size_nm=160.0, tilt_range_deg=180.0) == "organelle-segmentation-tiny"


def test_a_task_without_numbers_says_which_have_some() -> None:
    with pytest.raises(InputError, match=r"no numbers of projection-alignment-tiny, .*low-dose-tiny"):
        reference_for("projection-alignment", "tiny")


def test_labels_alone_are_no_data() -> None:
    with pytest.raises(InputError, match="labels alone, expected a tilt series or a reconstruction"):
        assess(OwnFile(series=None, volume=None, labels=None, voxel_size_nm=90.0, axes=None))
