"""The transfer of many answers against one truth: what of it does not depend on the answer is computed once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.metrics.resolution import TransferCurve, shell_frequencies
from sxtbench.metrics.shells import inside_cone, mirror_weights, weighted_spectrum


class TransferProbe:
    """A truth, ready to have answers held against it: `probe(answer)` is `mtf` of that answer.

    Parameters
    ----------
    truth : ndarray, shape (z, y, x), float32 or float64
        Truth.
    weight : ndarray, shape (z, y, x), float
        Softened mask.
    voxel_size_nm : float
        Edge of a voxel, nm.
    angles_deg : array_like, shape (n_angles,), degrees
        Nominal angles.
    """

    def __init__(
        self,
        truth: NDArray[np.floating],
        weight: NDArray[np.floating],
        *,
        voxel_size_nm: float,
        angles_deg: ArrayLike,
    ) -> None:
        self._weight, self._side = weight, max(truth.shape)
        self._frequency = shell_frequencies(self._side, voxel_size_nm)
        half = shells = self._side // 2 + 1
        k = np.fft.fftfreq(self._side, 1 / self._side)
        across = np.square(k)[:, None] + np.square(np.arange(half))[None, :]
        beyond = ~inside_cone(self._side, angles_deg)
        self._shell = np.empty((half, self._side, half), np.int16)
        for plane, shell in enumerate(self._shell):
            shell[...] = np.minimum(np.rint(np.sqrt(across + plane * plane)), shells)
            shell[beyond] = shells
        self._truth = weighted_spectrum(truth, weight, self._side, "second")
        self._power = self._sums(self._truth)

    def __call__(self, answer: NDArray[np.floating]) -> TransferCurve:
        """Return the transfer of an answer, shape (z, y, x), inside the cone."""
        cross = self._sums(weighted_spectrum(answer, self._weight, self._side, "first"))
        transfer = np.divide(cross, self._power, out=np.full(cross.shape, np.nan), where=self._power > 0)
        transfer[0] = np.nan
        return TransferCurve(self._frequency, transfer)

    def _sums(self, spectrum: NDArray[np.complexfloating]) -> NDArray[np.float64]:
        """Sum Re(X T*) over the shells."""
        shells = len(self._shell)
        twice = mirror_weights(self._side)
        total = np.zeros(shells + 1)
        for row in range(self._side):
            x, y = spectrum[row], self._truth[row]
            product = (x.real * y.real + x.imag * y.imag) * twice
            total += np.bincount(self._shell[min(row, self._side - row)].reshape(-1), product.reshape(-1), shells + 1)
        return total[:shells]
