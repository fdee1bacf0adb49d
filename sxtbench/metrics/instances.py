"""From labels to objects: what of a class is one cell, one droplet, one mitochondrion, by a pinned rule a class.

A label volume says what a voxel is, not which one. Nuclei are one a cell; round bodies that touch are cut apart at
their necks (watershed on the distance to the body's surface); tubes are connected components. Lengths are in um, so
that a rule means the same on every grid.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.errors import InputError
from sxtbench.labels import (
    BACKGROUND,
    BACTERIUM,
    CYTOPLASM,
    DROPLET,
    ENDOPLASMIC_RETICULUM,
    ENDOSOME,
    GLASS,
    MITOCHONDRION,
    NUCLEOLUS,
    NUCLEUS,
    UNLABELLED,
    VACUOLE,
)

__all__ = ["CELL_RULE", "OTHER_RULE", "RULES", "Body", "Rule", "bodies_of", "cells_of", "edges_um", "split"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What makes one object of a class.

    Parameters
    ----------
    how : {"one", "components", "watershed"}
        `one`: all of a cell is one object (connected components where no cell is labelled). `components`: what hangs
        together, across corners too. `watershed`: components, cut where they narrow.
    least_radius_um : float, um
        What is smaller than a ball of this radius is no object.
    neck_um : float, um
        For `watershed`: two bodies are apart where the neck between them is narrower than the slimmer one, radius
        against radius, by more than this.
    """

    how: Literal["one", "components", "watershed"]
    least_radius_um: float
    neck_um: float = math.inf


CELL_RULE = Rule(how="watershed", least_radius_um=0.5, neck_um=0.3)
"""Of cells: everything with a label from cytoplasm to endosome (1 to 8) together."""

OTHER_RULE = Rule(how="components", least_radius_um=0.08)
"""Of a class that has no rule of its own."""

RULES = {
    VACUOLE: Rule(how="watershed", least_radius_um=0.15, neck_um=0.1),
    DROPLET: Rule(how="watershed", least_radius_um=0.08, neck_um=0.05),
    NUCLEUS: Rule(how="one", least_radius_um=0.3),
    NUCLEOLUS: Rule(how="components", least_radius_um=0.15),
    MITOCHONDRION: Rule(how="components", least_radius_um=0.1),
    ENDOPLASMIC_RETICULUM: Rule(how="one", least_radius_um=0.08),
    ENDOSOME: Rule(how="watershed", least_radius_um=0.1, neck_um=0.1),
    BACTERIUM: Rule(how="watershed", least_radius_um=0.2, neck_um=0.1),
}
"""By label; the lengths suit the sizes of the suite's specimens (PROTOCOL 6) and were set on training specimens."""

_MEMBERS = {NUCLEUS: (NUCLEUS, NUCLEOLUS)}
_CELL = (CYTOPLASM, ENDOSOME)  # first and last label of a cell
_NO_BODY = (BACKGROUND, CYTOPLASM, GLASS, UNLABELLED)
_COARSE = 40**3  # voxels of the grid on which a large component's necks are looked for
_LEAST_NECK = 0.5  # voxels: below, the distance's own steps would cut


@dataclass(frozen=True, eq=False)
class Body:
    """One object.

    Parameters
    ----------
    label : int
        Its class; 0 for a cell.
    cell : int
        Number of the cell that most of it lies in, from 1; 0 where it lies in none. Of a cell: its own number.
    box : tuple of three slice
        Where `mask` lies in the volume.
    mask : ndarray, shape of the box, bool
        Its voxels.
    """

    label: int
    cell: int
    box: tuple[slice, ...]
    mask: NDArray[np.bool_]


