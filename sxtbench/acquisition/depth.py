"""Projection through a lens of limited depth of field: each depth is blurred by its own kernel, then depths are summed.

A view is made in three steps. Each voxel's shadow, the exact one of `acquisition.strip`, is shared among four nodes in
depth with the weights of a cubic B-spline. Each node's image is multiplied in Fourier space by the transfer function of
that node, and the products are summed. One inverse transform gives the view.

The intensity behind a lens is band-limited in depth at 1 / (2 depth of field), so nodes a quarter of the depth of field
apart give the kernels of all depths to 5e-5 of the maximum.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft
from scipy.ndimage import spline_filter1d

from sxtbench.acquisition.optics import ZonePlate
from sxtbench.acquisition.strip import project_strips
from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.jit import kernel

_STEPS_PER_DEPTH_OF_FIELD = 4
_OUTER_NODES = 8  # where the spline's kernels end is forgotten by 0.27 a node
_SHIFT_MARGIN = 16  # pixels beyond which a band-limited shift of a blurred image has died away
_TILE = 16  # slices side by side
_BLOCK = 32  # voxels in x and y whose shadows stay in a core's first cache


def project_through_lens(
    volume: NDArray[np.float32],
    angles_deg: ArrayLike,
    *,
    voxel_size_nm: float,
    columns: int,
    lens: ZonePlate | None,
    half_width: int | None = None,
    shifts_px: ArrayLike | None = None,
    depth_step_nm: float | None = None,
    infinite_depth_of_field: bool = False,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Project a volume, each depth blurred by the lens as that depth is out of focus.

    The model is linear in the LAC: the point-spread function blurs contributions to the line integrals, as in the
    interior-tomography paper, not intensities. Focus lies on the rotation axis. Beyond the first and last slice the
    volume goes on as those; beside it is vacuum. Rows near the top and bottom are therefore only right for a specimen
    that has `half_width` more slices there.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32, 1/um
        LAC, centred on the rotation axis.
    angles_deg : array_like, shape (n_angles,), degrees
        Any finite angles; `u = x cos + y sin`, depth `v = -x sin + y cos` along the beam.
    voxel_size_nm : float, nm
        Edge of a voxel and of a detector pixel.
    columns : int
        Detector columns, centred on the axis, fewer or more than the volume has. What lies beside a narrow detector
        blurs into it.
    lens : ZonePlate or None
        None projects without blur.
    half_width : int, optional, pixels
        Half width of the kernels' window. None is wide enough for the volume's corners (`ZonePlate.half_width`); 5 is
        the interior paper's.
    shifts_px : array_like, shape (n_angles, 2), optional, pixels
        Displacement (dz, du) of each image's content, by whole or parts of pixels. A region whose axis lies beside the
        volume's has du = -column_offset_px.
    depth_step_nm : float, optional, nm
        Distance of the nodes. None is a quarter of the depth of field; the error falls with its fourth power.
    infinite_depth_of_field : bool
        Blur all depths by the kernel of the focal plane, on the same window.
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.
    progress : callable, optional
        Called with the number of finished views, after each; once where nothing is blurred or moved.

    Returns
    -------
    ndarray, shape (n_angles, z, columns), float32, absorbance
        Line integrals, blurred.

    Raises
    ------
    InputError
        For a volume that is not three-dimensional, angles and shifts that are not finite or do not belong together,
        numbers that are not positive, and a given window wider than the detector.

    References
    ----------
    Ekman et al., PSF correction in soft X-ray tomography (2018), doi 10.1101/260737 (the linear model). Unser, IEEE
    Signal Process. Mag. 16 (1999) 22, doi 10.1109/79.799930 (spline interpolation).

    Examples
    --------
    >>> volume = np.zeros((1, 401, 41), np.float32)
    >>> volume[0, [200, 400], [10, 30]] = 1  # a rod in focus, a rod 4 um behind
    >>> lens = ZonePlate(outer_zone_width_nm=35, energy_ev=517)
    >>> view = project_through_lens(volume, [0], voxel_size_nm=20, columns=41, lens=lens)[0, 0]
    >>> [f"{x:.4f}" for x in view[[10, 30]]]
    ['0.0098', '0.0018']
    """
    angles = np.asarray(angles_deg, np.float64)
    if volume.ndim != 3 or 0 in volume.shape:
        raise InputError(f"the volume has shape {volume.shape}, expected (z, y, x)")
    if angles.ndim != 1 or angles.size == 0 or not np.all(np.isfinite(angles)):
        raise InputError("angles_deg must be a 1-D list of one or more finite angles")
    if columns < 1:
        raise InputError(f"columns is {columns}, expected at least 1")
    for name, value in (("voxel_size_nm", voxel_size_nm), ("depth_step_nm", depth_step_nm)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}, expected a positive number")
    if half_width is not None and (half_width < 0 or 2 * half_width + 1 > columns):
        raise InputError(
            f"half_width is {half_width}, a window of {2 * half_width + 1} pixels, expected one that is not wider than "
            f"the detector's {columns} columns"
        )
    shifts = None if shifts_px is None else np.asarray(shifts_px, np.float64)
    if shifts is not None and (shifts.shape != (angles.size, 2) or not np.all(np.isfinite(shifts))):
        raise InputError(f"shifts_px has shape {shifts.shape}, expected ({angles.size}, 2), all finite")
    volume = np.ascontiguousarray(volume, np.float32)
    workers = threads or available_cores()
    voxel_um = voxel_size_nm / 1000
    if lens is None and shifts is None:
        sharp = project_strips(volume, angles, voxel_size_um=voxel_um, columns=columns, threads=threads)
        if progress:
            progress(angles.size)
        return sharp

    slices, ny, nx = volume.shape
    if lens is None:
        half_width = 0
    elif half_width is None:
        half_width = lens.half_width(math.hypot(ny, nx) / 2 * voxel_size_nm, voxel_size_nm)
    frame = _frame(slices, columns, math.ceil(math.hypot(ny, nx)) + 2, half_width, shifts)
    if lens is None or infinite_depth_of_field:
        flat = project_strips(volume, angles, voxel_size_um=voxel_um, columns=frame.width, threads=threads)
        kernels = np.ones((1, 1, 1)) if lens is None else lens.psf([0.0], voxel_size_nm, half_width)

        def planes(i: int) -> NDArray[np.float32]:
            padded = np.zeros((1, frame.length, 1, slices), np.float32)
            padded[0, : frame.width, 0] = flat[i].T
            return padded
    else:
        step = depth_step_nm or lens.depth_of_field_nm / _STEPS_PER_DEPTH_OF_FIELD
        splat = _Splat(volume, frame, step / voxel_size_nm, np.float32(voxel_um))
        kernels = _spline_kernels(lens, splat.first_node, splat.nodes, step, voxel_size_nm, half_width)

        def planes(i: int) -> NDArray[np.float32]:
            return splat(angles[i])

    transfer = frame.transfer(kernels)
    out = np.empty((angles.size, slices, columns), np.float32)

    def one(i: int) -> None:
        frame.image(planes(i), transfer, None if shifts is None else shifts[i], out[i])

    with ThreadPoolExecutor(workers) as pool:
        for i, _ in enumerate(pool.map(one, range(angles.size))):
            if progress:
                progress(i + 1)
    return out


