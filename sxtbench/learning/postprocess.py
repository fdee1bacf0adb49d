"""Tidy predicted labels of yeast, and tell touching cells apart.

The SimAQ paper's post-processing (smooth, fill holes, drop what is too small, split by a watershed, paint the cell,
then vacuoles, then droplets) with lengths in um instead of voxels. Its smallest cell, of a radius of 70 voxels, is
larger than most cells of its own simulation, and its smoothing removes small vacuoles; the defaults here keep every
object of the scored recipes at any tier, and objects that the edge of the field cuts.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy import ndimage
from skimage import morphology, segmentation

from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.labels import BACKGROUND, CYTOPLASM, DROPLET, ENDOSOME, VACUOLE

__all__ = ["ObjectParameters", "PostprocessParameters", "clean_labels", "instances"]

_EVERY_NEIGHBOUR = np.ones((3, 3, 3), bool)
_SPLIT_PITCH_NM = 80.0  # cells are split on a grid of about this pitch: they are 20 times wider


class ObjectParameters(Parameters):
    """What is done to the objects of one class. Radii are those of a ball of the same volume.

    Parameters
    ----------
    smoothing_um : float, um
        Standard deviation of the Gaussian of which the half is the new outline; 0 leaves the outline. It takes about
        `smoothing_um**2 / r` off a ball of radius r.
    largest_hole_um : float, um
        Holes up to this radius are filled.
    smallest_um : float, um
        Smaller objects are dropped.
    smallest_cut_um : float, um
        The same for objects that touch a face of the volume: what is seen of them may be a small part.
    """

    smoothing_um: float = Field(ge=0)
    largest_hole_um: float = Field(ge=0)
    smallest_um: float = Field(ge=0)
    smallest_cut_um: float = Field(ge=0)


class PostprocessParameters(Parameters):
    """What is done to cells, vacuoles and droplets.

    The scored recipes hold cells of 1.7 um and more, vacuoles from 0.105 um, droplets from 0.12 um (PROTOCOL 6); the
    limits lie below these. Values are *nominal*.

    Parameters
    ----------
    cell : ObjectParameters
        Cells with all that is in them.
    vacuole, droplet : ObjectParameters
        Organelles. Vacuoles are smoothed as if droplets were not there.
    split_depth_um : float, um
        Two cells are told apart where the neck between them is narrower than the smaller one by this much, in radius.
    smallest_attached_um : float, um
        A smaller piece that such a neck ties to a cell is dropped; a larger one, such as a bud, stays.
    """

    cell: ObjectParameters = ObjectParameters(
        smoothing_um=0.07, largest_hole_um=1.5, smallest_um=1.0, smallest_cut_um=0.15
    )
    vacuole: ObjectParameters = ObjectParameters(
        smoothing_um=0.05, largest_hole_um=0.2, smallest_um=0.08, smallest_cut_um=0.05
    )
    droplet: ObjectParameters = ObjectParameters(
        smoothing_um=0.0, largest_hole_um=0.1, smallest_um=0.08, smallest_cut_um=0.05
    )
    split_depth_um: float = Field(default=0.2, gt=0)
    smallest_attached_um: float = Field(default=0.45, ge=0)


_DEFAULTS = PostprocessParameters()


def clean_labels(
    labels: ArrayLike, voxel_size_nm: float, *, parameters: PostprocessParameters = _DEFAULTS
) -> NDArray[np.uint8]:
    """Tidy the labels of a volume of yeast.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), any integer dtype
        0 background, 1 cytoplasm, 2 vacuole, 3 lipid droplet.
    voxel_size_nm : float
        Edge of a voxel, nm.
    parameters : PostprocessParameters
        What is done to each class.

    Returns
    -------
    ndarray, shape (z, y, x), uint8
        The same classes. Organelles lie in cells.

    Raises
    ------
    InputError
        If the shape, the dtype, a label or the voxel size is out of the contract.

    References
    ----------
    Egebjerg and Wuestner 2025, SimAQ, doi 10.48550/arXiv.2508.10821.

    Examples
    --------
    >>> labels = np.zeros((40, 40, 40), np.uint8)
    >>> labels[10:30, 10:30, 10:30] = 1
    >>> labels[2, 2, 2] = labels[20, 20, 20] = 3
    >>> np.unique(clean_labels(labels, 100.0)).tolist()
    [0, 1]
    """
    given = _checked(labels, voxel_size_nm, largest=DROPLET)
    um = voxel_size_nm / 1000
    p = parameters
    cells = _tidied(_smoothed(given != BACKGROUND, p.cell, um), p.cell, um)
    cells &= ~_small_pieces(cells, p, um)
    droplets = _tidied(_smoothed(given == DROPLET, p.droplet, um), p.droplet, um)
    vacuoles = _tidied(_smoothed(given == VACUOLE, p.vacuole, um, known=given != DROPLET), p.vacuole, um)
    out = np.zeros(given.shape, np.uint8)
    out[cells] = CYTOPLASM
    out[cells & vacuoles] = VACUOLE
    out[cells & droplets] = DROPLET
    return out


def instances(
    labels: ArrayLike, voxel_size_nm: float, *, split_depth_um: float = _DEFAULTS.split_depth_um
) -> NDArray[np.int32]:
    """Give each cell of a volume a number; cells that touch are split by a watershed on the distance to their outline.

    Nothing is dropped: call `clean_labels` first.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x), any integer dtype, labels in [0, 255]
        Suite-wide ids; cells are labels 1-8.
    voxel_size_nm : float
        Edge of a voxel, nm.
    split_depth_um : float, um
        Two cells are told apart where the neck between them is narrower than the smaller one by this much, in radius.

    Returns
    -------
    ndarray, shape (z, y, x), int32
        0 outside cells, 1, 2, ... in cells from the largest to the smallest.

    Raises
    ------
    InputError
        If the shape, the dtype, a label, the voxel size or the depth is out of the contract.
    """
    given = _checked(labels, voxel_size_nm, largest=255)
    if not split_depth_um > 0:
        raise InputError(f"split_depth_um is {split_depth_um}, expected a positive number")
    return _split((given >= CYTOPLASM) & (given <= ENDOSOME), voxel_size_nm / 1000, split_depth_um)


def _smoothed(
    mask: NDArray[np.bool_], p: ObjectParameters, um: float, *, known: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return where more than half of the (known) surroundings are in the mask."""
    if p.smoothing_um == 0:
        return mask
    share = _blurred(mask, p.smoothing_um / um)
    half: Any = 0.5 if known is None else 0.5 * _blurred(known, p.smoothing_um / um)
    majority: NDArray[np.bool_] = share > half
    return majority


