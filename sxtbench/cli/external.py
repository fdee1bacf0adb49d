"""Verbs on real datasets that a user has: external list, external check, external score."""

from pathlib import Path
from typing import Annotated

import typer

from sxtbench.cli.own_data import VoxelSize

Name = Annotated[str, typer.Argument(help="As `external list` names it.", show_default=False)]
Folder = Annotated[Path, typer.Argument(help="Where you keep its files.", show_default=False)]


def list_() -> None:
    """List the real datasets that are known, their licence, and what is missing of each.

    Example: `sxtbench external list`
    """
    from sxtbench.benchmark.external import get_external, list_external

    for name in list_external():
        entry = get_external(name)
        typer.echo(f"{name}: {entry.title}")
        typer.echo(f"  licence: {entry.licence}; {entry.citation}{f', doi {entry.doi}' if entry.doi else ''}")
        typer.echo(f"  {entry.source}")
        typer.echo(
            f"  files: {entry.volume.file}, {entry.labels.file}; scored as {entry.task}, classes {entry.classes}"
        )
        for line in entry.missing:
            typer.echo(f"  missing: {line}")


def check(name: Name, folder: Folder, voxel_size: VoxelSize = None) -> None:
    """Check your copy of a real dataset: checksums, shapes, LAC, labels. The first use keeps the checksums.

    Example: `sxtbench external check ncxt-sample-12 ./sample_12-files --voxel-size 34`
    """
    import numpy as np

    from sxtbench.benchmark.external import check_external
    from sxtbench.labels import NAMES

    found = check_external(name, folder, voxel_size_nm=voxel_size)
    for file, sha256 in found.sha256.items():
        typer.echo(f"{sha256}  {file}")
    shape = " x ".join(map(str, found.volume.shape))
    typer.echo(f"{shape} voxels (z, y, x) of {found.voxel_size_nm:g} nm")
    values, counts = np.unique(found.labels, return_counts=True)
    for value, count in zip(values, counts, strict=True):
        typer.echo(f"  {count:>9} voxels {NAMES[int(value)]}")
    typer.echo(f"{name}: the checksums of this first use are kept" if found.first_use else f"{name}: all is well")


def score(
    name: Name,
    folder: Folder,
    method: Annotated[str, typer.Argument(help="A baseline, or file.py:Class.", show_default=False)],
    tier: Annotated[
        str | None,
        typer.Option("--tier", "-t", help="Whose constants are taken (default: nearest).", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for <dataset>/<method>.json.")] = Path(
        "sxtbench-external"
    ),
    voxel_size: VoxelSize = None,
) -> None:
    """Score a method on a real dataset that you have. The result is no part of the board.

    Example: `sxtbench external score ncxt-sample-12 ./sample_12-files capillary-otsu --voxel-size 34`
    """
    from sxtbench.benchmark.external import check_external, get_external, save_external, score_external
    from sxtbench.benchmark.method import learns
    from sxtbench.benchmark.own import load_own_method, task_for
    from sxtbench.cli.console import ready, working
    from sxtbench.files import require_writable

    checked = check_external(name, folder, voxel_size_nm=voxel_size)
    task = task_for(method, checked.voxel_size_nm, get_external(name).task, tier)
    assert task is not None  # a task was named
    loaded = load_own_method(method, task)
    require_writable(out)
    if learns(loaded, "labels"):
        ready(task, ["train", "validation"])
    with working(f"{loaded.name} on {name}"):
        result = score_external(name, checked, loaded, task)
    for row in result["scores"]:
        label = "" if row["class"] is None else f" class {row['class']}"
        typer.echo(f"{row['metric']}{label}: {'-' if row['value'] is None else format(row['value'], '.3f')}")
    typer.echo(f"{loaded.name} as for {result['asked_as']}; one specimen, not ranked")
    typer.echo(save_external(result, out))


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    group = typer.Typer(help="Real datasets that you have: check them, score methods on them.", no_args_is_help=True)
    group.command(name="list")(list_)
    for verb in (check, score):
        group.command()(verb)
    app.add_typer(group, name="external")
