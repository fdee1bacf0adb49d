"""Verbs on users' own files: import, export."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sxtbench.cli.console import Data, ready
from sxtbench.errors import InputError

Axes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        help="What slices, rows and columns of a volume run along, such as yzx (default: as it says, else zyx).",
        show_default=False,
    ),
]
VoxelSize = Annotated[
    float | None,
    typer.Option("--voxel-size", help="Edge of a voxel, nm; goes before what the file says.", show_default=False),
]
LacUnit = Annotated[
    str | None,
    typer.Option("--lac-unit", help="Of a volume: per-um (default) or per-voxel.", show_default=False),
]


def import_(
    series: Annotated[
        Path | None,
        typer.Argument(help="A tilt series: MRC, TIFF, npy, NXtomo (.h5, .nxs), .txrm, .zarr.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The one file to write, NAME.zarr.zip.")] = Path(
        "imported.zarr.zip"
    ),
    angles: Annotated[
        Path | None,
        typer.Option("--angles", help="Degrees, one a line (default: .rawtlt or .tlt beside).", show_default=False),
    ] = None,
    flats: Annotated[Path | None, typer.Option("--flats", help="Images of the open beam.", show_default=False)] = None,
    darks: Annotated[Path | None, typer.Option("--darks", help="Images without a beam.", show_default=False)] = None,
    values: Annotated[
        str | None,
        typer.Option("--values", help="What pixels hold: counts, transmission or absorbance.", show_default=False),
    ] = None,
    tilt_axis: Annotated[
        str, typer.Option("--tilt-axis", help="How the tilt axis lies in the images: vertical or horizontal.")
    ] = "vertical",
    pixel_size: Annotated[
        float | None,
        typer.Option("--pixel-size", help="In the object plane, nm; goes before the file.", show_default=False),
    ] = None,
    energy: Annotated[
        float | None, typer.Option("--energy", help="Photon energy, eV; goes before the file.", show_default=False)
    ] = None,
    incident_photons: Annotated[
        float | None,
        typer.Option("--incident-photons", help="Open-beam photons a pixel and view.", show_default=False),
    ] = None,
    volume: Annotated[Path | None, typer.Option("--volume", help="A reconstruction, LAC.", show_default=False)] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Labels: NRRD, AmiraMesh, TIFF, MRC, npy, Zarr.", show_default=False),
    ] = None,
    axes: Axes = None,
    voxel_size: VoxelSize = None,
    lac_unit: LacUnit = None,
) -> None:
    """Check a tilt series, a reconstruction, labels of your own, and keep them in one file that other verbs read.

    Example: `sxtbench import cell.mrc --angles cell.rawtlt --values absorbance --energy 510 --out cell.zarr.zip`
    """
    from sxtbench.datasets.exchange import import_series, import_volume, require_together
    from sxtbench.datasets.own import is_own, write_own
    from sxtbench.volume_files import read_label_map

    if not is_own(out):
        raise InputError(f"--out {out}: expected a name that ends in .zarr.zip")
    if series is None and volume is None and labels is None:
        raise InputError("import: nothing to import, expected a tilt series, --volume FILE or --labels FILE")
    of_series = {
        "--angles": angles, "--flats": flats, "--darks": darks, "--values": values, "--pixel-size": pixel_size,
        "--energy": energy, "--incident-photons": incident_photons,
    }  # fmt: skip
    for name, given in of_series.items():
        if series is None and given is not None:
            raise InputError(f"{name} is for a tilt series, and none is given")
    if volume is None and lac_unit is not None:
        raise InputError("--lac-unit is for a reconstruction: give it with --volume FILE")
    if volume is None and labels is None and (axes or voxel_size):
        raise InputError("--axes and --voxel-size are for --volume and --labels; of a tilt series say --pixel-size")
    views = None
    if series is not None:
        views = import_series(
            series,
            angles=angles,
            flats=flats,
            darks=darks,
            values=values,
            tilt_axis=tilt_axis,
            pixel_size_nm=pixel_size,
            energy_ev=energy,
            incident_photons=incident_photons,
        )
    lac, size, found_axes = None, voxel_size, axes
    if volume is not None:
        lac, size, found_axes = import_volume(volume, axes=axes, voxel_size_nm=voxel_size, lac_unit=lac_unit)
        if views is not None:
            require_together(views, lac, size, str(volume))
    found = None
    if labels is not None:
        found = read_label_map(labels, axes=axes)
        if lac is not None and found.labels.shape != lac.shape:
            raise InputError(
                f"{labels} has shape {found.labels.shape} (z, y, x), expected {lac.shape}, that of {volume}"
            )
        edges = found.voxel_size_nm
        if size is None and edges is not None and max(edges) <= 1.01 * min(edges):
            size = edges[0]
        if size is None and views is None:
            raise InputError(f"{labels} does not say how large a voxel is: add --voxel-size NM")
    write_own(
        out,
        series=views,
        volume=lac,
        labels=None if found is None else found.labels,
        voxel_size_nm=size,
        axes=found_axes,
    )
    if views is not None:
        n, rows, columns = views.projections.shape
        low, high = views.angles_deg.min(), views.angles_deg.max()
        typer.echo(
            f"tilt series: {n} views of {rows} x {columns} pixels of {views.pixel_size_nm:g} nm, {low:g} to {high:g} "
            f"degrees, {views.energy_ev:g} eV, {'photons known' if views.photons else 'photons not known'}"
        )
    if lac is not None:
        typer.echo(f"reconstruction: {' x '.join(map(str, lac.shape))} voxels (z, y, x) of {size:g} nm, LAC in 1/um")
    if found is not None:
        typer.echo("labels: " + ", ".join(f"{label} {name}" for label, name in sorted(found.names.items())))
    typer.echo(out)


def export(
    sample: Annotated[
        str, typer.Argument(help="A sample as TASK/TIER/SAMPLE-ID, or a file of `import`.", show_default=False)
    ],
    form: Annotated[str, typer.Option("--format", "-f", help="mrc, tiff, nxtomo or ome-zarr.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")] = Path("exported"),
    what: Annotated[
        list[str] | None,
        typer.Option(
            "--what",
            help="A tilt series (main), fbp, cgne, lac or labels; may be repeated (default: all but cgne).",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Write tilt series and volumes of a sample for other programs, with their headers.

    Example: `sxtbench export limited-angle-segmentation/tiny/test-00000 --format mrc --out ./cell`
    """
    from sxtbench.datasets.exchange import FORMATS, chosen_of
    from sxtbench.datasets.exchange import export as write

    if form not in FORMATS:
        raise InputError(f"--format is {form!r}, expected one of {', '.join(FORMATS)}")
    series, volumes, size = _of_import(Path(sample)) if sample.endswith(".zip") else _of_sample(sample, data)
    default = [name for name in (*series, *volumes) if name != "cgne" and (form != "nxtomo" or name in series)]
    chosen = chosen_of(what or default, [*series, *volumes], sample)
    if not chosen:
        raise InputError(f"{sample} has no tilt series for NXtomo, only {', '.join(volumes)}: take another --format")
    written = write(
        out,
        form,
        series={name: series[name] for name in chosen if name in series},
        volumes={name: volumes[name]() for name in chosen if name in volumes},
        voxel_size_nm=size,
    )
    for path in written:
        typer.echo(path)


