"""The parallel-beam projector: line integrals of a volume (Joseph's method) and their adjoint, matrix-free."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators._arrays import checked, is_tensor
from sxtbench.operators._engine import Engine
from sxtbench.operators._memory import require_memory, scratch_bytes
from sxtbench.operators.halves import select_views
from sxtbench.operators.protocol import Operator

if TYPE_CHECKING:
    from torch import Tensor

BACKENDS = ("numba", "torch", "astra", "torch-radon")
DEVICES = ("cpu", "cuda")
_INSTALL = {
    "torch": 'pip install "sxtbench[learn]"',
    "astra": 'pip install "sxtbench[astra]"',
    "torch_radon": "it is on no package registry; build it from https://github.com/matteo-ronchetti/torch-radon",
}


class ParallelBeam(Operator):
    """Parallel-beam projection of a volume of LAC into absorbance: `A(x)`, and its adjoint `A.T(y)`.

    Joseph's method: a ray takes one linearly interpolated sample in each row (or column, for steep rays) of voxels that
    it crosses, times the path length between rows; outside the volume the LAC is zero. Detector pixels are sampled on
    their centres. Rows of the detector that lie between slices of the volume are interpolated linearly. The result does
    not depend on the number of threads, bit by bit.

    Four backends compute the same:

    - "numba", the default: numpy arrays, on all cores.
    - "torch": torch tensors with any axes in front (batches), differentiable, on the tensor's own device, and numpy
      arrays, on `device`. The same weights as numba's, summed by torch; results repeat bit by bit. Needs torch.
    - "astra": numpy arrays, for comparison: its CPU projector `linear`, one slice after another on one core; with
      device "cuda" its 3-D projector, another discretisation whose adjoint is not exact. Needs astra-toolbox.
    - "torch-radon": tensors and numpy arrays on a GPU; another discretisation whose adjoint is not exact, no offsets.

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
        "numba", "torch", "astra" or "torch-radon".
    threads : int, optional
        Threads of "numba"; the cores this process may run on by default.
    device : str, optional
        "cpu" or "cuda": where numpy arrays are computed. The CPU by default, a GPU for "torch-radon".

    Raises
    ------
    InputError
        For a backend that does not exist or is not installed, a device that it or this machine has not, and for
        shapes, sizes or positions that make no volume. From a call: for an array of another shape, and for a result
        that does not fit the memory that is available.

    References
    ----------
    Joseph, IEEE Trans. Med. Imaging 1 (1982) 192, doi 10.1109/TMI.1982.4307572.

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
        device: str | None = None,
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"ParallelBeam has no backend {backend!r}, expected one of: {', '.join(BACKENDS)}")
        if device is not None and device.split(":")[0] not in DEVICES:
            raise InputError(f"device is {device!r}, expected one of: {', '.join(DEVICES)}")
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
        self.device = device
        self.threads = available_cores() if threads is None else int(threads)
        self._engine = self._make_engine()

    @property
    def domain_shape(self) -> tuple[int, int, int]:
        """Shape of the volume, (z, y, x)."""
        return self.volume_shape

    @property
    def range_shape(self) -> tuple[int, int, int]:
        """Shape of the projections, (angle, z, u)."""
        return self.geometry.shape

    @property
    def exact_adjoint(self) -> bool:
        """Whether `T` is the adjoint to rounding: not with astra on a GPU, nor with torch-radon.

        CGNE needs an exact one: with another it restarts or stalls. SIRT and SART then end near their solution.
        """
        return getattr(self._engine, "exact_adjoint", True)

    def views(self, indices: ArrayLike) -> "ParallelBeam":
        """Return the same operator for some of its views: an ordered subset, a half set.

        Parameters
        ----------
        indices : array_like, 1-D, int
            Views to keep, in this order; negative ones count from the end.

        Returns
        -------
        ParallelBeam

        Raises
        ------
        InputError
            For no views, views that do not exist, and indices that are not whole numbers.

        Examples
        --------
        >>> geometry = ParallelGeometry(angles_deg=[0, 45, 90], columns=8, slices=1, pixel_size_nm=100)
        >>> ParallelBeam(geometry, volume_shape=(1, 8, 8)).views([2, 0]).geometry.angles_deg
        array([90.,  0.])
        """
        return ParallelBeam(
            select_views(self.geometry, indices),
            self.volume_shape,
            self.voxel_size_nm,
            self.origin_nm,
            self.backend,
            self.threads,
            self.device,
        )

    @overload
    def __call__(self, x: "Tensor", /) -> "Tensor": ...
    @overload
    def __call__(self, x: ArrayLike, /) -> NDArray[np.float32]: ...
    def __call__(self, x: Any, /) -> Any:
        """Project a volume.

        Parameters
        ----------
        x : array_like, shape volume_shape, cast to float32, LAC in 1/um
            The volume; or a torch tensor, float32 or float64, with any axes in front, for a backend that takes it.

        Returns
        -------
        ndarray, shape (n_angles, n_slices, n_columns), float32, absorbance, or a tensor like `x`
        """
        volume = self._checked(x, self.domain_shape, "volume", "(z, y, x)")
        self._require_memory(self.range_shape, "a projection")
        return self._engine.project(volume)

    def _adjoint(self, y: Any) -> Any:
        views = self._checked(y, self.range_shape, "projections", "(angle, z, u)")
        self._require_memory(self.domain_shape, "an adjoint")
        return self._engine.adjoint(views)

    @overload
    def backproject(self, y: "Tensor", weights: ArrayLike | None = None) -> "Tensor": ...
    @overload
    def backproject(self, y: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float32]: ...
    def backproject(self, y: Any, weights: ArrayLike | None = None) -> Any:
        """Sum the (weighted) views where each voxel's centre is seen: pixel-driven, with linear interpolation.

        This is the backprojection of FBP, not the adjoint of the projector. Backends "numba" and "torch" have it.

        Parameters
        ----------
        y : array_like, shape (n_angles, n_slices, n_columns), cast to float32
            Views; zero outside the detector. Or a torch tensor, as for a projection.
        weights : array_like, shape (n_angles,), optional
            Factor for each view; 1 by default.

        Returns
        -------
        ndarray, shape volume_shape, float32, or a tensor like `y`
            In the unit of `y` times that of `weights`.
        """
        views = self._checked(y, self.range_shape, "projections", "(angle, z, u)")
        n_angles = self.geometry.shape[0]
        scale = np.ones(n_angles) if weights is None else np.asarray(weights, np.float64)
        if scale.shape != (n_angles,) or not np.all(np.isfinite(scale)):
            raise InputError(
                f"weights have shape {scale.shape}, expected one finite number for each of {n_angles} angles"
            )
        self._require_memory(self.domain_shape, "a backprojection")
        return self._engine.backproject(views, scale)

    def _checked(self, array: Any, shape: tuple[int, ...], name: str, axes: str) -> Any:
        if is_tensor(array) and not getattr(self._engine, "takes_tensors", False):
            raise InputError(
                f"{name} is a torch tensor, but backend {self.backend!r} computes numpy arrays: "
                'expected backend="torch", or sxtbench.operators.autograd.project(A, x)'
            )
        return checked(array, shape, name, axes)

    def _require_memory(self, result_shape: tuple[int, int, int], what: str) -> None:
        geometry, on_z = self.geometry, (self.geometry.slice_offset_px, self.origin_nm[0])
        aligned = geometry.slices == self.volume_shape[0] and not any(np.any(offset) for offset in on_z)
        scratch = scratch_bytes(self.backend, geometry.shape, self.volume_shape, self.threads, aligned)
        require_memory(4 * int(np.prod(result_shape, dtype=np.int64)) + scratch, f"{what} to {result_shape}")

    def _make_engine(self) -> Engine:
        placed = self.geometry, self.volume_shape, self.voxel_size_nm, self.origin_nm
        on_gpu = self.device is not None and self.device.startswith("cuda")
        if self.backend == "numba":
            if on_gpu:
                raise InputError(f"device is {self.device!r}, but backend 'numba' runs on the CPU: expected 'torch'")
            from sxtbench.operators._numba import NumbaEngine

            return NumbaEngine(*placed, self.threads)
        if self.backend == "astra":
            _installed("astra", self.backend)
            from sxtbench.operators._astra import AstraCudaEngine, AstraEngine

            return AstraCudaEngine(*placed) if on_gpu else AstraEngine(*placed)
        torch = _installed("torch", self.backend)
        if self.backend == "torch-radon":
            library = _installed("torch_radon", self.backend)
            from sxtbench.operators._torch_radon import TorchRadonEngine

            return TorchRadonEngine(*placed, library)
        if on_gpu and not torch.cuda.is_available():
            raise InputError(f"device is {self.device!r}, but torch finds no CUDA device: expected 'cpu'")
        from sxtbench.operators._torch import TorchEngine

        return TorchEngine(*placed, self.device or "cpu")


def _installed(module: str, backend: str) -> Any:
    """Import what a backend stands on, or say how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InputError(f"backend {backend!r} needs {module}, which is not installed: {_INSTALL[module]}") from None