def bodies_of(
    labels: ArrayLike,
    *,
    voxel_size_nm: float | Sequence[float],
    cells: Sequence[Body] | None = None,
    rules: Mapping[int, Rule] = RULES,
) -> list[Body]:
    """Find the objects of every class but background, cytoplasm and glass.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), any integer dtype, labels in [0, 255]
        Suite-wide ids; 255 is unlabelled. Labels that the suite does not know have `OTHER_RULE`.
    voxel_size_nm : float or three float, nm
        Edge of a voxel, or edges along (z, y, x).
    cells : sequence of Body, optional
        From `cells_of`, which is called where it is left out.
    rules : mapping of Rule
        By label.

    Returns
    -------
    list of Body
        By label, and within one by the place of the first voxel.

    Raises
    ------
    InputError
        If labels or voxel size are out of the contract.

    Examples
    --------
    >>> labels = np.zeros((8, 8, 16), np.uint8)
    >>> labels[2:6, 2:6, 2:6] = labels[2:6, 2:6, 9:13] = 3
    >>> [body.label for body in bodies_of(labels, voxel_size_nm=50)]
    [3, 3]
    """
    array, edges = checked_labels(labels), edges_um(voxel_size_nm)
    known = cells_of(array, voxel_size_nm=voxel_size_nm) if cells is None else cells
    number = np.zeros(array.shape, np.uint16)
    for cell in known:
        number[cell.box][cell.mask] = cell.cell
    found: list[Body] = []
    present = np.flatnonzero(np.bincount(array.reshape(-1), minlength=256))
    for label in (int(value) for value in present if value not in _NO_BODY):
        rule = rules.get(label, OTHER_RULE)
        mask = np.isin(array, _MEMBERS[label]) if label in _MEMBERS else array == label
        if rule.how == "one" and known:
            parts = [part for cell in known for part in _one(mask, cell, edges, rule)]
        else:
            parts = split(mask, edges, rule)
        for box, part in parts:
            votes = np.bincount(number[box][part], minlength=2)
            most = int(votes[1:].argmax()) + 1
            found.append(Body(label, most if votes[most] else 0, box, part))
    return found


def cells_of(labels: ArrayLike, *, voxel_size_nm: float | Sequence[float]) -> list[Body]:
    """Find the cells: labels 1 to 8 together, cut apart where they touch. None where no cytoplasm is labelled.

    Parameters and errors as of `bodies_of`.

    Examples
    --------
    >>> labels = np.zeros((8, 24, 24), np.uint8)
    >>> labels[1:7, 4:20, 4:20] = 1
    >>> [cell.mask.shape for cell in cells_of(labels, voxel_size_nm=100)]
    [(6, 16, 16)]
    """
    array, edges = checked_labels(labels), edges_um(voxel_size_nm)
    if not (array == CYTOPLASM).any():
        return []
    parts = split((array >= _CELL[0]) & (array <= _CELL[1]), edges, CELL_RULE)
    return [Body(0, number, box, mask) for number, (box, mask) in enumerate(parts, start=1)]


def split(
    mask: NDArray[np.bool_], edges_um: tuple[float, float, float], rule: Rule
) -> list[tuple[tuple[slice, ...], NDArray[np.bool_]]]:
    """Part a mask into objects; `one` is taken for `components`.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x), bool
        A class.
    edges_um : tuple of three float, um
        Edges of a voxel along (z, y, x).
    rule : Rule
        What makes an object.

    Returns
    -------
    list of (tuple of slice, ndarray of bool)
        Box and voxels of each, by the place of the first voxel.
    """
    from scipy.ndimage import find_objects, label

    inside = box_of(mask)
    if inside is None:
        return []
    numbers, count = label(mask[inside], np.ones((3, 3, 3), bool))
    least = _least_voxels(rule, edges_um)
    sizes = np.bincount(numbers.reshape(-1), minlength=count + 1)
    found: list[tuple[tuple[slice, ...], NDArray[np.bool_]]] = []
    for number, box in enumerate(find_objects(numbers), start=1):
        if sizes[number] < least:
            continue
        part = numbers[box] == number
        pieces = _cut(part, edges_um, rule.neck_um) if rule.how == "watershed" else None
        for piece in range(1, int(pieces.max()) + 1) if pieces is not None else ():
            own: NDArray[np.bool_] = np.asarray(pieces == piece)
            small = box_of(own)
            if small is not None and np.count_nonzero(own) >= least:
                found.append((_inside(inside, _inside(box, small)), own[small]))
        if pieces is None:
            found.append((_inside(inside, box), part))
    return found


def edges_um(voxel_size_nm: float | Sequence[float]) -> tuple[float, float, float]:
    """Return the edges of a voxel along (z, y, x) in um, of one edge or of three in nm.

    >>> edges_um([50, 20, 20])
    (0.05, 0.02, 0.02)
    """
    sizes = np.atleast_1d(np.asarray(voxel_size_nm, np.float64))
    if sizes.shape not in ((1,), (3,)) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise InputError(f"voxel_size_nm is {voxel_size_nm}, expected a positive number of nm, or three for (z, y, x)")
    z, y, x = (float(size) / 1000 for size in np.broadcast_to(sizes, 3))
    return z, y, x


