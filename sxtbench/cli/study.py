"""The figures of the interior-tomography paper, one command each."""

from pathlib import Path
from typing import Annotated

import typer

from sxtbench.errors import InputError
from sxtbench.studies import STUDIES


def listing() -> str:
    """Return a line a study: name, figure, time, what it shows."""
    lines = [
        f"{name:<20} fig. {entry.figure:<3} {f'{entry.minutes:g} min':<7} {entry.title}"
        for name, entry in STUDIES.items()
    ]
    return "\n".join(lines)


def study(
    name: Annotated[
        str | None, typer.Argument(help="A study; without one they are listed.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the page, figures and tables.", show_default=False)
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="A small size: under a minute.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's sizes: hours.")] = False,
    specimen: Annotated[
        Path | None,
        typer.Option(
            "--specimen",
            help="A cell of OpenOrganelle, N5 or Zarr, instead of our own.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of noise and of our own specimen.")] = 0,
) -> None:
    """Run a figure of the interior-tomography paper as an experiment, and set it beside the published one.

    Exit status 1 where a check fails.

    Example: `sxtbench study interior-nullspace --fast --out ./nullspace`
    """
    if name is None:
        typer.echo(listing())
        return
    if name not in STUDIES:
        raise InputError(f"there is no study {name!r}, expected one of: {', '.join(STUDIES)}")
    if fast and paper:
        raise InputError("--fast and --paper exclude each other: give one, or neither for the default size")
    if out is None:
        raise InputError(f"sxtbench study {name}: --out is missing, expected a folder for the page and figures")
    from sxtbench.benchmark.environment import cpu
    from sxtbench.cli.console import console, working
    from sxtbench.studies.study import run_study

    with working(f"study {name}") as report:
        findings = run_study(
            name,
            out,
            size="fast" if fast else "paper" if paper else "default",
            specimen=specimen,
            seed=seed,
            report=report,
            machine=cpu(),
        )
    for check in findings.checks:
        mark = "pass" if check.passed else "FAIL"
        typer.echo(f"{mark}  {check.kind:<5}  {check.name}: {check.value:.5g} (wanted: {check.wanted})")
    typer.echo(f"Open the page: {(out / 'report.md').resolve()}")
    if not findings.passed:
        console.print("a check failed; the page says which", markup=False)
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    studies = "\n\n".join(f"{line}" for line in listing().splitlines())
    app.command(epilog=f"Studies, the figure of the paper, the time on two cores:\n\n{studies}")(study)
