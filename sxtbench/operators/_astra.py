"""The parallel beam by the ASTRA toolbox: its CPU projector `linear` slice by slice, or its 3-D projector on a GPU.

`linear` is Joseph's method with an exact transpose. The 3-D projector samples the volume in steps of its own and its
backprojection is not its transpose. ASTRA kills the process when a CUDA projector is made without a GPU: here that is
asked before.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import astra
import numpy as np
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators._rows import RowResampling


class AstraEngine:
    """Projection and its exact transpose by `linear`, on one core, slice by slice. No pixel-driven backprojection.

    Parameters
    ----------
    geometry : ParallelGeometry
    volume_shape : tuple of three int
        Voxels along (z, y, x).
    voxel_size_nm : float
    origin_nm : tuple of three float
    """

    exact_adjoint = True
    takes_tensors = False

    def __init__(
        self,
        geometry: ParallelGeometry,
        volume_shape: tuple[int, int, int],
        voxel_size_nm: float,
        origin_nm: tuple[float, float, float],
    ) -> None:
        self.geometry = geometry
        self.volume_shape = volume_shape
        self._voxel_um = np.float32(voxel_size_nm / 1000)
        slices, rows, pixel = volume_shape[0], geometry.slices, geometry.pixel_size_nm
        z = (np.arange(rows) - (rows - 1) / 2 + np.asarray(geometry.slice_offset_px)[:, None]) * pixel
        self._rows = RowResampling((z - origin_nm[0]) / voxel_size_nm + (slices - 1) / 2, slices)
        self._vectors = vectors_2d(geometry, voxel_size_nm, origin_nm)

    def project(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project (z, y, x) to (angle, z, u)."""
        if self._rows.is_identity:
            return self._project(volume)
        return self._rows(self._project(volume[self._rows.begin : self._rows.end]), _one_by_one)

    def adjoint(self, views: NDArray[np.float32]) -> NDArray[np.float32]:
        """Apply the exact transpose of `project`."""
        if self._rows.is_identity:
            return self._transpose(views)
        out = np.zeros(self.volume_shape, np.float32)
        out[self._rows.begin : self._rows.end] = self._transpose(self._rows.adjoint(views, _one_by_one))
        return out

    def backproject(self, views: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Refuse: ASTRA has no pixel-driven backprojection on a CPU."""
        raise InputError("backend 'astra' has no pixel-driven backprojection, expected backend 'numba' or 'torch'")

    def _project(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        n_angles, _, columns = self.geometry.shape
        out = np.empty((n_angles, len(volume), columns), np.float32)
        with self._run("FP") as (image, sinogram, run):
            for i, part in enumerate(volume):
                astra.data2d.store(image, part)
                run()
                out[:, i] = astra.data2d.get(sinogram)
        out *= self._voxel_um
        return out

    def _transpose(self, views: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.empty((views.shape[1], *self.volume_shape[1:]), np.float32)
        with self._run("BP") as (image, sinogram, run):
            for i in range(views.shape[1]):
                astra.data2d.store(sinogram, np.ascontiguousarray(views[:, i]))
                run()
                out[i] = astra.data2d.get(image)
        out *= self._voxel_um
        return out

    @contextmanager
    def _run(self, algorithm: str) -> Iterator[tuple[int, int, Callable[[], None]]]:
        """Give ASTRA's image, its sinogram, and what fills the one from the other."""
        _, n_y, n_x = self.volume_shape
        volume = astra.create_vol_geom(n_y, n_x)
        detector = astra.create_proj_geom("parallel_vec", self.geometry.columns, self._vectors)
        projector = astra.create_projector("linear", detector, volume)
        image = astra.data2d.create("-vol", volume)
        sinogram = astra.data2d.create("-sino", detector)
        options: dict[str, Any] = astra.astra_dict(algorithm)
        options |= {"ProjectorId": projector, "ProjectionDataId": sinogram}
        options |= {"VolumeDataId" if algorithm == "FP" else "ReconstructionDataId": image}
        identity = astra.algorithm.create(options)
        try:
            yield image, sinogram, lambda: astra.algorithm.run(identity)
        finally:
            astra.algorithm.delete(identity)
            astra.data2d.delete([image, sinogram])
            astra.projector.delete(projector)


class AstraCudaEngine:
    """Projection and (inexact) backprojection of whole volumes by ASTRA's 3-D projector on a GPU.

    Parameters
    ----------
    geometry : ParallelGeometry
    volume_shape : tuple of three int
        Voxels along (z, y, x).
    voxel_size_nm : float
    origin_nm : tuple of three float

    Raises
    ------
    InputError
        Where ASTRA finds no GPU.
    """

    exact_adjoint = False
    takes_tensors = False

    def __init__(
        self,
        geometry: ParallelGeometry,
        volume_shape: tuple[int, int, int],
        voxel_size_nm: float,
        origin_nm: tuple[float, float, float],
    ) -> None:
        if not astra.use_cuda():
            raise InputError("device is 'cuda', but astra finds no CUDA device: expected device 'cpu', slice by slice")
        self._geometry = geometry
        self._voxel_um = np.float32(voxel_size_nm / 1000)
        vectors = vectors_3d(geometry, voxel_size_nm, origin_nm)
        self._volume = astra.create_vol_geom(volume_shape[1], volume_shape[2], volume_shape[0])
        self._detector = astra.create_proj_geom("parallel3d_vec", geometry.slices, geometry.columns, vectors)

    def project(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project (z, y, x) to (angle, z, u)."""
        n_angles, rows, columns = self._geometry.shape
        views = np.zeros((rows, n_angles, columns), np.float32)
        self._run("FP3D_CUDA", volume, views)
        return np.multiply(views.transpose(1, 0, 2), self._voxel_um, order="C")

    def adjoint(self, views: NDArray[np.float32]) -> NDArray[np.float32]:
        """Backproject (angle, z, u) to (z, y, x): near the transpose of `project`."""
        volume = np.zeros(astra.functions.geom_size(self._volume), np.float32)
        self._run("BP3D_CUDA", volume, np.ascontiguousarray(views.transpose(1, 0, 2)))
        return np.multiply(volume, self._voxel_um, out=volume)

    def backproject(self, views: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Refuse: only backends that say how they interpolate do this."""
        raise InputError("backend 'astra' has no pixel-driven backprojection, expected backend 'numba' or 'torch'")

    def _run(self, algorithm: str, volume: NDArray[np.float32], views: NDArray[np.float32]) -> None:
        """Fill one array from the other, in place."""
        image = astra.data3d.link("-vol", self._volume, volume)
        sinogram = astra.data3d.link("-sino", self._detector, views)
        options: dict[str, Any] = astra.astra_dict(algorithm)
        options |= {"ProjectionDataId": sinogram}
        options |= {"VolumeDataId" if algorithm == "FP3D_CUDA" else "ReconstructionDataId": image}
        identity = astra.algorithm.create(options)
        try:
            astra.algorithm.run(identity)
        finally:
            astra.algorithm.delete(identity)
            astra.data3d.delete([image, sinogram])


def vectors_2d(
    geometry: ParallelGeometry, voxel_size_nm: float, origin_nm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Ray, detector centre and step from column to column of each view, shape (n_angles, 6), in voxels.

    ASTRA's 2-D y axis points up, against our rows. The origin moves the detector instead of the volume.
    """
    cos, sin, centre, step = _placed(geometry, voxel_size_nm, origin_nm)
    return np.stack([-sin, -cos, centre * cos, -centre * sin, step * cos, -step * sin], axis=1)


def vectors_3d(
    geometry: ParallelGeometry, voxel_size_nm: float, origin_nm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Ray, detector centre, steps from column to column and from row to row, shape (n_angles, 12), in voxels.

    ASTRA's 3-D y axis follows our rows.
    """
    cos, sin, centre, step = _placed(geometry, voxel_size_nm, origin_nm)
    nothing, steps = np.zeros_like(cos), np.full_like(cos, step)
    z = (np.asarray(geometry.slice_offset_px, np.float64) * geometry.pixel_size_nm - origin_nm[0]) / voxel_size_nm
    ray = [sin, -cos, nothing]
    return np.stack([*ray, centre * cos, centre * sin, z, step * cos, step * sin, nothing, nothing, nothing, steps], 1)


def _placed(
    geometry: ParallelGeometry, voxel_size_nm: float, origin_nm: tuple[float, float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Cosine and sine of each view, u of the detector's centre from the volume's centre, and a pixel, in voxels."""
    theta = np.deg2rad(np.asarray(geometry.angles_deg, np.float64))
    cos, sin = np.cos(theta), np.sin(theta)
    offset_nm = np.asarray(geometry.column_offset_px, np.float64) * geometry.pixel_size_nm
    centre = (offset_nm - origin_nm[2] * cos - origin_nm[1] * sin) / voxel_size_nm
    return cos, sin, centre, geometry.pixel_size_nm / voxel_size_nm


def _one_by_one(work: Callable[[int], None], count: int) -> None:
    for i in range(count):
        work(i)
