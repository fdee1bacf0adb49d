"""Training: what is kept, how it goes on, what stops it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sxtbench.benchmark.method import load_method
from sxtbench.errors import InputError
from sxtbench.hashing import sha256_file

torch = pytest.importorskip("torch")

from sxtbench.learning import load_network  # noqa: E402
from sxtbench.learning.augment import AugmentParameters  # noqa: E402
from sxtbench.learning.stream_parameters import StreamParameters  # noqa: E402
from sxtbench.learning.training import TrainingParameters, load_training, train  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own

CUTS = StreamParameters(slices=3, window=32, slabs_per_specimen=16, specimens_per_block=1, augment=AugmentParameters())
SMALL = TrainingParameters(
    network={"name": "hybrid-unet", "stages": 3, "features": 4, "slices": 3},
    stream=CUTS,
    steps=8,
    batch_size=4,
    learning_rate=0.01,
    weight_decay=0.01,
    ema_decay=0.5,
    validate_every=4,
    validation_specimens=1,
    patience=1,
)


def weights(folder):
    return load_network(folder / "weights.safetensors")[0].state_dict()


def metrics(folder):
    return [
        (row["step"], row["score"], row["loss"])
        for row in json.loads((folder / "training.json").read_text())["history"]
    ]


@pytest.fixture(scope="module")
def trained(mini, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    lines = []
    made = train(mini, SMALL, out, workers=0, report=lines.append)
    return out, made, lines


def test_training_keeps_weights_log_and_statement(mini, trained):
    out, made, lines = trained
    assert [row["step"] for row in made["history"]] == [4, 8]
    assert made["task_hash"] == mini.hash
    assert made["track"] == "stream"
    assert made["history"][1]["loss"] < made["history"][0]["loss"]
    assert len(lines) == 8
    assert "slabs/s" in lines[-1]
    assert "loss" in (out / "log" / "version_0" / "metrics.csv").read_text().splitlines()[0]
    assert all(tensor.dtype != torch.float64 for tensor in weights(out).values())


def test_a_resumed_training_ends_at_the_same_numbers(mini, trained, tmp_path):
    whole, *_ = trained

    told, handler = [], signal.getsignal(signal.SIGINT)

    def stop(line):
        told.append(line)
        if len(told) == 6:  # in the second epoch: the first is what the checkpoint holds
            raise KeyboardInterrupt

    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        train(mini, SMALL, cut, workers=0, report=stop)
    assert signal.getsignal(signal.SIGINT) is handler
    assert [step for step, *_ in metrics(cut)] == [4]
    train(mini, SMALL, cut, workers=0, resume=True)
    assert metrics(cut) == metrics(whole)
    losses = [f.read_text().splitlines()[1:] for f in sorted((cut / "log").rglob("metrics.csv"))]
    assert [len(lines) > 0 for lines in losses] == [True, True]  # the second start leaves the first one's log
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(cut)[name]), name


def test_the_trained_weights_answer_as_a_method(mini, trained):
    out, *_ = trained
    file = out / "weights.safetensors"
    method = load_method("hybrid-unet", weights={"tiny": {"file": str(file), "sha256": sha256_file(file)}})
    sample = mini.dataset("test")[0]
    answer = method.predict(sample)
    assert (answer.shape, answer.dtype) == (sample.shape, np.uint8)
    assert np.isin(answer, (0, 1, 2, 3)).all()


def test_running_statistics_are_averaged_with_the_weights(mini, tmp_path):
    def written(decay):
        """Return the statistics that stand in the file after each of two steps."""
        out, found = tmp_path / str(decay), []

        def look(_line=""):
            if (out / "weights.safetensors").is_file():
                found.append({name: tensor for name, tensor in weights(out).items() if "running" in name})

        changed = SMALL.model_copy(update={"steps": 2, "validate_every": 1, "keep": "last", "ema_decay": decay})
        train(mini, changed, out, workers=0, report=look)
        look()
        return found

    (first, second), (start, averaged) = written(0.0), written(0.9)
    assert first
    assert all(torch.equal(tensor, start[name]) for name, tensor in first.items())
    for name, tensor in averaged.items():
        assert not torch.allclose(first[name], second[name], rtol=1e-3), name
        assert torch.allclose(tensor, 0.9 * first[name] + 0.1 * second[name], rtol=1e-5, atol=1e-7), name


def test_what_a_folder_holds_is_not_overwritten(mini, trained, tmp_path):
    out, *_ = trained
    with pytest.raises(InputError, match="holds a training already; add --resume"):
        train(mini, SMALL, out)
    with pytest.raises(InputError, match="holds no training to resume"):
        train(mini, SMALL, tmp_path, resume=True)
    with pytest.raises(InputError, match=r"trained with another seed .*--force"):
        train(mini, SMALL, out, seed=1, resume=True)
    state = out / "training.json"
    before = state.read_text()
    state.write_text(before.replace(mini.hash, "0" * 64))
    with pytest.raises(InputError, match="another task_hash"):
        train(mini, SMALL, out, resume=True)
    state.write_text(before)


def test_running_out_of_memory_says_what_to_lower(mini, tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("sxtbench.learning.training.dice_focal_loss", full)
    with pytest.raises(InputError, match="lower batch_size and raise accumulate"):
        train(mini, SMALL, tmp_path, workers=0)


WITH_THE_MINI_TASK = """
import sys
sys.path.insert(0, {tests!r})
from mini_tasks import mini_task
from sxtbench.benchmark import task
task.get_task = lambda *_: mini_task()
from sxtbench.cli import main
main()
"""


def test_two_processes_share_the_stream(mini, tmp_path):
    """Lightning's DDP as the command line starts it: each process sees blocks of its own, one writes."""
    script, path, out = tmp_path / "mini.py", tmp_path / "config.yaml", tmp_path / "out"
    script.write_text(WITH_THE_MINI_TASK.format(tests=str(Path(__file__).parents[1])))
    path.write_text(json.dumps(SMALL.model_copy(update={"steps": 4}).model_dump(mode="json")))
    command = [sys.executable, script, "train", "hybrid-unet", "limited-angle-segmentation", "--devices", "2"]
    command += ["--data", mini.data, "--config", path, "--out", out, "--workers", "0"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = json.loads((out / "training.json").read_text())
    assert [row["step"] for row in made["history"]] == [4]
    assert (out / "weights.safetensors").is_file()


def test_a_configuration_takes_the_values_of_its_tier(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "network: {name: hybrid-unet}\nsteps: 5\nbatch_size: 2\nlearning_rate: 0.1\nvalidate_every: 1\n"
        "stream: {slices: 5, window: 64}\ntiers: {tiny: {stream: {window: 32}}, small: {steps: 9}}\n"
    )
    assert load_training(path, "tiny").stream == StreamParameters(slices=5, window=32)
    assert load_training(path, "small").steps == 9
    with pytest.raises(InputError, match="no values for tier 'full'; it has tiny, small"):
        load_training(path, "full")
    path.write_text(path.read_text() + "learning_rat: 3\n")
    with pytest.raises(InputError, match="unknown key 'learning_rat'; did you mean 'learning_rate'"):
        load_training(path, "tiny")


@pytest.mark.parametrize("name", ["hybrid-unet"])
@pytest.mark.parametrize("config", ["cpu", "paper"])
def test_the_shipped_configurations_are_valid(name, config):
    from sxtbench.benchmark.method import baseline_folder

    path = baseline_folder(name) / "training" / f"{config}.yaml"
    for tier in ("tiny", "small"):
        assert load_training(path, tier).network["name"] == name
