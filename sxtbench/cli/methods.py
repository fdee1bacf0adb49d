"""Verbs on methods: tasks, baselines, run, predict, score, tune."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sxtbench.cli.console import (
    Data,
    DataSeed,
    Processes,
    Recipe,
    Scheduler,
    SeasonFolder,
    Split,
    TaskName,
    Tier,
    Workers,
    console,
    in_season,
    progress,
    ready,
)
from sxtbench.cli.own_data import Axes, LacUnit, VoxelSize
from sxtbench.cli.submit import check
from sxtbench.errors import CheckError, InputError

if TYPE_CHECKING:
    from sxtbench.benchmark.result import Result

MethodSpec = Annotated[
    str, typer.Argument(help="A baseline's name, file.py:Class, or package.module:Class.", show_default=False)
]
Seed = Annotated[int, typer.Option("--seed", help="Handed to the method's fit.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights", help="Instead of those that ship: what `train` wrote (.safetensors).", show_default=False
    ),
]
RunFolderOption = Annotated[Path, typer.Option("--out", "-o", help="Where predictions, results and the board go.")]


def tasks() -> None:
    """List the tasks with their tiers.

    Example: `sxtbench tasks`
    """
    from sxtbench.benchmark.task import get_task, list_tasks

    for name in list_tasks():
        task = get_task(name)
        typer.echo(f"{name}@{task.protocol.version}: {task.report.title}")
        typer.echo(f"  {task.report.summary}")
        for tier, sizes in task.protocol.tiers.items():
            data = get_task(name, tier).dataset_spec.recipe
            sides = " or ".join(" x ".join(map(str, shape)) for shape in data.shapes)
            typer.echo(
                f"  {tier:<6} {sides} voxels of {data.voxel_size_nm:g} nm, "
                f"{sizes.train}/{sizes.validation}/{sizes.test} specimens (train/validation/test)"
            )


def baselines() -> None:
    """List the methods that ship with this version.

    Example: `sxtbench baselines`
    """
    from sxtbench.benchmark.controls import CONTROLS
    from sxtbench.benchmark.method import baseline_folder, list_baselines
    from sxtbench.datasets.recipe import read_yaml

    for name in list_baselines():  # read, not loaded: some need an extra that is not installed
        control = CONTROLS.get(name)
        said = control.description if control else read_yaml(baseline_folder(name) / "config.yaml")["description"]
        typer.echo(f"{name:<24} {said}")


def run(
    method: MethodSpec,
    task: TaskName,
    tier: Tier = "tiny",
    split: Split = "test",
    out: RunFolderOption = Path("sxtbench-run"),
    data: Data = None,
    seed: Seed = 0,
    seeds: Annotated[
        int,
        typer.Option("--seeds", min=1, help="Fit so often, each with the next seed; the interval covers seeds too."),
    ] = 1,
    weights: Weights = None,
    recipe: Recipe = None,
    data_seed: DataSeed = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Fit, predict and score a method, set it beside the baselines, and draw the board.

    Example: `sxtbench run my_method.py:Mine limited-angle-segmentation --tier tiny`
    """
    from sxtbench.benchmark.board import build_board
    from sxtbench.benchmark.method import learns, load_for
    from sxtbench.benchmark.run import RunFolder, require_seeds, shipped_results
    from sxtbench.benchmark.run import run as run_method
    from sxtbench.benchmark.statistics import merit
    from sxtbench.benchmark.task import get_task
    from sxtbench.benchmark.wording import mean_and_span
    from sxtbench.files import require_writable
    from sxtbench.metrics import get_metric

    chosen = get_task(task, tier, seed=data_seed, recipe=recipe).at(data)
    loaded = load_for(chosen, method, weights)
    require_seeds(loaded, chosen, seeds)
    require_writable(out)
    fitted = learns(loaded, chosen.protocol.answer.kinds[0])
    ready(chosen, [*(["train", "validation"] if fitted else []), split, *chosen.beside(split)], workers, scheduler)
    result = run_method(
        method,
        chosen,
        out,
        split,
        seed=seed,
        seeds=seeds,
        weights=weights,
        recipe=recipe,
        data_seed=data_seed,
        scheduler=scheduler,
    )
    typer.echo(result.summary())
    others = [other for other in shipped_results(chosen, split) if other.method.name != result.method.name]
    if others:
        metric = get_metric(result.primary)
        typer.echo(f"beside the results that ship, {result.primary} on the same data:")
        for entry in sorted([result, *others], key=lambda entry: -merit(entry.headline.mean, metric)):
            mark = ">" if entry is result else " "
            typer.echo(f" {mark} {entry.method.name:<24} {mean_and_span(entry.headline, metric)}")
    build_board(out / "results", out / "board")
    typer.echo(f"result: {RunFolder(out, chosen).result(result.method.name)}")
    typer.echo(f"board:  {out / 'board' / 'index.html'}")


