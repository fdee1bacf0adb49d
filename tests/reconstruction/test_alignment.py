"""Alignment of jittered interior views of a crowded cell: error against anchors, symmetries, geometry, bad input."""

from functools import cache

import numpy as np
import pytest
from alignment_problems import alignment_problem
from scipy.ndimage import gaussian_filter

from sxtbench.errors import InputError
from sxtbench.reconstruction.alignment import _neighbours, align


@cache
def problem(seed=0, anchors=46, **kwargs):
    return alignment_problem(seed, anchors=anchors, **kwargs)


def solved(p, **kwargs):
    return align(p.images, p.angles_deg, p.anchors, p.anchor_angles_deg, **kwargs)


@pytest.mark.parametrize("seed", [0, 1])
def test_error_is_below_a_pixel_and_grows_with_fewer_anchors(seed):
    p = problem(seed, anchors=92)
    error = {count: p.error(solved(p.with_anchors(count))) for count in (3, 10, 19, 46)}
    assert p.error(0 * p.truth) > 2
    assert error[19] < 0.3, error
    assert error[10] < 0.5, error
    assert error[46] < error[19] < error[10] < error[3], error


def test_smaller_pixels():
    p = problem(2, anchors=19, pixel_nm=40.0, rows=48)
    assert p.images.shape == (92, 48, 96)
    assert p.error(0 * p.truth) > 3
    assert p.error(solved(p)) < 0.3


def test_neighbours_alone_drift():
    p = problem(0, anchors=92)
    alone = align(p.images, p.angles_deg)
    assert p.error(alone) > 3 * p.error(solved(p.with_anchors(19)))
    assert p.error(alone) < p.error(0 * p.truth)
    assert abs(alone[:, 0].mean()) < 1e-9
    steps = np.diff(alone, axis=0) - np.diff(p.truth, axis=0)
    assert np.median(np.hypot(*steps.T)) < 0.7  # each step is about right, their sum is not


def test_the_common_point_helps_where_chains_are_long():
    p = problem(1, anchors=92).with_anchors(3)
    assert p.error(solved(p)) < 0.8 * p.error(solved(p, common_point=False))


def test_two_anchors_cannot_place_the_common_point():
    p = problem(0, anchors=92).with_anchors(2)
    np.testing.assert_array_equal(solved(p), solved(p, common_point=False))


def test_mirror_images_are_the_same_views():
    """An image flipped in u is the one from the other side; its du changes sign."""
    p = problem(1, anchors=92).with_anchors(10)
    images, angles = p.images.copy(), p.angles_deg.copy()
    turned = np.arange(len(images)) % 3 == 1
    images[turned] = images[turned][:, :, ::-1]
    angles[turned] += 180
    anchors, anchor_angles = p.anchors.copy(), p.anchor_angles_deg.copy()
    anchors[::2], anchor_angles[::2] = anchors[::2, :, ::-1], anchor_angles[::2] - 180
    found = align(images, angles, anchors, anchor_angles)
    found[turned, 1] *= -1
    np.testing.assert_allclose(found, solved(p), atol=1e-3)


def test_a_whole_turn_with_interlaced_mirror_images():
    turn = np.arange(92) * 360 / 92
    turn[46:] += 180 / 92
    p = problem(3, anchors=19, angles_deg=tuple(turn))
    assert p.error(solved(p)) < 0.3


def test_order_and_grey_values_do_not_matter():
    p = problem(1, anchors=92).with_anchors(19)
    order = np.random.default_rng(0).permutation(len(p.images))
    found = align(3 * p.images[order] + 1, p.angles_deg[order], 0.5 * p.anchors[::-1], p.anchor_angles_deg[::-1])
    np.testing.assert_allclose(found, solved(p)[order], atol=1e-3)


def test_a_region_off_the_axis():
    p = problem(4, anchors=19, centre_um=(0.9, -1.2))
    assert p.error(solved(p, column_offset_px=p.column_offset_px)) < 0.4
    assert p.error(solved(p, max_shift_px=30)) > 5


