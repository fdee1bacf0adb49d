"""Inference: each slice from its own slab, ends, flips, batches, patches, memory."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import pad

from sxtbench.errors import InputError
from sxtbench.learning.inference import is_out_of_memory, predict_volume
from sxtbench.learning.networks import HybridUNet, UNet2D, UNet3D


def network(kind: Any = HybridUNet, **settings: Any) -> Any:
    """Return a network whose batch statistics are not the first ones, in training mode."""
    torch.manual_seed(0)
    made = kind(**{"stages": 3, "features": 4, **settings})
    for _ in range(3):
        made(1 + 2 * torch.randn(2, made.architecture["channels"], getattr(made, "slices", 8), 16, 16))
    return made


def volume(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def slice_by_slice(made: Any, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same by torch's own edge padding, one slab after the other."""
    before = made.training
    made.eval()
    reach = made.slices // 2
    x = pad(torch.from_numpy(array)[None], (0, 0, 0, 0, reach, reach), mode="replicate")
    with torch.inference_mode():
        slabs = (x[:, :, z : z + made.slices] for z in range(array.shape[1]))
        answer = torch.cat([made(slab).softmax(1) for slab in slabs])
    made.train(before)
    return answer.movedim(0, 1).numpy()


@pytest.mark.parametrize("kind", [HybridUNet, UNet2D])
@pytest.mark.parametrize("batch", [1, 3, 50])
def test_each_slice_is_the_centre_of_its_slab(kind: Any, batch: int):
    made, array = network(kind, slices=5, channels=2), volume(2, 7, 17, 20)
    found = predict_volume(made, array, batch=batch)
    assert found.shape == (4, 7, 17, 20)
    assert found.dtype == np.float32
    assert np.allclose(found, slice_by_slice(made, array), atol=1e-5)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)


def test_the_network_is_left_as_it_was():
    made = network()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    predict_volume(made, volume(8, 16, 16))
    assert made.training
    assert made.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())


def test_a_volume_without_channels_and_of_other_dtypes():
    made, array = network(), volume(8, 16, 16)
    found = predict_volume(made, array)
    assert np.array_equal(found, predict_volume(made, array[None].astype(np.float64)))
    assert np.array_equal(found, predict_volume(made, np.asfortranarray(array)))


def test_flips_are_averaged():
    made, array = network(), volume(7, 16, 16)
    flips: list[Any] = [np.s_[:, :], np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1]]
    parts = [predict_volume(made, array[:, *flip])[:, :, *flip] for flip in flips]
    found = predict_volume(made, array, flips=True)
    assert np.allclose(found, np.mean(parts, axis=0), atol=1e-6)
    assert np.abs(found - parts[0]).max() > 1e-3
    # Averaged over the flips, the answer turns with its volume.
    assert np.allclose(predict_volume(made, array[:, ::-1], flips=True)[:, :, ::-1], found, atol=1e-6)


def test_a_regression_is_taken_as_it_is():
    made, array = network(classes=1), volume(7, 16, 16)
    found = predict_volume(made, array, activation="none")
    with torch.inference_mode():
        expected = made.eval()(torch.from_numpy(array)[None, None])
    assert np.allclose(found[0, 3], expected[0, 0].numpy(), atol=1e-5)
    assert found.min() < 0


def test_mixed_precision_is_near():
    made, array = network(), volume(7, 16, 16)
    full, mixed = predict_volume(made, array), predict_volume(made, array, mixed_precision=True)
    assert mixed.dtype == np.float32
    assert 0 < np.abs(full - mixed).max() < 0.05


def test_progress_counts_slices():
    told: list[tuple[int, int]] = []
    predict_volume(network(), volume(9, 8, 8), batch=4, progress=lambda done, total: told.append((done, total)))
    assert told == [(4, 9), (8, 9), (9, 9)]


def test_one_patch_is_the_network_itself():
    made, array = network(UNet3D), volume(9, 16, 20)
    told: list[tuple[int, int]] = []
    found = predict_volume(made, array, progress=lambda done, total: told.append((done, total)))
    with torch.inference_mode():
        expected = made.eval()(torch.from_numpy(array)[None, None]).softmax(1)[0]
    assert np.allclose(found, expected.numpy(), atol=1e-5)
    assert told == [(9, 9)]


