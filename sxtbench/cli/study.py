"""The figures of the interior-tomography paper, and the simulator against its recipe, one command each."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sxtbench.errors import InputError
from sxtbench.studies import STUDIES

if TYPE_CHECKING:
    from sxtbench.acquisition.series import AcquisitionParameters
    from sxtbench.datasets.own import OwnSeries
    from sxtbench.studies.simulator_fidelity import SimulatorSource

_TASK = "limited-angle-segmentation"  # whose recipe of yeast the simulator's study looks at


def listing() -> str:
    """Return a line a study: name, figure, time, what it shows."""
    lines = [
        f"{name:<20} {f'fig. {entry.figure}' if entry.figure else '':<8} {f'{entry.minutes:g} min':<7} {entry.title}"
        for name, entry in STUDIES.items()
    ]
    return "\n".join(lines)


def study(
    name: Annotated[
        str | None, typer.Argument(help="A study; without one they are listed.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the page, figures and tables.", show_default=False)
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="A small size: under a minute.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's sizes: hours.")] = False,
    specimen: Annotated[
        Path | None,
        typer.Option(
            "--specimen",
            help="A cell of OpenOrganelle, N5 or Zarr, instead of our own.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of noise and of our own specimens.")] = 0,
    series: Annotated[
        Path | None,
        typer.Option(
            "--series",
            help="Of simulator-fidelity: a real tilt series, any format of `import`, or its NAME.zarr.zip.",
            show_default=False,
        ),
    ] = None,
    angles: Annotated[
        Path | None, typer.Option("--angles", help="Of --series, as in `import`.", show_default=False)
    ] = None,
    values: Annotated[
        str | None, typer.Option("--values", help="Of --series, as in `import`.", show_default=False)
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option("--pixel-size", help="Of --series, nm.", show_default=False)
    ] = None,
    energy: Annotated[float | None, typer.Option("--energy", help="Of --series, eV.", show_default=False)] = None,
) -> None:
    """Run a figure of the interior-tomography paper as an experiment, or set the simulator beside its recipe.

    Exit status 1 where a check fails.

    Example: `sxtbench study interior-nullspace --fast --out ./nullspace`

    Example: `sxtbench study simulator-fidelity --series cell.mrc --angles cell.rawtlt --values absorbance
    --energy 510 --out ./fidelity`
    """
    if name is None:
        typer.echo(listing())
        return
    if name not in STUDIES:
        raise InputError(f"there is no study {name!r}, expected one of: {', '.join(STUDIES)}")
    if fast and paper:
        raise InputError("--fast and --paper exclude each other: give one, or neither for the default size")
    if out is None:
        raise InputError(f"sxtbench study {name}: --out is missing, expected a folder for the page and figures")
    of_series = {"--angles": angles, "--values": values, "--pixel-size": pixel_size, "--energy": energy}
    size = "fast" if fast else "paper" if paper else "default"
    source = None
    if STUDIES[name].phantoms:
        if series is not None:
            raise InputError(f"--series is for simulator-fidelity: {name} takes no tilt series")
    else:
        if specimen is not None:
            raise InputError(f"--specimen is for studies of phantoms: {name} draws its specimens from a recipe")
        source = _simulator(size)
    for option, given in of_series.items():
        if given is not None and series is None:
            raise InputError(f"{option} is for a real tilt series: give it with --series FILE")
    if source is not None and series is not None:
        real = _real_series(series, angles=angles, values=values, pixel_size=pixel_size, energy=energy)
        source = replace(source, series=real, series_name=series.name, series_energy_ev=real.energy_ev)
    from sxtbench.benchmark.environment import cpu
    from sxtbench.cli.console import console, working
    from sxtbench.studies.study import run_study

    with working(f"study {name}") as report:
        findings = run_study(
            name,
            out,
            size=size,
            specimen=specimen,
            source=source,
            seed=seed,
            report=report,
            machine=cpu(),
        )
    for check in findings.checks:
        mark = "pass" if check.passed else "FAIL"
        typer.echo(f"{mark}  {check.kind:<5}  {check.name}: {check.value:.5g} (wanted: {check.wanted})")
    typer.echo(f"Open the page: {(out / 'report.md').resolve()}")
    if not findings.passed:
        console.print("a check failed; the page says which", markup=False)
        raise typer.Exit(1)


def _simulator(size: str) -> "SimulatorSource":
    """Return the simulator of the yeast recipe at the tier of a size."""
    from sxtbench.benchmark.task import get_task
    from sxtbench.datasets.recipe import Recipe
    from sxtbench.datasets.simulate import simulate
    from sxtbench.studies import simulator_fidelity
    from sxtbench.studies.fidelity_draws import render_specimen
    from sxtbench.studies.fidelity_physics import Imaged

    tier = simulator_fidelity.SIZES[size]["tier"]
    spec = get_task(_TASK, tier).dataset_spec
    recipe = spec.recipe
    assert isinstance(recipe, Recipe)

    def image(acquisition: "AcquisitionParameters", seed: int, index: int) -> Imaged:
        other = recipe.model_copy(update={"acquisition": acquisition, "seed": seed})
        exposure = simulate(other, simulator_fidelity.SPLIT, index).exposure
        return Imaged(specimen=render_specimen(other, seed, index), exposure=exposure)

    return simulator_fidelity.SimulatorSource(
        recipe=recipe,
        image=image,
        filter=(spec.fbp or {})["filter"],
        description=f"yeast of the recipe of {_TASK}, tier {tier}",
    )


def _real_series(
    path: Path, *, angles: Path | None, values: str | None, pixel_size: float | None, energy: float | None
) -> "OwnSeries":
    from sxtbench.datasets.exchange import import_series
    from sxtbench.datasets.own import is_own, read_own

    if not is_own(path):
        return import_series(path, angles=angles, values=values, pixel_size_nm=pixel_size, energy_ev=energy)
    if angles or values or pixel_size or energy:
        raise InputError(
            f"{path} says itself what --angles, --values, --pixel-size and --energy are for: leave them out"
        )
    found = read_own(path).series
    if found is None:
        raise InputError(f"{path} holds no tilt series, expected a file of `sxtbench import SERIES`")
    return found


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    studies = "\n\n".join(f"{line}" for line in listing().splitlines())
    app.command(epilog=f"Studies, the figure of the paper, the time on two cores:\n\n{studies}")(study)
