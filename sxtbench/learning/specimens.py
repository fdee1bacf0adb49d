"""Specimens of the training stream that no dataset holds: without artefacts, or imaged along each of their axes."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.acquisition.scene import build_scene
from sxtbench.acquisition.series import Exposure, acquire
from sxtbench.datasets.cube_recipe import AnyCubeRecipe
from sxtbench.datasets.laboratory_recipe import LaboratoryRecipe
from sxtbench.datasets.recipe import AnyRecipe, CapillaryRecipe, Recipe
from sxtbench.errors import InputError
from sxtbench.randomness import generator, stage_key
from sxtbench.specimens.specimen import make_yeast, render_yeast

# Which axis of the specimen lies along (z, y, x), turn after turn: the beam passes along each once.
_TURNS = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


def without_artefacts(recipe: AnyRecipe) -> AnyRecipe:
    """Return a recipe whose acquisition has no flaw but the photons' noise, the lens and the missing wedge.

    Cracks, impurities, gold beads, the flat field's error, lost views and the angles' error are left out. The views
    that are no longer lost make the noise of a reconstruction lower.

    Parameters
    ----------
    recipe : Recipe, ShiftedRecipe or AnyCubeRecipe
        Of one tier.

    Raises
    ------
    InputError
        For slabs in a capillary, whose two scans belong together.
    """
    if isinstance(recipe, CapillaryRecipe):
        raise InputError("slabs in a capillary cannot be simulated without artefacts; artefacts must be true")
    if isinstance(recipe, LaboratoryRecipe):
        raise InputError("what a laboratory sees cannot be simulated without artefacts; artefacts must be true")
    acquisition: Any = recipe.acquisition
    if isinstance(recipe, AnyCubeRecipe):
        steady = acquisition.rotation.model_copy(update={"jitter_sd_deg": 0.0})
        return recipe.model_copy(
            update={"acquisition": acquisition.model_copy(update={"rotation": steady, "flat_field": None})}
        )
    tilt = acquisition.tilt.model_copy(update={"dropped_share": 0.0, "jitter_sd_deg": 0.0})
    clean = {"tilt": tilt, "flat_field": None, "misalignment": None}
    scene = recipe.scene.model_copy(update={"cracks": None, "impurities": None, "fiducials": None})
    return recipe.model_copy(update={"scene": scene, "acquisition": acquisition.model_copy(update=clean)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Turned:
    """A specimen that was imaged with one of its axes as the rotation axis.

    Parameters
    ----------
    exposure : Exposure
        The tilt series and its truth.
    labels : ndarray, shape (z, y, x), uint8
        Suite-wide ids, as the specimen lay.
    lac : ndarray, shape (z, y, x), float32, 1/um
        The scene.
    artefacts : dict of ndarray, shape (z, y, x), bool
        `fiducials`, `cracks`, `impurities`.
    """

    exposure: Exposure
    labels: NDArray[np.uint8]
    lac: NDArray[np.float32]
    artefacts: dict[str, NDArray[np.bool_]]


class TurnedSpecimens:
    """Yeast that is made once and imaged along each of its three axes, as the SimAQ paper does to save phantoms.

    Each turn has ice, artefacts, angles and noise of its own. What lies beside the field in x is left out of the turns
    but the first: their specimen is the cube of the field, and beside it is ice. Faces of the field that cut a cell cut
    it there as well.

    Parameters
    ----------
    recipe : Recipe
        Of one tier, with a field of three equal sides.

    Raises
    ------
    InputError
        For another recipe.

    References
    ----------
    Egebjerg and Wuestner 2025, SimAQ, doi 10.48550/arXiv.2508.10821, section 3.1.4.
    """

    def __init__(self, recipe: AnyRecipe) -> None:
        if not isinstance(recipe, Recipe) or len(set(recipe.grid.shape)) != 1:
            raise InputError("imaged_axes is 3, which needs yeast in a field of three equal sides, expected 1")
        self.recipe = recipe
        self._last: tuple[int, Any] | None = None

    def __call__(self, specimen: int, index: int, turn: int) -> Turned:
        """Image a specimen.

        Parameters
        ----------
        specimen : int
            Index within train that the specimen is drawn from.
        index : int
            Index within train that scene and acquisition are drawn from.
        turn : int
            0 to 2; 0 is the specimen as it is stored.
        """
        recipe = self.recipe
        fine, factor = recipe.grid.simulation, recipe.grid.simulation_refinement
        simulated, labels = self._specimen(specimen)
        lac, coverage = simulated.lac.copy(), simulated.coverage
        half_depth = simulated.half_depth_um
        if turn:
            lac, coverage = (_turned(volume, turn, labels.shape[2] * factor) for volume in (lac, coverage))
            rows = np.abs(fine.axes_um()[1][coverage.any(axis=(0, 2))])
            half_depth = float(rows.max(initial=0.0)) + fine.voxel_size_um / 2
        draw = partial(generator, recipe.seed, "train", index)
        scene = build_scene(lac, coverage, fine, half_depth_um=half_depth, parameters=recipe.scene, generator=draw)
        columns = labels.shape[2]
        target = scene.lac(factor=factor, columns=columns)
        artefacts = {name: scene.mask(name, factor=factor, columns=columns) for name in sorted(scene.masks)}
        exposure = acquire(
            scene,
            coverage,
            fine,
            factor=factor,
            columns=columns,
            parameters=recipe.acquisition,
            generator=draw,
            counts_key=stage_key(recipe.seed, "train", index, "counts"),
        )
        turned = np.ascontiguousarray(labels.transpose(_TURNS[turn]))
        return Turned(exposure=exposure, labels=turned, lac=target, artefacts=artefacts)

    def _specimen(self, index: int) -> tuple[Any, NDArray[np.uint8]]:
        """Return the specimen on the simulation's grid and its labels on the target's; the last one is kept."""
        if self._last is None or self._last[0] != index:
            recipe = self.recipe
            target, fine = recipe.grid.target, recipe.grid.simulation
            yeast = make_yeast(
                recipe.specimen,
                field=target,
                extended=fine,
                ice_lac_per_um=recipe.scene.ice_lac_per_um,
                generator_of=partial(generator, recipe.seed, "train", index),
            )
            self._last = index, (render_yeast(yeast, fine), render_yeast(yeast, target).labels)
        found: tuple[Any, NDArray[np.uint8]] = self._last[1]
        return found


def _turned(volume: NDArray[np.float32], turn: int, side: int) -> NDArray[np.float32]:
    """Turn the middle cube of a volume, and put it back among zeros."""
    first = (volume.shape[2] - side) // 2
    out = np.zeros_like(volume)
    out[:, :, first : first + side] = volume[:, :, first : first + side].transpose(_TURNS[turn])
    return out
