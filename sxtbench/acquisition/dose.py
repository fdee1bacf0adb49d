"""Dose: what light leaves in each voxel, what a full view costs against one of a region, and schemes of equal dose."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.acquisition.strip import project_strips
from sxtbench.acquisition.tilt import full_rotation_deg
from sxtbench.cores import available_cores
from sxtbench.errors import InputError
from sxtbench.jit import kernel

_CHUNK = 32  # views projected at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Beam:
    """Images taken alike.

    Parameters
    ----------
    angles_deg : ndarray, shape (n,), float64, degrees
        Angles.
    incident_photons : float
        Open-beam photons per area of one image, in units of the caller's choice.
    columns : float or None, voxels
        Width of the illuminated part, centred on the rotation axis; None for the whole field.
    """

    angles_deg: NDArray[np.float64]
    incident_photons: float = 1.0
    columns: float | None = None


def accumulated_dose(
    volume: NDArray[np.float32],
    angles_deg: ArrayLike,
    *,
    voxel_size_nm: float,
    columns: float | None = None,
    column_offset_px: ArrayLike = 0.0,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Return what an image leaves in each voxel, as a mean over angles.

    LAC times the intensity that reaches the voxel's middle, exp(-integral of the LAC from the source), per unit of
    incident intensity. The beam travels toward +v. Times the voxel's volume, summed, and multiplied by the photons per
    area and their energy, it is the energy absorbed in one image; times the number of images, the dose of a series.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32, 1/um
        LAC, centred on the rotation axis; vacuum is 0.
    angles_deg : array_like, shape (n_angles,), degrees
        Any finite angles. theta and theta + 180 differ: light enters from the other side.
    voxel_size_nm : float, nm
        Edge of a voxel.
    columns : float, optional, voxels
        Width of the illuminated part of the field: what an interior scan sees. Everything by default.
    column_offset_px : float or array_like, shape (n_angles,), voxels
        Where its middle lies, u.
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray, shape (z, y, x), float32, 1/um
        Absorbed share of the incident intensity per um, mean over angles.

    Raises
    ------
    InputError
        For a volume that is not three-dimensional, angles and offsets that are not finite or do not belong together,
        and numbers that are not positive.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, section 2.4 and figure 4.

    Examples
    --------
    >>> slab = np.ones((1, 20, 2), np.float32)  # light comes from y = 0 at 0 degrees
    >>> [f"{x:.3f}" for x in accumulated_dose(slab, [0], voxel_size_nm=100)[0, [0, 10, 19], 0]]
    ['0.951', '0.350', '0.142']
    """
    angles, offsets, lit = _checked(volume, angles_deg, voxel_size_nm, columns, column_offset_px)
    volume = np.ascontiguousarray(volume, np.float32)
    radians = np.deg2rad(angles)
    cosines, sines = np.cos(radians), np.sin(radians)
    out = np.empty(volume.shape, np.float32)

    def one(z: int) -> None:
        total = np.zeros(volume.shape[1:])
        for i in range(angles.size):
            _add_dose(volume[z], cosines[i], sines[i], offsets[i], lit / 2, voxel_size_nm / 1000, total)
        np.divide(total, angles.size, out=out[z], casting="unsafe")

    with ThreadPoolExecutor(threads or available_cores()) as pool:
        list(pool.map(one, range(len(volume))))
    return out


