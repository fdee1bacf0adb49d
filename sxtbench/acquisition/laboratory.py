"""The tilt series of a laboratory microscope: one lens out of focus, under incoherent and under partly coherent light.

Both series are of the same specimen at the same angles, with the same flat-field error and the same random numbers
behind the counts: what differs between them is the coherence of the light (PROTOCOL 4 and 6).
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sxtbench.acquisition.counts import floored_share, poisson_counts
from sxtbench.acquisition.illumination import FlatFieldParameters, spoil_flat_field
from sxtbench.acquisition.scene import GeneratorOf, Scene
from sxtbench.acquisition.series import MARGIN_ZONES, TiltSeries, detect, shadow_of
from sxtbench.acquisition.strip import project_strips
from sxtbench.acquisition.tilt import TiltParameters, draw_tilt_scheme
from sxtbench.acquisition.wave import blur_out_of_focus, image_partly_coherent, source_points
from sxtbench.distributions import Distribution, Parameters
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid

INCOHERENT, PARTIALLY_COHERENT = "incoherent", "partially_coherent"


class PhaseParameters(Parameters):
    """What shifts the phase: delta follows from the LAC, of ice mixed with vacuum below that of ice, with matter above.

    Parameters
    ----------
    ice_lac_per_um : float, 1/um
        LAC of ice.
    ice_delta_over_beta : float
        Of ice.
    matter_delta_over_beta : float
        Of the difference between matter and ice.
    """

    ice_lac_per_um: Annotated[float, Field(gt=0)]
    ice_delta_over_beta: Annotated[float, Field(ge=0)]
    matter_delta_over_beta: Annotated[float, Field(ge=0)]

    def phase_lac(self, lac: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return 4 pi delta / lambda where the LAC is 4 pi beta / lambda; half of its path integral is the phase.

        Parameters
        ----------
        lac : ndarray, float32, 1/um
            LAC.

        Returns
        -------
        ndarray, shape of `lac`, float32, 1/um

        Examples
        --------
        >>> p = PhaseParameters(ice_lac_per_um=0.112, ice_delta_over_beta=25.9, matter_delta_over_beta=1.8)
        >>> p.phase_lac(np.float32([0, 0.112, 0.312])).round(3)
        array([0.   , 2.901, 3.261], dtype=float32)
        """
        ice = np.minimum(lac, np.float32(self.ice_lac_per_um))
        return np.asarray(
            np.float32(self.ice_delta_over_beta) * ice + np.float32(self.matter_delta_over_beta) * (lac - ice),
            np.float32,
        )


class LaboratoryParameters(Parameters):
    """How a laboratory source and a zone plate image a specimen.

    Parameters
    ----------
    energy_ev : float, eV
        Photon energy.
    outer_zone_width_nm : float, nm
        Outermost zone width of the lens.
    defocus_um : Distribution, um
        Distance of the plane of focus behind the specimen, drawn once a specimen; no depth of field within it.
    coherence_factor : float
        Radius of the source over the lens's aperture, for partially coherent light.
    phase : PhaseParameters
        What shifts the phase of that light.
    tilt : TiltParameters
        Angles.
    flat_field : FlatFieldParameters or None
        Error of the flat-field correction.
    """

    energy_ev: Annotated[float, Field(gt=0)]
    outer_zone_width_nm: Annotated[float, Field(gt=0)]
    defocus_um: Distribution
    coherence_factor: Annotated[float, Field(ge=0, le=1)]
    phase: PhaseParameters
    tilt: TiltParameters
    flat_field: FlatFieldParameters | None


@dataclass(frozen=True, kw_only=True, eq=False)
class LaboratoryExposure:
    """Two tilt series of one specimen, and what is known of them only in a simulation.

    Parameters
    ----------
    series : dict of TiltSeries
        `incoherent` and `partially_coherent`.
    true_angles_deg : ndarray, shape (n_angles,), float64, degrees
        Angles at which the projections were made.
    defocus_um : float, um
        Distance of the plane of focus behind the specimen.
    floored_share : float
        Share of pixels without a photon, of the incoherent series.
    """

    series: dict[str, TiltSeries]
    true_angles_deg: NDArray[np.float64]
    defocus_um: float
    floored_share: float