def _blurred(mask: NDArray[np.bool_], sigma: float) -> NDArray[np.float32]:
    return ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="nearest")


def _tidied(mask: NDArray[np.bool_], p: ObjectParameters, um: float) -> NDArray[np.bool_]:
    """Fill small holes and drop small objects."""
    largest_hole = _voxels(p.largest_hole_um, um)
    filled = mask | _components_where(~mask, None, lambda sizes, cut: (sizes <= largest_hole) & ~cut)
    least, least_cut = _voxels(p.smallest_um, um), _voxels(p.smallest_cut_um, um)
    return _components_where(filled, _EVERY_NEIGHBOUR, lambda sizes, cut: sizes >= np.where(cut, least_cut, least))


def _voxels(radius_um: float, um: float) -> float:
    return float(4 / 3 * np.pi * (radius_um / um) ** 3)


def _components_where(
    mask: NDArray[np.bool_],
    structure: NDArray[np.bool_] | None,
    chosen: Callable[[NDArray[np.intp], NDArray[np.bool_]], NDArray[np.bool_]],
) -> NDArray[np.bool_]:
    """Return the connected components that `chosen` takes, given their sizes and which touch a face."""
    numbers, count = ndimage.label(mask, structure)
    sizes = np.bincount(numbers.reshape(-1), minlength=count + 1)
    keep = chosen(sizes, _cut(numbers, count))
    keep[0] = False
    return keep[numbers]