class Constant(UNet3D):
    """Says the position of a voxel in its patch, so that seams would be seen."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(1, 2, 3, 4), keepdim=True).expand(-1, 4, *x.shape[2:]).clone()


def test_patches_are_blended_without_seams():
    """A ramp, of which each patch knows its mean only, comes back smooth: no step as high as that between patches."""
    torch.manual_seed(0)
    made = Constant(stages=3, features=4)
    ramp = np.broadcast_to(np.arange(48, dtype=np.float32)[:, None, None], (48, 16, 16))
    found = predict_volume(made, ramp, patch=(16, 16, 16), batch=2, activation="none")
    assert found.shape == (4, 48, 16, 16)
    steps = np.diff(found[0, :, 8, 8])
    assert steps.min() > -1e-4
    assert 0 < steps.max() < 4
    assert found[0, 0, 0, 0] == pytest.approx(7.5, abs=0.1)
    assert found[0, -1, 0, 0] == pytest.approx(39.5, abs=0.1)


def test_patches_with_flips_and_batches():
    made, array = network(UNet3D), volume(12, 20, 20)
    one = predict_volume(made, array, patch=(8, 16, 16), batch=1, flips=True)
    many = predict_volume(made, array, patch=(8, 16, 16), batch=5, flips=True)
    assert np.allclose(one, many, atol=1e-5)
    assert np.allclose(one.sum(axis=0), 1, atol=1e-5)
    flipped = predict_volume(made, array[:, ::-1], patch=(8, 20, 20), flips=True)[:, :, ::-1]
    assert np.allclose(flipped, predict_volume(made, array, patch=(8, 20, 20), flips=True), atol=1e-5)


class Greedy(HybridUNet):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.empty(2**50)


def test_out_of_memory_says_what_to_lower():
    with pytest.raises(InputError, match=r"out of memory on cpu with batch 3 and slices of 8 x 9: lower `batch`"):
        predict_volume(Greedy(stages=2, features=4), volume(8, 8, 9), batch=3)


class Broken(HybridUNet):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("something else")


def test_another_error_is_passed_on():
    with pytest.raises(RuntimeError, match="something else"):
        predict_volume(Broken(stages=2, features=4), volume(8, 8, 9))


def test_what_out_of_memory_looks_like():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))
    assert not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (volume(6, 16, 16), {}, r"volume has 6 slices, expected at least 7, those of a slab of hybrid-unet"),
        (volume(0, 16, 16), {}, r"volume has shape \(0, 16, 16\), expected \(z, y, x\)"),
        (volume(16, 16), {}, r"volume has shape \(16, 16\), expected \(z, y, x\)"),
        (volume(2, 8, 16, 16), {}, r"volume has shape \(2, 8, 16, 16\), expected \(z, y, x\) for hybrid-unet"),
        (volume(8, 16, 16).astype(int), {}, r"volume has dtype int64, expected a float dtype"),
        (np.full((8, 16, 16), np.nan), {}, r"volume holds NaN or infinity, expected finite values"),
        (volume(8, 16, 16), {"batch": 0}, r"batch is 0, expected at least 1"),
        (volume(8, 16, 16), {"activation": "sigmoid"}, r"activation is 'sigmoid', expected 'softmax' or 'none'"),
        (volume(8, 16, 16), {"device": "tpu9"}, r"device 'tpu9' cannot be used here \(.*\), expected cpu or cuda"),
    ],
)
def test_bad_input(array: NDArray[Any], options: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message) as caught:
        predict_volume(HybridUNet(stages=2, features=4), array, **options)
    assert "\n" not in str(caught.value)


def test_a_softmax_of_one_output():
    with pytest.raises(InputError, match=r"hybrid-unet has one output, .* expected activation='none'"):
        predict_volume(HybridUNet(stages=2, features=4, classes=1), volume(8, 16, 16))


def test_a_patch_that_is_none():
    with pytest.raises(InputError, match=r"patch is \(0, 8, 8\), expected three positive numbers"):
        predict_volume(UNet3D(stages=3, features=4), volume(8, 16, 16), patch=(0, 8, 8))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [HybridUNet, UNet2D, UNet3D])
def test_on_a_gpu(kind: Any):
    made: nn.Module = network(kind)
    array = volume(9, 20, 20)
    found = predict_volume(made, array, device="cuda")
    assert next(made.parameters()).device.type == "cpu"
    assert np.allclose(found, predict_volume(made, array), atol=5e-3)
    assert np.allclose(found, predict_volume(made, array, device="cuda", mixed_precision=True), atol=0.05)
