import json

import pytest
from fake_results import fake_result

from sxtbench.cli import main


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    results = {"a": fake_result("a [b]", 0.2, groups=9), "b": fake_result("b", 0.5, groups=9)}
    return {name: str(result.save(folder / f"{name}.json")) for name, result in results.items()}


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["compare", *words])
    return int(ended.value.code or 0)


def test_a_table_and_the_verdict_in_words(files, capsys):
    assert call(files["a"], files["b"]) == 0
    out = capsys.readouterr().out
    assert "a [b] is better than b. mean IoU +0." in out
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows if row and row[-1] == "better"] == [
        "reference",
        "tilt_range_deg=140",
        "tilt_range_deg=120",
        "tilt_range_deg=80",
        "area",
        "photons=0.25",
        "area",
    ]


def test_json_of_one_class(files, capsys):
    assert call(files["b"], files["a"], "--metric", "iou@1", "--class", "3", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["metric"], found["class"], found["verdict"]) == ("iou@1", 3, "worse")


def test_bad_input_is_one_line_and_status_2(files, capsys, tmp_path):
    other = fake_result("c", 0.2, groups=9, split="validation").save(tmp_path / "c.json")
    for words, says in (
        ((files["a"], str(other)), "other split (test and validation)"),
        ((files["a"], str(tmp_path / "none.json")), "cannot be read"),
        ((files["a"], files["b"], "-m", "psnr"), "no metric is called 'psnr'"),
        ((files["a"],), "Missing argument"),
    ):
        assert call(*words) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1


def test_help_shows_an_example(capsys):
    assert call("--help") == 0
    assert "sxtbench compare mine.json fbp-otsu.json" in capsys.readouterr().out
