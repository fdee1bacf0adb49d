"""Surface distances: analytic shells, MONAI and surface-distance's definition as oracles, empty classes."""

import math

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from sxtbench.errors import InputError
from sxtbench.metrics import surface_distances


def ball(radius: float, size: int = 48, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    axis = np.arange(size) - (size - 1) / 2
    z, y, x = axis[:, None, None] - centre[0], axis[:, None] - centre[1], axis - centre[2]
    return (z * z + y * y + x * x < radius * radius).astype(np.uint8)


def blobs(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = np.zeros((24, 28, 32), np.uint8)
    for number in range(6):
        z, y, x = rng.integers(3, 16, 3)
        labels[z : z + rng.integers(1, 6), y : y + rng.integers(1, 8), x : x + rng.integers(1, 10)] = number % 3 + 1
    return labels


def test_concentric_balls() -> None:
    found = surface_distances(ball(15), ball(12), label=1, voxel_size_nm=50)
    assert found.hd95() == pytest.approx(150, abs=0.8 * 50)
    assert found.nsd(100) == 0.0
    assert found.nsd(4 * 50) == 1.0


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_a_moved_ball_is_as_far_as_it_was_moved(shift: int) -> None:
    found = surface_distances(ball(12, centre=(0, 0, shift)), ball(12), label=1, voxel_size_nm=40)
    assert max(found.from_answer.max(), found.from_truth.max()) == pytest.approx(40 * shift)
    assert found.hd95() == pytest.approx(40 * shift, abs=40 * 0.5)
    assert found.nsd(40 * shift) == 1.0
    assert found.nsd(40 * shift * 0.5) < 1.0


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("voxel", [20.0, (50.0, 20.0, 10.0)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equal_to_monai(seed: int, voxel) -> None:
    monai = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    pred, truth = blobs(seed), blobs(seed + 10)
    spacing = [voxel] * 3 if isinstance(voxel, float) else list(voxel)
    one_hot = [
        torch.as_tensor(np.stack([labels == c for c in range(4)])[None].astype(np.float32)) for labels in (pred, truth)
    ]
    tolerance = min(spacing)
    hd = monai.compute_hausdorff_distance(*one_hot, percentile=95, spacing=spacing)[0]
    nsd = monai.compute_surface_dice(*one_hot, [tolerance] * 3, spacing=spacing)[0]
    for label in (1, 2, 3):
        found = surface_distances(pred, truth, label=label, voxel_size_nm=voxel)
        if math.isfinite(float(hd[label - 1])):
            assert found.hd95() == pytest.approx(float(hd[label - 1]), rel=1e-5)
        if not math.isnan(float(nsd[label - 1])):
            assert found.nsd(tolerance) == pytest.approx(float(nsd[label - 1]), rel=1e-6)


def test_equal_to_the_distance_transform() -> None:
    from sxtbench.metrics.instances import boundary

    pred, truth = blobs(3), blobs(4)
    edges = (30.0, 20.0, 10.0)
    found = surface_distances(pred, truth, label=2, voxel_size_nm=edges)
    mine, right = boundary(pred == 2), boundary(truth == 2)
    np.testing.assert_allclose(found.from_answer, distance_transform_edt(~right, sampling=edges)[mine], rtol=1e-12)
    np.testing.assert_allclose(found.from_truth, distance_transform_edt(~mine, sampling=edges)[right], rtol=1e-12)


def test_empty_classes() -> None:
    nothing, something = np.zeros((48, 48, 48), np.uint8), ball(10)
    neither = surface_distances(nothing, nothing, label=1, voxel_size_nm=10)
    assert math.isnan(neither.nsd(10))
    assert math.isnan(neither.hd95())
    for pair in ((nothing, something), (something, nothing)):
        one = surface_distances(*pair, label=1, voxel_size_nm=10)
        assert one.nsd(1e9) == 0.0
        assert one.hd95() == pytest.approx(480 * math.sqrt(3))


def test_what_is_not_scored_has_no_surface() -> None:
    truth, pred = ball(12), ball(12)
    pred[:, :, :20] = 0
    truth[:, :, :20] = 255
    found = surface_distances(pred, truth, label=1, voxel_size_nm=10)
    assert found.nsd(0.0) == 1.0
    mask = np.ones(truth.shape, bool)
    mask[:, :, :20] = False
    assert surface_distances(pred, ball(12), label=1, voxel_size_nm=10, mask=mask).nsd(0.0) == 1.0
    assert surface_distances(pred, ball(12), label=1, voxel_size_nm=10).nsd(0.0) < 0.9


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pred": np.zeros((4, 4, 5), np.uint8)}, "shape (4, 4, 5)"),
        ({"mask": np.zeros((4, 4, 5), bool)}, "the mask is bool of shape (4, 4, 5)"),
        ({"truth": np.zeros((4, 4, 4))}, "labels are float64"),
        ({"voxel_size_nm": -1}, "voxel_size_nm is -1"),
    ],
)
def test_bad_input(arguments: dict, said: str) -> None:
    labels = np.zeros((4, 4, 4), np.uint8)
    with pytest.raises(InputError) as caught:
        surface_distances(**{"pred": labels, "truth": labels, "label": 1, "voxel_size_nm": 10.0, **arguments})
    assert said in str(caught.value)
