"""What verbs share: options, the console, progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from sxtbench.benchmark.task import Task

console = Console(stderr=True, highlight=False)

TaskName = Annotated[str, typer.Argument(help="A task, as `sxtbench tasks` lists them.", show_default=False)]
Tier = Annotated[str, typer.Option("--tier", "-t", help="Size of the task: tiny, small or full.")]
Split = Annotated[str, typer.Option("--split", "-s", help="train, validation, test or shifted.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="The dataset's folder, where it is not under $SXTBENCH_HOME.", show_default=False),
]
Recipe = Annotated[
    Path | None,
    typer.Option("--recipe", help="Another recipe.yaml: another dataset, off the board.", show_default=False),
]
DataSeed = Annotated[
    int | None,
    typer.Option("--data-seed", help="Another seed of the data: another dataset, off the board.", show_default=False),
]
SeasonFolder = Annotated[
    Path | None,
    typer.Option("--season", help="The published folder of a season: its hidden test.", show_default=False),
]
Workers = Annotated[
    int, typer.Option("--workers", "-j", min=1, help="Processes that generate specimens, at most one a core.")
]
Processes = Annotated[int, typer.Option("--workers", "-j", min=1, help="Processes side by side, at most one a core.")]


def _reachable(scheduler: str | None) -> str | None:
    """Ask for workers of this version before anything is written."""
    if scheduler is not None:
        from sxtbench.cluster import require_cluster

        with working(f"ask {scheduler}"):
            require_cluster(scheduler)
    return scheduler


Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        callback=_reachable,
        metavar="ADDRESS",
        help="Of a running Dask cluster, tcp://HOST:8786, which then does the work (docs/cluster.md).",
        show_default=False,
    ),
]


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr and yield a function that takes the name of each thing done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[item]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(description, total=total, item="")

        def done(item: str) -> None:
            bar.update(task, advance=1, item=item)

        try:
            yield done
        except BaseException:
            bar.live.transient = not bar.tasks[task].completed  # of what never began only the error is told
            raise
        bar.update(task, item="")


@contextmanager
def working(description: str) -> Iterator[Callable[[str], None]]:
    """Show the time that has passed on stderr and yield a function that takes what is being done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[item]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:  # an error is then the last line
        task = bar.add_task(description, total=None, item="")
        yield lambda item: bar.update(task, item=item)
        bar.update(task, item="")


def in_season(season: Path | None, task: str | None, tier: str | None) -> "Task | None":
    """Return the task of a season, if one was named; raise `InputError` where another task or tier was named too."""
    if season is None:
        return None
    from sxtbench.benchmark.season import open_season
    from sxtbench.errors import InputError

    chosen = open_season(season).task
    for said, has, what in ((task and task.partition("@")[0], chosen.name, "task"), (tier, chosen.tier, "tier")):
        if said and said != has:
            raise InputError(f"{season}: is a season of {what} {has}, not of {said}")
    return chosen


def ready(task: "Task", splits: list[str], workers: int = 1, scheduler: str | None = None) -> None:
    """Generate the splits that are missing, with a bar where there is anything to do."""
    from sxtbench.datasets.build import build, missing_specimens
    from sxtbench.datasets.dataset import home

    for spec, place, chosen in task.places_of(splits):
        folder = place or home() / "datasets" / spec.name
        missing = missing_specimens(spec, folder, chosen)
        if missing:
            with progress(f"generate {spec.name}", missing) as done:
                build(spec, folder, splits=chosen, workers=workers, scheduler=scheduler, progress=done)
