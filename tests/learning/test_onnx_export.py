"""ONNX: the answers of the network, at any number and size of inputs."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from sxtbench.errors import InputError
from sxtbench.learning.networks import HybridUNet, UNet2D, UNet3D
from sxtbench.learning.onnx_export import export_onnx


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "shape", "others"),
    [
        (HybridUNet, (1, 1, 7, 16, 16), [(3, 1, 7, 33, 30), (1, 1, 7, 5, 3)]),
        (UNet2D, (1, 1, 1, 16, 16), [(3, 1, 1, 33, 30), (1, 1, 1, 5, 3)]),
        (UNet3D, (1, 1, 16, 16, 16), [(2, 1, 9, 20, 18), (1, 1, 3, 4, 5)]),
    ],
)
def test_the_answers_agree(kind: Any, shape: tuple[int, ...], others: list[tuple[int, ...]], tmp_path: Path):
    torch.manual_seed(0)
    network = kind(stages=3, features=4)
    for _ in range(3):
        network(1 + torch.randn(2, *shape[1:]))
    path = tmp_path / "network.onnx"
    export_onnx(network, path, shape=shape)
    assert network.training
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    network.eval()
    for size in [shape, *others]:
        x = torch.randn(size)
        with torch.inference_mode():
            expected = network(x).numpy()
        (found,) = session.run(["logits"], {"slabs": x.numpy()})
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["network.onnx"]


def test_bad_shapes(tmp_path: Path):
    network = HybridUNet(stages=2, features=4)
    with pytest.raises(InputError, match=r"shape is \(1, 7, 16, 16\), expected five positive integers"):
        export_onnx(network, tmp_path / "n.onnx", shape=(1, 7, 16, 16))
    with pytest.raises(InputError, match=r"hybrid-unet: input has shape .*, expected \(n, 1, 7, y, x\)"):
        export_onnx(network, tmp_path / "n.onnx", shape=(1, 1, 5, 16, 16))
    assert not list(tmp_path.iterdir())
