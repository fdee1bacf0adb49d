"""What a biologist reads off a label volume: a row an organelle, a row a cell and kind, as tables.

Volumes are sums of voxels. Surfaces are measured by Crofton's formula over the 13 directions between neighbouring
voxels, which has no bias from the voxels' staircase. Distances run from surface to surface.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.labels import NAMES
from sxtbench.metrics.instances import (
    RULES,
    Body,
    Rule,
    bodies_of,
    boundary,
    box_of,
    cells_of,
    checked_labels,
    edges_um,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Quantities", "quantify", "surface_um2"]

_Edges = tuple[float, float, float]
_FEW = 64  # boundary voxels that are looked up first, for an upper bound of a distance


@dataclass(frozen=True, eq=False)
class Quantities:
    """The two tables of `quantify`.

    Parameters
    ----------
    organelles : pandas.DataFrame
        A row an object: id (from 1), class, kind (its name), cell (0: in none), voxels, volume_um3,
        equivalent_radius_um, surface_um2, sphericity, mean_lac_per_um (NaN without LAC), z_um, y_um, x_um (centre of
        mass, from the corner of the volume), extent_z_um, extent_y_um, extent_x_um, at_border (the volume cuts it),
        to_cell_surface_um, and to_<kind>_um for every kind that is there.
    cells : pandas.DataFrame
        A row a cell and kind: cell (0: objects that lie in none), class, kind, count, volume_um3, share (of the cell's
        volume; NaN where there is no cell), mean_lac_per_um. The kind `cell` is the cell as a whole.
    """

    organelles: "pd.DataFrame"
    cells: "pd.DataFrame"


def quantify(
    labels: ArrayLike,
    *,
    voxel_size_nm: float | Sequence[float],
    lac: ArrayLike | None = None,
    names: Mapping[int, str] = NAMES,
    rules: Mapping[int, Rule] = RULES,
) -> Quantities:
    """Measure every organelle and every cell of a label volume.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), any integer dtype, labels in [0, 255]
        Suite-wide ids (`sxtbench.labels`); 255 is unlabelled.
    voxel_size_nm : float or three float, nm
        Edge of a voxel, or edges along (z, y, x).
    lac : ndarray, shape (z, y, x), float, 1/um, optional
        LAC of the same voxels.
    names : mapping of str
        Name of each label.
    rules : mapping of Rule
        What makes an object, by label.

    Returns
    -------
    Quantities

    Raises
    ------
    InputError
        If labels, LAC or voxel size are out of the contract, or shapes disagree.

    Examples
    --------
    >>> labels = np.zeros((20, 20, 40), np.uint8)
    >>> labels[2:18, 2:18, 2:38] = 1
    >>> labels[6:14, 6:14, 6:14] = labels[6:14, 6:14, 20:28] = 3
    >>> found = quantify(labels, voxel_size_nm=50).organelles
    >>> found[["kind", "cell", "voxels", "volume_um3", "to_cell_surface_um"]].round(3).values.tolist()
    [['lipid droplet', 1, 512, 0.064, 0.2], ['lipid droplet', 1, 512, 0.064, 0.2]]
    """
    import pandas as pd

    array, edges = checked_labels(labels), edges_um(voxel_size_nm)
    values = None if lac is None else _checked_lac(lac, array.shape)
    cells = cells_of(array, voxel_size_nm=voxel_size_nm)
    bodies = bodies_of(array, voxel_size_nm=voxel_size_nm, cells=cells, rules=rules)
    title = {label: names.get(label, str(label)) for label in {body.label for body in bodies}}
    columns = {label: f"to_{title[label].split('/')[0].replace(' ', '_')}_um" for label in sorted(title)}
    rows = [
        {"id": i, "class": body.label, "kind": title[body.label], "cell": body.cell}
        | _measured(body, edges, values, array.shape)
        | dict.fromkeys(["to_cell_surface_um", *columns.values()], math.nan)
        for i, body in enumerate(bodies, start=1)
    ]
    for cell in cells:
        inside = [(row, body) for row, body in zip(rows, bodies, strict=True) if body.cell == cell.cell]
        outside = _outside_of(cell, edges, array.shape)
        for row, body in inside:
            row["to_cell_surface_um"] = outside.distance_to(body)
    for label, column in columns.items():
        source = _Source.of([body for body in bodies if body.label == label], array.shape, edges)
        for row, body in zip(rows, bodies, strict=True):
            if body.label != label:
                row[column] = source.distance_to(body)
    organelles = pd.DataFrame(rows, columns=[*_COLUMNS, "to_cell_surface_um", *columns.values()])
    return Quantities(organelles, _by_cell(cells, bodies, title, edges, values))


def surface_um2(mask: NDArray[np.bool_], edges: _Edges) -> float:
    """Measure the surface of a body by Crofton's formula.

    The lines along a direction d between neighbouring voxels are |d| / voxel volume a unit of area apart; the mean over
    directions of how often a line crosses a surface, times its line's area, is half of the surface. Each of the 13
    directions counts by the solid angle that is nearest to it, so that voxels need not be cubes.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x), bool
        The body; outside of the array there is none of it.
    edges : tuple of three float, um
        Edges of a voxel along (z, y, x).

    Returns
    -------
    float, um^2

    Examples
    --------
    >>> z, y, x = np.ogrid[-12:13, -12:13, -12:13]
    >>> ball = z**2 + y**2 + x**2 < 10.0**2
    >>> round(surface_um2(ball, (0.1, 0.1, 0.1)) / (4 * math.pi), 2)
    0.99
    """
    padded = np.pad(mask, 1)
    total = 0.0
    for step, share in _directions(edges):
        here, there = zip(*(_overlap(n, k) for n, k in zip(padded.shape, step, strict=True)), strict=True)
        crossings = int(np.count_nonzero(padded[here] != padded[there]))
        length = math.sqrt(sum((k * edge) ** 2 for k, edge in zip(step, edges, strict=True)))
        total += share * crossings * math.prod(edges) / length
    return 2 * total


_COLUMNS = (
    "id", "class", "kind", "cell", "voxels", "volume_um3", "equivalent_radius_um", "surface_um2", "sphericity",
    "mean_lac_per_um", "z_um", "y_um", "x_um", "extent_z_um", "extent_y_um", "extent_x_um", "at_border",
)  # fmt: skip


@lru_cache
def _directions(edges: _Edges) -> tuple[tuple[tuple[int, ...], float], ...]:
    """Return the 13 steps to neighbours, without their opposites, and the share of all directions nearest to each."""
    from scipy.spatial import SphericalVoronoi

    steps = [step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
    vectors = np.array(steps) * edges
    areas = SphericalVoronoi(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).calculate_areas()
    return tuple(
        (step, float(area / (2 * math.pi))) for step, area in zip(steps, areas, strict=True) if step > (0, 0, 0)
    )


def _overlap(n: int, step: int) -> tuple[slice, slice]:
    """Return where along an axis of n voxels a voxel and the one a step further both lie."""
    return slice(max(0, -step), n - max(0, step)), slice(max(0, step), n - max(0, -step))


def _measured(
    body: Body, edges: _Edges, lac: NDArray[np.floating[Any]] | None, shape: tuple[int, ...]
) -> dict[str, Any]:
    mask = body.mask
    voxels = int(np.count_nonzero(mask))
    volume = voxels * math.prod(edges)
    surface = surface_um2(mask, edges)
    found: dict[str, Any] = {
        "voxels": voxels,
        "volume_um3": volume,
        "equivalent_radius_um": (volume * 3 / (4 * math.pi)) ** (1 / 3),
        "surface_um2": surface,
        "sphericity": (36 * math.pi * volume**2) ** (1 / 3) / surface,
        "mean_lac_per_um": math.nan if lac is None else float(lac[body.box][mask].mean(dtype=np.float64)),
        "at_border": any(side.start == 0 or side.stop == n for side, n in zip(body.box, shape, strict=True)),
    }
    for axis, (name, edge, side) in enumerate(zip("zyx", edges, body.box, strict=True)):
        profile = mask.sum(axis=tuple(k for k in range(3) if k != axis), dtype=np.int64)
        place = (np.arange(side.start, side.stop) + 0.5) * edge
        centre = float(profile @ place) / voxels
        variance = float(profile @ (place - centre) ** 2) / voxels + edge**2 / 12
        found |= {f"{name}_um": centre, f"extent_{name}_um": 2 * math.sqrt(5 * variance)}
    return found


@dataclass(frozen=True, eq=False)
class _Source:
    """Something that distances run to, grown by one voxel along every axis and diagonal.

    Voxels are boxes: where centres are k voxels apart along an axis, boxes are k - 1. Growing one side of the pair by a
    box of 3 voxels and then measuring between centres gives just that, so that bodies which touch are at distance 0.
    """

    origin: tuple[int, ...]
    grown: NDArray[np.bool_]
    edges: _Edges
    tree: Any

    @classmethod
    def of(cls, bodies: Sequence[Body], shape: tuple[int, ...], edges: _Edges) -> "_Source":
        painted = np.zeros(shape, bool)
        for body in bodies:
            painted[body.box] |= body.mask
        box = box_of(painted)
        assert box is not None
        wide = tuple(slice(max(0, side.start - 2), side.stop + 2) for side in box)
        return cls.around(painted[wide], tuple(side.start for side in wide), edges)

    @classmethod
    def around(cls, mask: NDArray[np.bool_], origin: tuple[int, ...], edges: _Edges) -> "_Source":
        from scipy.spatial import KDTree

        grown = mask.copy()
        for axis in range(3):
            before = np.moveaxis(grown.copy(), axis, 0)
            after = np.moveaxis(grown, axis, 0)
            after[1:] |= before[:-1]
            after[:-1] |= before[1:]
        points = (np.argwhere(boundary(grown)) + origin) * edges
        return cls(
            origin, grown, edges, KDTree(points, balanced_tree=False, compact_nodes=False) if len(points) else None
        )

    def distance_to(self, body: Body) -> float:
        """Return the least distance of a body's voxels, as boxes, to the source's, um; NaN where there is no source."""
        mine, theirs = [], []
        for side, start, n in zip(body.box, self.origin, self.grown.shape, strict=True):
            low, high = max(side.start, start), min(side.stop, start + n)
            mine.append(slice(low - side.start, max(low, high) - side.start))
            theirs.append(slice(low - start, max(low, high) - start))
        if (body.mask[tuple(mine)] & self.grown[tuple(theirs)]).any():
            return 0.0
        if self.tree is None:
            return math.nan
        padded = boundary(np.pad(body.mask, 1))[1:-1, 1:-1, 1:-1]
        points = (np.argwhere(padded) + [side.start for side in body.box]) * self.edges
        least = float(self.tree.query(points[:: max(1, len(points) // _FEW)])[0].min())
        found = self.tree.query(points, distance_upper_bound=least * (1 + 1e-9))[0].min()
        return float(min(least, found))


def _outside_of(cell: Body, edges: _Edges, shape: tuple[int, ...]) -> _Source:
    """Return what lies around a cell; the volume's end is not outside."""
    wide = [slice(max(0, side.start - 2), min(n, side.stop + 2)) for side, n in zip(cell.box, shape, strict=True)]
    outside = np.ones([side.stop - side.start for side in wide], bool)
    place = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(cell.box, wide, strict=True))
    outside[place] = ~cell.mask
    return _Source.around(outside, tuple(side.start for side in wide), edges)


