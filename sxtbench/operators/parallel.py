"""The parallel-beam projector: line integrals of a volume (Joseph's method) and their exact adjoint, matrix-free."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import _lines
from sxtbench.operators._lines import GROUP, PAD
from sxtbench.operators._rows import RowResampling
from sxtbench.operators.protocol import LinearOperator

BACKENDS = ("numba",)
_Layout = tuple[
    NDArray[np.int64], NDArray[np.float32], int, int, int, bool
]  # what `_lines.pack` takes after the arrays
_CACHE_BYTES = 256 * 1024  # of slab lines that are visited for all angles at a time: well inside a core's L2


class ParallelBeam:
    """Parallel-beam projection of a volume of LAC into absorbance: `A(x)`, and its exact adjoint `A.T(y)`.

    Joseph's method: a ray takes one linearly interpolated sample in each row (or column, for steep rays) of voxels that
    it crosses, times the path length between rows; outside the volume the LAC is zero. Detector pixels are sampled on
    their centres. Rows of the detector that lie between slices of the volume are interpolated linearly. The result does
    not depend on the number of threads, bit by bit.

    Parameters
    ----------
    geometry : ParallelGeometry
        Angles, detector, offsets.
    volume_shape : tuple of three int
        Voxels along (z, y, x).
    voxel_size_nm : float, optional
        Edge of a voxel, nm; the detector's pixel by default.
    origin_nm : tuple of three float
        Position (z, y, x) of the volume's centre relative to the rotation axis and the detector's nominal centre, nm.
    backend : str
        "numba".
    threads : int, optional
        Threads to use; the cores this process may run on by default.

    Raises
    ------
    InputError
        For a backend that does not exist, and for shapes, sizes or positions that make no volume.

    References
    ----------
    Joseph, IEEE Trans. Med. Imaging 1 (1982) 192.

    Examples
    --------
    >>> import numpy as np
    >>> geometry = ParallelGeometry(angles_deg=[0, 90], columns=8, slices=2, pixel_size_nm=100)
    >>> A = ParallelBeam(geometry, volume_shape=(2, 8, 8))
    >>> y = A(np.full((2, 8, 8), 0.5, np.float32))    # 0.5 per um over 8 voxels of 0.1 um
    >>> y.shape, round(float(y[0, 0, 4]), 6)
    ((2, 2, 8), 0.4)
    >>> A.T(y).shape
    (2, 8, 8)
    """

    def __init__(
        self,
        geometry: ParallelGeometry,
        volume_shape: tuple[int, int, int],
        voxel_size_nm: float | None = None,
        origin_nm: Sequence[float] = (0.0, 0.0, 0.0),
        backend: str = "numba",
        threads: int | None = None,
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"ParallelBeam has no backend {backend!r}, expected one of: {', '.join(BACKENDS)}")
        if len(volume_shape) != 3 or any(int(n) != n or n < 1 for n in volume_shape):
            raise InputError(
                f"volume_shape is {volume_shape}, expected three positive numbers of voxels along (z, y, x)"
            )
        voxel = geometry.pixel_size_nm if voxel_size_nm is None else float(voxel_size_nm)
        if not (voxel > 0 and np.isfinite(voxel)):
            raise InputError(f"voxel_size_nm is {voxel_size_nm}, expected a positive number of nm")
        origin = np.asarray(origin_nm, np.float64)
        if origin.shape != (3,) or not np.all(np.isfinite(origin)):
            raise InputError(f"origin_nm is {origin_nm}, expected three finite numbers, (z, y, x) in nm")
        if threads is not None and threads < 1:
            raise InputError(f"threads is {threads}, expected at least 1")
        self.geometry = geometry
        self.volume_shape: tuple[int, int, int] = (int(volume_shape[0]), int(volume_shape[1]), int(volume_shape[2]))
        self.voxel_size_nm = voxel
        self.origin_nm: tuple[float, float, float] = (float(origin[0]), float(origin[1]), float(origin[2]))
        self.backend = backend
        self.threads = _available_cores() if threads is None else int(threads)
        self._rows = RowResampling(self._row_positions(), self.volume_shape[0])
        self._directions = _joseph_directions(geometry, self.volume_shape, voxel, self.origin_nm)

    @property
    def domain_shape(self) -> tuple[int, int, int]:
        """Shape of the volume, (z, y, x)."""
        return self.volume_shape

    @property
    def range_shape(self) -> tuple[int, int, int]:
        """Shape of the projections, (angle, z, u)."""
        return self.geometry.shape

    @property
    def T(self) -> "ParallelBeamAdjoint":
        """The exact adjoint, an operator."""
        return ParallelBeamAdjoint(self)

    def __call__(self, x: ArrayLike) -> NDArray[np.float32]:
        """Project a volume.

        Parameters
        ----------
        x : array_like, shape volume_shape, cast to float32, LAC in 1/um
            The volume.

        Returns
        -------
        ndarray, shape (n_angles, n_slices, n_columns), float32, absorbance
        """
        volume = _checked(x, self.domain_shape, "volume", "(z, y, x)")
        if self._rows.is_identity:
            return self._project(volume)
        return self._rows(self._project(volume[self._rows.begin : self._rows.end]), self._each)

    def backproject(self, y: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float32]:
        """Sum the (weighted) views where each voxel's centre is seen: pixel-driven, with linear interpolation.

        This is the backprojection of FBP, not the adjoint of the projector.

        Parameters
        ----------
        y : array_like, shape (n_angles, n_slices, n_columns), cast to float32
            Views; zero outside the detector.
        weights : array_like, shape (n_angles,), optional
            Factor for each view; 1 by default.

        Returns
        -------
        ndarray, shape volume_shape, float32
            In the unit of `y` times that of `weights`.
        """
        views = _checked(y, self.range_shape, "projections", "(angle, z, u)")
        n_angles = self.geometry.shape[0]
        scale = np.ones(n_angles) if weights is None else np.asarray(weights, np.float64)
        if scale.shape != (n_angles,) or not np.all(np.isfinite(scale)):
            raise InputError(
                f"weights have shape {scale.shape}, expected one finite number for each of {n_angles} angles"
            )
        rows = RowResampling(self._slice_positions(), self.geometry.slices)
        if not rows.is_identity:
            views = rows(np.ascontiguousarray(views[:, rows.begin : rows.end]), self._each)
        direction = _backprojection_direction(
            self.geometry, self.volume_shape, self.voxel_size_nm, self.origin_nm, scale
        )
        out = np.zeros(self.domain_shape, np.float32)
        self._blocks(out.shape[0], lambda block: block.backproject(out, views, direction), [direction])
        return out

    def _project(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        n_angles, _, columns = self.range_shape
        out = np.zeros((n_angles, volume.shape[0], columns), np.float32)
        directions = self._directions
        self._blocks(volume.shape[0], lambda block: block.project(out, volume, directions), directions)
        return out

    def _adjoint(self, y: ArrayLike) -> NDArray[np.float32]:
        views = _checked(y, self.range_shape, "projections", "(angle, z, u)")
        out = np.zeros(self.domain_shape, np.float32)
        part = out
        if not self._rows.is_identity:
            views = self._rows.adjoint(views, self._each)
            part = out[self._rows.begin : self._rows.end]
        directions = self._directions
        self._blocks(part.shape[0], lambda block: block.adjoint(part, views, directions), directions)
        return out

    def _row_positions(self) -> NDArray[np.float64]:
        """Position of each view's detector rows between the slices of the volume, in slices."""
        rows, pixel = self.geometry.slices, self.geometry.pixel_size_nm
        offsets = np.asarray(self.geometry.slice_offset_px, np.float64)
        z = (np.arange(rows) - (rows - 1) / 2 + offsets[:, None]) * pixel
        return (z - self.origin_nm[0]) / self.voxel_size_nm + (self.volume_shape[0] - 1) / 2

    def _slice_positions(self) -> NDArray[np.float64]:
        """Position of the volume's slices between each view's detector rows, in rows."""
        slices, rows = self.volume_shape[0], self.geometry.slices
        offsets = np.asarray(self.geometry.slice_offset_px, np.float64)
        z = (np.arange(slices) - (slices - 1) / 2) * self.voxel_size_nm + self.origin_nm[0]
        return z / self.geometry.pixel_size_nm + (rows - 1) / 2 - offsets[:, None]

    def _blocks(self, slices: int, work: "Callable[[_Block], None]", directions: "Sequence[_Direction]") -> None:
        """Call `work` for each block of slices. Blocks share no output; a thread keeps its scratch."""
        tile = 32 if slices >= 16 else 8
        starts = range(0, slices, tile)
        workers = max(1, min(self.threads, len(starts)))
        line_cells = max(direction.slab_cells for direction in directions)
        view_cells = max(direction.view_cells for direction in directions)

        def worker(i: int) -> None:
            slab, views = _aligned(line_cells * tile), _aligned(view_cells * tile)
            for begin in starts[i::workers]:
                work(_Block(begin, min(tile, slices - begin), tile, slab, views))

        _in_threads(worker, workers, workers)

    def _each(self, work: Callable[[int], None], count: int) -> None:
        _in_threads(work, count, self.threads)


