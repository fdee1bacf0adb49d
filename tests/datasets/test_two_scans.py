"""Datasets of two scans: what is stored, what levels derive, what a method sees."""

from pathlib import Path

import numpy as np
import pytest
from mini_tasks import mini_pair_task

from sxtbench.benchmark.controls import Oracle, Trivial
from sxtbench.benchmark.evaluate import evaluate
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.task import Task
from sxtbench.benchmark.tune import tune
from sxtbench.datasets.build import build
from sxtbench.datasets.recipe import parse_recipe
from sxtbench.datasets.regenerated import regenerate
from sxtbench.datasets.verify import verify
from sxtbench.errors import InputError
from sxtbench.labels import BACTERIUM, CYTOPLASM, GLASS
from sxtbench.operators import ParallelBeam


@pytest.fixture(scope="module")
def interior(tmp_path_factory: pytest.TempPathFactory) -> Task:
    task = mini_pair_task("interior-reconstruction")
    folder = tmp_path_factory.mktemp("interior") / "data"
    build(task.dataset_spec, folder, splits=["test", "train"])
    return task.at(folder)


@pytest.fixture(scope="module")
def alignment(tmp_path_factory: pytest.TempPathFactory) -> Task:
    task = mini_pair_task("projection-alignment")
    folder = tmp_path_factory.mktemp("alignment") / "data"
    build(task.dataset_spec, folder, splits=["test"])
    return task.at(folder)


def test_a_folder_verifies_and_regenerates(interior: Task, alignment: Task) -> None:
    for task in (interior, alignment):
        assert task.data is not None
        assert verify(task.data) + regenerate(task.data, task.dataset_spec, 1) == []


def test_families_take_turns(interior: Task) -> None:
    first, second = interior.dataset("test", targets=True).at_reference
    assert (first.targets["labels"] == CYTOPLASM).any()
    assert not (first.targets["labels"] == BACTERIUM).any()
    assert (second.targets["labels"] == BACTERIUM).any()
    assert {GLASS} <= set(np.unique(second.targets["labels"]))


def test_both_scans_see_the_specimen_where_it_is(interior: Task) -> None:
    """The scene's projection, with nothing but the geometry of the series, is their absorbance."""
    for sample in interior.dataset("test", targets=True).at_reference:
        lac = sample.targets["lac"]
        for name, binning in (("interior", 1), ("full", 2)):
            series = sample.series[name]
            assert series.pixel_size_nm == binning * sample.voxel_size_nm
            expected = ParallelBeam(series.geometry, sample.shape, sample.voxel_size_nm)(lac)
            rows = slice(1, -1) if binning == 1 else slice(None)
            found = np.corrcoef(expected[:, rows].ravel(), series.projections[:, rows].ravel())[0, 1]
            assert found > 0.9, (sample.id, name)


def test_off_centre_regions_move_the_detector() -> None:
    recipe = mini_pair_task("interior-reconstruction").dataset_spec.recipe
    from sxtbench.datasets.capillary import simulate

    off = simulate(recipe, "test", 2)
    assert np.hypot(*off.centre_um) > 0.2
    series = off.pair.series["interior"]
    theta = np.deg2rad(series.angles_deg)
    y, x = off.centre_um
    assert series.column_offset_px == pytest.approx((x * np.cos(theta) + y * np.sin(theta)) * 1000 / 160)
    operator = ParallelBeam(series.geometry, off.specimen.lac.shape)
    right = np.corrcoef(operator(off.specimen.lac).ravel(), series.projections.ravel())[0, 1]
    mirrored = ParallelBeam(
        type(series.geometry)(
            angles_deg=series.angles_deg,
            columns=series.geometry.columns,
            slices=series.geometry.slices,
            pixel_size_nm=160.0,
            column_offset_px=-np.asarray(series.column_offset_px),
        ),
        off.specimen.lac.shape,
    )
    assert right > 0.85
    assert right > np.corrcoef(mirrored(off.specimen.lac).ravel(), series.projections.ravel())[0, 1] + 0.2


def test_levels_share_what_is_stored(interior: Task) -> None:
    data = interior.dataset("test")
    reference, few = data.by_id("test-00000"), data.by_id("test-00000~full_views=2")
    everything = data.by_id("test-00000~full_views=10")
    assert few.series["full"].angles_deg.tolist() == [0.0, 90.0]
    assert np.array_equal(few.series["full"].counts, everything.series["full"].counts[[0, 5]])
    assert np.array_equal(few.series["interior"].counts, reference.series["interior"].counts)
    wide, narrow = (data.by_id(f"test-00000~region={w:g}") for w in (0.5, 0.25))
    assert [s.series["interior"].counts.shape[2] for s in (wide, reference, narrow)] == [32, 24, 16]
    assert np.array_equal(wide.series["interior"].counts[:, :, 8:24], narrow.series["interior"].counts)
    assert narrow.metadata["region_width_um"] == pytest.approx(0.25 * 10.24)
    assert narrow.region is not None
    assert reference.region is not None
    assert 0 < narrow.region.sum() < reference.region.sum()
    high = data.by_id("test-00000~photons=10")
    assert set(high.series) == {"interior", "full"}
    assert high.series["full"].counts.sum() == pytest.approx(10 * reference.series["full"].counts.sum(), rel=2e-3)
    assert (reference.series["interior"].counts <= high.series["interior"].counts).all()


