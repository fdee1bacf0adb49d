"""The simulator's bench: the paper's case is what it says, stages add up, the table stands beside the paper."""

import pytest

from sxtbench.benchmark import benches
from sxtbench.benchmark.benches import Measured, bench_recipe, make_sample, simulate_table
from sxtbench.errors import InputError


def test_the_cases_are_what_they_say() -> None:
    paper, task = bench_recipe("paper", 512, 2), bench_recipe("task", 256, 3)
    assert paper.grid.simulation.shape == paper.grid.shape == (512, 512, 512)
    assert task.grid.voxel_size_nm == 70.0
    assert task.grid.simulation.shape[2] > task.grid.shape[2] == 256
    assert task.acquisition.tilt.range_deg == 140


def test_a_sample_goes_through_all_stages() -> None:
    seconds, views, megabytes = make_sample("paper", 32, 1, 0)
    assert views == 110
    assert megabytes > 0.05
    stages = {stage for stage, _ in benches._STAGES.values()}
    assert set(seconds) == stages | {"specimen to normalised FBP", "storage", "packing"}
    assert seconds["specimen to normalised FBP"] == pytest.approx(sum(seconds[stage] for stage in stages))


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(case: str, size: int, cells: int, repeats: int, tell: object) -> Measured:
        stages = [stage for stage, _ in benches._STAGES.values()]
        seconds = dict.fromkeys(stages, 0.5) | {"specimen to normalised FBP": 3.0, "storage": 2.0, "packing": 0.04}
        return Measured(seconds=seconds, views=110, stored_mb=300.0, peak_mb=2**30 / 1e6 * 2, first_s=4.0)

    monkeypatch.setattr(benches, "_measured", fake)
    monkeypatch.setattr(benches, "astra_slice", lambda size, views: lambda: 0.1)
    table = simulate_table(512, [2, 5]).splitlines()
    (generation,) = {line for line in table if line.startswith("generation")}
    assert "0.50 ( 4.02)" in generation
    assert generation.rstrip().endswith("0.50")  # the paper has no fifth cell
    assert any("3.00 (18.13)" in line for line in table)
    assert sum(line.split()[:2] == ["stored", "5.00"] for line in table) == 2
    assert any("2.00" in line for line in table if line.startswith("peak memory"))
    assert "in 51.2 s" in table[-2]
    assert "5.9% (2 cells)" in table[-2]

    def absent(size, views):
        raise ImportError("No module named 'astra'")

    monkeypatch.setattr(benches, "astra_slice", absent)
    assert "ASTRA cannot be imported" in simulate_table(256, [1])
    assert "( 1.12)" not in simulate_table(256, [1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((16, [1], 5), "size is 16"), ((64, [9], 5), "numbers of cells"), ((64, [], 5), "numbers of cells"),
     ((64, [1], 0), "repeats is 0")],
)  # fmt: skip
def test_what_makes_no_measurement_is_refused(arguments: tuple[int, list[int], int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        simulate_table(*arguments)


@pytest.mark.slow
def test_a_process_of_its_own_is_measured() -> None:
    said: list[str] = []
    measured = benches._measured("task", 48, 1, 2, said.append)
    assert measured.views == 113
    assert 100 < measured.peak_mb < 4000
    assert any("specimen 2 of 2" in line for line in said)
