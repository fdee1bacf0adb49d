"""Networks: published parameter counts, what a slab's ends and sizes do, architectures that rebuild them."""

from typing import Any

import pytest
import torch
from torch import nn

from sxtbench.errors import InputError
from sxtbench.learning.networks import HybridUNet, UNet2D, UNet3D, build_network, fast_layout


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def shaken(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give normalisation other than its first values, so that folding or averaging it is seen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d):
                part.running_mean.normal_(0, 0.3, generator=generator)
                part.running_var.uniform_(0.5, 2, generator=generator)
                part.weight.uniform_(0.5, 2, generator=generator)
                part.bias.normal_(0, 0.3, generator=generator)
    return network.eval()


def small(**settings: Any) -> HybridUNet:
    torch.manual_seed(0)
    return HybridUNet(**{"stages": 3, "features": 4, **settings})


def test_the_published_number_of_parameters():
    with torch.device("meta"):
        assert parameters(HybridUNet()) == 68_675_990
        # The skip of full resolution adds 64 channels to one 3 x 3 convolution.
        assert parameters(HybridUNet(first_skip=True)) == 68_675_990 + 64 * 64 * 9


def test_every_kind_of_layer_is_as_published():
    network = small()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Conv3d) and m is not network.head]
    assert len([m for m in convolutions if isinstance(m, nn.Conv3d)]) == 6
    assert all(m.bias is None and set(m.kernel_size) == {3} for m in convolutions)
    assert all(m.num_parameters == 1 for m in network.modules() if isinstance(m, nn.PReLU))
    transposed = [m for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert all(m.bias is not None and m.kernel_size == m.stride == (2, 2) for m in transposed)
    assert network.head.bias is not None
    assert network.head.kernel_size == (1, 1)


@pytest.mark.parametrize("slices", [1, 3, 7, 15])
def test_the_slices_that_are_left_out_do_not_change_the_answer(slices: int):
    network = shaken(small(slices=slices, first_skip=True))
    x = torch.randn(2, 1, slices, 12, 16)
    with torch.inference_mode():
        found = network(x)
        for part in network.modules():
            if isinstance(part, nn.Conv3d):
                part.padding = (1, 1, 1)
        whole = network(x)
    assert found.std() > 1e-3
    assert torch.allclose(found, whole, atol=1e-5)


def test_only_slices_that_the_centre_needs_are_computed():
    network, depths = small(), []
    for block in network.encoder:
        block.register_forward_hook(lambda _, inputs, output: depths.append(output.shape[2]))
    network(torch.zeros(1, 1, 7, 8, 8))
    # Two convolutions follow the second stage and none the third: 2 * 2 + 1 slices, then the centre alone.
    assert depths == [7, 5, 1]


def test_far_slices_are_seen():
    network = shaken(small())
    x = torch.randn(1, 1, 7, 16, 16)
    changed = x.clone()
    changed[:, :, 0] += 1
    with torch.inference_mode():
        assert (network(x) - network(changed)).abs().max() > 1e-4


def test_the_first_skip_is_omitted():
    """What survives no pooling reaches the answer through the first skip only."""
    torch.manual_seed(0)
    for first_skip in (False, True):
        network = shaken(HybridUNet(stages=2, features=4, slices=1, first_skip=first_skip))
        seen: list[torch.Size] = []
        network.decoder[-1].register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0].shape))
        network(torch.zeros(1, 1, 1, 8, 8))
        assert seen == [torch.Size([1, 8 if first_skip else 4, 8, 8])]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 16), (17, 30), (5, 64)])
def test_any_size_within_a_slice(height: int, width: int):
    x = torch.randn(2, 2, 3, height, width)
    for network in (small(slices=3, channels=2), UNet2D(stages=3, features=4, slices=3, channels=2)):
        assert network.eval()(x).shape == (2, 4, height, width)


def test_padding_repeats_the_far_edges():
    network = shaken(small())
    x = torch.randn(1, 1, 7, 14, 13)
    padded = torch.cat([x, x[..., -1:], x[..., -1:], x[..., -1:]], dim=-1)
    padded = torch.cat([padded, padded[..., -1:, :], padded[..., -1:, :]], dim=-2)
    assert padded.shape[-2:] == (16, 16)
    with torch.inference_mode():
        assert torch.equal(network(x), network(padded)[..., :14, :13])


@pytest.mark.parametrize("size", [(1, 1, 1), (16, 16, 16), (9, 20, 13)])
def test_any_size_of_a_patch(size: tuple[int, int, int]):
    network = UNet3D(stages=3, features=4, channels=2, classes=5)
    assert network(torch.randn(1, 2, *size)).shape == (1, 5, *size)


