"""Columns that a result lacks are added from its predictions; nothing else of it changes."""

from pathlib import Path

import pytest

from sxtbench.benchmark.aggregate import aggregate, check_aggregates
from sxtbench.benchmark.evaluate import predict, score
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.result import Result, load_result
from sxtbench.benchmark.standings import _NOT_SCORED, _cells, _column
from sxtbench.benchmark.task import Task
from sxtbench.benchmark.update import with_columns_of
from sxtbench.cli import main
from sxtbench.errors import InputError
from sxtbench.metrics.counting import QUANTITIES
from sxtbench.metrics.registry import METRICS


def older(result: Result) -> Result:
    """As it was before the columns, made on another machine."""
    rows = tuple(row for row in result.rows if row.metric not in QUANTITIES)
    resources = result.resources.model_copy(update={"peak_memory_mb": 123.0})
    update = {"rows": rows, "aggregates": aggregate(rows, result.axes), "resources": resources, "origin": "reproduced"}
    return result.model_copy(update=update)


@pytest.fixture(scope="module")
def answers(mini: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers") / "oracle"
    predict(load_method("oracle"), mini, folder)
    return folder


@pytest.fixture(scope="module")
def scored(mini: Task, answers: Path) -> Result:
    return score(mini, answers)


def test_quantities_are_scored_at_the_reference_level_only(mini: Task, scored: Result) -> None:
    assert set(QUANTITIES) < set(mini.report.columns)
    rows = [row for row in scored.rows if row.metric in QUANTITIES]
    assert {row.metric for row in rows} == set(QUANTITIES)
    assert {tuple(row.condition.values()) for row in rows} == {tuple(mini.dataset_spec.reference.values())}
    assert all(not a.level for a in scored.aggregates if a.metric in QUANTITIES)
    assert scored.aggregate_of("nsd_1@1").mean == scored.aggregate_of("pq@1").mean == 1
    assert scored.aggregate_of("count_error@1", 3).mean == 0


def test_an_older_result_gets_the_columns_and_keeps_the_rest(
    scored: Result, answers: Path, mini: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sxtbench.benchmark import task as module

    monkeypatch.setattr(module, "get_task", lambda *a, **k: mini)
    monkeypatch.setattr(Task, "at", lambda self, data: self)
    path = older(scored).save(tmp_path / "old.json")
    with pytest.raises(SystemExit) as caught:
        main(["score", str(answers), "limited-angle-segmentation", "--update", str(path)])
    assert not caught.value.code
    new = load_result(path)
    check_aggregates(new)
    assert new.rows == scored.rows
    assert new.resources.peak_memory_mb == 123.0
    assert new.origin == "reproduced"


def test_a_result_of_other_predictions_is_refused(scored: Result) -> None:
    old = older(scored)
    rows = (old.rows[0].model_copy(update={"value": 0.5}), *old.rows[1:])
    with pytest.raises(InputError, match=r"is 0\.5 in the result and 1 from the predictions"):
        with_columns_of(scored, old.model_copy(update={"rows": rows}))
    with pytest.raises(InputError, match="its fingerprint is"):
        with_columns_of(scored, old.model_copy(update={"fingerprint": "0" * 64}))
    with pytest.raises(InputError, match="missing from the predictions"):
        with_columns_of(scored.model_copy(update={"rows": scored.rows[1:]}), old)


def test_a_column_that_a_result_lacks_is_shown_as_missing_with_the_reason(scored: Result) -> None:
    column = _column(METRICS["nsd_1@1"], None)
    assert _cells(scored, [column])[0]["text"] == "1.000"
    assert _cells(older(scored), [column]) == [{"text": "–", "sort": "", "title": _NOT_SCORED, "numbers": None}]