def checked_labels(labels: ArrayLike) -> NDArray[np.uint8]:
    """Return labels as uint8 (z, y, x); raise `InputError` for anything else."""
    array = np.asarray(labels)
    if array.ndim != 3 or not array.size or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"labels are {array.dtype} of shape {array.shape}, expected integers (z, y, x)")
    if array.dtype != np.uint8 and not (array.min() >= 0 and array.max() <= UNLABELLED):
        raise InputError(f"labels span [{array.min()}, {array.max()}], expected values in [0, 255]")
    return array.astype(np.uint8, copy=False)


def boundary(mask: NDArray[np.bool_], *, within: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return the voxels of a mask that have a face neighbour outside of it; the volume's end is no outside.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x), bool
        A body or a class.
    within : ndarray, same shape, bool, optional
        Where neighbours count as outside; everywhere if left out.
    """
    outside = ~mask if within is None else ~mask & within
    found = np.zeros(mask.shape, bool)
    for axis in range(mask.ndim):
        before, after = [slice(None)] * mask.ndim, [slice(None)] * mask.ndim
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        found[tuple(before)] |= outside[tuple(after)]
        found[tuple(after)] |= outside[tuple(before)]
    found &= mask
    return found


def _one(
    mask: NDArray[np.bool_], cell: Body, edges: tuple[float, float, float], rule: Rule
) -> list[tuple[tuple[slice, ...], NDArray[np.bool_]]]:
    """Return all of a class in a cell as one object, if that is large enough to be one."""
    own = mask[cell.box] & cell.mask
    small = box_of(own)
    if small is None or np.count_nonzero(own) < _least_voxels(rule, edges):
        return []
    return [(_inside(cell.box, small), own[small])]


def _cut(part: NDArray[np.bool_], edges: tuple[float, float, float], neck_um: float) -> NDArray[np.integer] | None:
    """Return the numbered pieces of a component; None where it is one.

    Necks of a large component are looked for on a coarser grid, and only where there are any is it cut.
    """
    from scipy.ndimage import distance_transform_edt, label
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    coarse_um = (part.size * math.prod(edges) / _COARSE) ** (1 / 3)
    steps = [max(1, round(coarse_um / edge)) for edge in edges]
    thin = tuple(
        slice(step // 2 if n > step // 2 else 0, None, step) for step, n in zip(steps, part.shape, strict=True)
    )
    sampling = [edge * step for edge, step in zip(edges, steps, strict=True)]
    padded = _filled(np.pad(part[thin], 1))
    distance = distance_transform_edt(padded, sampling=sampling)
    neck = max(neck_um, _LEAST_NECK * max(sampling))
    seeds, count = label(h_maxima(distance, neck), np.ones((3, 3, 3), bool))  # type: ignore[no-untyped-call]
    if count < 2:
        return None
    flooded = watershed(-distance, seeds, mask=padded)  # type: ignore[no-untyped-call]
    pieces = flooded[1:-1, 1:-1, 1:-1]
    if max(steps) == 1:
        return np.asarray(pieces * part)
    nearest = distance_transform_edt(pieces == 0, sampling=sampling, return_distances=False, return_indices=True)
    whole = pieces[tuple(nearest)]
    places = [
        np.minimum(np.arange(n) // step, m - 1) for n, step, m in zip(part.shape, steps, whole.shape, strict=True)
    ]
    return np.asarray(whole[np.ix_(*places)] * part)


def _filled(padded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill holes, of a mask whose first voxel is outside: a droplet in a vacuole is no neck of it."""
    from scipy.ndimage import label

    numbers, _ = label(~padded)
    return np.asarray(numbers != numbers[0, 0, 0])


def _least_voxels(rule: Rule, edges: tuple[float, float, float]) -> float:
    return 4 / 3 * math.pi * rule.least_radius_um**3 / math.prod(edges)


def box_of(mask: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """Return the smallest box that holds a mask; None of an empty one."""
    box = []
    for axis in range(mask.ndim):
        occupied = np.flatnonzero(mask.any(axis=tuple(k for k in range(mask.ndim) if k != axis)))
        if not occupied.size:
            return None
        box.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return tuple(box)


def _inside(outer: Sequence[slice], inner: Sequence[slice]) -> tuple[slice, ...]:
    """Return a box of a box in the volume's coordinates."""
    return tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(outer, inner, strict=True))