@pytest.mark.parametrize(("ratio", "columns", "rows"), [(1, 41, 30), (2, 40, 31), (3, 41, 31)])
def test_centres_agree_whatever_the_pixels(ratio, columns, rows):
    """Binned anchors, odd and even sizes: centres lie on each other, so an unmoved view has no shift."""
    scene = gaussian_filter(np.random.default_rng(5).random((2, 360, 360)), (0, 24, 24))
    fine = scene[0].reshape(60, 6, 60, 6).mean(axis=(1, 3))
    anchor = fine.reshape(60 // ratio, ratio, 60 // ratio, ratio).mean(axis=(1, 3))
    start = (360 - 6 * rows) // 2, (360 - 6 * columns) // 2
    images = np.stack([
        scene[0][start[0] + z : start[0] + z + 6 * rows, start[1] + u : start[1] + u + 6 * columns]
        .reshape(rows, 6, columns, 6).mean(axis=(1, 3))
        for z, u in ((0, 0), (18, -9))
    ])  # fmt: skip
    found = align(images, [0, 0.01], anchor[None], [0], pixel_ratio=ratio, lowpass_px=0)
    np.testing.assert_allclose(found, [[0, 0], [3, -1.5]], atol=0.05)


def test_the_chain_of_neighbours_ends_at_a_wide_gap():
    images = np.random.default_rng(0).random((30, 8, 8))

    def chain(angles):
        pairs = _neighbours(images[: len(angles)], np.asarray(angles, float), 2)
        return {frozenset(pair) for pair in zip(pairs.image.tolist(), pairs.other.tolist(), strict=True)}, pairs.sign

    half_turn, sign = chain(np.arange(30) * 6.0)
    assert len(half_turn) == 30
    assert (sign < 0).sum() == 1
    limited, sign = chain(np.arange(-50.0, 51.0, 4.0))
    assert len(limited) == 25
    assert (sign > 0).all()
    dropped, sign = chain([*range(0, 60, 6), *range(100, 180, 6)])
    assert len(dropped) == 23
    assert (sign < 0).sum() == 1  # joined across 180 degrees instead
    assert chain([0.0, 20.0])[0] == {frozenset((0, 1))}


def test_callbacks_see_the_search_and_end_it():
    p = problem(1, anchors=92).with_anchors(5)
    errors = []
    solved(p, callback=lambda i, shifts: errors.append((i, p.error(shifts))))
    assert [i for i, _ in errors] == list(range(1, len(errors) + 1))
    assert errors[-1][1] < errors[0][1]
    stopped = solved(p, callback=lambda i, shifts: i == 3)
    np.testing.assert_array_equal(stopped, solved(p, iterations=3))


def test_results_repeat():
    p = problem(1, anchors=92).with_anchors(19)
    np.testing.assert_array_equal(solved(p), solved(p))


IMAGES = np.random.default_rng(0).random((4, 8, 12))
ANCHORS = np.random.default_rng(1).random((2, 6, 8))
ANGLES = np.array([0.0, 10.0, 20.0, 30.0])


@pytest.mark.parametrize(
    ("given", "kwargs", "said"),
    [
        ((IMAGES[:1], [0.0]), {}, "there are 1 images, expected two or more"),
        ((IMAGES, ANGLES[:3]), {}, r"images have shape \(4, 8, 12\) and their angles \(3,\)"),
        ((IMAGES.astype(complex), ANGLES), {}, "images have dtype complex128"),
        ((np.where(np.arange(4)[:, None, None] == 2, np.nan, IMAGES), ANGLES), {}, "NaN or infinity in view 2"),
        ((IMAGES, [0.0, np.inf, 2.0, 3.0]), {}, "view 1 or its angle"),
        ((IMAGES, ANGLES, ANCHORS), {}, "without anchor_angles_deg"),
        ((IMAGES, ANGLES, ANCHORS[0], [0.0]), {}, r"anchors have shape \(6, 8\)"),
        ((IMAGES, ANGLES, ANCHORS[:, :2], [0.0, 10.0]), {}, "field is 4 x 16 pixels .* at least 8 x 12"),
        ((IMAGES, ANGLES, ANCHORS, [0.0, 10.0]), {"column_offset_px": 5.0}, "expected at least 8 x 22"),
        ((IMAGES, ANGLES, ANCHORS, [0.0, 10.0]), {"pixel_ratio": 0.5}, "pixel_ratio is 0.5"),
        ((IMAGES, ANGLES, ANCHORS, [95.0, 105.0]), {}, "nothing ties the images to the anchors' frame"),
        ((IMAGES, ANGLES), {"lowpass_px": -1.0}, "must be 0 or more"),
        ((IMAGES, ANGLES), {"max_shift_px": 0}, "max_shift_px is 0"),
        ((IMAGES, ANGLES), {"column_offset_px": np.zeros(3)}, "column_offset_px has shape"),
    ],
)  # fmt: skip
def test_bad_input(given, kwargs, said):
    with pytest.raises(InputError, match=said):
        align(*given, **kwargs)
