"""Tasks so small that their datasets take a second."""

from dataclasses import replace

from sxtbench.benchmark.task import Task, get_task
from sxtbench.datasets.recipe import GridParameters, parse_recipe
from sxtbench.datasets.spec import Axis

SIZES = {"train": 2, "validation": 1, "test": 2}


def mini_task() -> Task:
    """The tiny task with a coarser grid and fewer specimens."""
    task = get_task("limited-angle-segmentation", "tiny")
    grid = GridParameters(shape=(32, 32, 32), voxel_size_nm=180.0, simulation_refinement=1, extension_x=1.0)
    recipe = task.dataset_spec.recipe.model_copy(update={"grid": grid})
    spec = replace(task.dataset_spec, recipe=recipe, sizes=SIZES, suffix="+mini")
    return replace(task, dataset_spec=spec, shifted_spec=None)


def mini_shifted_task() -> Task:
    """The mini task with its shifted domain."""
    mini, shifted = mini_task(), get_task("limited-angle-segmentation", "tiny").shifted_spec
    assert shifted is not None
    recipe = shifted.recipe.model_copy(update={"grid": mini.dataset_spec.recipe.grid})
    spec = replace(shifted, recipe=recipe, sizes={"shifted": 2}, suffix="+mini+shifted")
    return replace(mini, shifted_spec=spec)


def mini_pair_task(name: str) -> Task:
    """A task on two scans with a coarser grid, fewer views and fewer specimens."""
    task = get_task(name, "tiny")
    content = task.dataset_spec.recipe.model_dump(mode="json")
    content["voxel_size_nm"] = 160.0
    for family in filter(None, content["families"].values()):
        family["shape"] = [4, 64, 64]
    content["acquisition"] |= {"interior_views": 20, "full_views": 20}
    axes = {
        "full_views": Axis(levels=(2, 5, 10), reference=5),
        "anchors": Axis(levels=(3, 5), reference=5),
    }
    chosen = {axis: axes.get(axis, found) for axis, found in task.protocol.axes.items()}
    spec = replace(task.dataset_spec, recipe=parse_recipe(content, "mini"), sizes=SIZES, axes=chosen, suffix="+mini")
    return replace(task, protocol=task.protocol.model_copy(update={"axes": chosen}), dataset_spec=spec)


def mini_organelle_task() -> Task:
    """The tiny task of mammalian cubes with a coarser grid, fewer views, fewer mitochondria and fewer specimens."""
    task = get_task("organelle-segmentation", "tiny")
    content = task.dataset_spec.recipe.model_dump(mode="json")
    content |= {"shape": [32, 32, 32], "voxel_size_nm": 320.0, "simulation_refinement": 2}
    content["specimen"]["mitochondria"]["count"] = 12
    content["acquisition"]["rotation"]["views"] = 24
    axes = {"labelled_cells": Axis(levels=(1, 2), reference=2, kind="training")}
    spec = replace(task.dataset_spec, recipe=parse_recipe(content, "mini"), sizes=SIZES, axes=axes, suffix="+mini")
    return replace(task, protocol=task.protocol.model_copy(update={"axes": axes}), dataset_spec=spec)


def mini_contrast_task() -> Task:
    """The tiny task of the laboratory source with coarser grids, fewer views and fewer specimens."""
    task = get_task("contrast-enhancement", "tiny")
    content = task.dataset_spec.recipe.model_dump(mode="json")
    for family, voxel in (("yeast", 120.0), ("mammalian", 213.0)):
        content["families"][family]["grid"] |= {"shape": [48, 48, 48], "voxel_size_nm": voxel}
    content["families"]["mammalian"]["specimen"]["mitochondria"]["count"] = 12
    content["acquisition"]["tilt"]["step_deg"] = 4.0
    spec = replace(task.dataset_spec, recipe=parse_recipe(content, "mini"), sizes=SIZES, suffix="+mini")
    return replace(task, dataset_spec=spec)


def mini_low_dose_task() -> Task:
    """The tiny task of low doses with a coarser grid, fewer views, fewer mitochondria and fewer specimens."""
    task = get_task("low-dose", "tiny")
    content = task.dataset_spec.recipe.model_dump(mode="json")
    content |= {"shape": [40, 40, 40], "voxel_size_nm": 240.0, "simulation_refinement": 1}
    content["specimen"]["mitochondria"]["count"] = 12
    content["acquisition"]["rotation"]["views"] = 24
    content["low_dose"] |= {"paired_views": 4, "twins": {"every": 2, "droplets": 3}}
    content["low_dose"]["reference"] |= {"points": 6, "seeds": 4}
    axes = {"dose": Axis(levels=(0.2, 0.1), reference=0.1)}
    spec = replace(task.dataset_spec, recipe=parse_recipe(content, "mini"), sizes=SIZES, axes=axes, suffix="+mini")
    return replace(task, protocol=task.protocol.model_copy(update={"axes": axes}), dataset_spec=spec)
