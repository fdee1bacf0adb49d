"""The fidelity report: a simulator that keeps its recipe passes, one that does not is caught."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import stats

from sxtbench.benchmark.task import get_task
from sxtbench.cli import main
from sxtbench.cli.study import _real_series, _simulator
from sxtbench.datasets.own import OwnSeries, write_own
from sxtbench.distributions import Distribution
from sxtbench.errors import InputError
from sxtbench.formats.series import write_series
from sxtbench.multiplicity import holm
from sxtbench.studies.fidelity_draws import draw_specimens
from sxtbench.studies.fidelity_images import (
    appearance,
    autocorrelation,
    binned_series,
    correlation_length,
    ring_power,
)
from sxtbench.studies.fidelity_laws import compare_draws, law_mean
from sxtbench.studies.fidelity_physics import poisson_deviates, read_light, read_rendered, transfer
from sxtbench.studies.fidelity_statistics import (
    ALPHA,
    count_law,
    count_ranks,
    histogram_p,
    permuted_p,
    uniform_p,
    uniform_ranks,
)
from sxtbench.studies.simulator_fidelity import run

LAWS = TypeAdapter(Distribution)
SMALL = {"tier": "tiny", "drawn": 12, "imaged": 3, "permutations": 200}


def law(**numbers):
    return LAWS.validate_python(numbers)


@cache
def recipe():
    return get_task("limited-angle-segmentation", "tiny").dataset_spec.recipe


@cache
def draws():
    return draw_specimens(recipe(), 3, 60)


@cache
def imaged(index, **acquisition):
    source = _simulator("fast")
    return source.image(source.recipe.acquisition.model_copy(update=acquisition), 7, index)


def changed(**parts):
    """The recipe with other values, by the path to each: `cells__cytoplasm_lac_per_um`."""
    content = recipe().model_dump()
    for path, value in parts.items():
        *folders, last = path.split("__")
        place = content
        for name in folders:
            place = place[name]
        place[last] = value
    return type(recipe()).model_validate(content)


def smallest(comparisons):
    adjusted = holm(comparisons.tested.p.to_list())
    return comparisons.tested.assign(adjusted=adjusted).set_index("quantity").adjusted


@pytest.mark.parametrize(
    "one",
    [
        law(min=1.0, max=3.0),
        law(mean=0.0, sd=2.0),
        law(mean=0.0, sd=1.0, min=-0.5, max=0.2),
        law(mean=0.0, sd=1.0, max=0.0),
    ],
)
def test_cdf_is_that_of_the_draws_atoms_included(one):
    rng = np.random.default_rng(0)
    drawn = np.array([one.draw(rng) for _ in range(4000)])
    for x in (*np.quantile(drawn, [0.1, 0.3, 0.5, 0.9]), drawn.min(), drawn.max()):
        assert one.cdf(x) == pytest.approx(np.mean(drawn <= x), abs=0.03)
        assert one.cdf(x, below=True) == pytest.approx(np.mean(drawn < x), abs=0.03)
    assert uniform_p(uniform_ranks(one, drawn, rng))[1] > 1e-3


def test_cdf_of_a_constant_is_a_step():
    for one in (law(min=2.0, max=2.0), law(mean=2.0, sd=0.0)):
        assert one.cdf([1.9, 2.0, 2.1]).tolist() == [0.0, 1.0, 1.0]
        assert one.cdf([1.9, 2.0, 2.1], below=True).tolist() == [0.0, 0.0, 1.0]


def test_ranks_know_bounds_of_each_draw_and_find_a_shift():
    rng = np.random.default_rng(1)
    one = law(mean=0.0, sd=1.0)
    free = rng.standard_normal(3000)
    low = rng.uniform(-2, 0.5, 3000)
    high = low + rng.uniform(0.1, 2, 3000)
    clipped = np.clip(free, low, high)
    assert uniform_p(uniform_ranks(one, clipped, rng, low=low, high=high))[1] > 1e-3
    assert uniform_p(uniform_ranks(one, clipped, rng))[1] < 1e-9, "without their bounds"
    shifted = np.clip(free + 0.2, low, high)
    assert uniform_p(uniform_ranks(one, shifted, rng, low=low, high=high))[1] < 1e-6


def test_counts_have_their_law():
    rng = np.random.default_rng(2)
    probabilities = count_law(law(mean=12, sd=4, min=3, max=30))
    drawn = [round(law(mean=12, sd=4, min=3, max=30).draw(rng)) for _ in range(3000)]
    assert probabilities.sum() == pytest.approx(1)
    assert uniform_p(count_ranks(probabilities, drawn, rng))[1] > 1e-3
    assert uniform_p(count_ranks(probabilities, np.array(drawn) + 1, rng))[1] < 1e-9
    assert count_law(law(min=1, max=4)).tolist() == [0, 0.25, 0.25, 0.25, 0.25]
    assert law_mean(law(mean=12, sd=4, min=3, max=30)) == pytest.approx(12.0, abs=0.05)


def test_holm_never_lets_a_larger_p_be_the_smaller_one():
    assert holm([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.06, 0.06, 0.5])


def test_permutations_are_level_under_the_null_and_find_a_difference():
    rng = np.random.default_rng(4)
    null = [permuted_p(rng.random(6), rng.random(6), permutations=400, rng=rng) for _ in range(120)]
    assert stats.kstest(null, "uniform").pvalue > 1e-3
    assert permuted_p(rng.random(8), rng.random(8) + 3, permutations=3000, rng=rng) < 2e-3
    edges = np.linspace(-3, 4, 30)
    groups = [
        np.array([np.cumsum(np.histogram(rng.normal(shift, 1, 500), edges)[0]) / 500 for _ in range(8)])
        for shift in (0, 0, 0.5)
    ]
    assert histogram_p(groups[0], groups[1], permutations=1000, rng=rng) > 0.01
    assert histogram_p(groups[0], groups[2], permutations=3000, rng=rng) < 2e-3


def test_a_right_simulator_passes():
    found = compare_draws(draws(), recipe())
    assert len(found.tested) >= 12
    assert smallest(found).min() > ALPHA
    assert found.held.worst.max() < 1e-9
    assert (found.conditional.share > 0).all()


@pytest.mark.parametrize(
    ("quantity", "path", "value"),
    [
        ("LAC, cytoplasm [1/um]", "specimen__cells__cytoplasm_lac_per_um", {"mean": 0.373, "sd": 0.027}),
        ("LAC, vacuoles [1/um], clipped", "specimen__vacuoles__lac_per_um", {"mean": 0.221, "sd": 0.039}),
        ("LAC, droplets [1/um], clipped", "specimen__droplets__lac_per_um", {"mean": 0.70, "sd": 0.08, "max": 0.89}),
        ("cell radius [um]", "specimen__cells__radius_um", {"min": 1.85, "max": 2.35}),
        (
            "ice [um], at least the cells' depth",
            "scene__ice_thickness_um",
            {"mean": 6.5, "sd": 1, "min": 4.6, "max": 9},
        ),
        ("gold beads", "scene__fiducials__density_per_um2", {"min": 0.06, "max": 0.12}),
        ("true less nominal angle [degrees]", "acquisition__tilt__jitter_sd_deg", 0.12),
        ("flat field's error, logarithm", "acquisition__flat_field__global_sd", 0.02),
    ],
)
def test_a_recipe_that_was_not_drawn_from_is_caught(quantity, path, value):
    """Stated is what was not drawn: the mean a standard deviation off, or as much."""
    adjusted = smallest(compare_draws(draws(), changed(**{path: value})))
    assert adjusted[quantity] < ALPHA
    others = adjusted.drop(quantity)
    if "cytoplasm" not in quantity and "radius" not in quantity:  # nothing else hangs on it
        assert others.min() > ALPHA


@pytest.mark.parametrize(
    ("quantity", "path", "value"),
    [
        ("LAC, nucleus [1/um]", "specimen__nucleus__lac_per_um", 0.28),
        ("views lost", "acquisition__tilt__dropped_share", 0.3),
        ("cells in the field", "specimen__cells__count", 2),
    ],
)
def test_a_constant_or_rule_that_was_not_kept_is_caught(quantity, path, value):
    held = compare_draws(draws(), changed(**{path: value})).held.set_index("quantity")
    assert held.worst[quantity] > 1e-3


def test_what_must_find_room_is_reported_and_not_tested():
    found = compare_draws(draws(), recipe())
    conditional = found.conditional.set_index("quantity")
    assert not set(conditional.index) & set(found.tested.quantity)
    assert conditional.share["mitochondria in a cell"] < 1, "some find no room"
    assert conditional.share["vacuoles in a cell"] > 1, "some break"
    stated, drawn = found.counts["droplets in a cell"]
    assert stated.sum() == pytest.approx(1)
    assert drawn.sum() == pytest.approx(1)


def test_counts_are_poisson_and_others_are_caught():
    sample = imaged(0)
    light = read_light(sample, np.random.default_rng(0))
    assert all(abs(deviate) < 4 for _, deviate in poisson_deviates([light]).values())
    assert uniform_p(light.ranks)[1] > 1e-4
    assert light.photons == pytest.approx(recipe().acquisition.detected_photons_per_pixel, rel=0.08)
    assert np.mean(light.measured[-5:]) == pytest.approx(light.floor + np.mean(light.noise_free[-5:]), rel=0.1)
    series = sample.exposure.series
    expected = sample.exposure.transmission * np.float32(series.incident_photons[0])
    calm = np.rint(expected + (series.counts - expected) * 0.97).astype(np.uint32)
    shared = np.rint(expected + np.roll(series.counts - expected, 1, axis=2) * 0.3 + (series.counts - expected) * 0.954)
    for counts, name in ((calm, "variance of counts"), (shared, "noise power, lower half")):
        wrong = replace(series, counts=np.maximum(counts, 0).astype(np.uint32))
        light = read_light(
            type("S", (), {"exposure": replace(sample.exposure, series=wrong), "specimen": sample.specimen})(),
            np.random.default_rng(0),
        )
        found = {key: deviate for key, (_, deviate) in poisson_deviates([light]).items() if key.startswith(name)}
        assert all(abs(deviate) > 5 for deviate in found.values()), name


def test_the_lens_is_the_one_that_the_recipe_names():
    soft = imaged(0, outer_zone_width_nm=225.0).exposure
    right = transfer(imaged(0).exposure, soft, 40.0, 225.0)
    below = right["frequency_per_um"] < 1000 / 225
    assert np.abs(right["measured"] - right["predicted"])[below].max() < 0.005
    assert np.abs(right["measured"][~below]).max() < 0.005
    wrong = transfer(imaged(0).exposure, soft, 40.0, 200.0)
    assert np.abs(wrong["measured"] - wrong["predicted"]).max() > 0.05


def test_voxels_hold_what_was_drawn_and_another_lac_is_seen():
    specimen = imaged(0).specimen
    found = read_rendered(specimen, specimen.lac)
    droplets = found.parts[(found.parts.kind == "droplet") & (found.parts.interior > 0)]
    assert len(droplets) > 3
    assert droplets.worst.max() < 1e-5
    assert np.allclose(droplets.rendered, droplets.reconstructed)
    for centres, visible in found.label_volume.values():
        assert centres == pytest.approx(visible, rel=0.05)
    assert 0.03 < found.fractions["volume fraction, cells in the field"] < 0.4
    other = replace(specimen, lac=specimen.lac * np.float32(1.01))
    assert read_rendered(other, specimen.lac).parts.loc[droplets.index, "worst"].min() > 1e-3


def test_white_noise_has_a_power_of_one_and_no_correlation():
    noise = np.random.default_rng(0).standard_normal((64, 64))
    power, samples = ring_power(noise)
    assert np.average(power[1:], weights=samples[1:]) == pytest.approx(1, abs=0.1)
    assert np.abs(autocorrelation(noise, np.ones_like(noise), 1)[1:10]).max() < 0.08


def test_autocorrelation_of_a_smoothed_field_falls_where_it_should():
    rng = np.random.default_rng(0)
    x = np.fft.fftfreq(512)
    smooth = np.fft.ifft(np.fft.fft(rng.standard_normal((200, 512))) * np.exp(-2 * (np.pi * x * 4) ** 2)).real
    lags = np.arange(256) * 0.1
    found = correlation_length(lags, autocorrelation(smooth, np.ones_like(smooth), 1))
    assert found == pytest.approx(0.1 * 2 * 4, rel=0.05), "exp(-d^2 / (4 s^2)) is 1/e at 2 s"
    assert np.isnan(correlation_length(lags, np.ones(256)))


def test_binning_averages_light_and_not_absorbance():
    pair = np.array([[[0.0, 2.0], [0.0, 2.0]]], np.float32)
    assert binned_series(pair, 2)[0, 0, 0] == pytest.approx(-np.log((1 + np.exp(-2)) / 2), rel=1e-6)
    with pytest.raises(InputError, match="cannot be binned by 3"):
        binned_series(pair, 3)


def test_a_series_without_views_near_zero_is_refused():
    series = imaged(0).exposure.series
    with pytest.raises(InputError, match="0 views within 50 degrees of 0"):
        appearance(series.select(np.flatnonzero(np.abs(series.angles_deg) > 55)), filter="hamming", bands_per_um=())


def test_the_study_runs_whole_with_a_series_of_its_own_kind_from_a_file(tmp_path):
    series = imaged(1).exposure.series
    common = {"pixel_size_nm": series.pixel_size_nm, "energy_ev": 520.0}
    write_series(tmp_path / "cell.mrc", series.projections, series.angles_deg, **common)
    real = _real_series(tmp_path / "cell.mrc", angles=None, values=None, pixel_size=None, energy=None)
    source = replace(_simulator("fast"), series=real, series_name="cell.mrc", series_energy_ev=real.energy_ev)
    heard = []
    found = run(SMALL, source=source, seed=0, report=heard.append)
    assert [check.name for check in found.checks if not check.passed] == []
    assert {"tests", "held", "conditional", "lac", "volumes", "summaries"} == set(found.tables)
    summaries = found.tables["summaries"].set_index("quantity")
    ranks = summaries.real_percentile.dropna()
    assert len(ranks) >= 20
    assert ranks.between(0, 100).all()
    assert 10 < ranks.mean() < 90
    assert "It was taken at 520 eV, the recipe is for 510 eV" in found.text
    assert any("specimen 3 of 3" in line for line in heard)
    twice = replace(real, projections=2 * real.projections)
    dark = appearance(twice, filter="hamming", bands_per_um=((0.55, 1.38),)).summary
    for quantity in ("absorbance, mean", "LAC, standard deviation", "log10 power, projections, 0.55 to 1.38 per um"):
        assert dark[quantity] > summaries.high_95[quantity]


def test_a_real_series_is_read_from_a_file_of_import_too(tmp_path):
    series = imaged(1).exposure.series
    own = OwnSeries(projections=series.projections, angles_deg=series.angles_deg, pixel_size_nm=90.0, energy_ev=510.0)
    write_own(tmp_path / "cell.zarr.zip", series=own)
    nothing = {"angles": None, "values": None, "pixel_size": None, "energy": None}
    found = _real_series(tmp_path / "cell.zarr.zip", **nothing)
    np.testing.assert_array_equal(found.projections, series.projections)
    write_own(tmp_path / "volume.zarr.zip", volume=np.full((4, 4, 4), 0.3, np.float32), voxel_size_nm=90.0)
    with pytest.raises(InputError, match="holds no tilt series"):
        _real_series(tmp_path / "volume.zarr.zip", **nothing)


def verb(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return end.value.code, capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dose-map", "--series", "cell.mrc"], "--series is for simulator-fidelity"),
        (["simulator-fidelity", "--specimen", "cell.n5"], "--specimen is for studies of phantoms"),
        (["simulator-fidelity", "--angles", "cell.tlt"], "--angles is for a real tilt series"),
        (["simulator-fidelity", "--series", "nowhere.mrc"], "nowhere.mrc"),
        (["simulator-fidelity", "--series", "nowhere.zarr.zip"], "there is no such file"),
        (["simulator-fidelity", "--series", "nowhere.zarr.zip", "--energy", "510"], "says itself"),
    ],
)
def test_bad_usage_is_one_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = verb(capsys, "study", *words, "--out", "x")
    assert status == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()
