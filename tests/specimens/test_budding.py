"""Specimens of the shifted domain: sound, repeatable, and of other shapes, LAC and texture than those of training."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from sxtbench.content import content_folder
from sxtbench.datasets.recipe import Recipe, ShiftedRecipe, load_recipe
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.randomness import generator
from sxtbench.specimens.budding import Budding, BuddingParameters, draw_budding, render_budding
from sxtbench.specimens.lobed import Lobed, draw_lobed, enclosing_ball
from sxtbench.specimens.specimen import Specimen, make_yeast, render_yeast

FOLDER = content_folder("tasks") / "limited-angle-segmentation"
GRID = VolumeGrid((48, 48, 48), 120.0)
SEEDS = range(4)


def shifted_recipe(tier: str = "tiny") -> ShiftedRecipe:
    recipe = load_recipe(FOLDER / "shifted.yaml", tier)
    assert isinstance(recipe, ShiftedRecipe)
    return recipe


def training_recipe() -> Recipe:
    recipe = load_recipe(FOLDER / "recipe.yaml", "tiny")
    assert isinstance(recipe, Recipe)
    return recipe


def drawn(index: int, parameters: BuddingParameters | None = None, extended: VolumeGrid = GRID) -> Budding:
    return draw_budding(
        parameters or shifted_recipe().specimen,
        field=GRID,
        extended=extended,
        ice_lac_per_um=0.106,
        generator_of=partial(generator, 7, "shifted", index),
    )


@pytest.fixture(scope="module")
def shifted() -> list[Specimen]:
    return [render_budding(drawn(index), GRID) for index in SEEDS]


@pytest.fixture(scope="module")
def training() -> list[Specimen]:
    recipe = training_recipe()
    found = []
    for index in SEEDS:
        draw = partial(generator, 7, "train", index)
        yeast = make_yeast(recipe.specimen, field=GRID, extended=GRID, ice_lac_per_um=0.106, generator_of=draw)
        found.append(render_yeast(yeast, GRID))
    return found


def changed(tier: str = "tiny", **changes: Any) -> BuddingParameters:
    content = shifted_recipe(tier).specimen.model_dump(mode="json")
    for path, value in changes.items():
        group, _, key = path.partition("__")
        if key:
            content[group][key] = value
        else:
            content[group] = value
    return BuddingParameters.model_validate(content)


def test_the_same_seed_is_the_same_specimen_whatever_the_threads(shifted: list[Specimen]) -> None:
    again = render_budding(drawn(0), GRID, workers=1)
    np.testing.assert_array_equal(again.lac, shifted[0].lac)
    np.testing.assert_array_equal(again.labels, shifted[0].labels)
    assert again.objects == shifted[0].objects
    assert (shifted[0].labels != shifted[1].labels).any()


def test_labels_are_those_of_the_task_and_all_kinds_are_there(shifted: list[Specimen]) -> None:
    kinds = {row["kind"] for specimen in shifted for row in specimen.objects}
    assert kinds == {"cell", "cytoplasm", "vacuole", "nucleus", "mitochondrion", "droplet"}
    for specimen in shifted:
        assert set(np.unique(specimen.labels)) == {0, 1, 2, 3}
        assert specimen.masks["nucleus"].any()
        assert (specimen.labels[specimen.masks["nucleus"] | specimen.masks["mitochondria"]] == 1).all()
        edge = np.ones(GRID.shape, bool)
        edge[1:-1, 1:-1, 1:-1] = False
        assert not specimen.labels[edge].any()  # every cell lies in the field, whole
        assert (specimen.lac[specimen.labels > 0] > 0).all()
        deepest = np.abs(GRID.axes_um()[1])[(specimen.coverage > 0).any(axis=(0, 2))].max()
        assert deepest <= specimen.half_depth_um + GRID.voxel_size_um
        assert specimen.half_depth_um < 2.75


def test_things_lie_in_their_cell_and_touch_nothing() -> None:
    for index in SEEDS:
        budding = drawn(index)
        (cell,) = budding.cells
        wall = 0.15
        lobed: list[Lobed] = []
        for body in budding.bodies:
            if body.kind in ("vacuole", "nucleus"):
                assert body.region is not None
                surface = body.region.bands[0].field
                assert isinstance(surface, Lobed)
                points = surface.offsets_um + surface.centre_um
                assert cell.depth_um(points).min() > wall
                for other in lobed:
                    assert other.depth_um(points).max() < 0
                lobed.append(surface)
        for body in budding.bodies:
            if body.kind in ("droplet", "mitochondrion"):
                for shape in body.shapes:
                    reach = shape.radii_um[1]
                    assert cell.depth_um(shape.centre_um[None])[0] > wall + 0.9 * reach
                    assert all(other.depth_um(shape.centre_um[None])[0] < -0.9 * reach for other in lobed)


def solidity(specimen: Specimen) -> float:
    """Volume of the cell over that of the smallest ball about it: 1 for a ball."""
    points = np.argwhere(specimen.labels > 0) * GRID.voxel_size_um
    _, radius = enclosing_ball(points.astype(np.float64))
    return float(len(points) * GRID.voxel_size_um**3 / (4 / 3 * np.pi * radius**3))


def test_the_shapes_are_others_than_in_training(shifted: list[Specimen], training: list[Specimen]) -> None:
    theirs, ours = [solidity(s) for s in training], [solidity(s) for s in shifted]
    assert min(theirs) > 0.65
    assert np.mean(ours) < np.mean(theirs) - 0.15
    form, rng = shifted_recipe().specimen.cells.form, np.random.default_rng(0)
    lobes = [len(draw_lobed(form, rng, rng).lobes) for _ in range(40)]
    assert {1, 2, 3} == set(lobes)
    assert np.mean(np.array(lobes) > 1) > 0.6


def test_the_lac_of_cells_drifts_and_the_ice_does_not() -> None:
    """The same draws with and without the drift: every LAC in the table is 8 % up, but where ice bounds it."""
    drifted, plain = drawn(2), drawn(2, changed(lac_factor=1.0))
    ratios = {}
    for a, b in zip(drifted.bodies, plain.bodies, strict=True):
        assert a.kind == b.kind
        ratios.setdefault(a.kind, []).append(a.lac_per_um / b.lac_per_um)
    for kind in ("cell", "cytoplasm", "nucleus", "mitochondrion", "droplet"):
        np.testing.assert_allclose(ratios[kind], 1.08, rtol=1e-9, err_msg=kind)
    assert shifted_recipe().scene.ice_lac_per_um == training_recipe().scene.ice_lac_per_um


def test_the_texture_is_coarser_and_stronger(shifted: list[Specimen], training: list[Specimen]) -> None:
    def of_cytoplasm(specimens: list[Specimen], measure: Callable[[np.ndarray, np.ndarray], float]) -> float:
        found = []
        for specimen in specimens:
            number = next(row["id"] for row in specimen.objects if row["kind"] == "cytoplasm")
            found.append(measure(specimen.lac, specimen.bodies == number))
        return float(np.mean(found))

    def spread(lac: np.ndarray, chosen: np.ndarray) -> float:
        core = chosen & (np.roll(chosen, 1, 0) & np.roll(chosen, -1, 0) & np.roll(chosen, 1, 1) & np.roll(chosen, 1, 2))
        return float(lac[core].std())

    assert of_cytoplasm(shifted, spread) > 1.2 * of_cytoplasm(training, spread)
    ours, theirs = shifted_recipe().specimen.texture, training_recipe().specimen.texture
    assert ours.correlation_um[0] > 2 * theirs.correlation_um[0]


def test_neighbours_lie_beyond_the_field_and_clear_of_the_cells() -> None:
    wide = VolumeGrid((48, 48, 78), 120.0)
    parameters = changed(droplets__count=0, mitochondria__count=0, vacuoles__count=0, cells__neighbour_count=2)
    found = 0
    for index in SEEDS:
        first, *neighbours = drawn(index, parameters, wide).cells
        for cell in neighbours:
            points = cell.offsets_um + cell.centre_um
            assert first.depth_um(points).max() < 0
            centre, _ = enclosing_ball(points)
            assert abs(centre[2]) >= GRID.size_um[2] / 2 - 0.05
            found += 1
    assert found > 2


def test_impossible_recipes_are_one_line() -> None:
    with pytest.raises(InputError, match=r"without cells; cells\.count must be at least 1"):
        drawn(0, changed(cells__count=0))
    with pytest.raises(InputError, match=r"a wall of 1\.500 um about a cell"):
        drawn(0, changed(cells__wall={"thickness_um": 1.5, "lac_per_um": 0.4}))
