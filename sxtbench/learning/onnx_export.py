"""Write a network as ONNX, for viewers and programs without torch."""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from sxtbench.errors import InputError
from sxtbench.files import atomic_path
from sxtbench.learning.networks import HybridUNet, Network, UNet2D, UNet3D


def export_onnx(network: Network, path: Path, *, shape: Sequence[int]) -> None:
    """Write a network in evaluation mode; the file takes any number of inputs of any size.

    Input `slabs` and output `logits` are those of the network's `forward`: channels, and the slices of a slab, are
    fixed, the other axes are not.

    Parameters
    ----------
    network : HybridUNet, UNet2D or UNet3D
        It is left as it is.
    path : Path
        Of the file, written whole or not at all.
    shape : sequence of five int
        Of an example: (n, channels, slices, y, x), or (n, channels, z, y, x) for `UNet3D`.

    Raises
    ------
    InputError
        For a shape that the network does not take, for a network that holds a projector, and where the exporter fails.
    """
    if not isinstance(network, HybridUNet | UNet2D | UNet3D):
        raise InputError("a network that holds a projector, whose angles come with the data, has no form in ONNX")
    if len(shape) != 5 or min(shape) < 1:
        raise InputError(f"shape is {tuple(shape)}, expected five positive integers: (n, channels, slices, y, x)")
    free = {0: "n", 2: "z", 3: "y", 4: "x"} if isinstance(network, UNet3D) else {0: "n", 3: "y", 4: "x"}
    # What the example does not need is left out of the file: padding, for one, or a batch.
    sizes = list(shape)
    sizes[0] = max(2, sizes[0])
    for axis in free:
        if axis >= 2 and sizes[axis] % network.multiple == 0:
            sizes[axis] += 1
    example = torch.zeros(sizes)
    prepared = copy.deepcopy(network).cpu().eval()
    with torch.inference_mode():
        prepared(example)  # refuses another shape in its own words
    dimensions = {axis: torch.export.Dim(name, min=1) for axis, name in free.items()}
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                prepared,
                (example,),
                dynamo=True,
                dynamic_shapes=(dimensions,),
                input_names=["slabs"],
                output_names=["logits"],
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"{path}: torch {torch.__version__} cannot export this network ({reason})") from error
        assert program is not None
        with atomic_path(path) as temporary:
            program.save(temporary)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the exporter says of its own inner workings."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
