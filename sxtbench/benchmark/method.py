"""Methods: found by name or file, loaded the same way whether they ship here or not."""

import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from sxtbench.benchmark.controls import CONTROLS
from sxtbench.benchmark.task import Task, get_task, suggestion
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


def list_baselines(task: str | None = None, tier: str | None = None) -> list[str]:
    """Return the names of the methods that ship with this version, controls last.

    Parameters
    ----------
    task : str, optional
        Only those that answer this task.
    tier : str, optional
        Only those that answer it at this tier.

    Examples
    --------
    >>> list_baselines("projection-alignment")
    ['anchored-ncc', 'neighbour-ncc', 'oracle', 'trivial']
    """
    if task is None:
        return [*sorted(_configs()), *CONTROLS]
    chosen = get_task(task)
    configs = {name: read_yaml(path) for name, path in _configs().items()}
    names = [name for name, config in configs.items() if chosen.name in config["tasks"] and answers_at(config, tier)]
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
        An instance with its `config` (the mapping of `config.yaml`, or empty) and the `folder` where that lies.

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
        config, folder = read_yaml(configs[spec]), configs[spec].parent
        file, _, class_name = str(config.get("class", "")).rpartition(":")
        module = _import_file(configs[spec].parent / file)
    elif place.endswith(".py"):
        path = Path(place)
        module = _import_file(path)
        beside = path.resolve().parent / "config.yaml"
        config, folder = (read_yaml(beside) if beside.is_file() else {}), beside.parent
    else:
        module = _import_module(place)
        config, folder = {}, None
    return _instance(module, class_name, config, parameters, spec, folder)


def load_for(task: Task, spec: str, weights: Path | None = None) -> Method:
    """Load a method that answers a task, with weights of a user's own or with what ships.

    Parameters
    ----------
    task : Task
        What it has to answer.
    spec : str
        As for `load_method`.
    weights : Path, optional
        A safetensors file, as `sxtbench train` writes it. A `training.json` beside it says in which track it was
        trained, which then is the method's.

    Raises
    ------
    InputError
        As `load_method`, for a method that does not answer this task or tier, for a file that is missing, and for a
        method that takes no weights.
    """
    if weights is None:
        method = load_method(spec)
        require_meant_for(method.name, getattr(method, "config", {}), task)
        return method
    if not weights.is_file():
        raise InputError(f"{weights}: no such file of weights")
    config = getattr(load_method(spec), "config", {})
    if "weights" not in (config.get("parameters") or {}):
        raise InputError(f"{spec} takes no weights; leave out --weights")
    own = {task.tier: {"file": str(weights.resolve()), "sha256": sha256_file(weights)}}
    trained: Any = load_method(spec, weights=own)
    trained.config.pop("tiers", None)  # of what ships
    named = {task.tier: {**own[task.tier], "file": weights.name}}  # no path of this machine in a result
    trained.config["parameters"] = {**trained.config["parameters"], "weights": named}
    about = weights.with_name("training.json")
    if about.is_file():
        trained.config["track"] = json.loads(about.read_text(encoding="utf-8"))["track"]
    require_meant_for(trained.name, trained.config, task)
    loaded: Method = trained
    return loaded


def _instance(
    module: ModuleType,
    class_name: str,
    config: Mapping[str, Any],
    parameters: Mapping[str, Any],
    spec: str,
    folder: Path | None,
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
    method.config = {**config, "parameters": arguments} if parameters else dict(config)
    source = getattr(module, "__file__", None)
    method.source_sha256 = sha256_file(Path(source)) if source else ""
    if folder is not None:
        method.folder = folder
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
    except InputError:  # says what is missing
        raise
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


def answers_at(config: Mapping[str, Any], tier: str | None) -> bool:
    """Whether the `tiers` of a `config.yaml` hold a tier; a method that names none answers at all."""
    return tier is None or tier in config.get("tiers", (tier,))


def require_meant_for(name: str, config: Mapping[str, Any], task: Task) -> None:
    """Refuse a task or tier that a method's `config.yaml` does not name; a method without one may be run on any."""
    require_task(name, config, task)
    if answers_at(config, task.tier):
        return
    tiers = ", ".join(config["tiers"]) or "no tier"
    if config.get("weights"):
        raise InputError(
            f"{name} ships weights for {tiers}; `sxtbench train {name} {task.name} --tier {task.tier}` makes some for "
            f"{task.tier}, which --weights takes"
        )
    raise InputError(f"{name} answers at {tiers}; it is no method for tier {task.tier}")


def require_task(name: str, config: Mapping[str, Any], task: Task) -> None:
    """Refuse a task that a method's `config.yaml` does not name, at whatever tier."""
    tasks = config.get("tasks")
    if tasks and task.name not in tasks:
        raise InputError(f"{name} answers {', '.join(tasks)}; it is no method for {task.name}")


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
