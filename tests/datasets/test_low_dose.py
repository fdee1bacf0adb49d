"""Low doses: calibration pairs, twins, reference curves, and what is stored of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mini_tasks import mini_low_dose_task

from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.cube_recipe import LowDoseRecipe
from sxtbench.datasets.low_dose import CALIBRATION_INDEX, simulate, without_droplets
from sxtbench.datasets.recipe import parse_recipe
from sxtbench.datasets.regenerated import regenerate
from sxtbench.datasets.verify import verify
from sxtbench.errors import InputError
from sxtbench.labels import DROPLET
from sxtbench.specimens.mammalian import draw_mammalian


def test_a_folder_verifies_and_regenerates(mini_dose: Task) -> None:
    assert mini_dose.data is not None
    assert verify(mini_dose.data) + regenerate(mini_dose.data, mini_dose.dataset_spec, 1) == []


@pytest.mark.parametrize("tier", ["tiny", "small", "full"])
def test_specimens_are_those_of_the_segmentation_task(tier: str) -> None:
    recipe, other = (get_task(name, tier).dataset_spec.recipe for name in ("low-dose", "organelle-segmentation"))
    mine = recipe.model_dump(mode="json", exclude={"low_dose", "family"})
    assert mine == other.model_dump(mode="json", exclude={"family"})


def test_doses_end_where_the_protocol_says() -> None:
    recipe = get_task("low-dose", "small").dataset_spec.recipe
    assert isinstance(recipe, LowDoseRecipe)
    doses = np.array(recipe.reference_doses)
    assert doses[0] * 200 == pytest.approx(2)
    assert doses[-1] == pytest.approx(100 * 0.2)


def test_levels_are_thinnings_of_one_exposure(mini_dose: Task) -> None:
    data = mini_dose.dataset("test")
    tenth, fifth = data.by_id("test-00000"), data.by_id("test-00000~dose=0.2")
    assert set(tenth.series) == {"main", "paired", "paired_low"}
    for name, ratio in (("main", 2.0), ("paired_low", 2.0), ("paired", 1.0)):
        one, two = tenth.series[name], fifth.series[name]
        assert two.counts.mean() / one.counts.mean() == pytest.approx(ratio, rel=0.02)
        np.testing.assert_allclose(two.incident_photons, ratio * one.incident_photons)
    assert tenth.tilt_series is tenth.series["main"]


def test_pairs_show_one_specimen_in_two_exposures(mini_dose: Task) -> None:
    sample = mini_dose.dataset("validation")[0]
    high, low = sample.series["paired"], sample.series["paired_low"]
    np.testing.assert_array_equal(high.angles_deg, low.angles_deg)
    assert len(high.angles_deg) == 4
    assert high.counts.mean() / low.counts.mean() == pytest.approx(10, rel=0.03)
    means = high.counts.astype(float), low.counts * 10.0
    noise = (means[1] - means[0]) / np.sqrt(means[0] + 10 * means[0])  # variances of two exposures add
    assert noise.std() == pytest.approx(1.0, rel=0.05)


def test_the_calibration_specimen_is_another(mini_dose: Task) -> None:
    import pyarrow.parquet as pq

    assert mini_dose.data is not None
    rows = pq.read_table(mini_dose.data / "manifest" / "test.parquet").to_pylist()
    assert {row["calibration_id"] for row in rows} == {"test-500000", "test-500001"}
    assert {row["calibration_id"] for row in rows}.isdisjoint(row["group"] for row in rows)
    recipe = mini_dose.dataset_spec.recipe
    assert isinstance(recipe, LowDoseRecipe)
    found = simulate(recipe, "test", 1)
    again = simulate(replace(mini_dose.dataset_spec, recipe=recipe).recipe, "test", 1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.series["paired"].counts, again.series["paired"].counts)
    assert CALIBRATION_INDEX == 500_000


def test_a_twin_lacks_droplets_and_shares_its_noise(mini_dose: Task) -> None:
    data = mini_dose.dataset("test", targets=True)
    assert data.ids == ["test-00000", "test-00000~dose=0.2", "test-00000~twin", "test-00001", "test-00001~dose=0.2"]
    own, twin = data.by_id("test-00000"), data.by_id("test-00000~twin")
    assert (twin.twin_of, twin.group, twin.condition) == ("test-00000", "test-00000", own.condition)
    np.testing.assert_array_equal(twin.series["paired"].counts, own.series["paired"].counts)
    changed = np.mean(twin.tilt_series.counts != own.tilt_series.counts)
    assert 0 < changed < 0.1
    gone = own.targets["labels"][twin.targets["labels"] != own.targets["labels"]]
    assert gone.size > 0
    assert set(gone) == {DROPLET}
    assert len(own.targets["vacated_um"]) == 3
    apart = own.targets["lac"] - twin.targets["lac"]
    places = np.rint(own.targets["vacated_um"][:, :3] / 0.24 + 19.5).astype(int)
    assert (apart[tuple(places.T)] > 0.1).all()
    assert np.isfinite(twin.reconstructions["fbp"]).all()
    assert not np.array_equal(twin.reconstructions["fbp"], own.reconstructions["fbp"])


def test_twins_are_not_at_the_reference(mini_dose: Task) -> None:
    assert mini_dose.dataset("test").at_reference.ids == ["test-00000", "test-00001"]
    assert len(mini_dose.dataset("train")) == 4


def test_curves_rise_to_the_noise_free_one(mini_dose: Task) -> None:
    for sample in mini_dose.dataset("test", targets=True).at_reference:
        curve = sample.targets["reference_information"]
        assert (np.diff(curve) >= 0).all()
        assert curve[0] < 0.7 * curve[-1]
        assert curve[-1] == pytest.approx(sample.targets["noise_free_information"][0], abs=0.05)
    assert "reference_doses" not in mini_dose.dataset("train", targets=True)[0].targets


def test_a_specimen_with_too_few_droplets_has_no_twin() -> None:
    recipe = mini_low_dose_task().dataset_spec.recipe
    assert isinstance(recipe, LowDoseRecipe)
    cell = draw_mammalian(
        recipe.specimen, field=recipe.target, generator_of=lambda stage: np.random.default_rng(len(stage))
    )
    with pytest.raises(InputError, match=r"droplets, too few for a twin without 99"):
        without_droplets(cell, count=99)
    assert len(without_droplets(cell, count=2).bodies) == len(cell.bodies) - 2


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("pairs", "self", "Input should be 'sibling'"),
        ("paired_views", 1, "greater than or equal to 2"),
        ("twins", {"every": 0, "droplets": 3}, "greater than or equal to 1"),
        ("reference", {"least_counts": 2, "most": 20, "points": 12}, "'low_dose.reference.seeds' is missing"),
    ],
)
def test_an_impossible_recipe_is_one_line(key: str, value: Any, said: str) -> None:
    content = mini_low_dose_task().dataset_spec.recipe.model_dump(mode="json")
    content["low_dose"][key] = value
    with pytest.raises(InputError) as caught:
        parse_recipe(content, "recipe.yaml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
