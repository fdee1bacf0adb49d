"""Learned primal-dual: what it starts from, angles of one's own, what it sees, that it learns."""

import json

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.reconstruction import fbp

torch = pytest.importorskip("torch")

from sxtbench.learning import build_network, export_onnx, load_network, save_weights, stream, train  # noqa: E402
from sxtbench.learning.answers import answer_of, seen  # noqa: E402
from sxtbench.learning.inputs import NO_VIEW, channels, sinogram  # noqa: E402
from sxtbench.learning.stream_parameters import StreamParameters  # noqa: E402
from sxtbench.learning.training import TrainingParameters  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own

SMALL = {"name": "learned-primal-dual", "slices": 3, "iterations": 2, "features": 4}
CUTS = StreamParameters(
    inputs=("tilt_series",), slices=3, slabs_per_specimen=8, specimens_per_block=2, scored_only=True
)


def views(angles, *, rows=None, columns=16, seed=0):
    rows = rows or len(angles)
    out = torch.zeros(1, 1, 3, rows, columns + 1)
    out[..., : len(angles), :-1] = torch.from_numpy(
        np.random.default_rng(seed).random((3, len(angles), columns), np.float32)
    )
    out[..., -1] = NO_VIEW
    out[..., : len(angles), -1] = torch.tensor(angles)
    return out


def awake(seed=0):
    """A network whose updates, which start at zero, are not."""
    torch.manual_seed(seed)
    network = build_network(SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def test_before_training_it_is_the_fbp_of_the_centre_slice():
    angles = [-40.0, -10.0, 0.0, 35.0]
    x = views(angles)
    geometry = ParallelGeometry(angles_deg=angles, columns=16, slices=1, pixel_size_nm=1000)
    expected = fbp(x[0, 0, 1, :, :-1].numpy()[:, None], geometry, filter="hamming")[0]
    with torch.no_grad():
        answer = build_network(SMALL)(x)
    assert answer.shape == (1, 1, 16, 16)
    np.testing.assert_allclose(answer[0, 0].numpy(), 0.3 * expected, atol=1e-6)


def test_rows_without_a_view_change_nothing_and_each_sample_has_its_own_angles():
    network = awake()
    wide, narrow = [-60.0, -30.0, 0.0, 25.0, 50.0], [-40.0, 10.0, 45.0]
    both = torch.cat([views(wide, seed=1), views(narrow, rows=5, seed=2)])
    with torch.no_grad():
        together = network(both)
        assert torch.allclose(together[:1], network(views(wide, seed=1)), atol=1e-6)
        assert torch.allclose(together[1:], network(views(narrow, seed=2)), atol=1e-6)
        turned = views(narrow, seed=2)
        turned[..., -1] += 5
        assert not torch.allclose(network(turned), together[1:], atol=1e-4)


def test_every_weight_gets_a_gradient():
    network = awake().train()
    network(views([-40.0, 0.0, 40.0])).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # the last sinograms matter through the first of them alone
        assert parameter.grad.abs().sum() > 0, name


def test_weights_are_read_again(tmp_path):
    network = awake()
    save_weights(tmp_path / "w.safetensors", network, metadata={})
    again, _ = load_network(tmp_path / "w.safetensors")
    x = views([-40.0, 0.0, 40.0])
    with torch.no_grad():
        assert torch.equal(again(x), network(x))
    with pytest.raises(InputError, match="projector"):
        export_onnx(again, tmp_path / "w.onnx", shape=(1, 1, 3, 3, 17))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"slices": 4}, "slices is 4, expected an odd number"),
        ({"slices": 17}, "slices is 17, expected an integer from 1 to 15"),
        ({"iterations": 0}, "iterations is 0, expected an integer from 1 to 20"),
        ({"classes": 4}, "classes is 4, expected 1"),
        ({"channels": 2}, "channels is 2, expected 1"),
        ({"stages": 3}, "setting 'stages' is unknown"),
    ],
)
def test_settings_out_of_range_are_refused(changes, told):
    with pytest.raises(InputError, match=told):
        build_network({**SMALL, **changes})


def test_another_shape_is_refused():
    with pytest.raises(InputError, match=r"input has shape \(1, 1, 5, 3, 17\), expected \(n, 1, 3, views"):
        build_network(SMALL)(torch.zeros(1, 1, 5, 3, 17))


def test_a_sinogram_says_its_geometry(mini_volume):
    series = mini_volume.dataset("test")[0].tilt_series
    found = sinogram(series, 60)
    count = len(series.angles_deg)
    assert found.shape == (series.counts.shape[1], 60, series.counts.shape[2] + 1)
    assert np.array_equal(found[3, :count, -1], series.angles_deg.astype(np.float32))
    assert (found[:, count:, -1] == NO_VIEW).all()
    assert (found[:, count:, :-1] == 0).all()
    voxel = 0.3 * series.pixel_size_nm / 1000
    np.testing.assert_allclose(found[5, 2, :-1] * voxel, series.projections[2, 5], rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match=f"has {count} views, expected at most 3"):
        sinogram(series, 3)


def test_the_stream_hands_out_tilt_series_of_all_levels(mini_volume):
    block = stream(mini_volume, parameters=CUTS).block(0)
    slabs = np.stack([slab for slab, _ in block])
    assert slabs.shape == (16, 1, 3, 57, 33)
    assert len({tuple(slab[0, 0, :, -1]) for slab in slabs}) > 2  # specimens and levels
    assert all(np.isnan(target).any() and np.isfinite(target).any() for _, target in block[:4])
    stored = stream(mini_volume, parameters=CUTS, track="fixed").block(0)
    assert stored[0][0].shape == slabs.shape[1:]


def test_a_tilt_series_is_neither_mixed_nor_cut():
    for changes in ({"inputs": ("tilt_series", "fbp")}, {"window": 16}, {"augment": {}}):
        with pytest.raises(ValueError, match="tilt_series, expected it alone, without window and augment"):
            StreamParameters(**{"inputs": ("tilt_series",), "slices": 3, **changes})
    with pytest.raises(InputError, match="offers no input 'tilt_series'"):
        stream("organelle-segmentation", parameters=StreamParameters(inputs=("tilt_series",)))


def test_it_learns_and_answers(mini_volume, tmp_path):
    parameters = TrainingParameters(
        network=SMALL,
        stream=CUTS.model_copy(update={"slabs_per_specimen": 32, "specimens_per_block": 1}),
        steps=12,
        batch_size=8,
        learning_rate=0.02,
        ema_decay=0.5,
        validate_every=6,
        validation_specimens=1,
    )
    made = train(mini_volume, parameters, tmp_path, workers=0)
    sample = mini_volume.dataset("validation", targets=True).at_reference[0]
    told = seen(mini_volume, CUTS)
    before = answer_of(build_network(SMALL), sample, **told)
    network, metadata = load_network(tmp_path / "weights.safetensors")
    answer = answer_of(network, sample, **json.loads(metadata["seen"]))
    assert answer.shape == sample.shape
    assert channels(sample, ("tilt_series",), "lac").shape[0] == 1
    known = sample.scored_region
    errors = [np.sqrt(np.mean((volume - sample.targets["lac"])[known] ** 2)) for volume in (answer, before)]
    assert errors[0] < 0.98 * errors[1]  # 0.964 after 12 steps
    assert made["best_score"] == max(row["score"] for row in made["history"])
