"""The numba engine of the parallel beam: blocks of slices on a pool of threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
from numpy.typing import NDArray

from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import _lines
from sxtbench.operators._lines import GROUP, PAD
from sxtbench.operators._rows import RowResampling

_Layout = tuple[
    NDArray[np.int64], NDArray[np.float32], int, int, int, bool
]  # what `_lines.pack` takes after the arrays
_CACHE_BYTES = 256 * 1024  # of slab lines that are visited for all angles at a time: well inside a core's L2

_TILES = (8, 16, 32)  # slices that share the weights of their rays


class NumbaEngine:
    """Joseph's projection, its exact adjoint and pixel-driven backprojection, in float32 on the CPU.

    The result does not depend on the number of threads, bit by bit.

    Parameters
    ----------
    geometry : ParallelGeometry
        Angles, detector, offsets.
    volume_shape : tuple of three int
        Voxels along (z, y, x).
    voxel_size_nm : float
        Edge of a voxel, nm.
    origin_nm : tuple of three float
        Position (z, y, x) of the volume's centre, nm.
    threads : int
        Threads to use.
    """

    def __init__(
        self,
        geometry: ParallelGeometry,
        volume_shape: tuple[int, int, int],
        voxel_size_nm: float,
        origin_nm: tuple[float, float, float],
        threads: int,
    ) -> None:
        self.geometry = geometry
        self.volume_shape = volume_shape
        self.voxel_size_nm = voxel_size_nm
        self.origin_nm = origin_nm
        self.threads = threads
        self._rows = RowResampling(self._row_positions(), volume_shape[0])
        self._directions = _joseph_directions(geometry, volume_shape, voxel_size_nm, origin_nm)
        self._adjoint_directions = _gathered(self._directions, volume_shape)

    def project(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map a volume (z, y, x) in C order to views (angle, z, u)."""
        if self._rows.is_identity:
            return self._project(volume)
        return self._rows(self._project(volume[self._rows.begin : self._rows.end]), self._each)

    def adjoint(self, views: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map views (angle, z, u) in C order to a volume (z, y, x)."""
        out = np.zeros(self.volume_shape, np.float32)
        part = out
        if not self._rows.is_identity:
            views = self._rows.adjoint(views, self._each)
            part = out[self._rows.begin : self._rows.end]
        directions = self._adjoint_directions
        self._blocks(part.shape[0], lambda block: block.adjoint(part, views, directions), directions)
        return out

    def backproject(self, views: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Sum views (angle, z, u) in C order, each times its weight, where a voxel's centre is seen."""
        rows = RowResampling(self._slice_positions(), self.geometry.slices)
        if not rows.is_identity:
            views = rows(np.ascontiguousarray(views[:, rows.begin : rows.end]), self._each)
        direction = _backprojection_direction(
            self.geometry, self.volume_shape, self.voxel_size_nm, self.origin_nm, weights
        )
        out = np.empty(self.volume_shape, np.float32)
        self._blocks(out.shape[0], lambda block: block.backproject(out, views, direction), [direction])
        return out

    def _project(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        n_angles, _, columns = self.geometry.shape
        out = np.empty((n_angles, volume.shape[0], columns), np.float32)
        directions = self._directions
        self._blocks(volume.shape[0], lambda block: block.project(out, volume, directions), directions)
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
        tile = next((some for some in _TILES if slices <= some), _TILES[-1])
        starts = range(0, slices, tile)
        workers = max(1, min(self.threads, len(starts)))
        team = max(1, self.threads // workers)
        queue = iter(starts)  # one for all workers: who is slowed down takes fewer
        line_cells = max(direction.slab_cells for direction in directions)
        view_cells = max(direction.view_cells for direction in directions)

        def worker(_: int) -> None:
            slab, views = _aligned(line_cells * tile), _aligned(view_cells * tile)
            for begin in queue:
                work(_Block(begin, min(tile, slices - begin), tile, team, slab, views))

        _in_threads(worker, workers, workers)

    def _each(self, work: Callable[[int], None], count: int) -> None:
        _in_threads(work, count, self.threads)


@dataclass(frozen=True)
class _Direction:
    """Views that are interpolated along the same axis of the slices, and how that axis lies in memory.

    `const + per_line * line + per_element * element` is the position that `_lines` describes; `scale` multiplies the
    views. Lines are rows of a slice, or its columns if it is transposed. Views are padded to a multiple of
    `view_group`. With `apart`, positions are columns and what is apart are rays, as `gather_adjoint` takes them.
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
    apart: NDArray[np.float64] | None = None

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
    """A block of slices `[begin, begin + count)`, a team of threads for it, and their scratch."""

    begin: int
    count: int
    tile: int
    team: int
    slab_buffer: NDArray[np.float32]
    view_buffer: NDArray[np.float32]

    def project(self, out: NDArray[np.float32], volume: NDArray[np.float32], directions: Sequence[_Direction]) -> None:
        for direction in directions:
            slab, views = self._scratch(direction)
            _lines.pack(slab, volume.reshape(-1), *self._volume_layout(volume, direction))
            views[:] = 0
            self._share(partial(_project_some, views, slab, *self._positions(direction)), len(views))
            _lines.unpack(out.reshape(-1), views, *self._view_layout(out, direction), False)

    def adjoint(
        self, out: NDArray[np.float32], views_in: NDArray[np.float32], directions: Sequence[_Direction]
    ) -> None:
        for i, direction in enumerate(directions):
            slab, views = self._scratch(direction)
            _lines.pack(views, views_in.reshape(-1), *self._view_layout(views_in, direction))
            slab[:] = 0
            const, per_line, per_element, lanes, chunk = self._positions(direction)
            if direction.apart is None:
                _lines.project_adjoint(slab, views, const, per_line, per_element, lanes, chunk)
            else:
                apart = _filled(direction.apart, const.size, 1.0)
                arguments = slab, views, const, per_line, per_element, apart, lanes, chunk
                self._share(partial(_lines.gather_adjoint, *arguments), direction.lines)
            _lines.unpack(out.reshape(-1), slab, *self._volume_layout(out, direction), i > 0)

    def backproject(self, out: NDArray[np.float32], views_in: NDArray[np.float32], direction: _Direction) -> None:
        slab, views = self._scratch(direction)
        _lines.pack(views, views_in.reshape(-1), *self._view_layout(views_in, direction))
        slab[:] = 0
        self._share(partial(_lines.backproject, slab, views, *self._positions(direction)), direction.lines)
        _lines.unpack(out.reshape(-1), slab, *self._volume_layout(out, direction), False)

    def _share(self, work: Callable[[int, int], None], count: int) -> None:
        """Call `work(begin, end)` for as many parts as the team has threads; parts write to places of their own."""
        bounds = [count * i // self.team for i in range(self.team + 1)]
        _in_threads(lambda i: work(bounds[i], bounds[i + 1]), self.team, self.team)

    def _scratch(self, direction: _Direction) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        slab = self.slab_buffer[: direction.slab_cells * self.tile].reshape(*direction.slab_shape, self.tile)
        views = self.view_buffer[: direction.view_cells * self.tile].reshape(*direction.view_shape, self.tile)
        return slab, views

    def _positions(
        self, direction: _Direction
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[int, ...], int]:
        # Angles beyond the last fill up a group: their views are zero, wherever they look.
        count = direction.view_shape[0]
        const, per_line = _filled(direction.const, count, 0.0), _filled(direction.per_line, count, 0.0)
        per_element = _filled(direction.per_element, count, 1.0)
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


def _gathered(directions: list[_Direction], shape: tuple[int, int, int]) -> list[_Direction]:
    """Return one direction with all views, by where a voxel lies among the rays, if at most two rays reach a voxel.

    Where a ray of column `j` crosses `const + per_line * line + per_element * j`, a voxel lies at column
    `(element - const - per_line * line) / per_element`, which is linear in both of its coordinates.
    """
    steps = np.concatenate([direction.per_element for direction in directions])
    if np.abs(steps).min() < 1 - 1e-9:
        return directions
    along = np.concatenate([1 / direction.per_element for direction in directions])
    across = np.concatenate([-direction.per_line / direction.per_element for direction in directions])
    transposed = np.concatenate([np.full(direction.angles.size, direction.transposed) for direction in directions])
    return [
        _Direction(
            angles=np.concatenate([direction.angles for direction in directions]),
            const=np.concatenate([-direction.const / direction.per_element for direction in directions]),
            per_line=np.where(transposed, along, across),
            per_element=np.where(transposed, across, along),
            scale=np.concatenate([direction.scale for direction in directions]),
            columns=directions[0].columns,
            lines=shape[1],
            elements=shape[2],
            transposed=False,
            view_group=GROUP,
            apart=np.abs(steps),
        )
    ]


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


def _filled(table: NDArray[np.float64], size: int, filling: float) -> NDArray[np.float64]:
    return np.concatenate([table, np.full(size - table.size, filling)])


def _project_some(
    views: NDArray[np.float32],
    slab: NDArray[np.float32],
    const: NDArray[np.float64],
    per_line: NDArray[np.float64],
    per_element: NDArray[np.float64],
    lanes: tuple[int, ...],
    chunk: int,
    begin: int,
    end: int,
) -> None:
    part = slice(begin, end)
    _lines.project(views[part], slab, const[part], per_line[part], per_element[part], lanes, chunk)


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
