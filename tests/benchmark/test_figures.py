import pytest
from fake_results import fake_result, fake_volume_result, result_of
from PIL import Image

from sxtbench.benchmark.figures import result_figure


@pytest.mark.parametrize(
    ("result", "shape"),
    [
        (fake_result("a", 0.3, groups=3), (3, 1)),  # specimens by class, two curves
        (fake_volume_result("a", 1.0), (3, 2)),  # and a row of information in and out of the cone
        (result_of("a", [20.0, float("nan"), 22.0], "psnr_lac@1"), (1, 1)),  # no axes at all
    ],
    ids=["labels", "volume", "no axes"],
)
def test_a_figure_has_a_panel_for_what_the_result_holds(result, shape, tmp_path):
    first, second = (result_figure(result, tmp_path / name) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    width, height = Image.open(first).size
    assert (width, height) == pytest.approx((4.2 * 110 * shape[0], 3.8 * 110 * shape[1]), abs=2)
