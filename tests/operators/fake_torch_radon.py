"""Modules with the signatures of torch-radon's two forms, on the CPU, for tests of the adapter.

Projection is a bilinear sum along rotated lines and backprojection is pixel-driven, as in the library: near each
other's transpose, not exact. Version 1 turns the other way; the scales of the backprojections differ.
"""

import types

import numpy as np
import torch
from torch.nn.functional import grid_sample


class _Transform:
    def __init__(self, angles, columns, spacing, sign, scale):
        assert isinstance(angles, torch.Tensor)
        self.angles = sign * angles.double()
        self.columns, self.spacing, self.scale = columns, spacing, scale
        self.size = None

    def _u(self, device):
        return (torch.arange(self.columns, device=device) - (self.columns - 1) / 2) * self.spacing

    def forward(self, x):
        height, width = self.size = x.shape[-2:]
        flat = x.reshape(-1, 1, height, width)
        reach = int(np.ceil(np.hypot(height, width)))
        v = torch.arange(-reach, reach + 1).double() / 2
        u = self._u(x.device)
        views = []
        for theta in self.angles:
            px = u[:, None] * theta.cos() - v * theta.sin()
            py = u[:, None] * theta.sin() + v * theta.cos()
            grid = torch.stack((2 * px / width, 2 * py / height), -1).to(x.dtype)
            sampled = grid_sample(flat, grid.expand(len(flat), *grid.shape), align_corners=False)
            views.append(sampled.sum(-1)[:, 0] / 2)
        return torch.stack(views, 1).reshape(*x.shape[:-2], len(self.angles), self.columns)

    def _spread(self, sinogram):
        assert sinogram.is_contiguous()
        height, width = self.size
        y, x = torch.meshgrid(
            torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij"
        )
        flat = sinogram.reshape(-1, 1, len(self.angles), self.columns)
        total = 0
        for i, theta in enumerate(self.angles):
            u = (x * theta.cos() + y * theta.sin()) / self.spacing
            grid = torch.stack((2 * u / self.columns, torch.zeros_like(u)), -1).to(sinogram.dtype)
            total = total + grid_sample(flat[:, :, i : i + 1], grid.expand(len(flat), *grid.shape), align_corners=False)
        return (self.scale * total).reshape(*sinogram.shape[:-2], height, width)


def version_1():
    """`Radon(resolution, angles, det_count, det_spacing, clip_to_circle)`: squares of a multiple of 16."""

    class Radon(_Transform):
        def __init__(self, resolution, angles, det_count=-1, det_spacing=1.0, clip_to_circle=False):
            assert resolution % 16 == 0
            super().__init__(angles, det_count if det_count > 0 else resolution, det_spacing, -1, 1.0)
            self.size = (resolution, resolution)

        def forward(self, x):
            assert tuple(x.shape[-2:]) == self.size
            return super().forward(x)

        def backprojection(self, sinogram):
            return self._spread(sinogram)

    return types.SimpleNamespace(Radon=Radon)


def version_2(with_size=True):
    """`ParallelBeam(det_count, angles, det_spacing, volume)`, and the fork whose `Volume2D` takes no size."""

    class Sized:
        def __init__(self, height, width=-1, center=(0.0, 0.0), voxel_size=(1.0, 1.0)):
            self.size = (height, width if width > 0 else height)

    class Unsized:
        def __init__(self, center=(0.0, 0.0), voxel_size=(1.0, 1.0)):
            self.size = None

    volume_class = Sized if with_size else Unsized

    class ParallelBeam(_Transform):
        def __init__(self, det_count, angles, det_spacing=1.0, volume=None):
            super().__init__(angles, det_count, det_spacing, 1, 0.25)
            self.size = (volume or volume_class()).size

        def backward(self, sinogram):
            assert self.size is not None, "must use forward before calling backward"
            return self._spread(sinogram)

    return types.SimpleNamespace(ParallelBeam=ParallelBeam, Volume2D=volume_class)
