"""Verbs on submissions: submit pack, submit validate, submit schemas."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sxtbench.cli.console import Data, SeasonFolder, in_season, progress, ready

if TYPE_CHECKING:
    from sxtbench.benchmark.submission_checks import Findings, FindTask
    from sxtbench.benchmark.task import Task

SubmissionPath = Annotated[
    Path, typer.Argument(help="A ZIP that `submit pack` wrote, or a folder with the same files.")
]
OnlyTask = Annotated[
    str | None, typer.Option("--task", help="Refuse a submission to any other task.", show_default=False)
]
OnlyTier = Annotated[
    str | None, typer.Option("--tier", "-t", help="Refuse a submission to any other tier.", show_default=False)
]


def pack(
    predictions: Annotated[
        Path, typer.Argument(help="Folder that `predict` or `run` left, or one with <sample id>.npy.")
    ],
    task: Annotated[
        str | None, typer.Argument(help="The task, for answers that were made elsewhere.", show_default=False)
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option("--tier", "-t", help="The tier, for answers that were made elsewhere.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The ZIP to write.")] = Path("submission.zip"),
    name: Annotated[str, typer.Option("--name", help="Of the method.", show_default=False)] = "",
    author: Annotated[list[str] | None, typer.Option("--author", help="May be repeated.", show_default=False)] = None,
    link: Annotated[
        list[str] | None,
        typer.Option("--link", help="https://... of code or paper; may be repeated.", show_default=False),
    ] = None,
    licence: Annotated[str, typer.Option("--licence", help="Of the method's code.", show_default=False)] = "",
    track: Annotated[
        str, typer.Option("--track", help="fixed, stream or external: what it learned from.", show_default=False)
    ] = "",
    training_data: Annotated[
        str, typer.Option("--training-data", help="What it was trained and tuned on; `none` too.", show_default=False)
    ] = "",
    description: Annotated[str, typer.Option("--description", help="A sentence or two.", show_default=False)] = "",
    seed: Annotated[
        list[int] | None, typer.Option("--seed", help="Of a training; may be repeated.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option("--device", help="Such as `NVIDIA H200`.", show_default=False)] = "",
    parameters: Annotated[
        int | None, typer.Option("--parameters", min=0, help="Trainable parameters.", show_default=False)
    ] = None,
    data: Data = None,
    season: SeasonFolder = None,
) -> None:
    """Pack answers into one file that can be sent, and validate it.

    Example: `sxtbench submit pack ./answers --author "A. Person" --licence MIT --training-data none --out mine.zip`
    """
    from sxtbench.benchmark.pack import describe, find_answers
    from sxtbench.benchmark.pack import pack as write
    from sxtbench.benchmark.task import get_task
    from sxtbench.datasets.spec import PRIVATE
    from sxtbench.errors import InputError

    source = find_answers(predictions)
    for said, known, what in ((task, source.task, "task"), (tier, source.tier, "tier")):
        if said and known and said != known:
            raise InputError(f"{source.folder}: holds answers to {what} {known}, not to {said}")
    hidden = in_season(season, source.task or task, source.tier or tier)
    if not (task or source.task or hidden):
        raise InputError(f"{source.folder}: does not say which task it answers; name it, as in `submit pack DIR TASK`")
    chosen = (hidden or get_task(source.task or task or "", source.tier or tier or "tiny")).at(data)
    wanted = PRIVATE if hidden else "test"
    split = source.split or wanted
    if split == PRIVATE and not hidden:
        raise InputError(
            f"{source.folder}: holds answers to a season; name it, as in `submit pack DIR --season FOLDER`"
        )
    if split != wanted:
        raise InputError(f"{source.folder}: holds answers to the {split} split; only those to {wanted} are submitted")
    ready(chosen, [split, *chosen.beside(split)])
    method: dict[str, Any] = {"name": name, "authors": author, "links": link, "licence": licence, "track": track}
    method |= {"training_data": training_data, "description": description, "seeds": seed}
    resources = {"device": device, "parameters": parameters}
    submission = describe(source, chosen, split, method=method, resources=resources)
    with progress(f"pack {submission.method.name}", None) as done:
        write(source, submission, chosen, out, progress=done)
    typer.echo(f"submission: {out} ({out.stat().st_size / 1e6:.1f} MB), valid")


def validate(
    submission: SubmissionPath,
    task: OnlyTask = None,
    tier: OnlyTier = None,
    data: Data = None,
    season: SeasonFolder = None,
) -> None:
    """Check a submission: one line a fault, all of them; exit status 1 if there is any.

    Nothing is unpacked, run or generated. The dataset that was answered has to be here.

    Example: `sxtbench submit validate mine.zip`
    """
    from sxtbench.errors import CheckError, InputError

    found = check(submission, task, tier, data, in_season(season, task, tier))
    if found.faults:
        count = f"{len(found.faults)} fault{'s' * (len(found.faults) > 1)}"
        raise CheckError(f"{submission}: {count}{'; ' * bool(found.unchecked)}{found.unchecked}")
    if found.unchecked or found.submission is None:
        raise InputError(f"{submission}: {found.unchecked}")
    stated = found.submission
    typer.echo(
        f"{submission}: valid; {stated.method.name} on {stated.task}@{stated.version}, {stated.tier}, {stated.split}, "
        f"{found.answers} answers"
    )


def check(
    path: Path, task: str | None, tier: str | None, data: Path | None, hidden: "Task | None" = None
) -> "Findings":
    """Validate a submission, printing each fault; `hidden` is the task of a season."""
    from sxtbench.benchmark.submission_checks import check_submission

    with progress(f"check {path.name}", None) as done:
        find = only(hidden) if hidden else finder(task, tier, data)
        found = check_submission(path, find_task=find, progress=done)
    for fault in found.faults:
        typer.echo(fault)
    return found


def only(hidden: "Task") -> "FindTask":
    """Return what finds the task of a season, and refuses any other."""
    from sxtbench.errors import InputError

    def find(name: str, size: str) -> "Task":
        for found, wanted, what in ((name, hidden.name, "task"), (size, hidden.tier, "tier")):
            if found != wanted:
                raise InputError(f"{what} is {found}, expected {wanted}, that of the season")
        return hidden

    return find


def finder(task: str | None, tier: str | None, data: Path | None) -> "FindTask":
    """Return what finds the task of a submission, and refuses any but the one that was named."""
    from sxtbench.benchmark.task import get_task
    from sxtbench.errors import InputError

    def find(name: str, size: str) -> "Task":
        bare = task and task.partition("@")[0]
        for found, wanted, what in ((name, bare, "task"), (size, tier, "tier")):
            if wanted and found != wanted:
                raise InputError(f"{what} is {found}, expected {wanted}")
        return get_task(name, size).at(data)

    return find


def schemas(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the two files.")] = Path("leaderboard"),
) -> None:
    """Write the JSON Schemas of `submission.json` and of a result.

    Example: `sxtbench submit schemas --out schemas`
    """
    from sxtbench.benchmark.schemas import write_schemas
    from sxtbench.files import require_writable

    require_writable(out)
    for path in write_schemas(out):
        typer.echo(path)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    group = typer.Typer(help="Submissions: pack them, check them.", no_args_is_help=True)
    for verb in (pack, validate, schemas):
        group.command()(verb)
    app.add_typer(group, name="submit")
