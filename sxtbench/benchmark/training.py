"""Axes of kind `training`: how many labelled specimens a method learns from (PROTOCOL 4).

A method that learns is fitted once a level, on the first so many specimens of train, and answers the test split anew;
one that does not learn has the same answers at every level.
"""

from sxtbench.benchmark.task import Task
from sxtbench.datasets.dataset import Dataset
from sxtbench.datasets.spec import Condition, level_text


def fits_of(task: Task) -> list[Condition]:
    """Return the level of each fit that a task asks for, the reference last; `[{}]` where it has no training axis.

    Parameters
    ----------
    task : Task
        From `get_task`.

    Examples
    --------
    >>> from sxtbench.benchmark.task import get_task
    >>> fits_of(get_task("organelle-segmentation", "small"))
    [{'labelled_cells': 1.0}, {'labelled_cells': 3.0}, {'labelled_cells': 10.0}, {'labelled_cells': 52.0}]
    >>> fits_of(get_task("limited-angle-segmentation"))
    [{}]
    """
    for name, axis in task.protocol.axes.items():
        if axis.kind == "training":
            return [{name: level} for level in (*(v for v in axis.levels if v != axis.reference), axis.reference)]
    return [{}]


def training_data(task: Task, fit: Condition | None = None) -> Dataset:
    """Return what a method is fitted on: the train split, or at a level of a training axis its first specimens.

    Parameters
    ----------
    task : Task
        From `get_task`.
    fit : dict of float, optional
        One of `fits_of`; the reference by default.
    """
    train = task.dataset("train")
    for level in (fits_of(task)[-1] if fit is None else fit).values():
        return train.of_first_specimens(int(level))
    return train


def answers_wanted(task: Task, dataset: Dataset, *, learned: bool) -> list[tuple[Condition, Dataset]]:
    """Return which samples are answered after which fit.

    Off the reference of the training axis these are the samples at the reference of every other axis.

    Parameters
    ----------
    task : Task
        From `get_task`.
    dataset : Dataset
        The split to answer.
    learned : bool
        Whether the method is fitted; without, one set of answers is all there is.
    """
    *others, reference = fits_of(task)
    return [(fit, dataset.at_reference) for fit in others if learned] + [(reference, dataset)]


def answer_key(task: Task, fit: Condition, sample_id: str) -> str:
    """Return the name of an answer: the sample's id at the reference, below a folder `<axis>=<level>` elsewhere.

    Examples
    --------
    >>> from sxtbench.benchmark.task import get_task
    >>> task = get_task("organelle-segmentation", "tiny")
    >>> [answer_key(task, fit, "test-00000") for fit in fits_of(task)]
    ['labelled_cells=1/test-00000', 'test-00000']
    """
    return f"{folder_of(fit)}/{sample_id}" if fit != fits_of(task)[-1] else sample_id


def folder_of(fit: Condition) -> str:
    """Return the name of the folder of a fit's answers, `<axis>=<level>`."""
    return ",".join(f"{name}={level_text(level)}" for name, level in fit.items())
