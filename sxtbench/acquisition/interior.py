"""An interior scan and a full-field scan of one specimen in a capillary, through two lenses (PROTOCOL 4 and 6)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sxtbench.acquisition.counts import floored_share, poisson_counts, thin_counts
from sxtbench.acquisition.depth import project_through_lens
from sxtbench.acquisition.optics import ZonePlate, numerical_aperture
from sxtbench.acquisition.scene import GeneratorOf
from sxtbench.acquisition.series import TiltSeries
from sxtbench.acquisition.tilt import full_rotation_deg
from sxtbench.distributions import Parameters
from sxtbench.errors import InputError


class LensParameters(Parameters):
    """A zone plate and the light it gets.

    Parameters
    ----------
    outer_zone_width_nm : float, nm
        Outermost zone width.
    focal_length_um : float, um, or None
        At 550 eV; grows with energy.
    monochromaticity : float or None
        E / dE; None for one energy.
    """

    outer_zone_width_nm: Annotated[float, Field(gt=0)]
    focal_length_um: Annotated[float, Field(gt=0)] | None
    monochromaticity: Annotated[float, Field(gt=0)] | None

    @model_validator(mode="after")
    def _chromatic(self) -> "LensParameters":
        if self.monochromaticity is not None and self.focal_length_um is None:
            raise ValueError("monochromaticity needs a focal length: focal_length_um is missing")
        return self

    def at(self, energy_ev: float) -> ZonePlate:
        """Return the lens at a photon energy."""
        return ZonePlate(energy_ev=energy_ev, **self.model_dump())


class OffCentreParameters(Parameters):
    """Where regions lie.

    Parameters
    ----------
    share : float
        Share of the specimens whose region is off the rotation axis: of 1 / share specimens in a row, one.
    largest_share : float
        Largest distance from the axis, as a share of the field.
    clearance_um : float, um
        Left between the region of the reference width and the wall.
    """

    share: Annotated[float, Field(ge=0, le=1)]
    largest_share: Annotated[float, Field(ge=0, le=0.5)]
    clearance_um: Annotated[float, Field(ge=0)]


class JitterParameters(Parameters):
    """Shifts of the interior views, as shares of the interior width (PROTOCOL 4).

    Parameters
    ----------
    walk_share : float
        Standard deviation of a random walk's step.
    uniform_share : float
        Half width of a uniform shift.
    jump_share, jump_probability : float
        Length of a jump, in a random direction, of single views, and the share of views that jump.
    largest_share : float
        Shifts are clipped there; specimens are taller by as much.
    """

    walk_share: Annotated[float, Field(ge=0)]
    uniform_share: Annotated[float, Field(ge=0)]
    jump_share: Annotated[float, Field(ge=0)]
    jump_probability: Annotated[float, Field(ge=0, le=1)]
    largest_share: Annotated[float, Field(gt=0, lt=0.5)]


class PairParameters(Parameters):
    """How a specimen is imaged twice.

    Parameters
    ----------
    energy_ev : float, eV
        Photon energy.
    detected_photons_per_pixel : float
        Of the interior scan: mean count behind the bore at 0 degrees (PROTOCOL 1.4). The full-field scan gets the same
        photons per area.
    high_exposure : float
        Photons of the stored high exposure over those; 1 for none. The low one is its binomial thinning.
    interior_lens, full_lens : LensParameters
        The two lenses.
    interior_views, full_views : int
        Views over half a turn.
    mirror_images : bool
        Whether the scans are also taken over a whole turn with interlaced mirror images.
    interior_share : float
        Width of the stored interior scan over that of the field.
    full_binning : int
        Interior pixels along the edge of one of the full-field scan.
    off_centre : OffCentreParameters or None
        Regions off the axis; None for none.
    jitter : JitterParameters or None
        Shifts of the interior views; None for an aligned scan.
    """

    energy_ev: Annotated[float, Field(gt=0)]
    detected_photons_per_pixel: Annotated[float, Field(gt=0)]
    high_exposure: Annotated[float, Field(ge=1)]
    interior_lens: LensParameters
    full_lens: LensParameters
    interior_views: Annotated[int, Field(ge=2)]
    full_views: Annotated[int, Field(ge=2)]
    mirror_images: bool
    interior_share: Annotated[float, Field(gt=0, le=1)]
    full_binning: Annotated[int, Field(ge=1, le=8)]
    off_centre: OffCentreParameters | None
    jitter: JitterParameters | None

    @model_validator(mode="after")
    def _one_axis_at_a_time(self) -> "PairParameters":
        if self.mirror_images and self.high_exposure > 1:
            raise ValueError("mirror_images and a high_exposure above 1 are not stored together")
        return self

    def interior_columns(self, columns: int) -> int:
        """Columns of the stored interior scan of a field: an even number."""
        return 2 * int(self.interior_share * columns / 2)

    def margin_rows(self, columns: int) -> int:
        """Rows that the simulated volume needs beyond the slab on each side: shifts, and the half width of the PSF.

        The half width is that of PROTOCOL 1.5, 3 NA |z| / pixel, at the depth of half the field.
        """
        lens = self.interior_lens
        aperture = numerical_aperture(self.energy_ev, lens.outer_zone_width_nm)
        blur = math.ceil(3 * aperture * columns / 2)
        return blur + self.shift_rows(columns)

    def shift_rows(self, columns: int) -> int:
        """Rows beyond the slab that shifted interior views may show; the full-field scan shows them always."""
        if self.jitter is None:
            return 0
        step = 2 * self.full_binning
        return step * math.ceil(self.jitter.largest_share * self.interior_columns(columns) / step)


@dataclass(frozen=True, eq=False)
class Pair:
    """The scans of one specimen.

    Parameters
    ----------
    series : dict of TiltSeries
        `interior` and `full`; `interior_high` and `full_high` where there is a high exposure; `interior_360` and
        `full_360` where there are mirror images.
    true_shifts_px : dict of ndarray, shape (n_angles, 2), float64, interior pixels
        For `interior` and `interior_360`: the shift (dz, du) to apply to each view to align it.
    floored_share : float
        Share of the interior scan's pixels without a photon.
    """

    series: dict[str, TiltSeries]
    true_shifts_px: dict[str, NDArray[np.float64]]
    floored_share: float


def draw_region_um(
    parameters: PairParameters, *, index: int, field_um: float, width_um: float, bore_um: float, generator: GeneratorOf
) -> tuple[float, float]:
    """Draw the centre (y, x) of a region, um from the rotation axis.

    Parameters
    ----------
    parameters : PairParameters
        The recipe.
    index : int
        Number of the specimen: which of them are off-centre does not depend on chance.
    field_um, width_um, bore_um : float, um
        Width of the field, of the region at the reference level, and diameter of the bore.
    generator : callable
        Stage `region`.
    """
    off = parameters.off_centre
    if off is None or int((index + 1) * off.share) == int(index * off.share):
        return 0.0, 0.0
    room = min(off.largest_share * field_um, (bore_um - width_um) / 2 - off.clearance_um)
    if room <= 0:
        raise InputError(
            f"a region of {width_um:g} um has no room off the centre of a bore of {bore_um:g} um, "
            f"with {off.clearance_um:g} um to spare"
        )
    rng = generator("region")
    distance, azimuth = room * math.sqrt(rng.random()), 2 * math.pi * rng.random()
    return distance * math.sin(azimuth), distance * math.cos(azimuth)


def draw_jitter_px(jitter: JitterParameters, views: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw how far the content of each interior view is displaced, shape (views, 2), (dz, du) in pixels.

    Parameters
    ----------
    jitter : JitterParameters
        As shares of `columns`.
    views, columns : int
        Of the interior scan.
    rng : numpy.random.Generator
        Of the stage `misalignment`.
    """
    walk = np.cumsum(jitter.walk_share * rng.standard_normal((views, 2)), axis=0)
    spread = jitter.uniform_share * rng.uniform(-1, 1, (views, 2))
    azimuth = rng.uniform(0, 2 * np.pi, views)
    jumps = rng.random(views) < jitter.jump_probability
    jump = jitter.jump_share * jumps[:, None] * np.stack([np.sin(azimuth), np.cos(azimuth)], axis=1)
    return np.asarray(columns * np.clip(walk + spread + jump, -jitter.largest_share, jitter.largest_share))


