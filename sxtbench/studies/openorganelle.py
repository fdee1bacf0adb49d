"""A cell of OpenOrganelle as a phantom: electron micrographs scaled to LAC, from a folder in N5 or Zarr.

What is read is laid out as `jrc_macrophage-2`, the paper's cell: `em/fibsem-uint16/s{k}` and
`labels/{pm_pred,mito_seg,er_seg}/s{k}` (Heinrich et al., Nature 599 (2021) 141). The paper's margins about the cell are
not applied, and where its code resamples 16-nm voxels to 20 nm, this samples the coarsest level that is fine enough.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sxtbench.errors import InputError
from sxtbench.studies.phantom import CYTOPLASM, MITOCHONDRIA, RETICULUM, inside_cylinder

MICROGRAPHS = "em/fibsem-uint16"
LABELS = {"cell": "labels/pm_pred", "mitochondria": "labels/mito_seg", "reticulum": "labels/er_seg"}

_SMOOTHING_UM = 0.1
_INSIDE = 0.2  # of the smoothed membrane prediction
_PAPER_CELL = "jrc_macrophage-2"
_PAPER_AXIS_UM = (9.4, 10.0)  # along axes 0 and 2 of the data
_CYLINDER_BAND = (0.4, 0.8)  # of axis 1, along which the cylinder lies
_CELL_BAND = (0.3, 0.8)


@dataclass(frozen=True, eq=False)
class _Level:
    """One resolution level of an array, axes as in Zarr: (z, y, x)."""

    array: Any
    reverse: bool  # N5 lists axes as (x, y, z)
    voxel_um: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = self.array.shape[::-1] if self.reverse else self.array.shape
        return int(z), int(y), int(x)

    def read(self, box: tuple[slice, slice, slice]) -> NDArray[Any]:
        if self.reverse:
            return np.asarray(self.array[box[::-1]].read().result()).T
        return np.asarray(self.array[box])

    def whole(self) -> NDArray[Any]:
        return self.read((slice(None), slice(None), slice(None)))


@dataclass(frozen=True)
class _Scaling:
    """What the coarsest level tells: LAC = inside * (gain * grey + offset)."""

    gain: float
    offset: float
    flipped: bool  # the micrographs, along axis 1, against the labels
    inside: NDArray[np.float32]
    voxel_um: tuple[float, float, float]


@dataclass(frozen=True)
class OpenOrganelleCell:
    """Phantoms from a folder.

    Parameters
    ----------
    folder : Path
        The dataset: `jrc_macrophage-2.n5`, or the same layout in Zarr.

    Raises
    ------
    InputError
        For a folder without the micrographs or one of the label arrays, and for N5 where tensorstore is not installed.
    """

    folder: Path

    def __post_init__(self) -> None:
        for name in (MICROGRAPHS, *LABELS.values()):
            if not _levels(self.folder / name):
                raise InputError(
                    f"{self.folder} holds no {name}/s0, s1, ...: expected a cell of OpenOrganelle with "
                    f"{', '.join((MICROGRAPHS, *LABELS.values()))}, such as {_PAPER_CELL}"
                )

    @property
    def description(self) -> str:
        """In words, for the page."""
        return f"OpenOrganelle, {self.folder.name}"

    def cylinder(self, *, radius_um: float, slices: int, voxel_size_nm: float) -> NDArray[np.float32]:
        """Return the cell cut to a cylinder along axis 1 of the data; see `PhantomSource`.

        The axis of the cylinder stands where the paper's does for its own cell, and else deepest inside the cell.
        """
        voxel = voxel_size_nm / 1000
        n = 2 * round(radius_um / voxel) + 1
        centre = _PAPER_AXIS_UM if _PAPER_CELL in self.folder.name else self._deepest(_CYLINDER_BAND)
        lac = self._sample(centre, _CYLINDER_BAND, (slices, n, n), voxel)
        lac *= inside_cylinder(lac.shape, radius_um / voxel)
        return lac

    def cell(self, *, shape: tuple[int, int, int], voxel_size_nm: float) -> NDArray[np.float32]:
        """Return the whole cell, axis 1 of the data as the rotation axis; see `PhantomSource`."""
        scaling = self._scaling
        rows, columns = (scaling.inside.shape[i] * scaling.voxel_um[i] / 2 for i in (0, 2))
        return self._sample((rows, columns), _CELL_BAND, shape, voxel_size_nm / 1000)

    @cached_property
    def _scaling(self) -> _Scaling:
        names = {"em": MICROGRAPHS, **LABELS}
        shared = set.intersection(*(set(_levels(self.folder / name)) for name in names.values()))
        if not shared:
            raise InputError(f"{self.folder}: micrographs and labels share no level s{{k}}, expected one at least")
        level = max(shared)
        arrays = {key: _open(self.folder, name, level) for key, name in names.items()}
        voxel = arrays["em"].voxel_um
        shape = tuple(min(array.shape[i] for array in arrays.values()) for i in range(3))  # pm_pred has a slice more
        read = {key: array.whole()[: shape[0], : shape[1], : shape[2]] for key, array in arrays.items()}
        soft = ndimage.gaussian_filter((read["cell"] > 0).astype(np.float32), [_SMOOTHING_UM / v for v in voxel])
        inside = np.stack([ndimage.binary_fill_holes(part) for part in soft > _INSIDE])
        if not inside.any() or inside.all():
            raise InputError(f"{self.folder}/{LABELS['cell']}/s{level} marks no cell, or nothing but cell")
        grey = read["em"].astype(np.float32)
        turned = grey[:, ::-1]
        flipped = abs(_correlation(turned, inside)) > abs(_correlation(grey, inside))
        if flipped:
            grey = turned
        groups = [(~inside, 0.0), (inside, CYTOPLASM)]
        groups += [(inside & (read["reticulum"] > 0), RETICULUM), (inside & (read["mitochondria"] > 0), MITOCHONDRIA)]
        means = [(float(grey[where].mean()), lac) for where, lac in groups if where.any()]
        gain, offset = np.polyfit([mean for mean, _ in means], [lac for _, lac in means], 1)
        return _Scaling(float(gain), float(offset), flipped, inside.astype(np.float32), voxel)

    def _deepest(self, band: tuple[float, float]) -> tuple[float, float]:
        scaling = self._scaling
        n = scaling.inside.shape[1]
        part = scaling.inside[:, int(band[0] * n) : max(int(band[1] * n), int(band[0] * n) + 1)]
        filled = np.pad(part.mean(axis=1) > 0.5, 1)
        depth = ndimage.distance_transform_edt(filled, sampling=(scaling.voxel_um[0], scaling.voxel_um[2]))
        row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
        return float((row - 0.5) * scaling.voxel_um[0]), float((column - 0.5) * scaling.voxel_um[2])

    def _sample(
        self, centre_um: tuple[float, float], band: tuple[float, float], shape: tuple[int, int, int], voxel_um: float
    ) -> NDArray[np.float32]:
        """Sample LAC on (axis 1, axis 0, axis 2) of the data about a centre, in the middle of a band of axis 1."""
        scaling = self._scaling
        level = self._fine_enough(voxel_um)
        height = scaling.inside.shape[1] * scaling.voxel_um[1]
        middle = (centre_um[0], sum(band) / 2 * height, centre_um[1])
        count = (shape[1], shape[0], shape[2])
        points = [m + (np.arange(n) - (n - 1) / 2) * voxel_um for m, n in zip(middle, count, strict=True)]
        stored = list(points)
        if scaling.flipped:
            stored[1] = height - points[1]
        grey = _interpolate(level, stored)
        inside = ndimage.map_coordinates(
            scaling.inside, _mesh([p / v - 0.5 for p, v in zip(points, scaling.voxel_um, strict=True)]), order=1
        )
        lac = np.where(inside > 0.5, scaling.gain * grey + scaling.offset, 0.0)
        return np.ascontiguousarray(np.maximum(lac, 0).transpose(1, 0, 2), np.float32)

    def _fine_enough(self, voxel_um: float) -> _Level:
        levels = _levels(self.folder / MICROGRAPHS)
        found = {level: _open(self.folder, MICROGRAPHS, level) for level in levels}
        fine = [level for level in levels if max(found[level].voxel_um) <= voxel_um * 1.001]
        if not fine:
            finest = 1000 * max(found[min(levels)].voxel_um)
            raise InputError(
                f"{self.folder}/{MICROGRAPHS}: the finest level, s{min(levels)}, has voxels of {finest:g} nm, "
                f"the study needs {1000 * voxel_um:g} nm or less"
            )
        return found[max(fine)]


def _correlation(a: NDArray[np.float32], b: NDArray[np.bool_]) -> float:
    x, y = a - a.mean(), b - b.mean()
    return float((x * y).sum() / max(np.sqrt(float((x * x).sum()) * float((y * y).sum())), 1e-30))


def _mesh(axes: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    return np.stack(np.broadcast_arrays(*np.ix_(*axes))).astype(np.float32)


def _interpolate(level: _Level, points_um: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Interpolate linearly between voxel centres, axis by axis; only the box about the points is read."""
    places = [p / v - 0.5 for p, v in zip(points_um, level.voxel_um, strict=True)]
    box, offsets = [], []
    for place, n in zip(places, level.shape, strict=True):
        first = min(max(int(np.floor(place.min())), 0), n - 1)
        last = min(max(int(np.ceil(place.max())), first), n - 1)
        box.append(slice(first, last + 1))
        offsets.append(first)
    values = level.read((box[0], box[1], box[2])).astype(np.float32)
    for axis, (place, offset) in enumerate(zip(places, offsets, strict=True)):
        here = np.clip(place - offset, 0, values.shape[axis] - 1)
        low = np.minimum(here.astype(int), max(values.shape[axis] - 2, 0))
        part = (here - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        high = np.minimum(low + 1, values.shape[axis] - 1)
        values = values.take(low, axis) * (1 - part) + values.take(high, axis) * part
    return values


def _levels(group: Path) -> list[int]:
    """Levels s0, s1, ... of a multiscale group that are there."""
    found = (path.name[1:] for path in group.glob("s*") if path.is_dir())
    return sorted(int(name) for name in found if name.isdigit())


def _open(folder: Path, name: str, level: int) -> _Level:
    path = folder / name / f"s{level}"
    n5 = (path / "attributes.json").is_file()
    if not n5 and not any((path / file).is_file() for file in (".zarray", "zarr.json")):
        raise InputError(f"{path} is no array: expected N5 (attributes.json) or Zarr (.zarray, zarr.json)")
    array = _open_n5(path) if n5 else _open_zarr(path)
    if len(array.shape) != 3:
        raise InputError(f"{path} has {len(array.shape)} axes, expected three")
    return _Level(array, n5, _voxel_um(folder / name, level, n5))


def _open_n5(path: Path) -> Any:
    try:
        import tensorstore
    except ModuleNotFoundError:
        raise InputError(
            f'{path} is N5, which needs tensorstore, which is not installed: pip install "sxtbench[openorganelle]"'
        ) from None
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": str(path)}}
    try:
        return tensorstore.open(spec, read=True).result()
    except ValueError as error:
        raise InputError(f"{path}: tensorstore cannot read it ({' '.join(str(error).split())[:200]})") from None


def _open_zarr(path: Path) -> Any:
    import zarr

    return zarr.open_array(str(path), mode="r")


def _voxel_um(group: Path, level: int, n5: bool) -> tuple[float, float, float]:
    """Voxel size of a level, from its own attributes or its group's."""
    own, parent = _attributes(group / f"s{level}", n5), _attributes(group, n5)
    sizes = _from_transform(own.get("transform")) or _from_resolution(own.get("pixelResolution"))
    for scales in parent.get("multiscales") or parent.get("ome", {}).get("multiscales") or []:
        if sizes:
            break
        for entry in scales.get("datasets", []):
            if entry.get("path") == f"s{level}":
                sizes = _from_transform(entry.get("transform")) or _from_ome(entry, scales)
    if not sizes:
        raise InputError(
            f"{group}/s{level} does not say its voxel size: expected `transform` or `pixelResolution` in its "
            "attributes, or `multiscales` in its group's"
        )
    return sizes


def _from_transform(transform: Any) -> tuple[float, float, float] | None:
    if not transform:
        return None
    size = dict(zip(transform["axes"], transform["scale"], strict=True))
    unit = dict(zip(transform["axes"], transform.get("units", ["nm"] * 3), strict=True))
    z, y, x = (size[axis] * _in_um(unit[axis]) for axis in "zyx")
    return z, y, x


def _from_resolution(resolution: Any) -> tuple[float, float, float] | None:
    if not resolution:
        return None
    x, y, z = (size * _in_um(resolution.get("unit", "nm")) for size in resolution["dimensions"])
    return z, y, x


def _from_ome(entry: Any, scales: Any) -> tuple[float, float, float] | None:
    for change in entry.get("coordinateTransformations", []):
        if change.get("type") == "scale":
            size = dict(zip([axis["name"] for axis in scales["axes"]], change["scale"], strict=True))
            unit = {axis["name"]: axis.get("unit", "nanometer") for axis in scales["axes"]}
            z, y, x = (size[axis] * _in_um(unit[axis]) for axis in "zyx")
            return z, y, x
    return None


def _in_um(unit: str) -> float:
    units = {"nm": 1e-3, "nanometer": 1e-3, "um": 1.0, "µm": 1.0, "micrometer": 1.0}
    if unit not in units:
        raise InputError(f"a voxel size has the unit {unit!r}, expected one of: {', '.join(units)}")
    return units[unit]


def _attributes(path: Path, n5: bool) -> dict[str, Any]:
    """Return the attributes of an array or group."""
    for name in ("attributes.json",) if n5 else (".zattrs", "zarr.json"):
        if (path / name).is_file():
            try:
                content = json.loads((path / name).read_text(encoding="utf-8"))
            except ValueError:
                raise InputError(f"{path / name} is not JSON") from None
            found: dict[str, Any] = content.get("attributes", {}) if name == "zarr.json" else content
            return found
    return {}
