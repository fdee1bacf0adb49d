"""Datasets as a method sees them: samples with their tilt series, reconstructions and, where asked for, targets."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.series import TiltSeries
from sxtbench.datasets.build import build, read_statement
from sxtbench.datasets.conditions import MIRROR_IMAGES, derive
from sxtbench.datasets.fetched import read_fetched
from sxtbench.datasets.private import AT_CONDITION
from sxtbench.datasets.recipe import FlatGridRecipe
from sxtbench.datasets.reconstruct import RECONSTRUCTION_STEP_EXPONENT, reconstruct
from sxtbench.datasets.record import read_series, tilt_series
from sxtbench.datasets.spec import Condition, DatasetSpec, fingerprint
from sxtbench.datasets.store import open_hierarchy, read_array, rounded
from sxtbench.errors import InputError
from sxtbench.files import atomic_path
from sxtbench.hashing import sha256_json
from sxtbench.labels import GLASS
from sxtbench.metrics.regions import SCORED_SHARE, cylinder, interior_cylinder
from sxtbench.reconstruction import fbp


def home() -> Path:
    """Return the folder for data: `$SXTBENCH_HOME`, else the platform's cache folder."""
    configured = os.environ.get("SXTBENCH_HOME")
    if configured:
        return Path(configured).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("sxtbench")