def predict(
    method: MethodSpec,
    task: Annotated[
        str | None, typer.Argument(help="A task; with --input that of the method by default.", show_default=False)
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option(
            "--tier", "-t", help="tiny (default), small or full; with --input the nearest.", show_default=False
        ),
    ] = None,
    split: Split = "test",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for <sample id>.npy (default: predictions); with --input a file, .mrc, .tif or .zarr.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    seed: Seed = 0,
    weights: Weights = None,
    recipe: Recipe = None,
    data_seed: DataSeed = None,
    own: Annotated[
        Path | None,
        typer.Option("--input", "-i", help="Own data: a file of `import`, or a volume of LAC.", show_default=False),
    ] = None,
    axes: Axes = None,
    voxel_size: VoxelSize = None,
    lac_unit: LacUnit = None,
    season: SeasonFolder = None,
    workers: Processes = 1,
    scheduler: Scheduler = None,
) -> None:
    """Write a method's answers, one file a sample; a run that was stopped continues. With --input, of own data.

    Example: `sxtbench predict fbp-otsu limited-angle-segmentation --out ./answers`,
    `sxtbench predict fbp-otsu --input cell.zarr.zip --out labels.mrc`, on a cluster
    `sxtbench predict tv limited-angle-reconstruction --scheduler tcp://head:8786 --out /scratch/answers`
    """
    from sxtbench.benchmark.evaluate import predict as predict_split
    from sxtbench.benchmark.method import learns, load_for
    from sxtbench.benchmark.spread import Spread
    from sxtbench.benchmark.task import get_task
    from sxtbench.benchmark.training import answers_wanted
    from sxtbench.datasets.spec import PRIVATE
    from sxtbench.errors import InputError

    hidden = in_season(season, task, tier)
    if hidden and (own or recipe or data_seed is not None or split not in ("test", PRIVATE)):
        raise InputError(
            "--season has its own data and split; it goes without --input, --recipe, --data-seed and --split"
        )
    if own is not None:
        if workers > 1 or scheduler is not None:
            raise InputError("--workers and --scheduler spread the samples of a task; with --input there is one")
        for name, given in (("--recipe", recipe), ("--data-seed", data_seed)):
            if given is not None:
                raise InputError(f"{name} makes another dataset; with --input there is none")
        _predict_own(method, task, tier, own, out, data, seed, weights, axes, voxel_size, lac_unit)
        return
    if task is None and hidden is None:
        raise InputError("predict: Missing argument 'task', or --input FILE for data of your own")
    for name, value in (("--axes", axes), ("--voxel-size", voxel_size), ("--lac-unit", lac_unit)):
        if value is not None:
            raise InputError(f"{name} goes with --input FILE")
    out = out or Path("predictions")
    chosen = (hidden or get_task(task or "", tier or "tiny", seed=data_seed, recipe=recipe)).at(data)
    split = PRIVATE if hidden else split
    loaded = load_for(chosen, method, weights)
    fitted = learns(loaded, chosen.protocol.answer.kinds[0])
    ready(chosen, [*(["train", "validation"] if fitted else []), split, *chosen.beside(split)], scheduler=scheduler)
    spread = None
    if workers > 1 or scheduler is not None:
        spread = Spread(method=method, weights=weights, workers=workers, scheduler=scheduler)
    elif fitted:
        console.print(f"{loaded.name}: fitting on train, then predicting")
    wanted = answers_wanted(chosen, chosen.dataset(split), learned=fitted)
    answers = sum(len(samples) for _, samples in wanted) + sum(len(chosen.dataset(s)) for s in chosen.beside(split))
    with progress(f"{loaded.name} on {split}", answers) as done:
        predict_split(loaded, chosen, out, split, seed=seed, spread=spread, progress=done)


def _predict_own(
    method: str,
    task: str | None,
    tier: str | None,
    path: Path,
    out: Path | None,
    data: Path | None,
    seed: int,
    weights: Path | None,
    axes: str | None,
    voxel_size: float | None,
    lac_unit: str | None,
) -> None:
    from sxtbench.benchmark.evaluate import file_name
    from sxtbench.benchmark.method import learns
    from sxtbench.benchmark.own import load_own_method, predict_own, read_input, task_for
    from sxtbench.cli.console import working
    from sxtbench.files import require_writable
    from sxtbench.formats.volumes import require_volume_name, write_volume

    if out is not None:
        require_volume_name(out)
    found = read_input(path, axes=axes, voxel_size_nm=voxel_size, lac_unit=lac_unit)
    chosen = task_for(method, found.voxel_size_nm, task, tier)
    chosen = None if chosen is None else chosen.at(data)
    loaded = load_own_method(method, chosen, weights)
    place = out or Path(f"{path.name.split('.')[0]}.{file_name(loaded.name)}.mrc")
    require_writable(place.parent)
    if chosen is not None and learns(loaded, chosen.protocol.answer.kinds[0]):
        ready(chosen, ["train", "validation"])
    with working(f"{loaded.name} on {path.name}"):
        answer = predict_own(loaded, found, str(path), chosen, seed=seed)
    write_volume(place, answer, found.voxel_size_nm, axes=found.axes)
    if chosen is not None:
        typer.echo(f"{loaded.name} as for {chosen.name}, {chosen.tier}")
    typer.echo(f"{'labels' if answer.dtype == 'uint8' else 'LAC in 1/um'}: {place}")


