"""The scene: cells in their slab of ice, with what else lies there (cracks, impurities, gold beads).

Ice is counted once (PROTOCOL 1.3). A scene is held as its *excess* over the plain slab of ice, because that is what
gets projected and is empty almost everywhere; the slab's own path length is known exactly.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sxtbench.acquisition.cracks import CrackParameters, grow_cracks, sample_cracks
from sxtbench.cores import available_cores
from sxtbench.distributions import Distribution, Parameters
from sxtbench.errors import InputError
from sxtbench.geometry import VolumeGrid
from sxtbench.jit import exact_kernel
from sxtbench.specimens.texture import add_gradient_noise

_CHUNK = 2  # planes worked on at a time
_SUPERSAMPLES = 12  # of a bead's voxels, along each axis
_TRIES = 200  # to place a bead
_MASK_PER_UM = 0.05  # an impurity this strong is masked (PROTOCOL 3)
_MASK_SHARE = 0.1  # a voxel is cracked if this much of it is void or rim

Volume = TypeVar("Volume", np.float32, np.bool_)

GeneratorOf = Callable[[str], np.random.Generator]
"""A stage's name (`randomness.STAGES`) -> its generator."""


class ImpurityParameters(Parameters):
    """Impurities of the ice: blobs where high-frequency gradient noise exceeds a threshold.

    Parameters
    ----------
    spacing_um : float, um
        Distance over which the noise changes.
    threshold_sd : float
        Threshold, in standard deviations of the noise.
    amplitude_per_um : Distribution, 1/um
        Extra LAC for each standard deviation above the threshold, drawn once a scene.
    """

    spacing_um: Annotated[float, Field(gt=0)]
    threshold_sd: float
    amplitude_per_um: Distribution


class FiducialParameters(Parameters):
    """Gold beads.

    Parameters
    ----------
    density_per_um2 : Distribution, 1/um^2
        Beads for each unit of the grid's area (z, x), drawn once a scene; the count is rounded.
    diameter_um : Distribution, um
        Diameter of each bead.
    lac_per_um : float, 1/um
        LAC of the metal.
    """

    density_per_um2: Distribution
    diameter_um: Distribution
    lac_per_um: Annotated[float, Field(gt=0)]


class SceneParameters(Parameters):
    """Ice and what lies in it.

    Parameters
    ----------
    ice_lac_per_um : float, 1/um
        LAC of vitreous ice at the working energy.
    ice_thickness_um : Distribution, um
        Thickness h of the slab |y| < h / 2.
    ice_clearance_um : float, um
        The slab is at least twice the cells' depth plus this.
    cracks, impurities, fiducials : parameters or None
        None leaves them out.
    """

    ice_lac_per_um: Annotated[float, Field(ge=0)]
    ice_thickness_um: Distribution
    ice_clearance_um: Annotated[float, Field(ge=0)]
    cracks: CrackParameters | None
    impurities: ImpurityParameters | None
    fiducials: FiducialParameters | None


