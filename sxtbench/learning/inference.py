"""Predict a whole volume: slabs along z, or overlapping patches for a network in three dimensions."""

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sxtbench.errors import InputError
from sxtbench.learning.networks import UNet3D, fast_layout

Activation = Literal["softmax", "none"]
Progress = Callable[[int, int], None]
_FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
_PATCH = 128  # nnU-Net's patch for volumes of about equal sides


def predict_volume(
    network: nn.Module,
    volume: NDArray[Any],
    *,
    batch: int = 8,
    flips: bool = False,
    device: str | torch.device | None = None,
    mixed_precision: bool = False,
    progress: Progress | None = None,
    activation: Activation = "softmax",
    patch: tuple[int, int, int] | None = None,
) -> NDArray[np.float32]:
    """Return what a network says of every voxel, the first and the last slices included.

    A network of slabs slides along z; beyond the ends the first and the last slice are repeated. `UNet3D` sees patches
    that overlap by half, blended by a Gaussian (MONAI's `sliding_window_inference`). The network itself is left as it
    is: a copy in evaluation mode is used.

    Parameters
    ----------
    network : Module
        Of `sxtbench.learning.networks`.
    volume : ndarray, shape (z, y, x) or (channels, z, y, x), any float dtype, finite
        Normalised as in training. At least as many slices as a slab has.
    batch : int
        Slabs or patches at a time: more take more memory.
    flips : bool
        Average over the four flips within a slice, at four times the cost.
    device : str or torch.device, optional
        Where to compute; by default where the network is.
    mixed_precision : bool
        Compute in float16 on a GPU and in bfloat16 elsewhere.
    progress : callable, optional
        `progress(done, all)` with the number of slices after each batch; for `UNet3D` once, at the end.
    activation : {"softmax", "none"}
        "none" for the regression of a LAC.
    patch : tuple of three int, optional
        Of `UNet3D`: voxels of a patch along (z, y, x), as in training; 128 each by default. Cut to the volume.

    Returns
    -------
    ndarray, shape (classes, z, y, x), float32
        Probabilities, which sum to 1 over the classes, or whatever a regression returns.

    Raises
    ------
    InputError
        For a volume of another number of axes or channels, with values that are not finite or fewer slices than a slab,
        for settings out of their range, for a device that is not there, and when memory runs out.

    Notes
    -----
    Neighbouring slabs share slices, and yet the encoder must be run for each of them: its convolutions see zeros beyond
    the ends of a slab, and the centre of a slab of 7 slices feels the ends from the fourth convolution on.

    Examples
    --------
    >>> import numpy as np
    >>> from sxtbench.learning.networks import HybridUNet
    >>> network = HybridUNet(classes=4, stages=2, features=4, slices=3)
    >>> predict_volume(network, np.zeros((5, 16, 17), np.float32)).shape
    (4, 5, 16, 17)
    """
    architecture: dict[str, Any] = dict(network.architecture)  # type: ignore[arg-type]
    found = _checked(volume, architecture, batch=batch, activation=activation)
    target = next(network.parameters()).device if device is None else _device(device)
    try:
        run = _Runner(network, target, flips=flips, mixed_precision=mixed_precision, activation=activation)
        with torch.inference_mode():
            if isinstance(network, UNet3D):
                return _predict_patches(run, found, patch, batch, progress)
            return _predict_slabs(run, found, architecture, batch, progress)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        size = " x ".join(map(str, found.shape[2:]))
        raise InputError(f"out of memory on {target} with batch {batch} and slices of {size}: lower `batch`") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that the memory of a GPU or of the machine is used up."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # On the CPU torch raises a plain RuntimeError, whose words differ between systems.
    words = ("can't allocate memory", "not enough memory", "alloc_failed", "bad_alloc", "out of memory")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)


