"""The main job in one command: the tiny datasets, the baselines, their scores, the board."""

from pathlib import Path
from typing import Annotated

import typer

from sxtbench.cli.console import console, ready


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Everything goes there and nowhere else.")] = Path(
        "sxtbench-demo"
    ),
    everything: Annotated[bool, typer.Option("--all", help="Every task and baseline, the slow ones too.")] = False,
) -> None:
    """Generate the tiny datasets, run the baselines, score them and build a board.

    Example: `sxtbench demo --out ./sxtbench-demo`
    """
    from sxtbench.benchmark.board import build_board
    from sxtbench.benchmark.method import list_baselines, load_for
    from sxtbench.benchmark.run import run
    from sxtbench.benchmark.task import get_task, list_tasks
    from sxtbench.benchmark.wording import mean_and_span
    from sxtbench.files import require_writable
    from sxtbench.metrics import get_metric

    tasks = [get_task(name, "tiny") for name in list_tasks()]
    methods = {t.name: list_baselines(t.name, t.tier) if everything else t.report.demo for t in tasks}
    for task in tasks:
        for baseline in methods[task.name]:
            load_for(task, baseline)  # what a method lacks is said before minutes are spent
    require_writable(out)
    for task in tasks:
        if not methods[task.name]:
            continue
        task = task.at(out / "data" / task.dataset_spec.name)
        console.print(f"{task.name}, tiny", markup=False)
        ready(task, ["train", "validation", "test", *task.beside("test")])
        for baseline in methods[task.name]:
            result = run(baseline, task, out)
            score = mean_and_span(result.headline, get_metric(result.primary))
            console.print(f"  {baseline:<20} {result.primary} {score}", markup=False, soft_wrap=True)
    build_board(out / "results", out / "board")
    typer.echo(f"Open the board: {(out / 'board' / 'index.html').resolve()}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(demo)