@dataclass(frozen=True, eq=False)
class Scene:
    """What the beam passes through.

    Parameters
    ----------
    excess : ndarray, shape (z, y, x), float32, 1/um
        LAC of the scene minus that of the plain slab of ice.
    slab : ndarray, shape (y,), float32
        Share of each row that lies in the slab.
    ice_lac_per_um, ice_thickness_um : float
        The slab.
    masks : dict of ndarray, shape (z, y, x), bool
        `fiducials`, `cracks`, `impurities`.
    beads_um : ndarray, shape (n, 4), float64, um
        Centre (z, y, x) and radius of each gold bead.
    """

    excess: NDArray[np.float32]
    slab: NDArray[np.float32]
    ice_lac_per_um: float
    ice_thickness_um: float
    masks: dict[str, NDArray[np.bool_]]
    beads_um: NDArray[np.float64]

    def lac(self, *, factor: int = 1, columns: int | None = None) -> NDArray[np.float32]:
        """Return the scene's LAC on the target's grid.

        Parameters
        ----------
        factor : int
            Voxels an axis that make one of the target's; their mean is returned.
        columns : int, optional
            Columns of the target, cut from the centre; all by default.

        Returns
        -------
        ndarray, shape (z / factor, y / factor, columns), float32, 1/um
            LAC.
        """
        ice = np.float32(self.ice_lac_per_um) * self.slab.reshape(-1, factor).mean(axis=1)[:, None]
        if factor == 1:
            return np.asarray(_middle(self.excess, factor, columns) + ice)
        lac = to_target(self.excess, factor=factor, columns=columns)
        lac += ice
        return lac

    def mask(self, name: str, *, factor: int = 1, columns: int | None = None) -> NDArray[np.bool_]:
        """Return a mask on the target's grid: a voxel is in it if any of its parts is."""
        mask = _middle(self.masks[name], factor, columns)
        if factor == 1:
            return np.ascontiguousarray(mask)
        nz, ny, nx = (n // factor for n in mask.shape)
        return np.asarray(mask.reshape(nz, factor, ny, factor, nx, factor).any(axis=(1, 3, 5)))


def build_scene(
    specimen_lac: NDArray[np.float32],
    coverage: NDArray[np.float32],
    grid: VolumeGrid,
    *,
    half_depth_um: float,
    parameters: SceneParameters,
    generator: GeneratorOf,
    threads: int | None = None,
) -> Scene:
    """Put a specimen into ice.

    Parameters
    ----------
    specimen_lac : ndarray, shape (z, y, x), float32, 1/um
        LAC times `coverage`: zero outside cells, in their border voxels the share that the cell adds. **Overwritten**:
        it becomes the scene's `excess`, as a second volume of this size would be most of the memory.
    coverage : ndarray, shape (z, y, x), float32
        Share of each voxel that lies in a cell. No ice artefact enters cells.
    grid : VolumeGrid
        Sampling of both.
    half_depth_um : float, um
        Largest |y| of the cells.
    parameters : SceneParameters
        Ice, cracks, impurities, gold beads.
    generator : callable
        Stage -> generator; stages `ice`, `cracks`, `impurities`, `fiducials`.
    threads : int, optional
        Threads; all cores by default. The result does not depend on it.

    Returns
    -------
    Scene
        Its `excess` is `specimen_lac`.
    """
    if specimen_lac.shape != grid.shape or coverage.shape != grid.shape:
        raise InputError(
            f"specimen {specimen_lac.shape}, coverage {coverage.shape} and grid {grid.shape} differ in shape"
        )
    if specimen_lac.dtype != np.float32:
        raise InputError(f"the specimen is {specimen_lac.dtype}, expected float32: it is overwritten")
    thickness = max(parameters.ice_thickness_um.draw(generator("ice")), 2 * half_depth_um + parameters.ice_clearance_um)
    slab = _slab_share(grid, thickness)
    excess = specimen_lac
    rows = np.flatnonzero(slab)
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    masks = {name: np.zeros(grid.shape, np.bool_) for name in ("fiducials", "cracks", "impurities")}

    cracks = None
    if parameters.cracks is not None:
        extent = grid.size_um[0], min(thickness, grid.size_um[1]), grid.size_um[2]
        cracks = grow_cracks(extent, parameters.cracks, generator("cracks"))
    amplitude, noise_key = 0.0, 0
    if parameters.impurities is not None:
        rng = generator("impurities")
        amplitude = parameters.impurities.amplitude_per_um.draw(rng)
        noise_key = int(rng.integers(0, 2**64, dtype=np.uint64))
    axes = grid.axes_um()

    def planes(start: int) -> None:
        z = slice(start, min(start + _CHUNK, grid.shape[0]))
        here, place = excess[z, part], (axes[0][z], axes[1][part], axes[2])
        outside = np.empty(here.shape, np.float32)  # share of the voxel that is ice
        _take_slab_off(here, coverage[z, part], slab[part], np.float32(parameters.ice_lac_per_um), outside)
        if cracks is not None:
            void, rim = sample_cracks(cracks, place, grid.voxel_size_um)
            levels = np.float32(-parameters.ice_lac_per_um), np.float32(cracks.rim_lac_per_um)
            _add_cracks(here, outside, void, rim, *levels, masks["cracks"][z, part])
        if parameters.impurities is not None:
            noise = np.zeros(here.shape, np.float32)
            add_gradient_noise(noise, *place, spacing_um=parameters.impurities.spacing_um, key=noise_key)
            threshold = np.float32(parameters.impurities.threshold_sd)
            _add_impurities(here, outside, noise, threshold, np.float32(amplitude), masks["impurities"][z, part])

    with ThreadPoolExecutor(threads or available_cores()) as pool:
        list(pool.map(planes, range(0, grid.shape[0], _CHUNK)))

    beads = np.zeros((0, 4))
    if parameters.fiducials is not None:
        beads = _place_beads(coverage, grid, thickness, parameters.fiducials, generator("fiducials"))
        for bead in beads:
            box, share = _sphere_share(bead, grid)
            ice = np.float32(parameters.ice_lac_per_um) * slab[box[1], None]
            excess[box] += share * (np.float32(parameters.fiducials.lac_per_um) - (excess[box] + ice))
            masks["fiducials"][box] |= share > 0
    return Scene(
        excess=excess,
        slab=slab,
        ice_lac_per_um=parameters.ice_lac_per_um,
        ice_thickness_um=thickness,
        masks=masks,
        beads_um=beads,
    )


def to_target(volume: NDArray[np.float32], *, factor: int = 1, columns: int | None = None) -> NDArray[np.float32]:
    """Cut the centre columns out of a volume and average blocks of `factor` voxels an axis.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32
        On the simulation's grid.
    factor : int
        Voxels an axis of a block.
    columns : int, optional
        Columns of the result; all by default.

    Returns
    -------
    ndarray, shape (z / factor, y / factor, columns), float32
        A new array.
    """
    cut = _middle(volume, factor, columns)
    if factor == 1:
        return cut.copy()
    nz, ny, width = cut.shape
    out = np.zeros((nz // factor, ny // factor, width // factor), np.float32)
    for i in range(factor):
        for j in range(factor):
            for k in range(factor):
                out += cut[i::factor, j::factor, k::factor]
    out /= factor**3
    return out


def _middle(volume: NDArray[Volume], factor: int, columns: int | None) -> NDArray[Volume]:
    """Return the columns that a target covers, as a view."""
    nz, ny, nx = volume.shape
    width = nx if columns is None else columns * factor
    if width > nx or (nx - width) % 2:
        raise InputError(
            f"cannot cut {width} columns from the centre of {nx}: the difference must be even and not negative"
        )
    if nz % factor or ny % factor or width % factor:
        raise InputError(f"shape {(nz, ny, width)} is not a multiple of the factor {factor}")
    first = (nx - width) // 2
    return volume[:, :, first : first + width]


def _slab_share(grid: VolumeGrid, thickness: float) -> NDArray[np.float32]:
    """Share of each row that lies in |y| < thickness / 2."""
    y, edge = grid.axes_um()[1], grid.voxel_size_um
    inside = np.minimum(y + edge / 2, thickness / 2) - np.maximum(y - edge / 2, -thickness / 2)
    share = np.clip(inside / edge, 0, 1)
    share[share < 1e-9] = 0
    return share.astype(np.float32)


@exact_kernel
def _take_slab_off(
    excess: NDArray[np.float32],
    coverage: NDArray[np.float32],
    slab: NDArray[np.float32],
    ice_lac: np.float32,
    outside: NDArray[np.float32],
) -> None:
    """Take the slab off everywhere: cells put their water back with their own LAC. Also fill in the ice's share."""
    for k in range(excess.shape[0]):
        for j in range(excess.shape[1]):
            for i in range(excess.shape[2]):
                outside[k, j, i] = slab[j] * (np.float32(1) - coverage[k, j, i])
                excess[k, j, i] -= ice_lac * (slab[j] - outside[k, j, i])


@exact_kernel
def _add_cracks(
    excess: NDArray[np.float32],
    outside: NDArray[np.float32],
    void: NDArray[np.float32],
    rim: NDArray[np.float32],
    void_lac: np.float32,
    rim_lac: np.float32,
    mask: NDArray[np.bool_],
) -> None:
    """Open the cracks in part of a volume, in place."""
    for k in range(excess.shape[0]):
        for j in range(excess.shape[1]):
            for i in range(excess.shape[2]):
                empty, dense = void[k, j, i] * outside[k, j, i], rim[k, j, i] * outside[k, j, i]
                mask[k, j, i] |= empty + dense > np.float32(_MASK_SHARE)
                excess[k, j, i] = excess[k, j, i] + empty * void_lac + dense * rim_lac


@exact_kernel
def _add_impurities(
    excess: NDArray[np.float32],
    outside: NDArray[np.float32],
    noise: NDArray[np.float32],
    threshold: np.float32,
    amplitude: np.float32,
    mask: NDArray[np.bool_],
) -> None:
    """Add what noise exceeds its threshold by, in place."""
    for k in range(excess.shape[0]):
        for j in range(excess.shape[1]):
            for i in range(excess.shape[2]):
                extra = max(noise[k, j, i] - threshold, np.float32(0)) * outside[k, j, i] * amplitude
                excess[k, j, i] += extra
                mask[k, j, i] = extra > np.float32(_MASK_PER_UM)


def _place_beads(
    coverage: NDArray[np.float32],
    grid: VolumeGrid,
    thickness: float,
    parameters: FiducialParameters,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw beads within the slab, outside cells, apart from each other; (n, 4): centre and radius, um."""
    z, y, x = grid.size_um
    count = round(parameters.density_per_um2.draw(rng) * z * x)
    beads = np.zeros((0, 4))
    for _ in range(count):
        radius = parameters.diameter_um.draw(rng) / 2
        room = np.array([z, min(thickness, y), x]) / 2 - radius - grid.voxel_size_um
        for _ in range(_TRIES):
            centre = rng.uniform(-1, 1, 3) * room
            apart = np.linalg.norm(beads[:, :3] - centre, axis=1) > beads[:, 3] + radius + grid.voxel_size_um
            bead = np.append(centre, radius)
            if np.all(room > 0) and np.all(apart) and not np.any(coverage[_box(bead, grid)] > 0):
                beads = np.vstack([beads, bead])
                break
    return beads


def _box(bead: NDArray[np.float64], grid: VolumeGrid) -> tuple[slice, slice, slice]:
    """Voxels that a bead may touch."""
    low, high = ((bead[:3] + side * bead[3]) / grid.voxel_size_um + (np.array(grid.shape) - 1) / 2 for side in (-1, 1))
    first = np.maximum(np.floor(low).astype(int), 0)
    last = np.minimum(np.ceil(high).astype(int), np.array(grid.shape) - 1)
    z, y, x = (slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
    return z, y, x


def _sphere_share(
    bead: NDArray[np.float64], grid: VolumeGrid
) -> tuple[tuple[slice, slice, slice], NDArray[np.float32]]:
    """Share of the voxels in a bead's box that it fills, by supersampling."""
    box = _box(bead, grid)
    parts = (np.arange(_SUPERSAMPLES) + 0.5) / _SUPERSAMPLES - 0.5
    squares = []
    for axis, part, centre in zip(grid.axes_um(), box, bead[:3], strict=True):
        points = axis[part][:, None] + parts * grid.voxel_size_um - centre
        squares.append(points.reshape(-1) ** 2)
    inside = squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :] < bead[3] ** 2
    n = [len(s) // _SUPERSAMPLES for s in squares]
    blocks = inside.reshape(n[0], _SUPERSAMPLES, n[1], _SUPERSAMPLES, n[2], _SUPERSAMPLES)
    return box, blocks.mean(axis=(1, 3, 5)).astype(np.float32)
