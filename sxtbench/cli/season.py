"""Verbs on seasons, hidden tests without a server: season create, score, reveal, verify."""

from pathlib import Path
from typing import Annotated

import typer

from sxtbench.cli.console import TaskName, Tier, Workers, progress
from sxtbench.cli.submit import only

SeasonFolder = Annotated[Path, typer.Argument(help="A season: what `season create` made, or what was published.")]


def create(
    task: TaskName,
    tier: Tier = "tiny",
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", min=2, help="Specimens (default: as many as test).", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Gets public/ and organiser/.")] = Path("season"),
    limit: Annotated[int, typer.Option("--limit", min=1, help="Submissions a team that are scored.")] = 3,
    workers: Workers = 1,
) -> None:
    """Draw a secret split, publish its inputs and a commitment to its truth; a run that was stopped continues.

    Example: `sxtbench season create limited-angle-segmentation --tier small --count 24 --out ./season-2027`
    """
    from sxtbench.benchmark.season_create import create as make
    from sxtbench.benchmark.season_create import missing
    from sxtbench.benchmark.task import get_task

    chosen = get_task(task, tier)
    wanted = count or chosen.dataset_spec.sizes["test"]
    with progress("generate", missing(chosen, out, wanted)) as done:
        season = make(chosen, out, count=wanted, submissions_a_team=limit, workers=workers, progress=done)
    typer.echo(f"publish: {season.public} ({season.stated.specimens} specimens)")
    typer.echo(f"keep:    {season.organiser} (seed and truth: in no repository, on no shared disk, with a backup)")
    typer.echo(f"commitment {season.stated.commitment}")


def score(
    folder: SeasonFolder,
    submissions: Annotated[list[Path], typer.Argument(help="ZIPs that `submit pack --season` wrote, or folders.")],
    team: Annotated[
        str, typer.Option("--team", help="Who sent them (default: the authors, as they say).", show_default=False)
    ] = "",
) -> None:
    """Check and score submissions: means are published at once, values of samples with the reveal.

    Example: `sxtbench season score ./season-2027 mine.zip --team "Lab A"`
    """
    from sxtbench.benchmark.season import AGGREGATES, open_season
    from sxtbench.benchmark.season_score import enter, hidden_task
    from sxtbench.benchmark.submission_checks import check_submission
    from sxtbench.errors import CheckError

    season = open_season(folder)
    task = hidden_task(season)
    refused = 0
    for path in submissions:
        with progress(f"check {path.name}", None) as done:
            found = check_submission(path, find_task=only(task), progress=done)
        if found.faults or found.submission is None:
            for fault in [*found.faults, *filter(None, [found.unchecked])]:
                typer.echo(f"{path}: {fault}")
            refused += 1
            continue
        try:
            with progress(f"score {path.name}", season.stated.specimens) as done:
                entry, new = enter(season, path, found.submission, team=team, progress=done)
        except CheckError as error:
            typer.echo(str(error))
            refused += 1
            continue
        again = "" if new else ", scored before"
        typer.echo(f"{path}: {entry.method} of {entry.team}{again}: {season.public / AGGREGATES / entry.result}")
    if refused:
        raise CheckError(f"{folder}: {refused} of {len(submissions)} submissions not scored")


def reveal(folder: SeasonFolder) -> None:
    """End a season: copy seed, truth and results to public/. Nothing is scored in it afterwards.

    Example: `sxtbench season reveal ./season-2027`
    """
    from sxtbench.benchmark.season import open_season
    from sxtbench.benchmark.season_reveal import reveal as copy

    season = open_season(folder)
    typer.echo(f"revealed: {copy(season)}; publish {season.public} again")


def verify(
    folder: SeasonFolder,
    submissions: Annotated[
        list[Path] | None, typer.Argument(help="Submissions whose scores to compute again.", show_default=False)
    ] = None,
    workers: Workers = 1,
) -> None:
    """Check a revealed season: commitment, the split made anew from the seed, scores; exit 1 where something is wrong.

    Example: `sxtbench season verify ./public mine.zip`
    """
    from sxtbench.benchmark.season import open_season
    from sxtbench.benchmark.season_verify import verify_season
    from sxtbench.errors import CheckError

    season = open_season(folder)
    with progress(f"verify {folder.name}", None) as done:
        problems = verify_season(season, submissions or (), workers=workers, progress=done)
    for line in problems:
        typer.echo(line)
    if problems:
        raise CheckError(f"{folder}: {len(problems)} problem{'s' * (len(problems) > 1)} found")
    count = len(submissions or ())
    again = f", {count} submission{'s' * (count > 1)} scored again" if count else ""
    typer.echo(f"{folder}: all is well; {season.stated.specimens} specimens made anew from the seed{again}")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    group = typer.Typer(help="Seasons: hidden tests without a server.", no_args_is_help=True)
    for verb in (create, score, reveal, verify):
        group.command()(verb)
    app.add_typer(group, name="season")
