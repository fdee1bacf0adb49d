"""Pictures of samples and results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sxtbench.cli.console import Data, ready
from sxtbench.errors import InputError

if TYPE_CHECKING:
    from sxtbench.datasets.dataset import Sample


def show(
    what: Annotated[str, typer.Argument(help="A sample as TASK/TIER/SAMPLE-ID, or a result.json.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")] = Path("show.png"),
    predictions: Annotated[
        list[Path] | None,
        typer.Option("--predictions", "-p", help="Folder of answers to set beside the truth; may be repeated."),
    ] = None,
    data: Data = None,
) -> None:
    """Draw a sample (input, truth, answers) or a result (scores a specimen, curves).

    Example: `sxtbench show limited-angle-segmentation/tiny/test-00000 --out sample.png`
    """
    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: expected a name that ends in .png")
    if what.endswith(".json"):
        from sxtbench.benchmark.figures import result_figure
        from sxtbench.benchmark.result import load_result

        result_figure(load_result(what), out)
    else:
        _show_sample(what, out, predictions or [], data)
    typer.echo(out)


def _show_sample(what: str, out: Path, predictions: list[Path], data: Path | None) -> None:
    import numpy as np

    from sxtbench.benchmark.answer import check_answer
    from sxtbench.benchmark.task import get_task
    from sxtbench.datasets.spec import level_text
    from sxtbench.pictures import alignment_figure, comparison_figure

    parts = what.split("/")
    if len(parts) != 3:
        raise InputError(f"{what!r}: expected TASK/TIER/SAMPLE-ID, such as limited-angle-segmentation/tiny/test-00000")
    name, tier, sample_id = parts
    task = get_task(name, tier).at(data)
    split = sample_id.partition("-")[0]
    ready(task, [split])
    sample = task.dataset(split, targets=True).by_id(sample_id)
    answers = {}
    for folder in predictions:
        file = folder / f"{sample_id}.npy"
        if not file.is_file():
            raise InputError(f"{file}: no such prediction")
        wanted = task.protocol.answer
        found = np.load(file, allow_pickle=False)
        answers[folder.resolve().name] = check_answer(
            found, kind=wanted.kinds[0], shape=sample.answer_shape, classes=wanted.classes, where=str(file)
        )
    condition = ", ".join(f"{axis} {level_text(level)}" for axis, level in sample.condition.items())
    title = f"{name}, {tier}, {sample_id}\n{condition}"
    if task.protocol.answer.kinds[0] == "shifts":
        truth = sample.targets["true_shifts_px"]
        alignment_figure(sample.series["interior"].projections, truth, answers, out, title=title)
        return
    comparison_figure(
        sample.reconstructions["fbp"],
        sample.targets["labels"] if task.protocol.answer.kinds[0] == "labels" else None,
        answers,
        out,
        voxel_size_nm=sample.voxel_size_nm,
        title=title,
        truth_lac=sample.targets["lac"],
        circle=_region_circle(sample),
    )


def _region_circle(sample: "Sample") -> tuple[float, float, float] | None:
    """Centre (y, x) and radius of an interior scan's region in voxels; None where there is none."""
    if "region_centre_um" not in sample.metadata:
        return None
    edge_um = sample.voxel_size_nm / 1000
    y, x = sample.metadata["region_centre_um"]
    _, ny, nx = sample.shape
    return (ny - 1) / 2 + y / edge_um, (nx - 1) / 2 + x / edge_um, sample.metadata["region_width_um"] / 2 / edge_um


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(show)
