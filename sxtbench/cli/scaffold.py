"""The verb `new`: the first files of a method or a task."""

from pathlib import Path
from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="Lower case with hyphens.", show_default=False)]


def method(
    name: Name,
    task: Annotated[str, typer.Option("--task", help="What it answers.")] = "limited-angle-segmentation",
    out: Annotated[Path, typer.Option("--out", "-o", help="Where its folder is made.")] = Path(),
) -> None:
    """Write a method that loads, runs and scores, to be changed.

    Example: `sxtbench new method my-method --task limited-angle-reconstruction`
    """
    from sxtbench.benchmark.scaffold import new_method

    written = new_method(name, out, task)
    for path in written:
        typer.echo(path)
    typer.echo(f"try it: sxtbench run {_spec(written[0])} {task} --tier tiny")


def task(
    name: Name,
    like: Annotated[str, typer.Option("--like", help="The task that it begins as.")] = "limited-angle-segmentation",
    out: Annotated[Path, typer.Option("--out", "-o", help="A checkout of sxtbench.")] = Path(),
) -> None:
    """Write the files of a task that begins as a copy of another, with specimens of its own.

    Example: `sxtbench new task my-task --like organelle-segmentation`
    """
    from sxtbench.benchmark.scaffold import new_task

    for path in new_task(name, out, like):
        typer.echo(path)
    typer.echo(f"try it, from the checkout: sxtbench generate {name} --tier tiny")


def _spec(path: Path) -> str:
    return f"{path}:{''.join(part.capitalize() for part in path.stem.split('_'))}"


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    group = typer.Typer(help="The first files of a method or a task of your own.", no_args_is_help=True)
    for verb in (method, task):
        group.command()(verb)
    app.add_typer(group, name="new")
