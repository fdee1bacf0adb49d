"""The lens: aperture, transfer and point-spread functions of a zone plate, and the blur in focus (PROTOCOL 1.5)."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft
from scipy.optimize import brentq

from sxtbench.acquisition.diffraction import defocused_windows
from sxtbench.cores import available_cores
from sxtbench.errors import InputError

_HC_EV_NM = 1239.84198
_PAD_ZONES = 16  # edge padding in outer zone widths: 99 % of an in-focus point's light falls within
_CONE = 3.0  # half width of a PSF window in radii of the out-of-focus cone of light
_SPECTRUM_SIGMA = 3.0
_SPECTRUM_ENERGIES = 21
_FWHM_OF_SIGMA = 2.355  # rounded, as in the interior paper's simulation
_FOCAL_ENERGY_EV = 550.0  # at which focal lengths are stated, those of XM-2 by the interior paper
_XM2_FOCAL_LENGTH_UM = {35: 931.0, 60: 1916.0}


def wavelength_nm(energy_ev: float) -> float:
    """Return the photons' wavelength in nm.

    >>> round(wavelength_nm(517), 4)
    2.3981
    """
    return _HC_EV_NM / energy_ev


def numerical_aperture(energy_ev: float, outer_zone_width_nm: float) -> float:
    """Return the numerical aperture of a zone plate, lambda / (2 dr).

    >>> round(numerical_aperture(517, 35), 4)
    0.0343
    """
    return wavelength_nm(energy_ev) / (2 * outer_zone_width_nm)


def incoherent_otf(frequency_per_nm: ArrayLike, outer_zone_width_nm: float) -> NDArray[np.float64]:
    """Optical transfer function of a zone plate in focus under incoherent light.

    Parameters
    ----------
    frequency_per_nm : array_like, cycles per nm
        Spatial frequency in the object plane.
    outer_zone_width_nm : float, nm
        Outermost zone width dr; the cutoff 2 NA / lambda is 1 / dr.

    Returns
    -------
    ndarray, float64
        (2 / pi) (acos rho - rho sqrt(1 - rho^2)) with rho = k dr; 0 beyond the cutoff.

    >>> incoherent_otf([0, 1 / 80, 1 / 40], 40).round(4).tolist()
    [1.0, 0.391, 0.0]
    """
    rho = np.clip(np.abs(np.asarray(frequency_per_nm, np.float64)) * outer_zone_width_nm, 0, 1)
    return 2 / np.pi * (np.arccos(rho) - rho * np.sqrt(1 - rho**2))


def otf_power(frequency_per_nm: ArrayLike, cutoff_per_nm: float) -> NDArray[np.float64]:
    """Return the share of the squared in-focus OTF that lies below a frequency, along one line through the origin.

    Parameters
    ----------
    frequency_per_nm : array_like, cycles per nm
        Spatial frequency.
    cutoff_per_nm : float, cycles per nm
        Where the OTF ends.

    Returns
    -------
    ndarray, float64
        int_0^k OTF^2 / int_0^cutoff OTF^2, from 0 to 1.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, appendix B.3: the sampling limits of figure 11.

    Examples
    --------
    >>> otf_power([0, 0.3, 2], 1.0).round(4).tolist()
    [0.0, 0.7364, 1.0]
    """
    if not cutoff_per_nm > 0:
        raise InputError(f"cutoff_per_nm is {cutoff_per_nm}, expected a positive frequency")
    x = np.clip(np.abs(np.asarray(frequency_per_nm, np.float64)) / cutoff_per_nm, 0, 1)
    angle = np.arccos(x)
    below = (
        2 * np.pi / 3
        - 2 / 3 * np.sqrt(1 - x**2) * (2 + x**2) * angle
        - x * (60 - 5 * x**2 + 9 * x**4) / 45
        + x * angle**2
    )
    return np.asarray(below / (2 * np.pi / 3 - 64 / 45))


def frequency_of_otf_power(share: float, cutoff_per_nm: float) -> float:
    """Return the frequency below which a share of the squared in-focus OTF lies, in cycles per nm.

    The interior paper's sampling limit of a lens of 60 nm, with its cutoff at 1.22 / dr and a radius of 8 um:

    >>> f = frequency_of_otf_power(0.98, 1.22 / 60)
    >>> math.ceil(2 * np.pi * f * 8000)
    656
    """
    if not 0 <= share <= 1:
        raise InputError(f"share is {share}, expected 0 to 1")
    if not cutoff_per_nm > 0:
        raise InputError(f"cutoff_per_nm is {cutoff_per_nm}, expected a positive frequency")
    return cutoff_per_nm * float(brentq(lambda x: float(otf_power(x, 1.0)) - share, 0, 1, xtol=1e-12))


@dataclass(frozen=True, kw_only=True)
class ZonePlate:
    """An objective zone plate: an ideal circular lens under incoherent light.

    Parameters
    ----------
    outer_zone_width_nm : float, nm
        Outermost zone width dr.
    energy_ev : float, eV
        Photon energy at which the lens works; the centre of the spectrum.
    design_energy_ev : float, optional, eV
        Energy that fixes the numerical aperture, lambda / (2 dr). By default `energy_ev`, as physics has it; the
        interior paper takes 550 eV and works at 517.
    focal_length_um : float, optional, um
        Focal length at 550 eV; it grows with the energy.
    monochromaticity : float, optional
        E / dE of the light, dE the full width at half maximum. The PSF is then an average over the spectrum.

    Raises
    ------
    InputError
        For numbers that are not positive, and for a monochromaticity without a focal length.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, appendix A. Weiss et al., Ultramicroscopy 84 (2000) 185, doi
    10.1016/S0304-3991(00)00034-6: light of little monochromaticity stretches the PSF along the beam.

    Examples
    --------
    >>> lens = ZonePlate(outer_zone_width_nm=35, energy_ev=517)
    >>> round(lens.numerical_aperture, 4), round(lens.rayleigh_nm, 1), round(lens.depth_of_field_nm)
    (0.0343, 42.7, 2043)
    """

    outer_zone_width_nm: float
    energy_ev: float
    design_energy_ev: float | None = None
    focal_length_um: float | None = None
    monochromaticity: float | None = None

    def __post_init__(self) -> None:
        for name in ("outer_zone_width_nm", "energy_ev", "design_energy_ev", "focal_length_um", "monochromaticity"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value}, expected a positive number")
        if self.monochromaticity is not None and self.focal_length_um is None:
            raise InputError(
                f"monochromaticity is {self.monochromaticity} without a focal_length_um, expected one: the focus moves "
                "along the beam in proportion to it"
            )

    @property
    def wavelength_nm(self) -> float:
        """Wavelength at the working energy, nm."""
        return wavelength_nm(self.energy_ev)

    @property
    def numerical_aperture(self) -> float:
        """Wavelength at the design energy over 2 dr."""
        design_energy_ev = self.energy_ev if self.design_energy_ev is None else self.design_energy_ev
        return numerical_aperture(design_energy_ev, self.outer_zone_width_nm)

    @property
    def rayleigh_nm(self) -> float:
        """Rayleigh's resolution, 0.61 lambda / NA, nm."""
        return 0.61 * self.wavelength_nm / self.numerical_aperture

    @property
    def depth_of_field_nm(self) -> float:
        """Depth of field lambda / NA^2, nm: half of it away from focus, a point is 19 % less bright."""
        return self.wavelength_nm / self.numerical_aperture**2

    @property
    def cutoff_per_nm(self) -> float:
        """Highest spatial frequency that passes, 2 NA / lambda, cycles per nm."""
        return 2 * self.numerical_aperture / self.wavelength_nm

    def otf(self, frequency_per_nm: ArrayLike) -> NDArray[np.float64]:
        """Return the transfer function in focus at one energy; see `incoherent_otf`."""
        return incoherent_otf(frequency_per_nm, 1 / self.cutoff_per_nm)

    def otf_power(self, frequency_per_nm: ArrayLike) -> NDArray[np.float64]:
        """Return the share of the squared `otf` below a frequency; see the function `otf_power`."""
        return otf_power(frequency_per_nm, self.cutoff_per_nm)

    def frequency_of_otf_power(self, share: float) -> float:
        """Return the frequency in cycles per nm below which a share of the squared `otf` lies."""
        return frequency_of_otf_power(share, self.cutoff_per_nm)

    def half_width(self, depth_nm: float, pixel_size_nm: float = 20.0) -> int:
        """Return the half width in pixels of a PSF window that is wide enough for depths up to +-`depth_nm`.

        Three radii of the cone of light, ceil(3 NA depth / pixel), and at least 16 outer zone widths, within which 99 %
        of an in-focus point's light falls.

        >>> ZonePlate(outer_zone_width_nm=35, energy_ev=517).half_width(8000)
        42
        """
        if not pixel_size_nm > 0:
            raise InputError(f"pixel_size_nm is {pixel_size_nm}, expected a positive number")
        if not (math.isfinite(depth_nm) and depth_nm >= 0):
            raise InputError(f"depth_nm is {depth_nm}, expected a finite number, 0 or more")
        reach_nm = max(_CONE * self.numerical_aperture * depth_nm, _PAD_ZONES * self.outer_zone_width_nm)
        return math.ceil(reach_nm / pixel_size_nm)

    def psf(
        self, depths_nm: ArrayLike, pixel_size_nm: float = 20.0, half_width: int | None = None
    ) -> NDArray[np.float64]:
        """Return what points at some depths become, on a window of pixels.

        The intensity at pixel centres behind an ideal circular lens (`diffraction.point_intensity`), each depth and
        energy scaled to sum to 1 on its window, averaged over the spectrum: 21 energies within +-3 sigma of a Gaussian
        of sigma = E / (2.355 monochromaticity). An energy E' sees the point at depth + f (E' - E) / 550 eV, with its
        own wavelength and the numerical aperture of all. A depth and its negative differ for that, by some 5e-4.

        Parameters
        ----------
        depths_nm : array_like, shape (n_depths,), nm
            Distances from the focal plane, positive along the beam (v of PROTOCOL 1.1).
        pixel_size_nm : float, nm
            Edge of a pixel.
        half_width : int, optional, pixels
            Pixels on each side of the middle. None is wide enough for the largest depth (`half_width`); 5 is the
            interior paper's window, which cuts the blur of far planes off.

        Returns
        -------
        ndarray, shape (n_depths, 2 half_width + 1, 2 half_width + 1), float64
            Windows, each summing to 1.

        Raises
        ------
        InputError
            For depths that are not a list of finite numbers, a pixel size that is not positive, and a negative width.

        Examples
        --------
        >>> lens = ZonePlate(outer_zone_width_nm=60, energy_ev=517, design_energy_ev=550)
        >>> lens.psf([0, 8000], half_width=5)[:, 5, 5:8].round(3).tolist()
        [[0.086, 0.067, 0.03], [0.03, 0.023, 0.013]]
        """
        depths = np.asarray(depths_nm, np.float64)
        if depths.ndim != 1 or depths.size == 0 or not np.all(np.isfinite(depths)):
            raise InputError("depths_nm must be a 1-D list of one or more finite numbers")
        if not pixel_size_nm > 0:
            raise InputError(f"pixel_size_nm is {pixel_size_nm}, expected a positive number")
        if half_width is None:
            half_width = self.half_width(float(np.max(np.abs(depths))), pixel_size_nm)
        if half_width < 0:
            raise InputError(f"half_width is {half_width}, expected 0 or more pixels")
        energies, weights = self._spectrum()
        focal_nm = 1000 * (self.focal_length_um or 0.0)
        return defocused_windows(
            depths,
            wavelengths_nm=_HC_EV_NM / energies,
            shifts_nm=(energies - self.energy_ev) / _FOCAL_ENERGY_EV * focal_nm,
            weights=weights,
            numerical_aperture=self.numerical_aperture,
            pixel_size_nm=pixel_size_nm,
            half_width=half_width,
        )

    def _spectrum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Energies in eV and their shares, which sum to 1."""
        if self.monochromaticity is None:
            return np.array([self.energy_ev], np.float64), np.ones(1)
        steps = np.linspace(-_SPECTRUM_SIGMA, _SPECTRUM_SIGMA, _SPECTRUM_ENERGIES)
        weights = np.exp(-(steps**2) / 2)
        sigma = self.energy_ev / (_FWHM_OF_SIGMA * self.monochromaticity)
        return self.energy_ev + steps * sigma, weights / weights.sum()


def xm2(
    outer_zone_width_nm: int,
    *,
    energy_ev: float = 517.0,
    design_energy_ev: float | None = None,
    monochromaticity: float | None = 300.0,
) -> ZonePlate:
    """Return one of the two lenses of the microscope XM-2: 35 nm (the interior's) or 60 nm (the full field's).

    Focal lengths are 931 and 1916 um at 550 eV.

    Parameters
    ----------
    outer_zone_width_nm : int, nm
        35 or 60.
    energy_ev, design_energy_ev, monochromaticity
        As in `ZonePlate`; 550 as the design energy gives the interior paper's lenses.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, appendix A; code and data doi 10.5281/zenodo.18009677.

    Examples
    --------
    >>> lens = xm2(35, design_energy_ev=550)
    >>> lens.focal_length_um, round(lens.rayleigh_nm, 2), round(lens.depth_of_field_nm, 1)
    (931.0, 45.43, 2312.4)
    """
    if outer_zone_width_nm not in _XM2_FOCAL_LENGTH_UM:
        raise InputError(f"outer_zone_width_nm is {outer_zone_width_nm}, expected 35 or 60, the lenses of XM-2")
    return ZonePlate(
        outer_zone_width_nm=outer_zone_width_nm,
        energy_ev=energy_ev,
        design_energy_ev=design_energy_ev,
        focal_length_um=_XM2_FOCAL_LENGTH_UM[outer_zone_width_nm],
        monochromaticity=monochromaticity,
    )


def blur_in_focus(
    images: NDArray[np.float32],
    *,
    pixel_size_nm: float,
    outer_zone_width_nm: float,
    shifts_px: NDArray[np.float64] | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Blur images of *intensity* by the in-focus lens, and move them by fractions of a pixel if asked.

    Images go on beyond their edges with the edge's value. What the band limit of the pixels would take below zero is
    set to zero, as light is not negative.

    Parameters
    ----------
    images : ndarray, shape (n, z, u), float32
        Intensities.
    pixel_size_nm, outer_zone_width_nm : float, nm
        Sampling of the images and the lens's outermost zone width.
    shifts_px : ndarray, shape (n, 2), float64, pixels, optional
        Displacement (dz, du) of each image's content.
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray, shape (n, z, u), float32
        Blurred intensities.
    """
    return blur_by(
        images,
        lambda frequency: incoherent_otf(frequency, outer_zone_width_nm),
        pixel_size_nm=pixel_size_nm,
        reach=reach_px(outer_zone_width_nm, pixel_size_nm),
        shifts_px=shifts_px,
        threads=threads,
    )


