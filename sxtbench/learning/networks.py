"""The networks: the hybrid of a 3-D encoder and a 2-D decoder, and MONAI's U-Nets in two and three dimensions.

Each network knows how it was made (`architecture`), so that weights in a file rebuild it.
"""

from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any, Union

import torch
from torch import nn
from torch.nn.functional import pad

from sxtbench.errors import InputError

if TYPE_CHECKING:
    from sxtbench.learning.unrolled import LearnedPrimalDual

# The least and the greatest value of each setting: a file from a stranger must not ask for endless layers.
_RANGES = {"classes": (1, 255), "stages": (2, 8), "features": (1, 1024), "slices": (1, 63), "channels": (1, 64)}
_NORMS = ("instance", "batch")


class HybridUNet(nn.Module):
    """The network of SimAQ: a 3-D encoder of a slab, a 2-D decoder of its centre slice.

    Two 3 x 3 x 3 convolutions a stage, each with batch normalisation and a PReLU of one parameter, and max pooling
    within each slice between stages. The centre slice of the bottleneck and of each skip goes to the decoder, whose
    first skip (of full resolution) is left out, as it would hand on the artefacts of the missing wedge. Only those
    slices are computed on which the centre depends: in evaluation the result is that of the whole slab; in training the
    batch statistics of the last three convolutions are those of the slices in use. Weights start as in torch.

    Parameters
    ----------
    classes : int
        Channels of the answer; 1 for the regression of a LAC.
    stages : int
        Levels of resolution, 2 to 8.
    features : int
        Channels of the first level; each level has twice as many as the one before.
    slices : int
        Slices of a slab, odd.
    channels : int
        Channels of the input.
    first_skip : bool
        Whether the decoder gets the encoder's features of full resolution too.

    Attributes
    ----------
    architecture : dict
        What `build_network` makes this network from.

    Raises
    ------
    InputError
        For a setting out of its range.

    Notes
    -----
    With 5 stages, 64 features, 4 classes and 1 channel it has 68,675,990 parameters, the published 68.7 million.

    Examples
    --------
    >>> import torch
    >>> network = HybridUNet(classes=4, stages=3, features=8, slices=7)
    >>> network(torch.zeros(2, 1, 7, 50, 61)).shape
    torch.Size([2, 4, 50, 61])
    """

    def __init__(
        self,
        *,
        classes: int = 4,
        stages: int = 5,
        features: int = 64,
        slices: int = 7,
        channels: int = 1,
        first_skip: bool = False,
    ) -> None:
        super().__init__()
        _check(classes=classes, stages=stages, features=features, slices=slices, channels=channels)
        _check_switch("first_skip", first_skip)
        self.architecture = {
            "name": "hybrid-unet",
            "classes": classes,
            "stages": stages,
            "features": features,
            "slices": slices,
            "channels": channels,
            "first_skip": first_skip,
        }
        self.slices = slices
        self.multiple = 2 ** (stages - 1)
        widths = [features * 2**stage for stage in range(stages)]
        self.encoder = nn.ModuleList()
        for stage, width in enumerate(widths):
            below = 2 * (stages - stage) - 1  # convolutions that follow the first of this stage
            self.encoder.append(
                nn.Sequential(
                    _convolution3d(widths[stage - 1] if stage else channels, width, slices, below),
                    _convolution3d(width, width, slices, below - 1),
                )
            )
        self.pool = nn.MaxPool3d((1, 2, 2))
        self.up = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for stage in reversed(range(stages - 1)):
            width = widths[stage]
            joined = 2 * width if stage or first_skip else width
            self.up.append(nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2))
            self.decoder.append(nn.Sequential(_convolution2d(joined, width), _convolution2d(width, width)))
        self.first_skip = first_skip
        self.head = nn.Conv2d(features, classes, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of the centre slices.

        Parameters
        ----------
        x : torch.Tensor, shape (n, channels, slices, y, x), float
            Slabs, of any size within a slice.

        Returns
        -------
        torch.Tensor, shape (n, classes, y, x), float
        """
        _require_slabs(x, self.architecture)
        height, width = x.shape[-2:]
        h = _pad_to_multiple(x, self.multiple, axes=2)
        skips = []
        for stage, block in enumerate(self.encoder):
            h = block(self.pool(h) if stage else h)
            skips.append(_centre(h))
        out = skips.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            out, skip = up(out), skips.pop()
            out = block(torch.cat([out, skip], dim=1) if skips or self.first_skip else out)
        logits: torch.Tensor = self.head(out)[..., :height, :width]
        return logits


class UNet2D(nn.Module):
    """MONAI's U-Net of nnU-Net's make (`DynUNet`), in two dimensions; the slices of a slab are its channels.

    Strided convolutions, leaky ReLU and instance normalisation, as nnU-Net has them. Instance normalisation takes the
    mean out of every slice: for the regression of a LAC choose `norm="batch"`.

    Parameters
    ----------
    classes, stages, features, slices, channels : int
        As for `HybridUNet`; at least 3 stages.
    norm : {"instance", "batch"}

    Attributes
    ----------
    architecture : dict
        What `build_network` makes this network from.

    Raises
    ------
    InputError
        For a setting out of its range.

    Examples
    --------
    >>> import torch
    >>> network = UNet2D(classes=4, stages=3, features=8)
    >>> network(torch.zeros(2, 1, 1, 50, 61)).shape
    torch.Size([2, 4, 50, 61])
    """

    def __init__(
        self,
        *,
        classes: int = 4,
        stages: int = 4,
        features: int = 16,
        slices: int = 1,
        channels: int = 1,
        norm: str = "instance",
    ) -> None:
        super().__init__()
        _check(classes=classes, stages=stages, features=features, slices=slices, channels=channels)
        self.architecture = {
            "name": "unet2d",
            "classes": classes,
            "stages": stages,
            "features": features,
            "slices": slices,
            "channels": channels,
            "norm": norm,
        }
        self.slices = slices
        self.multiple = 2 ** (stages - 1)
        self.network = _dynamic_unet(2, channels * slices, classes, stages, features, norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of the centre slices.

        Parameters
        ----------
        x : torch.Tensor, shape (n, channels, slices, y, x), float
            Slabs, of any size within a slice.

        Returns
        -------
        torch.Tensor, shape (n, classes, y, x), float
        """
        _require_slabs(x, self.architecture)
        height, width = x.shape[-2:]
        padded = _pad_to_multiple(x, self.multiple, axes=2, least=2)
        logits: torch.Tensor = self.network(padded.flatten(1, 2))[..., :height, :width]
        return logits


class UNet3D(nn.Module):
    """MONAI's U-Net of nnU-Net's make (`DynUNet`), in three dimensions, for patches of a volume.

    Parameters
    ----------
    classes, stages, features, channels : int
        As for `UNet2D`.
    norm : {"instance", "batch"}

    Attributes
    ----------
    architecture : dict
        What `build_network` makes this network from.

    Raises
    ------
    InputError
        For a setting out of its range.

    Examples
    --------
    >>> import torch
    >>> network = UNet3D(classes=4, stages=3, features=8)
    >>> network(torch.zeros(1, 1, 20, 21, 22)).shape
    torch.Size([1, 4, 20, 21, 22])
    """

    def __init__(
        self, *, classes: int = 4, stages: int = 4, features: int = 16, channels: int = 1, norm: str = "instance"
    ) -> None:
        super().__init__()
        _check(classes=classes, stages=stages, features=features, channels=channels)
        self.architecture = {
            "name": "unet3d",
            "classes": classes,
            "stages": stages,
            "features": features,
            "channels": channels,
            "norm": norm,
        }
        self.multiple = 2 ** (stages - 1)
        self.network = _dynamic_unet(3, channels, classes, stages, features, norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of each voxel.

        Parameters
        ----------
        x : torch.Tensor, shape (n, channels, z, y, x), float
            Patches of any size.

        Returns
        -------
        torch.Tensor, shape (n, classes, z, y, x), float
        """
        channels = self.architecture["channels"]
        if x.ndim != 5 or x.shape[1] != channels:
            raise InputError(f"unet3d: input has shape {tuple(x.shape)}, expected (n, {channels}, z, y, x)")
        depth, height, width = x.shape[-3:]
        padded = _pad_to_multiple(x, self.multiple, axes=3, least=2)
        logits: torch.Tensor = self.network(padded)[..., :depth, :height, :width]
        return logits


Network = Union[HybridUNet, UNet2D, UNet3D, "LearnedPrimalDual"]
_NETWORKS: dict[str, type[HybridUNet] | type[UNet2D] | type[UNet3D]] = {
    "hybrid-unet": HybridUNet,
    "unet2d": UNet2D,
    "unet3d": UNet3D,
}


def build_network(architecture: Mapping[str, Any]) -> Network:
    """Make the network that `architecture` describes, with fresh weights.

    Parameters
    ----------
    architecture : mapping
        "name" (hybrid-unet, unet2d, unet3d or learned-primal-dual) and settings of that network.

    Returns
    -------
    HybridUNet, UNet2D, UNet3D or LearnedPrimalDual

    Raises
    ------
    InputError
        For an unknown name, an unknown setting and one out of its range.

    Examples
    --------
    >>> build_network({"name": "hybrid-unet", "features": 8}).architecture["stages"]
    5
    """
    settings = dict(architecture)
    name = settings.pop("name", None)
    # It brings the projector with it, which networks of slabs do without.
    from sxtbench.learning.unrolled import LearnedPrimalDual

    kinds = {**_NETWORKS, "learned-primal-dual": LearnedPrimalDual}
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InputError(f"network {name!r} is unknown, expected one of {', '.join(kinds)}")
    known = signature(kind).parameters
    for key in settings:
        if key not in known:
            raise InputError(f"{name}: setting {key!r} is unknown, expected one of {', '.join(known)}")
    return kind(**settings)


def count_parameters(network: nn.Module) -> int:
    """Return how many numbers training finds.

    >>> count_parameters(build_network({"name": "hybrid-unet", "classes": 4, "features": 64}))
    68675990
    """
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def fast_layout(network: nn.Module) -> nn.Module:
    """Lay out the kernels of 3-D convolutions with channels last, in place, and return the network.

    Values stay as they are, and inputs may have any layout. On a CPU training and inference of the networks with 3-D
    convolutions gain 10 to 40 %; 2-D convolutions, which would lose, are left alone.

    Parameters
    ----------
    network : Module
        Call this once it is on its device and has its weights.

    Examples
    --------
    >>> import torch
    >>> network = fast_layout(HybridUNet(stages=2, features=8))
    >>> network.encoder[0][1][0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    True
    """
    for part in network.modules():
        if isinstance(part, nn.Conv3d | nn.ConvTranspose3d):
            part.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def _convolution3d(channels: int, width: int, slices: int, below: int) -> nn.Sequential:
    """Return convolution, normalisation and activation; `below` convolutions come after it on the way to the centre."""
    # Of the slab, the centre needs 2 * below + 1 slices of this result. Where the slab has more, the ends are dropped.
    depth = 1 if 2 * below + 1 >= slices else 0
    convolution = nn.Conv3d(channels, width, kernel_size=3, padding=(depth, 1, 1), bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(width), nn.PReLU())


def _convolution2d(channels: int, width: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.PReLU())


def _centre(h: torch.Tensor) -> torch.Tensor:
    return h[:, :, h.shape[2] // 2]


def _dynamic_unet(dimensions: int, channels: int, classes: int, stages: int, features: int, norm: str) -> nn.Module:
    """Return MONAI's DynUNet, with nnU-Net's ceiling on the channels."""
    if stages < 3:
        raise InputError(f"stages is {stages}, expected at least 3 for MONAI's DynUNet")
    if norm not in _NORMS:
        raise InputError(f"norm is {norm!r}, expected one of {', '.join(_NORMS)}")
    # MONAI takes seconds to import, and the hybrid network does without.
    from monai.networks.nets.dynunet import DynUNet

    most = max(features, 320 if dimensions == 3 else 512)
    strides = [1, *[2] * (stages - 1)]
    return DynUNet(
        spatial_dims=dimensions,
        in_channels=channels,
        out_channels=classes,
        kernel_size=[3] * stages,
        strides=strides,
        upsample_kernel_size=strides[1:],
        filters=[min(features * 2**stage, most) for stage in range(stages)],
        norm_name=(norm, {"affine": True}),
    )


def _pad_to_multiple(x: torch.Tensor, multiple: int, *, axes: int, least: int = 1) -> torch.Tensor:
    """Repeat the far edges of the last `axes` axes up to a multiple, and to `least` multiples."""
    # Instance normalisation refuses a bottleneck of one voxel: hence `least`.
    amounts = [max(-n % multiple, least * multiple - n) for n in x.shape[-axes:]]
    if not any(amounts):
        return x
    widths = [width for amount in reversed(amounts) for width in (0, amount)]
    return pad(x, [*widths, *[0] * (6 - 2 * axes)], mode="replicate")


def _require_slabs(x: torch.Tensor, architecture: Mapping[str, Any]) -> None:
    channels, slices = architecture["channels"], architecture["slices"]
    if x.ndim != 5 or tuple(x.shape[1:3]) != (channels, slices):
        name, shape = architecture["name"], tuple(x.shape)
        raise InputError(f"{name}: input has shape {shape}, expected (n, {channels}, {slices}, y, x)")


def _check(**settings: int) -> None:
    for name, value in settings.items():
        least, most = _RANGES[name]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise InputError(f"{name} is {value!r}, expected an integer from {least} to {most}")
    if settings.get("slices", 1) % 2 == 0:
        raise InputError(f"slices is {settings['slices']}, expected an odd number: the answer is that of the centre")


def _check_switch(name: str, value: bool) -> None:
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}, expected true or false")
