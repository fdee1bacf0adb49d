"""Learned primal-dual reconstruction: the projector and its adjoint between small networks, slice by slice."""

from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn.functional import interpolate

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.learning.inputs import NO_VIEW
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import fbp

_LAC_UNIT = 0.3  # 1/um; inputs are absorbance over that of a voxel of this LAC
_EXTENSION = 1.6  # width of the grid over the answer's: the ice goes on beside the field (PROTOCOL 1.10)
_RANGES = {"slices": (1, 15), "iterations": (1, 20), "features": (1, 256)}
_FILTER = "hamming"
_OPERATORS_KEPT = 32


class LearnedPrimalDual(nn.Module):
    """Learned primal-dual: unrolled iterations that see the measured views each time anew.

    One slice is reconstructed at a time. Its state is a few images and a few sinograms; each iteration updates the
    sinograms by a small network that sees them, the reprojected image and the measured views, then the images by
    another that sees them and the backprojected sinogram. Unlike in the paper the first images are the FBP of the slice
    and its neighbours, the views of the neighbours are seen too, and the networks of the images have two scales: little
    training has to do. The angles come with the views, so any set of them is answered.

    Parameters
    ----------
    classes, channels : int
        1: a LAC, from one tilt series.
    slices : int
        Slices whose views are seen, odd; also the number of images and sinograms of the state.
    iterations : int
        Unrolled iterations, each with weights of its own.
    features : int
        Channels within the small networks.

    Attributes
    ----------
    architecture : dict
        What `build_network` makes this network from.

    Raises
    ------
    InputError
        For a setting out of its range.

    References
    ----------
    Adler and Oektem, IEEE Trans. Med. Imaging 37 (2018) 1322, doi 10.1109/TMI.2018.2799231.

    Examples
    --------
    >>> import torch
    >>> network = LearnedPrimalDual(slices=1, iterations=2, features=4)
    >>> views = torch.zeros(2, 1, 1, 3, 17)
    >>> views[..., 16] = torch.tensor([-40.0, 0.0, 40.0])
    >>> network(views).shape
    torch.Size([2, 1, 16, 16])
    """

    def __init__(
        self, *, classes: int = 1, channels: int = 1, slices: int = 5, iterations: int = 5, features: int = 16
    ) -> None:
        super().__init__()
        for name, value in (("classes", classes), ("channels", channels)):
            if value != 1:
                raise InputError(f"{name} is {value!r}, expected 1: learned-primal-dual makes a LAC of a tilt series")
        for name, value in (("slices", slices), ("iterations", iterations), ("features", features)):
            least, most = _RANGES[name]
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise InputError(f"{name} is {value!r}, expected an integer from {least} to {most}")
        if slices % 2 == 0:
            raise InputError(f"slices is {slices}, expected an odd number: the answer is that of the centre")
        self.architecture = {
            "name": "learned-primal-dual",
            "classes": classes,
            "channels": channels,
            "slices": slices,
            "iterations": iterations,
            "features": features,
        }
        self.slices = slices
        self.dual = nn.ModuleList(_Plain(2 * slices + 1, features, slices) for _ in range(iterations))
        self.primal = nn.ModuleList(_TwoScales(slices + 1, features, slices) for _ in range(iterations))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the LAC of the centre slices.

        Parameters
        ----------
        x : torch.Tensor, shape (n, 1, slices, views, columns + 1), float
            Tilt series as `inputs.sinogram` makes them: multiples of the absorbance of a voxel of 0.3/um, and in the
            last column the angle of each view in degrees. Each of the n may have angles of its own.

        Returns
        -------
        torch.Tensor, shape (n, 1, columns, columns), float, LAC in 1/um
        """
        if x.ndim != 5 or x.shape[1:3] != (1, self.slices) or x.shape[4] < 3:
            raise InputError(
                f"learned-primal-dual: input has shape {tuple(x.shape)}, expected (n, 1, {self.slices}, views, columns "
                "+ 1) with the angles in the last column"
            )
        angles = x[:, 0, 0, :, -1].detach().cpu().numpy().astype(np.float64)
        of_sample = [tuple(line[line < NO_VIEW].tolist()) for line in angles]
        answer = x.new_empty(len(x), 1, x.shape[4] - 1, x.shape[4] - 1)
        for shared in dict.fromkeys(of_sample):
            chosen = [number for number, own in enumerate(of_sample) if own == shared]
            kept = torch.from_numpy(np.flatnonzero(angles[chosen[0]] < NO_VIEW)).to(x.device)
            answer[chosen] = self._reconstructed(x[chosen, 0][:, :, kept, :-1], shared)
        return answer

    def _reconstructed(self, views: torch.Tensor, angles: tuple[float, ...]) -> torch.Tensor:
        """Return the LAC (n, 1, y, x) from views (n, slices, angle, u) that share their angles."""
        columns = views.shape[3]
        beam = _beam(angles, columns)
        images = _first_images(views, angles)
        measured = views / columns  # a ray crosses that many voxels: sinograms and images are both of the order of one
        sinograms = measured
        for dual, primal in zip(self.dual, self.primal, strict=True):
            projected = beam(images[:, :1]).transpose(1, 2) / columns
            sinograms = sinograms + dual(torch.cat([sinograms, projected, measured], dim=1))
            back = beam.T(sinograms[:, :1].transpose(1, 2).contiguous()) / len(angles)
            images = images + primal(torch.cat([images, back], dim=1))
        return _LAC_UNIT * _cropped(images[:, :1], columns)


class _Plain(nn.Sequential):
    """The paper's update: three convolutions, the last of which starts at zero."""

    def __init__(self, channels: int, features: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(channels, features, kernel_size=3, padding=1),
            nn.PReLU(),
            nn.Conv2d(features, features, kernel_size=3, padding=1),
            nn.PReLU(),
            _zero(nn.Conv2d(features, out, kernel_size=3, padding=1)),
        )