def reach_px(outer_zone_width_nm: float, pixel_size_nm: float) -> int:
    """Return how many pixels of padding hold 99 % of the light of a point in focus."""
    return math.ceil(_PAD_ZONES * outer_zone_width_nm / pixel_size_nm)


def blur_by(
    images: NDArray[np.float32],
    transfer: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    pixel_size_nm: float,
    reach: int,
    shifts_px: NDArray[np.float64] | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Blur images of *intensity* by a transfer function; see `blur_in_focus`.

    Parameters
    ----------
    images : ndarray, shape (n, z, u), float32
        Intensities.
    transfer : callable
        From spatial frequency in cycles per nm to the transfer, real.
    pixel_size_nm : float, nm
        Sampling of the images.
    reach : int, pixels
        Padding at each edge.
    shifts_px, threads
        As in `blur_in_focus`.

    Returns
    -------
    ndarray, shape (n, z, u), float32
        Blurred intensities, not negative.
    """
    if images.ndim != 3:
        raise InputError(f"the images have shape {images.shape}, expected (n, z, u)")
    n, nz, nu = images.shape
    if shifts_px is not None and np.shape(shifts_px) != (n, 2):
        raise InputError(f"shifts_px has shape {np.shape(shifts_px)}, expected ({n}, 2)")
    if shifts_px is not None and n:
        reach += math.ceil(float(np.max(np.abs(shifts_px))))
    shape = fft.next_fast_len(nz + 2 * reach), fft.next_fast_len(nu + 2 * reach, real=True)
    pads = [
        ((size - length) // 2, size - length - (size - length) // 2)
        for size, length in zip(shape, (nz, nu), strict=True)
    ]
    kz = fft.fftfreq(shape[0])[:, None]
    ku = fft.rfftfreq(shape[1])[None, :]
    otf = transfer(np.hypot(kz, ku) / pixel_size_nm).astype(np.float32)
    out = np.empty(images.shape, np.float32)

    def one(i: int) -> None:
        spectrum = fft.rfft2(np.pad(images[i], pads, mode="edge"), workers=1)
        spectrum *= otf
        if shifts_px is not None:
            dz, du = shifts_px[i]
            spectrum *= (np.exp(-2j * np.pi * dz * kz) * np.exp(-2j * np.pi * du * ku)).astype(np.complex64)
        blurred = fft.irfft2(spectrum, s=shape, workers=1)
        np.maximum(blurred[pads[0][0] : pads[0][0] + nz, pads[1][0] : pads[1][0] + nu], 0, out=out[i])

    with ThreadPoolExecutor(threads or available_cores()) as pool:
        list(pool.map(one, range(n)))
    return out
