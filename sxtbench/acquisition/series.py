"""From a scene to a tilt series: projection, illumination, lens, detector, photons."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from sxtbench.acquisition.counts import absorbance, floored_share, poisson_counts
from sxtbench.acquisition.depth import project_through_lens
from sxtbench.acquisition.illumination import FlatFieldParameters, spoil_flat_field
from sxtbench.acquisition.optics import ZonePlate, blur_in_focus
from sxtbench.acquisition.scene import GeneratorOf, Scene
from sxtbench.acquisition.strip import project_strips
from sxtbench.acquisition.tilt import TiltParameters, draw_tilt_scheme
from sxtbench.cores import available_cores
from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry, VolumeGrid

MARGIN_ZONES = 8  # detector margin in outer zone widths: 2 to 3 % of a pixel's light comes from further away


class MisalignmentParameters(Parameters):
    """Shift of each projection against the tilt axis.

    Parameters
    ----------
    shift_sd_px : float, pixels
        Standard deviation of dz and of du.
    """

    shift_sd_px: Annotated[float, Field(ge=0)]


class AcquisitionParameters(Parameters):
    """How a scene is imaged.

    Parameters
    ----------
    energy_ev : float, eV
        Photon energy.
    outer_zone_width_nm : float, nm
        Outermost zone width of the lens, in focus over the whole depth.
    detected_photons_per_pixel : float
        Mean count behind the specimen at 0 degrees (PROTOCOL 1.4).
    tilt : TiltParameters
        Angles.
    flat_field : FlatFieldParameters or None
        Error of the flat-field correction.
    misalignment : MisalignmentParameters or None
        Shifts; None for an aligned series.
    """

    energy_ev: Annotated[float, Field(gt=0)]
    outer_zone_width_nm: Annotated[float, Field(gt=0)]
    detected_photons_per_pixel: Annotated[float, Field(gt=0)]
    tilt: TiltParameters
    flat_field: FlatFieldParameters | None
    misalignment: MisalignmentParameters | None


class DeepAcquisitionParameters(AcquisitionParameters):
    """How a scene is imaged through a lens of limited depth of field.

    Parameters
    ----------
    depth_of_field : "limited"
        Each depth is blurred as far as it is out of focus; the focus lies on the tilt axis. The model is linear in LAC
        (`acquisition.depth`), where the one in focus is linear in intensity.
    """

    depth_of_field: Literal["limited"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TiltSeries:
    """What an instrument hands over.

    Parameters
    ----------
    counts : ndarray, shape (n_angles, z, u), uint32
        Photons per pixel.
    incident_photons : ndarray, shape (n_angles,), float64
        Open-beam photons per pixel of each view.
    angles_deg : ndarray, shape (n_angles,), float64, degrees
        Nominal angles.
    pixel_size_nm : float, nm
        Edge of a detector pixel in the object plane.
    energy_ev : float, eV
        Photon energy.
    column_offset_px : ndarray, shape (n_angles,), float64, detector pixels, optional
        Where the detector's centre lies in each view (`ParallelGeometry`), where that is not the rotation axis.
    """

    counts: NDArray[np.uint32]
    incident_photons: NDArray[np.float64]
    angles_deg: NDArray[np.float64]
    pixel_size_nm: float
    energy_ev: float
    column_offset_px: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = self.counts.shape[0]
        if self.counts.ndim != 3 or np.shape(self.incident_photons) != (n,) or np.shape(self.angles_deg) != (n,):
            raise InputError(
                f"counts {self.counts.shape}, incident_photons {np.shape(self.incident_photons)} and angles_deg "
                f"{np.shape(self.angles_deg)} do not belong together"
            )

    @cached_property
    def projections(self) -> NDArray[np.float32]:
        """Absorbance ln(I0 / max(counts, 0.5)), shape (n_angles, z, u), float32."""
        return absorbance(self.counts, self.incident_photons)

    @property
    def geometry(self) -> ParallelGeometry:
        """Geometry at the nominal angles."""
        _, slices, columns = self.counts.shape
        return ParallelGeometry(
            angles_deg=self.angles_deg,
            columns=columns,
            slices=slices,
            pixel_size_nm=self.pixel_size_nm,
            column_offset_px=0.0 if self.column_offset_px is None else self.column_offset_px,
        )

    def select(self, indices: ArrayLike) -> "TiltSeries":
        """Return the series of some of the views."""
        chosen = np.asarray(indices)
        return replace(
            self,
            counts=self.counts[chosen],
            incident_photons=self.incident_photons[chosen],
            angles_deg=self.angles_deg[chosen],
            column_offset_px=None if self.column_offset_px is None else self.column_offset_px[chosen],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Exposure:
    """A tilt series and what is known of it only in a simulation.

    Parameters
    ----------
    series : TiltSeries
        What a method gets.
    true_angles_deg : ndarray, shape (n_angles,), float64, degrees
        Angles at which the projections were made.
    true_shifts_px : ndarray, shape (n_angles, 2), float64, detector pixels
        Shift (dz, du) *to apply* to each view to align it, as the alignment task asks for.
    tilt_offset_deg : float, degrees
        Centre of the windows of smaller tilt ranges.
    transmission : ndarray, shape (n_angles, z, u), float32
        Expected counts over incident photons: fresh exposures of any dose are drawn from it.
    floored_share : float
        Share of pixels without a photon.
    """

    series: TiltSeries
    true_angles_deg: NDArray[np.float64]
    true_shifts_px: NDArray[np.float64]
    tilt_offset_deg: float
    transmission: NDArray[np.float32]
    floored_share: float


def acquire(
    scene: Scene,
    coverage: NDArray[np.float32],
    grid: VolumeGrid,
    *,
    factor: int,
    columns: int,
    parameters: AcquisitionParameters,
    generator: GeneratorOf,
    counts_key: int,
    divided: bool = False,
    threads: int | None = None,
) -> Exposure:
    """Take the tilt series of a scene.

    Absorbance at the true angles -> transmission -> error of the flat field -> lens -> detector pixels -> counts. With
    `DeepAcquisitionParameters` the lens acts on the absorbance of each depth instead: the scene's excess over the slab
    of ice is what is blurred, as the slab itself looks the same out of focus.

    Parameters
    ----------
    scene : Scene
        On the simulation's grid.
    coverage : ndarray, shape (z, y, x), float32
        Share of each voxel that lies in a cell (of a capillary: in its bore); its shadow at 0 degrees is where
        `detected_photons_per_pixel` holds.
    grid : VolumeGrid
        The simulation's grid, wider in x than the detector if there is something outside the field.
    factor : int
        Voxels along the edge of a detector pixel.
    columns : int
        Columns of the detector, centred on the grid.
    parameters : AcquisitionParameters
        How.
    generator : callable
        Stage -> generator; stages `tilt`, `misalignment`, `illumination`.
    counts_key : int
        64-bit key of the stage `counts`.
    divided : bool
        As of `spoil_flat_field`.
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.

    Returns
    -------
    Exposure
        The tilt series and its ground truth.
    """
    if scene.excess.shape != grid.shape or coverage.shape != grid.shape:
        raise InputError(f"scene {scene.excess.shape}, coverage {coverage.shape} and grid {grid.shape} differ in shape")
    if grid.shape[0] % factor:
        raise InputError(f"{grid.shape[0]} slices are not a multiple of the factor {factor}")
    scheme = draw_tilt_scheme(parameters.tilt, generator("tilt"))
    views = scheme.nominal_deg.size
    displacement = np.zeros((views, 2))
    if parameters.misalignment is not None:
        displacement = parameters.misalignment.shift_sd_px * generator("misalignment").standard_normal((views, 2))
    margin = math.ceil(MARGIN_ZONES * parameters.outer_zone_width_nm / grid.voxel_size_nm)
    if parameters.misalignment is not None:
        margin += math.ceil(float(np.max(np.abs(displacement))) * factor)
    width = columns * factor + 2 * margin

    # one view at exactly 0 degrees goes first: it sets the exposure, without the flat field's error
    angles = np.concatenate([[0.0], scheme.true_deg])
    in_focus = not isinstance(parameters, DeepAcquisitionParameters)
    shifts = np.concatenate([np.zeros((1, 2)), displacement * factor]) if parameters.misalignment else None
    if in_focus:
        light = project_strips(scene.excess, angles, voxel_size_um=grid.voxel_size_um, columns=width, threads=threads)
    else:
        light = project_through_lens(
            scene.excess,
            angles,
            voxel_size_nm=grid.voxel_size_nm,
            columns=width,
            lens=ZonePlate(outer_zone_width_nm=parameters.outer_zone_width_nm, energy_ev=parameters.energy_ev),
            shifts_px=shifts,
            threads=threads,
        )
    ice = (
        scene.ice_lac_per_um * scene.ice_thickness_um / np.cos(np.deg2rad(angles))
        if scene.ice_thickness_um
        else 0 * angles
    )
    _transmit(light, ice, threads)
    if parameters.flat_field is not None:
        spoil_flat_field(
            light[1:],
            parameters.flat_field,
            generator("illumination"),
            columns=columns * factor,
            divided=divided,
            threads=threads,
        )
    if in_focus:
        light = blur_in_focus(
            light,
            pixel_size_nm=grid.voxel_size_nm,
            outer_zone_width_nm=parameters.outer_zone_width_nm,
            shifts_px=shifts,
            threads=threads,
        )
    transmission = detect(light[:, :, margin : width - margin], factor)
    shadow = shadow_of(coverage, factor, columns)
    behind = transmission[0][shadow] if np.any(shadow) else transmission[0]
    incident = parameters.detected_photons_per_pixel / float(np.mean(behind, dtype=np.float64))
    transmission = transmission[1:]
    counts = poisson_counts(transmission * np.float32(incident), counts_key, threads=threads)
    series = TiltSeries(
        counts=counts,
        incident_photons=np.full(views, incident),
        angles_deg=scheme.nominal_deg,
        pixel_size_nm=grid.voxel_size_nm * factor,
        energy_ev=parameters.energy_ev,
    )
    return Exposure(
        series=series,
        true_angles_deg=scheme.true_deg,
        true_shifts_px=0.0 - displacement,
        tilt_offset_deg=scheme.offset_deg,
        transmission=transmission,
        floored_share=floored_share(counts),
    )


def _transmit(absorbances: NDArray[np.float32], ice: NDArray[np.float64], threads: int | None) -> None:
    """Turn absorbance into transmission behind the ice, in place."""

    def one(i: int) -> None:
        np.add(absorbances[i], np.float32(ice[i]), out=absorbances[i])
        np.negative(absorbances[i], out=absorbances[i])
        np.exp(absorbances[i], out=absorbances[i])

    with ThreadPoolExecutor(threads or available_cores()) as pool:
        list(pool.map(one, range(len(absorbances))))


def detect(light: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean over the detector's pixels."""
    n, nz, nu = light.shape
    if factor == 1:
        return np.ascontiguousarray(light)
    binned: NDArray[np.float32] = light.reshape(n, nz // factor, factor, nu // factor, factor).mean(
        axis=(2, 4), dtype=np.float32
    )
    return binned


def shadow_of(coverage: NDArray[np.float32], factor: int, columns: int) -> NDArray[np.bool_]:
    """Detector pixels (z, u) that lie at least half behind cells at 0 degrees."""
    behind = coverage.max(axis=1) >= 0.5
    width, nx = columns * factor, behind.shape[1]
    if (nx - width) % 2:
        raise InputError(
            f"the detector's {width} columns cannot be centred on {nx} voxels: both must be even, or both odd"
        )
    if width <= nx:
        first = (nx - width) // 2
        behind = behind[:, first : first + width]
    else:
        behind = np.pad(behind, ((0, 0), ((width - nx) // 2,) * 2))
    half: NDArray[np.bool_] = detect(behind[None].astype(np.float32), factor)[0] >= 0.5
    return half
