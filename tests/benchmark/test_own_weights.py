"""Weights of a user's own in place of those that ship, and baselines that answer at some tiers only."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sxtbench.benchmark.evaluate import predict
from sxtbench.benchmark.method import list_baselines, load_for, require_meant_for
from sxtbench.benchmark.task import Task, get_task
from sxtbench.errors import InputError

torch = pytest.importorskip("torch")

from sxtbench.learning import HybridUNet, save_weights  # noqa: E402


def saved(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    seen = {"inputs": ["fbp"], "scaling": "lac", "classes": [0, 1, 2, 3]}
    path = folder / f"{seed}.safetensors"
    save_weights(
        path, HybridUNet(classes=4, stages=2, features=4, slices=3), metadata={"tier": "tiny", "seen": json.dumps(seen)}
    )
    return path


def test_own_weights_answer_and_other_ones_answer_anew(mini: Task, tmp_path: Path) -> None:
    out = tmp_path / "answers"
    found = []
    for seed in (1, 2):
        method = load_for(mini, "hybrid-unet", saved(tmp_path, seed))
        statement = json.loads(predict(method, mini, out).read_text())
        assert statement["resumed"] is False  # answers of the first weights were not kept for the second
        assert statement["method"]["parameters"]["weights"]["tiny"]["file"] == f"{seed}.safetensors"
        assert statement["method"]["track"] == "stream"
        found.append(np.load(out / "test-00000.npy"))
    assert (found[0] != found[1]).any()


def test_the_track_is_that_of_the_training(mini: Task, tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps({"track": "fixed"}))
    method = load_for(mini, "hybrid-unet", saved(tmp_path, 1))
    statement = json.loads(predict(method, mini, tmp_path / "answers").read_text())
    assert statement["method"]["track"] == "fixed"


def test_weights_that_cannot_be_used(mini: Task, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file of weights"):
        load_for(mini, "hybrid-unet", tmp_path / "missing.safetensors")
    with pytest.raises(InputError, match="fbp-otsu takes no weights; leave out --weights"):
        load_for(mini, "fbp-otsu", saved(tmp_path, 1))


def test_own_weights_open_a_tier_for_which_none_ship(mini: Task, tmp_path: Path) -> None:
    small = replace(mini, tier="small")
    with pytest.raises(InputError, match="unet3d ships weights for tiny"):
        load_for(small, "unet3d")
    assert load_for(small, "unet3d", saved(tmp_path, 1)).name == "unet3d"
    with pytest.raises(InputError, match="unet3d answers limited-angle-segmentation; it is no method for"):
        load_for(get_task("projection-alignment"), "unet3d", saved(tmp_path, 1))


def test_a_baseline_answers_at_its_tiers_only(mini: Task) -> None:
    require_meant_for("mine", {"tiers": ["tiny"]}, mini)
    with pytest.raises(InputError, match="mine answers at small; it is no method for tier tiny"):
        require_meant_for("mine", {"tiers": ["small"]}, mini)
    with pytest.raises(
        InputError, match=r"mine ships weights for no tier; `sxtbench train mine .* --tier tiny` makes some"
    ):
        require_meant_for("mine", {"tiers": [], "weights": True}, mini)
    assert set(list_baselines(mini.name, "small")) <= set(list_baselines(mini.name))