def dose_ratio(
    volume: NDArray[np.float32],
    angles_deg: ArrayLike,
    *,
    voxel_size_nm: float,
    columns: float,
    column_offset_px: ArrayLike = 0.0,
    threads: int | None = None,
) -> float:
    """Return how much more energy an image of the whole field leaves in a specimen than one of a region.

    At the same photons per area. The energy absorbed along a ray is 1 - exp(-absorbance), so that projections give it
    without a map of the dose: D_full / D_ROI of the interior-tomography paper, which has 2.294 for its phantom.

    Parameters
    ----------
    volume, angles_deg, voxel_size_nm, columns, column_offset_px, threads
        As in `accumulated_dose`.

    Returns
    -------
    float
        Ratio, 1 or more.

    Raises
    ------
    InputError
        As in `accumulated_dose`, and for a region in which nothing is absorbed.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, section 2.4.
    """
    angles, offsets, lit = _checked(volume, angles_deg, voxel_size_nm, columns, column_offset_px)
    width = math.ceil(math.hypot(*volume.shape[1:])) + 2
    u = np.arange(width) - (width - 1) / 2
    full = region = 0.0
    for start in range(0, angles.size, _CHUNK):
        chosen = slice(start, start + _CHUNK)
        light = project_strips(
            volume, angles[chosen], voxel_size_um=voxel_size_nm / 1000, columns=width, threads=threads
        )
        absorbed = -np.expm1(-light).sum(axis=1, dtype=np.float64)
        share = np.clip(lit / 2 + 0.5 - np.abs(u - offsets[chosen, None]), 0, 1)
        full += float(absorbed.sum())
        region += float((absorbed * share).sum())
    if not region > 0:
        raise InputError(
            f"nothing is absorbed in the region of {columns} columns, expected one that meets the specimen"
        )
    return full / region


def interior_photons(
    incident_photons: float, ratio: float, n_reference: int, n_full: int, n_interior: int | None = None
) -> float:
    """Return the photons of an interior image that make up for full views left out, at the same dose.

    I_ROI = I0 ratio (N0 - N_full) / N_ROI, equation 13. The dose of `n_full` full images at I0 and `n_interior`
    interior ones at I_ROI is that of `n_reference` full images at I0.

    Parameters
    ----------
    incident_photons : float
        I0, photons of a full image, per area or pixel.
    ratio : float
        D_full / D_ROI (`dose_ratio`).
    n_reference, n_full : int
        Full images of the reference scan, N0, and of the combined one.
    n_interior : int, optional
        Interior images; `n_reference` by default, as in the paper.

    Returns
    -------
    float
        Photons of an interior image. The paper drops the fraction.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, equation 13.

    Examples
    --------
    >>> [int(interior_photons(1000, 2.294312200191294, 499, n)) for n in (11, 97, 389)]
    [2243, 1848, 505]
    """
    n_interior = n_reference if n_interior is None else n_interior
    for name, value in (("incident_photons", incident_photons), ("ratio", ratio), ("n_interior", n_interior)):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}, expected a positive number")
    if not 0 <= n_full <= n_reference:
        raise InputError(f"n_full is {n_full}, expected 0 to n_reference, {n_reference}")
    return incident_photons * ratio * (n_reference - n_full) / n_interior


def published_schemes(ratio: float, columns: float) -> dict[str, tuple[Beam, ...]]:
    """Return the three schemes of figure 4, which leave the same dose in the whole specimen.

    `half rotation` takes 97 images of the full field over 180 degrees, `full rotation` 97 over 360 with mirror images
    interlaced, `combined` 19 of the full field and 97 of the region, both over 360 degrees.

    Parameters
    ----------
    ratio : float
        D_full / D_ROI of the specimen (`dose_ratio`), which sets the photons of the region's images.
    columns : float, voxels
        Width of the region.

    Returns
    -------
    dict of str to tuple of Beam
        Photons are relative to an image of the full field.

    References
    ----------
    Ekman et al., Phys. Scr. 100 (2025) 126008, figure 4, which does not say whether its combined scan covers 180 or 360
    degrees.
    """
    turn = full_rotation_deg(97, mirror_images=True)
    return {
        "half rotation": (Beam(angles_deg=full_rotation_deg(97, mirror_images=False)),),
        "full rotation": (Beam(angles_deg=turn),),
        "combined": (
            Beam(angles_deg=full_rotation_deg(19, mirror_images=True)),
            Beam(angles_deg=turn, incident_photons=interior_photons(1, ratio, 97, 19), columns=columns),
        ),
    }


def scheme_dose(
    volume: NDArray[np.float32], beams: Sequence[Beam], *, voxel_size_nm: float, threads: int | None = None
) -> NDArray[np.float32]:
    """Return the dose of all images of a scheme, shape (z, y, x), float32, 1/um times the unit of the photons."""
    total = np.zeros(volume.shape, np.float32)
    for beam in beams:
        mean = accumulated_dose(
            volume, beam.angles_deg, voxel_size_nm=voxel_size_nm, columns=beam.columns, threads=threads
        )
        total += np.float32(beam.incident_photons * beam.angles_deg.size) * mean
    return total