def acquire_pair(
    lac: NDArray[np.float32],
    bore: NDArray[np.float32],
    *,
    rows: int,
    voxel_size_nm: float,
    centre_um: tuple[float, float],
    parameters: PairParameters,
    generator: GeneratorOf,
    keys: Mapping[str, int],
    threads: int | None = None,
) -> Pair:
    """Take both scans of a specimen.

    Absorbance through each lens, every depth with its own blur (linear in LAC) -> shift -> transmission -> detector
    pixels -> counts.

    Parameters
    ----------
    lac : ndarray, shape (z, y, x), float32, 1/um
        The scene, with the rows of `PairParameters.margin_rows` above and below.
    bore : ndarray, shape (z, y, x), float32
        Share of each voxel inside the bore; its shadow at 0 degrees is where `detected_photons_per_pixel` holds.
    rows : int
        Rows of the slab: of the interior scan.
    voxel_size_nm : float, nm
        Edge of a voxel and of an interior pixel.
    centre_um : tuple of two float, um
        Centre (y, x) of the region.
    parameters : PairParameters
        How.
    generator : callable
        Stage `misalignment`.
    keys : mapping of int
        64-bit keys by scan (`interior`, `full`, `interior_360`, `full_360`) and for the thinning (`interior_thinned`,
        `full_thinned`).
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.

    Raises
    ------
    InputError
        For arrays of other shapes, and a region that leaves the field.
    """
    depth, height, width = lac.shape
    margin = parameters.margin_rows(width)
    if bore.shape != lac.shape or height != width or depth != rows + 2 * margin:
        raise InputError(
            f"lac {lac.shape} and bore {bore.shape} do not belong together: expected ({rows} + 2 * {margin}, n, n)"
        )
    columns = parameters.interior_columns(width)
    distance_px = 1000 * math.hypot(*centre_um) / voxel_size_nm
    if distance_px + columns / 2 > width / 2:
        raise InputError(
            f"the region lies outside the field of view: its centre is {math.hypot(*centre_um):g} um from the axis and "
            f"it is {columns * voxel_size_nm / 1000:g} um wide, in a field of {width * voxel_size_nm / 1000:g} um"
        )
    camera = _Camera(lac, rows, margin, voxel_size_nm, parameters, threads)
    incident = _open_beam(camera, bore, parameters)
    series: dict[str, TiltSeries] = {}
    shifts: dict[str, NDArray[np.float64]] = {}
    turns = {"": False, "_360": True} if parameters.mirror_images else {"": False}
    for suffix, mirrors in turns.items():
        angles = full_rotation_deg(parameters.interior_views, mirror_images=mirrors)
        theta = np.deg2rad(angles)
        offset = 1000 / voxel_size_nm * (centre_um[1] * np.cos(theta) + centre_um[0] * np.sin(theta))
        moved = np.zeros((angles.size, 2))
        if parameters.jitter is not None:
            moved = draw_jitter_px(parameters.jitter, angles.size, columns, generator(f"misalignment{suffix}"))
        expected = incident * camera.interior(angles, moved - np.stack([0 * offset, offset], axis=1), columns)
        name = f"interior{suffix}"
        series |= _exposures(name, expected, angles, voxel_size_nm, incident, parameters, keys, offset, threads)
        shifts[name] = 0.0 - moved
        angles = full_rotation_deg(parameters.full_views, mirror_images=mirrors)
        area = parameters.full_binning**2
        expected = incident * area * camera.full(angles)
        pixel = voxel_size_nm * parameters.full_binning
        name = f"full{suffix}"
        series |= _exposures(name, expected, angles, pixel, incident * area, parameters, keys, None, threads)
    return Pair(series, shifts, floored_share(series["interior"].counts))


