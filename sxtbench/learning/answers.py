"""From a sample to an answer by a network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sxtbench.benchmark.task import Task
from sxtbench.errors import InputError
from sxtbench.labels import BACKGROUND, CYTOPLASM, DROPLET, VACUOLE
from sxtbench.learning.inference import predict_volume
from sxtbench.learning.inputs import Scaling, channels
from sxtbench.learning.postprocess import clean_labels
from sxtbench.learning.stream_parameters import StreamParameters


def seen(task: Task, parameters: StreamParameters) -> dict[str, Any]:
    """Return what a network was trained to see and to say: the keyword arguments of `answer_of`, fit for JSON.

    Of whole slabs the patch is among them: the field where the stream has no window.
    """
    found: dict[str, Any] = {
        "inputs": list(parameters.inputs),
        "scaling": parameters.scaling,
        "classes": list(task.protocol.answer.classes),
    }
    if parameters.target == "slab":
        field = task.dataset_spec.recipe.shapes[0][1:]
        sides = field if parameters.window is None else (parameters.window,) * 2
        found["patch"] = [parameters.slices, *sides]
    return found


def answer_of(
    network: nn.Module,
    sample: Any,
    *,
    inputs: tuple[str, ...] = ("fbp",),
    scaling: Scaling = "lac",
    classes: tuple[int, ...] = (),
    postprocess: bool = False,
    **options: Any,
) -> NDArray[Any]:
    """Return a network's answer for one sample.

    Parameters
    ----------
    network : Module
        Of `sxtbench.learning.networks`.
    sample : Sample
        Without its targets.
    inputs, scaling
        What the network was trained on.
    classes : tuple of int
        The task's labels in the order of the network's outputs; none: it returns LAC.
    postprocess : bool
        Tidy the labels by `clean_labels`, which knows yeast: classes 0 to 3.
    **options
        As for `predict_volume`.

    Returns
    -------
    ndarray, shape (z, y, x), uint8 labels or float32 LAC in 1/um

    Raises
    ------
    InputError
        As `predict_volume`, and for post-processing of an answer other than the labels of yeast.
    """
    if postprocess and not set(classes) == {BACKGROUND, CYTOPLASM, VACUOLE, DROPLET}:
        raise InputError(f"postprocess is for labels 0, 1, 2, 3 of yeast, the answer holds {list(classes) or 'LAC'}")
    volume = channels(sample, tuple(inputs), scaling)
    if not classes:
        lac: NDArray[np.float32] = predict_volume(network, volume, activation="none", **options)[0]
        return lac
    found = predict_volume(network, volume, **options)
    labels: NDArray[np.uint8] = np.asarray(classes, np.uint8)[found.argmax(axis=0)]
    return clean_labels(labels, sample.voxel_size_nm) if postprocess else labels