def score(
    predictions: Annotated[Path, typer.Argument(help="Folder with <sample id>.npy, or a submission.")],
    task: Annotated[
        str | None, typer.Argument(help="The task; a submission names its own.", show_default=False)
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option(
            "--tier", "-t", help="Of the task (default: tiny); a submission names its own.", show_default=False
        ),
    ] = None,
    split: Split = "test",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The result to write (default: result.json).", show_default=False),
    ] = None,
    update: Annotated[
        Path | None,
        typer.Option(
            "--update",
            help="A result of the same predictions, rewritten with the columns that it lacks; the rest of it stays.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    recipe: Recipe = None,
    data_seed: DataSeed = None,
    workers: Processes = 1,
    scheduler: Scheduler = None,
) -> None:
    """Score answers that `predict` wrote or that were made elsewhere, or a submission.

    Example: `sxtbench score ./answers limited-angle-segmentation --tier tiny --out result.json`
    """
    from sxtbench.benchmark.evaluate import score as score_split
    from sxtbench.benchmark.result import load_result
    from sxtbench.benchmark.submission import STATEMENT
    from sxtbench.benchmark.task import get_task
    from sxtbench.benchmark.update import with_columns_of

    old = None if update is None else load_result(update)
    if predictions.is_file() or (predictions / STATEMENT).is_file():
        if recipe is not None or data_seed is not None or split != "test":
            raise InputError(f"{predictions}: is a submission, which takes no --split, --recipe and --data-seed")
        if workers > 1 or scheduler is not None:
            raise InputError(f"{predictions}: is a submission, which is scored here, without --workers and --scheduler")
        result = _score_submission(predictions, task, tier, data)
    else:
        if task is None:
            if not predictions.exists():
                raise InputError(f"{predictions}: there is no such submission or folder of predictions")
            raise InputError(
                f"{predictions}: name the task too, as in `score DIR TASK`; only a submission names its own"
            )
        chosen = get_task(task, tier or "tiny", seed=data_seed, recipe=recipe).at(data)
        ready(chosen, [split], scheduler=scheduler)
        with progress(f"score {split}", len(chosen.dataset(split))) as done:
            result = score_split(chosen, predictions, split, workers=workers, scheduler=scheduler, progress=done)
    result = result if old is None else with_columns_of(result, old)
    path = result.save(out or update or Path("result.json"))
    typer.echo(result.summary())
    typer.echo(f"result: {path}")


def _score_submission(path: Path, task: str | None, tier: str | None, data: Path | None) -> "Result":
    from sxtbench.benchmark.submission_checks import score_submission
    from sxtbench.benchmark.task import get_task

    if task is not None:  # asked for by name, so its data may be made
        chosen = get_task(task, tier or "tiny").at(data)
        ready(chosen, ["test", *chosen.beside("test")])
    found = check(path, task, tier, data)
    if found.faults:
        count = f"{len(found.faults)} fault{'s' * (len(found.faults) > 1)}"
        raise CheckError(f"{path}: not scored, {count}{'; ' * bool(found.unchecked)}{found.unchecked}")
    if found.submission is None or found.task is None or found.unchecked:
        raise InputError(f"{path}: not scored, {found.unchecked}")
    with progress(f"score {found.submission.method.name}", found.answers) as done:
        return score_submission(path, found.submission, found.task, progress=done)


def tune(
    baseline: Annotated[str, typer.Argument(help="A baseline whose config has a `search`.")],
    task: TaskName,
    tier: Tier = "tiny",
    data: Data = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Passes over all parameters.")] = 2,
    specimens: Annotated[
        int | None,
        typer.Option("--specimens", min=1, help="Score only the first so many of validation.", show_default=False),
    ] = None,
    levels: Annotated[
        bool, typer.Option("--levels", help="Also find the constants of the other levels of each axis.")
    ] = False,
    level: Annotated[
        list[str] | None,
        typer.Option("--level", help="Also at this level, such as photons=10; may be repeated.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Search this constant only; may be repeated.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Where to write (default: the baseline's config.yaml).", show_default=False),
    ] = None,
) -> None:
    """Find a baseline's constants on the validation split; the test split is not read.

    Example: `sxtbench tune fbp-otsu limited-angle-segmentation --tier tiny`
    """
    from sxtbench.benchmark.task import get_task
    from sxtbench.benchmark.tune import tune as search

    chosen = get_task(task, tier).at(data)
    ready(chosen, ["train", "validation"])
    with progress(f"tune {baseline}", None) as done:
        found = search(
            baseline,
            chosen,
            rounds=rounds,
            specimens=specimens,
            levels=levels or level or (),
            only=only or (),
            config_path=config,
            report=done,
        )
    for place in found:
        typer.echo(
            f"{baseline}, {tier}, validation, {place.level}: "
            f"{place.start:.4f} -> {place.score:.4f} in {place.tried} evaluations"
        )
        for name, value in place.parameters.items():
            typer.echo(f"  {name}: {value}")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (tasks, baselines, run, predict, score, tune):
        app.command()(verb)
