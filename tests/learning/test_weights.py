"""Weights: round trips, and files that are refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from sxtbench.errors import InputError
from sxtbench.hashing import canonical_json, sha256_file
from sxtbench.learning.networks import HybridUNet, UNet2D, UNet3D, fast_layout
from sxtbench.learning.weights import load_network, save_weights


def trained(kind: Any = HybridUNet, **settings: Any) -> Any:
    """Return a network after two training batches, so that its statistics are not the first ones."""
    torch.manual_seed(0)
    network = kind(**{"stages": 3, "features": 4, **settings})
    slices = getattr(network, "slices", 8)
    for _ in range(2):
        network(2 + torch.randn(2, 1, slices, 16, 16))
    return network


def answers(network: nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        x = torch.randn(2, 1, getattr(network, "slices", 8), 16, 16, generator=generator)
        return network.eval()(x)


@pytest.mark.parametrize("kind", [HybridUNet, UNet2D, UNet3D])
def test_a_round_trip(kind: Any, tmp_path: Path):
    network = trained(kind)
    path = tmp_path / "w.safetensors"
    save_weights(path, network, metadata={"seed": "3", "was": "geübt"})
    before = torch.get_rng_state()
    found, metadata = load_network(path, sha256=sha256_file(path).upper())
    assert torch.equal(torch.get_rng_state(), before)
    assert metadata == {"seed": "3", "was": "geübt"}
    assert found.architecture == network.architecture
    assert not found.training
    assert torch.equal(answers(found), answers(network))
    assert all(p.device.type == "cpu" and p.requires_grad for p in found.parameters())


def test_half_the_size(tmp_path: Path):
    network = trained(features=8)
    save_weights(tmp_path / "half", network, metadata={}, half=True)
    save_weights(tmp_path / "full", network, metadata={})
    assert (tmp_path / "half").stat().st_size < 0.6 * (tmp_path / "full").stat().st_size
    found, _ = load_network(tmp_path / "half")
    assert {p.dtype for p in found.parameters()} == {torch.float32}
    assert torch.allclose(answers(found), answers(network), atol=0.01)
    for name, tensor in load_file(tmp_path / "half").items():
        assert tensor.dtype == (torch.float16 if tensor.ndim > 1 else network.state_dict()[name].dtype)


def test_equal_weights_give_equal_bytes(tmp_path: Path):
    network = trained(UNet2D)
    metadata = {key: "x" for key in "qwertyuiopasdfgh"}
    hashes = set()
    for number in range(3):
        save_weights(tmp_path / str(number), network, metadata=metadata)
        hashes.add(sha256_file(tmp_path / str(number)))
    assert len(hashes) == 1
    with safe_open(tmp_path / "0", framework="pt") as file:
        # Several entries are written in an order that changes from run to run.
        assert len(file.metadata()) == 1


def test_the_layout_of_kernels_is_not_stored(tmp_path: Path):
    network = trained()
    save_weights(tmp_path / "a", network, metadata={})
    save_weights(tmp_path / "b", fast_layout(network), metadata={})
    assert sha256_file(tmp_path / "a") == sha256_file(tmp_path / "b")


def test_monais_tensors_are_stored_once(tmp_path: Path):
    network = trained(UNet3D)
    save_weights(tmp_path / "w", network, metadata={})
    stored = sum(tensor.numel() for tensor in load_file(tmp_path / "w").values())
    assert stored == sum(p.numel() for p in network.parameters())


def test_a_failed_save_leaves_the_old_file(tmp_path: Path):
    network, path = trained(), tmp_path / "w"
    save_weights(path, network, metadata={})
    before = path.read_bytes()
    with torch.no_grad():
        network.head.weight[0] = 1e5
    with pytest.raises(InputError, match=r"w: tensor head.weight does not fit float16; save with half=False"):
        save_weights(path, network, metadata={}, half=True)
    with torch.no_grad():
        network.head.weight[0] = float("nan")
    with pytest.raises(InputError, match=r"w: tensor head.weight holds NaN or infinity"):
        save_weights(path, network, metadata={})
    with pytest.raises(InputError, match=r"w: metadata must map text to text"):
        save_weights(path, network, metadata={"step": 3})  # type: ignore[dict-item]
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["w"]


class Trap:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("opened"),))


def test_pickles_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare.safetensors").write_bytes(pickle.dumps(Trap()))
    torch.save({"a": Trap()}, tmp_path / "zipped.safetensors")
    for name in ("bare", "zipped"):
        with pytest.raises(InputError, match=rf"{name}.safetensors: is no safetensors file") as caught:
            load_network(tmp_path / f"{name}.safetensors")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "opened").exists()


def test_a_changed_file_is_not_parsed(tmp_path: Path):
    path = tmp_path / "w"
    save_weights(path, trained(), metadata={})
    expected = sha256_file(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"w: SHA-256 is \w+, expected {expected}; the weights were changed"):
        load_network(path, sha256=expected)
    path.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"w: SHA-256 is"):
        load_network(path, sha256=expected)


def test_files_that_are_no_weights(tmp_path: Path):
    with pytest.raises(InputError, match=r"none: no such file, expected weights in the safetensors format"):
        load_network(tmp_path / "none")
    with pytest.raises(InputError, match=r"no such file"):
        load_network(tmp_path)
    path = tmp_path / "w"
    save_weights(path, trained(), metadata={})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"w: is no safetensors file"):
        load_network(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"w: is no safetensors file"):
        load_network(path)


def rewritten(path: Path, change: Any) -> None:
    """Write the weights of a small network after `change(tensors, header)`."""
    save_weights(path, trained(), metadata={})
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["sxtbench"])
    change(tensors, header)
    save_file(tensors, path, {"sxtbench": canonical_json(header)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, h: t.pop("head.bias"), r"tensor head.bias is missing, expected shape \(4,\)"),
        (lambda t, h: t.update(extra=torch.zeros(2)), r"tensor extra belongs to no layer of its architecture"),
        (lambda t, h: t.update({"head.bias": torch.zeros(5)}), r"tensor head.bias has shape \(5,\), expected \(4,\)"),
        (lambda t, h: t.update({"head.bias": torch.zeros(4).int()}), r"tensor head.bias has dtype torch.int32"),
        (lambda t, h: t.update({"head.bias": torch.full((4,), torch.nan)}), r"tensor head.bias holds NaN"),
        (lambda t, h: h["architecture"].update(features=8), r"has shape .* by its architecture"),
        (lambda t, h: h["architecture"].update(name="unet9"), r"network 'unet9' is unknown"),
        (lambda t, h: h["architecture"].update(features=1024, stages=8), r"has shape .* by its architecture"),
        (lambda t, h: h["architecture"].update(stages=99), r"stages is 99, expected an integer from 2 to 8"),
        (lambda t, h: h.pop("architecture"), r"says nothing of its architecture"),
        (lambda t, h: h.update(architecture=7), r"says nothing of its architecture"),
        (lambda t, h: h.update(metadata={"a": 1}), r"its metadata hold other values than text"),
    ],
)
def test_weights_of_another_architecture(change: Any, message: str, tmp_path: Path):
    rewritten(tmp_path / "w", change)
    with pytest.raises(InputError, match=rf"w: .*{message}") as caught:
        load_network(tmp_path / "w")
    assert "\n" not in str(caught.value)


def test_a_header_that_is_no_json(tmp_path: Path):
    for header in ({}, {"sxtbench": "{"}, {"sxtbench": "[]"}):
        save_file({"a": torch.zeros(1)}, tmp_path / "w", header)
        with pytest.raises(InputError, match="says nothing of its architecture"):
            load_network(tmp_path / "w")
