"""The first files of a method or a task of one's own: they load, run and pass the checks as they are written."""

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from sxtbench.benchmark.method import list_baselines
from sxtbench.benchmark.task import get_task, list_tasks
from sxtbench.content import content_folder
from sxtbench.errors import InputError
from sxtbench.files import atomic_folder, require_writable, write_text

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40

_METHOD = '''"""{name}: a method for {task}. Say here in one sentence what it does."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class {cls}:
    """{what}

    Parameters
    ----------
    {parameter} : float
        {meaning}
    """

    name = "{name}"

    def __init__(self, {parameter}: float = {value}) -> None:
        self.{parameter} = {parameter}

    def predict(self, sample: Any) -> NDArray[np.{dtype}]:
        """Return {answer}."""
        {body}
'''

_CONFIG = """name: {name}
tasks:
- {task}
class: {module}.py:{cls}
description: {what}
authors:
- Your name
licence: Apache-2.0
track: fixed
training_data: none
parameters:
  {parameter}: {value}
search:
  {parameter}: {choices}
"""

_README = """# {name}

{what} A template: replace `predict` with your own.

* **What it does**: a sentence or two, and the paper that it follows.
* **Constants**: once this folder lies in `baselines/` of a checkout, `sxtbench tune` finds what stands under `search`
  in `config.yaml`, on validation.
* **What it cannot do**: say it before others find out.

Try it: `sxtbench run {folder}/{module}.py:{cls} {task} --tier tiny`
"""

_KINDS = {
    "labels": {
        "what": "Give one label to what absorbs more than a threshold in the filtered backprojection.",
        "parameter": "threshold_per_um",
        "meaning": "LAC above which a voxel gets the label, 1/um.",
        "value": "0.25",
        "choices": "[0.15, 0.2, 0.25, 0.3, 0.4]",
        "dtype": "uint8",
        "answer": "labels, shape (z, y, x)",
        "body": 'above = sample.reconstructions["fbp"] > self.threshold_per_um\n'
        "        return np.where(above, {label}, 0).astype(np.uint8)",
    },
    "volume": {
        "what": "Multiply the filtered backprojection by a gain.",
        "parameter": "gain",
        "meaning": "Factor.",
        "value": "1.0",
        "choices": "[0.8, 1.0, 1.2]",
        "dtype": "float32",
        "answer": "LAC, shape (z, y, x), 1/um",
        "body": 'return np.asarray(self.gain * sample.reconstructions["fbp"], np.float32)',
    },
    "shifts": {
        "what": "Apply the same shift to every view.",
        "parameter": "shift_px",
        "meaning": "Along the detector's columns, pixels.",
        "value": "0.0",
        "choices": "[-1.0, 0.0, 1.0]",
        "dtype": "float64",
        "answer": "shifts (dz, du) to apply, shape (n_views, 2), pixels",
        "body": "return np.tile(np.array([0.0, self.shift_px]), (sample.answer_shape[0], 1))",
    },
}


def new_method(name: str, folder: Path, task: str = "limited-angle-segmentation") -> list[Path]:
    """Write the folder of a method: its file, `config.yaml` and `README.md`.

    Parameters
    ----------
    name : str
        Lower case with hyphens, such as `my-method`; no baseline has it.
    folder : Path
        Where `my_method/` is made; `baselines/` of a checkout, to ship it.
    task : str
        What it answers.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        For another kind of name, one that is taken, a folder that is there, an unknown task.
    """
    answer = get_task(task).protocol.answer
    _require_name(name, "method", list_baselines)
    module = name.replace("-", "_")
    kind = dict(_KINDS[answer.kinds[0]])
    label = next((label for label in answer.classes if label), 1)
    words = {
        **kind,
        "body": kind["body"].replace("{label}", str(label)),
        "name": name,
        "module": module,
        "folder": str(folder / module),
        "cls": "".join(part.capitalize() for part in name.split("-")),
        "task": get_task(task).name,
    }
    target = _fresh(folder, module)
    with atomic_folder(target) as temporary:
        for file, template in ((f"{module}.py", _METHOD), ("config.yaml", _CONFIG), ("README.md", _README)):
            write_text(temporary / file, template.format(**words))
    return [target / file for file in (f"{module}.py", "config.yaml", "README.md")]


def new_task(name: str, folder: Path, like: str = "limited-angle-segmentation") -> list[Path]:
    """Write the files of a task that begins as a copy of another, with specimens of its own.

    Parameters
    ----------
    name : str
        Lower case with hyphens, such as `my-task`; no task has it.
    folder : Path
        A checkout: `tasks/<name>/` and `data_cards/<name>.md` are made there.
    like : str
        The task that it begins as. Where that one uses the data of another task, so does the new one.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        As `new_method`.
    """
    source = get_task(like)
    _require_name(name, "task", list_tasks)
    target = _fresh(folder / "tasks", name)
    card = folder / "data_cards" / f"{name}.md"
    if card.exists():
        raise InputError(f"{card} is there already; take another name or remove it")
    declared = (source.folder / "task.yaml").read_text(encoding="utf-8")
    # the shifted domain and the demo belong to the other task's recipe and methods; the gate to its baselines
    declared = re.sub(r"^  (shifted|demo|gate|supersedes): .*\n", "", declared, flags=re.MULTILINE)
    declared = re.sub(r"^  name: .*$", f"  name: {name}", declared, count=1, flags=re.MULTILINE)
    declared = re.sub(r"^  version: .*$", "  version: 1", declared, count=1, flags=re.MULTILINE)
    declared = re.sub(r"^  title: .*$", f"  title: {name}, begun as {source.name}", declared, flags=re.MULTILINE)
    files = {"task.yaml": declared, "README.md": _task_readme(name, source.name)}
    shares = source.protocol.data is not None
    if not shares:
        recipe = (source.folder / "recipe.yaml").read_text(encoding="utf-8")
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        files["recipe.yaml"] = re.sub(r"^seed: .*$", f"seed: {seed}", recipe, count=1, flags=re.MULTILINE)
    with atomic_folder(target) as temporary:
        for file, content in files.items():
            write_text(temporary / file, content)
    written = [target / file for file in files]
    if not shares:
        card.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(content_folder("data_cards") / f"{source.name}.md", card)
        written.append(card)
    return written


def _task_readme(name: str, like: str) -> str:
    return (
        f"# {name}\n\nBegun as a copy of {like}. What is asked, in one sentence.\n\n"
        "**Input.** What a sample offers.\n\n**Answer.** What must be returned.\n\n"
        "**Score.** What is measured where, and what `trivial` and `oracle` score.\n\n"
        "**What follows, and what does not.** What the phantoms can show.\n"
    )


def _require_name(name: str, what: str, taken: Callable[[], list[str]]) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise InputError(f"{name!r} is no name for a {what}, expected lower case with hyphens, such as my-{what}")
    if name in taken():
        raise InputError(f"there is a {what} {name!r} already; take another name")


def _fresh(folder: Path, name: str) -> Path:
    require_writable(folder)
    if (folder / name).exists():
        raise InputError(f"{folder / name} is there already; take another name or remove it")
    return folder / name
