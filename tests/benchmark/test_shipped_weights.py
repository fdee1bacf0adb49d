"""Weights that ship: small, whole, made by the committed training, and beside the statement of how they were made."""

import json

import pytest

from sxtbench.benchmark.controls import CONTROLS
from sxtbench.benchmark.method import baseline_folder, list_baselines
from sxtbench.benchmark.task import get_task
from sxtbench.datasets.recipe import read_yaml
from sxtbench.hashing import sha256_file

LARGEST, ALL_TOGETHER = 4_000_000, 30_000_000  # bytes
CONFIGS = {n: read_yaml(baseline_folder(n) / "config.yaml") for n in list_baselines() if n not in CONTROLS}
TRAINED = [name for name, config in CONFIGS.items() if config.get("weights") is True]


@pytest.mark.parametrize("name", TRAINED)
def test_each_tier_has_its_weights_and_how_they_were_made(name: str) -> None:
    config, folder = CONFIGS[name], baseline_folder(name)
    shipped = config["parameters"]["weights"]
    assert list(shipped) == config.get("tiers", ["tiny", "small"])
    for tier, chosen in shipped.items():
        file = folder / chosen["file"]
        assert sha256_file(file) == chosen["sha256"]
        assert file.stat().st_size <= LARGEST
        made = json.loads(file.with_suffix(".json").read_text())
        (task,) = config["tasks"]
        assert (made["task"], made["tier"], made["track"]) == (task, tier, config["track"])
        assert made["recipe_hash"] == get_task(task, tier).dataset_spec.recipe.hash


@pytest.mark.parametrize("name", [name for name in TRAINED if name != "wedge-filling"])  # which has a train.py instead
def test_weights_are_those_of_the_committed_configuration(name: str) -> None:
    training = pytest.importorskip("sxtbench.learning.training")
    folder = baseline_folder(name)
    for tier, chosen in CONFIGS[name]["parameters"]["weights"].items():
        made = json.loads((folder / chosen["file"]).with_suffix(".json").read_text())["parameters"]
        configured = training.load_training(folder / "training" / "cpu.yaml", tier)
        assert training.TrainingParameters.model_validate(made) == configured


def test_all_weights_together_are_small() -> None:
    sizes = [path.stat().st_size for name in TRAINED for path in baseline_folder(name).glob("weights/*.safetensors")]
    assert 0 < sum(sizes) <= ALL_TOGETHER