def _checked(
    volume: NDArray[np.float32],
    angles_deg: ArrayLike,
    voxel_size_nm: float,
    columns: float | None,
    column_offset_px: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return angles, an offset for each, and the width of the beam."""
    angles, offsets = np.asarray(angles_deg, np.float64), np.asarray(column_offset_px, np.float64)
    if volume.ndim != 3 or 0 in volume.shape:
        raise InputError(f"the volume has shape {volume.shape}, expected (z, y, x)")
    if angles.ndim != 1 or angles.size == 0 or not np.all(np.isfinite(angles)):
        raise InputError("angles_deg must be a 1-D list of one or more finite angles")
    if offsets.shape not in ((), angles.shape) or not np.all(np.isfinite(offsets)):
        raise InputError(
            f"column_offset_px has shape {offsets.shape}, expected one or {angles.size} finite numbers of voxels"
        )
    for name, value in (("voxel_size_nm", voxel_size_nm), ("columns", columns)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}, expected a positive number")
    everything = 2 * (math.hypot(*volume.shape[1:]) + float(np.max(np.abs(offsets))) + 2)
    return angles, np.broadcast_to(offsets, angles.shape), everything if columns is None else columns


@kernel
def _add_dose(lac: Any, cosine: Any, sine: Any, offset: Any, half: Any, step: Any, total: Any) -> Any:
    """Add the dose of one view to a slice (y, x): `half` is half the beam's width in voxels, `step` a voxel in um.

    Absorbance is summed along rays a voxel apart, sampled bilinearly, and read off at the voxels, bilinearly again.
    """
    ny, nx = lac.shape
    size = int(np.ceil(np.hypot(ny, nx))) + 4
    size += (size - ny) % 2  # samples fall on voxels where the view is straight
    centre = 0.5 * (size - 1)
    depth = np.zeros((size, size), np.float32)  # (u, v): absorbance before the middle of each sample
    for i in range(size):
        u = i - centre
        if abs(u - offset) > half + 2.0:
            continue
        before = 0.0
        for j in range(size):
            v = j - centre
            x = u * cosine - v * sine + 0.5 * (nx - 1)
            y = u * sine + v * cosine + 0.5 * (ny - 1)
            here = 0.0
            if -1.0 < x < nx and -1.0 < y < ny:
                x0 = int(np.floor(x))
                y0 = int(np.floor(y))
                fx = x - x0
                fy = y - y0
                if y0 >= 0:
                    if x0 >= 0:
                        here += (1.0 - fy) * (1.0 - fx) * lac[y0, x0]
                    if x0 + 1 < nx:
                        here += (1.0 - fy) * fx * lac[y0, x0 + 1]
                if y0 + 1 < ny:
                    if x0 >= 0:
                        here += fy * (1.0 - fx) * lac[y0 + 1, x0]
                    if x0 + 1 < nx:
                        here += fy * fx * lac[y0 + 1, x0 + 1]
            half_step = 0.5 * step * here
            depth[i, j] = before + half_step
            before += 2.0 * half_step
    for r in range(ny):
        dy = r - 0.5 * (ny - 1)
        for c in range(nx):
            if lac[r, c] == 0.0:
                continue
            dx = c - 0.5 * (nx - 1)
            u = dx * cosine + dy * sine
            lit = min(max(half + 0.5 - abs(u - offset), 0.0), 1.0)
            if lit == 0.0:
                continue
            p = u + centre
            q = dy * cosine - dx * sine + centre
            i = int(np.floor(p))
            j = int(np.floor(q))
            fp = p - i
            fq = q - j
            absorbance = (1.0 - fp) * ((1.0 - fq) * depth[i, j] + fq * depth[i, j + 1]) + fp * (
                (1.0 - fq) * depth[i + 1, j] + fq * depth[i + 1, j + 1]
            )
            total[r, c] += lit * lac[r, c] * np.exp(-absorbance)
