"""The simulator at any size, stage by stage, beside the SimAQ paper's times and beside ASTRA on this machine."""

import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from sxtbench.benchmark.environment import cpu, peak_memory_mb
from sxtbench.benchmark.projector_bench import astra_slice
from sxtbench.benchmark.task import get_task
from sxtbench.content import content_folder
from sxtbench.datasets.flat_grid import reconstructions, record_of
from sxtbench.datasets.recipe import Recipe, load_recipe
from sxtbench.datasets.record import Job, write_record
from sxtbench.datasets.simulate import StageTimer, simulate
from sxtbench.errors import InputError
from sxtbench.learning.quantiles import normal_quantiles
from sxtbench.memory import keep_freed_memory
from sxtbench.metrics.regions import cylinder
from sxtbench.specimens.packing import pack_discs

TASK = "limited-angle-segmentation"
CASES = {
    "task": "the task's recipe: 140 degrees in steps of 1, a fifth of the views lost, ice and cells beside the field",
    "paper": "the paper's case: SimAQ's recipe, 110 views, nothing beside the field",
}
_PAPER_VIEWS = 110
_ASTRA_VIEWS = 120
_SMALL = 96  # voxels along an edge of the sample that compiles the kernels

# Stages of table 1 of the paper (seconds for 1, 2, 3 and 4 cells at 512^3), and those of `StageTimer` that they are.
_STAGES: dict[str, tuple[str, tuple[float, float, float, float] | None]] = {
    "generation": ("phantom generation", (1.12, 4.02, 6.41, 11.82)),
    "voxelisation": ("voxelisation", (0.98, 1.81, 2.30, 3.21)),
    "ice, cracks, beads": ("scene (ice, cracks)", None),
    "sinogram": ("tilt series", (10.2, 10.2, 10.2, 10.2)),
    "reconstruction": ("reconstruction", (1.1, 1.1, 1.1, 1.1)),
    "normalisation": ("normalisation", (1.0, 1.0, 1.0, 1.0)),
}
_PAPER_SIZE = 512

Report = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """One case with one number of cells.

    Parameters
    ----------
    seconds : dict of float
        Median of each stage, of `specimen to normalised FBP`, `packing` and `storing`.
    views : int
        Of the tilt series.
    stored_mb : float
        Size of the files of a sample.
    peak_mb : float
        Largest resident size of the process that made the samples, kernels and libraries included.
    first_s : float
        Seconds that the process took for a small sample first, with kernels compiled or loaded.
    """

    seconds: dict[str, float]
    views: int
    stored_mb: float
    peak_mb: float
    first_s: float


def bench_recipe(case: str, size: int, cells: int) -> Recipe:
    """Return the full tier of a recipe with `size` voxels along an edge of the same field, and a number of cells.

    Parameters
    ----------
    case : str
        `task`: the recipe of limited-angle-segmentation. `paper`: SimAQ's own values (`simaq.yaml`), with 110 views a
        degree apart, none of them lost.
    size : int
        Voxels along an edge.
    cells : int
        Cells in the field.
    """
    task = get_task(TASK, "full")
    recipe = (
        task.dataset_spec.recipe
        if case == "task"
        else load_recipe(content_folder("tasks") / TASK / "simaq.yaml", "full")
    )
    assert isinstance(recipe, Recipe)
    content = recipe.model_dump(mode="json")
    edge = recipe.grid.voxel_size_nm * recipe.grid.shape[0] / size
    content["grid"] |= {"shape": [size] * 3, "voxel_size_nm": edge}
    content["specimen"]["cells"]["count"] = {"min": cells, "max": cells}
    if case == "paper":
        content["acquisition"]["tilt"] |= {"range_deg": _PAPER_VIEWS - 1, "step_deg": 1.0, "dropped_share": 0.0}
    return Recipe.model_validate(content)


def make_sample(case: str, size: int, cells: int, index: int) -> tuple[dict[str, float], int, float]:
    """Make one sample as the dataset stores it, and return the seconds of each stage, its views and its MB of files.

    The reconstruction is normalised to normal quantiles by rank, as the paper has it; what is stored is not.
    """
    full = get_task(TASK, "full").dataset_spec
    spec = replace(full, recipe=bench_recipe(case, size, cells), cgne=None)
    timer = StageTimer()
    assert isinstance(spec.recipe, Recipe)
    simulation = simulate(spec.recipe, "study", index, timer=timer)
    with timer("reconstruction"):
        volumes = reconstructions(spec, simulation)
    with timer("normalisation"):
        normal_quantiles(volumes["fbp"], cylinder(spec.recipe.grid.shape))
    timer.seconds["specimen to normalised FBP"] = sum(timer.seconds.values())
    with TemporaryDirectory() as folder:
        job = Job(spec=spec, split="study", index=index, folder=Path(folder))
        write_record(job, record_of(job, simulation, volumes, timer), timer)
        stored = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    start = perf_counter()
    pack_discs(np.full(cells, 1.9), np.random.default_rng(index))
    timer.seconds["packing"] = perf_counter() - start
    return timer.seconds, len(simulation.exposure.series.angles_deg), stored / 1e6


