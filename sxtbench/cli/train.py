"""The verb `train`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sxtbench.cli.console import Data, TaskName, Tier, progress, ready


def train(
    baseline: Annotated[str, typer.Argument(help="A baseline with training configurations.", show_default=False)],
    task: TaskName,
    tier: Tier = "tiny",
    config: Annotated[
        str, typer.Option("--config", help="A configuration of the baseline, such as cpu or paper, or a YAML file.")
    ] = "cpu",
    out: Annotated[Path, typer.Option("--out", "-o", help="Where weights, log and checkpoint go.")] = Path(
        "sxtbench-training"
    ),
    track: Annotated[
        str | None,
        typer.Option(
            "--track",
            help="stream: the simulator; fixed: the train split. By default that of the baseline.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the stream and of the first weights.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Resume although task or configuration differ.")] = False,
    workers: Annotated[int, typer.Option("--workers", "-j", min=0, help="Processes that make slabs ahead.")] = 1,
    devices: Annotated[int, typer.Option("--devices", min=1, help="GPUs, or processes on a CPU, a node.")] = 1,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Nodes, started by a launcher such as srun.")] = 1,
    finetune: Annotated[
        Path | None, typer.Option("--finetune", help="Start from these weights (.safetensors).", show_default=False)
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            help="With --finetune: a folder of NAME.mrc with NAME.labels.tif (255: unlabelled), or the word shifted.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Train a network on simulated specimens; the weights that score best on validation are kept.

    Example: `sxtbench train hybrid-unet limited-angle-segmentation --tier tiny --out ./trained`
    """
    from sxtbench.benchmark.method import baseline_folder
    from sxtbench.benchmark.task import get_task
    from sxtbench.datasets.recipe import read_yaml
    from sxtbench.errors import InputError
    from sxtbench.hashing import sha256_file

    chosen = get_task(task, tier).at(data)
    folder = baseline_folder(baseline)
    path, track = _config(baseline, folder, config), track or read_yaml(folder / "config.yaml")["track"]
    from sxtbench.learning import load_network, load_training, read_labelled, shifted_examples, stream
    from sxtbench.learning import train as run

    parameters = load_training(path, tier)
    network, slabs, about = None, None, {}
    if (finetune is None) != (labels is None):
        raise InputError("--finetune and --labels go together: weights to start from, and labelled volumes to mix in")
    if finetune is not None and labels is not None:
        network = load_network(finetune)[0].train()
        scaling, classes = parameters.stream.scaling, chosen.protocol.answer.classes
        labelled = (
            shifted_examples(chosen, scaling=scaling)
            if labels == "shifted"
            else read_labelled(Path(labels), classes=classes, scaling=scaling)
        )
        slabs = stream(chosen, seed=seed, parameters=parameters.stream, track=track).mixed_with(labelled)
        about = {"finetuned_from": sha256_file(finetune), "labels": labels}
    ready(chosen, ["validation", *(["train"] if track == "fixed" else [])])
    try:
        with progress(f"train {baseline}", parameters.steps) as done:
            made = run(
                chosen,
                parameters,
                out,
                seed=seed,
                track=track,
                workers=workers,
                devices=devices,
                nodes=nodes,
                resume=resume,
                force=force,
                network=network,
                slabs=slabs,
                about=about,
                report=done,
            )
    except KeyboardInterrupt:
        kept = (out / "checkpoint" / "last.ckpt").is_file()
        then = "add --resume to go on from the last validation" if kept else "nothing is kept before a first validation"
        typer.echo(f"sxtbench: stopped; {then}", err=True)
        raise SystemExit(130) from None
    if os.environ.get("LOCAL_RANK", "0") != "0":  # another process of the same training tells
        return
    last = made["history"][-1]
    typer.echo(
        f"best score on validation: {made['best_score']:.4f}; {last['step']} steps in "
        f"{last['training_seconds']:.0f} s, {100 * last['waiting_share']:.0f} % of the last ones waiting for slabs"
    )
    made_of = out / "weights.safetensors"
    typer.echo(f"weights: {made_of}")
    typer.echo(f"score them: sxtbench run {baseline} {task} --tier {tier} --weights {made_of}")


def _config(baseline: str, folder: Path, config: str) -> Path:
    from sxtbench.errors import InputError

    if config.endswith((".yaml", ".yml")):
        return Path(config)
    known = {path.stem: path for path in sorted((folder / "training").glob("*.yaml"))}
    if config not in known:
        raise InputError(f"{baseline} has no training configuration {config!r}; it has {', '.join(known) or 'none'}")
    return known[config]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(train)
