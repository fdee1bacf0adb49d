"""Images through a lens out of focus: of intensity under incoherent light, of a wave under partly coherent light.

Both treat the specimen as one plane, at one distance from focus: no depth of field within it.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from sxtbench.acquisition.optics import blur_by, numerical_aperture, reach_px, wavelength_nm
from sxtbench.cores import available_cores
from sxtbench.errors import InputError

SOURCE_POINTS = 9
_RING_POINTS = SOURCE_POINTS - 1
_NODES = 64  # phases here stay below some 20 rad


def defocused_otf(
    frequency_per_nm: ArrayLike, *, outer_zone_width_nm: float, energy_ev: float, defocus_nm: float
) -> NDArray[np.float64]:
    """Optical transfer function of a zone plate out of focus under incoherent light.

    Parameters
    ----------
    frequency_per_nm : array_like, cycles per nm
        Spatial frequency in the object plane.
    outer_zone_width_nm : float, nm
        Outermost zone width.
    energy_ev : float, eV
        Photon energy.
    defocus_nm : float, nm
        Distance of the object from focus; its sign does not matter.

    Returns
    -------
    ndarray, float64
        1 at zero frequency, 0 beyond the cutoff, negative where contrast is reversed; in focus `optics.incoherent_otf`.

    References
    ----------
    H. H. Hopkins, Proc. R. Soc. A 231 (1955) 91, doi 10.1098/rspa.1955.0158.

    Examples
    --------
    >>> lens = {"outer_zone_width_nm": 30, "energy_ev": 500}
    >>> defocused_otf([0, 1 / 60, 1 / 30], defocus_nm=0, **lens).round(4).tolist()
    [1.0, 0.391, 0.0]
    >>> defocused_otf([1 / 120, 1 / 60], defocus_nm=1500, **lens).round(3).tolist()
    [0.299, 0.073]
    """
    frequency = np.abs(np.asarray(frequency_per_nm, np.float64))
    aperture, wavelength = numerical_aperture(energy_ev, outer_zone_width_nm), wavelength_nm(energy_ev)
    s = np.clip(frequency * wavelength / aperture, 0, 2)[..., None]
    a = 2 * np.pi * defocus_nm * aperture**2 / wavelength * s
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    # y = Y sin(t) takes the root's end point out of the integrand
    t = (nodes + 1) * np.pi / 4
    top = np.sqrt(1 - s**2 / 4)
    y = top * np.sin(t)
    width = np.sqrt(1 - y**2) - s / 2
    integrand = width * np.sinc(a * width / np.pi) * top * np.cos(t)
    return np.asarray(4 / np.pi * (integrand @ weights) * np.pi / 4)


def blur_out_of_focus(
    images: NDArray[np.float32],
    *,
    pixel_size_nm: float,
    outer_zone_width_nm: float,
    energy_ev: float,
    defocus_nm: float,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Blur images of *intensity* by a lens out of focus, under incoherent light.

    Parameters
    ----------
    images : ndarray, shape (n, z, u), float32
        Intensities.
    pixel_size_nm, outer_zone_width_nm, energy_ev, defocus_nm : float
        Sampling, lens, light and distance from focus.
    threads : int, optional
        Threads; all cores by default.

    Returns
    -------
    ndarray, shape (n, z, u), float32
        Blurred intensities, not negative.
    """
    return blur_by(
        images,
        lambda frequency: defocused_otf(
            frequency, outer_zone_width_nm=outer_zone_width_nm, energy_ev=energy_ev, defocus_nm=defocus_nm
        ),
        pixel_size_nm=pixel_size_nm,
        reach=reach_px(outer_zone_width_nm, pixel_size_nm),
        threads=threads,
    )


def source_points(radius: float) -> NDArray[np.float64]:
    """Return nine points of equal weight that stand for a uniform disc: its centre, and a ring of eight.

    The inner ninth of the disc's area is the centre's; the ring lies at the root mean square radius of the rest.

    Parameters
    ----------
    radius : float
        Of the disc, such as the coherence factor (the condenser's aperture over the lens's).

    Returns
    -------
    ndarray, shape (9, 2), float64

    Examples
    --------
    >>> np.hypot(*source_points(0.5).T).round(3).tolist()[:2]
    [0.0, 0.373]
    """
    angles = 2 * np.pi * np.arange(_RING_POINTS) / _RING_POINTS
    ring = radius * np.sqrt((1 / SOURCE_POINTS + 1) / 2) * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return np.concatenate([np.zeros((1, 2)), ring])


