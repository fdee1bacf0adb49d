import csv
import json
import math

import pytest
from fake_results import VOLUME_TASK, fake_volume_result, write_volume_results

from sxtbench.benchmark.board import build_board
from sxtbench.benchmark.result import Method, load_result


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    root = tmp_path_factory.mktemp("tables")
    write_volume_results(root)
    formula = fake_volume_result("formula", 1.0, method=Method(name="=HYPERLINK(1), two"))
    formula.save(root / "results" / VOLUME_TASK / "tiny" / "formula.json")
    return build_board(root / "results", root / "board").parent


def result(board, name):
    return load_result(board / "results" / VOLUME_TASK / "tiny" / f"{name}.json")


def test_results_json_holds_every_number_of_the_table(board):
    content = json.loads((board / "results.json").read_text())
    [page] = content["pages"]
    methods = {method["method"]: method for method in page["methods"]}
    assert next(iter(methods)) == "tv"
    assert methods["oracle"]["track"] == "control"
    keys = {column["key"]: column for column in page["columns"]}
    for name in ("tv", "fbp"):
        stored = result(board, name)
        assert methods[name]["headline"] == [stored.headline.mean, stored.headline.low, stored.headline.high]
        assert methods[name]["specimens"] == stored.headline.n_groups
        for key, numbers in methods[name]["columns"].items():
            column = keys[key]
            [found] = [
                a
                for a in stored.aggregates
                if (a.metric, a.class_) == (column["metric"], column["class"])
                and {axis: f"{v:.12g}" if not isinstance(v, str) else v for axis, v in a.level.items()}
                == column["level"]
            ]
            assert numbers == [found.mean, found.low, found.high]
        assert methods[name]["columns"].keys() == keys.keys()


def test_the_csv_holds_the_same_and_no_formula(board):
    with (board / f"{VOLUME_TASK}-tiny.csv").open(newline="") as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    stored = result(board, "tv").curve("psnr_lac@1", "tilt_range_deg")
    at = stored.levels.index(80)
    assert float(rows["tv"]["at-tilt-range-80"]) == pytest.approx(stored.mean[at])
    assert float(rows["tv"]["at-tilt-range-80:low"]) == pytest.approx(stored.low[at])
    assert rows["tv"]["rank"] == "1"
    assert rows["oracle"]["rank"] == ""
    assert rows["formula"]["name"] == "'=HYPERLINK(1), two"
    assert not any(math.isnan(float(row["mean"])) for row in rows.values())
