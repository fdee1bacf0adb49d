import math

from fake_results import result_of

from sxtbench.benchmark.costs import cost_planes, front_of
from sxtbench.benchmark.result import Resources, WallTime
from sxtbench.benchmark.standings import Entry
from sxtbench.metrics.registry import get_metric


def entry(tmp_path, name, score, seconds=None, parameters=None):
    resources = Resources(wall_time_s=WallTime(predict=seconds), parameters=parameters)
    result = result_of(name, [score, score + 0.02], resources=resources)
    return Entry(path=tmp_path / f"{name}.json", result=result)


def test_nothing_cheaper_beats_what_is_on_the_front():
    points = [(3.0, 0.5), (1.0, 0.2), (2.0, 0.5), (9.0, 0.9), (4.0, 0.4)]
    front = front_of(points)
    assert front == [1, 2, 3]
    for i, (cost, merit) in enumerate(points):
        beaten = any(c <= cost and m >= merit and j != i for j, (c, m) in enumerate(points))
        assert beaten == (i not in front)


def test_methods_stand_by_cost_and_score(tmp_path):
    entries = [
        entry(tmp_path, "slow", 0.9, 600.0, 10**6),
        entry(tmp_path, "quick", 0.5, 2.0),
        entry(tmp_path, "waste", 0.4, 60.0),
        entry(tmp_path, "silent", 0.7),
    ]
    [plane] = cost_planes(entries, get_metric("miou@1"), {"slow": 0})
    assert plane["key"] == "time"  # one method alone states its parameters
    marks = {mark["slug"]: mark for mark in plane["marks"]}
    assert marks.keys() == {"slow", "quick", "waste"}
    assert [slug for slug, mark in marks.items() if mark["front"]] == ["slow", "quick"]
    assert marks["quick"]["x"] < marks["waste"]["x"] < marks["slow"]["x"]
    assert marks["slow"]["high"] < marks["slow"]["y"] < marks["slow"]["low"]
    assert marks["slow"]["index"] == 0
    assert marks["quick"]["index"] is None
    assert [tick["text"] for tick in plane["x_ticks"]] == ["2.0 s", "10.0 s", "30.0 s", "2.0 min", "10.0 min"]
    third = (marks["waste"]["x"] - marks["quick"]["x"]) / (marks["slow"]["x"] - marks["quick"]["x"])
    assert math.isclose(third, math.log(30) / math.log(300))


def test_labels_do_not_lie_on_one_another(tmp_path):
    near = [entry(tmp_path, f"method-{i}", 0.8 + 0.001 * i, 100.0 + i) for i in range(4)]
    far = entry(tmp_path, "far", 0.2, 1.0)
    [plane] = cost_planes([*near, far], get_metric("miou@1"), {})
    assert all(mark["front"] for mark in plane["marks"])
    assert [mark["label"] for mark in plane["marks"] if mark["label"]] == ["method-3", "far"]
