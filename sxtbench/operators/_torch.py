"""The parallel beam in torch's own operations: Joseph's projection and its exact transpose, on a CPU or a GPU.

Every map here is a sum of table rows with weights: a table has one row for each voxel of a slice (or each pixel of a
detector line) and, as its columns, the slices of all volumes of the batch, which share their geometry. The projection
sums two rows for each line of voxels that a ray crosses. The transpose is written as sums too, over the rays that reach
a voxel, with the same weights: nothing is scattered, so that results repeat bit by bit on a GPU as well.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import embedding_bag

from sxtbench.geometry import ParallelGeometry
from sxtbench.operators._arrays import is_tensor
from sxtbench.operators._rows import interpolation
from sxtbench.operators.autograd import Map, linear_map

# Where sums go on the first axis of the result, and rows of the table and their weights, each (n_sums, n_terms).
Piece = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Pieces = Iterator[Piece]
TermsOf = Callable[[torch.device], Pieces]
_TERMS_AT_ONCE = 2**21
_TERMS_KEPT = 2**24  # of one map: 128 MiB


class TorchEngine:
    """Projection, its transpose and pixel-driven backprojection of tensors; numpy arrays come back as numpy arrays.

    Tensors may have any axes in front. They are computed on their own device and in their own type, float32 or float64;
    numpy arrays on `device` in float32. Weights are computed in float64. Those of a map with up to 16 million terms
    (256 x 256 voxels, 120 views) are kept from call to call; beyond, they are computed in each call, at several times
    the cost of the sums for a few slices.

    Parameters
    ----------
    geometry : ParallelGeometry
    volume_shape : tuple of three int
        Voxels along (z, y, x).
    voxel_size_nm : float
    origin_nm : tuple of three float
    device : str
        Where numpy arrays are computed.
    """

    exact_adjoint = True
    takes_tensors = True

    def __init__(
        self,
        geometry: ParallelGeometry,
        volume_shape: tuple[int, int, int],
        voxel_size_nm: float,
        origin_nm: tuple[float, float, float],
        device: str,
    ) -> None:
        self.geometry = geometry
        self.volume_shape = volume_shape
        self.device = device
        theta = np.deg2rad(np.asarray(geometry.angles_deg, np.float64))
        self._cos, self._sin = np.cos(theta), np.sin(theta)
        self._step = geometry.pixel_size_nm / voxel_size_nm
        self._voxel_um = voxel_size_nm / 1000
        # Position of the first column on the detector, and of the axis in the volume, both in voxels.
        offsets = np.asarray(geometry.column_offset_px, np.float64)
        shift = (origin_nm[2] * self._cos + origin_nm[1] * self._sin) / voxel_size_nm
        self._first = (offsets - (geometry.columns - 1) / 2) * self._step - shift
        slices, rows, pixel = volume_shape[0], geometry.slices, geometry.pixel_size_nm
        dz = np.asarray(geometry.slice_offset_px, np.float64)[:, None] * pixel
        row_nm = (np.arange(rows) - (rows - 1) / 2) * pixel + dz
        slice_nm = (np.arange(slices) - (slices - 1) / 2) * voxel_size_nm + origin_nm[0]
        self._rows = _reading((row_nm - origin_nm[0]) / voxel_size_nm + (slices - 1) / 2, slices)
        self._slices = _reading((slice_nm - dz) / pixel + (rows - 1) / 2, rows)
        self._kept: dict[tuple[str, torch.device, torch.dtype], list[Piece]] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": {}}

    def project(self, volume: Any) -> Any:
        """Project (..., z, y, x) to (..., angle, z, u)."""
        return self._map(volume, self._project, self._transpose)

    def adjoint(self, views: Any) -> Any:
        """Apply the exact transpose of `project`."""
        return self._map(views, self._transpose, self._project)

    def backproject(self, views: Any, weights: NDArray[np.float64]) -> Any:
        """Sum the weighted views where each voxel's centre is seen; see `ParallelBeam.backproject`.

        Gradients are torch's own here, of the first order.
        """
        if is_tensor(views):
            scaled = views * torch.as_tensor(weights, dtype=views.dtype, device=views.device)[:, None, None]
            return self._backproject(scaled)
        return self._on_device(views * weights.astype(np.float32)[:, None, None], self._backproject)

    def _map(self, array: Any, forward: Map, adjoint: Map) -> Any:
        return linear_map(array, forward, adjoint) if is_tensor(array) else self._on_device(array, forward)

    def _on_device(self, array: NDArray[np.float32], forward: Map) -> NDArray[np.float32]:
        result: NDArray[np.float32] = forward(torch.from_numpy(array).to(self.device)).cpu().numpy()
        return result

    def _project(self, volume: torch.Tensor) -> torch.Tensor:
        n_angles, _, columns = self.geometry.shape
        views = self._summed(volume, "project", (n_angles, columns), self._projection_terms)
        return views if self._rows is None else _weights(self._rows, views) @ views

    def _transpose(self, views: torch.Tensor) -> torch.Tensor:
        if self._rows is not None:
            views = _weights(self._rows, views).transpose(-1, -2) @ views
        return self._summed(views, "transpose", self.volume_shape[1:], self._transpose_terms)

    def _backproject(self, views: torch.Tensor) -> torch.Tensor:
        if self._slices is not None:
            views = _weights(self._slices, views) @ views
        return self._summed(views, "backproject", self.volume_shape[1:], self._backprojection_terms)

    def _summed(self, array: torch.Tensor, name: str, shape: tuple[int, int], terms: TermsOf) -> torch.Tensor:
        """Map (..., slices, n, m) or (..., n, slices, m) to the other of the two by sums over rows of a table.

        A volume has its slices first of the three axes, projections second.
        """
        from_volume = name == "project"
        order = (-2, -1, -3) if from_volume else (-3, -1, -2)
        ahead = array.shape[:-3]
        moved = array.reshape(-1, *array.shape[-3:]).permute(*order, 0)
        slices, batch = moved.shape[2:]
        table = moved.reshape(moved.shape[0] * moved.shape[1], slices * batch).contiguous()
        out = table.new_empty(*shape, slices * batch)
        if table.numel() == 0:
            return out.reshape(*ahead, *((slices, *shape) if not from_volume else (shape[0], slices, shape[1])))
        for target, rows, weights in self._terms(name, shape, terms, table):
            sums = embedding_bag(rows, table, per_sample_weights=weights, mode="sum")
            out[target] = sums.reshape(-1, shape[1], slices * batch)
        axes = (3, 0, 2, 1) if from_volume else (3, 2, 0, 1)
        result = out.reshape(*shape, slices, batch).permute(*axes).contiguous()
        return result.reshape(*ahead, *result.shape[1:])

    def _terms(self, name: str, shape: tuple[int, int], terms: TermsOf, table: torch.Tensor) -> Iterable[Piece]:
        """Return the sums of a map in pieces: where they go on the first axis, and rows and weights of each."""
        key = name, table.device, table.dtype
        if key in self._kept:
            return self._kept[key]
        pieces = (
            (target, rows.to(torch.int32), weights.to(table.dtype)) for target, rows, weights in terms(table.device)
        )
        if self._term_count(name) > _TERMS_KEPT:
            return pieces
        return self._kept.setdefault(key, list(pieces))

    def _term_count(self, name: str) -> int:
        n_angles, _, columns = self.geometry.shape
        _, n_y, n_x = self.volume_shape
        if name == "project":
            return 2 * n_angles * columns * max(n_y, n_x)
        return n_angles * n_y * n_x * (self._reach if name == "transpose" else 2)

    @property
    def _reach(self) -> int:
        """Most columns of a view whose rays touch one voxel of a line."""
        return int(np.ceil(2 * np.maximum(np.abs(self._cos), np.abs(self._sin)).max() / self._step))

    def _projection_terms(self, device: torch.device) -> Pieces:
        columns = torch.arange(self.geometry.columns, dtype=torch.float64, device=device)
        _, n_y, n_x = self.volume_shape
        for crosses_rows, lines, elements, strides in ((True, n_y, n_x, (n_x, 1)), (False, n_x, n_y, (1, n_x))):
            chosen = np.flatnonzero(self._crosses_rows == crosses_rows)
            at_once = max(1, _TERMS_AT_ONCE // (2 * lines * columns.numel()))
            for part in np.split(chosen, range(at_once, chosen.size, at_once)):
                if part.size == 0:
                    continue
                const, per_line, per_column, scale = (
                    torch.from_numpy(values[part]).to(device)[:, None, None] for values in self._joseph
                )
                line = torch.arange(lines, dtype=torch.float64, device=device)
                position = const + per_line * line + per_column * columns[:, None]
                low = position.floor()
                high_share = position - low
                elements_read = torch.stack((low, low + 1), -1)
                inside = (elements_read >= 0) & (elements_read < elements)
                weights = torch.stack((1 - high_share, high_share), -1) * inside * scale[..., None]
                rows = line[:, None] * strides[0] + elements_read.clamp(0, elements - 1) * strides[1]
                shape = part.size * columns.numel(), 2 * lines
                yield torch.from_numpy(part).to(device), rows.reshape(shape), weights.reshape(shape)

    def _transpose_terms(self, device: torch.device) -> Pieces:
        columns = self.geometry.columns
        const, per_line, per_column, scale = (torch.from_numpy(values).to(device) for values in self._joseph)
        crosses_rows = torch.from_numpy(self._crosses_rows).to(device)
        for target, y, x, view in self._voxels(device, self._reach):
            line, element = torch.where(crosses_rows, y, x), torch.where(crosses_rows, x, y)
            start = const + per_line * line - element  # distance of the first column's ray to the voxel
            first = (-start / per_column - 1 / per_column.abs()).floor() + 1
            column = first[..., None] + torch.arange(self._reach, device=device)
            distance = (start[..., None] + per_column[:, None] * column).abs()
            weights = (1 - distance).clamp(min=0) * ((column >= 0) & (column < columns)) * scale[:, None]
            rows = view[:, None] * columns + column.clamp(0, columns - 1)
            yield target, rows.flatten(2).flatten(0, 1), weights.flatten(2).flatten(0, 1)

    def _backprojection_terms(self, device: torch.device) -> Pieces:
        columns = self.geometry.columns
        _, n_y, n_x = self.volume_shape
        cos, sin, first = (torch.from_numpy(values).to(device) for values in (self._cos, self._sin, self._first))
        for target, y, x, view in self._voxels(device, 2):
            position = ((x - (n_x - 1) / 2) * cos + (y - (n_y - 1) / 2) * sin - first) / self._step
            low = position.floor()
            high_share = position - low
            column = torch.stack((low, low + 1), -1)
            inside = (column >= 0) & (column < columns)
            weights = torch.stack((1 - high_share, high_share), -1) * inside
            rows = view[:, None] * columns + column.clamp(0, columns - 1)
            yield target, rows.flatten(2).flatten(0, 1), weights.flatten(2).flatten(0, 1)

    def _voxels(
        self, device: torch.device, terms_a_view: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield some rows of a slice at a time: which, and y, x and view as arrays that broadcast to (y, x, view)."""
        _, n_y, n_x = self.volume_shape
        n_angles = self.geometry.shape[0]
        view = torch.arange(n_angles, dtype=torch.float64, device=device)
        x = torch.arange(n_x, dtype=torch.float64, device=device)[:, None]
        at_once = max(1, _TERMS_AT_ONCE // (n_x * n_angles * terms_a_view))
        for begin in range(0, n_y, at_once):
            target = torch.arange(begin, min(begin + at_once, n_y), device=device)
            yield target, target.to(torch.float64)[:, None, None], x, view

    @property
    def _crosses_rows(self) -> NDArray[np.bool_]:
        """Whether a view's rays cross rows of voxels (closer to y), or columns."""
        return np.abs(self._cos) >= np.abs(self._sin)

    @property
    def _joseph(self) -> tuple[NDArray[np.float64], ...]:
        """For each view const, per_line and per_column of the element that a ray crosses a line at, and path length.

        `const + per_line * line + per_column * column`; the length is in um.
        """
        _, n_y, n_x = self.volume_shape
        rows = self._crosses_rows
        major, minor = np.where(rows, self._cos, self._sin), np.where(rows, self._sin, self._cos)
        lines, elements = np.where(rows, n_y, n_x), np.where(rows, n_x, n_y)
        const = (elements - 1) / 2 + (self._first + (lines - 1) / 2 * minor) / major
        return const, -minor / major, self._step / major, self._voxel_um / np.abs(major)


def _reading(positions: NDArray[np.float64], size: int) -> NDArray[np.float64] | None:
    """Return the interpolation along z as a matrix a view, or one for all, or None where nothing changes."""
    same = np.arange(positions.shape[1], dtype=np.float64)
    if size == same.size and bool(np.all(np.abs(positions - same) < 1e-9)):
        return None
    distinct = positions[:1] if np.all(positions == positions[0]) else positions
    return np.stack([interpolation(line, size).toarray() for line in distinct]).astype(np.float64)


def _weights(matrices: NDArray[np.float64], views: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(matrices, dtype=views.dtype, device=views.device)
