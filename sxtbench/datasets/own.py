"""Users' own data as a sample: what `sxtbench import` keeps in one file, and what a method sees of it.

The file has the layout of a dataset's inputs: `tilt_series/main/{projections,angles_deg[,counts,incident_photons]}`,
`reconstructions/fbp`, and `labels` where there are some.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sxtbench.acquisition.series import TiltSeries
from sxtbench.datasets.dataset import Lazy
from sxtbench.datasets.reconstruct import reconstruct
from sxtbench.datasets.spec import Condition, DatasetSpec
from sxtbench.datasets.store import Hierarchy, Volume, open_hierarchy, write_hierarchy
from sxtbench.errors import InputError
from sxtbench.formats.ome_zarr import IMPORT_MARK
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics.regions import cylinder
from sxtbench.reconstruction import fbp

_VERSION = 1
_PLAUSIBLE_LAC = (0.05, 60.0)
"""1/um, of the largest values of a volume: ice has 0.1, cells up to 0.9, gold 24."""

LAC_UNITS = ("per-um", "per-voxel")


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnSeries:
    """A user's tilt series, with the attributes of `TiltSeries`; photons only where they are known.

    Parameters
    ----------
    projections : ndarray, shape (n_angles, z, u), float32
        Absorbance.
    angles_deg : ndarray, shape (n_angles,), float64, degrees
        Nominal angles.
    pixel_size_nm, energy_ev : float
        Edge of a pixel in the object plane, nm; photon energy, eV.
    photons : tuple of (ndarray, shape (n_angles, z, u), uint32; ndarray, shape (n_angles,), float64), optional
        Counts, and open-beam photons per pixel of each view.
    name : str
        Names the file in errors.
    """

    projections: NDArray[np.float32]
    angles_deg: NDArray[np.float64]
    pixel_size_nm: float
    energy_ev: float
    photons: tuple[NDArray[np.uint32], NDArray[np.float64]] | None = None
    column_offset_px: None = None
    name: str = "the tilt series"

    def __post_init__(self) -> None:
        if self.projections.ndim != 3 or self.angles_deg.shape != self.projections.shape[:1]:
            raise InputError(
                f"projections {self.projections.shape} and angles_deg {self.angles_deg.shape} do not belong together"
            )

    def _photons(self) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        if self.photons is None:
            raise InputError(f"{self.name} holds no photons, which it asks for: import it with --incident-photons N")
        return self.photons

    @property
    def counts(self) -> NDArray[np.uint32]:
        """Photons per pixel, shape (n_angles, z, u)."""
        return self._photons()[0]

    @property
    def incident_photons(self) -> NDArray[np.float64]:
        """Open-beam photons per pixel of each view."""
        return self._photons()[1]

    @property
    def geometry(self) -> ParallelGeometry:
        """Geometry at the nominal angles, the tilt axis in the middle of the columns."""
        _, slices, columns = self.projections.shape
        return ParallelGeometry(
            angles_deg=self.angles_deg, columns=columns, slices=slices, pixel_size_nm=self.pixel_size_nm
        )

    def select(self, indices: ArrayLike) -> "OwnSeries":
        """Return the series of some of the views."""
        chosen = np.asarray(indices)
        photons = None if self.photons is None else (self.photons[0][chosen], self.photons[1][chosen])
        return replace(self, projections=self.projections[chosen], angles_deg=self.angles_deg[chosen], photons=photons)


class _Scans(Mapping[str, OwnSeries]):
    """Tilt series by name; asking for another tells in one line what there is."""

    def __init__(self, series: Mapping[str, OwnSeries], name: str) -> None:
        self._series, self._name = dict(series), name

    def __getitem__(self, name: str) -> OwnSeries:
        if name in self._series:
            return self._series[name]
        if not self._series:
            raise InputError(f"{self._name} is a volume, and the method asks for the tilt series: import that")
        raise InputError(f"{self._name} has the tilt series main, and the method asks for {name!r}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def __contains__(self, name: object) -> bool:
        return name in self._series


class OwnSample:
    """What a method sees of a user's data, with the attributes of `Sample`.

    Parameters
    ----------
    name : str
        Names the file in errors.
    series : OwnSeries, optional
        The tilt series.
    volume : ndarray, shape (z, y, x), float32, 1/um, optional
        A reconstruction; it is `reconstructions["fbp"]`. Without one, that is made from the tilt series.
    voxel_size_nm : float, optional
        Edge of a voxel of `volume`, nm; that of a pixel otherwise.
    spec : DatasetSpec, optional
        Of the task whose methods are asked: the settings of reconstructions, and the condition at the reference.
    """

    twin_of = None

    def __init__(
        self,
        name: str,
        *,
        series: OwnSeries | None = None,
        volume: NDArray[np.float32] | None = None,
        voxel_size_nm: float | None = None,
        spec: DatasetSpec | None = None,
    ) -> None:
        if series is None and volume is None:
            raise InputError(f"{name} holds neither a tilt series nor a reconstruction")
        self.shape: tuple[int, int, int] = (0, 0, 0)
        size = voxel_size_nm
        if series is not None:
            _, slices, columns = series.projections.shape
            self.shape, size = (slices, columns, columns), series.pixel_size_nm
        if volume is not None:
            self.shape = cast(tuple[int, int, int], volume.shape)
            size = voxel_size_nm or size
        if size is None:
            raise InputError(f"{name}: the voxel size is not known")
        self.id = self.group = Path(name).name.split(".")[0]
        self.voxel_size_nm = float(size)
        self.condition: Condition = {} if spec is None else dict(spec.reference)
        self.metadata: dict[str, Any] = {
            "dataset": "own" if spec is None else spec.name,
            "tier": "" if spec is None else spec.tier,
            "answer": "labels" if spec is None else spec.answer,
        }
        self.series: Mapping[str, OwnSeries] = _Scans({} if series is None else {"main": series}, name)
        self._name, self._spec = name, spec
        makers: dict[str, Callable[[], NDArray[np.float32]]] = {"fbp": self._fbp}
        if volume is not None:
            makers["fbp"] = lambda: volume
        if series is not None and spec is not None and spec.cgne is not None:
            makers["cgne"] = lambda: self._reconstructed("cgne")
        self.reconstructions: Mapping[str, NDArray[np.float32]] = Lazy(makers, f"{name}: reconstructions")

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """Shape of the answer."""
        return self.shape

    @property
    def region(self) -> NDArray[np.bool_]:
        """Where a reconstruction is valid: the inscribed cylinder."""
        return cylinder(self.shape)

    @property
    def tilt_series(self) -> OwnSeries:
        """The tilt series."""
        return self.series["main"]

    @property
    def targets(self) -> Mapping[str, Any]:
        """Nothing is known of the truth."""
        raise InputError(f"{self._name} has no targets")

    def from_projections(self, projections: NDArray[Any]) -> NDArray[np.float32]:
        """Reconstruct other projections of the same views with the settings of `reconstructions["fbp"]`."""
        settings = (self._spec.fbp if self._spec else None) or {}
        return fbp(projections, self.tilt_series.geometry, volume_shape=self.shape, **settings)

    def _fbp(self) -> NDArray[np.float32]:
        return self.from_projections(self.tilt_series.projections)

    def _reconstructed(self, name: str) -> NDArray[np.float32]:
        assert self._spec is not None
        series = cast(Mapping[str, TiltSeries], {"main": self.tilt_series})
        return reconstruct(name, self._spec, series, self.shape)


def lac_per_um(volume: NDArray[np.float32], voxel_size_nm: float, unit: str | None, where: str) -> NDArray[np.float32]:
    """Return LAC in 1/um.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32
        As it was read.
    voxel_size_nm : float
        Edge of a voxel, nm.
    unit : str or None
        One of `LAC_UNITS`; where left out it is 1/um, and what cannot be that is refused.
    where : str
        Names the file in errors.
    """
    if unit not in (None, *LAC_UNITS):
        raise InputError(f"the LAC unit is {unit!r}, expected one of {', '.join(LAC_UNITS)}")
    if unit == "per-voxel":
        return np.asarray(volume / np.float32(voxel_size_nm / 1000), np.float32)
    low, high = _PLAUSIBLE_LAC
    large = float(np.percentile(volume, 99.5))
    if unit is None and not low <= large <= high:
        raise InputError(
            f"{where}: its brightest values are about {large:.3g}, expected LAC in 1/um of {low:g} to {high:g}; "
            "--lac-unit per-voxel or per-um says what they are"
        )
    return volume


def write_own(
    path: Path,
    *,
    series: OwnSeries | None = None,
    volume: NDArray[np.float32] | None = None,
    labels: NDArray[np.uint8] | None = None,
    voxel_size_nm: float | None = None,
    axes: str | None = None,
) -> None:
    """Write a user's data as one file that every verb reads; it is whole or not there.

    Parameters
    ----------
    path : Path
        Its name ends in `.zarr.zip`.
    series : OwnSeries, optional
        The tilt series.
    volume, labels : ndarray, shape (z, y, x), float32 (1/um) and uint8, optional
        A reconstruction, and labels of the same voxels.
    voxel_size_nm : float, optional
        Edge of their voxels, nm; that of a pixel where left out.
    axes : str, optional
        What the axes of the user's own volumes run along: answers are written likewise.
    """
    if not path.name.lower().endswith(".zarr.zip"):
        raise InputError(f"{path}: expected a name that ends in .zarr.zip")
    edge = voxel_size_nm if series is None else voxel_size_nm or series.pixel_size_nm
    if edge is None:
        raise InputError(f"{path}: the voxel size is not known")
    content = Hierarchy(attributes={IMPORT_MARK: _VERSION, "voxel_size_nm": edge, **({"axes": axes} if axes else {})})
    if series is not None:
        arrays: dict[str, NDArray[Any]] = {"projections": series.projections, "angles_deg": series.angles_deg}
        if series.photons is not None:
            arrays["counts"], arrays["incident_photons"] = series.photons
        content.arrays = {f"tilt_series/main/{name}": array for name, array in arrays.items()}
        content.attributes |= {"pixel_size_nm": series.pixel_size_nm, "energy_ev": series.energy_ev}
    if volume is not None:
        content.volumes["reconstructions/fbp"] = Volume(volume, edge / 1000, "1/um")
    if labels is not None:
        content.volumes["labels"] = Volume(labels, edge / 1000)
    try:
        write_hierarchy(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnFile:
    """What a file of `sxtbench import` holds."""

    series: OwnSeries | None
    volume: NDArray[np.float32] | None
    labels: NDArray[np.uint8] | None
    voxel_size_nm: float
    axes: str | None


def is_own(path: Path) -> bool:
    """Whether a name is that of a file that `sxtbench import` makes."""
    return path.name.lower().endswith(".zarr.zip")


def read_own(path: Path) -> OwnFile:
    """Read a file that `write_own` wrote.

    Raises
    ------
    InputError
        For a file that is missing, broken, or of something else.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    with open_hierarchy(path) as root:
        attributes: dict[str, Any] = root.attrs.asdict()
        if attributes.get(IMPORT_MARK) != _VERSION:
            raise InputError(f"{path} was not made by `sxtbench import` of this version, which is what is expected")

        def array(name: str) -> Any:
            return np.asarray(root[name][...]) if name in root else None  # type: ignore[index]

        main = {name: array(f"tilt_series/main/{name}") for name in ("projections", "angles_deg")}
        counts, incident = (array(f"tilt_series/main/{name}") for name in ("counts", "incident_photons"))
        volume, labels = array("reconstructions/fbp/0"), array("labels/0")
    series = None
    if main["projections"] is not None:
        series = OwnSeries(
            **main,
            pixel_size_nm=float(attributes["pixel_size_nm"]),
            energy_ev=float(attributes["energy_ev"]),
            photons=None if counts is None else (counts, incident),
            name=str(path),
        )
    return OwnFile(
        series=series,
        volume=volume,
        labels=labels,
        voxel_size_nm=float(attributes["voxel_size_nm"]),
        axes=attributes.get("axes"),
    )