class _Camera:
    """Expected transmission of a scene through either lens."""

    def __init__(
        self,
        lac: NDArray[np.float32],
        rows: int,
        margin: int,
        voxel_size_nm: float,
        parameters: PairParameters,
        threads: int | None,
    ) -> None:
        self.lac, self.rows, self.margin, self.voxel_size_nm = lac, rows, margin, voxel_size_nm
        self.p, self.threads = parameters, threads

    def interior(
        self, angles_deg: NDArray[np.float64], moved_px: NDArray[np.float64], columns: int
    ) -> NDArray[np.float32]:
        """Transmission of the interior scan, its content displaced by (dz, du), shape (n, rows, columns)."""
        light = self._light(angles_deg, self.p.interior_lens, columns, moved_px)
        return np.ascontiguousarray(light[:, self.margin : self.margin + self.rows])

    def full(self, angles_deg: NDArray[np.float64]) -> NDArray[np.float32]:
        """Transmission of the full-field scan, averaged over its larger pixels."""
        width, binning = self.lac.shape[2], self.p.full_binning
        more = self.p.shift_rows(width)
        light = self._light(angles_deg, self.p.full_lens, width, None)
        light = light[:, self.margin - more : self.margin + self.rows + more]
        n, height, _ = light.shape
        shape = n, height // binning, binning, width // binning, binning
        binned: NDArray[np.float32] = light.reshape(shape).mean(axis=(2, 4), dtype=np.float32)
        return binned

    def _light(
        self,
        angles_deg: NDArray[np.float64],
        lens: LensParameters,
        columns: int,
        moved_px: NDArray[np.float64] | None,
    ) -> NDArray[np.float32]:
        absorbance = project_through_lens(
            self.lac,
            angles_deg,
            voxel_size_nm=self.voxel_size_nm,
            columns=columns,
            lens=lens.at(self.p.energy_ev),
            shifts_px=moved_px,
            threads=self.threads,
        )
        np.negative(absorbance, out=absorbance)
        return np.exp(absorbance, out=absorbance)