def simulate_table(size: int, cells: list[int], repeats: int = 5, report: Report | None = None) -> str:
    """Simulate samples of both cases and return a table of seconds a stage beside the paper's.

    Each case and number of cells has a process of its own, so that its peak memory is its samples'. Kernels are
    compiled by a small sample first, which is not counted. ASTRA is timed between the processes.

    Parameters
    ----------
    size : int
        Voxels along an edge, 32 to 512.
    cells : list of int
        Numbers of cells, 1 to 8 each.
    repeats : int
        Specimens of which medians are returned, 5 or more for numbers to be quoted.
    report : callable, optional
        Called with what is being measured.

    Raises
    ------
    InputError
        For sizes and numbers that make no measurement.

    References
    ----------
    Egebjerg and Wüstner 2025, doi 10.48550/arXiv.2508.10821, table 1: an RTX 3090 and an i9, 512^3 voxels, without
    photons and without storing.
    """
    if not 32 <= size <= 512:
        raise InputError(f"size is {size}, expected 32 to 512")
    if not cells or any(not 1 <= number <= 8 for number in cells):
        raise InputError(f"numbers of cells are {cells}, expected 1 to 8 each")
    if repeats < 1:
        raise InputError(f"repeats is {repeats}, expected 1 or more")
    tell = report or (lambda line: None)
    try:
        astra = astra_slice(size, _ASTRA_VIEWS)
    except ImportError:  # not installed, or not with all that it loads
        astra = None
    seconds: list[float] = []
    lines = [f"Seconds a stage, {size}^3 voxels, median of {repeats} specimens, {cpu()}; in brackets the paper's."]
    found: dict[str, dict[int, Measured]] = {}
    for case in CASES:
        for number in cells:
            if astra is not None:
                tell("ASTRA, one slice")
                seconds += [astra() for _ in range(2)]
            found.setdefault(case, {})[number] = _measured(case, size, number, repeats, tell)
        lines += ["", *_table(case, size, found[case])]
    lines += ["", _beside_astra(size, found["paper"], seconds)]
    firsts = [one.first_s for group in found.values() for one in group.values()]
    lines.append(
        f"Not counted: a sample of {min(size, _SMALL)}^3 that compiles the kernels or loads them, {min(firsts):.1f} to "
        f"{max(firsts):.1f} s a process. The paper's times: an RTX 3090 with an i9, 512^3, without photons and storing."
    )
    return "\n".join(lines)


def _measured(case: str, size: int, cells: int, repeats: int, tell: Report) -> Measured:
    """Measure in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=keep_freed_memory) as pool:

        def there(work: Callable[..., Any], *arguments: Any) -> Any:
            return pool.submit(work, *arguments).result()

        tell(f"{case}, {cells} cells, kernels")
        start = perf_counter()
        there(make_sample, case, min(size, _SMALL), cells, 0)
        first = perf_counter() - start
        samples = []
        for index in range(repeats):
            tell(f"{case}, {cells} cells, specimen {index + 1} of {repeats}")
            samples.append(there(make_sample, case, size, cells, index))
        peak = there(peak_memory_mb)
    return Measured(
        seconds={stage: statistics.median(one[0][stage] for one in samples) for stage in samples[0][0]},
        views=samples[0][1],
        stored_mb=statistics.median(one[2] for one in samples),
        peak_mb=peak,
        first_s=first,
    )


def _table(case: str, size: int, columns: dict[int, Measured]) -> list[str]:
    """Lines of one case."""
    views = next(iter(columns.values())).views
    lines = [
        f"{CASES[case]} ({views} views)",
        f"{'cells':<28}" + "".join(f"{number:>16}" for number in columns),
    ]

    def row(name: str, texts: list[str]) -> None:
        lines.append(f"{name:<28}" + "".join(f"{text:>16}" for text in texts))

    def beside(seconds: float, cells: int, paper: tuple[float, ...] | None) -> str:
        known = paper is not None and size == _PAPER_SIZE and cells <= len(paper)
        return f"{seconds:.2f}" + (f" ({paper[cells - 1]:5.2f})" if known and paper is not None else " " * 8)

    for name, (stage, paper) in _STAGES.items():
        row(name, [beside(one.seconds[stage], number, paper) for number, one in columns.items()])
    totals = tuple(sum(paper[i] for _, paper in _STAGES.values() if paper is not None) for i in range(4))
    name = "specimen to normalised FBP"
    row(name, [beside(one.seconds[name], number, totals) for number, one in columns.items()])
    row("storing", [beside(one.seconds["storage"], number, None) for number, one in columns.items()])
    both = [one.seconds["specimen to normalised FBP"] + one.seconds["storage"] for one in columns.values()]
    row("stored", [beside(seconds, 1, None) for seconds in both])
    row("of generation: packing", [beside(one.seconds["packing"], number, None) for number, one in columns.items()])
    row("files of a sample, MB", [f"{one.stored_mb:.0f}{' ' * 8}" for one in columns.values()])
    row("peak memory, GiB", [f"{one.peak_mb * 1e6 / 2**30:.2f}{' ' * 8}" for one in columns.values()])
    return lines


def _beside_astra(size: int, columns: dict[int, Measured], seconds: list[float]) -> str:
    if not seconds:
        return "ASTRA cannot be imported, so its ratio is not measured (`pip install 'sxtbench[astra]'`)."
    whole = statistics.median(seconds) * size
    shares = ", ".join(
        f"{one.seconds['specimen to normalised FBP'] / whole:.1%} ({number} cells)" for number, one in columns.items()
    )
    return (
        f"ASTRA projects {size}^3 voxels to {_ASTRA_VIEWS} views on the CPU (linear, slice by slice) in {whole:.1f} s, "
        f"from {len(seconds)} slices timed between the processes; the paper's case takes of that: {shares}."
    )
