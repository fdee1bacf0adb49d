"""The verb `assess`: what is known of a user's data without a truth, beside our samples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sxtbench.cli.own_data import Axes, LacUnit, VoxelSize
from sxtbench.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ENDINGS = (".csv", ".json", ".png")


def assess(
    file: Annotated[
        Path,
        typer.Argument(help="A file of `import`, NXtomo, txrm, or a reconstruction in LAC.", show_default=False),
    ],
    mask_a: Annotated[
        Path | None, typer.Option("--mask-a", help="Labels: all but 0 is a region.", show_default=False)
    ] = None,
    mask_b: Annotated[
        Path | None, typer.Option("--mask-b", help="The region to set against it: their CNR.", show_default=False)
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Whose samples to set beside (default: nearest).", show_default=False)
    ] = None,
    tier: Annotated[
        str | None, typer.Option("--tier", "-t", help="Of --task (default: tiny).", show_default=False)
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", help="Table.csv or .json, picture.png; may be repeated.", show_default=False),
    ] = None,
    axes: Axes = None,
    voxel_size: VoxelSize = None,
    lac_unit: LacUnit = None,
) -> None:
    """Say without a truth how good data are: split-tilt FRC, held-out tilts, noise, LAC, contrast; beside our samples.

    Example: `sxtbench assess cell.zarr.zip --out cell.csv --out cell.png`
    """
    from sxtbench.benchmark.assess import assess as measure
    from sxtbench.benchmark.assess import nearest_reference, read_data, reference_for, table, text, write_rows
    from sxtbench.benchmark.assess_figure import assess_figure
    from sxtbench.cli.console import working
    from sxtbench.files import require_writable

    for path in out or []:
        if path.suffix not in _ENDINGS:
            raise InputError(f"--out {path}: expected a name that ends in {', '.join(_ENDINGS)}")
        require_writable(path.parent)
    if (mask_a is None) != (mask_b is None):
        raise InputError("--mask-a and --mask-b belong together: a contrast is between two regions")
    if tier is not None and task is None:
        raise InputError("--tier is of --task; without it the nearest samples are taken")
    reference = None if task is None else reference_for(task, tier or "tiny")
    found = read_data(file, axes=axes, voxel_size_nm=voxel_size, lac_unit=lac_unit)
    masks = None if mask_a is None or mask_b is None else (_mask(mask_a, axes), _mask(mask_b, axes))
    with working(f"assess {file.name}") as report:
        try:
            measured = measure(found, masks, report=report)
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
    reference = reference or nearest_reference(measured.values)
    rows = table(measured, reference)
    typer.echo(text(rows, reference))
    typer.echo(f"ours: {len(reference.samples)} test samples of {reference.dataset}, median and range")
    if found.series is not None and found.series.photons is None:
        typer.echo("photons are not known: no chi-square and no dose; `import --incident-photons N` tells them")
    for path in out or []:
        if path.suffix == ".png":
            assess_figure(measured, rows, reference, path, title=file.name)
        else:
            write_rows(path, rows, file=file.name, beside=reference.dataset)
        typer.echo(path)


def _mask(path: Path, axes: str | None) -> "NDArray[np.bool_]":
    import numpy as np

    from sxtbench.volume_files import read_label_map

    return np.asarray(read_label_map(path, axes=axes).labels != 0, np.bool_)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(assess)
