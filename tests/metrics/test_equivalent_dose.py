"""What a dose is worth: linear filters cancel, curves are inverted, things that are not there are found."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.metrics import fsc
from sxtbench.metrics.dose import DoseInformation, equivalent_dose, hallucination, kept_contrast, scored_shells

rng = np.random.default_rng(7)
SIDE, VOXEL_NM = 48, 150.0
RADIUS = np.sqrt(sum(np.square(np.fft.fftfreq(SIDE)[s]) for s in np.ix_(*[range(SIDE)] * 3)))
GRID = np.indices((SIDE,) * 3) - (SIDE - 1) / 2
CELLS = np.square(GRID).sum(axis=0) < 15**2
WALL = np.abs(np.hypot(GRID[1], GRID[2]) - 21) < 1


def filtered(volume: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return np.fft.ifftn(np.fft.fftn(volume) * gain).real.astype(np.float32)


def gaussian(sigma: float) -> np.ndarray:
    return np.exp(-2 * (np.pi * sigma * RADIUS) ** 2)


# A cell with structure of all sizes in a wall that is ten times brighter, as a capillary is.
TRUTH = filtered(rng.normal(size=CELLS.shape), 1 / (0.02 + RADIUS)) * CELLS * np.float32(0.01) + WALL.astype(np.float32)
ANSWER = (TRUTH + filtered(rng.normal(size=CELLS.shape), np.sqrt(RADIUS)) * 0.25).astype(np.float32)


@pytest.fixture(scope="module")
def worth() -> DoseInformation:
    return DoseInformation(TRUTH, CELLS, voxel_size_nm=VOXEL_NM)


def masked(answer: np.ndarray) -> float:
    """The same correlation without flattening."""
    first, last = scored_shells(SIDE, VOXEL_NM)
    curve = fsc(answer, TRUTH, voxel_size_nm=VOXEL_NM, mask=CELLS)
    return float(curve.correlation[first : last + 1].mean())


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5, 2.0, 2.5])
def test_an_isotropic_filter_cancels(worth: DoseInformation, sigma: float) -> None:
    plain = worth.of(ANSWER)
    assert 0.3 < plain < 0.9
    assert worth.of(filtered(ANSWER, gaussian(sigma))) == pytest.approx(plain, abs=0.005)
    assert worth.of(filtered(ANSWER, 1 + 8 * RADIUS)) == pytest.approx(plain, abs=0.005)


def test_a_masked_correlation_does_not_cancel_it() -> None:
    assert abs(masked(filtered(ANSWER, gaussian(3.0))) - masked(ANSWER)) > 0.02


def test_gain_and_offset_cancel_and_the_truth_has_all(worth: DoseInformation) -> None:
    assert worth.of(3 * ANSWER - 5) == pytest.approx(worth.of(ANSWER), abs=1e-4)
    assert worth.of(TRUTH) == pytest.approx(1.0, abs=1e-6)
    assert worth.of(-TRUTH) == pytest.approx(-1.0, abs=1e-6)
    assert worth.of(np.full(TRUTH.shape, 0.3)) == 0.0


def test_noise_takes_information_away(worth: DoseInformation) -> None:
    noise = ANSWER - TRUTH
    found = [worth.of(TRUTH + share * noise) for share in (0.0, 0.5, 1.0, 2.0, 8.0)]
    assert found == sorted(found, reverse=True)
    assert worth.of(noise) == pytest.approx(0.0, abs=0.1)


def test_what_lies_outside_the_cells_does_not_count(worth: DoseInformation) -> None:
    outside = np.where(CELLS, ANSWER, 0).astype(np.float32)
    assert worth.of(outside) == pytest.approx(worth.of(ANSWER), abs=0.03)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(TRUTH[:-1], "the answer has shape (47, 48, 48)"), (np.full(TRUTH.shape, np.nan), "holds NaN or infinity")],
)
def test_bad_volumes_are_one_line(worth: DoseInformation, answer: np.ndarray, said: str) -> None:
    with pytest.raises(InputError) as caught:
        worth.of(answer)
    assert said in str(caught.value)


def test_bad_truths_are_one_line() -> None:
    with pytest.raises(InputError, match="at least one voxel inside"):
        DoseInformation(TRUTH, np.zeros(TRUTH.shape, bool), voxel_size_nm=VOXEL_NM)
    with pytest.raises(InputError, match="no shell lies between periods of 1000 nm and 4 voxels of 300 nm"):
        DoseInformation(TRUTH, CELLS, voxel_size_nm=300.0)


DOSES = np.geomspace(0.01, 20, 12)
CURVE = 1 / (1 + 0.1 / DOSES)


def test_the_curve_is_inverted() -> None:
    for dose in (0.02, 0.1, 0.5, 3.0):
        found = equivalent_dose(float(1 / (1 + 0.1 / dose)), DOSES, CURVE, dose_used=0.1)
        assert found.beyond == 0
        assert found.dose == pytest.approx(dose / 0.1, rel=0.01)


def test_ends_are_marked() -> None:
    assert equivalent_dose(-0.2, DOSES, CURVE, dose_used=0.1) == (0.1, -1)
    assert equivalent_dose(0.9999, DOSES, CURVE, dose_used=0.1) == (100.0, 1)
    assert equivalent_dose(0.0, DOSES, CURVE, dose_used=0.02) == (pytest.approx(0.5), -1)  # two counts end the curve
    assert equivalent_dose(0.9999, DOSES, CURVE, dose_used=1.0) == (pytest.approx(20.0), 1)


def test_a_plateau_gives_its_middle() -> None:
    found = equivalent_dose(0.5, [0.1, 1, 10, 100], [0.2, 0.5, 0.5, 0.8], dose_used=1)
    assert found.dose == pytest.approx(10**0.5, rel=0.01)


def test_a_falling_curve_is_refused() -> None:
    with pytest.raises(InputError, match="expected two that both rise"):
        equivalent_dose(0.5, [0.1, 1, 10], [0.2, 0.5, 0.4], dose_used=1)
    with pytest.raises(InputError, match="dose_used is 0"):
        equivalent_dose(0.5, [0.1, 1, 10], [0.2, 0.3, 0.4], dose_used=0)


SPHERES = [[0.0, 0.0, 0.0, 0.4], [1.5, 0.3, -0.6, 0.3]]


def test_invention_and_loss_are_shares_of_the_contrast() -> None:
    um = GRID * VOXEL_NM / 1000
    balls = sum((np.linalg.norm(um - np.reshape(s[:3], (3, 1, 1, 1)), axis=0) <= s[3]) * 0.3 for s in SPHERES)
    empty = TRUTH.astype(np.float64)
    options = {"spheres_um": SPHERES, "voxel_size_nm": VOXEL_NM}
    for share in (0.0, 0.4, 1.0):
        made = empty + share * balls
        assert hallucination(made, empty, empty + balls, **options) == pytest.approx(share)
        assert kept_contrast(made, empty + balls, empty, **options) == pytest.approx(share)
        assert hallucination(made + 0.2, empty, empty + balls, **options) == pytest.approx(share)
    assert np.isnan(hallucination(empty, empty, balls, [], voxel_size_nm=VOXEL_NM))
