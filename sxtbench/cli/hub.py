"""Verbs on the Hugging Face Hub: download, publish."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sxtbench.cli.console import TaskName, Tier, progress, working
from sxtbench.errors import InputError

if TYPE_CHECKING:
    from sxtbench.datasets.spec import DatasetSpec

Repo = Annotated[
    str | None,
    typer.Option("--repo", help="ORG/NAME on the Hub, in place of the one that is recorded.", show_default=False),
]


def download(
    task: TaskName,
    tier: Tier = "tiny",
    splits: Annotated[
        str | None,
        typer.Option("--splits", help="Comma-separated (default: train,validation,test).", show_default=False),
    ] = None,
    ids: Annotated[
        str | None, typer.Option("--ids", help="Only these samples, comma-separated.", show_default=False)
    ] = None,
    slices: Annotated[bool, typer.Option("--slices", help="Fetch the training-ready slices too.")] = False,
    revision: Annotated[
        str | None,
        typer.Option(
            "--revision",
            help="A tag, branch or commit (default: the commit that this version's results were scored on).",
            show_default=False,
        ),
    ] = None,
    repo: Repo = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The dataset's own folder (default: under $SXTBENCH_HOME).", show_default=False
        ),
    ] = None,
) -> None:
    """Fetch a dataset, or a part of it, from the Hugging Face Hub; a download that was stopped continues.

    Every file is checked against SHA256SUMS. HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are honoured.

    Examples: `sxtbench download limited-angle-segmentation --tier tiny`;
    `sxtbench download limited-angle-segmentation --tier small --ids test-00000,test-00003 --out ./two`
    """
    from sxtbench.benchmark.task import SHIFTED, get_task
    from sxtbench.datasets.dataset import home
    from sxtbench.datasets.download import download as fetch
    from sxtbench.datasets.download import prepare_download

    if splits is not None and ids is not None:
        raise InputError("--splits and --ids exclude each other: an id begins with its split")
    samples = _words(ids)
    if ids is not None and not samples:
        raise InputError("--ids is empty, expected ids such as test-00000")
    wanted = list(dict.fromkeys(one.partition("-")[0] for one in samples)) or _words(splits or "train,validation,test")
    places = get_task(task, tier).at(out).places_of(wanted)
    if repo is not None and len(places) > 1:
        raise InputError(f"--repo names one repository, and {SHIFTED} is a dataset of its own: download it apart")
    for spec, place, here in places:
        folder = place or home() / "datasets" / spec.name
        own = [one for one in samples if one.partition("-")[0] in here]
        with working(f"looking for {spec.name}"):
            plan = prepare_download(
                spec, folder, () if own else here, ids=own, slices=slices, repo=repo, revision=revision
            )
        with progress(f"download {spec.name}", len(plan.missing)) as done:
            fetch(plan, progress=done)
        typer.echo(f"{plan.fetched.repo} at {plan.fetched.commit}: {len(plan.missing)} files fetched, all checked")
        typer.echo(folder)


def publish(
    folder: Annotated[Path, typer.Argument(help="A dataset's folder, as `sxtbench generate` leaves it.")],
    repo: Annotated[str, typer.Option("--repo", help="ORG/NAME on the Hub; made where it does not exist.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, list files and sizes, send nothing.")] = False,
    unofficial: Annotated[
        bool, typer.Option("--unofficial", help="Publish another recipe, seed or count too; nothing is recorded.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option("--record", help="Where to record it (default: data_cards/published.yaml).", show_default=False),
    ] = None,
) -> None:
    """Publish a dataset on the Hugging Face Hub: verified, sent, visible in one commit, tagged with its version.

    Run again after an interruption, it sends only what is not there. Needs HF_TOKEN or `hf auth login`.

    Examples: `sxtbench publish ./tiny --repo ORG/limited-angle-segmentation-tiny --dry-run`
    """
    from sxtbench.datasets import hub
    from sxtbench.datasets.build import read_statement
    from sxtbench.datasets.publish import prepare_upload, require_token, upload

    if not dry_run:
        require_token()
    statement = read_statement(folder)
    expected = None if unofficial else _own(folder, statement)
    with progress(f"verify {folder.name}", None) as done:
        plan = prepare_upload(folder, expected, progress=done)
    total = sum(plan.sizes.values())
    if dry_run:
        for name, size in plan.sizes.items():
            typer.echo(f"{size:>12}  {name}")
        typer.echo(
            f"{total:>12}  in {len(plan.sizes)} files of {statement['name']}, for {repo} as {plan.tag}; nothing sent"
        )
        return
    with progress(f"publish {statement['name']}", len(plan.files)) as done:
        entry = upload(plan, repo, progress=done)
    typer.echo(f"{statement['name']} {plan.tag}: {total / 1e6:.1f} MB in {repo} at {entry.commit}")
    if expected is not None:
        typer.echo(f"recorded in {hub.record(statement['name'], entry, record)}")


def _own(folder: Path, statement: dict[str, Any]) -> "DatasetSpec":
    """Return what the benchmark's own dataset is, of which a folder says to be one."""
    from sxtbench.benchmark.task import SHIFTED, get_task

    task = get_task(str(statement.get("task")), str(statement.get("tier")))
    if SHIFTED not in statement["splits"]:
        return task.dataset_spec
    if task.shifted_spec is None:
        raise InputError(f"{folder}: holds a split {SHIFTED}, which {task.name} has not at {task.tier}")
    return task.shifted_spec


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (download, publish):
        app.command()(verb)