def _open_beam(camera: _Camera, bore: NDArray[np.float32], parameters: PairParameters) -> float:
    """Photons per interior pixel without a specimen, from the mean transmission behind the bore at 0 degrees."""
    binning = parameters.full_binning
    more = parameters.shift_rows(bore.shape[2])
    rows = slice(camera.margin - more, camera.margin + camera.rows + more)
    shadow = bore[rows].max(axis=1) >= 0.5
    height, width = shadow.shape
    covered = shadow.reshape(height // binning, binning, width // binning, binning).mean(axis=(1, 3)) >= 0.5
    behind = camera.full(np.zeros(1))[0][covered]
    if not behind.size:
        raise InputError("no detector pixel lies behind the bore at 0 degrees, so the exposure cannot be set")
    return parameters.detected_photons_per_pixel / float(np.mean(behind, dtype=np.float64))


def _exposures(
    name: str,
    expected: NDArray[np.float32],
    angles_deg: NDArray[np.float64],
    pixel_size_nm: float,
    incident: float,
    parameters: PairParameters,
    keys: Mapping[str, int],
    offset_px: NDArray[np.float64] | None,
    threads: int | None,
) -> dict[str, TiltSeries]:
    """Draw the counts of one scan: the high exposure first, the other by thinning it."""
    high = parameters.high_exposure

    def series(counts: NDArray[np.uint32], photons: float) -> TiltSeries:
        return TiltSeries(
            counts=counts,
            incident_photons=np.full(angles_deg.size, photons),
            angles_deg=angles_deg,
            pixel_size_nm=pixel_size_nm,
            energy_ev=parameters.energy_ev,
            column_offset_px=offset_px,
        )

    counts = poisson_counts(expected.astype(np.float32) * np.float32(high), keys[name], threads=threads)
    if high == 1:
        return {name: series(counts, incident)}
    thinned = thin_counts(counts, 1 / high, keys[f"{name}_thinned"], threads=threads)
    return {name: series(thinned, incident), f"{name}_high": series(counts, incident * high)}
