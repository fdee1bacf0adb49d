"""The projector against its peers, in one run: ratios, and the distance from what this machine's cores can do.

Peers do not take whole volumes, or take minutes for them: they are timed on a few slices and scaled, as their times are
proportional to slices. Ours is timed on the whole volume.
"""

import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.environment import cpu
from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.jit import kernel
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import fbp

PIXEL_NM = 35.0
OPERATIONS = ("forward", "adjoint", "FBP")
REPEATS = 5
_OPTIONAL = {"astra CPU linear": ("astra", "astra"), "finufft, eps 1e-3": ("finufft", "bench")}

Times = dict[str, float]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Peer:
    """One way to project.

    Parameters
    ----------
    name : str
        As printed.
    slices : int
        That it is timed on; its times are scaled to the whole volume.
    run : dict of callable
        By operation; what a peer does not have is left out.
    """

    name: str
    slices: int
    run: dict[str, Callable[[], Any]]


def projector_table(sizes: list[int], n_angles: int, report: Report | None = None) -> str:
    """Measure all sizes and return a Markdown table with notes.

    Parameters
    ----------
    sizes : list of int
        Edges of the volumes, voxels.
    n_angles : int
        Views over 180 degrees.
    report : callable, optional
        Called with the name of what is being measured.

    Raises
    ------
    InputError
        For sizes or a number of views that make no measurement.
    """
    if not sizes or any(size < 16 or size > 1024 for size in sizes):
        raise InputError(f"sizes are {sizes}, expected whole numbers from 16 to 1024")
    if not 2 <= n_angles <= 2000:
        raise InputError(f"{n_angles} views, expected 2 to 2000")
    tell = report or (lambda line: None)
    missing = [name for name, (module, _) in _OPTIONAL.items() if importlib.util.find_spec(module) is None]
    tell("limits of the machine")
    loads, multiplies = load_limit(), multiply_limit()
    threads = ParallelBeam(_geometry(16, 2, 1), (1, 16, 16)).threads
    lines = [
        f"{cpu()}, {threads} threads for ours, {n_angles} views over 180 degrees, whole n^3 volumes, seconds "
        f"(medians of {REPEATS}, interleaved); in brackets: times as long as ours.",
        "",
        "| n | method | forward | adjoint | FBP | timed on |",
        "|---|---|---|---|---|---|",
    ]
    shares = []
    for size in sizes:
        peers = _peers(size, n_angles)
        found = _measure(peers, size, tell)
        ours = found["sxtbench (numba)"]
        for peer in peers:
            cells = [_cell(found[peer.name].get(operation), ours[operation]) for operation in OPERATIONS]
            timed = "all slices" if peer.slices == size else f"{peer.slices} of {size} slices, scaled"
            lines.append(f"| {size} | {peer.name} | {' | '.join(cells)} | {timed} |")
        pairs = float(size) ** 3 * n_angles
        by_loads = pairs * 8 / (loads * threads) / ours["forward"]
        by_arithmetic = pairs * 2 / (multiplies * threads) / ours["forward"]
        shares.append(f"{size}^3: {by_loads:.0%} of the L2 bound, {by_arithmetic:.0%} of the arithmetic bound")
    largest = max(sizes)
    tell(f"memory at {largest}^3")
    start, extra = _in_a_process(min(64, largest), n_angles)[0], _in_a_process(largest, n_angles)[1]
    lines += [
        "",
        f"One thread loads {loads / 1e9:.0f} GB/s from its L2 cache and does {multiplies / 1e9:.0f} G multiply-adds a "
        "second, measured in the same run. A forward projection loads two values and does two multiply-adds for each "
        f"voxel and view; it runs at {'; '.join(shares)}.",
        "",
        f"Peak memory of a forward projection at {largest}^3 beside volume and views: {extra / 2**20:.0f} MiB. A "
        f"second process projects {start:.2f} s after its imports, with kernels from the cache.",
    ]
    lines += [
        f"Not installed, so not measured: {name} (`pip install 'sxtbench[{_OPTIONAL[name][1]}]'`)." for name in missing
    ]
    return "\n".join(lines)


def _cell(seconds: float | None, ours: float) -> str:
    if seconds is None:
        return ""
    ratio = seconds / ours
    return f"{seconds:.3g} ({ratio:.1f}x)" if ratio < 10 else f"{seconds:.3g} ({ratio:.0f}x)"


def _geometry(size: int, n_angles: int, slices: int) -> ParallelGeometry:
    return ParallelGeometry(
        angles_deg=np.arange(n_angles, dtype=np.float64) * (180 / n_angles),
        columns=size,
        slices=slices,
        pixel_size_nm=PIXEL_NM,
    )