def _by_cell(
    cells: Sequence[Body],
    bodies: Sequence[Body],
    title: Mapping[int, str],
    edges: _Edges,
    lac: NDArray[np.floating[Any]] | None,
) -> "pd.DataFrame":
    import pandas as pd

    def row(cell: int, label: int, kind: str, members: Sequence[Body], whole: float) -> dict[str, Any]:
        voxels = sum(int(np.count_nonzero(body.mask)) for body in members)
        volume = voxels * math.prod(edges)
        mean = math.nan
        if lac is not None and voxels:
            mean = math.fsum(float(lac[body.box][body.mask].sum(dtype=np.float64)) for body in members) / voxels
        return {
            "cell": cell, "class": label, "kind": kind, "count": len(members), "volume_um3": volume,
            "share": volume / whole if whole else math.nan, "mean_lac_per_um": mean,
        }  # fmt: skip

    rows = []
    for cell in cells:
        whole = int(np.count_nonzero(cell.mask)) * math.prod(edges)
        rows.append(row(cell.cell, 0, "cell", [cell], whole))
        for label in sorted(title):
            members = [body for body in bodies if body.label == label and body.cell == cell.cell]
            rows.append(row(cell.cell, label, title[label], members, whole))
    for label in sorted(title):
        members = [body for body in bodies if body.label == label and body.cell == 0]
        if members:
            rows.append(row(0, label, title[label], members, 0.0))
    return pd.DataFrame(rows, columns=["cell", "class", "kind", "count", "volume_um3", "share", "mean_lac_per_um"])


def _checked_lac(lac: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.floating[Any]]:
    values = np.asarray(lac)
    if values.shape != shape:
        raise InputError(f"the LAC has shape {values.shape}, expected the labels' {shape}")
    if not np.issubdtype(values.dtype, np.floating) or not np.isfinite(values).all():
        raise InputError(f"the LAC is {values.dtype}, expected finite numbers of a float dtype, in 1/um")
    return values
