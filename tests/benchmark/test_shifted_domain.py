"""The shifted domain beside the test split: answered by the same fitted method, never part of the headline."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_results import TASK, fake_result
from mini_tasks import mini_shifted_task

from sxtbench.benchmark.board import build_board
from sxtbench.benchmark.compare import compare
from sxtbench.benchmark.evaluate import evaluate, predict, score
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.result import Result, Shifted, aggregate, check_aggregates, load_result, rows_of
from sxtbench.benchmark.task import Task
from sxtbench.errors import InputError

PAGE = f"{TASK}-tiny.html"
BESIDE = ["shifted-00000", "shifted-00001"]


@pytest.fixture(scope="module")
def task(mini: Task) -> Task:
    """The mini task on its session's data, with its shifted domain."""
    return mini_shifted_task().at(mini.data)


class Learner:
    """Answers cytoplasm where FBP is above a level; keeps what it was fitted on and what it answered."""

    name = "learner"

    def __init__(self) -> None:
        self.fitted_on: list[set[str]] = []
        self.answered: list[str] = []

    def fit(self, train: Any, validation: Any, *, seed: int) -> None:
        self.fitted_on.append({sample.group for data in (train, validation) for sample in data})

    def predict(self, sample: Any) -> Any:
        self.answered.append(sample.id)
        return (sample.reconstructions["fbp"] > 0.2).astype(np.uint8)


def with_shifted(result: Result, values: list[float], fingerprint: str = "c" * 64) -> Result:
    names = [f"shifted-{i:05d}" for i in range(len(values))]
    rows = [
        r for name, value in zip(names, values, strict=True) for r in rows_of(name, name, {}, [("miou@1", None, value)])
    ]
    block = Shifted(fingerprint=fingerprint, rows=tuple(rows), aggregates=aggregate(rows, result.axes))
    return result.model_copy(update={"shifted": block})


def test_one_fit_on_train_answers_both_domains(task: Task) -> None:
    method = Learner()
    result = evaluate(method, task)
    assert method.fitted_on == [{"train-00000", "train-00001", "validation-00000"}]
    assert sorted(method.answered) == sorted([*task.dataset("test").ids, *BESIDE])
    assert result.shifted is not None
    assert result.shifted.fingerprint == task.dataset("shifted").fingerprint != result.fingerprint
    assert {row.sample for row in result.shifted.rows} == set(BESIDE)
    assert all(row.condition == {"tilt_range_deg": 100.0, "photons": 1.0} for row in result.shifted.rows)


def test_the_headline_does_not_know_of_it(task: Task, mini: Task) -> None:
    beside, alone = evaluate(Learner(), task), evaluate(Learner(), mini)
    assert alone.shifted is None
    assert beside.rows == alone.rows
    assert beside.aggregates == alone.aggregates
    assert (beside.task_hash, beside.fingerprint) == (alone.task_hash, alone.fingerprint)
    assert not any(row.sample.startswith("shifted") for row in beside.rows)
    assert evaluate(Learner(), task, "validation").shifted is None


def test_the_controls_bracket_it_and_a_cheat_fails(task: Task) -> None:
    assert evaluate(load_method("oracle"), task).on_shifted().headline.mean == 1.0
    assert evaluate(load_method("trivial"), task).on_shifted().headline.mean == 0.0

    class Cheat:
        name = "cheat"

        def predict(self, sample: Any) -> Any:
            return sample.targets["labels"] if sample.id in BESIDE else np.zeros(sample.shape, np.uint8)

    with pytest.raises(InputError, match="cheat: shifted-00000: asks for targets"):
        evaluate(Cheat(), task)


def test_halves_give_what_the_whole_gives_and_resume(task: Task, tmp_path: Path) -> None:
    whole, out = evaluate(Learner(), task), tmp_path / "out"
    predict(Learner(), task, out)
    halves = score(task, out)
    assert halves.rows == whole.rows
    assert halves.shifted == whole.shifted
    (out / f"{BESIDE[1]}.npy").unlink()
    again = Learner()
    predict(again, task, out)
    assert again.answered == [BESIDE[1]]
    assert len(again.fitted_on) == 1


