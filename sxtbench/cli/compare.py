"""The verb that sets two results side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sxtbench.benchmark.compare import Comparison


def compare(
    result: Annotated[Path, typer.Argument(help="A result.json.", show_default=False)],
    other: Annotated[Path, typer.Argument(help="The one that it is compared with.", show_default=False)],
    metric: Annotated[
        str | None, typer.Option("--metric", "-m", help="A metric's id (default: the primary).", show_default=False)
    ] = None,
    class_: Annotated[
        int | None, typer.Option("--class", "-c", help="One class of a metric with classes.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare two results on the same specimens: better, worse, tied or inconclusive.

    The verdict is at the reference level of every axis; the other levels and the areas under the curves stand below it.

    Example: `sxtbench compare mine.json fbp-otsu.json --metric dice@1`
    """
    from sxtbench.benchmark.compare import compare as compare_results
    from sxtbench.benchmark.compare import sentence
    from sxtbench.benchmark.result import load_result

    found = compare_results(load_result(result), load_result(other), metric, class_)
    if as_json:
        typer.echo(found.to_json())
        return
    _print_table(found)
    typer.echo(sentence(found))


def _print_table(found: "Comparison") -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sxtbench.benchmark.compare import difference_text
    from sxtbench.benchmark.records import MEAN_OF_LEVELS, condition_text
    from sxtbench.benchmark.statistics import from_scale
    from sxtbench.metrics.registry import get_metric

    metric = get_metric(found.metric)
    same = found.method == found.other
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("level")
    for name in (found.method, f"{found.other} (2)" if same else found.other):
        table.add_column(escape(name), justify="right", overflow="fold")
    for name in ("difference", "p (Holm)", "verdict"):
        table.add_column(name, justify="right" if name != "verdict" else "left")
    for point in (found, *found.levels):
        level = condition_text(point.level) or "reference"
        if MEAN_OF_LEVELS in point.level.values():
            level = f"area over {next(iter(point.level))}"
        means = [f"{from_scale(mean, metric.scale):.{metric.digits}f}" for mean in (point.mean, point.other_mean)]
        table.add_row(escape(level), *means, escape(difference_text(point)), f"{point.p_adjusted:.2g}", point.verdict)
    Console(highlight=False, width=None if _is_terminal() else 120).print(table)


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty()


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(compare)
