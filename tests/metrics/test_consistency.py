"""Reprojection chi-square on counts."""

import math
from typing import Any

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.metrics import data_consistency
from sxtbench.operators import ParallelBeam

rng = np.random.default_rng(5)
GEOMETRY = ParallelGeometry(angles_deg=np.arange(-60, 61, 5), columns=40, slices=20, pixel_size_nm=100.0)
INCIDENT = rng.uniform(200, 400, len(GEOMETRY.angles_deg))


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    z, y, x = (np.indices((20, 40, 40)) - np.array([9.5, 19.5, 19.5])[:, None, None, None]) / 12
    return np.where(z * z + y * y + x * x < 1, 0.4, 0.0).astype(np.float32)


def test_the_truth_gives_one_and_others_more(truth: np.ndarray) -> None:
    project = ParallelBeam(GEOMETRY, truth.shape)
    lines = project(truth)
    counts = rng.poisson(INCIDENT[:, None, None] * np.exp(-lines.astype(float)))
    spread = math.sqrt(2.02 / counts.size)  # variance of a squared Poisson residual: 2 + 1 / expected
    assert data_consistency(counts, INCIDENT, lines) == pytest.approx(1, abs=4 * spread)
    for other in (1.1 * truth, truth + 0.02 * (truth > 0), np.roll(truth, 2, axis=2), truth[:, ::-1, ::-1] * 0):
        assert data_consistency(counts, INCIDENT, project(other)) > 1 + 8 * spread


def test_an_error_of_gain_adds_its_square_times_the_counts() -> None:
    counts = rng.poisson(1000, (10, 100, 100))
    chi = data_consistency(counts, np.full(10, 1030.0), np.zeros(counts.shape))
    assert chi == pytest.approx((1000 + 30**2) / 1030, rel=0.02)


def test_definition_on_few_counts_and_a_mask() -> None:
    counts = np.array([[[4, 0, 7]], [[3, 9, 1]]])
    lines = np.array([[[0.1, 5.0, -0.2]], [[1.0, 0.0, 0.3]]])
    expected = np.array([5.0, 8.0])[:, None, None] * np.exp(-lines)
    terms = (counts - expected) ** 2 / np.maximum(expected, 1)
    assert data_consistency(counts, [5.0, 8.0], lines) == pytest.approx(terms.mean())
    mask = np.array([[[True, False, True]], [[False, True, True]]])
    assert data_consistency(counts, [5.0, 8.0], lines, mask=mask) == pytest.approx(terms[mask].mean())
    column = np.array([True, False, True])[None, None]
    assert data_consistency(counts, [5.0, 8.0], lines, mask=column) == pytest.approx(terms[:, :, [0, 2]].mean())
    per_pixel = np.broadcast_to(np.array([5.0, 8.0])[:, None, None], counts.shape)
    assert data_consistency(counts, per_pixel, lines) == pytest.approx(terms.mean())


def test_no_data_is_undefined_and_absurd_lines_stay_finite() -> None:
    counts = np.ones((1, 2, 2), np.uint16)
    assert math.isnan(data_consistency(counts, [1.0], np.zeros(counts.shape), mask=np.zeros((1, 1, 1), bool)))
    assert 1e100 < data_consistency(counts, [1.0], np.full(counts.shape, -1e5, np.float32)) < math.inf


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"absorbance": np.zeros((2, 3, 5))}, r"absorbance is float64 of shape \(2, 3, 5\), .* \(2, 3, 4\)"),
        ({"absorbance": np.full((2, 3, 4), np.nan)}, "NaN or infinity in view 0"),
        ({"incident_photons": [1.0, 0.0]}, "incident_photons must be positive"),
        ({"incident_photons": [1.0, 1.0, 1.0]}, r"incident photons have shape \(3, 1, 1\)"),
        ({"mask": np.ones((3, 4))}, "mask has dtype float64, expected bool"),
        ({"mask": np.ones((3, 3, 4), bool)}, r"mask has shape \(3, 3, 4\), which does not broadcast"),
        ({"counts": np.full((2, 3, 4), -1.0)}, "counts are negative in view 0"),
        ({"counts": np.ones((3, 4))}, r"counts are float64 of shape \(3, 4\)"),
    ],
)
def test_bad_input_is_named(changes: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "counts": np.ones((2, 3, 4)),
        "incident_photons": [1.0, 1.0],
        "absorbance": np.zeros((2, 3, 4)),
    }
    with pytest.raises(InputError, match=message):
        data_consistency(**(good | changes))