class Lazy(Mapping[str, NDArray[Any]]):
    """Arrays that are read or computed at the first access and then kept."""

    def __init__(self, makers: Mapping[str, Callable[[], NDArray[Any]]], what: str) -> None:
        self._makers, self._made, self._what = dict(makers), dict[str, NDArray[Any]](), what

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._makers:
            raise KeyError(f"{self._what} has no {name!r}; it has {', '.join(self._makers)}")
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Sample:
    """One specimen under one condition.

    Attributes
    ----------
    id, group : str
        Identity of the sample, and of its specimen.
    twin_of : str or None
        Of a specimen that is imaged again with something taken out: the specimen. Twins never enter the headline.
    condition : dict
        Level of every axis, for example `{"tilt_range_deg": 100.0, "photons": 1.0}`.
    shape : tuple of three int
        Voxels of the volume to answer with, (z, y, x).
    voxel_size_nm : float
        Edge of a voxel, nm.
    answer_shape : tuple of int
        Shape of the answer: `shape`, or (n_views, 2) where shifts are asked for.
    region : ndarray, shape (z, y, x), bool, or None
        Where answers are scored; None where that depends on the truth (`cell_halo`, in the targets) or where no volume
        is asked for. Of an interior scan: the region's cylinder, from which scoring leaves glass out.
    metadata : dict
        Dataset, tier, the kind of answer that is asked for, share of pixels at the count floor; `family` where a
        dataset has specimens of several in one shape (`yeast`, `mammalian`); of an interior scan
        `region_centre_um`, (y, x) from the rotation axis, and `region_width_um`.
    series : mapping of TiltSeries
        Tilt series by name: `main`, or `interior` and `full`. `tilt_series` is `main`, or the only one. At low dose
        also `paired` and `paired_low`: a few tilts of another specimen at the full dose, and again at this sample's.
    reconstructions : mapping of ndarray, shape (z, y, x), float32, 1/um
        `fbp` and `cgne`, where the task offers them: stored at the reference level (`cgne` not in full), else computed
        at the first access; what `cgne` costs is paid once, it is kept on disk.
    """

    def __init__(self, dataset: "Dataset", row: Mapping[str, Any]) -> None:
        self._row = dict(row)
        self._with_targets = dataset.targets
        self._spec, self._folder = dataset.spec, dataset.folder
        self.id: str = row["id"]
        self.group: str = row["group"]
        self.twin_of: str | None = row["twin_of"]
        self.condition: Condition = {axis: row[f"condition_{axis}"] for axis in self._spec.reference}
        self.voxel_size_nm: float = float(row["voxel_size_nm"])
        depth, height, width = (int(n) for n in row["shape_zyx"])
        self.shape = (depth, height, width)
        self.metadata: dict[str, Any] = {
            "dataset": self._spec.name,
            "tier": self._spec.tier,
            "answer": self._spec.answer,
            "floored_share": float(row["floored_share"]),
            **({"family": row["family"]} if row.get("family") else {}),
        }
        if row.get("region_y_um") is not None:
            share = self.condition.get("region", getattr(self._spec.recipe, "region_share", math.nan))
            self.metadata["region_centre_um"] = float(row["region_y_um"]), float(row["region_x_um"])
            self.metadata["region_width_um"] = share * width * self.voxel_size_nm / 1000
        offered = {"fbp": (self._spec.fbp, self._fbp), "cgne": (self._spec.cgne, self._cgne)}
        self.reconstructions: Mapping[str, NDArray[np.float32]] = Lazy(
            {name: maker for name, (settings, maker) in offered.items() if settings is not None},
            f"{self.id}: reconstructions",
        )

    def __repr__(self) -> str:
        return f"Sample({self.id!r}, shape={self.shape}, voxel_size_nm={self.voxel_size_nm:g})"

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """Shape of the answer."""
        if self._spec.answer == "shifts":
            return len(self.series["interior"].angles_deg), 2
        return self.shape

    @cached_property
    def region(self) -> NDArray[np.bool_] | None:
        """Where answers are scored, if that is no secret: the inscribed cylinder, or that of the interior scan."""
        if self._spec.region == "cyl":
            return cylinder(self.shape)
        return self.interior_region(SCORED_SHARE) if self._spec.region == "roi" else None

    def interior_region(self, share: float) -> NDArray[np.bool_]:
        """Return the cylinder of a share of the interior scan's width about its centre, rows near the ends left out."""
        centre, width = self.metadata["region_centre_um"], self.metadata["region_width_um"]
        return interior_cylinder(self.shape, self.voxel_size_nm, centre, share * width)

    @cached_property
    def scored_region(self) -> NDArray[np.bool_]:
        """Where answers are scored, shape (z, y, x), bool. Needs targets."""
        if self._spec.region in ("cell_halo", "cells"):
            return np.asarray(self.targets[self._spec.region])
        region = self.region
        assert region is not None, f"{self._spec.region}: no region of a volume"
        return region & (self.targets["labels"] != GLASS) if self._spec.region == "roi" else region

    @property
    def tilt_series(self) -> TiltSeries:
        """The only tilt series, or `main`, at this sample's condition.

        Raises
        ------
        InputError
            Where there are several and none is `main`: `series` has them by name.
        """
        if "main" in self.series:
            return self.series["main"]
        if len(self.series) > 1:
            raise InputError(f"{self.id}: has several tilt series; use series[...] with one of {list(self.series)}")
        return next(iter(self.series.values()))

    @cached_property
    def series(self) -> dict[str, TiltSeries]:
        """Tilt series by name, at this sample's condition."""
        with open_hierarchy(self._folder / self._row["input_path"]) as root:
            attributes: dict[str, Any] = root.attrs.asdict()
            found = read_series(root)
        stored = tilt_series(found, attributes)
        if AT_CONDITION in attributes:
            return stored
        twin = stored.pop("twin", None)
        if twin is not None and self.twin_of:
            stored["main"] = twin
        recipe = self._spec.recipe
        if isinstance(recipe, FlatGridRecipe):
            attributes["tilt_range_deg"] = recipe.acquisition.tilt.range_deg
        return derive(stored, self.condition, attributes, content_sha256=self._row["content_sha256"])

    def from_projections(self, projections: NDArray[Any]) -> NDArray[np.float32]:
        """Reconstruct other projections of the same views with the pinned settings of `reconstructions["fbp"]`.

        Parameters
        ----------
        projections : ndarray, shape (n_angles, z, u), float, absorbance
            For example denoised ones; what the harness makes of an answer that is projections.

        Returns
        -------
        ndarray, shape (z, y, x), float32, LAC in 1/um
        """
        settings = self._spec.fbp or {}
        return fbp(projections, self.tilt_series.geometry, volume_shape=self.shape, **settings)

    @cached_property
    def targets(self) -> Mapping[str, NDArray[Any]]:
        """The truth: `labels`, `lac`, masks by name (`nucleus`, `cell_halo`, ...), `true_angles_deg`, ...

        `labels` are the task's; `suite_labels` those that are stored, where a task takes several for one.

        Raises
        ------
        InputError
            Unless the dataset was opened with `targets=True`: methods are not handed the truth. And where the truth is
            that of a season before its reveal.
        """
        if not self._with_targets:
            raise InputError(
                f"{self.id}: asks for targets, which a method does not get; "
                "open the dataset with targets=True to look at the truth"
            )
        if self._row["target_path"] is None:
            raise InputError(f"{self.id}: its truth is hidden; the organiser publishes it when the season is revealed")
        path = self._folder / self._row["target_path"]
        own = "twin/" if self.twin_of else ""
        with open_hierarchy(path) as root:
            masks = sorted(root["masks"].group_keys()) if "masks" in root else []  # type: ignore[union-attr]
            plain = sorted(root.array_keys())
            attributes: dict[str, Any] = root.attrs.asdict()
        makers: dict[str, Callable[[], NDArray[Any]]] = {
            "labels": lambda: _renamed(read_array(path, f"{own}labels/0"), self._spec.truth),
            "suite_labels": lambda: read_array(path, f"{own}labels/0"),
            "lac": lambda: read_array(path, f"{own}lac/0"),
            **{name: lambda name=name: read_array(path, name) for name in plain},  # type: ignore[misc]
        }
        if "ice_thickness_um" in attributes:
            makers["ice_thickness_um"] = lambda: np.asarray(attributes["ice_thickness_um"], np.float64)
        if "true_shifts_px" not in plain:
            ending = MIRROR_IMAGES if self.condition.get("sampling_deg") == 360.0 else ""
            makers["true_shifts_px"] = lambda: read_array(path, f"true_shifts/interior{ending}")
        if self.twin_of:
            makers["lac_of_specimen"] = lambda: read_array(path, "lac/0")
        elif "vacated_um" in plain:
            makers["lac_of_twin"] = lambda: read_array(path, "twin/lac/0")
        for name in masks:
            makers[name] = lambda name=name: read_array(path, f"masks/{name}/0").astype(bool)  # type: ignore[misc]
        return Lazy(makers, f"{self.id}: targets")

    def _stored(self, name: str) -> NDArray[np.float32] | None:
        """Read a reconstruction that is stored with the sample: only at the reference level, and not every one."""
        path = self._folder / self._row["input_path"]
        if self.condition != self._spec.reference or self.twin_of:
            return None
        with open_hierarchy(path) as root:
            stored = f"reconstructions/{name}/0" in root
        return read_array(path, f"reconstructions/{name}/0") if stored else None

    def _fbp(self) -> NDArray[np.float32]:
        stored = self._stored("fbp")
        return reconstruct("fbp", self._spec, self.series, self.shape) if stored is None else stored

    def _cgne(self) -> NDArray[np.float32]:
        stored = self._stored("cgne")
        if stored is not None:
            return stored
        key = sha256_json([self._row["content_sha256"], self.condition, self._spec.cgne])
        path = home() / "cache" / "cgne" / f"{key}.npy"
        if path.is_file():
            cached: NDArray[np.float32] = np.load(path)
            return cached
        volume = rounded(reconstruct("cgne", self._spec, self.series, self.shape), RECONSTRUCTION_STEP_EXPONENT)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, volume)
        return volume


