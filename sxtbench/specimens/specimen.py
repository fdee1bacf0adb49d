"""A yeast specimen from recipe to voxels: drawn once, rendered on any grid."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.geometry import VolumeGrid
from sxtbench.jit import exact_kernel
from sxtbench.specimens.blocks import in_blocks
from sxtbench.specimens.deformation import Deformation, draw_deformation
from sxtbench.specimens.shapes import Body
from sxtbench.specimens.texture import texture_spacings_um
from sxtbench.specimens.voxelise import Texture, Voxels, voxelise
from sxtbench.specimens.yeast import YeastGeometry, YeastParameters, draw_yeast
from sxtbench.specimens.yeast_interior import CELL, MITOCHONDRION, NUCLEUS

_MASKS = {"nucleus": NUCLEUS, "mitochondria": MITOCHONDRION}


@dataclass(frozen=True, eq=False)
class Yeast:
    """A specimen in world coordinates, to be rendered on any grid.

    Parameters
    ----------
    geometry : YeastGeometry
        Undeformed bodies.
    deformation : Deformation
        Displacement field that bends them.
    texture : Texture
        Texture, for the coarsest grid that will be used.
    half_depth_um : float, um
        Largest |y| of any cell, deformed: the ice must reach beyond it.
    """

    geometry: YeastGeometry
    deformation: Deformation
    texture: Texture
    half_depth_um: float


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a specimen on the target's grid.

    Parameters
    ----------
    labels, masks, objects
        As of `Specimen`.
    """

    labels: NDArray[np.uint8]
    masks: dict[str, NDArray[np.bool_]]
    objects: list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Specimen:
    """A specimen on a grid.

    Parameters
    ----------
    grid : VolumeGrid
        The grid.
    labels : ndarray, shape (z, y, columns), uint8
        Class at each voxel's centre, in the columns that were asked for: all, or those of the target.
    bodies : ndarray, shape (z, y, columns), uint16
        Instance at each voxel's centre: the `id` of the table of objects, 0 outside.
    lac : ndarray, shape (z, y, x), float32, 1/um
        Yeast: mean LAC over the voxel where what lies outside cells counts 0: the scene is
        `lac + (1 - coverage) * ice`. Families in a capillary: the whole scene.
    coverage : ndarray, shape (z, y, x), float32
        Share of the voxel inside cells; in a capillary, inside the bore.
    masks : dict of ndarray, shape (z, y, columns), bool
        What has no label of its own; of yeast `nucleus` and `mitochondria`, which carry the label of the cytoplasm.
    objects : list of dict
        The table of objects (`object_table`).
    half_depth_um : float, um
        Largest |y| of any cell, whatever the grid; in a capillary, of its wall.
    """

    grid: VolumeGrid
    labels: NDArray[np.uint8]
    bodies: NDArray[np.uint16]
    lac: NDArray[np.float32]
    coverage: NDArray[np.float32]
    masks: dict[str, NDArray[np.bool_]]
    objects: list[dict[str, Any]]
    half_depth_um: float

    @property
    def truth(self) -> Truth:
        """What a target needs, without the large rest."""
        return Truth(labels=self.labels, masks=self.masks, objects=self.objects)


def make_yeast(
    parameters: YeastParameters,
    *,
    field: VolumeGrid,
    extended: VolumeGrid,
    ice_lac_per_um: float,
    generator_of: Callable[[str], np.random.Generator],
) -> Yeast:
    """Draw a specimen.

    Parameters
    ----------
    parameters : YeastParameters
        The recipe.
    field : VolumeGrid
        Grid of the target: cells are packed about its centre, and texture finer than its voxels is left out, so that
        the target and a finer simulation show the same specimen.
    extended : VolumeGrid
        Grid of the simulation, the same or wider in x (and finer).
    ice_lac_per_um : float, 1/um
        LAC of the ice around.
    generator_of : callable
        Stage (`specimen`, `deformation`, `texture`; `sxtbench.randomness`) -> its generator.

    Returns
    -------
    Yeast
        To be rendered with `render_yeast`.
    """
    extent = tuple(max(a, b) for a, b in zip(field.size_um, extended.size_um, strict=True))
    geometry = draw_yeast(
        parameters,
        field_um=field.size_um,
        extended_x_um=extent[2],
        ice_lac_per_um=ice_lac_per_um,
        rng=generator_of("specimen"),
    )
    deformation = draw_deformation(
        parameters.deformation, (extent[0], extent[1], extent[2]), generator_of("deformation")
    )
    spacings = texture_spacings_um(parameters.texture.correlation_um, field.voxel_size_um)
    key = int(generator_of("texture").integers(2**64, dtype=np.uint64))
    return Yeast(geometry, deformation, Texture(tuple(spacings), key), half_depth_um(geometry, deformation))