def test_the_two_scans_have_the_same_photons_per_area(interior: Task) -> None:
    for sample in interior.dataset("test").at_reference:
        full, inner = sample.series["full"], sample.series["interior"]
        assert full.incident_photons[0] == pytest.approx(4 * inner.incident_photons[0])


def test_alignment_levels(alignment: Task) -> None:
    data = alignment.dataset("test", targets=True)
    sample, mirrored = data.by_id("test-00000"), data.by_id("test-00000~sampling_deg=360")
    assert sample.answer_shape == (20, 2)
    assert sample.series["full"].angles_deg.tolist() == [0.0, 36.0, 72.0, 108.0, 144.0]
    assert mirrored.series["interior"].angles_deg.max() > 180
    assert mirrored.series["full"].counts.shape[0] == 5
    assert not np.array_equal(sample.targets["true_shifts_px"], mirrored.targets["true_shifts_px"])
    rows, columns = sample.series["interior"].counts.shape[1:]
    assert np.abs(sample.targets["true_shifts_px"]).max() <= 0.12 * columns
    assert sample.series["full"].counts.shape[1] * 2 > rows
    assert list(sample.reconstructions) == []
    with pytest.raises(InputError, match=r"several tilt series; use series\[...\] with one of \['full', 'interior'\]"):
        _ = sample.tilt_series


def test_true_shifts_bring_views_into_the_anchors_frame(alignment: Task) -> None:
    from scipy.ndimage import shift

    sample = alignment.dataset("test", targets=True).by_id("test-00000")
    inner, truth = sample.series["interior"], sample.targets["true_shifts_px"]
    lac = sample.targets["lac"]
    aligned = ParallelBeam(inner.geometry, lac.shape)(lac)
    right = wrong = 0.0
    for view, wanted, by in zip(inner.projections, aligned, truth, strict=True):
        core = slice(1, -1), slice(4, -4)
        for sign in (1, -1):
            moved = shift(view, sign * by, order=1, mode="nearest")
            error = float(np.mean((moved[core] - wanted[core]) ** 2))
            right, wrong = (right + error, wrong) if sign == 1 else (right, wrong + error)
    assert right < 0.6 * wrong


def test_controls_bracket_both_tasks(interior: Task, alignment: Task) -> None:
    found = evaluate(Oracle(), interior), evaluate(Trivial(), interior)
    assert found[0].headline.mean == pytest.approx(73.979, abs=1e-3)
    assert 5 < found[1].headline.mean < 25
    found = evaluate(Oracle(), alignment), evaluate(Trivial(), alignment)
    assert found[0].headline.mean == 0.0
    assert 0.3 < found[1].headline.mean < 5


def test_a_wrong_number_of_shifts_is_refused(alignment: Task) -> None:
    class Short:
        name = "short"

        def predict(self, sample: object) -> np.ndarray:
            return np.zeros((3, 2))

    with pytest.raises(InputError, match=r"prediction has shape \(3, 2\), expected \(20, 2\)"):
        evaluate(Short(), alignment)


def test_a_baseline_of_another_task_is_refused(alignment: Task) -> None:
    with pytest.raises(InputError, match="combined-cgne answers interior-reconstruction; it is no method for proj"):
        evaluate(load_method("combined-cgne"), alignment)
    with pytest.raises(InputError, match="combined-cgne answers interior-reconstruction; it is no method for proj"):
        tune("combined-cgne", alignment)


def test_impossible_recipes_get_one_line(interior: Task) -> None:
    content = interior.dataset_spec.recipe.model_dump(mode="json")

    def refused(**changes: object) -> str:
        with pytest.raises(InputError) as caught:
            parse_recipe({**content, **changes}, "recipe.yaml")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "family is 'plant', expected one of: yeast, budding-yeast, capillary, cube" in refused(family="plant")
    acquisition = content["acquisition"]
    assert "pixel sizes do not nest" in refused(acquisition={**acquisition, "full_binning": 3})
    assert "interior_views" in refused(acquisition={**acquisition, "interior_views": 1})
    lens = {**acquisition["interior_lens"], "focal_length_um": None}
    assert "focal length" in refused(acquisition={**acquisition, "interior_lens": lens})
    assert "above the widest region" in refused(acquisition={**acquisition, "interior_share": 0.2})


def test_a_region_outside_the_field_is_refused(tmp_path: Path) -> None:
    from sxtbench.acquisition.interior import acquire_pair

    recipe = mini_pair_task("interior-reconstruction").dataset_spec.recipe
    p = recipe.acquisition
    shape = (4 + 2 * p.margin_rows(64), 64, 64)
    with pytest.raises(InputError, match="the region lies outside the field of view: its centre is 4 um from the axis"):
        acquire_pair(
            np.zeros(shape, np.float32),
            np.ones(shape, np.float32),
            rows=4,
            voxel_size_nm=160.0,
            centre_um=(0.0, 4.0),
            parameters=p,
            generator=lambda stage: np.random.default_rng(0),
            keys={},
        )
