"""new method, new task: what is written loads, runs, scores and passes the checks as it is."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sxtbench.benchmark import task as tasks
from sxtbench.benchmark.answer import check_answer
from sxtbench.benchmark.evaluate import evaluate
from sxtbench.benchmark.method import load_for, load_method
from sxtbench.benchmark.scaffold import new_method, new_task
from sxtbench.benchmark.task import Task, get_task, list_tasks
from sxtbench.content import content_folder
from sxtbench.datasets.build import build
from sxtbench.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks and cards be found in a folder that holds only new ones."""
    kept = content_folder("data_cards")
    (folder / "data_cards").mkdir(exist_ok=True)
    for name in ("LICENSE-DATA", "CHANGELOG.md", "template.md.j2", "sizes.json"):
        (folder / "data_cards" / name).write_bytes((kept / name).read_bytes())

    def found(name: str) -> Path:
        return folder / name if name in ("tasks", "data_cards") else content_folder(name)

    monkeypatch.setattr(tasks, "content_folder", found)
    for module in ("build", "card"):
        monkeypatch.setattr(f"sxtbench.datasets.{module}.content_folder", found)


def test_a_new_method_is_scored_as_it_is(mini: Task, tmp_path: Path) -> None:
    source, config, readme = new_method("my-method", tmp_path)
    method = load_for(mini, f"{source}:MyMethod")
    assert method.name == "my-method"
    result = evaluate(method, mini, split="test")
    assert result.method.name == "my-method"
    assert 0 < result.headline.mean < 1
    assert config.name == "config.yaml"
    assert f"sxtbench run {source}:MyMethod limited-angle-segmentation" in readme.read_text()


@pytest.mark.parametrize("name", list_tasks())
def test_a_new_method_of_any_task_loads_and_answers_in_kind(name: str, tmp_path: Path) -> None:
    task = get_task(name)
    method = load_for(task, f"{new_method('mine', tmp_path, name)[0]}:Mine")

    class Sample:
        reconstructions = {"fbp": np.full((4, 4, 4), 0.3, np.float32)}  # noqa: RUF012
        answer_shape = (5, 2) if task.protocol.answer.kinds[0] == "shifts" else (4, 4, 4)

    answer = method.predict(Sample())  # type: ignore[arg-type]
    kind, classes = task.protocol.answer.kinds[0], task.protocol.answer.classes
    checked = check_answer(answer, kind=kind, shape=Sample.answer_shape, classes=classes, where="mine")
    assert checked.any() or kind == "shifts"


def test_new_files_pass_ruff(tmp_path: Path) -> None:
    files = [new_method(f"made-{i}", tmp_path, task)[0] for i, task in enumerate(list_tasks())]
    bin_folder, config = Path(sys.executable).parent, ROOT / "pyproject.toml"
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        call = [bin_folder / "ruff", *words, "--config", config, *files]
        found = subprocess.run(call, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr


def test_a_new_task_is_built_and_answered_as_it_is(mini: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = new_task("my-task", tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in written] == [
        "tasks/my-task/task.yaml", "tasks/my-task/README.md", "tasks/my-task/recipe.yaml", "data_cards/my-task.md",
    ]  # fmt: skip
    checkout(tmp_path, monkeypatch)
    task = get_task("my-task", "tiny")
    old = mini.dataset_spec
    assert task.hash != mini.hash
    assert task.dataset_spec.recipe.seed != old.recipe.seed
    recipe = task.dataset_spec.recipe.model_copy(update={"grid": old.recipe.grid})  # type: ignore[union-attr]
    task = replace(task, dataset_spec=replace(task.dataset_spec, recipe=recipe, sizes={"test": 1})).at(
        tmp_path / "data"
    )
    build(task.dataset_spec, tmp_path / "data")
    assert task.dataset("test").fingerprint != mini.dataset("test").fingerprint
    assert evaluate(load_method("oracle"), task, split="test").headline.mean == 1


@pytest.mark.parametrize("like", list_tasks())
def test_a_task_may_begin_as_any_other(like: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {tier: get_task(like, tier) for tier in get_task(like).protocol.tiers}
    if old["tiny"].protocol.data is not None:  # its data stay those of the other task
        folder = tmp_path / "tasks" / old["tiny"].protocol.data
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_bytes((content_folder("tasks") / folder.name / "recipe.yaml").read_bytes())
    new_task("other", tmp_path, like)
    checkout(tmp_path, monkeypatch)
    for tier, task in old.items():
        made = get_task("other", tier)
        assert made.protocol.model_copy(update={"name": like}) == task.protocol
        assert made.report.columns == task.report.columns
        assert made.shifted_spec is None


def test_names_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for name in ("My-Method", "1st", "../up", "a_b", "x" * 41, ""):
        with pytest.raises(InputError, match="no name for a method, expected lower case with hyphens"):
            new_method(name, tmp_path)
    with pytest.raises(InputError, match="there is a method 'fbp-otsu' already"):
        new_method("fbp-otsu", tmp_path)
    with pytest.raises(InputError, match="there is a task 'low-dose' already"):
        new_task("low-dose", tmp_path)
    with pytest.raises(InputError, match="unknown task 'nope'"):
        new_method("mine", tmp_path, "nope")
    assert not list(tmp_path.iterdir())
    new_method("mine", tmp_path)
    with pytest.raises(InputError, match="mine is there already"):
        new_method("mine", tmp_path)
    new_task("mine", tmp_path)
    with pytest.raises(InputError, match="mine is there already"):
        new_task("mine", tmp_path)