def render_yeast(yeast: Yeast, grid: VolumeGrid, *, columns: int | None = None, workers: int | None = None) -> Specimen:
    """Render a specimen on a grid; the result does not depend on the number of threads.

    Parameters
    ----------
    yeast : Yeast
        What `make_yeast` drew.
    grid : VolumeGrid
        Any grid about the same centre.
    columns : int, optional
        Columns at its centre that labels, bodies, masks and the table of objects cover; all by default.
    workers : int, optional
        Threads, default one a core.

    Returns
    -------
    Specimen
        Labels, LAC, masks and the table of objects.
    """
    bodies = yeast.geometry.bodies
    voxels = voxelise(
        bodies, grid, deformation=yeast.deformation, texture=yeast.texture, columns=columns, workers=workers
    )
    masks = {name: body_mask(voxels, [body.kind == kind for body in bodies]) for name, kind in _MASKS.items()}
    return Specimen(
        grid=grid,
        labels=voxels.labels,
        bodies=voxels.bodies,
        lac=voxels.lac,
        coverage=voxels.coverage,
        masks=masks,
        objects=object_table(bodies, yeast.deformation, voxels.volumes_um3),
        half_depth_um=yeast.half_depth_um,
    )


def body_mask(voxels: Voxels, chosen: list[bool]) -> NDArray[np.bool_]:
    """Voxels whose centre belongs to one of the chosen bodies, shape (z, y, columns), bool."""
    mask = np.zeros(voxels.bodies.shape, np.bool_)
    within, bodies, wanted = mask[voxels.box], voxels.bodies[voxels.box], np.array([False, *chosen])
    in_blocks(lambda first, last: _look_up(bodies[first:last], wanted, within[first:last]), len(bodies), block=8)
    return mask


@exact_kernel
def _look_up(bodies: NDArray[np.uint16], wanted: NDArray[np.bool_], mask: NDArray[np.bool_]) -> None:
    for k in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            for i in range(mask.shape[2]):
                if bodies[k, j, i] > 0:
                    mask[k, j, i] = wanted[bodies[k, j, i]]


def half_depth_um(geometry: YeastGeometry, deformation: Deformation) -> float:
    """Largest |y| that any cell reaches once deformed, um."""
    deepest = 0.0
    for shape in (body.shapes[0] for body in geometry.bodies if body.kind == CELL):
        deepest = max(deepest, float(np.abs(deformation.to_world(shape.surface_um(4096))[:, 1]).max()))
    return deepest


def object_table(
    bodies: tuple[Body, ...], deformation: Deformation, visible_um3: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Return one row a body, in the order of their ids.

    Returns
    -------
    list of dict
        `id` (from 1, as in `Specimen.bodies`), `kind`, `label`, `cell`, `z_um`, `y_um`, `x_um` (deformed centre),
        `radius_a_um`, `radius_b_um`, `radius_c_um` (undeformed semi-axes; of a tube half its path, then its radius),
        `orientation` (9 numbers: body axes as rows in (z, y, x); of a tube those of its middle piece), `lac_per_um`,
        `volume_um3` (undeformed, with what lies inside it; None for sheets and patches, whose radii are those of the
        surface they follow) and `visible_volume_um3` (deformed, on the grid, without).
    """
    rows = []
    for number, (body, visible) in enumerate(zip(bodies, visible_um3, strict=True), 1):
        middle = body.shapes[len(body.shapes) // 2]
        centre = np.mean([shape.centre_um for shape in body.shapes], axis=0)
        z, y, x = deformation.to_world(centre)[0]
        a, b, c = middle.radii_um
        volume: float | None = sum(shape.volume_um3 for shape in body.shapes)
        if len(body.shapes) > 1:  # pieces of a tube share the balls at their joints
            a = sum(shape.radii_um[0] for shape in body.shapes)
            volume -= (len(body.shapes) - 1) * 4.0 / 3.0 * np.pi * b**3
        if body.region is not None and len(body.region.bands) > 1:
            volume = None
        rows.append(
            {
                "id": number,
                "kind": body.kind,
                "label": body.label,
                "cell": body.cell,
                "z_um": float(z),
                "y_um": float(y),
                "x_um": float(x),
                "radius_a_um": float(a),
                "radius_b_um": float(b),
                "radius_c_um": float(c),
                "orientation": [float(v) for v in middle.rotation.ravel()],
                "lac_per_um": body.lac_per_um,
                "volume_um3": None if volume is None else float(volume),
                "visible_volume_um3": float(visible),
            }
        )
    return rows
