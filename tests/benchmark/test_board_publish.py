from types import SimpleNamespace

import pytest

from sxtbench.benchmark.board import build_board
from sxtbench.benchmark.board_publish import files_of, publish_board
from sxtbench.cli import main
from sxtbench.errors import InputError

hub = pytest.importorskip("huggingface_hub")
errors = pytest.importorskip("huggingface_hub.errors")
httpx = pytest.importorskip("httpx2")  # what huggingface_hub speaks through


class Hub:
    """What `publish_board` asks of the Hub, kept in memory."""

    def __init__(self, there=(), fails=None):
        self.there, self.fails, self.made, self.operations = list(there), fails, None, []

    def whoami(self):
        if self.fails:
            raise self.fails
        return {"name": "me"}

    def create_repo(self, name, **options):
        self.made = (name, options)

    def list_repo_files(self, name, repo_type):
        return self.there

    def create_commit(self, name, operations, commit_message, repo_type):
        self.operations = operations
        return SimpleNamespace(commit_url=f"https://hub/{name}/commit/1")

    def paths(self, kind):
        return {o.path_in_repo for o in self.operations if type(o).__name__ == f"CommitOperation{kind}"}


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    root = tmp_path_factory.mktemp("publish")
    (root / "results").mkdir()
    return build_board(root / "results", root / "board").parent


def test_a_new_space_gets_the_same_files_and_a_card(board):
    api = Hub([".gitattributes", "README.md", "index.html", "style.css"])
    assert publish_board(board, "lab/sxtbench", api=api) == "https://hub/lab/sxtbench/commit/1"
    assert api.made == ("lab/sxtbench", {"repo_type": "space", "space_sdk": "static", "exist_ok": True})
    assert api.paths("Add") == {str(p.relative_to(board)) for p in board.rglob("*") if p.is_file()} | {"README.md"}
    assert api.paths("Delete") == {"style.css"}
    added = {o.path_in_repo: o for o in api.operations if o.path_in_repo in ("README.md", "index.html")}
    with added["index.html"].as_file() as file:
        assert file.read() == (board / "index.html").read_bytes()
    with added["README.md"].as_file() as file:
        assert b"sdk: static" in file.read()


def test_an_older_board_is_replaced_and_stale_pages_go(board):
    api = Hub([".gitattributes", "README.md", "index.html", "board.json", "methods/gone.html"])
    publish_board(board, "lab/sxtbench", api=api)
    assert api.paths("Delete") == {"methods/gone.html"}


def test_another_space_is_not_touched(board):
    api = Hub([".gitattributes", "README.md", "app.py"])
    with pytest.raises(InputError, match=r"holds something else than a board \(app\.py\)"):
        publish_board(board, "lab/demo", api=api)
    assert api.operations == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errors.LocalTokenNotFoundError("no token"), "set HF_TOKEN"),
        (ConnectionError("no route to host"), "did not take the board .no route to host."),
        (httpx.ConnectError("refused"), "did not take the board .refused."),
    ],
)
def test_what_stands_in_the_way_is_said_in_one_line(board, error, says):
    with pytest.raises(InputError, match=says):
        publish_board(board, "lab/sxtbench", api=Hub(fails=error))


def test_a_folder_that_is_no_board_is_not_published(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="is no board"):
        files_of(tmp_path)


def test_a_dry_run_lists_and_sends_nothing(board, capsys, monkeypatch):
    monkeypatch.setattr(hub, "HfApi", None)  # would fail if it were used
    with pytest.raises(SystemExit) as status:
        main(["board", "publish", str(board), "--space", "lab/sxtbench", "--dry-run"])
    assert status.value.code == 0
    printed = capsys.readouterr().out
    assert "index.html" in printed
    assert "files would go to the Space lab/sxtbench" in printed
