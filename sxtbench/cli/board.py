"""Verbs on the board."""

from pathlib import Path
from typing import Annotated

import typer


def build(
    results: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of <task>/<tier>/<method>.json (default: the results that ship).", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the board.")] = Path("sxtbench-board"),
) -> None:
    """Build the board: pages that open from disk, without a server or a network.

    Example: `sxtbench board build --out ./board`
    """
    from sxtbench.benchmark.board import build_board
    from sxtbench.content import content_folder

    build_board(results or content_folder("leaderboard") / "results", out)
    typer.echo(out / "index.html")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    group = typer.Typer(help="The leaderboard.", no_args_is_help=True)

    @group.callback()
    def _group() -> None:
        pass

    group.command()(build)
    app.add_typer(group, name="board")
