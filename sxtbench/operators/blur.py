"""Blur of projections, with its exact adjoint at every edge."""

from collections.abc import Callable, Sequence
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.operators._arrays import checked, checked_views, is_tensor, like
from sxtbench.operators.protocol import Operator

Step = Callable[[Any, Any, bool], Any]
PADDINGS = ("edge", "zero")
_FWHM_OF_SIGMA = 2 * sqrt(2 * log(2))


class Blur(Operator):
    """Convolution of each view of (angle, z, u) with a kernel along (z, u): `B(y)`, and its exact adjoint `B.T(y)`.

    With edge padding the views go on as their last row and column; the adjoint then adds what the padding would have
    received to those, so that it is exact there too. The cost is one multiplication a pixel and a value of the kernel;
    a Gaussian is applied as two lines of values.

    Parameters
    ----------
    shape : tuple of three int
        Shape of the projections, (n_angles, n_slices, n_columns): `geometry.shape`.
    sigma_px : float or array_like, shape (n_angles,), optional, pixels
        Standard deviation of a Gaussian, one or one a view. 0 leaves a view as it is.
    fwhm_nm : float or array_like, shape (n_angles,), optional, nm
        The same as full width at half maximum; needs `pixel_size_nm`.
    kernel : array_like, shape (k_z, k_u) or (n_angles, k_z, k_u), optional
        Any kernel, used as given: it is what a point becomes. Odd sizes; the centre is the middle.
    pixel_size_nm : float, optional, nm
        Edge of a detector pixel.
    padding : str
        "edge" or "zero": what lies beyond the detector.
    truncate : float
        A Gaussian ends `int(truncate * sigma)` pixels from its centre and sums to 1. The default, 3, is that of the
        interior-tomography paper.

    Raises
    ------
    InputError
        Unless exactly one of `sigma_px`, `fwhm_nm` and `kernel` is given; for widths below zero, kernels of even size,
        values that are not finite, another number of views, and unknown padding.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, equations 11 and 12: deconvolution by the blur in the projector.

    Examples
    --------
    >>> import numpy as np
    >>> point = np.zeros((1, 1, 5), np.float32)
    >>> point[0, 0, 2] = 4
    >>> Blur(point.shape, kernel=[[0.25, 0.5, 0.25]])(point)
    array([[[0., 1., 2., 1., 0.]]], dtype=float32)
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        sigma_px: ArrayLike | None = None,
        fwhm_nm: ArrayLike | None = None,
        kernel: ArrayLike | None = None,
        pixel_size_nm: float | None = None,
        padding: str = "edge",
        truncate: float = 3.0,
    ) -> None:
        if len(shape) != 3 or any(int(n) != n or n < 1 for n in shape):
            raise InputError(f"shape is {tuple(shape)}, expected three positive numbers, (angle, z, u)")
        if padding not in PADDINGS:
            raise InputError(f"padding is {padding!r}, expected one of: {', '.join(PADDINGS)}")
        if sum(given is not None for given in (sigma_px, fwhm_nm, kernel)) != 1:
            raise InputError("a blur takes exactly one of sigma_px, fwhm_nm and kernel")
        self.shape: tuple[int, int, int] = (int(shape[0]), int(shape[1]), int(shape[2]))
        self.padding = padding
        if kernel is not None:
            self._kernels = [_checked_kernel(kernel, self.shape[0])]
        else:
            sigma = _sigma(sigma_px, fwhm_nm, pixel_size_nm, self.shape[0])
            if not truncate > 0:
                raise InputError(f"truncate is {truncate}, expected a positive number of standard deviations")
            lines = _gaussians(sigma, truncate)
            self._kernels = [lines[:, :, None], lines[:, None, :]]

    maps_views = True  # a view of the range comes from the same view of the domain alone

    @property
    def domain_shape(self) -> tuple[int, int, int]:
        """Shape of the projections, (angle, z, u)."""
        return self.shape

    @property
    def range_shape(self) -> tuple[int, int, int]:
        """Shape of the projections, (angle, z, u)."""
        return self.shape

    def views(self, indices: ArrayLike) -> "Blur":
        """Return the same blur for some views, in that order; see `ParallelBeam.views`."""
        chosen = checked_views(indices, self.shape[0])
        other = object.__new__(Blur)
        other.shape = (chosen.size, *self.shape[1:])
        other.padding = self.padding
        other._kernels = [kernel[chosen] if len(kernel) > 1 else kernel for kernel in self._kernels]
        return other

    def __call__(self, x: Any, /) -> Any:
        """Blur projections.

        Parameters
        ----------
        x : array_like, shape (n_angles, n_slices, n_columns), cast to float32
            Projections; or a torch tensor with any axes in front.

        Returns
        -------
        ndarray, same shape, float32, or a tensor like `x`
        """
        return self._apply(x, self._kernels, _convolve, _convolve_adjoint)

    def _adjoint(self, y: Any) -> Any:
        return self._apply(y, self._kernels[::-1], _convolve_adjoint, _convolve)

    def _apply(self, x: Any, kernels: list[NDArray[np.float32]], step: Step, opposite: Step) -> Any:
        array = checked(x, self.shape, "projections", "(angle, z, u)")
        edge = self.padding == "edge"
        if is_tensor(array):
            from sxtbench.operators.autograd import linear_map

            values = [like(kernel[..., None, None], array) for kernel in kernels]
            return linear_map(
                array, lambda a: _through(a, values, step, edge), lambda a: _through(a, values[::-1], opposite, edge)
            )
        out = np.empty(self.shape, np.float32)
        for i, view in enumerate(array):
            out[i] = _through(view, [kernel[i if len(kernel) > 1 else 0] for kernel in kernels], step, edge)
        return out


def _through(array: Any, kernels: list[Any], step: Step, edge: bool) -> Any:
    for kernel in kernels:
        array = step(array, kernel, edge)
    return array


def _sigma(
    sigma_px: ArrayLike | None, fwhm_nm: ArrayLike | None, pixel_size_nm: float | None, n_angles: int
) -> NDArray[np.float64]:
    """Return the standard deviations in pixels, one or one a view."""
    if sigma_px is not None:
        name, sigma = "sigma_px", np.asarray(sigma_px, np.float64)
    else:
        if pixel_size_nm is None or not pixel_size_nm > 0:
            raise InputError(f"pixel_size_nm is {pixel_size_nm}, expected the pixel's size in nm, as fwhm_nm is given")
        name, sigma = "fwhm_nm", np.asarray(fwhm_nm, np.float64) / (_FWHM_OF_SIGMA * pixel_size_nm)
    if sigma.ndim > 1 or sigma.size not in (1, n_angles):
        raise InputError(f"{name} has shape {sigma.shape}, expected a number or one for each of {n_angles} views")
    if not np.all(np.isfinite(sigma) & (sigma >= 0)):
        raise InputError(f"{name} holds negative or non-finite values, expected 0 or more")
    return sigma.reshape(-1)


def _gaussians(sigma: NDArray[np.float64], truncate: float) -> NDArray[np.float32]:
    """Return sampled Gaussians that sum to 1, shape (n, 2 r + 1), each zero beyond its own radius."""
    radii = (truncate * sigma).astype(int)
    offset = np.arange(-radii.max(), radii.max() + 1)
    values = np.exp(-(offset**2) / (2 * np.maximum(sigma, 1e-9)[:, None] ** 2))
    values[np.abs(offset) > radii[:, None]] = 0
    lines: NDArray[np.float32] = (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    return lines


def _checked_kernel(kernel: ArrayLike, n_angles: int) -> NDArray[np.float32]:
    """Return the kernels as (1 or n_angles, k_z, k_u)."""
    given = np.asarray(kernel, np.float32)
    values = given[None] if given.ndim == 2 else given
    if values.ndim != 3 or len(values) not in (1, n_angles) or any(size % 2 == 0 for size in values.shape[1:]):
        raise InputError(
            f"kernel has shape {given.shape}, expected (k_z, k_u) or ({n_angles}, k_z, k_u) with odd k_z and k_u"
        )
    if not np.all(np.isfinite(values)):
        raise InputError("kernel holds NaN or infinity, expected finite numbers")
    return values


def _zeros(array: Any, *size: int) -> Any:
    shape = (*array.shape[:-2], *size)
    return array.new_zeros(shape) if is_tensor(array) else np.zeros(shape, array.dtype)


def _taps(kernel: Any) -> list[tuple[int, int, Any]]:
    """Offsets into the padded view, with what they are weighted by: the kernel is turned, so that points become it.

    `kernel` is (k_z, k_u) for one view, or (n, k_z, k_u, 1, 1) for a batch of them.
    """
    if is_tensor(kernel):
        k_z, k_u = kernel.shape[1:3]
        return [(i, j, kernel[:, k_z - 1 - i, k_u - 1 - j]) for i in range(k_z) for j in range(k_u)]
    k_z, k_u = kernel.shape
    taps = ((i, j, kernel[k_z - 1 - i, k_u - 1 - j]) for i in range(k_z) for j in range(k_u))
    return [tap for tap in taps if tap[2] != 0]


def _radii(kernel: Any) -> tuple[int, int]:
    k_z, k_u = kernel.shape[1:3] if is_tensor(kernel) else kernel.shape
    return k_z // 2, k_u // 2


def _convolve(view: Any, kernel: Any, edge: bool) -> Any:
    """Convolve the last two axes."""
    (r_z, r_u), (n_z, n_u) = _radii(kernel), view.shape[-2:]
    padded = _zeros(view, n_z + 2 * r_z, n_u + 2 * r_u)
    padded[..., r_z : r_z + n_z, r_u : r_u + n_u] = view
    if edge:
        padded[..., :r_z, :] = padded[..., r_z : r_z + 1, :]
        padded[..., r_z + n_z :, :] = padded[..., r_z + n_z - 1 : r_z + n_z, :]
        padded[..., :r_u] = padded[..., r_u : r_u + 1]
        padded[..., r_u + n_u :] = padded[..., r_u + n_u - 1 : r_u + n_u]
    out = _zeros(view, n_z, n_u)
    for i, j, weight in _taps(kernel):
        out += weight * padded[..., i : i + n_z, j : j + n_u]
    return out


def _convolve_adjoint(view: Any, kernel: Any, edge: bool) -> Any:
    """Transpose `_convolve`, step by step backwards."""
    (r_z, r_u), (n_z, n_u) = _radii(kernel), view.shape[-2:]
    padded = _zeros(view, n_z + 2 * r_z, n_u + 2 * r_u)
    for i, j, weight in _taps(kernel):
        padded[..., i : i + n_z, j : j + n_u] += weight * view
    if edge:
        padded[..., r_u] += padded[..., :r_u].sum(-1)
        padded[..., r_u + n_u - 1] += padded[..., r_u + n_u :].sum(-1)
        padded[..., r_z, :] += padded[..., :r_z, :].sum(-2)
        padded[..., r_z + n_z - 1, :] += padded[..., r_z + n_z :, :].sum(-2)
    inside = padded[..., r_z : r_z + n_z, r_u : r_u + n_u]
    return inside.clone() if is_tensor(view) else inside.copy()
