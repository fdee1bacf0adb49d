"""A recipe: the distributions that the specimens and acquisitions of a dataset are drawn from. Data, not code.

`recipe.yaml` holds the values that all tiers share and, under `tiers`, what differs; `load_recipe` returns the whole
recipe of one tier and refuses unknown keys and impossible ranges.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from sxtbench.acquisition.interior import PairParameters
from sxtbench.acquisition.scene import SceneParameters
from sxtbench.acquisition.series import AcquisitionParameters, DeepAcquisitionParameters
from sxtbench.datasets.cube_recipe import CubeRecipe, LowDoseRecipe
from sxtbench.datasets.grid import GridParameters as GridParameters
from sxtbench.datasets.laboratory_recipe import LaboratoryRecipe
from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.hashing import sha256_json
from sxtbench.specimens.bacteria import BacteriaParameters
from sxtbench.specimens.budding import BuddingParameters
from sxtbench.specimens.mammalian import MammalianParameters
from sxtbench.specimens.yeast import YeastParameters


class FlatGridRecipe(Parameters):
    """What recipes of cells on a flat grid share."""

    family: str
    scored: bool = Field(description="false for parity recipes, which never make a scored dataset")
    data_major: int = Field(ge=1, description="raised when the data change meaning")
    seed: int = Field(ge=0)
    grid: GridParameters
    specimen: Parameters
    scene: SceneParameters
    acquisition: AcquisitionParameters

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON of the recipe."""
        return sha256_json(self.model_dump(mode="json"))

    @property
    def voxel_size_nm(self) -> float:
        """Edge of a voxel of the answer, nm."""
        return self.grid.voxel_size_nm

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Shapes (z, y, x) that answers have."""
        return [self.grid.shape]


class Recipe(FlatGridRecipe):
    """Everything that decides the bytes of a dataset of yeast on a flat grid, for one tier."""

    family: Literal["yeast"]
    specimen: YeastParameters


class ShiftedRecipe(FlatGridRecipe):
    """Everything that decides the bytes of a dataset of the shifted domain: budding yeast, seen out of focus too."""

    family: Literal["budding-yeast"]
    specimen: BuddingParameters
    acquisition: DeepAcquisitionParameters


class _InCapillary(Parameters):
    """What all families in a capillary have."""

    shape: tuple[int, int, int] = Field(description="voxels of the slab along (z, y, x), y = x")
    specimen: MammalianParameters | BacteriaParameters

    @model_validator(mode="after")
    def _possible(self) -> "_InCapillary":
        z, y, x = self.shape
        if y != x or z < 2 or x < 16 or z % 2 or x % 2:
            raise ValueError(f"shape is {self.shape}, expected even numbers (z, n, n), z at least 2 and n at least 16")
        if self.specimen.capillary is None:
            raise ValueError("specimen.capillary is missing: the exposure is set behind its bore")
        return self

    @property
    def bore_um(self) -> float:
        """Inner diameter of the capillary, um."""
        assert self.specimen.capillary is not None
        return self.specimen.capillary.bore_um


class MammalianScene(_InCapillary):
    """A mammalian cell in a capillary."""

    specimen: MammalianParameters


class BacteriaScene(_InCapillary):
    """Bacteria in a capillary."""

    specimen: BacteriaParameters


class CapillaryFamilies(Parameters):
    """The families of a dataset; specimens take turns in this order."""

    mammalian: MammalianScene | None = None
    bacteria: BacteriaScene | None = None

    @property
    def present(self) -> list[MammalianScene | BacteriaScene]:
        """Those that are there, in order."""
        return [scene for scene in (self.mammalian, self.bacteria) if scene is not None]

    @model_validator(mode="after")
    def _not_empty(self) -> "CapillaryFamilies":
        if not self.present:
            raise ValueError("name at least one of mammalian, bacteria")
        return self


class CapillaryRecipe(Parameters):
    """Everything that decides the bytes of a dataset of slabs in a capillary, imaged twice, for one tier."""

    family: Literal["capillary"]
    scored: bool = Field(description="false for parity recipes, which never make a scored dataset")
    data_major: int = Field(ge=1, description="raised when the data change meaning")
    seed: int = Field(ge=0)
    voxel_size_nm: float = Field(gt=0)
    families: CapillaryFamilies
    region_share: float = Field(gt=0, le=1, description="width of the region over the field at the reference level")
    acquisition: PairParameters

    @model_validator(mode="after")
    def _scans_fit(self) -> "CapillaryRecipe":
        for scene in self.families.present:
            if any(side % self.acquisition.full_binning for side in scene.shape):
                raise ValueError(
                    f"pixel sizes do not nest: {self.acquisition.full_binning} interior pixels make one of the "
                    f"full-field scan, and the slab has {scene.shape} voxels"
                )
        if self.region_share > self.acquisition.interior_share:
            raise ValueError(
                f"region_share is {self.region_share:g}, above the widest region that is stored, "
                f"acquisition.interior_share {self.acquisition.interior_share:g}"
            )
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON of the recipe."""
        return sha256_json(self.model_dump(mode="json"))

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Shapes (z, y, x) that answers have, in the order of the families."""
        return [scene.shape for scene in self.families.present]


AnyRecipe = Recipe | ShiftedRecipe | CapillaryRecipe | CubeRecipe | LowDoseRecipe | LaboratoryRecipe


def _merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Replace values deeply, except that a distribution (a mapping of numbers) is replaced whole."""
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        nested = isinstance(value, Mapping) and isinstance(old, Mapping)
        if nested and not set(value) <= {"mean", "sd", "min", "max"}:
            result[key] = _merged(old, value)  # type: ignore[arg-type]
        else:
            result[key] = value
    return result


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping from a file, or raise `InputError` with one line."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of keys, found {type(content).__name__}")
    return content


