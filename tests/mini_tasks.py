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
    return replace(task, dataset_spec=replace(task.dataset_spec, recipe=recipe, sizes=SIZES, suffix="+mini"))


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
