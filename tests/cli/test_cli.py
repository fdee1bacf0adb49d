"""The command line: exit status, one clear line, nothing half-written."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sxtbench.benchmark import task as tasks
from sxtbench.benchmark.task import Task
from sxtbench.cli import main

TASK = "limited-angle-segmentation"
TEN_LINES = (Path(__file__).parents[2] / "docs" / "methods.md").read_text().split("```python")[1].split("```")[0]


def test_the_readme_prints_the_method_that_is_tested() -> None:
    assert TEN_LINES in (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def as_mini(mini: Task, monkeypatch: pytest.MonkeyPatch) -> Task:
    """Make `get_task` give the mini task, with its dataset."""
    from sxtbench.benchmark import task as module

    monkeypatch.setattr(module, "get_task", lambda *a, **k: mini)
    monkeypatch.setattr(Task, "at", lambda self, data: self if data is None else tasks.replace(self, data=data))
    return mini


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return int(caught.value.code or 0)


def fails(capsys: pytest.CaptureFixture[str], said: str, *words: object, status: int = 2) -> None:
    assert call(*map(str, words)) == status
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("sxtbench: ")
    assert said in last
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "fbp-otsu", "limited-angle-segmentaton"), "did you mean 'limited-angle-segmentation'?"),
        (("run", "fbp-otsu", TASK, "--tier", "tyni"), "did you mean 'tiny'?"),
        (("run", "fbp-ots", TASK), "did you mean 'fbp-otsu'?"),
        (("run", "none.py:Mine", TASK), "none.py: no such method file"),
        (("run", "fbp-otsu", TASK, "--tear", "tiny"), "No such option: --tear"),
        (("run", "fbp-otsu"), "Missing argument 'task'"),
        (("rnu",), "No such command 'rnu'"),
        (("generate", TASK, "--splits", "tets"), "unknown split 'tets'"),
        (("generate", TASK, "--recipe", "none.yaml"), "none.yaml: no such file"),
        (("verify", "nowhere"), "no dataset there"),
        (("package", "nowhere"), "no dataset there"),
        (("info", "nowhere"), "no dataset folder and no result.json"),
        (("score", "nowhere", TASK, "--tier", "huge"), "unknown tier 'huge'"),
        (("show", "something", "--out", "x.png"), "expected TASK/TIER/SAMPLE-ID"),
        (("show", "a/b/c", "--out", "x.jpg"), "expected a name that ends in .png"),
        (("tune", "oracle", TASK), "unknown baseline 'oracle'"),
        (("bench", "simulat"), "No such command 'simulat'"),
        (("bench", "simulate", "--cells", "two"), "--cells"),
        (("bench", "projector", "--size", "8"), "expected whole numbers from 16 to 1024"),
        (("bench", "projector", "--size", "32", "--angles", "1"), "1 views, expected 2 to 2000"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    fails(capsys, said, *words)
    assert list(here.iterdir()) == []


def test_a_demo_without_torch_is_one_early_line(here: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')")
    search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "sxtbench", "demo", "--out", "demo"]
    environment = {**os.environ, "PYTHONPATH": search}
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("sxtbench: sxtbench.learning.answer_of needs torch: pip install 'sxtbench[learn]'")
    assert list(here.iterdir()) == []


def test_every_verb_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for words in "demo tasks baselines info show generate verify run predict score tune compare quantify".split():
        assert call(words, "--help") == 0
        assert "Example" in capsys.readouterr().out
    for words in (("board", "build"), ("bench", "simulate"), ("bench", "projector")):
        assert call(*words, "--help") == 0
        assert "Example" in capsys.readouterr().out
    assert call("--version") == 0


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("tasks") == 0
    assert "64 x 64 x 64 voxels of 90 nm, 4/2/6 specimens" in capsys.readouterr().out
    assert call("baselines") == 0
    assert "gradient-boosting" in capsys.readouterr().out


def test_generate_verify_info(mini: Task, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mini.data is not None
    shutil.copytree(mini.data, here / "data")
    assert call("verify", "data") == 0
    assert "all is well" in capsys.readouterr().out
    assert call("info", "data") == 0
    assert "test" in capsys.readouterr().out
    (here / "data" / "README.md").write_text("changed")
    fails(capsys, "1 problem found", "verify", "data", status=1)
    fails(capsys, "holds another dataset", "generate", TASK, "--out", "data")


def test_the_two_halves_and_pictures(as_mini: Task, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "my_method.py").write_text(TEN_LINES)
    assert call("predict", "my_method.py:Mine", TASK, "--out", "answers") == 0
    assert call("score", "answers", TASK, "--out", "result.json") == 0
    assert "mine on limited-angle-segmentation@1" in capsys.readouterr().out
    assert call("info", "result.json") == 0
    assert call("show", "result.json", "--out", "result.png") == 0
    assert call("show", f"{TASK}/tiny/test-00000", "-p", "answers", "--out", "sample.png") == 0
    assert (here / "sample.png").stat().st_size > 10_000
    bad = here / "answers" / "test-00001.npy"
    np.save(bad, np.zeros((32, 32, 31), np.uint8))
    (here / "result.json").unlink()
    fails(
        capsys, "test-00001: prediction has shape (32, 32, 31), expected (32, 32, 32)", "score", "answers", TASK
    )  # fmt: skip
    assert not (here / "result.json").exists()
    fails(capsys, "no sample 'test-00009'", "show", f"{TASK}/tiny/test-00009", "--out", "x.png")


def test_debug_shows_the_traceback(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--debug", "verify", "nowhere") == 2
    assert "Traceback" in capsys.readouterr().err


def test_tune_writes_a_config_and_reads_no_test_split(
    as_mini: Task, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = Task.dataset

    def watching(self: Task, split: str, **rest: object) -> object:
        seen.append(split)
        return real(self, split, **rest)

    monkeypatch.setattr(Task, "dataset", watching)
    from sxtbench.benchmark import tune as module

    config = module.read_yaml(module.baseline_folder("fbp-otsu") / "config.yaml")
    config["search"] = {"cell_level": [0.0, 0.5], "droplet_voxels": [0, 8]}
    monkeypatch.setattr(module, "read_yaml", lambda path: config)
    assert call("tune", "fbp-otsu", TASK, "--rounds", "1", "--config", "out.yaml") == 0
    assert (here / "out.yaml").is_file()
    assert "test" not in seen
    assert "validation" in seen


def test_board_from_the_shipped_results(here: Path) -> None:
    assert call("board", "build", "--out", "board") == 0
    assert (here / "board" / "index.html").is_file()


def test_run_in_a_process_of_its_own(here: Path) -> None:
    """The README's ten lines, as a user types the command."""
    (here / "my_method.py").write_text(TEN_LINES)
    command = [sys.executable, "-m", "sxtbench", "run", "my_method.py:Mine", TASK, "--tier", "tiny"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mine on limited-angle-segmentation@1, tiny, test" in done.stdout
    assert "beside the results that ship" in done.stdout
    assert (here / "sxtbench-run" / "board" / "index.html").is_file()
    (here / "my_method.py").write_text(TEN_LINES.replace("gaussian_filter(sample", "gaussian_filter(simple"))
    failed = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr.strip().splitlines()[-1].startswith("sxtbench: mine: predict(test-00000) raised NameError")
    assert "Traceback" not in failed.stderr


def test_ctrl_c_is_one_line_and_the_same_command_continues(here: Path) -> None:
    command = [sys.executable, "-m", "sxtbench", "generate", TASK, "--splits", "test", "--out", "data"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a test run in the background of a shell ignores Ctrl-C, and hands that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    rows = here / "data" / ".build"
    while process.poll() is None and not list(rows.glob("*.json")):
        pass
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "sxtbench: stopped; run the same command again to continue"
    done = len(list(rows.glob("*.json")))
    assert 0 < done < 6
    again = subprocess.run(command, capture_output=True, text=True, check=True, cwd=here)
    assert "6 specimens" in again.stdout
    assert f"{6 - done}/{6 - done}" in again.stderr