def one_line(error: ValidationError, model: type[Parameters] | None = None) -> str:
    """Return the first problem of a validation as one line that names the key and what would be right."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, first["loc"]) if model else []
        near = difflib.get_close_matches(str(first["loc"][-1]), known, 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else (f"; known keys: {', '.join(known)}" if known else "")
        return f"unknown key {where!r}{hint}"
    if first["type"] == "missing":
        return f"the key {where!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _known_keys(model: type[Parameters], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location[:-1]:
        field = getattr(current, "model_fields", {}).get(part)
        current = None if field is None else field.annotation
        if not hasattr(current, "model_fields"):
            candidates = [c for c in getattr(current, "__args__", ()) if hasattr(c, "model_fields")]
            current = candidates[0] if candidates else None
    return sorted(current.model_fields) if hasattr(current, "model_fields") else []


def recipe_tiers(path: Path) -> list[str]:
    """Return the tiers that a recipe file names."""
    tiers = read_yaml(path).get("tiers", {})
    return list(tiers) if isinstance(tiers, dict) else []


def load_recipe(path: Path, tier: str, *, seed: int | None = None) -> AnyRecipe:
    """Read the recipe of one tier.

    Parameters
    ----------
    path : Path
        A `recipe.yaml`.
    tier : str
        A key of its `tiers`.
    seed : int, optional
        Another root seed than the recipe's; the dataset then is another one, and off the board.

    Raises
    ------
    InputError
        For a file that cannot be read, an unknown tier or key, a missing key or an impossible range.
    """
    content = read_yaml(path)
    tiers = content.pop("tiers", None)
    if not isinstance(tiers, dict):
        raise InputError(f"{path}: the key 'tiers' is missing or not a mapping")
    if tier not in tiers:
        raise InputError(f"{path}: unknown tier {tier!r}; it has {', '.join(tiers)}")
    merged = _merged(content, tiers[tier] or {})
    if seed is not None:
        merged["seed"] = seed
    return parse_recipe(merged, str(path))


def parse_recipe(content: Mapping[str, Any], where: str) -> AnyRecipe:
    """Validate the content of a recipe; `where` names it in errors."""
    kinds: dict[Any, type[AnyRecipe]] = {
        "yeast": Recipe,
        "budding-yeast": ShiftedRecipe,
        "capillary": CapillaryRecipe,
        "cube": CubeRecipe,
        "laboratory": LaboratoryRecipe,
        "low-dose-cube": LowDoseRecipe,
    }
    family = content.get("family")
    if family not in kinds:
        raise InputError(f"{where}: family is {family!r}, expected one of: {', '.join(kinds)}")
    try:
        return kinds[family].model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where}: {one_line(error, kinds[family])}") from None
