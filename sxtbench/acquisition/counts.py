"""Photon counts from a counter-based generator: each pixel draws from its own stream, keyed by its index.

A stream generator whose rejection loop runs on from pixel to pixel moves thousands of counts when one expected count
changes in its last bit. Here the loop stays inside the pixel: such a change moves a pixel by about one, rarely. The
generator is Philox4x32-10 (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC 2011).
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.jit import exact_kernel

_BLOCK = 1 << 16
_LARGEST = 2**31
_FLOOR = 0.5
_LOG_FACTORIAL = np.array([math.lgamma(k + 1) for k in range(16)])


def poisson_counts(expected: ArrayLike, key: int, *, threads: int | None = None) -> NDArray[np.uint32]:
    """Draw a Poisson count for every pixel.

    Parameters
    ----------
    expected : array_like, any shape, photons per pixel
        Expected counts, finite, from 0 to 2^31.
    key : int
        64-bit key of the stage (`randomness.stage_key`). A pixel's draw depends on the key, on its index in C order and
        on its expected count, on nothing else.
    threads : int, optional
        Threads; all cores by default.

    Returns
    -------
    ndarray, the shape of `expected`, uint32
        Counts.

    Raises
    ------
    InputError
        If an expected count is negative, above 2^31 or not finite.
    """
    mean = np.ascontiguousarray(expected)
    counts = np.empty(mean.shape, np.uint32)
    flat, out = mean.reshape(-1), counts.reshape(-1)

    def block(start: int) -> None:
        part = flat[start : start + _BLOCK].astype(np.float64)
        if not np.all((part >= 0) & (part <= _LARGEST)):
            raise InputError("expected counts must be finite and lie between 0 and 2^31")
        _poisson_block(part, _key_words(key), start, out[start : start + _BLOCK])

    _in_blocks(block, flat.size, threads)
    return counts


def thin_counts(
    counts: NDArray[np.uint32], fraction: float, key: int, *, threads: int | None = None
) -> NDArray[np.uint32]:
    """Thin counts: each photon is kept with probability `fraction`, which gives an exact exposure at a lower dose.

    Thin the whole stored series and select views afterwards: a pixel's draw is keyed by its index.

    Parameters
    ----------
    counts : ndarray, any shape, uint32
        Counts of the full dose.
    fraction : float
        Share of the dose, from 0 to 1.
    key : int
        64-bit key of the stage.
    threads : int, optional
        Threads; all cores by default.

    Returns
    -------
    ndarray, the shape of `counts`, uint32
        Binomial counts.
    """
    if not 0 <= fraction <= 1:
        raise InputError(f"fraction is {fraction}, expected 0 to 1")
    full = np.ascontiguousarray(counts, np.uint32)
    thinned = np.empty(full.shape, np.uint32)
    flat, out = full.reshape(-1), thinned.reshape(-1)

    def block(start: int) -> None:
        _binomial_block(
            flat[start : start + _BLOCK], float(fraction), _key_words(key), start, out[start : start + _BLOCK]
        )

    _in_blocks(block, flat.size, threads)
    return thinned


def split_counts(
    counts: NDArray[np.uint32], key: int, fraction: float = 0.5, *, threads: int | None = None
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Split an exposure into two independent ones: each photon goes to the first with probability `fraction`.

    The two add up to the counts, yet if those are Poisson the two are independent Poisson counts of their own: two
    measurements at all angles, for Fourier ring and shell correlation. Their open-beam photons are `fraction` and
    `1 - fraction` of the whole's.

    Parameters
    ----------
    counts : ndarray, any shape, uint32
        Counts.
    key : int
        64-bit key of the stage.
    fraction : float
        Share of the first, from 0 to 1.
    threads : int, optional
        Threads; all cores by default.

    Returns
    -------
    tuple of two ndarray, the shape of `counts`, uint32
        Counts of the first, which is `thin_counts` with this key, and of the rest.

    References
    ----------
    Kingman, Poisson Processes (1993), section 5.1 (the colouring theorem).

    Examples
    --------
    >>> first, rest = split_counts(np.full((2, 3), 100, np.uint32), key=1)
    >>> bool((first + rest == 100).all())
    True
    """
    full = np.asarray(counts, np.uint32)
    first = thin_counts(full, fraction, key, threads=threads)
    return first, full - first


def absorbance(counts: NDArray[np.uint32], incident_photons: NDArray[np.float64]) -> NDArray[np.float32]:
    """Turn counts into absorbance, ln(I0 / max(counts, 0.5)).

    Parameters
    ----------
    counts : ndarray, shape (n_angles, z, u), uint32
        Counts.
    incident_photons : ndarray, shape (n_angles,), float64, photons per pixel
        Open-beam photons of each view.

    Returns
    -------
    ndarray, shape (n_angles, z, u), float32
        Absorbance.
    """
    out = np.maximum(counts, np.float32(_FLOOR), dtype=np.float32)
    np.log(out, out=out)
    return np.subtract(np.log(incident_photons).astype(np.float32)[:, None, None], out, out=out)


def floored_share(counts: NDArray[np.uint32]) -> float:
    """Return the share of pixels without a photon, whose absorbance is set by the floor of half a count."""
    return float(np.count_nonzero(counts < _FLOOR) / max(counts.size, 1))


