"""The parallel beam by torch-radon, where the user has it: on a GPU, with a backprojection that is not the transpose.

The library (https://github.com/matteo-ronchetti/torch-radon, and the fork carterbox/torch-radon) is on no package
registry. It exists in two forms, with a class `Radon` (version 1) or `ParallelBeam` (versions 2 and 3). They differ in
the sign of the angles and versions differ in the scale of the backprojection. Both are measured on a small picture when
an engine is made, rather than taken from a version number.
"""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators._arrays import is_tensor
from sxtbench.operators.autograd import Map, linear_map

_PROBE = 32  # columns and voxels of the picture that tells the sign and the scale; version 1 needs a multiple of 16


class TorchRadonEngine:
    """Projection and backprojection of every slice by torch-radon, for tensors on a GPU or numpy arrays.

    Parameters
    ----------
    geometry : ParallelGeometry
    volume_shape : tuple of three int
        Voxels along (z, y, x).
    voxel_size_nm : float
    origin_nm : tuple of three float
    library : module
        `torch_radon`.

    Raises
    ------
    InputError
        Without a GPU; for what the library cannot: offsets of the detector or the volume, slices that are not the
        detector's rows, with version 1 slices that are not square or not a multiple of 16 voxels wide; and for a
        library of another form.
    """

    exact_adjoint = False
    takes_tensors = True

    def __init__(
        self,
        geometry: ParallelGeometry,
        volume_shape: tuple[int, int, int],
        voxel_size_nm: float,
        origin_nm: tuple[float, float, float],
        library: ModuleType,
    ) -> None:
        self._device = cuda_device()
        _refuse_offsets(geometry, volume_shape, voxel_size_nm, origin_nm)
        self._geometry = geometry
        self._voxel_um = voxel_size_nm / 1000
        step = geometry.pixel_size_nm / voxel_size_nm
        sign, self._scale = _probe(library, step, self._device)
        angles = sign * np.deg2rad(np.asarray(geometry.angles_deg, np.float64))
        _, n_y, n_x = volume_shape
        self._forward, self._backward = _transforms(library, (n_y, n_x), angles, geometry.columns, step, self._device)

    def project(self, volume: Any) -> Any:
        """Project (..., z, y, x) to (..., angle, z, u)."""
        return self._map(volume, self._project, self._backproject)

    def adjoint(self, views: Any) -> Any:
        """Backproject (..., angle, z, u) to (..., z, y, x): near the transpose of `project`."""
        return self._map(views, self._backproject, self._project)

    def backproject(self, views: Any, weights: NDArray[np.float64]) -> Any:
        """Refuse: only backends that say how they interpolate do this."""
        raise InputError(
            "backend 'torch-radon' has no pixel-driven backprojection, expected backend 'numba' or 'torch'"
        )

    def _map(self, array: Any, forward: Map, adjoint: Map) -> Any:
        if not is_tensor(array):
            return forward(torch.from_numpy(array).to(self._device)).cpu().numpy()
        if array.device.type != self._device.type:
            raise InputError(f"the tensor is on {array.device}, torch-radon expects it on {self._device.type}")
        return linear_map(array, forward, adjoint)

    def _project(self, volume: torch.Tensor) -> torch.Tensor:
        views = self._forward(volume.to(torch.float32)) * self._voxel_um
        return views.transpose(-2, -3).contiguous().to(volume.dtype)

    def _backproject(self, views: torch.Tensor) -> torch.Tensor:
        volume = self._backward(views.to(torch.float32).transpose(-2, -3).contiguous())
        return (volume * (self._voxel_um * self._scale)).to(views.dtype)


def cuda_device() -> torch.device:
    """Return the GPU.

    Raises
    ------
    InputError
        Where torch finds none.
    """
    if not torch.cuda.is_available():
        raise InputError(
            "backend 'torch-radon' runs on a GPU, but torch finds no CUDA device: expected backend 'torch'"
        )
    return torch.device("cuda")


def _refuse_offsets(
    geometry: ParallelGeometry,
    volume_shape: tuple[int, int, int],
    voxel_size_nm: float,
    origin_nm: tuple[float, float, float],
) -> None:
    offsets = (*np.ravel(geometry.column_offset_px), *np.ravel(geometry.slice_offset_px), *origin_nm)
    if any(offset != 0 for offset in offsets):
        raise InputError("torch-radon has no detector offset and no origin, expected zeros, or backend 'torch'")
    if volume_shape[0] != geometry.slices or (geometry.slices > 1 and voxel_size_nm != geometry.pixel_size_nm):
        raise InputError(
            f"torch-radon projects slice by slice: got {volume_shape[0]} slices of {voxel_size_nm} nm for "
            f"{geometry.slices} rows of {geometry.pixel_size_nm} nm, expected the same, or backend 'torch'"
        )


def _transforms(
    library: ModuleType, shape: tuple[int, int], angles: NDArray[np.float64], columns: int, step: float, device: Any
) -> tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[torch.Tensor], torch.Tensor]]:
    """Return the library's projection and backprojection of (..., y, x) and (..., angle, u), lengths in voxels."""
    radians = torch.from_numpy(angles.astype(np.float32))
    if hasattr(library, "ParallelBeam"):
        transform = library.ParallelBeam(columns, radians, step, _volume(library, shape))
        # A volume that was made without a size takes it from the first projection.
        transform.forward(torch.zeros(1, *shape, device=device))
        return transform.forward, transform.backward
    if hasattr(library, "Radon"):
        if shape[0] != shape[1] or shape[0] % 16:
            raise InputError(
                f"slices of {shape[0]} x {shape[1]} voxels do not go with torch-radon 1: expected squares of a "
                "multiple of 16, or backend 'torch'"
            )
        transform = library.Radon(shape[0], radians, columns, step, False)
        return transform.forward, transform.backprojection
    raise InputError("torch_radon has neither a class ParallelBeam nor Radon, expected torch-radon 1, 2 or 3")


def _volume(library: ModuleType, shape: tuple[int, int]) -> Any:
    """Return the library's description of a slice, of whichever of the two forms its class has."""
    if "height" in inspect.signature(library.Volume2D).parameters:
        return library.Volume2D(*shape)
    return library.Volume2D()


def _probe(library: ModuleType, step: float, device: Any) -> tuple[int, float]:
    """Return the sign of angles, and the factor that makes `<A x, y> = <x, A.T y>` for a smooth pair."""
    columns = int(np.ceil(_PROBE / step))
    u = (torch.arange(columns, dtype=torch.float64) - (columns - 1) / 2) * step
    axis = torch.arange(_PROBE) - (_PROBE - 1) / 2
    x, y, theta = 6.0, 4.0, 0.6
    blob = torch.exp(-((axis - x) ** 2 + (axis[:, None] - y) ** 2) / 8)
    for sign in (1, -1):
        forward, backward = _transforms(library, (_PROBE, _PROBE), np.array([sign * theta]), columns, step, device)
        view = forward(blob[None].to(device)).double().cpu().reshape(-1)
        seen = float((view @ u) / view.sum())
        if abs(seen - (x * np.cos(theta) + y * np.sin(theta))) < 0.5:
            spread = backward(torch.ones(1, 1, columns, device=device)).double().cpu().reshape(_PROBE, _PROBE)
            return sign, float(view.sum() / (spread * blob).sum())
    raise InputError("torch_radon sees a point where no sign of the angles puts it: this version is not known")