class _TwoScales(nn.Module):
    """An update that sees further: the same, with a way over half the resolution."""

    def __init__(self, channels: int, features: int, out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, features, kernel_size=3, padding=1), nn.PReLU())
        self.coarse = nn.Sequential(
            nn.Conv2d(features, 2 * features, kernel_size=3, stride=2, padding=1),
            nn.PReLU(),
            nn.Conv2d(2 * features, 2 * features, kernel_size=3, padding=1),
            nn.PReLU(),
            nn.Conv2d(2 * features, features, kernel_size=3, padding=1),
            nn.PReLU(),
        )
        self.last = nn.Sequential(
            nn.Conv2d(2 * features, features, kernel_size=3, padding=1),
            nn.PReLU(),
            _zero(nn.Conv2d(features, out, kernel_size=3, padding=1)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is added, shape (n, out, y, x)."""
        fine = self.first(x)
        coarse = interpolate(self.coarse(fine), size=fine.shape[-2:], mode="nearest")
        added: torch.Tensor = self.last(torch.cat([fine, coarse], dim=1))
        return added


def _zero(convolution: nn.Conv2d) -> nn.Conv2d:
    """Start from no change: unrolled iterations would else multiply their noise."""
    nn.init.zeros_(convolution.weight)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution


def _wide(columns: int) -> int:
    """Return the width of the grid in voxels; it differs from the answer's by an even number."""
    return columns + 2 * round(columns * (_EXTENSION - 1) / 2)


def _cropped(images: torch.Tensor, columns: int) -> torch.Tensor:
    margin = (images.shape[-1] - columns) // 2
    return images[..., margin : margin + columns]


def _geometry(angles: tuple[float, ...], columns: int, slices: int) -> ParallelGeometry:
    """Return the geometry with voxels of 1 um: lengths are counted in voxels."""
    return ParallelGeometry(angles_deg=np.array(angles), columns=columns, slices=slices, pixel_size_nm=1000.0)


@lru_cache(maxsize=_OPERATORS_KEPT)
def _beam(angles: tuple[float, ...], columns: int) -> ParallelBeam:
    return ParallelBeam(_geometry(angles, columns, 1), (1, columns, _wide(columns)), backend="torch")


def _first_images(views: torch.Tensor, angles: tuple[float, ...]) -> torch.Tensor:
    """Return the FBP of each slice, the centre's first, shape (n, slices, y, x), without a gradient."""
    n, slices, n_views, columns = views.shape
    stack = np.ascontiguousarray(views.detach().cpu().numpy().reshape(n * slices, n_views, columns).swapaxes(0, 1))
    shape = (n * slices, columns, _wide(columns))
    volume = fbp(stack, _geometry(angles, columns, n * slices), volume_shape=shape, filter=_FILTER)
    images = torch.from_numpy(volume).to(views.device, views.dtype).reshape(n, slices, *shape[1:])
    centre = slices // 2
    return images[:, [centre, *range(centre), *range(centre + 1, slices)]]
