"""Speed and memory, measured here and now."""

from pathlib import Path
from typing import Annotated

import typer

from sxtbench.errors import InputError

app = typer.Typer(help="Measure speed and memory on this machine.", no_args_is_help=True)


@app.command()
def simulate(
    size: Annotated[int, typer.Option("--size", min=32, max=512, help="Voxels along an edge.")] = 256,
    cells: Annotated[str, typer.Option("--cells", help="Numbers of cells, comma-separated.")] = "1,2,3,4",
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Specimens of which medians are printed.")] = 5,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write the table there.", show_default=False)
    ] = None,
) -> None:
    """Time the simulator stage by stage, from specimen to stored FBP, beside the SimAQ paper and ASTRA; peak memory.

    Two cases: the task's recipe, and SimAQ's with 110 views. At 512 this takes about 15 minutes on two cores.

    Example: `sxtbench bench simulate --size 512 --cells 2`
    """
    from sxtbench.benchmark.benches import simulate_table
    from sxtbench.cli.console import console
    from sxtbench.files import require_writable, write_text

    numbers = _numbers("--cells", cells)
    if out is not None:
        require_writable(out.parent)
    with console.status("simulator") as status:
        table = simulate_table(size, numbers, repeats, status.update)
    if out is not None:
        write_text(out, table + "\n")
    typer.echo(table)


@app.command()
def projector(
    size: Annotated[str, typer.Option("--size", help="Edges of the volumes, comma-separated.")] = "128,256,512",
    angles: Annotated[int, typer.Option("--angles", help="Views over 180 degrees.")] = 120,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write the Markdown table there.", show_default=False)
    ] = None,
) -> None:
    """Set the projector beside ASTRA, scikit-image, a sparse matrix and finufft, and beside the limits of the machine.

    Example: `sxtbench bench projector --size 128,256`
    """
    from sxtbench.benchmark.projector_bench import projector_table
    from sxtbench.cli.console import console
    from sxtbench.files import require_writable, write_text

    sizes = _numbers("--size", size)
    if out is not None:
        require_writable(out.parent)
    with console.status("projectors") as status:
        table = projector_table(sizes, angles, status.update)
    if out is not None:
        write_text(out, table + "\n")
    typer.echo(table)


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} {text!r}: expected whole numbers, comma-separated, such as 1,2,4") from None


def register(verbs: typer.Typer) -> None:
    """Add the verbs to the command line."""
    verbs.add_typer(app, name="bench")