class ParallelBeamAdjoint:
    """The exact adjoint of a `ParallelBeam`: (angle, z, u) to (z, y, x)."""

    def __init__(self, operator: ParallelBeam) -> None:
        self._operator = operator

    @property
    def domain_shape(self) -> tuple[int, int, int]:
        """Shape of the projections, (angle, z, u)."""
        return self._operator.range_shape

    @property
    def range_shape(self) -> tuple[int, int, int]:
        """Shape of the volume, (z, y, x)."""
        return self._operator.domain_shape

    @property
    def T(self) -> LinearOperator:
        """The projector."""
        return self._operator

    def __call__(self, y: ArrayLike) -> NDArray[np.float32]:
        """Apply the adjoint.

        Parameters
        ----------
        y : array_like, shape (n_angles, n_slices, n_columns), cast to float32
            Projections.

        Returns
        -------
        ndarray, shape volume_shape, float32
            In the unit of `y` times um.
        """
        return self._operator._adjoint(y)


@dataclass(frozen=True)
class _Direction:
    """Views that are interpolated along the same axis of the slices, and how that axis lies in memory.

    `const + per_line * line + per_element * element` is the position that `_lines` describes; `scale` multiplies the
    views. Lines are rows of a slice, or its columns if it is transposed. Views are padded to a multiple of
    `view_group`.
    """

    angles: NDArray[np.int64]
    const: NDArray[np.float64]
    per_line: NDArray[np.float64]
    per_element: NDArray[np.float64]
    scale: NDArray[np.float32]
    columns: int
    lines: int
    elements: int
    transposed: bool
    view_group: int = 1

    @property
    def slab_shape(self) -> tuple[int, int]:
        return ceil(self.lines / GROUP) * GROUP, self.elements + 2 * PAD

    @property
    def view_shape(self) -> tuple[int, int]:
        return ceil(self.angles.size / self.view_group) * self.view_group, self.columns + 2 * PAD

    @property
    def slab_cells(self) -> int:
        return self.slab_shape[0] * self.slab_shape[1]

    @property
    def view_cells(self) -> int:
        return self.view_shape[0] * self.view_shape[1]


