"""Resolution: correlation of two volumes or images per shell of Fourier space, and the transfer of an answer.

A correlation (FRC, FSC) cancels an isotropic linear filter, as far as the filter is constant across a shell and no mask
scatters between shells (docs/metrics.md has numbers): it tells how much information there is, not how sharp it looks.
Sharpness is the transfer, the regression of the answer on the truth per shell, and its half point, MTF50.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.metrics.shells import ShellSums, independent_share, shell_sums, softened

BITS = {"half-bit": 0.5, "1-bit": 1.0}  # of information in a sample of the sum of two half sets
_REFERENCE_SHELLS = slice(2, 5)  # H0 of the transfer
_MIDDLE = 3  # of them


@dataclass(frozen=True, eq=False)
class CorrelationCurve:
    """Correlation per ring or shell, as `frc` and `fsc` return it.

    Parameters
    ----------
    frequency : ndarray, shape (n // 2 + 1,), float64, 1/nm
        Of the shells, 0 to Nyquist, in steps of one over the field.
    correlation : ndarray, same shape, float64
        In [-1, 1]. At zero frequency 1 by definition, as means are taken off; NaN where one of the two has no power.
    samples : ndarray, same shape, float64
        Independent complex samples of each shell, the n of the threshold curves: half the number of Fourier
        coefficients (the other half are their conjugates), times `independent_share` under a mask or padding.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    samples: NDArray[np.float64]

    def threshold(self, threshold: float | str = 1 / 2) -> NDArray[np.float64]:
        """Return a threshold curve at the curve's frequencies.

        Parameters
        ----------
        threshold : float or str
            A constant, such as 1/2 (against the truth) or 1/7 (two half sets); "half-bit" or "1-bit": see
            `bit_threshold`.

        Returns
        -------
        ndarray, shape of `frequency`, float64
        """
        if isinstance(threshold, str):
            if threshold not in BITS:
                raise InputError(f"threshold is {threshold!r}, expected a number, 'half-bit' or '1-bit'")
            return bit_threshold(self.samples, bits=BITS[threshold])
        if not 0 < threshold < 1:
            raise InputError(f"threshold is {threshold}, expected a number between 0 and 1, 'half-bit' or '1-bit'")
        return np.full(self.frequency.shape, float(threshold))

    def resolution_nm(self, threshold: float | str = 1 / 2) -> float | None:
        """Return the period at which the correlation first falls below a threshold; None if it does not.

        See `first_crossing`. None also where no shell has a correlation (an answer that is constant).

        Parameters
        ----------
        threshold : float or str
            As in `threshold`.

        Returns
        -------
        float or None
            nm; between the field and two pixels.
        """
        crossing = first_crossing(self.frequency, self.correlation, self.threshold(threshold))
        return None if crossing is None else 1 / crossing


@dataclass(frozen=True, eq=False)
class TransferCurve:
    """Transfer per shell, as `mtf` returns it.

    Parameters
    ----------
    frequency : ndarray, shape (n // 2 + 1,), float64, 1/nm
        Of the shells, 0 to Nyquist.
    transfer : ndarray, same shape, float64
        `H = sum Re(X T*) / sum |T|^2`, not normalised; NaN at zero frequency and where the truth has no power.
    """

    frequency: NDArray[np.float64]
    transfer: NDArray[np.float64]

    def normalised(self) -> NDArray[np.float64]:
        """Return H, averaged over three shells (two at the ends), over H0, the mean of H over shells 2 to 4.

        NaN where H is not defined, and everywhere if H0 is not positive.
        """
        part = self.transfer[_REFERENCE_SHELLS]
        reference = float(np.mean(part)) if part.size else math.nan
        result = np.full(self.transfer.shape, np.nan)
        if reference > 0:
            inner = self.transfer[1:]
            padded = np.pad(inner, 1, constant_values=np.nan)
            stack = np.stack([padded[:-2], padded[1:-1], padded[2:]])
            defined = np.isfinite(stack)
            total = np.where(defined, stack, 0).sum(axis=0)
            here = np.isfinite(inner)
            result[1:][here] = total[here] / defined.sum(axis=0)[here] / reference
        return result

    def resolution_nm(self, threshold: float = 1 / 2) -> float | None:
        """Return the period at which `normalised` first falls below the threshold (1/2: MTF50); None if it does not.

        The search begins at the middle of the shells of H0, where the curve is 1: what a limited range of angles takes
        from the two lowest shells, the widest slopes of a field, is no lack of sharpness.
        """
        curve = self.normalised()
        curve[: _MIDDLE if len(curve) > _MIDDLE else 0] = np.nan
        crossing = first_crossing(self.frequency, curve, np.full(self.frequency.shape, float(threshold)))
        return None if crossing is None else 1 / crossing


def frc(a: ArrayLike, b: ArrayLike, *, pixel_size_nm: float, window: ArrayLike | str | None = None) -> CorrelationCurve:
    """Fourier ring correlation of two images, `Re sum A B* / sqrt(sum |A|^2 sum |B|^2)` per ring.

    Rings are `round(|k|)`, from 0 to Nyquist; images that are not square are padded with zeros to a square.

    Parameters
    ----------
    a, b : array_like, shape (y, x), real
        Two images of one thing, or answer and truth.
    pixel_size_nm : float
        Edge of a pixel, nm.
    window : array_like of shape (y, x), "hann", or None
        Weights, applied after the weighted mean is taken off. None: images are taken as periodic, and a jump between
        opposite edges is shared by both and raises the correlation. "hann" is the product of two Hann windows.

    Returns
    -------
    CorrelationCurve

    Raises
    ------
    InputError
        For unequal shapes, other than two axes, values that are not finite, or a pixel size that is not positive.

    References
    ----------
    Saxton and Baumeister (1982), doi 10.1111/j.1365-2818.1982.tb00405.x; van Heel and Schatz (2005), doi
    10.1016/j.jsb.2005.05.009.

    Examples
    --------
    >>> image = np.random.default_rng(1).normal(size=(32, 32))
    >>> curve = frc(image, 3 * image + 1, pixel_size_nm=20.0)
    >>> curve.correlation.round(6).min(), curve.resolution_nm(threshold=1 / 7)
    (np.float64(1.0), None)
    """
    first, second = np.asarray(a), np.asarray(b)
    if first.ndim != 2:
        raise InputError(f"an image has shape {first.shape}, expected (y, x); volumes have `fsc`")
    weight: NDArray[np.float64] | None = None
    if isinstance(window, str):
        if window != "hann":
            raise InputError(f"window is {window!r}, expected 'hann', an array of weights or None")
        weight = np.outer(*(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in first.shape))
    elif window is not None:
        weight = np.asarray(window, np.float64)
        if weight.shape != first.shape or not (np.isfinite(weight).all() and (weight >= 0).all()):
            raise InputError(f"the window has shape {weight.shape}, expected {first.shape} of weights of at least 0")
    return correlation_curve(
        shell_sums(first, second, weight), pixel_size_nm, independent_share(weight, first.shape), cone=None
    )


def fsc(
    a: ArrayLike,
    b: ArrayLike,
    *,
    voxel_size_nm: float,
    mask: ArrayLike | None = None,
    cone: str | None = None,
    angles_deg: ArrayLike | None = None,
) -> CorrelationCurve:
    """Fourier shell correlation of two volumes, over all directions or those inside or outside the measured ones.

    The mask is softened inwards over 6 voxels, the weighted mean taken off, the product padded with zeros to a cube;
    shells are `round(|k|)` up to Nyquist (PROTOCOL 3).

    Parameters
    ----------
    a, b : array_like, shape (z, y, x), real
        Two half sets, or answer and truth. In single precision if both are float32.
    voxel_size_nm : float
        Edge of a voxel, nm.
    mask : array_like, shape (z, y, x), bool, optional
        Where to compare. Without it the volumes are taken as periodic.
    cone : {"in", "out"} or None
        "in": directions within the measured range less 3 degrees at either end; "out": all others; None: all.
    angles_deg : array_like, shape (n_angles,), degrees, optional
        Nominal angles; needed with a cone.

    Returns
    -------
    CorrelationCurve
        Out of the cone of a full rotation, every correlation but that at zero is NaN.

    Raises
    ------
    InputError
        For unequal shapes, other than three axes, values that are not finite, an empty mask, a cone without angles.

    References
    ----------
    Harauz and van Heel (1986), Optik 73, 146; van Heel and Schatz (2005), doi 10.1016/j.jsb.2005.05.009.

    Examples
    --------
    >>> volume = np.random.default_rng(1).normal(size=(16, 16, 16)).astype(np.float32)
    >>> fsc(volume, 2 - volume, voxel_size_nm=35.0).correlation[1:].round(5).max()
    np.float64(-1.0)
    """
    first, second = _volume(a, "first"), _volume(b, "second")
    if cone is not None and angles_deg is None:
        raise InputError(f"cone is {cone!r}, and angles_deg are missing: the cone is made of the nominal angles")
    weight = None if mask is None else softened(mask)
    sums = shell_sums(first, second, weight, None if cone is None else angles_deg)
    return correlation_curve(sums, voxel_size_nm, independent_share(weight, first.shape), cone=cone)


def mtf(
    pred: ArrayLike,
    truth: ArrayLike,
    *,
    voxel_size_nm: float,
    mask: ArrayLike | None = None,
    angles_deg: ArrayLike | None = None,
) -> TransferCurve:
    """Transfer of an answer: the regression of its Fourier coefficients X on the truth's T per shell, in the cone.

    `H = sum Re(X T*) / sum |T|^2`. Noise that is independent of the truth leaves it alone; a filter multiplies it.

    Parameters
    ----------
    pred, truth : array_like, shape (z, y, x), real
        Answer and truth.
    voxel_size_nm : float
        Edge of a voxel, nm.
    mask : array_like, shape (z, y, x), bool, optional
        Where to compare, softened as in `fsc`.
    angles_deg : array_like, shape (n_angles,), degrees, optional
        Nominal angles; without them all directions count.

    Returns
    -------
    TransferCurve
        Its `resolution_nm()` is MTF50.

    Raises
    ------
    InputError
        As `fsc`.

    Examples
    --------
    >>> truth = np.random.default_rng(1).normal(size=(16, 16, 16))
    >>> curve = mtf(0.8 * truth, truth, voxel_size_nm=35.0)
    >>> curve.transfer[1:].round(6).max(), curve.resolution_nm()
    (np.float64(0.8), None)
    """
    answer, reference = _volume(pred, "first"), _volume(truth, "second")
    weight = None if mask is None else softened(mask)
    return transfer_curve(shell_sums(answer, reference, weight, angles_deg), voxel_size_nm)


def bit_threshold(samples: ArrayLike, *, bits: float) -> NDArray[np.float64]:
    """Information threshold of van Heel and Schatz (2005), for two half sets.

    `T(n) = (s + 2 sqrt(s / n) + 1 / sqrt(n)) / (s + 1 + 2 sqrt(s / n))`, where s is the signal-to-noise ratio of one
    half set at which a sample of their sum carries `bits`: `log2(1 + 2 s) = bits`. Half-bit: s = 0.2071,
    `(0.2071 + 1.9102 / sqrt(n)) / (1.2071 + 0.9102 / sqrt(n))`; 1-bit: s = 0.5. Exceeds 1 for a few samples.

    Parameters
    ----------
    samples : array_like, independent samples
        n of each shell.
    bits : float
        Information in a sample.

    Returns
    -------
    ndarray, shape of `samples`, float64

    References
    ----------
    van Heel and Schatz (2005), doi 10.1016/j.jsb.2005.05.009.

    Examples
    --------
    >>> bit_threshold([10, 100, 1000], bits=0.5).round(3).tolist()
    [0.543, 0.307, 0.216]
    """
    n = np.asarray(samples, np.float64)
    if not (np.all(n >= 0) and bits > 0):
        raise InputError(f"samples must be at least 0 and bits positive, got bits = {bits}")
    snr = (2.0**bits - 1) / 2
    with np.errstate(divide="ignore"):
        root = 1 / np.sqrt(np.maximum(n, 1e-12))
    cross = 2 * math.sqrt(snr) * root
    return np.asarray((snr + cross + root) / (snr + 1 + cross))


def first_crossing(frequency: ArrayLike, values: ArrayLike, threshold: ArrayLike) -> float | None:
    """Return where a curve first falls below a threshold curve, by linear interpolation of both; None if it does not.

    The search begins at the second point, the first shell: at zero frequency there is nothing to resolve. A curve that
    is below there gives that frequency, one over the field. Points that are NaN are passed over.

    Parameters
    ----------
    frequency, values, threshold : array_like, shape (n,)
        A curve and its threshold; frequencies ascending.

    Returns
    -------
    float or None

    Examples
    --------
    >>> first_crossing([0, 1, 2, 3], [1, 0.9, 0.7, 0.3], [0.5] * 4)
    2.5
    """
    f, above = np.asarray(frequency, np.float64), np.asarray(values, np.float64) - np.asarray(threshold, np.float64)
    kept = np.flatnonzero(np.isfinite(above[1:])) + 1
    below = np.flatnonzero(above[kept] < 0)
    if below.size == 0:
        return None
    at = int(below[0])
    if at == 0:
        return float(f[kept[0]])
    low, high = kept[at - 1], kept[at]
    return float(f[low] + (f[high] - f[low]) * above[low] / (above[low] - above[high]))


def correlation_curve(
    sums: ShellSums, voxel_size_nm: float, share: float = 1.0, *, cone: str | None
) -> CorrelationCurve:
    """Return the correlation from `shell_sums`, with `share` of the samples independent."""
    cross, power_a, power_b, samples = sums.within(cone)
    power = np.sqrt(power_a) * np.sqrt(power_b)
    correlation = np.divide(cross, power, out=np.full(cross.shape, np.nan), where=power > 0)
    correlation = np.clip(correlation, -1, 1)
    correlation[0] = 1.0
    return CorrelationCurve(shell_frequencies(sums.side, voxel_size_nm), correlation, samples * share)


def transfer_curve(sums: ShellSums, voxel_size_nm: float, *, cone: str | None = "in") -> TransferCurve:
    """Return the transfer of the first volume against the second from `shell_sums`."""
    cross, _, power, _ = sums.within(cone)
    transfer = np.divide(cross, power, out=np.full(cross.shape, np.nan), where=power > 0)
    transfer[0] = np.nan
    return TransferCurve(shell_frequencies(sums.side, voxel_size_nm), transfer)


def shell_frequencies(side: int, voxel_size_nm: float) -> NDArray[np.float64]:
    """Return the frequencies of the shells of a cube, 0 to Nyquist, in cycles per nm."""
    if not (math.isfinite(voxel_size_nm) and voxel_size_nm > 0):
        raise InputError(f"the pixel or voxel size is {voxel_size_nm}, expected a positive number of nm")
    return np.arange(side // 2 + 1) / (side * voxel_size_nm)


def _volume(values: ArrayLike, which: str) -> NDArray[np.floating]:
    array = np.asarray(values)
    if array.ndim != 3:
        raise InputError(f"the {which} volume has shape {array.shape}, expected (z, y, x); images have `frc`")
    return array