class _Runner:
    """A network made ready: a copy in evaluation mode on its device, in the layout that is fastest there."""

    def __init__(
        self, network: nn.Module, device: torch.device, *, flips: bool, mixed_precision: bool, activation: Activation
    ) -> None:
        self.device, self.activation = device, activation
        self.network = fast_layout(_with_folded_statistics(copy.deepcopy(network).eval()).to(device))
        self.flips = _FLIPS if flips else _FLIPS[:1]
        precision = torch.float16 if device.type == "cuda" else torch.bfloat16
        self.autocast = torch.autocast(device.type, dtype=precision, enabled=mixed_precision)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities of a batch, float32 on the device, the mean over the flips."""
        x = x.to(self.device)
        parts = [self._activated(x.flip(axes)).flip(axes) for axes in self.flips]
        return torch.stack(parts).mean(dim=0) if len(parts) > 1 else parts[0]

    def _activated(self, x: torch.Tensor) -> torch.Tensor:
        with self.autocast:
            logits: torch.Tensor = self.network(x)
        logits = logits.float()
        return logits.softmax(dim=1) if self.activation == "softmax" else logits


def _predict_slabs(
    run: _Runner, volume: NDArray[np.float32], architecture: dict[str, Any], batch: int, progress: Progress | None
) -> NDArray[np.float32]:
    slices, depth = architecture["slices"], volume.shape[1]
    out = np.empty(0, np.float32)
    for first, last in _ranges(depth, batch):
        wanted = np.arange(first, last)[:, None] + np.arange(slices) - slices // 2
        slabs = volume[:, wanted.clip(0, depth - 1)].swapaxes(0, 1)
        answer = run(torch.from_numpy(slabs)).movedim(0, 1).cpu().numpy()
        if first == 0:  # the answer to a tilt series has another shape in the plane
            out = np.empty((len(answer), depth, *answer.shape[2:]), np.float32)
        out[:, first:last] = answer
        if progress:
            progress(last, depth)
    return out


def _predict_patches(
    run: _Runner,
    volume: NDArray[np.float32],
    patch: tuple[int, int, int] | None,
    batch: int,
    progress: Progress | None,
) -> NDArray[np.float32]:
    # MONAI takes seconds to import, and slabs do without.
    from monai.inferers.utils import sliding_window_inference

    asked = patch or (_PATCH,) * 3
    if len(asked) != 3 or min(asked) < 1:
        raise InputError(f"patch is {asked}, expected three positive numbers of voxels along (z, y, x)")
    answer = sliding_window_inference(
        torch.from_numpy(volume[None]),
        roi_size=tuple(min(pair) for pair in zip(asked, volume.shape[1:], strict=True)),
        sw_batch_size=batch,
        predictor=run,
        overlap=0.5,
        mode="gaussian",
        sw_device=run.device,
        device=torch.device("cpu"),
    )
    assert isinstance(answer, torch.Tensor)
    if progress:
        progress(volume.shape[1], volume.shape[1])
    return np.asarray(answer[0].numpy(), np.float32)


def _ranges(length: int, step: int) -> Iterator[tuple[int, int]]:
    for first in range(0, length, step):
        yield first, min(first + step, length)


def _with_folded_statistics(network: nn.Module) -> nn.Module:
    """Put the batch normalisation that follows a convolution into its weights; the network is in evaluation mode."""
    for block in list(network.modules()):
        if not isinstance(block, nn.Sequential):
            continue
        for number, (part, following) in enumerate(pairwise(list(block))):
            folded: nn.Module
            if isinstance(part, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                folded = fuse_conv_bn_eval(part, following)
            elif isinstance(part, nn.Conv3d) and isinstance(following, nn.BatchNorm3d):
                folded = fuse_conv_bn_eval(part, following)
            else:
                continue
            block[number], block[number + 1] = folded, nn.Identity()
    return network


def _device(asked: str | torch.device) -> torch.device:
    try:
        device = torch.device(asked)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {str(asked)!r} cannot be used here ({reason}), expected cpu or cuda") from None
    return device


def _checked(volume: NDArray[Any], architecture: dict[str, Any], *, batch: int, activation: str) -> NDArray[np.float32]:
    """Return the volume as (channels, z, y, x), float32."""
    channels, name = architecture["channels"], architecture["name"]
    if activation not in ("softmax", "none"):
        raise InputError(f"activation is {activation!r}, expected 'softmax' or 'none'")
    if activation == "softmax" and architecture["classes"] == 1:
        raise InputError(f"{name} has one output, whose softmax is always 1: expected activation='none'")
    if batch < 1:
        raise InputError(f"batch is {batch}, expected at least 1")
    array = np.asarray(volume)
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or array.shape[0] != channels or 0 in array.shape:
        shape = "(z, y, x)" if channels == 1 else f"({channels}, z, y, x)"
        raise InputError(f"volume has shape {np.shape(volume)}, expected {shape} for {name} with {channels} channel(s)")
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"volume has dtype {array.dtype}, expected a float dtype, normalised as in training")
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError("volume holds NaN or infinity, expected finite values")
    slices = architecture.get("slices", 1)
    if array.shape[1] < slices:
        raise InputError(f"volume has {array.shape[1]} slices, expected at least {slices}, those of a slab of {name}")
    return array