def _renamed(labels: NDArray[np.uint8], names: Mapping[int, int]) -> NDArray[np.uint8]:
    """Give labels other numbers; those that are not named stay."""
    table = np.arange(256, dtype=np.uint8)
    for old, new in names.items():
        table[old] = new
    return table[labels] if names else labels


class Dataset:
    """One split of a dataset: `len`, iteration, `[i]`, and `by_id`.

    Parameters
    ----------
    spec : DatasetSpec
        What the dataset is.
    folder : Path
        Where it lies.
    split : str
        `train`, `validation` or `test`.
    targets : bool
        Whether samples show the truth.
    """

    def __init__(self, spec: DatasetSpec, folder: Path, split: str, *, targets: bool = False) -> None:
        import pyarrow.parquet as pq

        self.spec, self.folder, self.split, self.targets = spec, folder, split, targets
        self.statement, self.fetched = read_statement(folder), read_fetched(folder)
        if split not in self.statement["splits"]:
            raise InputError(f"{folder}: holds no split {split!r}; it has {', '.join(self.statement['splits'])}")
        if self.fetched is not None and not (folder / "manifest" / f"{split}.parquet").is_file():
            command = self.fetched.command(folder, split)
            raise InputError(f"{folder}: the split {split!r} was not downloaded; `{command}` fetches it")
        rows = pq.read_table(folder / "manifest" / f"{split}.parquet").drop_columns(["preview"]).to_pylist()
        content = {row["group"]: row["content_sha256"] for row in rows}
        self.fingerprint = fingerprint(spec, split, content)
        if self.fingerprint != self.statement["splits"][split]["fingerprint"]:
            raise InputError(
                f"{folder}: its {split} split has not the fingerprint that it states; run `sxtbench verify {folder}`"
            )
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        return self._sample(self._rows[index])

    def __iter__(self) -> Iterator[Sample]:
        return (self._sample(row) for row in self._rows)

    def __repr__(self) -> str:
        return f"Dataset({self.spec.name!r}, {self.split!r}, {len(self)} samples, {self.folder})"

    @property
    def ids(self) -> list[str]:
        """Ids of the samples, in order."""
        return [row["id"] for row in self._rows]

    def by_id(self, sample_id: str) -> Sample:
        """Return the sample with this id."""
        for row in self._rows:
            if row["id"] == sample_id:
                return self._sample(row)
        raise InputError(
            f"{self.spec.name}: no sample {sample_id!r} in {self.split}; ids look like {self._rows[0]['id']}"
        )

    @property
    def at_reference(self) -> "Dataset":
        """The samples at the reference level of every axis only."""
        return self.at(self.spec.reference)

    def at(self, condition: Condition) -> "Dataset":
        """Return the samples at one condition only, without twins."""
        chosen = (row for row in self._rows if all(row[f"condition_{k}"] == v for k, v in condition.items()))
        return self._of([row for row in chosen if row["twin_of"] is None])

    def first(self, count: int | None) -> "Dataset":
        """Return the first `count` samples, all where it is None."""
        return self._of(self._rows[:count])

    def of_first_specimens(self, count: int) -> "Dataset":
        """Return all samples of the first `count` specimens."""
        chosen = set(list(dict.fromkeys(row["group"] for row in self._rows))[:count])
        return self._of([row for row in self._rows if row["group"] in chosen])

    @property
    def with_targets(self) -> "Dataset":
        """The same samples with their truth."""
        return self._of(self._rows, targets=True)

    @property
    def without_targets(self) -> "Dataset":
        """The same samples as a method sees them."""
        return self._of(self._rows, targets=False)

    @property
    def origin(self) -> Literal["downloaded", "regenerated"]:
        """How the data came here; results record it."""
        return "regenerated" if self.fetched is None else "downloaded"

    @property
    def here(self) -> "Dataset":
        """The samples whose files are here: all, unless only some were downloaded."""
        return self._of([row for row in self._rows if self._is_here(row)])

    def require_whole(self) -> None:
        """Raise `InputError` where samples were not downloaded: what is scored is a whole split."""
        for row in self._rows:
            self._require_here(row)

    def _is_here(self, row: Mapping[str, Any]) -> bool:
        return self.fetched is None or all((self.folder / row[key]).is_file() for key in ("input_path", "target_path"))

    def _require_here(self, row: Mapping[str, Any]) -> None:
        if self.fetched is not None and not self._is_here(row):
            count, command = len({r["group"] for r in self.here._rows}), self.fetched.command(self.folder, self.split)
            raise InputError(
                f"{self.folder}: {row['id']} was not downloaded (of {self.split}, {count} specimens are here); "
                f"`{command}` fetches the rest"
            )

    def _sample(self, row: Mapping[str, Any]) -> Sample:
        self._require_here(row)
        return Sample(self, row)

    def _of(self, rows: list[dict[str, Any]], *, targets: bool | None = None) -> "Dataset":
        some = copy(self)
        some._rows = rows
        some.targets = self.targets if targets is None else targets
        return some


def open_or_build(
    spec: DatasetSpec,
    split: str,
    folder: Path | None = None,
    *,
    targets: bool = False,
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Dataset:
    """Open one split of a dataset, generating it on first use.

    Raises
    ------
    InputError
        For an unknown split, or a folder that holds another dataset.
    """
    place = folder or home() / "datasets" / spec.name
    build(spec, place, splits=[split], workers=workers, progress=progress)
    return Dataset(spec, place, split, targets=targets)
