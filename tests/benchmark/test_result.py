import json
import math
import random
import re

import numpy as np
import pytest
import scipy.stats
from fake_results import AXES, fake_result, result_of
from pydantic import ValidationError

from sxtbench.benchmark.result import (
    Axis,
    Method,
    Row,
    aggregate,
    check_aggregates,
    load_result,
    result_schema,
    rows_of,
)
from sxtbench.content import content_folder
from sxtbench.errors import InputError


@pytest.fixture(scope="module")
def result():
    return fake_result("fbp-otsu", 0.5)


def row(sample, value, metric="miou@1", group=None, **condition):
    why = "undefined" if math.isnan(value) else None
    return Row(sample=sample, group=group or sample, condition=condition, metric=metric, value=value, why=why)


def of(aggregates, metric="miou@1", class_=None, **level):
    [found] = [a for a in aggregates if (a.metric, a.class_, a.level) == (metric, class_, level)]
    return found


def test_round_trip(result, tmp_path):
    path = result.save(tmp_path / "new" / "r.json")
    text = path.read_text()
    assert load_result(path).to_json() == text == result.to_json()
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert [p.name for p in path.parent.iterdir()] == ["r.json"]


def test_undefined_is_null_with_a_reason(tmp_path):
    rows = rows_of("s", "s", {}, [("miou@1", None, 0.5), ("iou@1", 3, math.nan)])
    result = fake_result("a", 0.5, groups=1, rows=rows, aggregates=aggregate(rows, {}), axes={})
    content = json.loads(result.save(tmp_path / "r.json").read_text())
    assert content["rows"][1]["value"] is None
    assert content["rows"][1]["why"] == "the class is neither in the truth nor in the answer"
    assert "why" not in content["rows"][0]
    [undefined] = [a for a in content["aggregates"] if a["class"] == 3]
    assert (undefined["mean"], undefined["n_groups"], undefined["method"]) == (None, 0, "undefined")
    assert math.isnan(load_result(tmp_path / "r.json").rows[1].value)
    with pytest.raises(ValidationError, match="without a reason"):
        Row(sample="s", group="s", metric="miou@1", value=math.nan)


def test_only_the_reference_level_makes_the_headline():
    axes = {
        "tilt_range_deg": Axis(levels=[140, 100, 80], reference=100),
        "photons": Axis(levels=[1, 0.25], reference=1),
    }
    rows = [
        row("a", 0.8, tilt_range_deg=100, photons=1),
        row("b", 0.6),  # an axis that is not named is at its reference
        row("a~1", 0.1, group="a", tilt_range_deg=80, photons=1),
        row("b~1", 0.3, group="b", tilt_range_deg=80, photons=1),
        row("a~2", 0.0, group="a", tilt_range_deg=100, photons=0.25),
        row("b~2", 0.2, group="b", tilt_range_deg=100, photons=0.25),
    ]
    found = aggregate(rows, axes)
    assert of(found).mean == pytest.approx(0.7)
    assert of(found, tilt_range_deg=100).mean == pytest.approx(0.7)
    assert of(found, tilt_range_deg=80).mean == pytest.approx(0.2)
    assert of(found, photons=0.25).mean == pytest.approx(0.1)
    assert of(found, photons="mean").mean == pytest.approx(0.4)
    levels = [a.level for a in found]
    assert {"tilt_range_deg": 140} not in levels
    assert {"tilt_range_deg": "mean"} not in levels  # one level is missing


def test_samples_of_a_group_count_once():
    rows = [row("a", 0.0), row("a2", 1.0, group="a"), row("b", 0.9)]
    found = of(aggregate(rows, {}))
    assert found.n_groups == 2
    assert found.mean == pytest.approx(0.7)


def test_classes_are_averaged_within_a_sample_first():
    scores = {"a": {1: 0.2, 2: 0.4}, "b": {1: 0.9, 2: math.nan}}
    rows = [r for s, by in scores.items() for r in rows_of(s, s, {}, [("dice@1", c, v) for c, v in by.items()])]
    found = aggregate(rows, {})
    assert of(found, "dice@1").mean == pytest.approx((0.3 + 0.9) / 2)
    assert of(found, "dice@1", 2).n_groups == 1


