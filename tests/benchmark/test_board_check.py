import json
import shutil

import pytest
from fake_results import TASK, fake_result, write_results

from sxtbench.benchmark.board import build_board
from sxtbench.benchmark.board_check import check_drift, check_results
from sxtbench.benchmark.task import get_task
from sxtbench.cli import main
from sxtbench.errors import InputError


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    root = tmp_path_factory.mktemp("right")
    write_results(root)
    for path in (root / "results").rglob("*.json"):
        rewrite(path, task_hash=get_task(TASK).hash)
    build_board(root / "results", root / "board")
    return root


@pytest.fixture
def copy(right, tmp_path):
    shutil.copytree(right, tmp_path / "copy")
    return tmp_path / "copy"


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_right_leaderboard_and_its_board_have_no_fault(right):
    assert check_results(right / "results") == []
    assert check_drift(right / "results", right / "board") == []


def test_every_fault_is_listed_with_its_file(copy):
    folder = copy / "results" / TASK / "tiny"
    rewrite(folder / "fbp-otsu.json", task_hash="d" * 64)
    rewrite(folder / "watershed.json", surprise=1)
    rewrite(folder / "unet-2.5d.json", version=9)
    rewrite(folder / "oracle.json", aggregates=json.loads((folder / "trivial.json").read_text())["aggregates"])
    (folder / "notes.txt").write_text("hello")
    (folder.parent / "stray.json").write_text("{}")
    (copy / "previews" / TASK / "tiny" / "truth.png").write_bytes(b"<svg>")
    (copy / "previews" / TASK / "tiny" / "odd.png").write_bytes(b"")
    faults = check_results(copy / "results")
    expected = {
        "fbp-otsu.json": "unknown task hash dddddddddddd",
        "watershed.json": "surprise",
        "unet-2.5d.json": "unknown version",
        "oracle.json": "its rows give",
        "notes.txt": "no result, expected",
        "stray.json": "no result, expected",
        "truth.png": "not a readable PNG",
        "odd.png": "no result names this picture",
    }
    for name, says in expected.items():
        [fault] = [line for line in faults if f"{name}:" in line]
        assert says in fault
    extra = [line for line in faults if not any(f"{name}:" in line for name in expected)]
    assert all("no result names this picture" in line for line in extra)  # those of the results that cannot be read
    assert not any("\n" in line for line in faults)


def test_drift_is_seen_in_every_direction(copy):
    fake_result("late", 0.3, task_hash=get_task(TASK).hash).save(copy / "results" / TASK / "tiny" / "late.json")
    (copy / "board" / "index.html").write_text("edited by hand")
    (copy / "board" / "extra.html").write_text("")
    faults = "\n".join(check_drift(copy / "results", copy / "board"))
    assert "late.html: missing" in faults
    assert "extra.html: not of this board" in faults
    assert "index.html: differs" in faults
    assert "static/board.css" not in faults


def test_no_board_is_no_drift(copy, tmp_path):
    with pytest.raises(InputError, match="is no board"):
        check_drift(copy / "results", tmp_path)


def test_the_verb_ends_with_1_on_a_fault_and_with_0_without(copy, capsys):
    def status(*words):
        with pytest.raises(SystemExit) as end:
            main(["board", "check", str(copy / "results"), *words])
        return end.value.code

    assert status("--board", str(copy / "board")) == 0
    (copy / "board" / "index.html").write_text("edited by hand")
    assert status("--board", str(copy / "board")) == 1
    printed = capsys.readouterr()
    assert "index.html: differs" in printed.out
    assert "results: 1 fault" in printed.err
