"""Speed and memory, measured here and now."""

from enum import StrEnum
from typing import Annotated

import typer

from sxtbench.errors import InputError


class Benchmark(StrEnum):
    """What can be measured."""

    simulate = "simulate"


def bench(
    name: Annotated[Benchmark, typer.Argument(help="What to measure.")],
    size: Annotated[int, typer.Option("--size", min=32, max=512, help="Voxels along an edge.")] = 256,
    cells: Annotated[str, typer.Option("--cells", help="Numbers of cells, comma-separated.")] = "1,2,3,4",
) -> None:
    """Print the time of each stage of one sample, from specimen to stored FBP, and the peak memory.

    Example: `sxtbench bench simulate --size 256`
    """
    try:
        wanted = [int(text) for text in cells.split(",")]
    except ValueError:
        raise InputError(f"--cells {cells!r}: expected whole numbers, comma-separated, such as 1,2,4") from None
    from sxtbench.benchmark.benches import simulate_table

    typer.echo(simulate_table(size, wanted))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(bench)
