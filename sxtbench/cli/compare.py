"""Verbs on results: set them side by side, and put those of several training seeds into one."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sxtbench.errors import InputError

if TYPE_CHECKING:
    from sxtbench.benchmark.compare import Comparison
    from sxtbench.benchmark.result import Result


def compare(
    result: Annotated[Path, typer.Argument(help="A result.json.", show_default=False)],
    others: Annotated[list[Path], typer.Argument(help="What it is compared with, one or more.", show_default=False)],
    metric: Annotated[
        str | None, typer.Option("--metric", "-m", help="A metric's id (default: the primary).", show_default=False)
    ] = None,
    class_: Annotated[
        int | None, typer.Option("--class", "-c", help="One class of a metric with classes.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare two results on the same specimens: better, worse, tied or inconclusive. Three or more are ranked.

    The verdict is at the reference level of every axis; the other levels and the areas under the curves stand below it.
    Ranks are by the primary metric and have their bootstrap intervals; verdicts are adjusted for all pairs.

    Example: `sxtbench compare mine.json fbp-otsu.json --metric dice@1`, `sxtbench compare results/*.json`
    """
    from sxtbench.benchmark.compare import compare as compare_results
    from sxtbench.benchmark.compare import sentence
    from sxtbench.benchmark.result import load_result

    if len(others) > 1:
        if metric is not None or class_ is not None:
            raise InputError("--metric and --class go with two results; more are ranked by their primary metric")
        _print_ranking([load_result(path) for path in (result, *others)], as_json)
        return
    found = compare_results(load_result(result), load_result(others[0]), metric, class_)
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


def _print_ranking(results: "list[Result]", as_json: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sxtbench.benchmark.compare import FEWEST_GROUPS, compare_all
    from sxtbench.benchmark.ranks import rank_intervals, ranks_text
    from sxtbench.benchmark.standings import ranks_of
    from sxtbench.benchmark.statistics import merit
    from sxtbench.benchmark.wording import DASH, mean_and_span, metric_title
    from sxtbench.metrics.registry import get_metric

    metric = get_metric(results[0].primary)
    results = sorted(results, key=lambda r: (math.isnan(r.headline.mean), -merit(r.headline.mean, metric)))
    verdicts, intervals = compare_all(results), rank_intervals(results)
    ranks = ranks_of([result.headline.mean for result in results])
    if as_json:
        lines = [
            {"method": r.method.name, "rank": rank, "rank_interval": interval, **r.headline.model_dump(mode="json")}
            for r, rank, interval in zip(results, ranks, intervals, strict=True)
        ]
        pairs = [json.loads(verdicts[i, j].to_json()) for i, j in verdicts if i < j]
        typer.echo(json.dumps({"ranking": lines, "pairs": pairs}, sort_keys=True, indent=1))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("rank", "95 % of ranks", "method", metric_title(metric), "against the next"):
        table.add_column(name, overflow="fold")
    for i, result in enumerate(results):
        span = ranks_text(intervals[i])
        verdict = verdicts[i, i + 1].verdict if (i, i + 1) in verdicts else ""
        name, rank = escape(result.method.name), DASH if ranks[i] is None else str(ranks[i])
        table.add_row(rank, span, name, escape(mean_and_span(result.headline, metric)), verdict)
    Console(highlight=False, width=None if _is_terminal() else 120).print(table)
    if None in intervals:
        typer.echo(f"Ranks have no interval, and no verdict is given, below {FEWEST_GROUPS} specimens.")


def combine(
    results: Annotated[list[Path], typer.Argument(help="Results of one method, a training seed each.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The result to write.")] = Path("result.json"),
) -> None:
    """Put results of one method that was trained with three or more seeds into one; its intervals cover the seeds too.

    Example: `sxtbench combine seed0.json seed1.json seed2.json --out mine.json`
    """
    from sxtbench.benchmark.combine import combine as combine_results
    from sxtbench.benchmark.result import load_result

    found = combine_results([load_result(path) for path in results])
    path = found.save(out)
    typer.echo(found.summary())
    typer.echo(f"result: {path}")


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty()


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(compare)
    app.command()(combine)