@dataclass(frozen=True)
class _Frame:
    """The padded image in which views are blurred: what is projected, then vacuum, `length` columns in all.

    The detector's columns begin at `first` of the `width` that are projected, its rows at `top` of `height`.
    """

    width: int
    length: int
    first: int
    columns: int
    slices: int
    height: int
    top: int

    def transfer(self, kernels: NDArray[np.float64]) -> NDArray[np.float32]:
        """Transfer functions (node, column frequency, row frequency) of kernels that equal their mirror images."""
        half = kernels.shape[1] // 2
        at = np.arange(-half, half + 1)
        out = np.empty((len(kernels), self.length // 2 + 1, self.height), np.float32)
        for i, values in enumerate(kernels):
            padded = np.zeros((self.length, self.height))
            padded[np.ix_(at, at)] = values
            out[i] = fft.rfftn(padded, axes=(1, 0), workers=1).real
        return out

    def image(
        self,
        planes: NDArray[np.float32],
        transfer: NDArray[np.float32],
        shift: NDArray[np.float64] | None,
        out: NDArray[np.float32],
    ) -> None:
        """Blur each node of (tile, column, node, slice) by its own kernel, sum, move the sum, cut the detector out."""
        spectra = fft.rfft(planes, axis=1, workers=1)
        total = np.zeros(transfer.shape[1:], np.complex64)
        padded = np.empty_like(total)
        bottom = self.top + self.slices
        for node, factor in enumerate(transfer):
            for tile, start in enumerate(range(self.top, bottom, planes.shape[3])):
                stop = min(start + planes.shape[3], bottom)
                padded[:, start:stop] = spectra[tile, :, node, : stop - start]
            padded[:, : self.top] = padded[:, self.top : self.top + 1]
            padded[:, bottom:] = padded[:, bottom - 1 : bottom]
            _add_product(fft.fft(padded, axis=1, workers=1), factor, total)
        if shift is not None:
            dz, du = shift
            total *= np.exp(-2j * np.pi * du * fft.rfftfreq(self.length)).astype(np.complex64)[:, None]
            total *= np.exp(-2j * np.pi * dz * fft.fftfreq(self.height)).astype(np.complex64)
        rows = fft.ifft(total, axis=1, overwrite_x=True, workers=1)[:, self.top : bottom]
        blurred = fft.irfft(rows, n=self.length, axis=0, workers=1)
        out[...] = blurred[self.first : self.first + self.columns].T


def _frame(slices: int, columns: int, shadow: int, half_width: int, shifts: NDArray[np.float64] | None) -> _Frame:
    """Plan the padding: nothing that reaches the detector is left out, and nothing wraps onto it."""
    beside = max(0, -(-(shadow - columns) // 2))
    reach_z = reach_u = half_width
    if shifts is None:
        beside = min(beside, half_width)
    else:
        reach_z += math.ceil(float(np.max(np.abs(shifts[:, 0])))) + _SHIFT_MARGIN
        reach_u += math.ceil(float(np.max(np.abs(shifts[:, 1])))) + _SHIFT_MARGIN
    width = columns + 2 * beside
    height = fft.next_fast_len(slices + 2 * reach_z)
    length = fft.next_fast_len(max(width + reach_u, 2 * half_width + 1), real=True)
    return _Frame(
        width=width,
        length=length,
        first=beside,
        columns=columns,
        slices=slices,
        height=height,
        top=(height - slices) // 2,
    )


def _spline_kernels(
    lens: ZonePlate, first_node: int, nodes: int, step_nm: float, pixel_size_nm: float, half_width: int
) -> NDArray[np.float64]:
    """Return the coefficients, one kernel a node, of the cubic spline through the kernels at the nodes' depths."""
    depths = (first_node - _OUTER_NODES + np.arange(nodes + 2 * _OUTER_NODES)) * step_nm
    through = lens.psf(depths, pixel_size_nm, half_width)
    coefficients: NDArray[np.float64] = spline_filter1d(through, 3, axis=0, mode="mirror")
    return coefficients[_OUTER_NODES:-_OUTER_NODES]


class _Splat:
    """Shares the shadows of a volume's voxels among bins and depth nodes: `splat(angle)` is one view's planes."""

    def __init__(self, volume: NDArray[np.float32], frame: _Frame, step: float, scale: np.float32) -> None:
        slices, ny, nx = volume.shape
        self.tiles = np.zeros((-(-slices // _TILE), ny, nx, _TILE), np.float32)
        for tile, start in zip(self.tiles, range(0, slices, _TILE), strict=True):
            part = volume[start : start + _TILE]
            np.multiply(part.transpose(1, 2, 0), scale, out=tile[:, :, : len(part)])
        self.low, self.high = _extents(self.tiles)
        self.frame, self.step = frame, step
        reach = _depth_reach(self.low, self.high, nx) / step
        self.first_node = math.floor(-reach) - 1
        self.nodes = math.floor(reach) + 2 - self.first_node + 1

    def __call__(self, angle_deg: float) -> NDArray[np.float32]:
        """Planes of one view, shape (tile, column, node, slice of the tile)."""
        planes = np.zeros((len(self.tiles), self.frame.length, self.nodes, _TILE), np.float32)
        radians = math.radians(angle_deg)
        cosine, sine = math.cos(radians), math.sin(radians)
        for i, tile in enumerate(self.tiles):
            _splat_tile(
                tile,
                self.low[i],
                self.high[i],
                cosine,
                sine,
                1 / self.step,
                self.first_node,
                self.frame.width,
                planes[i].reshape(self.frame.length, -1),
            )
        return planes


def _depth_reach(low: NDArray[np.int64], high: NDArray[np.int64], nx: int) -> float:
    """Largest distance from the axis, in voxels, of what is not empty."""
    y = np.arange(low.shape[1]) - (low.shape[1] - 1) / 2
    middle = (nx - 1) / 2
    x = np.maximum(np.abs(low - middle), np.abs(high - 1 - middle))
    distance = np.where(high > low, np.hypot(x, y), 0.0)
    return float(distance.max())


@kernel
def _extents(tiles: Any) -> Any:
    """Return where, in each tile and row, voxels begin and end that are not empty."""
    count, ny, nx, depth = tiles.shape
    low = np.full((count, ny), nx, np.int64)
    high = np.zeros((count, ny), np.int64)
    for t in range(count):
        for y in range(ny):
            for x in range(nx):
                for k in range(depth):
                    if tiles[t, y, x, k] != 0:
                        low[t, y] = min(low[t, y], x)
                        high[t, y] = x + 1
                        break
    return low, high


@kernel
def _splat_tile(
    tile: Any,
    low: Any,
    high: Any,
    cosine: Any,
    sine: Any,
    nodes_per_voxel: Any,
    first_node: Any,
    width: Any,
    planes: Any,
) -> Any:
    """Add a tile (y, x, slice) to the planes (column, node and slice) of one view.

    The shadow of a unit square is a trapezoid with half-widths `a <= b`, so a bin's share is a difference of two
    piecewise quadratic integrals; it reaches three bins at most. Offsets are unsigned: numba would look for negative
    ones at each step, and the loops would not be vectorised.
    """
    ny, nx, _ = tile.shape
    slices = np.uintp(tile.shape[2])
    big = max(abs(cosine), abs(sine))
    small = min(abs(cosine), abs(sine))
    a = 0.5 * (big - small)
    b = 0.5 * (big + small)
    height = 1.0 / big
    bend = 0.5 / (big * small) if small > 1e-7 else 0.0
    shadow = np.empty(3, np.float32)
    share = np.empty(4, np.float32)
    shared = np.empty(4 * tile.shape[2], np.float32)  # a voxel's slices in its four nodes
    for y0 in range(0, ny, _BLOCK):
        for x0 in range(0, nx, _BLOCK):
            for y in range(y0, min(y0 + _BLOCK, ny)):
                dy = y - 0.5 * (ny - 1)
                for x in range(max(x0, low[y]), min(x0 + _BLOCK, nx, high[y])):
                    dx = x - 0.5 * (nx - 1)
                    u = dx * cosine + dy * sine + 0.5 * (width - 1)
                    column = int(np.floor(u - b + 0.5))
                    if column < -2 or column >= width:
                        continue
                    before = -0.5
                    for t in range(3):
                        edge = column + t + 0.5 - u
                        p = min(abs(edge), b)
                        m = max(p - a, 0.0)
                        integral = height * p - bend * m * m
                        upto = integral if edge > 0 else -integral
                        shadow[t] = upto - before
                        before = upto
                    depth = (dy * cosine - dx * sine) * nodes_per_voxel - first_node
                    node = int(np.floor(depth))
                    f = depth - node
                    g = 1.0 - f
                    share[0] = g * g * g / 6.0
                    share[1] = 2.0 / 3.0 - f * f * (1.0 - 0.5 * f)
                    share[2] = 2.0 / 3.0 - g * g * (1.0 - 0.5 * g)
                    share[3] = f * f * f / 6.0
                    for i in range(4):
                        weight = share[i]
                        offset = np.uintp(i) * slices
                        for k in range(slices):
                            shared[offset + k] = weight * tile[y, x, k]
                    offset = np.uintp(node - 1) * slices
                    for t in range(max(0, -column), min(3, width - column)):
                        weight = shadow[t]
                        row = np.uintp(column + t)
                        if weight != 0:
                            for k in range(np.uintp(4) * slices):
                                planes[row, offset + k] += weight * shared[k]


@kernel
def _add_product(spectrum: Any, factor: Any, total: Any) -> Any:
    """Add a spectrum times a real factor to the total."""
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += spectrum[i, j] * factor[i, j]
