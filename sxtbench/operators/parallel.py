"""The parallel-beam projector: line integrals of a volume (Joseph's method) and their exact adjoint, matrix-free."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators._engine import Engine
from sxtbench.operators.protocol import LinearOperator

BACKENDS = ("numba",)


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
        self._engine = _engine(backend, geometry, self.volume_shape, voxel, self.origin_nm, self.threads)

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
        return self._engine.project(_checked(x, self.domain_shape, "volume", "(z, y, x)"))

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
        chosen, n_angles = np.asarray(indices), self.range_shape[0]
        if chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu":
            raise InputError(f"indices are {indices!r}, expected a list of one or more whole numbers of views")
        if chosen.min() < -n_angles or chosen.max() >= n_angles:
            raise InputError(f"indices run from {chosen.min()} to {chosen.max()}, expected views of {n_angles}")
        geometry = ParallelGeometry(
            angles_deg=np.asarray(self.geometry.angles_deg)[chosen],
            columns=self.geometry.columns,
            slices=self.geometry.slices,
            pixel_size_nm=self.geometry.pixel_size_nm,
            column_offset_px=np.asarray(self.geometry.column_offset_px)[chosen],
            slice_offset_px=np.asarray(self.geometry.slice_offset_px)[chosen],
        )
        return ParallelBeam(geometry, self.volume_shape, self.voxel_size_nm, self.origin_nm, self.backend, self.threads)

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
        return self._engine.backproject(views, scale)


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
        operator = self._operator
        return operator._engine.adjoint(_checked(y, operator.range_shape, "projections", "(angle, z, u)"))


def _engine(
    backend: str,
    geometry: ParallelGeometry,
    volume_shape: tuple[int, int, int],
    voxel_size_nm: float,
    origin_nm: tuple[float, float, float],
    threads: int,
) -> Engine:
    """Build the engine of a back end; its module is imported only now."""
    if backend not in BACKENDS:
        raise InputError(f"ParallelBeam has no backend {backend!r}, expected one of: {', '.join(BACKENDS)}")
    from sxtbench.operators._numba import NumbaEngine

    return NumbaEngine(geometry, volume_shape, voxel_size_nm, origin_nm, threads)


def _checked(array: ArrayLike, shape: tuple[int, int, int], name: str, axes: str) -> NDArray[np.float32]:
    given = np.asarray(array)
    if given.shape != shape:
        raise InputError(f"{name} has shape {given.shape}, expected {shape}, {axes}")
    if given.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {given.dtype}, expected real numbers")
    return np.ascontiguousarray(given, np.float32)


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