def _of_import(path: Path) -> tuple[dict[str, Any], dict[str, Any], float]:
    from sxtbench.datasets.own import read_own

    found = read_own(path)
    series = {} if found.series is None else {"main": found.series}
    volumes = {
        name: (lambda array=array: array)
        for name, array in (("fbp", found.volume), ("labels", found.labels))
        if array is not None
    }
    return series, volumes, found.voxel_size_nm


def _of_sample(name: str, data: Path | None) -> tuple[dict[str, Any], dict[str, Any], float]:
    from sxtbench.benchmark.task import get_task

    parts = name.split("/")
    if len(parts) != 3:
        raise InputError(f"{name!r}: expected TASK/TIER/SAMPLE-ID, or a file NAME.zarr.zip of `sxtbench import`")
    task = get_task(parts[0], parts[1]).at(data)
    split = parts[2].partition("-")[0]
    ready(task, [split])
    sample = task.dataset(split, targets=True).by_id(parts[2])
    volumes: dict[str, Any] = {key: (lambda key=key: sample.reconstructions[key]) for key in sample.reconstructions}
    for key in ("lac", "labels"):
        if key in sample.targets:
            volumes[key] = lambda key=key: sample.targets[key]
    return dict(sample.series), volumes, sample.voxel_size_nm


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command(name="import")(import_)
    app.command()(export)