@dataclass(frozen=True)
class _Block:
    """A block of slices `[begin, begin + count)` and one thread's scratch for it."""

    begin: int
    count: int
    tile: int
    slab_buffer: NDArray[np.float32]
    view_buffer: NDArray[np.float32]

    def project(self, out: NDArray[np.float32], volume: NDArray[np.float32], directions: Sequence[_Direction]) -> None:
        for direction in directions:
            slab, views = self._scratch(direction)
            _lines.pack(slab, volume.reshape(-1), *self._volume_layout(volume, direction))
            views[:] = 0
            _lines.project(views, slab, *self._positions(direction))
            _lines.unpack_add(out.reshape(-1), views, *self._view_layout(out, direction))

    def adjoint(
        self, out: NDArray[np.float32], views_in: NDArray[np.float32], directions: Sequence[_Direction]
    ) -> None:
        for direction in directions:
            slab, views = self._scratch(direction)
            _lines.pack(views, views_in.reshape(-1), *self._view_layout(views_in, direction))
            slab[:] = 0
            _lines.project_adjoint(slab, views, *self._positions(direction))
            _lines.unpack_add(out.reshape(-1), slab, *self._volume_layout(out, direction))

    def backproject(self, out: NDArray[np.float32], views_in: NDArray[np.float32], direction: _Direction) -> None:
        slab, views = self._scratch(direction)
        _lines.pack(views, views_in.reshape(-1), *self._view_layout(views_in, direction))
        slab[:] = 0
        _lines.backproject(slab, views, *self._positions(direction))
        _lines.unpack_add(out.reshape(-1), slab, *self._volume_layout(out, direction))

    def _scratch(self, direction: _Direction) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        slab = self.slab_buffer[: direction.slab_cells * self.tile].reshape(*direction.slab_shape, self.tile)
        views = self.view_buffer[: direction.view_cells * self.tile].reshape(*direction.view_shape, self.tile)
        return slab, views

    def _positions(
        self, direction: _Direction
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[int, ...], int]:
        # Angles beyond the last fill up a group: their views are zero, wherever they look.
        surplus = direction.view_shape[0] - direction.angles.size
        const, per_line, per_element = (
            np.concatenate([table, np.zeros(surplus)])
            for table in (direction.const, direction.per_line, direction.per_element)
        )
        line_bytes = direction.slab_shape[1] * self.tile * 4
        chunk = max(1, _CACHE_BYTES // (line_bytes * GROUP)) * GROUP
        return const, per_line, per_element, (0,) * self.tile, chunk

    def _volume_layout(self, volume: NDArray[np.float32], direction: _Direction) -> _Layout:
        _, n_y, n_x = volume.shape
        starts = self.begin * n_y * n_x + np.arange(n_y) * n_x
        return starts, np.ones(n_y, np.float32), n_y * n_x, direction.lines, self.count, direction.transposed

    def _view_layout(self, views: NDArray[np.float32], direction: _Direction) -> _Layout:
        _, slices, columns = views.shape
        starts = direction.angles * (slices * columns) + self.begin * columns
        return starts, direction.scale, columns, direction.angles.size, self.count, False


def _joseph_directions(
    geometry: ParallelGeometry, shape: tuple[int, int, int], voxel_nm: float, origin_nm: tuple[float, float, float]
) -> list[_Direction]:
    """Return the views that cross rows (beam closer to y) and those that cross columns (closer to x), if any.

    A ray at `u` obeys `(x - cx) cos + (y - cy) sin = t` in voxels, `t = (u - origin_x cos - origin_y sin) / voxel`.
    """
    _, n_y, n_x = shape
    theta = np.deg2rad(np.asarray(geometry.angles_deg, np.float64))
    cos, sin = np.cos(theta), np.sin(theta)
    step = geometry.pixel_size_nm / voxel_nm
    first_column = np.asarray(geometry.column_offset_px, np.float64) - (geometry.columns - 1) / 2
    t = first_column * step - (origin_nm[2] * cos + origin_nm[1] * sin) / voxel_nm
    crosses_rows = np.abs(cos) >= np.abs(sin)
    directions = []
    for chosen, major, minor, lines, elements, transposed in (
        (crosses_rows, cos, sin, n_y, n_x, False),
        (~crosses_rows, sin, cos, n_x, n_y, True),
    ):
        angles = np.flatnonzero(chosen)
        if angles.size == 0:
            continue
        a, b = major[angles], minor[angles]
        directions.append(
            _Direction(
                angles=angles,
                const=(elements - 1) / 2 + (t[angles] + (lines - 1) / 2 * b) / a,
                per_line=-b / a,
                per_element=step / a,
                scale=(voxel_nm / 1000 / np.abs(a)).astype(np.float32),
                columns=geometry.columns,
                lines=lines,
                elements=elements,
                transposed=transposed,
            )
        )
    return directions


def _backprojection_direction(
    geometry: ParallelGeometry,
    shape: tuple[int, int, int],
    voxel_nm: float,
    origin_nm: tuple[float, float, float],
    weights: NDArray[np.float64],
) -> _Direction:
    """Return, for all views, where voxels of a row are seen on the detector."""
    _, n_y, n_x = shape
    theta = np.deg2rad(np.asarray(geometry.angles_deg, np.float64))
    step = voxel_nm / geometry.pixel_size_nm
    cos, sin = np.cos(theta) * step, np.sin(theta) * step
    first_x = origin_nm[2] / voxel_nm - (n_x - 1) / 2
    first_y = origin_nm[1] / voxel_nm - (n_y - 1) / 2
    offsets = np.asarray(geometry.column_offset_px, np.float64)
    return _Direction(
        angles=np.arange(theta.size),
        const=(geometry.columns - 1) / 2 - offsets + first_x * cos + first_y * sin,
        per_line=sin,
        per_element=cos,
        scale=weights.astype(np.float32),
        columns=geometry.columns,
        lines=n_y,
        elements=n_x,
        transposed=False,
        view_group=GROUP,
    )


def _checked(array: ArrayLike, shape: tuple[int, int, int], name: str, axes: str) -> NDArray[np.float32]:
    given = np.asarray(array)
    if given.shape != shape:
        raise InputError(f"{name} has shape {given.shape}, expected {shape}, {axes}")
    if given.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {given.dtype}, expected real numbers")
    return np.ascontiguousarray(given, np.float32)


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _aligned(size: int) -> NDArray[np.float32]:
    """Uninitialised float32 on a cache line's boundary: a vector then never lies across two."""
    raw = np.empty(size * 4 + 64, np.uint8)
    offset = -raw.ctypes.data % 64
    return raw[offset : offset + size * 4].view(np.float32)


def _in_threads(work: Callable[[int], None], count: int, threads: int) -> None:
    """Call `work(0) ... work(count - 1)`. The pool lives for one call: a fork inherits none without its threads."""
    if threads == 1 or count <= 1:
        for i in range(count):
            work(i)
        return
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, i) for i in range(count)]:
            future.result()
