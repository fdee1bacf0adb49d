"""Specimens of the stream that no dataset holds: clean acquisitions, and one specimen imaged along three axes."""

import numpy as np
import pytest
from mini_tasks import mini_organelle_task, mini_pair_task, mini_shifted_task, mini_task

from sxtbench.datasets.simulate import Simulation, simulate
from sxtbench.errors import InputError
from sxtbench.learning.specimens import Turned, TurnedSpecimens, without_artefacts

RECIPE = mini_task().dataset_spec.recipe


@pytest.fixture(scope="module")
def plain() -> Simulation:
    return simulate(RECIPE, "train", 7)


@pytest.fixture(scope="module")
def turns() -> list[Turned]:
    """One specimen along each of its axes, one turn after the other."""
    turned = TurnedSpecimens(RECIPE)
    return [turned(6, 6 + turn, turn) for turn in range(3)]


def test_a_clean_recipe_leaves_noise_and_wedge_alone(plain):
    clean = simulate(without_artefacts(RECIPE), "train", 7)
    assert any(mask.any() for mask in plain.artefacts.values())
    assert not any(mask.any() for mask in clean.artefacts.values())
    assert np.array_equal(plain.specimen.labels, clean.specimen.labels)
    angles = clean.exposure.series.angles_deg
    assert np.array_equal(angles, clean.exposure.true_angles_deg)
    assert np.allclose(np.diff(angles), RECIPE.acquisition.tilt.step_deg)
    assert (angles[0], angles[-1]) == (-70, 70)
    assert len(plain.exposure.series.angles_deg) == round(0.8 * len(angles))
    counts, expected = (
        clean.exposure.series.counts,
        clean.exposure.transmission * clean.exposure.series.incident_photons[0],
    )
    assert np.mean((counts - expected) ** 2 / expected) == pytest.approx(1, abs=0.05)  # Poisson, nothing else


def test_other_families_are_cleaned_too():
    cube = without_artefacts(mini_organelle_task().dataset_spec.recipe)
    assert cube.acquisition.flat_field is None
    assert cube.acquisition.rotation.jitter_sd_deg == 0
    shifted = mini_shifted_task().shifted_spec
    assert without_artefacts(shifted.recipe).scene.fiducials is None
    with pytest.raises(InputError, match="slabs in a capillary cannot be simulated without artefacts"):
        without_artefacts(mini_pair_task("interior-reconstruction").dataset_spec.recipe)


def test_the_first_turn_is_the_specimen_as_it_is_stored(plain):
    made = TurnedSpecimens(RECIPE)(7, 7, 0)
    assert np.array_equal(made.labels, plain.specimen.labels)
    assert np.array_equal(made.lac, plain.lac)
    assert np.array_equal(made.exposure.series.counts, plain.exposure.series.counts)


def test_each_turn_images_the_same_specimen_along_another_axis(turns):
    upright, *others = turns
    axes = [(1, 2, 0), (2, 0, 1)]
    for other, order in zip(others, axes, strict=True):
        assert np.array_equal(other.labels, upright.labels.transpose(order))
        inside = other.labels > 0
        there = upright.lac.transpose(order)[inside]
        # cells keep their LAC; only their border voxels hold a share of other ice
        assert np.median(np.abs(other.lac[inside] - there)) < 1e-6
        shadow = other.exposure.transmission[len(other.exposure.transmission) // 2] < 0.35
        assert np.mean(inside.any(axis=1)[shadow]) > 0.5
    centres = [made.exposure.tilt_offset_deg for made in (upright, *others)]
    assert len(set(centres)) == 3  # acquisitions of their own


def test_turns_do_not_disturb_each_other(turns):
    after, alone = turns[2], TurnedSpecimens(RECIPE)(6, 8, 2)
    assert np.array_equal(after.exposure.series.counts, alone.exposure.series.counts)
    assert np.array_equal(after.lac, alone.lac)


def test_turns_need_a_cube_of_yeast():
    spec = mini_task().dataset_spec
    flat = spec.recipe.model_copy(update={"grid": spec.recipe.grid.model_copy(update={"shape": (16, 32, 32)})})
    for recipe in (flat, mini_organelle_task().dataset_spec.recipe):
        with pytest.raises(InputError, match="imaged_axes is 3, which needs yeast in a field of three equal sides"):
            TurnedSpecimens(recipe)
    wide = spec.recipe.grid.model_copy(update={"extension_x": 1.5})
    made = TurnedSpecimens(spec.recipe.model_copy(update={"grid": wide}))(6, 7, 1)
    assert made.labels.shape == made.lac.shape == (32, 32, 32)
