"""sxtbench, the benchmark of soft X-ray tomography.

The public names load what they need on first use: importing this package loads none of the heavy libraries.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "InputError": "sxtbench.errors",
    "Result": "sxtbench.benchmark.result",
    "Sample": "sxtbench.datasets.dataset",
    "Dataset": "sxtbench.datasets.dataset",
    "Task": "sxtbench.benchmark.task",
    "compare": "sxtbench.benchmark.compare",
    "evaluate": "sxtbench.benchmark.evaluate",
    "get_task": "sxtbench.benchmark.task",
    "list_baselines": "sxtbench.benchmark.method",
    "list_tasks": "sxtbench.benchmark.task",
    "load_method": "sxtbench.benchmark.method",
    "load_result": "sxtbench.benchmark.result",
}

if TYPE_CHECKING:
    from sxtbench.benchmark.compare import compare as compare
    from sxtbench.benchmark.evaluate import evaluate as evaluate
    from sxtbench.benchmark.method import list_baselines as list_baselines
    from sxtbench.benchmark.method import load_method as load_method
    from sxtbench.benchmark.result import Result as Result
    from sxtbench.benchmark.result import load_result as load_result
    from sxtbench.benchmark.task import Task as Task
    from sxtbench.benchmark.task import get_task as get_task
    from sxtbench.benchmark.task import list_tasks as list_tasks
    from sxtbench.datasets.dataset import Dataset as Dataset
    from sxtbench.datasets.dataset import Sample as Sample
    from sxtbench.errors import InputError as InputError

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sxtbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
