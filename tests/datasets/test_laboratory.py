"""The laboratory's dataset: two families, two kinds of light, and the low-passes that contrast is measured by."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from mini_tasks import mini_contrast_task

from sxtbench.benchmark.scoring import score_contrast_sample
from sxtbench.benchmark.task import Task, get_task
from sxtbench.content import content_folder
from sxtbench.datasets.build import build
from sxtbench.datasets.dataset import Sample
from sxtbench.datasets.laboratory import record
from sxtbench.datasets.recipe import read_yaml
from sxtbench.datasets.record import Job
from sxtbench.datasets.regenerated import regenerate
from sxtbench.datasets.verify import verify
from sxtbench.labels import CYTOPLASM
from sxtbench.metrics.contrast import CELL, family_of_arrays, gaussian_low_pass
from sxtbench.reconstruction import fbp


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    mini = mini_contrast_task()
    folder = tmp_path_factory.mktemp("laboratory") / "data"
    build(mini.dataset_spec, folder, splits=["test"])
    return mini.at(folder)


@pytest.fixture(scope="module")
def samples(task: Task) -> list[Sample]:
    return list(task.dataset("test", targets=True))


def test_families_take_turns_with_voxels_of_their_own(samples: list[Sample]) -> None:
    found = [(s.id, s.metadata["family"], s.voxel_size_nm, s.tilt_series.pixel_size_nm) for s in samples[::2]]
    assert found == [("test-00000", "yeast", 120.0, 120.0), ("test-00001", "mammalian", 213.0, 213.0)]
    assert [s.condition["illumination"] for s in samples[:2]] == ["incoherent", "partially_coherent"]
    assert samples[1].id == "test-00000~illumination=partially_coherent"


def test_both_lights_show_one_specimen_at_one_exposure(samples: list[Sample]) -> None:
    for incoherent, coherent in (samples[:2], samples[2:]):
        a, b = incoherent.tilt_series, coherent.tilt_series
        assert list(incoherent.series) == list(coherent.series) == ["main"]
        np.testing.assert_array_equal(a.incident_photons, b.incident_photons)
        np.testing.assert_array_equal(a.angles_deg, np.arange(-60, 61, 4))
        assert (a.counts != b.counts).any()
        assert np.corrcoef(a.counts.ravel(), b.counts.ravel())[0, 1] > 0.9  # the same noise
        assert abs(float(a.counts.mean()) / float(b.counts.mean()) - 1) < 0.02
        assert -1.5 <= incoherent.targets["defocus_um"][0] <= 1.5


def test_regions_are_apart_and_inside(samples: list[Sample]) -> None:
    for sample in samples[::2]:
        targets = sample.targets
        labels, eroded = targets["labels"], targets["contrast_labels"]
        assert (labels[eroded > 0] == eroded[eroded > 0]).all()
        assert 0 < np.count_nonzero(eroded == CYTOPLASM) < np.count_nonzero(labels == CYTOPLASM)
        cell, ice, rim = (targets[f"contrast_{name}"] for name in ("cell", "ice", "rim"))
        assert not (ice & rim).any()
        assert (labels[ice | rim] == 0).all()
        assert (labels[cell] > 0).all()
        assert np.abs(targets["lac"][ice] - 0.112).max() < 0.06  # ice, and faint impurities


def test_the_plain_reconstruction_is_the_start_of_its_family(samples: list[Sample]) -> None:
    for sample in samples:
        scores = {name: value for name, label, value in score_contrast_sample(sample, sample.reconstructions["fbp"])}
        assert scores["cnr_gain_matched@1"] == pytest.approx(1, abs=2e-3)
        assert scores["matched_sigma@1"] == pytest.approx(0, abs=2e-3)
        assert scores["outside_family@1"] == 0


def gains_of_gaussians(sample: Sample) -> list[float]:
    series = sample.tilt_series
    plain = fbp(series.projections, series.geometry, volume_shape=sample.shape)
    family = family_of_arrays(sample.targets, str(sample.condition["illumination"]))
    assert (np.diff(family.resolution_nm) >= 0).all()
    assert family.resolution_nm[-1] > 2 * family.resolution_nm[0]
    assert family.interfaces[-1] == CELL
    scores = [
        score_contrast_sample(sample, gaussian_low_pass(plain, float(sigma)))[0]
        for sigma in np.linspace(0.2, 0.9, 4) * family.sigma_px[-1]
    ]
    assert {name for name, _, _ in scores} == {"cnr_gain_matched@1"}
    return [gain for _, _, gain in scores]


def assert_gaussians_score_one(samples: Sequence[Sample], within: float) -> None:
    """A score is a mean over specimens; a single one may lie between two Gaussians of its family."""
    gains = np.log2([gains_of_gaussians(sample) for sample in samples])
    np.testing.assert_allclose(2**gains, 1, atol=within)
    np.testing.assert_allclose(2 ** gains.mean(axis=0), 1, atol=0.03)


def test_any_gaussian_scores_one(samples: list[Sample]) -> None:
    assert_gaussians_score_one(samples, 0.03)


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["tiny", "small"])
def test_any_gaussian_scores_one_on_each_tier(tmp_path: Path, tier: str) -> None:
    task = get_task("contrast-enhancement", tier)
    from dataclasses import replace

    spec = replace(task.dataset_spec, sizes={"test": 2}, suffix="+two")
    build(spec, tmp_path / "data", splits=["test"])
    two = replace(task, dataset_spec=spec, data=tmp_path / "data")
    assert_gaussians_score_one(list(two.dataset("test", targets=True)), 0.05)


def test_a_build_is_verified_and_regenerated(task: Task) -> None:
    assert task.data is not None
    assert verify(task.data) + regenerate(task.data, task.dataset_spec, 2) == []


def test_what_is_stored_does_not_depend_on_what_came_before(task: Task, samples: list[Sample]) -> None:
    again = record(Job(spec=task.dataset_spec, split="test", index=1, folder=Path()))
    np.testing.assert_array_equal(again.content["main_partially_coherent/counts"], samples[3].tilt_series.counts)
    np.testing.assert_array_equal(again.content["counts"], samples[2].tilt_series.counts)


def test_specimens_are_those_of_the_other_tasks() -> None:
    """Up to what light of 500 eV changes."""
    own = read_yaml(content_folder("tasks") / "contrast-enhancement" / "recipe.yaml")["families"]
    yeast = read_yaml(content_folder("tasks") / "limited-angle-segmentation" / "recipe.yaml")
    mammalian = read_yaml(content_folder("tasks") / "organelle-segmentation" / "recipe.yaml")
    assert own["yeast"]["specimen"] == yeast["specimen"]
    assert own["yeast"]["scene"] | {"ice_lac_per_um": 0, "fiducials": 0} == yeast["scene"] | {
        "ice_lac_per_um": 0,
        "fiducials": 0,
    }
    assert own["mammalian"]["specimen"] | {"capillary": 0} == mammalian["specimen"] | {"capillary": 0}
