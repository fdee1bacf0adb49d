"""Cracks in vitreous ice: the boundaries between regions that grow, compete and meet on a coarse lattice.

Seeds lie at random in the ice. From each a front spreads with locally varying speed (gradient noise; slower along one
random axis). Where the fronts of two regions meet at the same time, the ice breaks: thin sheets that branch at the
edges where three regions meet. The idea is the SimAQ paper's (section 3.1.2); the method here is fast marching with the
first two arrivals kept in every node. The lattice lies in world coordinates, so the cracks do not depend on the
sampling of the volume they are put into.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sxtbench.distributions import Distribution, Parameters
from sxtbench.geometry import VolumeGrid
from sxtbench.jit import exact_kernel
from sxtbench.specimens.texture import gradient_noise

_LONGEST_AXIS = 64  # lattice nodes


class CrackParameters(Parameters):
    """Cracks of the ice.

    Parameters
    ----------
    region_um : float, um
        Edge of the cube of ice that holds one region on average; fewer than two regions give no crack.
    thickness_um : Distribution, um
        Opening of the cracks where they are widest, drawn once a scene.
    rim_share : float
        Width of the dense rim on either side, as a share of the local opening.
    rim_lac_per_um : Distribution, 1/um
        LAC of the rims above that of ice, drawn once a scene.
    roughness : float
        Standard deviation of the logarithm of the fronts' slowness.
    roughness_um : float, um
        Distance over which the slowness changes.
    anisotropy : float
        Factor by which fronts are slower along one random axis.
    modulation : float
        The local opening is `thickness * clip(0.5 + modulation * noise, 0, 1)`: cracks narrow and end.
    modulation_um : float, um
        Distance over which the opening changes.
    """

    region_um: Annotated[float, Field(gt=0)]
    thickness_um: Distribution
    rim_share: Annotated[float, Field(ge=0)]
    rim_lac_per_um: Distribution
    roughness: Annotated[float, Field(ge=0, le=3)]
    roughness_um: Annotated[float, Field(gt=0)]
    anisotropy: Annotated[float, Field(ge=1)]
    modulation: Annotated[float, Field(ge=0)]
    modulation_um: Annotated[float, Field(gt=0)]


@dataclass(frozen=True, eq=False)
class CrackField:
    """Cracks on their lattice, to be sampled anywhere.

    Parameters
    ----------
    lattice : VolumeGrid
        Nodes, centred on the volume.
    arrival : ndarray, shape (2, z, y, x), float64
        Times of the first and of the second region's front.
    region : ndarray, shape (2, z, y, x), int32
        Which regions these are.
    opening_um : ndarray, shape (z, y, x), float32, um
        Local opening of a crack that passes here.
    rim_share, rim_lac_per_um : float
        As drawn.
    """

    lattice: VolumeGrid
    arrival: NDArray[np.float64]
    region: NDArray[np.int32]
    opening_um: NDArray[np.float32]
    rim_share: float
    rim_lac_per_um: float


def grow_cracks(
    extent_um: tuple[float, float, float], parameters: CrackParameters, rng: np.random.Generator
) -> CrackField | None:
    """Grow the cracks of a block of ice.

    Parameters
    ----------
    extent_um : tuple of three float, um
        Edges (z, y, x) of the block, centred on the volume.
    parameters : CrackParameters
        What is drawn.
    rng : numpy.random.Generator
        Draws all of it.

    Returns
    -------
    CrackField or None
        None if fewer than two regions were drawn.
    """
    spacing = max(extent_um) / (_LONGEST_AXIS - 3)
    shape = tuple(int(np.ceil(edge / spacing - 1e-9)) + 3 for edge in extent_um)
    lattice = VolumeGrid(shape=(shape[0], shape[1], shape[2]), voxel_size_nm=spacing * 1000)
    regions = int(rng.poisson(np.prod(extent_um) / parameters.region_um**3))
    slow_axis = int(rng.integers(3))
    thickness = parameters.thickness_um.draw(rng)
    rim_lac = parameters.rim_lac_per_um.draw(rng)
    slowness_key, opening_key = (int(key) for key in rng.integers(0, 2**64, 2, dtype=np.uint64))
    if regions < 2:
        return None
    places = rng.random((regions, 3))
    seeds = np.unique((1 + places * (np.array(shape) - 2)).astype(np.int64), axis=0)
    slowness = np.exp(parameters.roughness * gradient_noise(lattice, parameters.roughness_um, slowness_key))
    steps = np.full(3, spacing)
    steps[slow_axis] *= parameters.anisotropy
    arrival, region = _march(slowness.astype(np.float64), seeds, steps)
    share = 0.5 + parameters.modulation * gradient_noise(lattice, parameters.modulation_um, opening_key)
    return CrackField(
        lattice=lattice,
        arrival=arrival,
        region=region,
        opening_um=(thickness * np.clip(share, 0, 1)).astype(np.float32),
        rim_share=parameters.rim_share,
        rim_lac_per_um=rim_lac,
    )


def sample_cracks(
    field: CrackField,
    axes_um: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    voxel_size_um: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much of each voxel is void and how much is rim.

    Parameters
    ----------
    field : CrackField
        The cracks.
    axes_um : tuple of three ndarrays, float64, um
        Coordinates (z, y, x) of the voxels' centres; part of a volume gives that part.
    voxel_size_um : float, um
        Edge of a voxel: a sheet thinner than that fills its share of it.

    Returns
    -------
    void, rim : ndarray, shape (z, y, x), float32
        Shares from 0 to 1.
    """
    shape = tuple(len(axis) for axis in axes_um)
    void, rim = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    spacing = field.lattice.voxel_size_um
    z, y, x = (
        np.clip(axis / spacing + (n - 1) / 2, 0, n - 1 - 1e-9)
        for axis, n in zip(axes_um, field.lattice.shape, strict=True)
    )
    _sample(field.arrival, field.region, field.opening_um, spacing, field.rim_share, z, y, x, voxel_size_um, void, rim)
    return void, rim


