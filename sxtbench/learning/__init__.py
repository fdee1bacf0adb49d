"""Learned methods: the training stream, networks, training, inference. Needs the extra `learn`."""

import importlib
from typing import Any

_NAMES = {
    "HybridUNet": "networks",
    "UNet2D": "networks",
    "UNet3D": "networks",
    "answer_of": "answers",
    "build_network": "networks",
    "clean_labels": "postprocess",
    "count_parameters": "networks",
    "dice_focal_loss": "losses",
    "export_onnx": "onnx_export",
    "load_network": "weights",
    "load_training": "training",
    "minimise": "descent",
    "normalise": "inputs",
    "predict_volume": "inference",
    "read_labelled": "labelled",
    "save_weights": "weights",
    "shifted_examples": "labelled",
    "stream": "slabs",
    "train": "training",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "lightning", "monai", "safetensors", "onnx"):
            raise
        from sxtbench.errors import InputError

        raise InputError(
            f"sxtbench.learning.{name} needs {error.name}: pip install 'sxtbench[learn]' (torch first, for a CPU build)"
        ) from None
