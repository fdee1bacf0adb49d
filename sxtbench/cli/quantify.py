"""The verb `quantify`: what a label volume holds, as tables and a figure."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sxtbench.cli.console import Data
from sxtbench.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sxtbench.datasets.dataset import Sample
    from sxtbench.volume_files import LabelMap

_Edges = tuple[float, float, float]
_RECONSTRUCTIONS = ("truth", "fbp", "cgne")
_SAME = 0.01  # edges of voxels of two files may differ by this much, relative
_MOST_ROWS = 12
_SAMPLE = re.compile(r"[^/]+/[^/]+/([^/.]+|[a-z]+-\d{5}[^/]*)")  # levels such as photons=0.25 hold a dot


def quantify(
    labels: Annotated[
        str,
        typer.Argument(
            help="A label volume (.npy, .tif, .mrc, .nrrd, .zarr), or a sample as TASK/TIER/SAMPLE-ID.",
            show_default=False,
        ),
    ],
    lac: Annotated[
        str | None,
        typer.Option(
            "--lac",
            help="A volume of LAC in 1/um of the same voxels; of a sample also truth, fbp or cgne.",
            show_default=False,
        ),
    ] = None,
    voxel_size: Annotated[
        str | None,
        typer.Option(
            "--voxel-size",
            help="Edge of a voxel in nm, or edges as Z,Y,X; goes before what files say.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option("--classes", help="YAML that names the values: `{1: cytoplasm, 7: granule}`.", show_default=False),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", help="A class that must be there, such as nucleus; may be repeated.", show_default=False
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", "-p", help="Folder of answers, to measure one of a sample.", show_default=False),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            "--axes",
            help="What slices, rows and columns of files run along (default: as they say, else zyx).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and the figure.")] = Path(
        "sxtbench-quantify"
    ),
    data: Data = None,
) -> None:
    """Measure each organelle of a label volume: volume, surface, sphericity, LAC, place, distances; counts a cell.

    Example: `sxtbench quantify labels.tif --lac tomogram.mrc --voxel-size 20 --out ./cell`
    """
    from sxtbench.files import atomic_path, require_writable
    from sxtbench.metrics import quantify as measure
    from sxtbench.organelle_figure import organelle_figure

    edges = None if voxel_size is None else _edges_of(voxel_size)
    path = Path(labels)
    sample = _sample(labels, data) if _SAMPLE.fullmatch(labels) and not path.exists() else None
    if sample is None:
        found, values, edges = _of_files(path, lac, edges, classes, axes)
    else:
        for name, given in (("--voxel-size", voxel_size), ("--classes", classes)):
            if given is not None:
                raise InputError(f"{name} is for files; of {labels} the dataset tells it")
        found, values = _of_sample(sample, labels, lac, predictions, axes)
        edges = (sample.voxel_size_nm,) * 3
    if sample is None and predictions is not None:
        raise InputError(f"--predictions goes with a sample such as TASK/TIER/test-00000, not with {labels}")
    _require(found, kind or [], labels)
    tables = measure(found.labels, voxel_size_nm=edges, lac=values, names=found.names)
    if tables.organelles.empty:
        there = ", ".join(f"{label} ({name})" for label, name in sorted(found.names.items()))
        raise InputError(
            f"{labels}: holds no organelle, or none above the least radius of its class at {_text(edges)} nm a voxel; "
            f"its labels are {there}"
        )
    require_writable(out)
    for name, table in (("organelles", tables.organelles), ("cells", tables.cells)):
        with atomic_path(out / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
        with atomic_path(out / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)
    organelle_figure(found.labels, tables, out / "organelles.png", voxel_size_nm=edges, names=found.names, title=labels)
    _tell(tables.organelles, tables.cells)
    typer.echo(f"tables: {out / 'organelles.csv'}, {out / 'cells.csv'} (and .parquet)")
    typer.echo(f"figure: {out / 'organelles.png'}")


def _of_files(
    path: Path, lac: str | None, edges: _Edges | None, classes: Path | None, axes: str | None
) -> tuple["LabelMap", "NDArray[np.float32] | None", _Edges]:
    from sxtbench.volume_files import read_image, read_label_map

    found = read_label_map(path, names=None if classes is None else _names(classes), axes=axes)
    values, other = (None, None) if lac is None else read_image(_lac_path(lac), axes=axes)
    if values is not None and values.shape != found.labels.shape:
        raise InputError(f"{lac} has shape {values.shape} (z, y, x), expected that of {path}, {found.labels.shape}")
    said = found.voxel_size_nm or other
    if edges is None and found.voxel_size_nm and other and not _equal(found.voxel_size_nm, other):
        raise InputError(
            f"{lac} has voxels of {_text(other)} nm, {path} of {_text(found.voxel_size_nm)} nm (z, y, x); "
            "--voxel-size says which is right"
        )
    if edges is None and said is None:
        raise InputError(f"{path} does not say how large a voxel is: add --voxel-size NM, or Z,Y,X")
    right = edges or said
    assert right is not None
    return found, values, right


def _lac_path(lac: str) -> Path:
    if lac in _RECONSTRUCTIONS and not Path(lac).exists():
        raise InputError(f"--lac {lac} is of a sample such as TASK/TIER/test-00000; of a file, give a file")
    return Path(lac)


def _sample(name: str, data: Path | None) -> "Sample":
    from sxtbench.benchmark.task import get_task
    from sxtbench.cli.console import ready

    task_name, tier, sample_id = name.split("/")
    task = get_task(task_name, tier).at(data)
    if task.protocol.answer.kinds[0] == "shifts":
        raise InputError(f"{name}: {task_name} has no labels to measure")
    split = sample_id.partition("-")[0]
    ready(task, [split])
    return task.dataset(split, targets=True).by_id(sample_id)


def _of_sample(
    sample: "Sample", name: str, lac: str | None, predictions: Path | None, axes: str | None
) -> tuple["LabelMap", Any]:
    import numpy as np

    from sxtbench.labels import NAMES
    from sxtbench.metrics.instances import checked_labels
    from sxtbench.volume_files import LabelMap, read_image

    labels = sample.targets["suite_labels"]
    if predictions is not None:
        file = predictions / f"{sample.id}.npy"
        if not file.is_file():
            raise InputError(f"{file}: no such prediction")
        try:
            labels = checked_labels(np.load(file, allow_pickle=False))
        except ValueError as error:
            raise InputError(f"{file}: {error}") from None
        if labels.shape != sample.shape:
            raise InputError(f"{file} has shape {labels.shape}, expected that of {name}, {sample.shape}")
    values = None
    if lac == "truth":
        values = sample.targets["lac"]
    elif lac in _RECONSTRUCTIONS:
        values = sample.reconstructions[lac]
    elif lac is not None:
        values, _ = read_image(lac, axes=axes)
        if values.shape != labels.shape:
            raise InputError(f"{lac} has shape {values.shape} (z, y, x), expected that of {name}, {labels.shape}")
    names = {int(label): NAMES[int(label)] for label in np.unique(labels)}
    return LabelMap(labels, (sample.voxel_size_nm,) * 3, names), values


def _names(path: Path) -> dict[int, str]:
    from sxtbench.datasets.recipe import read_yaml

    content: Any = read_yaml(path)
    if not content or not all(isinstance(k, int) and isinstance(v, str) and v.strip() for k, v in content.items()):
        raise InputError(f"{path}: expected values with their names, such as `{{1: cytoplasm, 7: granule}}`")
    return dict(content)


def _edges_of(text: str) -> _Edges:
    from sxtbench.metrics.instances import edges_um

    try:
        words = [float(word) for word in text.split(",")]
        edges_um(words)
    except ValueError:
        raise InputError(f"--voxel-size {text}: expected nm, such as 20, or edges as Z,Y,X such as 50,20,20") from None
    z, y, x = words * 3 if len(words) == 1 else words
    return z, y, x


def _require(found: "LabelMap", kinds: Sequence[str], where: str) -> None:
    there = {part for name in found.names.values() for part in (name, *name.split("/"))}
    for kind in kinds:
        if kind.strip().lower() not in there:
            names = ", ".join(f"{label} ({name})" for label, name in sorted(found.names.items()))
            raise InputError(f"{where}: no voxel is {kind!r}; its labels are {names}")


def _tell(organelles: Any, cells: Any) -> None:
    """Print the cells, and a line a kind with medians."""
    typer.echo(f"{'cell':<6}{'kind':<24}{'count':>6}{'volume, um^3':>14}{'share':>8}")
    for row in cells.head(_MOST_ROWS).itertuples():
        share = "" if row.share != row.share else f"{row.share:.3f}"
        typer.echo(f"{row.cell or '-':<6}{row.kind:<24}{row.count:>6}{row.volume_um3:>14.3f}{share:>8}")
    if len(cells) > _MOST_ROWS:
        typer.echo(f"... {len(cells) - _MOST_ROWS} more rows in cells.csv")
    medians = organelles.groupby("kind", sort=False)[
        ["equivalent_radius_um", "sphericity", "mean_lac_per_um", "to_cell_surface_um"]
    ].median()
    typer.echo("median of")
    typer.echo(f"  {'kind':<28}{'radius, um':>12}{'sphericity':>12}{'LAC, 1/um':>12}{'to surface, um':>16}")
    for kind, row in medians.iterrows():
        cells_of = ["-" if value != value else f"{value:.3f}" for value in row]
        typer.echo(f"  {kind:<28}{cells_of[0]:>12}{cells_of[1]:>12}{cells_of[2]:>12}{cells_of[3]:>16}")


def _equal(a: _Edges, b: _Edges) -> bool:
    return all(abs(one - two) <= _SAME * max(one, two) for one, two in zip(a, b, strict=True))


def _text(edges: _Edges) -> str:
    return " x ".join(f"{edge:g}" for edge in edges)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(quantify)
