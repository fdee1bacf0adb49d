"""The strength of a filter from two half sets; chains and their figure."""

from pathlib import Path

import numpy as np
import pytest

from sxtbench.enhancement import Chain, NoiseBands, length_by_noise, noise_bands, paganin_transfer, transfer_figure
from sxtbench.errors import InputError

rng = np.random.default_rng(5)
f = np.sqrt(sum(np.square(part) for part in np.meshgrid(*[np.fft.fftfreq(48)] * 3, indexing="ij")))
SIGNAL = 40 * np.fft.ifftn(np.fft.fftn(rng.normal(size=f.shape)) * np.exp(-((f / 0.08) ** 2))).real


def halves(noise: float) -> tuple[np.ndarray, np.ndarray]:
    return tuple(SIGNAL + rng.normal(0, noise, SIGNAL.shape) for _ in range(2))


def test_bands_hold_the_noise_of_the_mean_and_where_it_drowns_the_signal() -> None:
    bands = noise_bands(*halves(1.0), pixel_size_nm=30.0)
    inside = f < 0.5
    assert bands.power.sum() == pytest.approx(0.5 * f.size * np.count_nonzero(inside), rel=0.02)
    assert bands.correlation[1] > 0.9
    assert np.abs(bands.correlation[10:]).max() < 0.2
    assert bands.frequency_per_nm[-1] == pytest.approx((0.5 - 0.5 / 32) / 30)


def test_more_noise_asks_for_a_longer_filter() -> None:
    """Not much longer: noise of low frequency comes in, and most of the power is at high ones."""
    bands = [noise_bands(*halves(noise), pixel_size_nm=30.0) for noise in (0.3, 3.0, 10.0)]
    lengths = [length_by_noise(found, lengths_nm=np.linspace(0, 90, 2000)) for found in bands]
    assert lengths[0] < lengths[1] < lengths[2]


def test_the_chosen_filter_keeps_what_was_asked_and_no_shorter_one_does() -> None:
    bands = noise_bands(*halves(2.0), pixel_size_nm=30.0)
    length = length_by_noise(bands, kept=0.2)
    beyond = int(np.flatnonzero(bands.correlation >= 1 / 7)[-1]) + 1
    power, frequency = bands.power[beyond:], bands.frequency_per_nm[beyond:]

    def left(of: float) -> float:
        return float(np.sum(power * paganin_transfer(frequency, length_nm=of) ** 2) / power.sum())

    step = 8 * 30 / 199
    assert left(length) <= 0.2 < left(length - step)


def test_without_noise_nothing_is_filtered() -> None:
    assert length_by_noise(noise_bands(SIGNAL, SIGNAL + 0.0, pixel_size_nm=30.0)) == 0


def test_images_have_bands_too() -> None:
    first, second = halves(1.0)
    assert noise_bands(first[0], second[0], pixel_size_nm=30.0).power.shape == (16,)


def test_bad_halves_and_shares_are_one_line() -> None:
    with pytest.raises(InputError, match="half sets have shapes"):
        noise_bands(SIGNAL, SIGNAL[:-1], pixel_size_nm=30.0)
    with pytest.raises(InputError, match="bands is 1"):
        noise_bands(SIGNAL, SIGNAL, pixel_size_nm=30.0, bands=1)
    bands = NoiseBands(np.array([0.001, 0.01]), np.ones(2), np.zeros(2))
    with pytest.raises(InputError, match="kept is 1"):
        length_by_noise(bands, kept=1.0)
    with pytest.raises(InputError, match="no length up to 5 nm"):
        length_by_noise(bands, lengths_nm=[0.0, 5.0])


def test_a_chain_multiplies_and_its_noise_gain_is_that_of_the_filter() -> None:
    chain = Chain(pixel_size_nm=20.0, length_nm=20.0, sigma_px=2.0, amount=1.0)
    frequency = chain.frequencies(7)
    alone = [Chain(pixel_size_nm=20.0, length_nm=20.0), Chain(pixel_size_nm=20.0, sigma_px=2.0, amount=1.0)]
    expected = alone[0].transfer(frequency) * alone[1].transfer(frequency)
    np.testing.assert_allclose(chain.transfer(frequency), expected)
    assert 1 / alone[0].white_noise_gain() == pytest.approx(3.69, abs=0.02)  # alpha of one pixel squared
    with pytest.raises(InputError, match="pixel_size_nm is 0"):
        Chain(pixel_size_nm=0.0)


def test_equal_chains_give_equal_figures(tmp_path: Path) -> None:
    chains = {"Paganin": Chain(pixel_size_nm=20.0, length_nm=40.0)}
    first, second = (transfer_figure(chains, tmp_path / f"{i}.png").read_bytes() for i in range(2))
    assert first == second
    with pytest.raises(InputError, match="no chain"):
        transfer_figure({}, tmp_path / "none.png")
