"""What operators ask of the arrays they are given: numpy arrays, or torch tensors where torch is already loaded."""

import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError


def is_tensor(array: Any) -> bool:
    """Whether an array is a torch tensor, without loading torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def checked(array: ArrayLike, shape: tuple[int, ...], name: str, axes: str) -> Any:
    """Return an array of a required shape as float32 in C order.

    Parameters
    ----------
    array : array_like
        Real numbers. A torch tensor is returned as it is if it ends in that shape and is float32 or float64.
    shape : tuple of int
        Required shape; tensors may have more axes in front.
    name, axes : str
        What the array is and what its axes are, for the message.

    Returns
    -------
    ndarray, float32, or the tensor

    Raises
    ------
    InputError
        For another shape, and for numbers that are not real.
    """
    if is_tensor(array):
        return _checked_tensor(array, shape, name, axes)
    given = np.asarray(array)
    if given.shape != shape:
        raise InputError(f"{name} has shape {given.shape}, expected {shape}, {axes}")
    if given.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {given.dtype}, expected real numbers")
    return np.ascontiguousarray(given, np.float32)


def _checked_tensor(tensor: Any, shape: tuple[int, ...], name: str, axes: str) -> Any:
    given = tuple(tensor.shape)
    if given[-len(shape) :] != shape:
        raise InputError(f"{name} has shape {given}, expected {shape}, {axes}, with any axes in front")
    if str(tensor.dtype) not in ("torch.float32", "torch.float64"):
        raise InputError(f"{name} has dtype {tensor.dtype}, expected torch.float32 or torch.float64")
    return tensor


def like(values: NDArray[Any], array: Any) -> Any:
    """Return constants as what an array is: a tensor of its device (and dtype, unless boolean), or as they are."""
    if not is_tensor(array):
        return values
    import torch

    dtype = torch.bool if values.dtype == bool else array.dtype
    return torch.as_tensor(values, dtype=dtype, device=array.device)


def checked_views(indices: ArrayLike, n_angles: int) -> NDArray[np.int64]:
    """Return the indices of views as an array from 0, or say what is wrong with them."""
    chosen = np.asarray(indices)
    if chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu":
        raise InputError(f"indices are {indices!r}, expected a list of one or more whole numbers of views")
    if chosen.min() < -n_angles or chosen.max() >= n_angles:
        raise InputError(f"indices run from {chosen.min()} to {chosen.max()}, expected views of {n_angles}")
    return chosen.astype(np.int64) % n_angles