def _key_words(key: int) -> NDArray[np.uint64]:
    if not 0 <= key < 2**64:
        raise InputError(f"key is {key}, expected an unsigned 64-bit integer")
    return np.array([key & 0xFFFFFFFF, key >> 32], np.uint64)


def _in_blocks(block: Callable[[int], None], size: int, threads: int | None) -> None:
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        list(pool.map(block, range(0, size, _BLOCK)))


@exact_kernel
def _philox(index: Any, draw: Any, key: Any, words: Any) -> Any:
    """Fill `words` with the four 32-bit words of Philox4x32-10 at counter (index low, index high, draw, 0)."""
    mask = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    c0 = np.uint64(index) & mask
    c1 = np.uint64(index) >> half
    c2 = np.uint64(draw) & mask
    c3 = np.uint64(draw) >> half
    k0 = key[0]
    k1 = key[1]
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & mask, (p0 >> half) ^ c3 ^ k1, p0 & mask
        k0 = (k0 + np.uint64(0x9E3779B9)) & mask
        k1 = (k1 + np.uint64(0xBB67AE85)) & mask
    words[0] = c0
    words[1] = c1
    words[2] = c2
    words[3] = c3


@exact_kernel
def _uniform(high: Any, low: Any) -> Any:
    """Return a double in (0, 1) from 53 bits of two words."""
    return (np.float64(high >> np.uint64(5)) * 67108864.0 + np.float64(low >> np.uint64(6)) + 0.5) / 9007199254740992.0


@exact_kernel
def _log_factorial(k: Any) -> Any:
    """Return ln k!: a table, then Stirling's series (error below 1e-11 from 16 on)."""
    if k < 16:
        return _LOG_FACTORIAL[int(k)]
    x = k + 1.0
    y = 1.0 / (x * x)
    series = (1 / 12.0 - (1 / 360.0 - (1 / 1260.0 - y / 1680.0) * y) * y) / x
    return (x - 0.5) * math.log(x) - x + 0.9189385332046727 + series


@exact_kernel
def _poisson_block(mean: Any, key: Any, start: Any, out: Any) -> Any:
    """Draw Poisson counts: inversion below a mean of 10, Hörmann's PTRS (1993) from there on."""
    words = np.empty(4, np.uint64)
    for i in range(mean.size):
        mu = mean[i]
        if mu < 10.0:
            _philox(start + i, 0, key, words)
            u = _uniform(words[0], words[1])
            term = math.exp(-mu)
            k = 0
            while u > term and k < 200:
                u -= term
                k += 1
                term *= mu / k
            out[i] = k
            continue
        log_mu = math.log(mu)
        b = 0.931 + 2.53 * math.sqrt(mu)
        a = -0.059 + 0.02483 * b
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        v_r = 0.9277 - 3.6224 / (b - 2.0)
        draw = 0
        while True:
            _philox(start + i, draw, key, words)
            draw += 1
            u = _uniform(words[0], words[1]) - 0.5
            v = _uniform(words[2], words[3])
            us = 0.5 - abs(u)
            count = math.floor((2.0 * a / us + b) * u + mu + 0.43)
            if us >= 0.07 and v <= v_r:
                break
            if count < 0.0 or (us < 0.013 and v > us):
                continue
            if math.log(v * inverse_alpha / (a / (us * us) + b)) <= count * log_mu - mu - _log_factorial(count):
                break
        out[i] = np.uint32(count)


@exact_kernel
def _binomial_block(counts: Any, fraction: Any, key: Any, start: Any, out: Any) -> Any:
    """Draw binomial counts: inversion for a mean below 10, Hörmann's BTRS (1993) from there on."""
    words = np.empty(4, np.uint64)
    p = min(fraction, 1.0 - fraction)
    q = 1.0 - p
    for i in range(counts.size):
        n = np.float64(counts[i])
        if p == 0.0 or n == 0.0:
            count = 0.0
        elif n * p < 10.0:
            _philox(start + i, 0, key, words)
            u = _uniform(words[0], words[1])
            term = math.exp(n * math.log1p(-p))
            count = 0.0
            while u > term and count < n:
                u -= term
                count += 1.0
                term *= (n - count + 1.0) / count * (p / q)
        else:
            spread = math.sqrt(n * p * q)
            b = 1.15 + 2.53 * spread
            a = -0.0873 + 0.0248 * b + 0.01 * p
            c = n * p + 0.5
            alpha = (2.83 + 5.1 / b) * spread
            v_r = 0.92 - 4.2 / b
            log_odds = math.log(p / q)
            mode = math.floor((n + 1.0) * p)
            peak = _log_factorial(mode) + _log_factorial(n - mode)
            draw = 0
            while True:
                _philox(start + i, draw, key, words)
                draw += 1
                u = _uniform(words[0], words[1]) - 0.5
                v = _uniform(words[2], words[3])
                us = 0.5 - abs(u)
                count = math.floor((2.0 * a / us + b) * u + c)
                if count < 0.0 or count > n:
                    continue
                if us >= 0.07 and v <= v_r:
                    break
                bound = peak - _log_factorial(count) - _log_factorial(n - count) + (count - mode) * log_odds
                if math.log(v * alpha / (a / (us * us) + b)) <= bound:
                    break
        out[i] = np.uint32(count if fraction <= 0.5 else n - count)
