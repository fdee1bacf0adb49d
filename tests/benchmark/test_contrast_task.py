"""The contrast task from end to end: named levels, controls, the gate and the plane."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_results import result_of, scored_result
from mini_tasks import mini_contrast_task

from sxtbench.benchmark import records
from sxtbench.benchmark import tune as tuning
from sxtbench.benchmark.constants import constants_for
from sxtbench.benchmark.evaluate import evaluate, predict, score
from sxtbench.benchmark.gate import gated
from sxtbench.benchmark.method import load_method
from sxtbench.benchmark.page import page_of
from sxtbench.benchmark.plane import contrast_plane
from sxtbench.benchmark.records import rows_of
from sxtbench.benchmark.result import Result
from sxtbench.benchmark.standings import Entry
from sxtbench.benchmark.task import Gate, Task, get_task
from sxtbench.datasets.build import build
from sxtbench.datasets.spec import Axis
from sxtbench.errors import InputError

AXES = {"illumination": records.Axis(levels=["incoherent", "partially_coherent"], reference="incoherent")}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    mini = mini_contrast_task()
    spec = replace(mini.dataset_spec, sizes={"train": 2, "validation": 2, "test": 2})
    folder = tmp_path_factory.mktemp("contrast") / "data"
    build(spec, folder, splits=["train", "validation", "test"])
    return replace(mini, dataset_spec=spec, data=folder)


def headline(result: Result) -> float:
    return result.headline.mean


def test_controls_bracket_the_scale(task: Task) -> None:
    found = {name: headline(evaluate(load_method(name), task)) for name in ("oracle", "label-paint", "fbp", "trivial")}
    assert found["oracle"] > found["label-paint"] > 1.5
    assert found["fbp"] == pytest.approx(1, abs=2e-3)
    assert found["trivial"] < 0.1


def test_a_method_runs_through_files_with_named_levels(task: Task, tmp_path: Path) -> None:
    predict(load_method("fbp"), task, tmp_path)
    assert (tmp_path / "test-00000~illumination=partially_coherent.npy").is_file()
    result = score(task, tmp_path)
    curve = result.curve("cnr_gain_matched@1", "illumination")
    assert curve.levels == ("incoherent", "partially_coherent")
    assert {row.metric for row in result.rows if row.condition["illumination"] == "partially_coherent"} <= {
        row.metric for row in result.rows
    }
    reference = [row for row in result.rows if row.metric == "downstream_iou@1"]
    assert [row.sample for row in reference] == ["test-00000", "test-00001"]
    assert 0 < reference[0].value < 1
    assert np.isnan(reference[1].value)
    assert reference[1].why.startswith("no yeast")


def test_calibration_moves_the_lac_and_not_the_gain(task: Task) -> None:
    plain, affine = (evaluate(load_method(name), task) for name in ("fbp", "fbp-affine"))
    assert headline(affine) == pytest.approx(headline(plain), rel=0.01)
    bias = [
        max(abs(a.mean) for a in result.aggregates if a.metric == "lac_bias@1" and not a.level and a.class_)
        for result in (plain, affine)
    ]
    assert bias[1] < bias[0]


def test_a_search_leaves_out_what_misses_the_gate(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tuning.read_yaml(tuning.baseline_folder("tv-denoise") / "config.yaml")
    monkeypatch.setattr(tuning, "read_yaml", lambda path: copy.deepcopy(config))
    lines: list[str] = []
    config["search"] = {"weight": [0.03, 5.0]}
    found = tuning.tune("tv-denoise", task, config_path=tmp_path / "c.yaml", report=lines.append)
    assert found[0].parameters["weight"] < 1
    assert [line.partition("(")[2][:21] for line in lines if "weight=5.0" in line] == ["not chosen: LAC bias "]
    config["parameters"]["tiers"]["tiny"]["weight"] = 5.0
    config["search"] = {"weight": [5.0]}
    with pytest.raises(InputError, match="every value tried misses the gate of contrast-enhancement"):
        tuning.tune("tv-denoise", task, config_path=tmp_path / "d.yaml")
    assert not (tmp_path / "d.yaml").exists()


def test_a_baseline_is_calibrated_by_family_and_level(task: Task) -> None:
    method = load_method("gaussian")
    method.fit(task.dataset("train", targets=True), None, seed=0)
    assert len(method.calibration) == 4
    assert all(0.3 < slope < 1.3 for slope, _ in method.calibration.values())


def test_levels_may_be_words() -> None:
    axis = Axis(levels=("a", "b"), reference="a")
    assert axis.reference == "a"
    with pytest.raises(ValueError, match="not among the levels"):
        Axis(levels=("a", "b"), reference="c")
    with pytest.raises(ValueError, match="whole numbers"):
        Axis(levels=("few", "many"), reference="many", kind="training")
    numbers = Axis.model_validate({"levels": [140, 120.5], "reference": 140})
    assert numbers.model_dump(mode="json")["levels"] == [140.0, 120.5]
    assert all(isinstance(level, float) for level in numbers.levels)


def test_constants_of_a_dataset_come_before_those_of_its_tier() -> None:
    from types import SimpleNamespace

    sample = SimpleNamespace(
        metadata={"tier": "tiny", "dataset": "contrast-enhancement-tiny"},
        condition={"illumination": "partially_coherent"},
    )
    own = {"sigma_px": 2.0, "levels": {"illumination=partially_coherent": {"sigma_px": 3.0}}}
    tiers = {"tiny": {"sigma_px": 1.0}, "contrast-enhancement-tiny": own}
    assert constants_for(tiers, sample) == {"sigma_px": 3.0}
    assert constants_for({"tiny": {"sigma_px": 1.0}}, sample) == {"sigma_px": 1.0}


def with_bias(name: str, gain: float, bias: dict[int, float]) -> Entry:
    rows = [
        row
        for i in range(3)
        for row in rows_of(
            f"test-{i}",
            f"test-{i}",
            {"illumination": "incoherent"},
            [
                ("cnr_gain_matched@1", None, gain),
                ("cnr_mean@1", None, 2 * gain),
                ("mtf50@1", None, 300 + 100 * gain),
                ("outside_family@1", None, 0.0),
                *(("lac_bias@1", label, value) for label, value in bias.items()),
            ],
        )
    ]
    result = scored_result(name, rows, task="contrast-enhancement", primary="cnr_gain_matched@1", axes=AXES)
    return Entry(path=Path(f"{name}.json"), result=result)


ENTRIES = [
    with_bias("fbp-affine", 1.0, {1: 0.01, 3: -0.02}),
    with_bias("near", 1.1, {1: 0.03, 3: -0.045}),
    with_bias("far", 1.4, {1: 0.0, 3: -0.08}),
]


def test_the_gate_keeps_out_what_moved_the_lac() -> None:
    gate = Gate(metric="lac_bias@1", like="fbp-affine", within=0.03)
    found = gated(ENTRIES, gate)
    assert list(found) == ["far"]
    assert found["far"] == "LAC bias of lipid droplet off by 0.060 µm⁻¹"
    assert gated(ENTRIES, None) == gated(ENTRIES[1:], gate) == {}
    blind = gated([ENTRIES[0], with_bias("blind", 2.0, {1: 0.01})], gate)
    assert blind == {"blind": "no LAC bias of lipid droplet"}


def test_what_is_gated_stands_below_without_a_rank() -> None:
    page = page_of(ENTRIES)
    rows = page["tables"][0]["rows"]
    assert [(row["name"], row["rank"]) for row in rows] == [("near", 1), ("fbp-affine", 2), ("far", None)]
    assert rows[-1]["flags"] == ("not ranked: LAC bias of lipid droplet off by 0.060 µm⁻¹",)


def test_the_plane_places_methods_and_their_low_passes_to_scale() -> None:
    plot = contrast_plane([entry.result for entry in ENTRIES])
    assert plot is not None
    xs, ys = ({float(tick["text"]): tick[axis] for tick in plot[f"{axis}_ticks"]} for axis in "xy")
    (x0, left), *_, (x1, right) = sorted(xs.items())
    (y0, bottom), *_, (y1, top) = sorted(ys.items())
    for mark, gain in zip(plot["marks"], (1.0, 1.1, 1.4), strict=True):
        assert x0 + (x1 - x0) * (mark["x"] - left) / (right - left) == pytest.approx(300 + 100 * gain)
        assert y0 + (y1 - y0) * (mark["y"] - bottom) / (top - bottom) == pytest.approx(2 * gain)
    # CNR over gain is 2 for all three: a level line
    heights = {point.split()[1] for point in plot["curve"].replace("M", "L").split("L")[1:]}
    assert len(heights) == 1
    assert contrast_plane([result_of("a", [0.5, 0.6])]) is None


def test_the_task_file_pins_what_the_protocol_says() -> None:
    for tier, labels in (("tiny", (4, 0)), ("small", (4, 3, 0)), ("full", (4, 3, 6, 0))):
        recipe = get_task("contrast-enhancement", tier).dataset_spec.recipe
        assert recipe.families.mammalian.contrast.interfaces == labels
        assert recipe.families.yeast.contrast.interfaces == (2, 3, 0)
        assert recipe.families.yeast.contrast.erosion_voxels == (2 if tier == "full" else 1)
        assert (recipe.acquisition.tilt.step_deg, recipe.acquisition.tilt.range_deg) == (2, 120)
