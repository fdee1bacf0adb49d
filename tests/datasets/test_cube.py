"""Cubes in a capillary: what is stored, what it is physically, what a recipe may say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mini_tasks import mini_organelle_task

from sxtbench.benchmark.task import Task, get_task
from sxtbench.content import content_folder
from sxtbench.datasets import cube
from sxtbench.datasets.build import build
from sxtbench.datasets.cube_recipe import CubeRecipe
from sxtbench.datasets.recipe import load_recipe, parse_recipe
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.regenerated import regenerate
from sxtbench.datasets.store import rounded
from sxtbench.datasets.verify import verify
from sxtbench.errors import InputError
from sxtbench.labels import ENDOSOME, GLASS, MITOCHONDRION, NUCLEOLUS, NUCLEUS
from sxtbench.operators import ParallelBeam

RECIPE = content_folder("tasks") / "organelle-segmentation" / "recipe.yaml"


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    made = mini_organelle_task()
    folder = tmp_path_factory.mktemp("cubes") / "data"
    build(made.dataset_spec, folder)
    return made.at(folder)


def test_a_folder_verifies_and_regenerates(task: Task) -> None:
    assert task.data is not None
    assert verify(task.data) + regenerate(task.data, task.dataset_spec, 1) == []


def test_the_tiers_are_those_of_the_protocol() -> None:
    found = {}
    for tier in ("tiny", "small", "full"):
        r = load_recipe(RECIPE, tier)
        assert isinstance(r, CubeRecipe)
        assert r.shape[2] * r.voxel_size_nm == 10240
        p = r.acquisition
        assert (p.energy_ev, p.outer_zone_width_nm) == (517, 35)
        found[tier] = (r.shape[0], r.simulation_refinement, p.rotation.views, p.detected_photons_per_pixel)
    assert found == {"tiny": (64, 2, 46, 200), "small": (128, 2, 92, 200), "full": (512, 1, 92, 600)}
    sizes = get_task("organelle-segmentation", "small").dataset_spec.sizes
    assert sizes == {"train": 64, "validation": 16, "test": 48}


def test_views_cover_half_a_turn_evenly(task: Task) -> None:
    sample = task.dataset("test", targets=True)[0]
    angles = sample.tilt_series.angles_deg
    np.testing.assert_allclose(np.diff(angles), 180 / 24)
    assert angles[0] + 180 - angles[-1] == pytest.approx(180 / 24)
    off = sample.targets["true_angles_deg"] - angles
    assert 0.02 < off.std() < 0.3


def test_projections_are_those_of_the_scene(task: Task) -> None:
    """Joseph's projection of the stored scene explains the counts but for noise and the borders of glass."""
    for sample in task.dataset("test", targets=True):
        series = sample.tilt_series
        geometry = series.geometry
        expected = ParallelBeam(geometry, sample.shape)(sample.targets["lac"])
        assert np.corrcoef(expected.ravel(), series.projections.ravel())[0, 1] > 0.97
        mirrored = ParallelBeam(geometry, sample.shape)(np.ascontiguousarray(sample.targets["lac"][:, :, ::-1]))
        right, wrong = (float(np.mean((p - series.projections) ** 2)) for p in (expected, mirrored))
        assert right < 0.8 * wrong


def test_photons_are_counted_behind_the_bore(task: Task) -> None:
    series = task.dataset("test")[0].tilt_series
    columns = (np.arange(32) - 15.5) * 0.32
    behind = series.counts[:, :, np.abs(columns) < 8.6 / 2]
    assert behind.mean() == pytest.approx(200, rel=0.05)  # set at 0 degrees, and a cell is about round


def test_the_scene_keeps_the_mass_of_the_simulation() -> None:
    recipe = mini_organelle_task().dataset_spec.recipe
    assert isinstance(recipe, CubeRecipe)
    fine = cube.simulate(recipe.model_copy(update={"shape": (64,) * 3, "voxel_size_nm": 160.0}), "test", 0)
    made = cube.simulate(recipe, "test", 0)
    assert made.lac.mean(dtype=np.float64) == pytest.approx(fine.lac.mean(dtype=np.float64), rel=2e-3)
    assert made.specimen.labels.shape == made.lac.shape == (32, 32, 32)


def test_the_truth_of_the_task_takes_several_labels_for_one(task: Task) -> None:
    sample = task.dataset("test", targets=True)[0]
    stored, truth = sample.targets["suite_labels"], sample.targets["labels"]
    assert {GLASS, ENDOSOME, NUCLEOLUS, MITOCHONDRION} <= set(np.unique(stored))
    assert set(np.unique(truth)) == {0, 3, 4, 6}
    np.testing.assert_array_equal(truth == NUCLEUS, (stored == NUCLEUS) | (stored == NUCLEOLUS))
    np.testing.assert_array_equal(truth == MITOCHONDRION, stored == MITOCHONDRION)
    assert not truth[(stored == GLASS) | (stored == ENDOSOME)].any()


def test_reconstructions_are_stored_and_quantitative(task: Task) -> None:
    sample = task.dataset("test", targets=True)[0]
    cells, truth = sample.targets["cells"], sample.targets["lac"]
    for name in ("fbp", "cgne"):
        stored = sample.reconstructions[name]
        again = reconstruct(name, task.dataset_spec, sample.series, sample.shape)
        np.testing.assert_allclose(stored, rounded(again, RECONSTRUCTION_STEP_EXPONENT), atol=1e-3)
        assert stored[cells].mean() == pytest.approx(truth[cells].mean(), rel=0.1)
        assert np.sqrt(np.mean((stored - truth)[cells] ** 2)) < 0.12


def test_the_number_of_workers_and_of_threads_changes_nothing(task: Task) -> None:
    recipe = task.dataset_spec.recipe
    again = cube.content(recipe, "train", 1)  # type: ignore[arg-type]
    stored = task.dataset("train")[1].tilt_series
    np.testing.assert_array_equal(stored.counts, again["counts"])


def _with(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a deep copy with one value changed."""
    key, _, rest = path.partition(".")
    return {**content, key: _with(content[key], rest, value) if rest else value}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("shape", [32, 32, 30], "shape is (32, 32, 30), expected (z, n, n)"),
        ("specimen.capillary", None, "specimen.capillary is missing"),
        ("specimen.capillary.bore_um", 10.5, "the capillary is 10.9 um wide and the field 10.24 um"),
        ("acquisition.rotation.jitter_sd_deg", 1.0, "reach the middle between two of 24 views"),
        ("acquisition.rotation.views", 1, "greater than or equal to 2"),
        ("acquisition.tilt", {}, "unknown key 'acquisition.tilt'"),
    ],
)
def test_an_impossible_recipe_is_one_line(path: str, value: Any, said: str) -> None:
    content = mini_organelle_task().dataset_spec.recipe.model_dump(mode="json")
    with pytest.raises(InputError) as caught:
        parse_recipe(_with(content, path, value), str(Path("recipe.yaml")))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
