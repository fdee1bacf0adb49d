"""Verbs on data: generate, verify, package, info."""

from pathlib import Path
from typing import Annotated

import typer

from sxtbench.cli.console import DataSeed, Recipe, Scheduler, TaskName, Tier, Workers, progress
from sxtbench.errors import CheckError, InputError


def generate(
    task: TaskName,
    tier: Tier = "tiny",
    splits: Annotated[
        str,
        typer.Option("--splits", help="Comma-separated; `shifted`, where a task has it, is made in a folder beside."),
    ] = "train,validation,test",
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            help="The dataset's own folder, or a URL of fsspec (default: under $SXTBENCH_HOME).",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Specimens a split, instead of the tier's.", show_default=False)
    ] = None,
    seed: DataSeed = None,
    recipe: Recipe = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Build a dataset; a build that was stopped continues.

    Example: `sxtbench generate limited-angle-segmentation --tier tiny --out ./tiny`, on a cluster
    `sxtbench generate limited-angle-segmentation --tier full --scheduler tcp://head:8786 --out /scratch/full`
    """
    from contextlib import nullcontext
    from dataclasses import replace

    from sxtbench.benchmark.task import get_task
    from sxtbench.datasets.build import build, missing_specimens, read_statement
    from sxtbench.datasets.dataset import home
    from sxtbench.datasets.remote import is_url, staged
    from sxtbench.memory import keep_freed_memory

    keep_freed_memory()
    chosen = [name.strip() for name in splits.split(",") if name.strip()]
    url = out if out is not None and is_url(out) else None
    data = None if out is None else Path(out if url is None else "url")
    for spec, place, here in get_task(task, tier, seed=seed, recipe=recipe).at(data).places_of(chosen):
        if count is not None:
            spec = replace(spec, sizes=dict.fromkeys(spec.sizes, count), suffix=f"{spec.suffix}+count{count}")
        folder = place or home() / "datasets" / spec.name
        there = None if url is None else url.rstrip("/") + folder.name.removeprefix("url")
        with nullcontext() if there is None else staged(there) as stage:
            folder = folder if stage is None else stage.folder
            missing = missing_specimens(spec, folder, here)
            with progress(f"generate {spec.name}", missing) as done:
                build(spec, folder, splits=here, workers=workers, scheduler=scheduler, stage=stage, progress=done)
            stated = read_statement(folder)["splits"]
        for name, split in stated.items():
            typer.echo(f"{name:<11} {split['specimens']:>4} specimens  fingerprint {split['fingerprint'][:16]}")
        typer.echo(there or folder)


def verify(
    folder: Annotated[Path, typer.Argument(help="A dataset's folder.")],
    regenerate: Annotated[
        int, typer.Option("--regenerate", min=0, help="Specimens of each split to make anew and compare.")
    ] = 0,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, help="With --regenerate: threads of each kernel (default: all).", show_default=False
        ),
    ] = None,
) -> None:
    """Check a dataset: checksums, contents, leakage between splits; exit 1 where something is wrong.

    Made anew, labels and counts must be the same to the last bit, LAC and reconstructions to a tolerance.

    Example: `sxtbench verify ./tiny --regenerate 1 --threads 1`
    """
    from sxtbench.benchmark.task import dataset_spec_of
    from sxtbench.datasets.regenerated import regenerate as made_anew
    from sxtbench.datasets.verify import verify as check

    if threads is not None and not regenerate:
        raise InputError("--threads is of --regenerate N, which is missing")
    spec = dataset_spec_of(folder) if regenerate else None  # before all else: it may not be one of ours
    with progress(f"verify {folder.name}", None) as done:
        problems = check(folder, progress=done)
        if spec is not None and not problems:
            problems = made_anew(folder, spec, regenerate, threads=threads, progress=done)
    for line in problems:
        typer.echo(line)
    if problems:
        raise CheckError(f"{folder}: {len(problems)} problem{'s' if len(problems) > 1 else ''} found")
    typer.echo(f"{folder}: all is well")


def package(
    folder: Annotated[Path, typer.Argument(help="A dataset's folder.")],
) -> None:
    """Complete a dataset for publishing: slices to train on, the card with baselines, croissant.json, checksums.

    Example: `sxtbench package ./tiny`
    """
    from sxtbench.benchmark.package import package as complete
    from sxtbench.datasets.build import read_statement
    from sxtbench.datasets.slices import TRAINING_SPLITS

    splits = read_statement(folder)["splits"]
    sliced = sum(stated["specimens"] for name, stated in splits.items() if name in TRAINING_SPLITS)
    with progress(f"package {folder.name}", sliced) as done:
        written = complete(folder, progress=done)
    typer.echo(f"{folder}: README.md, croissant.json, {len(written)} files of slices")


def info(
    path: Annotated[Path, typer.Argument(help="A dataset's folder, or a result.json.")],
) -> None:
    """Say what a dataset or a result holds.

    Example: `sxtbench info ./tiny`
    """
    if path.is_file() and path.suffix == ".json":
        from sxtbench.benchmark.result import load_result

        result = load_result(path)
        typer.echo(result.summary())
        typer.echo(f"  task hash {result.task_hash[:16]}, data {result.fingerprint[:16]} ({result.data_origin})")
        return
    if not path.is_dir():
        raise InputError(f"{path}: no dataset folder and no result.json")
    from sxtbench.datasets.build import read_statement

    statement = read_statement(path)
    typer.echo(f"{statement['name']}, version {statement['version']}, recipe {statement['recipe_sha256'][:16]}")
    for name, stated in statement["splits"].items():
        typer.echo(
            f"  {name:<11} {stated['specimens']:>4} specimens {stated['samples']:>5} samples  "
            f"fingerprint {stated['fingerprint'][:16]}"
        )
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    typer.echo(f"  {size / 1e6:.1f} MB in {path}")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (generate, verify, package, info):
        app.command()(verb)