def _measure(peers: list[Peer], size: int, tell: Report) -> dict[str, Times]:
    """Time every operation of every peer, one after the other in each round."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for peer in peers:
        for operation, run in peer.run.items():
            tell(f"{size}: {peer.name}, {operation}, first call")
            run()
    for repeat in range(REPEATS):
        for peer in peers:
            for operation, run in peer.run.items():
                tell(f"{size}: round {repeat + 1} of {REPEATS}, {peer.name}, {operation}")
                start = perf_counter()
                run()
                seconds.setdefault((peer.name, operation), []).append(perf_counter() - start)
    return {
        peer.name: {
            operation: statistics.median(seconds[peer.name, operation]) * size / peer.slices for operation in peer.run
        }
        for peer in peers
    }


def _peers(size: int, n_angles: int) -> list[Peer]:
    rng = np.random.default_rng(0)
    volume = rng.random((size, size, size), np.float32)
    few = 2 if size <= 256 else 1
    some = min(size, 32)
    peers = [_ours(volume, n_angles)]
    if importlib.util.find_spec("astra") is not None:
        peers.append(_astra(volume[:few], n_angles))
    peers.append(_scikit_image(volume[:1], n_angles))
    peers.append(_csr(volume[:some], n_angles))
    if importlib.util.find_spec("finufft") is not None:
        peers.append(_finufft(volume[:some], n_angles))
    return peers


def _ours(volume: NDArray[np.float32], n_angles: int) -> Peer:
    geometry = _geometry(volume.shape[2], n_angles, len(volume))
    A = ParallelBeam(geometry, volume.shape)
    views = A(volume)
    run = {"forward": lambda: A(volume), "adjoint": lambda: A.T(views), "FBP": lambda: fbp(views, geometry)}
    return Peer("sxtbench (numba)", len(volume), run)


def _astra(volume: NDArray[np.float32], n_angles: int) -> Peer:
    import astra

    n = volume.shape[2]
    angles = -np.deg2rad(np.arange(n_angles) * (180 / n_angles))
    grid = astra.create_vol_geom(n, n)
    beam = astra.create_proj_geom("parallel", 1.0, n, angles)
    projector = astra.create_projector("linear", beam, grid)
    image, sinogram = astra.data2d.create("-vol", grid), astra.data2d.create("-sino", beam)

    def algorithm(name: str, data: str) -> int:
        config = astra.astra_dict(name)
        config |= {"ProjectorId": projector, "ProjectionDataId": sinogram, f"{data}DataId": image}
        return int(astra.algorithm.create(config))

    forward, adjoint = algorithm("FP", "Volume"), algorithm("BP", "Reconstruction")
    filtered = algorithm("FBP", "Reconstruction")

    def each(chosen: int) -> None:
        for plane in volume:
            if chosen == forward:
                astra.data2d.store(image, plane)
            astra.algorithm.run(chosen)

    run = {"forward": lambda: each(forward), "adjoint": lambda: each(adjoint), "FBP": lambda: each(filtered)}
    return Peer("astra CPU linear", len(volume), run)


def astra_slice(size: int, n_angles: int) -> Callable[[], float]:
    """Return a function that projects one slice by ASTRA on the CPU (`linear`) and returns the seconds it took.

    Parameters
    ----------
    size : int
        Edge of the slice, voxels.
    n_angles : int
        Views over 180 degrees.
    """
    volume = np.random.default_rng(0).random((1, size, size), np.float32)
    forward = _astra(volume, n_angles).run["forward"]
    forward()

    def timed() -> float:
        start = perf_counter()
        forward()
        return perf_counter() - start

    return timed


def _scikit_image(volume: NDArray[np.float32], n_angles: int) -> Peer:
    from skimage import transform

    radon, iradon = (getattr(transform, name) for name in ("radon", "iradon"))  # without types of their own
    theta = np.arange(n_angles) * (180 / n_angles)
    disc = np.hypot(*(np.indices(volume.shape[1:]) - (volume.shape[2] - 1) / 2)) < volume.shape[2] / 2 - 1
    plane = volume[0] * disc
    sinogram = radon(plane, theta, circle=True)
    run = {
        "forward": lambda: radon(plane, theta, circle=True),
        "FBP": lambda: iradon(sinogram, theta, circle=True),
    }
    return Peer("scikit-image", 1, run)


def _csr(volume: NDArray[np.float32], n_angles: int) -> Peer:
    n = volume.shape[2]
    matrix = joseph_matrix(_geometry(n, n_angles, 1), n)
    transposed = matrix.T.tocsr()
    dense = np.ascontiguousarray(volume.reshape(len(volume), -1).T)
    views = matrix @ dense
    return Peer(
        "scipy CSR (matrix built before)",
        len(volume),
        {"forward": lambda: matrix @ dense, "adjoint": lambda: transposed @ views},
    )


def joseph_matrix(geometry: ParallelGeometry, n: int) -> Any:
    """Return Joseph's weights of one n x n slice as a sparse matrix, shape (n_angles * n_columns, n * n), float32.

    Parameters
    ----------
    geometry : ParallelGeometry
        Without offsets, its pixel the voxel.
    n : int
        Voxels along x and y.
    """
    from scipy.sparse import csr_array, vstack

    rows = []
    centre = (n - 1) / 2
    u = np.arange(geometry.columns) - (geometry.columns - 1) / 2
    line = np.arange(n)
    for angle in np.deg2rad(np.asarray(geometry.angles_deg)):
        cos, sin = np.cos(angle), np.sin(angle)
        across = abs(cos) >= abs(sin)
        major, minor = (cos, sin) if across else (sin, cos)
        position = (u[:, None] - (line - centre) * minor) / major + centre
        low = np.floor(position).astype(np.int64)
        parts = []
        for element, weight in ((low, 1 - (position - low)), (low + 1, position - low)):
            inside = (element >= 0) & (element < n)
            ray, at = np.nonzero(inside)
            chosen = element[inside]
            voxel = at * n + chosen if across else chosen * n + at
            values = (weight[inside] * geometry.pixel_size_nm / 1000 / abs(major)).astype(np.float32)
            parts.append(csr_array((values, (ray, voxel)), shape=(geometry.columns, n * n)))
        rows.append(parts[0] + parts[1])
    return vstack(rows, format="csr")


def _finufft(volume: NDArray[np.float32], n_angles: int) -> Peer:
    """Projections by the slice theorem: the transform on lines through the origin, then back along each line."""
    import finufft
    from scipy.fft import irfft, rfft

    slices, n = len(volume), volume.shape[2]
    theta = np.deg2rad(np.arange(n_angles) * (180 / n_angles)).astype(np.float32)[:, None]
    omega = (2 * np.pi * np.arange(n // 2 + 1) / n).astype(np.float32)
    points = [np.ascontiguousarray((part * omega).ravel()) for part in (np.sin(theta), np.cos(theta))]
    plans = []
    for kind, sign in ((2, -1), (1, 1)):
        plan = finufft.Plan(kind, (n, n), n_trans=slices, eps=1e-3, isign=sign, dtype="complex64")
        plan.setpts(*points)
        plans.append(plan)
    to_lines, from_lines = plans
    image = volume.astype(np.complex64)
    views = np.random.default_rng(1).random((slices, n_angles, n), np.float32)
    ramp = omega / (2 * n_angles)

    def forward() -> Any:
        return irfft(to_lines.execute(image).reshape(slices, n_angles, -1), n, workers=2)

    def back(weights: NDArray[np.float32] | float) -> Any:
        spectrum = (rfft(views, n, workers=2) * weights).astype(np.complex64)
        return from_lines.execute(spectrum.reshape(slices, -1)).real

    run = {"forward": forward, "adjoint": lambda: back(1.0), "FBP": lambda: back(ramp)}
    return Peer("finufft, eps 1e-3", slices, run)


@kernel
def _sum(values: NDArray[np.float32], times: int) -> float:
    total = 0.0
    for _ in range(times):
        part = values[0]
        for i in range(1, values.size):
            part += values[i]
        total += part
    return total


@kernel
def _polynomial(values: NDArray[np.float32], x: np.float32, times: int) -> None:
    """Twelve multiply-adds on each value, written out so that values, not steps, are taken side by side."""
    for _ in range(times):
        for i in range(values.size):
            y = values[i] * x + x
            y = y * x + x
            y = y * x + x
            y = y * x + x
            y = y * x + x
            y = y * x + x
            y = y * x + x
            y = y * x + x
            y = y * x + x
            y = y * x + x
            y = y * x + x
            values[i] = y * x + x


def load_limit() -> float:
    """Bytes a second that one thread loads from its L2 cache: a vectorised sum over 256 KiB."""
    values = np.ones(2**16, np.float32)
    return _best(lambda: _sum(values, 1000), values.nbytes * 1000)


def multiply_limit() -> float:
    """Multiply-adds a second of one thread in float32, without loads beyond the nearest cache."""
    values = np.ones(2048, np.float32)
    return _best(lambda: _polynomial(values, np.float32(0.5), 4000), values.size * 12 * 4000)


def _best(run: Callable[[], Any], work: float) -> float:
    run()
    seconds = []
    for _ in range(REPEATS):
        start = perf_counter()
        run()
        seconds.append(perf_counter() - start)
    return work / min(seconds)


_CHILD = """
import sys, time
import numpy as np
from sxtbench.benchmark.environment import peak_memory_mb
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam
size, n_angles = int(sys.argv[1]), int(sys.argv[2])
angles = np.arange(n_angles) * (180 / n_angles)
geometry = ParallelGeometry(angles_deg=angles, columns=size, slices=size, pixel_size_nm=35)
volume = np.ones((size, size, size), np.float32)
small = ParallelGeometry(angles_deg=[0, 60], columns=32, slices=16, pixel_size_nm=35)
start = time.perf_counter()
ParallelBeam(small, (16, 32, 32))(np.ones((16, 32, 32), np.float32))
ready = time.perf_counter() - start
before = peak_memory_mb()
views = ParallelBeam(geometry, volume.shape)(volume)
print(ready, (peak_memory_mb() - before) * 1e6 - views.nbytes)
"""


def _in_a_process(size: int, n_angles: int) -> tuple[float, float]:
    """Return seconds from import to the first projection, and a projection's extra peak memory in bytes."""
    ran = subprocess.run(
        [sys.executable, "-c", _CHILD, str(size), str(n_angles)], capture_output=True, text=True, check=True
    )
    ready, extra = ran.stdout.split()
    return float(ready), max(0.0, float(extra))