def acquire_laboratory(
    scene: Scene,
    coverage: NDArray[np.float32],
    grid: VolumeGrid,
    *,
    factor: int,
    columns: int,
    parameters: LaboratoryParameters,
    detected_photons_per_pixel: float,
    generator: GeneratorOf,
    counts_key: int,
    threads: int | None = None,
) -> LaboratoryExposure:
    """Take both tilt series of a scene.

    Parameters
    ----------
    scene : Scene
        On the simulation's grid.
    coverage : ndarray, shape (z, y, x), float32
        Share of each voxel that lies in a cell (of a capillary: in its bore).
    grid : VolumeGrid
        The simulation's grid.
    factor : int
        Voxels along the edge of a detector pixel.
    columns : int
        Columns of the detector, centred on the grid.
    parameters : LaboratoryParameters
        How.
    detected_photons_per_pixel : float
        Mean count behind the specimen at 0 degrees, incoherent (PROTOCOL 1.4); the open beam of both series follows.
    generator : callable
        Stage -> generator; stages `tilt`, `misalignment` (along the beam: the defocus), `illumination`.
    counts_key : int
        64-bit key of the stage `counts`, for both series.
    threads : int, optional
        Threads; all cores by default.

    Returns
    -------
    LaboratoryExposure
    """
    if scene.excess.shape != grid.shape or coverage.shape != grid.shape:
        raise InputError(f"scene {scene.excess.shape}, coverage {coverage.shape} and grid {grid.shape} differ in shape")
    if grid.shape[0] % factor:
        raise InputError(f"{grid.shape[0]} slices are not a multiple of the factor {factor}")
    p = parameters
    scheme = draw_tilt_scheme(p.tilt, generator("tilt"))
    defocus_um = p.defocus_um.draw(generator("misalignment"))
    views, margin = scheme.nominal_deg.size, math.ceil(MARGIN_ZONES * p.outer_zone_width_nm / grid.voxel_size_nm)
    width = columns * factor + 2 * margin

    # one view at exactly 0 degrees goes first: it sets the exposure, without the flat field's error
    angles = np.concatenate([[0.0], scheme.true_deg])
    ice = scene.ice_lac_per_um * scene.ice_thickness_um / np.cos(np.deg2rad(angles))
    sampling: dict[str, Any] = {"voxel_size_um": grid.voxel_size_um, "columns": width, "threads": threads}
    absorbance = project_strips(scene.excess, angles, **sampling)
    absorbance += ice.astype(np.float32)[:, None, None]
    base = np.array([scene.ice_lac_per_um], np.float32)
    shifting = p.phase.phase_lac(scene.excess + base) - p.phase.phase_lac(base)  # a flat slab shifts all alike
    phase = project_strips(shifting, angles[1:], **sampling)
    phase *= np.float32(-0.5)

    lens: dict[str, Any] = {
        "pixel_size_nm": grid.voxel_size_nm,
        "outer_zone_width_nm": p.outer_zone_width_nm,
        "energy_ev": p.energy_ev,
        "defocus_nm": 1000 * defocus_um,
        "threads": threads,
    }
    incoherent = blur_out_of_focus(np.exp(-absorbance), **lens)
    coherent = image_partly_coherent(absorbance[1:], phase, sources_na=source_points(p.coherence_factor), **lens)
    middle = slice(margin, width - margin)
    at_zero = detect(incoherent[:1, :, middle], factor)[0]
    shadow = shadow_of(coverage, factor, columns)
    behind = at_zero[shadow] if np.any(shadow) else at_zero
    incident = detected_photons_per_pixel / float(np.mean(behind, dtype=np.float64))
    series = {}
    for name, light in ((INCOHERENT, incoherent[1:]), (PARTIALLY_COHERENT, coherent)):
        if p.flat_field is not None:
            spoil_flat_field(light, p.flat_field, generator("illumination"), columns=columns * factor, threads=threads)
        expected = detect(light[:, :, middle], factor) * np.float32(incident)
        series[name] = TiltSeries(
            counts=poisson_counts(expected, counts_key, threads=threads),
            incident_photons=np.full(views, incident),
            angles_deg=scheme.nominal_deg,
            pixel_size_nm=grid.voxel_size_nm * factor,
            energy_ev=p.energy_ev,
        )
    return LaboratoryExposure(
        series=series,
        true_angles_deg=scheme.true_deg,
        defocus_um=defocus_um,
        floored_share=floored_share(series[INCOHERENT].counts),
    )
