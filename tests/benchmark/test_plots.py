import math

import pytest
from fake_results import AXES, fake_result, fake_volume_result, result_of

from sxtbench.benchmark.plots import bar, curve, curve_extent, strips, ticks_of
from sxtbench.metrics.registry import get_metric

PSNR = get_metric("psnr_lac@1")


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (0.53, 0.91), (0.7, 0.7), (12.1, 31.7), (0.999, 1.0), (0.0, 0.0), (-3.0, -2.5), (250, 400)],
)
def test_ticks_enclose_the_values(low, high):
    ticks = ticks_of(low, high)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 9


def test_ticks_of_a_small_range_are_as_fine_as_asked():
    assert ticks_of(0.0301, 0.0319, least=0.002)[0] >= 0.03


def test_a_curve_is_drawn_to_scale():
    results = [fake_volume_result("a", 2.0), fake_volume_result("b", 0.0)]
    plot = curve(PSNR, "tilt_range_deg", AXES["tilt_range_deg"], results)
    ticks = {float(tick["text"]): tick["y"] for tick in plot["y_ticks"]}
    (low, bottom), *_, (high, top) = sorted(ticks.items())
    for series, result in zip(plot["series"], results, strict=True):
        expected = result.curve(PSNR.id, "tilt_range_deg").mean
        found = [low + (high - low) * (bottom - mark["y"]) / (bottom - top) for mark in series["marks"]]
        assert found == pytest.approx(expected)
        assert all(mark["low"] > mark["y"] > mark["high"] for mark in series["marks"])
    assert [tick["text"] for tick in plot["x_ticks"]] == ["140", "120", "100 (ref.)", "80"]
    area = results[0].area(PSNR.id, "tilt_range_deg")
    assert plot["table"][0]["values"][-1].startswith(f"{area.mean:.2f} ")
    assert plot["levels"][-1] == "mean over levels"


def test_no_curve_without_other_levels():
    flat = [result_of("a", [20.0, 21.0], PSNR.id, axes=AXES)]
    assert curve(PSNR, "photons", AXES["photons"], flat) is None
    assert curve_extent(PSNR, "photons", AXES["photons"], flat) is None


def test_strips_show_every_specimen_by_class_or_as_a_whole():
    iou = get_metric("iou@1")
    plots = strips(iou, [1, 2, 3], [fake_result("a", 0.3, groups=3)])
    assert [plot["title"] for plot in plots] == ["cytoplasm", "vacuole", "lipid droplet"]
    assert [tick["text"] for tick in plots[0]["ticks"]] == ["0", "0.25", "0.5", "0.75", "1"]
    result = fake_volume_result("a", 1.0, groups=12)
    [plot] = strips(PSNR, [None], [result])
    assert len(plot["lines"][0]["dots"]) == 12
    assert all(plot["left"] <= dot["x"] <= plot["right"] for dot in plot["lines"][0]["dots"])
    assert plot["colour"] is None


def test_a_bar_stays_between_its_ends():
    headline = result_of("a", [0.2, 0.4]).headline
    assert bar(headline, (0.0, 1.0))["mean"] == pytest.approx(36.0)
    assert bar(headline, (0.35, 1.0))["mean"] == 0.0
    assert bar(headline, (1.0, 0.0))["mean"] == pytest.approx(84.0)
    doubling = headline.model_copy(update={"metric": "equivalent_dose@1", "low": 1.0, "mean": 1.0, "high": 10.0})
    assert bar(doubling, (0.1, 100.0)) == pytest.approx({"low": 40.0, "mean": 40.0, "high": 80.0, "span": 40.0})
    assert bar(headline, None) is None
    assert bar(headline.model_copy(update={"mean": math.nan}), (0.0, 1.0)) is None