def image_partly_coherent(
    absorbance: NDArray[np.float32],
    phase: NDArray[np.float32],
    *,
    pixel_size_nm: float,
    outer_zone_width_nm: float,
    energy_ev: float,
    defocus_nm: float,
    sources_na: NDArray[np.float64],
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Return the intensity behind a lens of a wave that several source points light up one after the other.

    The exit wave `exp(-absorbance / 2 + i phase)` is taken a Fresnel step of `defocus_nm` further and through the
    lens's aperture, once a source point, whose tilt shifts its spectrum; the intensities are averaged. They are formed
    on half the pixel, as squaring doubles the bandwidth, and then limited to what the pixels can hold. Images go on
    beyond their edges with the edge's value.

    Parameters
    ----------
    absorbance, phase : ndarray, shape (n, z, u), float32
        Path integrals behind the specimen: `-ln(I / I0)` and radians.
    pixel_size_nm, outer_zone_width_nm, energy_ev : float
        Sampling, lens and light.
    defocus_nm : float, nm
        Positive: the lens looks at a plane behind the specimen.
    sources_na : ndarray, shape (m, 2), float64
        Directions (z, u) of the source points over the lens's numerical aperture.
    threads : int, optional
        Threads; all cores by default.

    Returns
    -------
    ndarray, shape (n, z, u), float32
        Intensity over that of the open beam, not negative.

    References
    ----------
    J. W. Goodman, Introduction to Fourier Optics, sections 4.2 and 6.3; E. Abbe's summation over source points.
    """
    if absorbance.shape != phase.shape or absorbance.ndim != 3:
        raise InputError(f"absorbance {absorbance.shape} and phase {phase.shape}, expected one shape (n, z, u)")
    n, nz, nu = absorbance.shape
    reach = reach_px(outer_zone_width_nm, pixel_size_nm)
    shape = fft.next_fast_len(nz + 2 * reach), fft.next_fast_len(nu + 2 * reach)
    pads = [((a - b) // 2, a - b - (a - b) // 2) for a, b in zip(shape, (nz, nu), strict=True)]
    k = [fft.fftfreq(size) / pixel_size_nm for size in shape]
    wavelength = wavelength_nm(energy_ev)
    cutoff = numerical_aperture(energy_ev, outer_zone_width_nm) / wavelength
    pupils = np.empty((len(sources_na), *shape), np.complex64)
    for pupil, (z, u) in zip(pupils, sources_na * cutoff, strict=True):
        squares = (k[0] + z)[:, None] ** 2 + (k[1] + u)[None, :] ** 2
        pupil[...] = (squares <= cutoff**2) * np.exp(-1j * np.pi * wavelength * defocus_nm * squares)
    # where the coefficients of a spectrum lie in that of twice as many samples
    rows, columns = (np.rint(fft.fftfreq(size, 1 / size)).astype(int) % (2 * size) for size in shape)
    place = np.ix_(rows, columns)
    out = np.empty((n, nz, nu), np.float32)

    def one(i: int) -> None:
        wave = np.exp(np.complex64(1j) * phase[i] - absorbance[i] / 2).astype(np.complex64)
        spectrum = fft.fft2(np.pad(wave, pads, mode="edge"), workers=1)
        light = np.zeros((2 * shape[0], 2 * shape[1]), np.float32)
        wide = np.zeros(light.shape, np.complex64)
        for pupil in pupils:
            wide[place] = spectrum * pupil
            field = fft.ifft2(wide, workers=1)
            light += np.square(field.real) + np.square(field.imag)
        # four samples a pixel, and the forward transform's own scale
        limited = fft.ifft2(fft.fft2(light, workers=1)[place], workers=1).real * np.float32(4 / len(pupils))
        np.maximum(limited[pads[0][0] : pads[0][0] + nz, pads[1][0] : pads[1][0] + nu], 0, out=out[i])

    with ThreadPoolExecutor(threads or available_cores()) as pool:
        list(pool.map(one, range(n)))
    return out