def test_answers_from_elsewhere_may_leave_it_out_but_not_in_part(task: Task, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(Learner(), task, out)
    (out / f"{BESIDE[0]}.npy").unlink()
    with pytest.raises(InputError, match=f"{TASK}/{BESIDE[0]}: prediction is missing"):
        score(task, out)
    (out / f"{BESIDE[1]}.npy").unlink()
    with pytest.raises(InputError, match=f"{TASK}/{BESIDE[0]}: prediction is missing"):
        score(task, out)  # its statement says that they were made
    statement = json.loads((out / "predictions.json").read_text())
    (out / "predictions.json").write_text(json.dumps(statement | {"fingerprint_shifted": "0" * 64}))
    with pytest.raises(InputError, match="shifted has another fingerprint"):
        score(task, out)
    (out / "predictions.json").unlink()
    assert score(task, out).shifted is None


def test_it_can_be_scored_alone(task: Task, tmp_path: Path) -> None:
    alone, beside = evaluate(Learner(), task, "shifted"), evaluate(Learner(), task)
    assert alone.split == "shifted"
    assert alone.shifted is None
    assert alone.aggregates == beside.on_shifted().aggregates
    assert alone.fingerprint == beside.on_shifted().fingerprint


def test_a_result_keeps_it_and_older_ones_load_without(tmp_path: Path) -> None:
    result = with_shifted(fake_result("fbp-otsu", 0.5), [0.3, 0.5])
    path = result.save(tmp_path / "r.json")
    assert load_result(path) == result
    assert "mean IoU, shifted domain" in result.summary()
    assert "0.400" in next(line for line in result.summary().splitlines() if "shifted" in line)
    content = json.loads(path.read_text())
    del content["shifted"]
    path.write_text(json.dumps(content))
    older = load_result(path)
    assert older.shifted is None
    assert "shifted" not in older.summary()
    with pytest.raises(InputError, match=r"fbp-otsu: was not scored on the shifted domain"):
        older.on_shifted()


def test_aggregates_that_its_rows_do_not_give_are_refused() -> None:
    result = with_shifted(fake_result("fbp-otsu", 0.5), [0.3, 0.5])
    check_aggregates(result)
    assert result.shifted is not None
    better = tuple(a.model_copy(update={"mean": 0.9}) for a in result.shifted.aggregates)
    claimed = result.model_copy(update={"shifted": result.shifted.model_copy(update={"aggregates": better})})
    with pytest.raises(InputError, match=r"mean of miou@1.* is 0\.9, its rows give 0\.4"):
        check_aggregates(claimed)


def test_two_results_are_compared_on_it() -> None:
    """Few-shot training is judged so: the same specimens before and after."""
    values = list(np.linspace(0.3, 0.5, 10))
    before = with_shifted(fake_result("before", 0.5), values)
    after = with_shifted(fake_result("after", 0.5), [v + 0.05 + 0.01 * (i % 2) for i, v in enumerate(values)])
    found = compare(after.on_shifted(), before.on_shifted())
    assert found.verdict == "better"
    assert found.n_groups == 10
    assert found.low > 0.04


def test_the_board_has_a_column_where_anyone_was_scored(tmp_path: Path) -> None:
    folder = tmp_path / "results" / TASK / "tiny"
    with_shifted(fake_result("oracle", 0.0), [1.0, 1.0]).save(folder / "oracle.json")
    with_shifted(fake_result("one", 0.3), [0.3125, 0.3125]).save(folder / "one.json")
    with_shifted(fake_result("other-data", 0.4), [0.8765, 0.8765], "d" * 64).save(folder / "other-data.json")
    fake_result("older", 0.5).save(folder / "older.json")
    build_board(tmp_path / "results", tmp_path / "board")
    page = (tmp_path / "board" / PAGE).read_text()
    assert page.count("shifted domain") >= 1
    assert 'data-sort="0.3125"' in page
    assert "0.8765" not in page  # of other data: not comparable
    for name in ("oracle", "one", "other-data"):
        fake_result(name, 0.3).save(folder / f"{name}.json")
    build_board(tmp_path / "results", tmp_path / "board")
    assert "shifted domain" not in (tmp_path / "board" / PAGE).read_text()
