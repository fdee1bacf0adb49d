"""`submit pack`, `submit validate` and `score` on a submission, as a user types them."""

import json
import shutil
from pathlib import Path

import pytest

from sxtbench.benchmark.evaluate import predict
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.result import load_result
from sxtbench.benchmark.task import Task
from sxtbench.cli import main

TASK = "limited-angle-segmentation"
WHO = ("--name", "mine", "--author", "A. Person", "--licence", "MIT", "--training-data", "none")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mini: Task) -> Path:
    """A working folder with answers, where `get_task` gives the mini task."""
    monkeypatch.setattr("sxtbench.benchmark.task.get_task", lambda *a, **k: mini)
    monkeypatch.setattr(Task, "at", lambda self, data: self)
    predict(load_method("trivial"), mini, tmp_path / "work" / "answers")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return int(caught.value.code or 0)


def test_pack_validate_score(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("submit", "pack", "answers", *WHO, "--out", "mine.zip") == 0
    assert call("submit", "validate", "mine.zip", "--tier", "tiny") == 0
    assert "mine.zip: valid; mine on limited-angle-segmentation@1, tiny, test" in capsys.readouterr().out
    assert call("score", "mine.zip", "--out", "a.json") == 0
    assert call("score", "mine.zip", TASK, "--tier", "tiny", "--out", "b.json") == 0
    assert (here / "a.json").read_bytes() == (here / "b.json").read_bytes()
    assert load_result(here / "a.json").origin == "scored"
    shutil.unpack_archive("mine.zip", "folder")
    assert call("submit", "validate", "folder") == 0
    content = json.loads((here / "folder" / "submission.json").read_text())
    (here / "folder" / "submission.json").write_text(json.dumps({**content, "task_hash": "0" * 64}))
    (here / "folder" / "extra").write_text("x")
    capsys.readouterr()
    assert call("submit", "validate", "folder") == 1
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 3
    assert told.err.strip().splitlines()[-1] == "sxtbench: folder: 3 faults"
    assert call("score", "folder", "--out", "c.json") == 1
    assert not (here / "c.json").exists()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("submit", "pack", "answers"), 2, "; method.authors: is not said; give --author"),
        (("submit", "pack", "answers", *WHO[2:]), 2, "method.name: trivial is that of a control; choose another"),
        (("submit", "pack", "nowhere"), 2, "nowhere: no such folder of predictions"),
        (("submit", "pack", "answers", "low-dose", *WHO), 2, f"holds answers to task {TASK}, not to low-dose"),
        (("submit", "pack", "answers", *WHO, "--track", "fast"), 2, "method.track: Input should be 'fixed', 'stream'"),
        (("submit", "pack", "answers", *WHO, "--link", "ftp://x"), 2, "method.links.0: String should match pattern"),
        (("submit", "validate", "nowhere.zip"), 2, "nowhere.zip: no such submission"),
        (("submit", "validate", "answers/identity.json"), 2, "is no ZIP that can be read"),
        (("score", "answers"), 2, "answers: name the task too"),
        (("score", "answers/identity.json", "--split", "train"), 2, "takes no --split"),
    ],
)
def test_wrong_use_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], status: int, said: str
) -> None:
    before = sorted(here.rglob("*"))
    assert call(*words) == status
    told = capsys.readouterr().err
    assert said in told.strip().splitlines()[-1]
    assert "Traceback" not in told
    assert sorted(here.rglob("*")) == before


def test_every_verb_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("pack", "validate", "schemas"):
        assert call("submit", verb, "--help") == 0
        assert "Example" in capsys.readouterr().out