@exact_kernel
def _march(slowness: Any, seeds: Any, steps: Any) -> Any:
    """Spread a front from each seed; return the first two arrivals (2, z, y, x) and their regions in every node."""
    shape = slowness.shape
    size = slowness.size
    stride = np.array([shape[1] * shape[2], shape[2], 1])
    cost = slowness.ravel()
    arrival = np.full((2, size), np.inf)
    region = np.full((2, size), -1, np.int32)
    # a binary heap of (time, node, region); entries that come too late are skipped when they surface
    room = 12 * size + len(seeds) + 1
    heap_time = np.empty(room)
    heap_node = np.empty(room, np.int32)
    heap_region = np.empty(room, np.int32)
    used = 0
    for i in range(len(seeds)):
        heap_time[used] = 0.0  # equal keys: already a heap
        heap_node[used] = seeds[i, 0] * stride[0] + seeds[i, 1] * stride[1] + seeds[i, 2]
        heap_region[used] = i
        used += 1
    best = np.empty(3)
    step = np.empty(3)
    position = np.empty(3, np.int64)
    while used > 0:
        time, node, own = heap_time[0], heap_node[0], heap_region[0]
        used -= 1
        last_time, last_node, last_region = heap_time[used], heap_node[used], heap_region[used]
        i = 0
        while True:
            child = 2 * i + 1
            if child >= used:
                break
            if child + 1 < used and heap_time[child + 1] < heap_time[child]:
                child += 1
            if heap_time[child] >= last_time:
                break
            heap_time[i], heap_node[i], heap_region[i] = heap_time[child], heap_node[child], heap_region[child]
            i = child
        heap_time[i], heap_node[i], heap_region[i] = last_time, last_node, last_region

        if region[0, node] == own or region[1, node] >= 0:
            continue
        slot = 0 if region[0, node] < 0 else 1
        arrival[slot, node] = time
        region[slot, node] = own
        rest = node
        for axis in range(3):
            position[axis] = rest // stride[axis]
            rest = rest % stride[axis]
        for axis in range(3):
            for way in (-1, 1):
                there = position[axis] + way
                if there < 0 or there >= shape[axis]:
                    continue
                other = node + way * stride[axis]
                if region[0, other] == own or region[1, other] >= 0:
                    continue
                # upwind times of this region's front along the three axes
                for d in range(3):
                    best[d] = np.inf
                    at = there if d == axis else position[d]
                    for side in (-1, 1):
                        if at + side < 0 or at + side >= shape[d]:
                            continue
                        from_ = other + side * stride[d]
                        for s in range(2):
                            if region[s, from_] == own:
                                best[d] = min(best[d], arrival[s, from_])
                    step[d] = steps[d]
                for d in range(2):  # ascending
                    for e in range(2 - d):
                        if best[e] > best[e + 1]:
                            best[e], best[e + 1] = best[e + 1], best[e]
                            step[e], step[e + 1] = step[e + 1], step[e]
                # |grad t| = cost, with as many axes as lie upwind of the answer
                found = best[0] + cost[other] * step[0]
                qa = 1.0 / step[0] ** 2
                qb = best[0] / step[0] ** 2
                qc = best[0] ** 2 / step[0] ** 2 - cost[other] ** 2
                for d in range(1, 3):
                    if best[d] >= found:
                        break
                    qa += 1.0 / step[d] ** 2
                    qb += best[d] / step[d] ** 2
                    qc += best[d] ** 2 / step[d] ** 2
                    inside = qb * qb - qa * qc
                    if inside < 0:
                        break
                    found = (qb + np.sqrt(inside)) / qa
                i = used
                used += 1
                while i > 0:
                    parent = (i - 1) // 2
                    if heap_time[parent] <= found:
                        break
                    heap_time[i], heap_node[i], heap_region[i] = (
                        heap_time[parent],
                        heap_node[parent],
                        heap_region[parent],
                    )
                    i = parent
                heap_time[i], heap_node[i], heap_region[i] = found, other, own
    return arrival.reshape((2, shape[0], shape[1], shape[2])), region.reshape((2, shape[0], shape[1], shape[2]))


