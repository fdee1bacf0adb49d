"""Methods, their answers, their scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sxtbench as sb
from sxtbench.benchmark.answer import check_answer
from sxtbench.benchmark.evaluate import evaluate, predict, score
from sxtbench.benchmark.method import list_baselines, load_method
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.task import Task, get_task, list_tasks
from sxtbench.errors import InputError


class Constant:
    """Answers one label everywhere."""

    name = "constant"

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def predict(self, sample: Any) -> Any:
        return np.ones(sample.shape, np.uint8) if self.answer is None else self.answer


@pytest.fixture(scope="module")
def boosted(mini: Task) -> Result:
    """A result of a method that is fitted."""
    return evaluate(load_method("gradient-boosting"), mini)


def test_the_controls_bracket_every_method(mini: Task, boosted: Result) -> None:
    others = [name for name in list_baselines(mini.name, "tiny") if name != "gradient-boosting"]
    headline = {name: evaluate(load_method(name), mini).headline.mean for name in others}
    headline["gradient-boosting"] = boosted.headline.mean
    assert headline.pop("oracle") == 1.0
    assert headline.pop("trivial") == 0.0
    assert headline.keys() >= {"fbp-otsu", "gradient-boosting", "hybrid-unet", "unet2d"}
    assert all(0.0 < value < 1.0 for value in headline.values())


def test_a_method_that_asks_for_the_target_fails(mini: Task) -> None:
    class Cheat:
        name = "cheat"

        def predict(self, sample: Any) -> Any:
            return sample.targets["labels"]

    with pytest.raises(InputError, match=r"cheat: test-00000: asks for targets"):
        evaluate(Cheat(), mini)


def test_scores_do_not_depend_on_the_order_of_samples(mini: Task) -> None:
    result = evaluate(Constant(), mini)
    from sxtbench.benchmark.result import aggregate

    assert aggregate(reversed(result.rows), result.axes) == result.aggregates


def test_halves_give_what_the_whole_gives(mini: Task, tmp_path: Path) -> None:
    whole = evaluate(Constant(), mini)
    predict(Constant(), mini, tmp_path / "out")
    halves = score(mini, tmp_path / "out")
    assert halves.rows == whole.rows
    assert halves.aggregates == whole.aggregates
    assert halves.resources.peak_memory_mb is not None


def test_predictions_resume_and_follow_the_code(mini: Task, tmp_path: Path) -> None:
    calls: list[str] = []

    class Counting(Constant):
        def predict(self, sample: Any) -> Any:
            calls.append(sample.id)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return super().predict(sample)

    with pytest.raises(KeyboardInterrupt):
        predict(Counting(), mini, tmp_path / "out")
    predict(Counting(), mini, tmp_path / "out")
    assert sorted(calls) == sorted([*mini.dataset("test").ids, calls[3]])
    assert "several runs" in score(mini, tmp_path / "out").flags[-1]
    changed = Counting()
    changed.source_sha256 = "another"
    predict(changed, mini, tmp_path / "out")
    assert len(calls) == 1 + 2 * len(mini.dataset("test").ids)


def test_predictions_of_another_method_are_left_alone(mini: Task, tmp_path: Path) -> None:
    predict(Constant(), mini, tmp_path / "out")
    other = Constant()
    other.name = "other"
    with pytest.raises(InputError, match="holds predictions of 'constant'"):
        predict(other, mini, tmp_path / "out")


SHAPE = (4, 5, 6)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((4, 5, 5), np.uint8), "prediction has shape (4, 5, 5), expected (4, 5, 6)"),
        (np.zeros(SHAPE, bool), "dtype bool, expected an integer dtype"),
        (np.zeros(SHAPE, np.float32), "dtype float32, expected an integer dtype"),
        (np.full(SHAPE, np.nan), "holds NaN or infinity"),
        (np.full(SHAPE, 4, np.uint8), "labels [4], expected only [0, 1, 2, 3]"),
        (np.full(SHAPE, -1, np.int64), "labels [-1]"),
        ([[0]], "the answer is a list"),
        (None, "the answer is a NoneType"),
    ],
)
def test_a_wrong_answer_is_one_line(answer: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        check_answer(answer, kind="labels", shape=SHAPE, classes=(0, 1, 2, 3), where="task/test-00000")
    assert said in str(caught.value)
    assert str(caught.value).startswith("task/test-00000: ")


def test_any_integer_dtype_is_cast() -> None:
    answer = np.full(SHAPE, 3, np.int64)
    assert check_answer(answer, kind="labels", shape=SHAPE, classes=(0, 3), where="x").dtype == np.uint8


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((4, 5, 5), np.float32), "prediction has shape (4, 5, 5), expected (4, 5, 6)"),
        (np.zeros(SHAPE, np.uint8), "dtype uint8, expected LAC in 1/um as a float dtype"),
        (np.zeros(SHAPE, complex), "dtype complex128, expected LAC"),
        (np.where(np.arange(120).reshape(SHAPE) < 2, np.nan, 1.0), "NaN or infinity in 2 voxels"),
        (np.full(SHAPE, 1e300), "NaN or infinity in 120 voxels"),
    ],
)
def test_a_wrong_volume_is_one_line(answer: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        check_answer(answer, kind="volume", shape=SHAPE, classes=(), where="task/test-00000")
    assert said in str(caught.value)


def test_any_float_dtype_is_cast() -> None:
    for dtype in (np.float16, np.float64):
        answer = check_answer(np.ones(SHAPE, dtype), kind="volume", shape=SHAPE, classes=(), where="x")
        assert answer.dtype == np.float32


def test_missing_and_damaged_predictions(mini: Task, tmp_path: Path) -> None:
    predict(Constant(), mini, tmp_path / "out")
    victim = tmp_path / "out" / "test-00001~photons=0.25.npy"
    victim.write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match=r"test-00001~photons=0.25: .* not a readable .npy"):
        score(mini, tmp_path / "out")
    victim.unlink()
    with pytest.raises(InputError, match="prediction is missing"):
        score(mini, tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        score(mini, tmp_path / "none")


def test_pickles_are_not_opened(mini: Task, tmp_path: Path) -> None:
    predict(Constant(), mini, tmp_path / "out")
    np.save(tmp_path / "out" / "test-00000.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"not a readable \.npy"):
        score(mini, tmp_path / "out")


def test_a_result_says_how_it_was_made(mini: Task, boosted: Result) -> None:
    assert boosted.method.seeds == (0,)
    assert boosted.resources.wall_time_s.fit is not None
    assert boosted.fingerprint == mini.dataset("test").fingerprint
    assert boosted.task_hash == mini.hash
    assert "not the benchmark's own" in boosted.flags[0]
    assert boosted.environment.packages["numpy"] == np.__version__
    assert len(boosted.to_frame()["sample"].unique()) == len(mini.dataset("test"))


def test_a_result_says_how_many_numbers_were_trained(mini: Task, boosted: Result) -> None:
    class Trained(Constant):
        trained_parameters = 7

    assert evaluate(Trained(), mini).resources.parameters == 7
    assert boosted.resources.parameters is None


def test_fitting_is_repeatable(mini: Task, boosted: Result) -> None:
    assert evaluate(load_method("gradient-boosting"), mini).rows == boosted.rows


def test_names_are_suggested() -> None:
    with pytest.raises(InputError, match="did you mean 'limited-angle-segmentation'"):
        get_task("limited-angel-segmentation")
    with pytest.raises(InputError, match="did you mean 'small'"):
        get_task("limited-angle-segmentation", "smal")
    with pytest.raises(InputError, match="this sxtbench has limited-angle-segmentation@1"):
        get_task("limited-angle-segmentation@9")
    with pytest.raises(InputError, match="did you mean 'fbp-otsu'"):
        load_method("fbp-otzu")


@pytest.mark.parametrize(
    ("code", "class_name", "said"),
    [
        ("raise RuntimeError('no\\nluck')", "Mine", r"raised RuntimeError: no luck \(mine.py, line 1\) on import"),
        ("class Mine:\n    name = 'x'\n", "Mine", "has no 'predict'"),
        ("class Mine:\n    def predict(self, s): ...\n", "Mine", "has no 'name'"),
        ("class Mine: ...\n", "Mime", "did you mean 'Mine'"),
        ("class Mine:\n    def __init__(self): 1 / 0\n", "Mine", r"Mine\(...\) raised ZeroDivisionError"),
    ],
)
def test_a_broken_method_file_is_one_line(tmp_path: Path, code: str, class_name: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(InputError, match=said):
        load_method(f"{tmp_path / 'mine.py'}:{class_name}")


def test_a_method_that_raises_is_one_line(mini: Task, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    name = 'm'\n    def predict(self, s):\n        return s.nothing\n"
    )
    with pytest.raises(InputError, match=r"m: predict\(test-00000\) raised AttributeError.*mine.py, line 4"):
        evaluate(load_method(f"{tmp_path / 'mine.py'}:Mine"), mini)
    with pytest.raises(InputError, match="no such method file"):
        load_method("nowhere.py:Mine")
    with pytest.raises(InputError, match="name the class too"):
        load_method("nowhere.py")
    with pytest.raises(InputError, match="cannot be imported"):
        load_method("no.such.module:Mine")


def test_parameters_come_from_the_config_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    name = 'm'\n"
        "    def __init__(self, level): self.level = level\n"
        "    def predict(self, s): ...\n"
    )
    (tmp_path / "config.yaml").write_text("parameters: {level: 0.3}\n")
    assert load_method(f"{tmp_path / 'mine.py'}:Mine").level == 0.3
    assert load_method(f"{tmp_path / 'mine.py'}:Mine", level=1).level == 1


def test_the_task_hash_follows_the_protocol_not_the_report() -> None:
    from dataclasses import replace

    task = get_task("limited-angle-segmentation", "tiny")
    assert replace(task, report=task.report.model_copy(update={"title": "x"})).hash == task.hash
    assert replace(task, protocol=task.protocol.model_copy(update={"version": 2})).hash != task.hash
    assert get_task("limited-angle-segmentation", "small").hash != task.hash


def test_public_names() -> None:
    assert sb.list_tasks() == list_tasks()
    assert "evaluate" in dir(sb)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sb.nothing
    assert sb.list_baselines("projection-alignment") == ["anchored-ncc", "neighbour-ncc", "oracle", "trivial"]
    assert set(sb.list_baselines("limited-angle-reconstruction")) < set(sb.list_baselines())
