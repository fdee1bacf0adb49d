"""The numbers that ship are reproduced from nothing: data, methods, scores."""

from pathlib import Path

import pytest

from sxtbench.benchmark.evaluate import evaluate
from sxtbench.benchmark.method import list_baselines, load_method
from sxtbench.benchmark.result import Result, check_aggregates, load_result
from sxtbench.benchmark.task import Task, get_task
from sxtbench.content import content_folder
from sxtbench.datasets.build import build

RESULTS = sorted((content_folder("leaderboard") / "results").glob("*/*/*.json"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Task:
    task = get_task("limited-angle-segmentation", "tiny")
    folder = tmp_path_factory.mktemp("tiny") / "data"
    build(task.dataset_spec, folder)
    return task.at(folder)


def shipped(task: str, tier: str) -> dict[str, Result]:
    found = [load_result(path) for path in RESULTS if path.parts[-3:-1] == (task, tier)]
    return {result.method.name: result for result in found}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_shipped_result_is_of_this_version(path: Path) -> None:
    result = load_result(path)
    task = get_task(result.task, result.tier)
    assert result.task_hash == task.hash
    assert result.flags == ()
    check_aggregates(result)
    assert len({row.group for row in result.rows}) == task.protocol.tiers[result.tier].test


@pytest.mark.parametrize("tier", ["tiny", "small"])
def test_every_baseline_has_its_result_and_they_stand_in_order(tier: str) -> None:
    found = shipped("limited-angle-segmentation", tier)
    assert set(found) == set(list_baselines())
    assert len({result.fingerprint for result in found.values()}) == 1
    order = sorted(found, key=lambda name: found[name].headline.mean)
    assert order == ["trivial", "fbp-otsu", "gradient-boosting", "oracle"]


@pytest.mark.parametrize("name", ["fbp-otsu", "gradient-boosting"])
def test_the_tiny_numbers_are_reproduced(tiny: Task, name: str) -> None:
    committed = shipped("limited-angle-segmentation", "tiny")[name]
    assert tiny.dataset("test").fingerprint == committed.fingerprint
    made = evaluate(load_method(name), tiny)
    assert len(made.aggregates) == len(committed.aggregates)
    for new, old in zip(made.aggregates, committed.aggregates, strict=True):
        assert (new.metric, new.class_, new.level) == (old.metric, old.class_, old.level)
        assert new.mean == pytest.approx(old.mean, abs=2e-3, nan_ok=True)
    assert made.headline.mean == pytest.approx(committed.headline.mean, abs=1e-4)


@pytest.mark.parametrize("tier", ["tiny", "small"])
def test_the_documents_print_the_committed_numbers(tier: str) -> None:
    import runpy

    root = Path(__file__).resolve().parents[1]
    table = runpy.run_path(str(root / "benchmarks" / "score_table.py"))["table"]("limited-angle-segmentation", tier)
    assert table in (root / "docs" / "numbers.md").read_text()