def test_the_channels_of_monais_networks_have_nnunets_ceiling():
    with torch.device("meta"):
        for kind, most in ((UNet2D, 512), (UNet3D, 320)):
            network = kind(stages=7, features=32)
            assert max(p.shape[0] for p in network.parameters()) == most


def test_batch_normalisation_keeps_the_level_and_instance_normalisation_does_not():
    x = torch.randn(1, 1, 1, 32, 32)
    changes = {}
    for norm in ("instance", "batch"):
        torch.manual_seed(0)
        network = UNet2D(stages=3, features=4, norm=norm).eval()
        with torch.inference_mode():
            # Away from the border, where zeros beyond it tell the level.
            change = (network(x + 1) - network(x))[..., 15:17, 15:17].abs().max()
            changes[norm] = (change / network(x).std()).item()
    assert changes["batch"] > 10 * changes["instance"]


@pytest.mark.parametrize(
    "network",
    [
        small(classes=2, slices=5, channels=2, first_skip=True),
        UNet2D(classes=1, stages=3, features=4, slices=3, channels=2, norm="batch"),
        UNet3D(classes=3, stages=3, features=4, channels=2),
    ],
)
def test_an_architecture_rebuilds_its_network(network: HybridUNet | UNet2D | UNet3D):
    again = build_network(network.architecture)
    assert type(again) is type(network)
    assert again.architecture == network.architecture
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    assert {name: tensor.shape for name, tensor in again.state_dict().items()} == shapes


def test_gradients_reach_every_parameter():
    for network in (small(), UNet2D(stages=3, features=4), UNet3D(stages=3, features=4)):
        slices = getattr(network, "slices", 16)
        network(torch.randn(2, 1, slices, 16, 16)).square().mean().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("kind", [HybridUNet, UNet3D])
def test_the_fast_layout_changes_no_answer(kind: Any):
    torch.manual_seed(0)
    network = kind(stages=3, features=4)
    x = torch.randn(1, 1, 7, 16, 16)
    with torch.inference_mode():
        before = network.eval()(x)
        assert fast_layout(network) is network
        assert torch.allclose(network(x), before, atol=1e-5)
    kernels = [part.weight for part in network.modules() if isinstance(part, nn.Conv3d) and part.in_channels > 1]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last_3d) for kernel in kernels if kernel.shape[2] > 1)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({}, r"network None is unknown, expected one of hybrid-unet, unet2d, unet3d"),
        ({"name": "resnet"}, r"network 'resnet' is unknown"),
        ({"name": ["unet2d"]}, r"network \['unet2d'\] is unknown"),
        ({"name": "hybrid-unet", "depth": 5}, r"hybrid-unet: setting 'depth' is unknown, expected one of classes"),
        ({"name": "unet3d", "slices": 7}, r"unet3d: setting 'slices' is unknown"),
        ({"name": "hybrid-unet", "features": 10**9}, r"features is 1000000000, expected an integer from 1 to 1024"),
        ({"name": "hybrid-unet", "stages": 1}, r"stages is 1, expected an integer from 2 to 8"),
        ({"name": "hybrid-unet", "classes": True}, r"classes is True, expected an integer from 1"),
        ({"name": "hybrid-unet", "slices": 4}, r"slices is 4, expected an odd number"),
        ({"name": "hybrid-unet", "first_skip": 1}, r"first_skip is 1, expected true or false"),
        ({"name": "unet2d", "stages": 2}, r"stages is 2, expected at least 3 for MONAI"),
        ({"name": "unet2d", "norm": "layer"}, r"norm is 'layer', expected one of instance, batch"),
    ],
)
def test_an_impossible_architecture(architecture: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message) as caught:
        build_network(architecture)
    assert "\n" not in str(caught.value)


def test_an_input_of_another_shape():
    with pytest.raises(InputError, match=r"hybrid-unet: input has shape .*, expected \(n, 1, 7, y, x\)"):
        small()(torch.zeros(1, 1, 5, 16, 16))
    with pytest.raises(InputError, match=r"unet2d: input has shape .*, expected \(n, 1, 1, y, x\)"):
        UNet2D(stages=3, features=4)(torch.zeros(1, 1, 16, 16))
    with pytest.raises(InputError, match=r"unet3d: input has shape .*, expected \(n, 1, z, y, x\)"):
        UNet3D(stages=3, features=4)(torch.zeros(1, 2, 16, 16, 16))
