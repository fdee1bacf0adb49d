import numpy as np
import pytest
from fake_results import phantom
from PIL import Image

from sxtbench.errors import InputError
from sxtbench.labels import COLOURS
from sxtbench.pictures import MOST_BYTES, alignment_figure, comparison_figure, grey_slice_png, label_slice_png, sinogram


def test_labels_have_the_suite_s_colours(tmp_path):
    labels = np.array([[0, 1, 2], [3, 255, 11]], np.uint8)
    picture = Image.open(label_slice_png(labels, tmp_path / "a.png", size=48)).convert("RGB")
    assert picture.size == (48, 32)
    for row in range(2):
        for column in range(3):
            r, g, b = picture.getpixel((column * 16 + 8, row * 16 + 8))
            assert f"#{r:02x}{g:02x}{b:02x}" == COLOURS[int(labels[row, column])]


def test_grey_window(tmp_path):
    lac = np.array([[-1.0, 0.0, 0.4, 0.8, 2.0, np.nan]])
    picture = Image.open(grey_slice_png(lac, tmp_path / "a.png", low=0.0, high=0.8, size=60))
    values = [picture.getpixel((10 * i + 5, 5)) for i in range(6)]
    assert values[0] == values[1] == values[5] == 0
    assert values[3] == values[4] == 255
    assert abs(values[2] - 128) <= 3


@pytest.mark.parametrize("n", [64, 512])
def test_noise_fits_in_the_limit_and_repeats(tmp_path, n):
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(0.4, 0.2, (n, n)), rng.integers(0, 4, (n, n))
    for write, kwargs in ((grey_slice_png, {"low": 0.0, "high": 0.8}), (label_slice_png, {})):
        slice_ = noise if kwargs else labels
        a, b = (write(slice_, tmp_path / f"{i}.png", **kwargs).read_bytes() for i in range(2))
        assert a == b
        assert len(a) <= MOST_BYTES


def test_bad_slices_are_refused(tmp_path):
    with pytest.raises(InputError, match="labels \\[77\\]"):
        label_slice_png(np.full((4, 4), 77), tmp_path / "a.png")
    with pytest.raises(InputError, match="expected \\(rows, columns\\)"):
        label_slice_png(np.zeros((4, 4, 4), int), tmp_path / "a.png")
    with pytest.raises(InputError, match="low < high"):
        grey_slice_png(np.zeros((4, 4)), tmp_path / "a.png", low=1.0, high=0.0)
    assert not list(tmp_path.iterdir())


def test_comparison_figure(tmp_path):
    labels, _ = phantom(0)
    lac = np.array([0.1, 0.35, 0.18, 0.62])[labels]
    answers = {"fbp-otsu": labels, "mine": np.zeros_like(labels)}
    paths = [
        comparison_figure(lac, labels, answers, tmp_path / f"{i}.png", voxel_size_nm=90.0, title="test-00000")
        for i in range(2)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    picture = Image.open(paths[0]).convert("RGB")
    assert picture.width > picture.height
    found = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in picture.getcolors(picture.width * picture.height)}
    assert {COLOURS[label] for label in (0, 1, 2, 3)} <= found
    comparison_figure(lac, None, {}, tmp_path / "input.png", voxel_size_nm=90.0)
    with pytest.raises(InputError, match=r"mine: shape \(2, 2, 2\)"):
        comparison_figure(lac, labels, {"mine": np.zeros((2, 2, 2), np.uint8)}, tmp_path / "x.png", voxel_size_nm=90.0)


def test_a_sinogram_moves_each_view_and_takes_one_row():
    views = np.zeros((2, 5, 8), np.float32)
    views[0, 2, 3] = views[1, 1, 5] = 1
    found = sinogram(views, np.array([[0.0, 0.0], [1.0, -2.0]]), 2)
    assert np.argmax(found, axis=1).tolist() == [3, 3]


def test_the_figure_of_an_alignment_shows_every_answer(tmp_path):
    views = np.random.default_rng(0).random((9, 6, 12), np.float32)
    truth = np.random.default_rng(1).normal(size=(9, 2))
    one, two = (
        alignment_figure(views, truth, {name: 0 * truth for name in names}, tmp_path / f"{len(names)}.png")
        for names in (["a"], ["a", "b"])
    )
    sizes = [Image.open(path).size for path in (one, two)]
    assert sizes[1][0] > sizes[0][0]
    assert one.read_bytes() == alignment_figure(views, truth, {"a": 0 * truth}, tmp_path / "again.png").read_bytes()


def test_a_slab_is_drawn_in_one_slice_with_its_region(tmp_path):
    lac = np.random.default_rng(0).random((4, 40, 40), np.float32)
    plain = comparison_figure(lac, None, {}, tmp_path / "plain.png", voxel_size_nm=40.0, truth_lac=lac)
    round_ = comparison_figure(
        lac, None, {}, tmp_path / "round.png", voxel_size_nm=40.0, truth_lac=lac, circle=(20.0, 15.0, 8.0)
    )
    width, height = Image.open(plain).size
    assert height < width
    assert plain.read_bytes() != round_.read_bytes()
