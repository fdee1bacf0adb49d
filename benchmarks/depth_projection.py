"""Depth-dependent projection: `project_through_lens` against one kernel for each depth plane, in one run.

The direct form rounds depths to planes a voxel apart, transforms every plane, and multiplies it by the transfer
function of its own kernel. It is timed on a few views and scaled to all; setting up (kernels and their transforms) is
counted in both.

Run: python benchmarks/depth_projection.py [size] [views] [slices] [views of the direct form]
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
from scipy import fft

from sxtbench.acquisition.depth import project_through_lens
from sxtbench.acquisition.optics import xm2

VOXEL_NM = 20.0


def cylinder(slices, size):
    """Grains of LAC in a cylinder that fills the field, shape (slices, size, size)."""
    axis = np.arange(size) - (size - 1) / 2
    grains = np.random.default_rng(0).random((slices, size, size), np.float32)
    return (0.2 + 0.1 * grains) * (axis[:, None] ** 2 + axis**2 < (size / 2) ** 2).astype(np.float32)


class Direct:
    """One kernel a depth plane."""

    def __init__(self, volume, columns, lens):
        self.volume = volume
        slices, ny, nx = volume.shape
        self.deepest = int(np.hypot(ny, nx) / 2) + 1
        depths = np.arange(-self.deepest, self.deepest + 1) * VOXEL_NM
        half = lens.half_width(np.hypot(ny, nx) / 2 * VOXEL_NM, VOXEL_NM)
        self.width, self.half = columns + 2 * half, half
        self.shape = fft.next_fast_len(slices + 2 * half), fft.next_fast_len(self.width + half, real=True)
        self.transfer = np.empty((len(depths), self.shape[0], self.shape[1] // 2 + 1), np.float32)
        around = np.arange(-half, half + 1)

        def fill(start):
            for i, kernel in enumerate(lens.psf(depths[start : start + 64], VOXEL_NM, half), start):
                padded = np.zeros(self.shape)
                padded[np.ix_(around, around)] = kernel
                self.transfer[i] = fft.rfft2(padded, workers=1).real

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(fill, range(0, len(depths), 64)))

    def view(self, angle):
        """One view, shape (slices, columns)."""
        slices, ny, nx = self.volume.shape
        cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        y, x = np.nonzero(self.volume.any(axis=0))
        dy, dx = y - (ny - 1) / 2, x - (nx - 1) / 2
        u = dx * cosine + dy * sine + (self.width - 1) / 2
        plane = np.rint(dy * cosine - dx * sine).astype(int) + self.deepest
        big, small = max(abs(cosine), abs(sine)), min(abs(cosine), abs(sine))
        a, b = (big - small) / 2, (big + small) / 2

        def below(t):
            p = np.minimum(np.abs(t), b)
            bent = np.maximum(p - a, 0) ** 2 / (2 * big * small) if small > 1e-7 else 0
            return np.sign(t) * (p / big - bent)

        first = np.floor(u - b + 0.5).astype(int)
        planes = np.zeros((len(self.transfer), slices, self.width), np.float32)
        for t in range(3):
            share = below(first + t + 0.5 - u) - below(first + t - 0.5 - u)
            inside = (first + t >= 0) & (first + t < self.width)
            at = (plane * self.width + first + t)[inside]
            for z in range(slices):
                light = (share * self.volume[z, y, x])[inside]
                planes[:, z] += np.bincount(at, light, len(planes) * self.width).reshape(len(planes), self.width)
        total = np.zeros(self.transfer.shape[1:], np.complex64)
        top = (self.shape[0] - slices) // 2
        for image, factor in zip(planes, self.transfer, strict=True):
            if image.any():
                rows = np.pad(image, ((top, self.shape[0] - slices - top), (0, 0)), mode="edge")
                total += factor * fft.rfft2(rows, s=self.shape, workers=1)
        blurred = fft.irfft2(total, s=self.shape, workers=1)
        return blurred[top : top + slices, self.half : self.width - self.half] * np.float32(VOXEL_NM / 1000)


def main(size=801, views=97, slices=16, few=2):
    volume, lens = cylinder(slices, size), xm2(35)
    angles = np.arange(views) * 180 / views
    arguments = {"voxel_size_nm": VOXEL_NM, "columns": size, "lens": lens}
    project_through_lens(volume[:, :64, :64], [0], **arguments)  # compiles

    start = perf_counter()
    ours = project_through_lens(volume, angles, **arguments)
    seconds = perf_counter() - start

    start = perf_counter()
    direct = Direct(volume, size, lens)
    setup = perf_counter() - start
    chosen = np.linspace(0, views - 1, few + 2).astype(int)[1:-1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        start = perf_counter()
        theirs = np.stack(list(pool.map(direct.view, angles[chosen])))
        scaled = (perf_counter() - start) * views / few
    difference = np.abs(ours[chosen] - theirs).max() / theirs.max()
    print(f"{slices} slices of {size} x {size}, {views} views on {os.cpu_count()} cores: {seconds:.1f} s")
    print(
        f"one kernel a depth plane: {setup:.1f} s for {len(direct.transfer)} kernels and {scaled:.0f} s for the views "
        f"(from {few}): {(setup + scaled) / seconds:.0f} times as long"
    )
    print(f"largest difference: {difference:.1e} of the maximum")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:5]))
