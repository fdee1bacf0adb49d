"""Augmentation: invariants of the target, identity, flips, seeding, strengths."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import ndimage

from sxtbench.errors import InputError
from sxtbench.learning.augment import AugmentParameters, augment

PROBABILITIES = [name for name in AugmentParameters.model_fields if name.endswith("probability")]


def only(**changes: float) -> AugmentParameters:
    return AugmentParameters(**{**dict.fromkeys(PROBABILITIES, 0.0), **changes})


ALWAYS = only(**dict.fromkeys(PROBABILITIES, 1.0))


def slab_and_labels(
    shape: tuple[int, int, int, int] = (2, 5, 24, 32), seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape, np.float32), rng.choice(np.array([0, 1, 3, 255], np.uint8), shape[2:])


class Gates:
    """A generator whose gates open only where told; the rest is a real generator's."""

    def __init__(self, opened: set[int]) -> None:
        self.opened, self.rng = opened, np.random.default_rng(1)

    def random(self, count: int) -> NDArray[np.float64]:
        if count == 2:  # where a window lies: in the middle
            return np.full(2, 0.5)
        return np.array([0.0 if gate in self.opened else 0.999 for gate in range(count)])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rng, name)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    channels=st.integers(1, 2),
    slices=st.sampled_from([1, 3, 7]),
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    all_slices=st.booleans(),
)
def test_shapes_dtypes_and_classes_stay_and_bits_repeat(
    seed: int, channels: int, slices: int, height: int, width: int, all_slices: bool
) -> None:
    slab, middle = slab_and_labels((channels, slices, height, width), seed)
    labels = np.stack([middle] * slices) if all_slices else middle
    before = slab.copy(), labels.copy()
    first = augment(slab, labels, ALWAYS, np.random.default_rng(seed))
    second = augment(slab, labels, ALWAYS, np.random.default_rng(seed))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()
    assert first[0].shape == slab.shape
    assert first[0].dtype == np.float32
    assert first[1].shape == labels.shape
    assert first[1].dtype == np.uint8
    assert set(np.unique(first[1])) <= {*np.unique(labels).tolist(), 255}
    assert np.isfinite(first[0]).all()
    assert all(array.flags.c_contiguous for array in first)
    np.testing.assert_array_equal(slab, before[0])
    np.testing.assert_array_equal(labels, before[1])


def test_without_probabilities_nothing_changes_and_nothing_is_shared() -> None:
    slab, labels = slab_and_labels()
    changed, moved = augment(slab, labels, only(), np.random.default_rng(0))
    np.testing.assert_array_equal(changed, slab)
    np.testing.assert_array_equal(moved, labels)
    assert not np.shares_memory(changed, slab)
    assert not np.shares_memory(moved, labels)


def test_strengths_of_zero_change_nothing() -> None:
    slab, labels = slab_and_labels()
    still = AugmentParameters(
        **{**dict.fromkeys(PROBABILITIES, 1.0), "flip_probability": 0.0, "inversion_probability": 0.0},
        elastic_rms_px=0.0, smallest_crop=1.0, brightness=0.0, contrast=0.0, blur_sigma_px=0.0, noise=0.0,
    )  # fmt: skip
    changed, moved = augment(slab, labels, still, np.random.default_rng(0))
    np.testing.assert_allclose(changed, slab, atol=2e-6)
    np.testing.assert_array_equal(moved, labels)


@pytest.mark.parametrize(("gate", "axis"), [(0, -3), (1, -2), (2, -1)])
def test_a_flip_is_one_axis_of_both_and_its_own_inverse(gate: int, axis: int) -> None:
    slab, labels = slab_and_labels()
    once = augment(slab, labels, only(flip_probability=0.5), Gates({gate}))  # type: ignore[arg-type]
    np.testing.assert_array_equal(once[0], np.flip(slab, axis))
    np.testing.assert_array_equal(once[1], labels if axis == -3 else np.flip(labels, axis))
    twice = augment(*once, only(flip_probability=0.5), Gates({gate}))  # type: ignore[arg-type]
    np.testing.assert_array_equal(twice[0], slab)
    np.testing.assert_array_equal(twice[1], labels)


