"""Verbs on the board: board build, board add, board check, board publish."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    Path | None,
    typer.Argument(help="Folder of <task>/<tier>/<method>.json (default: the results that ship).", show_default=False),
]
BoardFolder = Annotated[Path, typer.Argument(help="Folder that `board build` made.")]


def build(
    results: Results = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the board.")] = Path("sxtbench-board"),
    workers: Annotated[int, typer.Option("--workers", "-j", min=1, help="Processes that read results.")] = 1,
) -> None:
    """Build the board: pages that open from disk, without a server or a network.

    Example: `sxtbench board build --out ./board`
    """
    from sxtbench.benchmark.board import build_board

    build_board(_shipped(results), out, workers=workers)
    typer.echo(out / "index.html")


def add(
    files: Annotated[list[Path], typer.Argument(help="Results that `run` or `score` wrote.")],
    results: Annotated[Path, typer.Option("--results", help="Folder of <task>/<tier>/<method>.json.")] = Path(
        "leaderboard/results"
    ),
    replace: Annotated[bool, typer.Option("--replace", help="Replace results of the same name.")] = False,
) -> None:
    """Put results and their pictures into a leaderboard, once they pass its checks.

    Example: `sxtbench board add sxtbench-run/results/low-dose/tiny/mine.json`
    """
    from sxtbench.benchmark.board_add import add_result

    for file in files:
        typer.echo(add_result(file, results, replace=replace))


def check(
    results: Results = None,
    board: Annotated[
        Path | None, typer.Option("--board", help="A built board, to be equal to the results.", show_default=False)
    ] = None,
) -> None:
    """Check a leaderboard: one line a fault, all of them; exit status 1 if there is any.

    Example: `sxtbench board check leaderboard/results --board ./board`
    """
    from sxtbench.benchmark.board_check import check_drift, check_results
    from sxtbench.errors import CheckError

    folder = _shipped(results)
    faults = check_results(folder)
    if board is not None and not faults:
        faults = check_drift(folder, board)
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise CheckError(f"{folder}: {len(faults)} fault{'s' * (len(faults) > 1)}")
    typer.echo(f"{folder}: valid{'' if board is None else f', and {board} is what it gives'}")


def publish(
    board: BoardFolder,
    space: Annotated[str, typer.Option("--space", help="ORG/NAME of a static Space.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files, send nothing.")] = False,
) -> None:
    """Put a built board into a static Space of the Hugging Face Hub.

    Example: `sxtbench board publish ./board --space my-lab/sxtbench --dry-run`
    """
    from sxtbench.benchmark.board_publish import files_of, publish_board

    if not dry_run:
        typer.echo(publish_board(board, space))
        return
    files = files_of(board)
    sizes = {name: path.stat().st_size for name, path in files.items()}
    for name, size in sizes.items():
        typer.echo(f"{size:>10} {name}")
    typer.echo(f"{sum(sizes.values()) / 1e6:.1f} MB in {len(files)} files would go to the Space {space}")


def _shipped(results: Path | None) -> Path:
    from sxtbench.content import content_folder

    return results or content_folder("leaderboard") / "results"


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    group = typer.Typer(help="The leaderboard.", no_args_is_help=True)
    for verb in (build, add, check, publish):
        group.command()(verb)
    app.add_typer(group, name="board")
