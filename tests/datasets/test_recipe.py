"""Recipes: what is wrong with one is said in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sxtbench.content import content_folder
from sxtbench.datasets.recipe import load_recipe, recipe_tiers
from sxtbench.errors import InputError

SCORED = content_folder("tasks") / "limited-angle-segmentation" / "recipe.yaml"
PARITY = SCORED.with_name("simaq.yaml")


@pytest.fixture
def edited(tmp_path: Path) -> Any:
    """Return a function that writes the scored recipe with one value changed at a path of keys."""

    def write(keys: list[str], value: Any) -> Path:
        content = yaml.safe_load(SCORED.read_text())
        place = content
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.mark.parametrize("path", [SCORED, PARITY], ids=["scored", "parity"])
def test_every_tier_of_the_shipped_recipes_is_possible(path: Path) -> None:
    for tier in recipe_tiers(path):
        recipe = load_recipe(path, tier)
        assert recipe.scored == (path == SCORED)


def test_tiers_are_those_of_the_protocol() -> None:
    field = {tier: load_recipe(SCORED, tier).grid for tier in ("tiny", "small", "full")}
    assert {tier: (g.shape[0], g.voxel_size_nm, g.simulation_refinement) for tier, g in field.items()} == {
        "tiny": (64, 90.0, 2),
        "small": (128, 70.0, 2),
        "full": (512, 35.0, 1),
    }
    photons = [load_recipe(SCORED, tier).acquisition.detected_photons_per_pixel for tier in field]
    assert photons == [700.0, 900.0, 1840.0]


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (["acquisition", "energy_eV"], 510, "unknown key 'acquisition.energy_eV'; did you mean 'energy_ev'?"),
        (["scene", "ice_thickness_um"], {"min": 9, "max": 4}, "impossible range: min 9.0 > max 4.0"),
        (["scene", "ice_thickness_um"], {"mean": 5.5}, "needs both mean and sd"),
        (["acquisition", "energy_ev"], "soft", "valid number"),
        (["tiers", "tiny", "grid", "shape"], [64, 64], "grid.shape"),
        (["acquisition", "tilt", "range_deg"], 180.0, "less than 180"),
    ],
)
def test_a_mistake_is_one_line(edited: Any, keys: list[str], value: Any, said: str) -> None:
    path = edited(keys, value)
    with pytest.raises(InputError) as caught:
        load_recipe(path, "small" if "tiny" not in keys else "tiny")
    message = str(caught.value)
    assert said in message
    assert message.startswith(str(path))
    assert "\n" not in message


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_recipe(tmp_path / "none.yaml", "tiny")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(InputError, match="not valid YAML"):
        load_recipe(tmp_path / "bad.yaml", "tiny")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(InputError, match="expected a mapping"):
        load_recipe(tmp_path / "list.yaml", "tiny")
    with pytest.raises(InputError, match="unknown tier 'huge'"):
        load_recipe(SCORED, "huge")


def test_the_hash_follows_content_and_seed_but_not_comments(edited: Any, tmp_path: Path) -> None:
    plain = load_recipe(SCORED, "tiny")
    copy = tmp_path / "copy.yaml"
    copy.write_text("# a comment\n" + SCORED.read_text())
    assert load_recipe(copy, "tiny").hash == plain.hash
    assert load_recipe(SCORED, "tiny", seed=7).hash != plain.hash
    assert load_recipe(edited(["acquisition", "energy_ev"], 511.0), "tiny").hash != plain.hash
