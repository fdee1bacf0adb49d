"""From sample to answer: what was trained is what is asked, and tidied only where that makes sense."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from mini_tasks import mini_organelle_task, mini_task

from sxtbench.benchmark.method import baseline_folder, load_method
from sxtbench.errors import InputError
from sxtbench.hashing import sha256_file

torch = pytest.importorskip("torch")

from sxtbench.learning import answer_of, build_network, clean_labels, save_weights  # noqa: E402
from sxtbench.learning.answers import seen  # noqa: E402
from sxtbench.learning.inputs import channels  # noqa: E402
from sxtbench.learning.networks import HybridUNet  # noqa: E402
from sxtbench.learning.slabs import stream  # noqa: E402
from sxtbench.learning.stream_parameters import StreamParameters  # noqa: E402
from sxtbench.learning.training import load_training  # noqa: E402

YEAST = (0, 1, 2, 3)
ABLATIONS = {
    "hybrid-unet-first-skip": {"network.first_skip"},
    "hybrid-unet-single-slice": {"network.slices", "stream.slices"},
    "hybrid-unet-no-artefacts": {"stream.artefacts"},
}


def sample(side: int = 32) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        reconstructions={"fbp": rng.normal(0.2, 0.1, (side, side, side)).astype(np.float32)},
        region=np.ones((side, side, side), bool),
        shape=(side, side, side),
        voxel_size_nm=100.0,
        metadata={"tier": "tiny"},
    )


def network(**changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network({"name": "hybrid-unet", "stages": 2, "features": 4, "slices": 3, "classes": 4, **changes})


def test_the_patch_of_whole_slabs_is_told():
    task = mini_task()
    assert "patch" not in seen(task, StreamParameters())
    assert seen(task, StreamParameters(target="slab", slices=8, window=16))["patch"] == [8, 16, 16]
    assert seen(task, StreamParameters(target="slab", slices=8))["patch"] == [8, 32, 32]
    assert seen(mini_organelle_task(), StreamParameters(target="slab", slices=9))["patch"] == [9, 32, 32]


def test_a_network_of_patches_answers_by_what_its_weights_say(tmp_path):
    """The method gets the patch from the file: another patch gives another answer."""
    torch.manual_seed(0)
    made = build_network({"name": "unet3d", "stages": 3, "features": 4, "classes": 4})
    told = seen(mini_task(), StreamParameters(target="slab", slices=8, window=16))
    file = tmp_path / "weights.safetensors"
    save_weights(file, made, metadata={"seen": json.dumps(told)})
    method = load_method("unet3d", weights={"tiny": {"file": str(file), "sha256": sha256_file(file)}})
    answer, asked = method.predict(sample()), sample()
    assert np.array_equal(answer, answer_of(made, asked, classes=YEAST, patch=(8, 16, 16)))
    assert not np.array_equal(answer, answer_of(made, asked, classes=YEAST, patch=(32, 32, 32)))


class Threshold(HybridUNet):
    """Says cytoplasm where the centre slice is dense."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dense = x[:, 0, self.slices // 2] > 0.5
        return torch.stack([~dense, dense, dense & ~dense, dense & ~dense], dim=1).float()


def test_postprocessing_is_clean_labels():
    made, asked = Threshold(stages=2, features=4, slices=3), sample()
    asked.reconstructions["fbp"][:] = 0
    asked.reconstructions["fbp"][6:26, 6:26, 6:26] = 0.35
    asked.reconstructions["fbp"][2, 2, 2] = 0.35
    raw, tidied = (answer_of(made, asked, classes=YEAST, postprocess=tidy) for tidy in (False, True))
    assert (raw[2, 2, 2], tidied[2, 2, 2]) == (1, 0)
    assert np.array_equal(tidied, clean_labels(raw, 100.0))


@pytest.mark.parametrize(("classes", "what"), [((0, 3, 4, 6), r"\[0, 3, 4, 6\]"), ((), "LAC")])
def test_postprocessing_of_something_else_gets_one_line(classes, what):
    with pytest.raises(InputError, match=f"postprocess is for labels 0, 1, 2, 3 of yeast, the answer holds {what}"):
        answer_of(network(), sample(), classes=classes, postprocess=True)


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_differs_from_the_hybrid_in_one_thing(name):
    parts = []
    for baseline in ("hybrid-unet", name):
        content = load_training(baseline_folder(baseline) / "training" / "cpu.yaml", "tiny").model_dump()
        flat = {f"{group}.{key}": value for group in ("network", "stream") for key, value in content.pop(group).items()}
        parts.append({**content, **flat})
    before, after = parts
    assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == ABLATIONS[name]
    config = load_method(name).config
    assert (config["tiers"], config["weights"]) == ([], "not shipped")


def test_the_configuration_of_patches_is_valid():
    found = load_training(baseline_folder("unet3d") / "training" / "cpu.yaml", "tiny")
    assert (found.network["name"], found.stream.target) == ("unet3d", "slab")
    with pytest.raises(InputError, match="no values for tier 'small'"):
        load_training(baseline_folder("unet3d") / "training" / "cpu.yaml", "small")


def test_the_regularised_channel_is_nearer_to_the_truth_than_the_fbp(mini):
    seen_in_training = stream(mini, parameters=StreamParameters(inputs=("fbp", "tv"), reference_share=1.0, slices=31))
    one = mini.dataset("train", targets=True).at_reference[0]
    truth, halo = one.targets["lac"], one.targets["cell_halo"] > 0
    fbp, tv = channels(one, ("fbp", "tv"), "lac") * np.float32(0.3)
    error = [np.sqrt(np.mean((volume - truth)[halo] ** 2)) for volume in (fbp, tv)]
    assert error[1] < 0.8 * error[0]
    assert tv.min() >= 0
    # both tracks make the same channels
    stored = stream(mini, parameters=seen_in_training.parameters, track="fixed").source
    drawn = [stored.views(number, 1, np.random.default_rng(0))[0][0] for number in range(2)]
    assert any(np.array_equal(volumes[1] * np.float32(0.3), tv) for volumes in drawn)
    simulated = seen_in_training.source.views(0, 1, np.random.default_rng(0))[0][0]
    assert simulated.shape == (2, 32, 32, 32)
    assert simulated[1].min() >= 0


@pytest.mark.parametrize("tier", ["tiny", "small"])
def test_the_regularised_channel_is_all_that_is_new(tier):
    plain, ours = (
        load_training(baseline_folder(name) / "training" / "cpu.yaml", tier)
        for name in ("hybrid-unet", "hybrid-unet-tv")
    )
    assert ours.stream.inputs == ("fbp", "tv")
    same_cuts = {"inputs": plain.stream.inputs, "slabs_per_specimen": plain.stream.slabs_per_specimen}
    assert ours.model_copy(update={"stream": ours.stream.model_copy(update=same_cuts)}) == plain