def _cut(numbers: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    """Whether each object touches a face of the volume; index 0 is the background."""
    cut = np.zeros(count + 1, bool)
    for axis in range(3):
        for end in (0, -1):
            cut[numbers.take(end, axis)] = True
    return cut


def _small_pieces(cells: NDArray[np.bool_], p: PostprocessParameters, um: float) -> NDArray[np.bool_]:
    """Return the pieces that are too small to be cells or buds and hang on a cell by a neck."""
    numbers = _split(cells, um, p.split_depth_um)
    sizes = np.bincount(numbers.reshape(-1))
    attached, attached_cut = _voxels(p.smallest_attached_um, um), _voxels(p.cell.smallest_cut_um, um)
    small = sizes < np.where(_cut(numbers, sizes.size - 1), attached_cut, attached)
    small[0] = False
    return small[numbers]


def _split(cells: NDArray[np.bool_], um: float, depth_um: float) -> NDArray[np.int32]:
    components, _ = ndimage.label(cells, _EVERY_NEIGHBOUR)
    numbers = np.zeros(cells.shape, np.int32)
    count = 0
    for index, box in enumerate(ndimage.find_objects(components), 1):
        around = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
        inside = components[around] == index
        pieces = _pieces(inside, um, depth_um)
        numbers[around][inside] = pieces[inside] + count
        count += int(pieces.max())
    order = np.argsort(-np.bincount(numbers.reshape(-1), minlength=count + 1)[1:], kind="stable")
    rank = np.zeros(count + 1, np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    return rank[numbers]


def _pieces(inside: NDArray[np.bool_], um: float, depth_um: float) -> NDArray[np.int32]:
    """Split one component on a grid coarse enough to be quick. A face of the field is no outline to the distance."""
    step = max(int(_SPLIT_PITCH_NM / 1000 / um), 1)
    coarse = _any_of_blocks(inside, step)
    if coarse.all():
        return np.ones(inside.shape, np.int32)
    distance = ndimage.distance_transform_edt(coarse, sampling=step * um)
    levelled = morphology.reconstruction(np.maximum(distance - depth_um, 0), distance)  # type: ignore[no-untyped-call]
    # peaks that rise by the depth above the pass to a higher one
    peaks = morphology.local_maxima(levelled, connectivity=3)  # type: ignore[no-untyped-call]
    markers, count = ndimage.label(peaks, _EVERY_NEIGHBOUR)
    if count < 2:
        return np.ones(inside.shape, np.int32)
    pieces: NDArray[np.int32] = segmentation.watershed(-distance, markers, mask=coarse)  # type: ignore[no-untyped-call]
    for axis, n in enumerate(inside.shape):
        pieces = pieces.repeat(step, axis).take(np.arange(n), axis)
    return pieces


def _any_of_blocks(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Return whether any voxel of each block of `step` along each axis is set."""
    for axis in range(3):
        mask = np.logical_or.reduceat(mask, np.arange(0, mask.shape[axis], step), axis)
    return mask


def _checked(labels: ArrayLike, voxel_size_nm: float, *, largest: int) -> NDArray[np.integer]:
    array = np.asarray(labels)
    if array.ndim != 3 or not array.size or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"labels are {array.dtype} of shape {array.shape}, expected integers of shape (z, y, x)")
    if array.min() < 0 or array.max() > largest:
        wrong = int(array.min()) if array.min() < 0 else int(array.max())
        raise InputError(f"labels hold {wrong}, expected values in 0-{largest}")
    if not (voxel_size_nm > 0 and np.isfinite(voxel_size_nm)):
        raise InputError(f"voxel_size_nm is {voxel_size_nm}, expected a positive number of nm")
    return array