def test_all_slices_flip_along_z_too() -> None:
    slab, _ = slab_and_labels()
    labels = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 24, 32), np.uint8)
    moved = augment(slab, labels, only(flip_probability=0.5), Gates({0}))[1]  # type: ignore[arg-type]
    np.testing.assert_array_equal(moved[:, 0, 0], [4, 3, 2, 1, 0])


def test_every_flip_comes_up_half_of_the_time() -> None:
    corner = np.zeros((1, 3, 4, 4), np.float32)
    corner[0, 0, 0, 0] = 1
    labels, rng = np.zeros((4, 4), np.uint8), np.random.default_rng(0)
    places = [
        tuple(np.argwhere(augment(corner, labels, only(flip_probability=0.5), rng)[0])[0][1:]) for _ in range(800)
    ]
    counts = [places.count((z, y, x)) for z in (0, 2) for y in (0, 3) for x in (0, 3)]
    assert sum(counts) == 800
    assert min(counts) > 60


@pytest.mark.parametrize("name", ["elastic_probability", "crop_probability"])
def test_slab_and_labels_move_together(name: str) -> None:
    y, x = np.mgrid[:96, :80]
    labels = ((y - 50) ** 2 + (x - 38) ** 2 < 25**2).astype(np.uint8)
    slab = np.repeat(labels[None, None].astype(np.float32), 3, axis=1)
    for seed in range(4):
        changed, moved = augment(slab, labels, only(**{name: 1.0}), np.random.default_rng(seed))
        seen, called = changed[0, 1] > 0.5, moved == 1
        assert (moved != labels).sum() > 40
        assert (seen & called).sum() / (seen | called).sum() > 0.99
        np.testing.assert_array_equal(changed[:, 0], changed[:, 2])


def test_a_window_in_the_middle_is_magnified_about_the_middle() -> None:
    ramp = np.broadcast_to(np.arange(-31.5, 32, dtype=np.float32), (1, 1, 64, 64))
    changed, _ = augment(ramp, np.zeros((64, 64), np.uint8), only(crop_probability=0.5), Gates({4}))  # type: ignore[arg-type]
    np.testing.assert_allclose(changed, -changed[..., ::-1], atol=1e-4)
    step = np.diff(changed[0, 0, 30])
    assert 0.8 <= step.min() <= step.max() < 1
    assert np.ptp(step) < 0.01


def test_the_elastic_field_has_the_size_that_is_asked_for() -> None:
    ramp = np.broadcast_to(np.arange(128, dtype=np.float32), (1, 1, 128, 128))
    shifts = []
    for seed in range(40):
        changed, _ = augment(
            ramp, np.zeros((128, 128), np.uint8), only(elastic_probability=1.0), np.random.default_rng(seed)
        )
        shifts.append((changed - ramp)[0, 0, 16:-16, 16:-16])  # the ramp is mirrored at its ends
    field = np.stack(shifts)
    assert np.sqrt((field**2).mean()) == pytest.approx(0.9, rel=0.1)
    # cubic B-splines: RMS of the slope is sqrt((2 / 3) / (151 / 315)) over the knots' spacing, 0.08 * 128 * sqrt(3)
    assert np.sqrt((np.diff(field, axis=2) ** 2).mean()) == pytest.approx(0.9 * 1.179 / 17.74, rel=0.1)


def test_beyond_the_slab_is_unlabelled_and_nothing_else() -> None:
    slab, labels = slab_and_labels((1, 1, 64, 64))
    labels[:] = 2
    strong = AugmentParameters(**dict(only(elastic_probability=1.0)) | {"elastic_rms_px": 6.0})
    moved = augment(slab, labels, strong, np.random.default_rng(0))[1]
    assert set(np.unique(moved)) == {2, 255}
    assert (moved[24:40, 24:40] == 2).all()
    cropped = augment(slab, labels, only(crop_probability=1.0), np.random.default_rng(0))[1]
    assert (cropped == 2).all()


