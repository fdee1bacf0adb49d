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


def test_three_results_are_ranked(files, capsys, tmp_path):
    third = fake_result("c", 0.9, groups=9).save(tmp_path / "c.json")
    assert call(files["b"], files["a"], str(third)) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()][2:]
    assert [row[:3] for row in rows] == [["1", "1", "a"], ["2", "2", "b"], ["3", "3", "c"]]
    assert [row[-1] for row in rows[:2]] == ["better", "better"]
    assert call(files["b"], files["a"], str(third), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [line["rank_interval"] for line in found["ranking"]] == [[1, 1], [2, 2], [3, 3]]
    assert len(found["pairs"]) == 3
    assert call(files["b"], files["a"], str(third), "-m", "dice@1") == 2
    assert "more are ranked by their primary metric" in capsys.readouterr().err


def test_few_specimens_have_ranks_without_intervals(capsys, tmp_path):
    paths = [str(fake_result(name, 0.3, groups=3).save(tmp_path / f"{name}.json")) for name in "abc"]
    assert call(*paths) == 0
    out = capsys.readouterr().out
    assert "Ranks have no interval, and no verdict is given, below 8 specimens." in out


def test_combine_writes_one_result(files, capsys, tmp_path):
    paths = [fake_result("net", 0.2 + 0.02 * k, groups=9).save(tmp_path / f"{k}.json") for k in range(3)]
    for path, seed in zip(paths, (4, 5, 6), strict=True):
        path.write_text(path.read_text().replace('"seeds": [\n   1\n  ]', f'"seeds": [{seed}]'))
    with pytest.raises(SystemExit) as ended:
        main(["combine", *map(str, paths), "--out", str(tmp_path / "net.json")])
    assert not ended.value.code
    assert "3 training seeds" in capsys.readouterr().out
    assert call(str(tmp_path / "net.json"), files["b"]) == 0
    assert "(3 and 1 training seeds)" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit) as ended:
        main(["combine", *map(str, paths[:2])])
    assert ended.value.code == 2
    assert "at least 3 training seeds" in capsys.readouterr().err