def test_permuting_samples_leaves_aggregates(result):
    rows = list(result.rows)
    random.Random(0).shuffle(rows)
    assert aggregate(rows, AXES) == result.aggregates


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("a", 0.1), row("a", 0.1)], "a: miou@1, class None, comes twice"),
        ([row("a", 0.1, domain="x")], "'domain' is no axis of the task"),
        ([row("a", 0.1, photons=3)], "photons is 3, expected one of"),
        ([row("a", 0.1, photons=0.25, tilt_range_deg=80)], "one at a time"),
        ([row("a", 0.1), row("a", 0.2, group="b", photons=0.25)], "belongs to group a and to group b"),
        ([row("a", 0.1, metric="iou@1")], "which that metric does not have"),
    ],
)
def test_rows_that_contradict_the_task_are_refused(rows, says):
    with pytest.raises(InputError, match=says):
        aggregate(rows, AXES)


def spoil(result, **changes):
    content = json.loads(result.to_json())
    content.update(changes)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda r: "{", "not the JSON of a result"),
        (lambda r: "[1]", "holds a JSON list"),
        (lambda r: r.to_json().replace('"value": 0.', '"value": NaN, "x": 0.', 1), "NaN is no JSON"),
        (lambda r: "[" * 200_000, "not the JSON of a result"),
        (lambda r: spoil(r, schema_version=2), "schema_version is 2, this sxtbench reads 1"),
        (lambda r: spoil(r, extra=1), "extra: Extra inputs are not permitted"),
        (lambda r: spoil(r, tier="../x"), "tier: String should match"),
        (lambda r: spoil(r, primary="miuo@1"), r"did you mean 'miou@1'\?"),
        (lambda r: spoil(r, aggregates=[]), "a result needs its headline"),
        (lambda r: re.sub(r'"value": [0-9.]+', '"value": 1e999', r.to_json(), count=1), "rows.0.value: is infinite"),
        (lambda r: spoil(r, method={"name": "a\u202eb"}), "method.name: holds control"),
        (lambda r: spoil(r, method={"name": "a", "links": ["javascript:alert(1)"]}), "method.links.0.* is no link"),
        (lambda r: spoil(r, previews=[{"file": "../a.png", "kind": "input", "sample": "a"}]), "previews.0.file"),
    ],
)
def test_bad_files_are_named_in_one_line(result, tmp_path, make, says):
    path = tmp_path / "r.json"
    path.write_text(make(result))
    with pytest.raises(InputError, match=says) as caught:
        load_result(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_result(tmp_path / "none.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not the JSON"):
        load_result(tmp_path / "b.json")


@pytest.mark.parametrize("link", ["https://doi.org/10.1/x", "http://a.org:80/b?c=d#e"])
def test_web_links_pass(link):
    assert Method(name="a", links=[link]).links == (link,)


@pytest.mark.parametrize(
    "link", ["ftp://a.org", "//a.org", "https://", 'https://a.org/"x', "data:text/html,x", "a.org"]
)
def test_other_links_do_not(link):
    with pytest.raises(ValidationError):
        Method(name="a", links=[link])


def test_aggregates_must_follow_from_the_rows(result):
    check_aggregates(result)
    better = result.headline.model_copy(update={"mean": 0.99})
    cheat = result.model_copy(update={"aggregates": (better, *result.aggregates[1:])})
    assert result.aggregates[0] == result.headline
    with pytest.raises(InputError, match=r"mean of miou@1.*is 0.99, its rows give"):
        check_aggregates(cheat)
    with pytest.raises(InputError, match="do not match the rows"):
        check_aggregates(result.model_copy(update={"aggregates": result.aggregates[:-1]}))


def test_frame_has_a_row_a_value_and_a_column_an_axis(result):
    frame = result.to_frame()
    assert list(frame.columns) == [
        "sample",
        "group",
        "condition",
        "tilt_range_deg",
        "photons",
        "metric",
        "class",
        "value",
    ]
    assert len(frame) == len(result.rows)
    headline = frame[(frame.metric == "miou@1") & (frame.condition == "photons=1, tilt_range_deg=100")]
    assert headline.groupby("group").value.mean().mean() == pytest.approx(result.headline.mean)
    assert frame["class"].dropna().isin([1, 2, 3]).all()


def test_a_curve_is_a_query_of_the_frame(result):
    at_reference = result.to_frame().query("metric == 'miou@1' and photons == 1")
    queried = at_reference.groupby("tilt_range_deg").value.mean()
    curve = result.curve("miou@1", "tilt_range_deg")
    assert curve.levels == (140, 120, 100, 80)
    assert curve.mean == pytest.approx(queried[list(curve.levels)].tolist())
    assert curve.n_groups == (6,) * 4
    assert curve.reference == 100
    assert all(low < mean < high for low, mean, high in zip(curve.low, curve.mean, curve.high, strict=True))
    area = result.area("miou@1", "tilt_range_deg")
    assert area.mean == pytest.approx(at_reference.groupby("group").value.mean().mean())
    dots = at_reference.groupby("group").value.mean()
    assert (area.low, area.high) == pytest.approx(scipy.stats.ttest_1samp(dots, 0).confidence_interval(0.95))
    assert result.curve("dice@1", "photons", 3).mean[0] == result.aggregate_of("dice@1", 3).mean


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("miou@1", "tilt"), "no axis 'tilt'; tilt_range_deg, photons"),
        (("miuo@1", "photons"), r"did you mean 'miou@1'\?"),
        (("psnr_lac@1", "photons"), "psnr_lac@1 was not scored along photons"),
        (("dice@1", "photons", 9), "dice@1, class 9 was not scored along photons"),
    ],
)
def test_curves_that_are_not_there_are_named(result, arguments, says):
    with pytest.raises(InputError, match=says):
        result.curve(*arguments)
    with pytest.raises(InputError, match=says):
        result.area(*arguments)