def test_intensity_changes_are_shares_of_the_deviation_and_leave_the_target() -> None:
    slab, labels = slab_and_labels((1, 3, 48, 48))
    scaled = (slab * np.float32(0.01) + np.float32(0.3)).astype(np.float32)
    for name in ("brightness", "contrast", "blur", "noise", "inversion"):
        chosen = only(**{f"{name}_probability": 1.0})
        changed, same = augment(slab, labels, chosen, np.random.default_rng(3))
        alike, _ = augment(scaled, labels, chosen, np.random.default_rng(3))
        np.testing.assert_allclose(alike, changed * 0.01 + 0.3, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(same, labels)
        assert np.abs(changed - slab).max() > 1e-3, name


def test_a_float_target_moves_as_the_slab_does_and_keeps_its_values() -> None:
    slab, _ = slab_and_labels((1, 1, 32, 32))
    moving = only(flip_probability=1.0, elastic_probability=1.0, crop_probability=1.0)
    changed, target = augment(slab, slab[0, 0], moving, np.random.default_rng(5))
    np.testing.assert_array_equal(changed[0, 0], target)
    louder = only(brightness_probability=1.0, noise_probability=1.0)
    np.testing.assert_array_equal(augment(slab, slab[0, 0], louder, np.random.default_rng(5))[1], slab[0, 0])


def test_a_constant_channel_keeps_its_value() -> None:
    slab, labels = slab_and_labels()
    slab[1] = 0.7
    changed, _ = augment(slab, labels, ALWAYS, np.random.default_rng(0))
    np.testing.assert_allclose(changed[1], 0.7, atol=1e-5)


@pytest.mark.parametrize(
    ("slab", "target", "words"),
    [
        (np.zeros((3, 8, 8), np.float32), np.zeros((8, 8), np.uint8), r"shape \(3, 8, 8\), expected float32"),
        (np.zeros((1, 3, 8, 8)), np.zeros((8, 8), np.uint8), "float64"),
        (np.zeros((1, 3, 8, 8), np.float32), np.zeros((8, 9), np.uint8), r"\(8, 9\), expected \(8, 8\)"),
        (np.zeros((1, 3, 8, 8), np.float32), np.zeros((8, 8), np.int64), "int64, expected uint8"),
        (np.zeros((1, 4, 8, 8), np.float32), np.zeros((8, 8), np.uint8), "4 slices, expected an odd number"),
    ],
)
def test_bad_input_is_one_line(slab: Any, target: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        augment(slab, target, AugmentParameters(), np.random.default_rng(0))
    assert "\n" not in str(caught.value)


def test_unknown_and_impossible_parameters_are_refused() -> None:
    with pytest.raises(ValidationError):
        AugmentParameters(rotation_probability=0.1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        AugmentParameters(contrast=1.5)


def test_lac_that_is_not_known_in_places_stays_so() -> None:
    rng = np.random.default_rng(0)
    slab = ndimage.gaussian_filter(rng.standard_normal((1, 1, 48, 48)), (0, 0, 3, 3)).astype(np.float32)
    lac = slab[0].copy()
    parameters = AugmentParameters(
        elastic_probability=1, crop_probability=1, brightness_probability=0, contrast_probability=0,
        blur_probability=0, noise_probability=0,
    )  # fmt: skip
    whole, everywhere = augment(slab, lac, parameters, np.random.default_rng(1))
    lac[:, :20] = np.nan
    moved, known = augment(slab, lac, parameters, np.random.default_rng(1))
    assert np.array_equal(moved, whole)
    finite = np.isfinite(known)
    assert 0.3 < finite.mean() < 0.7
    assert np.abs((known - everywhere)[finite]).max() < 0.05 * np.ptp(everywhere)
    nowhere = augment(slab, np.full_like(lac, np.nan), parameters, np.random.default_rng(1))[1]
    assert np.isnan(nowhere).all()
