"""Methods: found by name or file, loaded the same way whether they ship here or not."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from sxtbench.benchmark.controls import CONTROLS
from sxtbench.benchmark.task import get_task, suggestion
from sxtbench.content import content_folder
from sxtbench.datasets.dataset import Dataset, Sample
from sxtbench.datasets.recipe import read_yaml
from sxtbench.errors import InputError
from sxtbench.hashing import sha256_file


@runtime_checkable
class Method(Protocol):
    """What a method must have; no base class is needed.

    A method may also have `fit(train, validation, *, seed)`, and `save(path)` and `load(path)`.
    """

    name: str

    def predict(self, sample: Sample) -> NDArray[Any]:
        """Return the answer for one sample."""
        ...


def _configs() -> dict[str, Path]:
    return {
        str(read_yaml(path).get("name", path.parent.name)): path
        for path in sorted(content_folder("baselines").glob("*/config.yaml"))
    }


def list_baselines(task: str | None = None) -> list[str]:
    """Return the names of the methods that ship with this version, controls last.

    Parameters
    ----------
    task : str, optional
        Only those that answer this task.

    Examples
    --------
    >>> list_baselines("limited-angle-segmentation")
    ['fbp-otsu', 'gradient-boosting', 'oracle', 'trivial']
    """
    if task is None:
        return [*sorted(_configs()), *CONTROLS]
    chosen = get_task(task)
    names = [name for name, path in _configs().items() if chosen.name in read_yaml(path)["tasks"]]
    return [*sorted(names), *chosen.report.controls]


def baseline_folder(name: str) -> Path:
    """Return the folder of a baseline that ships here."""
    configs = _configs()
    if name not in configs:
        raise InputError(f"unknown baseline {name!r}{suggestion(name, configs)}")
    return configs[name].parent


def load_method(spec: str, **parameters: Any) -> Method:
    """Load a method.

    Parameters
    ----------
    spec : str
        The name of a baseline, `package.module:Class`, or `path/to/file.py:Class`.
    **parameters
        Keyword arguments for the class, over those of the `config.yaml` beside its file.

    Returns
    -------
    Method
        An instance with its `config` (the mapping of `config.yaml`, or empty) as an attribute.

    Raises
    ------
    InputError
        For an unknown name (with the nearest one), a file that is missing or raises, a class that is no method.
    """
    if spec in CONTROLS:
        control: Method = CONTROLS[spec]()
        return control
    place, colon, class_name = spec.rpartition(":")
    if not colon:
        if spec.endswith(".py"):
            raise InputError(f"{spec}: name the class too, as in {spec}:MyMethod")
        configs = _configs()
        if spec not in configs:
            raise InputError(
                f"unknown method {spec!r}{suggestion(spec, list_baselines())} "
                "(or give file.py:Class, package.module:Class)"
            )
        config = read_yaml(configs[spec])
        file, _, class_name = str(config.get("class", "")).rpartition(":")
        module = _import_file(configs[spec].parent / file)
    elif place.endswith(".py"):
        path = Path(place)
        module = _import_file(path)
        beside = path.resolve().parent / "config.yaml"
        config = read_yaml(beside) if beside.is_file() else {}
    else:
        module = _import_module(place)
        config = {}
    return _instance(module, class_name, config, parameters, spec)


def _instance(
    module: ModuleType, class_name: str, config: Mapping[str, Any], parameters: Mapping[str, Any], spec: str
) -> Method:
    found = getattr(module, class_name, None)
    if not inspect.isclass(found):
        classes = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == module.__name__
        ]
        raise InputError(f"{spec}: no class {class_name!r}{suggestion(class_name, classes) if classes else ''}")
    arguments = {**dict(config.get("parameters") or {}), **parameters}
    method: Any
    try:
        method = found(**arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{spec}: {class_name}(...) raised {_told(error)}") from error
    for attribute in ("name", "predict"):
        if not hasattr(method, attribute):
            raise InputError(f"{spec}: {class_name} has no {attribute!r}; a method needs name and predict(sample)")
    if not isinstance(method.name, str) or not method.name:
        raise InputError(f"{spec}: name is {method.name!r}, expected a non-empty string")
    method.config = dict(config)
    source = getattr(module, "__file__", None)
    method.source_sha256 = sha256_file(Path(source)) if source else ""
    loaded: Method = method
    return loaded


def _told(error: BaseException) -> str:
    """Return `TypeError: message (file.py, line 3)` for an exception from a method's own code."""
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}{place}" if message else f"{type(error).__name__}{place}"


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: no such method file")
    name = f"sxtbench_method_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path}: raised {_told(error)} on import") from error
    finally:
        sys.path.remove(folder)
    return module


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise InputError(f"{name}: cannot be imported: {_told(error)}") from error


def require_meant_for(name: str, config: Mapping[str, Any], task: str) -> None:
    """Refuse a task that a method's `config.yaml` does not name; a method without one may be run on any."""
    tasks = config.get("tasks")
    if tasks and task not in tasks:
        raise InputError(f"{name} answers {', '.join(tasks)}; it is no method for {task}")


def learns(method: Method, answer: str) -> bool:
    """Whether a method has to be fitted before it answers: it has `fit` and brings no weights.

    Parameters
    ----------
    method : Method
        From `load_method`.
    answer : str
        The kind of answer that the task wants. A method may say in `fits` for which kinds it has to be fitted.
    """
    if not hasattr(method, "fit") or getattr(method, "config", {}).get("weights"):
        return False
    return answer in getattr(method, "fits", (answer,))


def fit_method(method: Any, train: Dataset, validation: Dataset, *, seed: int = 0) -> None:
    """Fit a method. Both splits are handed over with their targets."""
    try:
        method.fit(train.with_targets, validation.with_targets, seed=seed)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{method.name}: fit raised {_told(error)}") from error


def predict_sample(method: Method, sample: Sample) -> NDArray[Any]:
    """Call `predict`, turning what a method raises into one line."""
    try:
        return method.predict(sample)
    except InputError as error:
        raise InputError(f"{method.name}: {error}") from error
    except Exception as error:
        raise InputError(f"{method.name}: predict({sample.id}) raised {_told(error)}") from error
