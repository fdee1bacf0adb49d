"""Weights of networks, in safetensors files that say which network they belong to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from sxtbench.errors import InputError
from sxtbench.files import atomic_path
from sxtbench.hashing import canonical_json, sha256_file
from sxtbench.learning.networks import Network, build_network

_KEY = "sxtbench"


def save_weights(path: Path, network: Network, *, metadata: Mapping[str, str], half: bool = False) -> None:
    """Write the parameters and running statistics of a network, whole or not at all.

    Equal weights and metadata give equal bytes.

    Parameters
    ----------
    path : Path
        Of the safetensors file.
    network : HybridUNet, UNet2D or UNet3D
        On any device.
    metadata : mapping of str to str
        Whatever shall travel with the weights: seed, data fingerprint, score.
    half : bool
        Store the kernels in float16. Biases, normalisation and statistics stay in float32: they are small, and a
        variance may lie below what float16 holds.

    Raises
    ------
    InputError
        For metadata other than text, and for weights that are not finite or too large for float16.
    """
    if not all(isinstance(part, str) for item in metadata.items() for part in item):
        raise InputError(f"{path}: metadata must map text to text")
    stored = {}
    for name, tensor in _tensors(network).items():
        kernel = half and tensor.is_floating_point() and tensor.ndim > 1
        stored[name] = tensor.detach().to("cpu", torch.float16 if kernel else tensor.dtype).contiguous()
        if not stored[name].isfinite().all():
            why = "does not fit float16; save with half=False" if tensor.isfinite().all() else "holds NaN or infinity"
            raise InputError(f"{path}: tensor {name} {why}")
    # safetensors writes several entries of metadata in an order that changes from run to run.
    header = canonical_json({"architecture": network.architecture, "metadata": dict(metadata)})
    with atomic_path(path) as temporary:
        save_file(stored, temporary, {_KEY: header})


def load_network(path: Path, *, sha256: str | None = None) -> tuple[Network, dict[str, str]]:
    """Rebuild a network from its weights.

    Parameters
    ----------
    path : Path
        A file of `save_weights`.
    sha256 : str, optional
        What the hash of the file must be, in hex; it is looked at before anything else in the file.

    Returns
    -------
    network : HybridUNet, UNet2D or UNet3D
        On the CPU, in float32, in evaluation mode.
    metadata : dict of str to str
        As they were given to `save_weights`.

    Raises
    ------
    InputError
        For a file that is missing, has another hash, is not in the safetensors format or not of `save_weights`, and
        for tensors that are missing, superfluous, of another shape or not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected weights in the safetensors format")
    if sha256 is not None and (found := sha256_file(path)) != sha256.lower():
        raise InputError(f"{path}: SHA-256 is {found}, expected {sha256}; the weights were changed or cut short")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is no safetensors file, the only format for weights here ({error})") from None
    architecture, metadata = _read_header(path, header)
    try:
        # Nothing is allocated before the shapes of the file are found to be those of the architecture.
        with torch.device("meta"):
            network = build_network(architecture)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    _check_tensors(path, tensors, _tensors(network))
    network = network.to_empty(device="cpu")
    with torch.no_grad():
        for name, tensor in _tensors(network).items():
            tensor.copy_(tensors[name])
    return network.eval(), metadata


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return parameters and buffers, each once: MONAI registers modules under several names."""
    return dict(network.named_parameters()) | dict(network.named_buffers())


def _read_header(path: Path, header: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        content = json.loads(header[_KEY])
        architecture, metadata = dict(content["architecture"]), dict(content["metadata"])
    except (KeyError, ValueError, TypeError):
        raise InputError(f"{path}: says nothing of its architecture, expected a file that save_weights wrote") from None
    if not all(isinstance(value, str) for value in metadata.values()):
        raise InputError(f"{path}: its metadata hold other values than text")
    return architecture, metadata


def _check_tensors(path: Path, found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    """Raise unless names and shapes are those of the architecture and all values are finite."""
    for name, tensor in expected.items():
        if name not in found:
            raise InputError(f"{path}: tensor {name} is missing, expected shape {tuple(tensor.shape)}")
        if found[name].shape != tensor.shape:
            shapes = f"{tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
            raise InputError(f"{path}: tensor {name} has shape {shapes} by its architecture")
        if found[name].is_floating_point() != tensor.is_floating_point():
            raise InputError(f"{path}: tensor {name} has dtype {found[name].dtype}, expected {tensor.dtype}")
        if not found[name].isfinite().all():
            raise InputError(f"{path}: tensor {name} holds NaN or infinity, expected finite weights")
    if superfluous := sorted(set(found) - set(expected)):
        raise InputError(f"{path}: tensor {superfluous[0]} belongs to no layer of its architecture")
