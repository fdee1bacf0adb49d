"""`season create`, `score`, `reveal`, `verify`, and the verbs that take `--season`, as a user types them."""

from pathlib import Path

import pytest
from mini_tasks import mini_task

from sxtbench.benchmark.result import load_result
from sxtbench.cli import main

TASK = "limited-angle-segmentation"
WHO = ("--name", "mine", "--author", "A. Person", "--licence", "MIT", "--training-data", "none")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder where `get_task` gives the mini task."""
    task = mini_task()
    for place in ("task", "season"):
        monkeypatch.setattr(f"sxtbench.benchmark.{place}.get_task", lambda *a, **k: task)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return int(caught.value.code or 0)


def test_a_season_from_creation_to_verification(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("season", "create", TASK, "--count", 2, "--limit", 1, "--out", "s") == 0
    assert "publish: s/public (2 specimens)" in capsys.readouterr().out
    assert call("predict", "trivial", "--season", "s/public", "--out", "answers") == 0
    assert call("submit", "pack", "answers", *WHO, "--season", "s/public", "--out", "mine.zip") == 0
    assert call("submit", "validate", "mine.zip", "--season", "s") == 0
    assert "mine.zip: valid; mine on limited-angle-segmentation@1, tiny, private, 2 answers" in capsys.readouterr().out
    assert call("submit", "validate", "mine.zip") == 1
    assert "split is private, expected test" in capsys.readouterr().out
    assert call("submit", "pack", "answers", *WHO) == 2
    assert "holds answers to a season; name it" in capsys.readouterr().err
    assert call("season", "score", "s", "mine.zip") == 0
    assert "mine.zip: mine of A. Person: s/public/aggregates/001-mine.json" in capsys.readouterr().out
    assert load_result("s/public/aggregates/001-mine.json").rows == ()
    assert call("submit", "pack", "answers", *WHO[2:], "--name", "two", "--season", "s", "--out", "two.zip") == 0
    assert call("season", "score", "s", "mine.zip", "two.zip") == 1
    told = capsys.readouterr()
    assert "mine.zip: mine of A. Person, scored before" in told.out
    assert "two.zip: not scored, A. Person has had 1 of 1 submissions" in told.out
    assert told.err.strip().splitlines()[-1] == "sxtbench: s: 1 of 2 submissions not scored"
    assert call("season", "verify", "s") == 2
    assert call("season", "reveal", "s") == 0
    assert call("season", "verify", "s/public", "mine.zip") == 0
    assert "all is well; 2 specimens made anew from the seed, 1 submission scored again" in capsys.readouterr().out
    assert call("season", "score", "s", "two.zip") == 2
    (here / "s" / "public" / "aggregates" / "001-mine.json").write_text("{}")
    assert call("season", "verify", "s/public") == 1
    told = capsys.readouterr()
    assert told.out.strip().splitlines()[-1] == "aggregates/001-mine.json: has changed since it was scored"
    assert told.err.strip().splitlines()[-1] == "sxtbench: s/public: 1 problem found"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("season", "create", TASK, "--count", 1), "Input should be greater than or equal to 2"),
        (("season", "create", TASK, "--limit", 0), "Input should be greater than or equal to 1"),
        (("season", "score", "nowhere", "mine.zip"), "nowhere: no season there (no commitment.json)"),
        (("season", "score", "nowhere"), "Missing argument 'submissions'"),
        (("season", "reveal", "nowhere"), "nowhere: no season there"),
        (("season", "verify", "nowhere"), "nowhere: no season there"),
        (("predict", "trivial", "--season", "nowhere"), "nowhere: no season there"),
        (("submit", "validate", "mine.zip", "--season", "nowhere"), "nowhere: no season there"),
    ],
)
def test_wrong_use_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert call(*words) == 2
    told = capsys.readouterr().err
    assert said in told.strip().splitlines()[-1]
    assert "Traceback" not in told
    assert list(here.iterdir()) == []