@exact_kernel
def _sample(
    arrival: Any,
    region: Any,
    opening: Any,
    spacing: Any,
    rim_share: Any,
    zs: Any,
    ys: Any,
    xs: Any,
    voxel: Any,
    void: Any,
    rim: Any,
) -> Any:
    """Fill `void` and `rim`: partial volume of a sheet at a first-order distance from where two fronts meet.

    Within a lattice cell the lead of one region over the best other is signed, so that its interpolation crosses zero
    on the crack however thin that is. The distance is lead / |gradient|. Voxels that are too far for any share, by a
    bound without roots and divisions, are left at zero.
    """
    inverse = (1 + 1e-6) / spacing**2
    lead = np.empty(8)
    wide = np.empty(8)
    for iz in range(len(zs)):
        cz = int(zs[iz])
        fz = zs[iz] - cz
        for iy in range(len(ys)):
            cy = int(ys[iy])
            fy = ys[iy] - cy
            cell = -1
            active = False
            nearest = 0.0
            for ix in range(len(xs)):
                cx = int(xs[ix])
                if cx != cell:
                    cell = cx
                    # the cell's eight corners, once per run of voxels in it
                    same = True
                    first = region[0, cz, cy, cx]
                    widest = 0.0
                    least = np.inf
                    most = 0.0
                    for n in range(8):
                        z, y, x = cz + (n >> 2), cy + ((n >> 1) & 1), cx + (n & 1)
                        ahead = arrival[1, z, y, x] - arrival[0, z, y, x]
                        if region[0, z, y, x] == first:
                            lead[n] = ahead
                        else:
                            lead[n] = -ahead
                            same = False
                        wide[n] = opening[z, y, x]
                        widest = max(widest, wide[n])
                        least = min(least, lead[n])
                        most = max(most, lead[n])
                    reach = widest * (0.5 + rim_share) + voxel
                    nearest = (widest * (0.5 + rim_share) + 0.5 * voxel) * (1 + 1e-6)
                    active = widest > 0 and (not same or least < (most - least + 1e-9) / spacing * reach * 2)
                if not active:
                    continue
                fx = xs[ix] - cx
                x00 = lead[0] + fx * (lead[1] - lead[0])
                x01 = lead[2] + fx * (lead[3] - lead[2])
                x10 = lead[4] + fx * (lead[5] - lead[4])
                x11 = lead[6] + fx * (lead[7] - lead[6])
                y0 = x00 + fy * (x01 - x00)
                y1 = x10 + fy * (x11 - x10)
                gz = y1 - y0
                gy = (1 - fz) * (x01 - x00) + fz * (x11 - x10)
                gx = (1 - fz) * ((1 - fy) * (lead[1] - lead[0]) + fy * (lead[3] - lead[2])) + fz * (
                    (1 - fy) * (lead[5] - lead[4]) + fy * (lead[7] - lead[6])
                )
                ahead = y0 + fz * gz
                steep = gz * gz + gy * gy + gx * gx
                if ahead * ahead > nearest * nearest * (steep * inverse + 2e-18):
                    continue
                slope = np.sqrt(steep) / spacing
                d = abs(ahead) / (slope + 1e-12)
                width = 0.0
                for n in range(8):
                    width += (
                        wide[n]
                        * (fz if n >> 2 else 1 - fz)
                        * (fy if (n >> 1) & 1 else 1 - fy)
                        * (fx if n & 1 else 1 - fx)
                    )
                inner = 0.5 * width
                outer = inner + rim_share * width
                low = d - 0.5 * voxel
                high = d + 0.5 * voxel
                a = max(min(inner, high) - max(-inner, low), 0.0) / voxel
                b = max(min(outer, high) - max(-outer, low), 0.0) / voxel
                void[iz, iy, ix] = a
                rim[iz, iy, ix] = b - a
