"""What `sxtbench bench` measures."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from sxtbench.benchmark.environment import cpu, peak_memory_mb
from sxtbench.benchmark.task import get_task
from sxtbench.datasets.flat_grid import record
from sxtbench.datasets.recipe import GridParameters, Recipe
from sxtbench.datasets.record import Job, write_record
from sxtbench.datasets.simulate import StageTimer
from sxtbench.datasets.spec import DatasetSpec


def bench_recipe(size: int, cells: int) -> Recipe:
    """Return the full tier's recipe with `size` voxels along an edge of the same field, and a number of cells."""
    recipe = get_task("limited-angle-segmentation", "full").dataset_spec.recipe
    assert isinstance(recipe, Recipe)
    side, edge = recipe.grid.shape[0], recipe.grid.voxel_size_nm
    grid = GridParameters(
        shape=(size, size, size),
        voxel_size_nm=edge * side / size,
        simulation_refinement=1,
        extension_x=recipe.grid.extension_x,
    )
    content = recipe.model_dump(mode="json")
    content["grid"] = grid.model_dump(mode="json")
    content["specimen"]["cells"]["count"] = {"min": cells, "max": cells}
    return Recipe.model_validate(content)


def _sample(spec: DatasetSpec, index: int, timer: StageTimer) -> None:
    with TemporaryDirectory() as folder:
        job = Job(spec=spec, split="study", index=index, folder=Path(folder))
        write_record(job, record(job, timer), timer)


def simulate_table(size: int, cells: list[int]) -> str:
    """Simulate one sample for each number of cells and return a table of seconds a stage.

    The stages are those of table 1 of the SimAQ paper (arXiv 2508.10821), from specimen to FBP, without CGNE. Kernels
    are compiled by a small sample first, whose time is printed apart.
    """
    spec = get_task("limited-angle-segmentation", "full").dataset_spec
    start = perf_counter()
    _sample(replace(spec, recipe=bench_recipe(min(size, 128), 2)), 0, StageTimer())
    first = perf_counter() - start
    columns: dict[int, dict[str, float]] = {}
    for number in cells:
        timer = StageTimer()
        _sample(replace(spec, recipe=bench_recipe(size, number)), number, timer)
        columns[number] = timer.seconds
    stages = list(next(iter(columns.values())))
    lines = [f"seconds a stage, {size}^3 voxels, full recipe, {cpu()}"]
    lines.append(f"{'cells':<24}" + "".join(f"{number:>9}" for number in cells))
    for stage in stages:
        lines.append(f"{stage:<24}" + "".join(f"{columns[number].get(stage, 0.0):>9.2f}" for number in cells))
    totals = "".join(f"{sum(columns[number].values()):>9.2f}" for number in cells)
    lines.append(f"{'total':<24}{totals}")
    lines.append(
        f"first, smaller sample, with kernels compiled or loaded: {first:.1f} s; peak memory {peak_memory_mb():.0f} MB"
    )
    return "\n".join(lines)