def test_no_area_without_every_level(result):
    rows = [r for r in result.rows if r.condition["tilt_range_deg"] != 120]
    partial = result.model_copy(update={"rows": tuple(rows), "aggregates": aggregate(rows, AXES)})
    assert partial.curve("miou@1", "tilt_range_deg").levels == (140, 100, 80)
    with pytest.raises(InputError, match="tilt_range_deg 120 was not scored, the area needs every level"):
        partial.area("miou@1", "tilt_range_deg")


def test_an_axis_called_like_a_column_is_refused():
    axes = {"value": Axis(levels=[1, 2], reference=1)}
    odd = fake_result("a", 0.5, groups=1, axes=axes, rows=[row("a", 0.5)], aggregates=aggregate([row("a", 0.5)], axes))
    with pytest.raises(InputError, match="'value' is called like a column"):
        odd.to_frame()


def test_signed_errors_of_classes_are_not_averaged():
    rows = [r for c, v in ((1, 0.1), (2, -0.1)) for r in rows_of("a", "a", {}, [("lac_bias@1", c, v)])]
    assert [a.class_ for a in aggregate(rows, {})] == [1, 2]


def test_summary_shows_headline_classes_and_curve(result):
    text = result.summary()
    assert text.startswith("fbp-otsu on limited-angle-segmentation@1, tiny, test: 6 specimens")
    assert f"{result.headline.mean:.3f}  [{result.headline.low:.3f}, {result.headline.high:.3f}]" in text
    assert "IoU, lipid droplet" in text
    assert "mean IoU at tilt_range_deg=80" in text
    assert "mean IoU, mean over tilt_range_deg" in text
    assert text.count("\n  IoU,") == 3
    assert "\n  IoU " not in text  # it is the mean IoU


def test_schema_describes_the_file(result):
    schema = result_schema()
    content = json.loads(result.to_json())
    assert set(content) == set(schema["properties"])
    assert set(schema["$defs"]["Row"]["properties"]) >= set(content["rows"][0])
    assert schema["additionalProperties"] is False
    assert json.dumps(schema, allow_nan=False)


def test_the_schema_that_ships_is_the_one_of_the_code():
    shipped = (content_folder("leaderboard") / "result.schema.json").read_text()
    assert shipped == json.dumps(result_schema(), sort_keys=True, indent=1) + "\n"


def test_summary_has_the_digits_and_the_unit_of_a_metric():
    text = result_of("fbp", [21.234, 22.5, 23.1], "psnr_lac@1").summary()
    assert "PSNR (dB) 22.28  [19.91, 24.64]" in text


def test_numpy_values_become_plain_json():
    rows = rows_of("a", "a", {}, [("miou@1", None, np.float32(0.5))])
    assert type(rows[0].value) is float
