"""Put a built board into a static Space of the Hugging Face Hub: the same files, one commit."""

from pathlib import Path
from typing import TYPE_CHECKING

from sxtbench.benchmark.board import MARKER
from sxtbench.errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = """---
title: sxtbench
emoji: 🔬
colorFrom: blue
colorTo: gray
sdk: static
app_file: index.html
pinned: false
license: cc-by-4.0
short_description: The leaderboard of soft X-ray tomography
---
The leaderboard of sxtbench, the benchmark of soft X-ray tomography. Built by `sxtbench board build` from the results in
its repository and put here by `sxtbench board publish`; changes made here are lost with the next one.
"""
_OF_A_NEW_SPACE = frozenset({".gitattributes", "README.md", "index.html", "style.css"})


def files_of(board: str | Path) -> dict[str, Path]:
    """Return what would be published: the paths of the board's files by their names in the Space.

    Raises
    ------
    InputError
        If the folder is no board.
    """
    folder = Path(board)
    if not (folder / MARKER).is_file():
        raise InputError(f"{folder}: is no board (it has no {MARKER}); `sxtbench board build` makes one")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path for path in paths}


def publish_board(board: str | Path, space: str, *, api: "HfApi | None" = None) -> str:
    """Make a static Space hold exactly the files of a board, and its card.

    Parameters
    ----------
    board : str or Path
        Folder that `build_board` made.
    space : str
        `ORG/NAME`; made where it does not exist.
    api : huggingface_hub.HfApi, optional
        The client; one that honours HF_ENDPOINT and HF_TOKEN where left out.

    Returns
    -------
    str
        Address of the commit.

    Raises
    ------
    InputError
        If the folder is no board, huggingface_hub is not installed, nobody is logged in, the Space holds something
        else, or the Hub cannot be reached.
    """
    files = files_of(board)
    try:
        from httpx2 import HTTPError
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
        from huggingface_hub.errors import HFValidationError, LocalTokenNotFoundError
    except ImportError as error:
        raise InputError("publishing needs huggingface_hub: pip install 'sxtbench[hub]'") from error
    client = api or HfApi()
    try:
        client.whoami()
        client.create_repo(space, repo_type="space", space_sdk="static", exist_ok=True)
        there = set(client.list_repo_files(space, repo_type="space"))
        if MARKER not in there and there - _OF_A_NEW_SPACE:
            odd = min(there - _OF_A_NEW_SPACE)
            raise InputError(f"{space}: holds something else than a board ({odd}); name another Space")
        stale = sorted(there - files.keys() - {".gitattributes", "README.md"})
        commit = client.create_commit(
            space,
            [
                CommitOperationAdd("README.md", CARD.encode()),
                *(CommitOperationAdd(name, str(path)) for name, path in files.items()),
                *(CommitOperationDelete(name) for name in stale),
            ],
            commit_message="Board",
            repo_type="space",
        )
    except LocalTokenNotFoundError as error:
        raise InputError("nobody is logged in at the Hub: set HF_TOKEN, or run `hf auth login`") from error
    except HFValidationError as error:
        raise InputError(f"{space}: no name of a Space, expected ORG/NAME ({_line(error)})") from error
    except (HTTPError, OSError) as error:
        raise InputError(
            f"{space}: the Hub did not take the board ({_line(error)}); run the same command again"
        ) from error
    return str(commit.commit_url)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
