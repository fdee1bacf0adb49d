"""Two scans together: trends of the interior paper on a small granular phantom, and bad input."""

from dataclasses import replace

import numpy as np
import pytest
from pair import ROWS, VOXEL_NM, WIDTH, N, make_pair

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import check_adjoint
from sxtbench.reconstruction import (
    cgne,
    fbp_interior,
    pair_operator,
    poisson_weights,
    scan_operator,
    sirt,
    tv,
    weighted,
)

SHAPE = (ROWS, N, N)


def both(pair, **options):
    return pair_operator(pair.interior, pair.full, SHAPE, **options)


@pytest.fixture(scope="module")
def noiseless():
    return make_pair(full_views=19)


@pytest.fixture(scope="module")
def interior_only(noiseless):
    return cgne(scan_operator(noiseless.interior, SHAPE, VOXEL_NM), noiseless.data[0], iterations=30)


def bias(pair, x):
    return float(np.mean((x - pair.truth)[pair.region]))


@pytest.mark.parametrize("blur_nm", [(None, None), (180.0, 300.0)])
def test_the_pair_s_adjoint_is_exact(noiseless, blur_nm):
    assert check_adjoint(both(noiseless, blur_nm=blur_nm)) < 1e-5


def test_both_scans_remove_the_bias_and_gain_five_decibels(noiseless, interior_only):
    combined = cgne(both(noiseless), noiseless.data, iterations=30)
    sparse = cgne(scan_operator(noiseless.full, SHAPE, VOXEL_NM), noiseless.data[1], iterations=30)
    assert noiseless.psnr(combined) > noiseless.psnr(interior_only) + 5
    assert noiseless.psnr(combined) > noiseless.psnr(sparse) + 3
    assert abs(bias(noiseless, combined)) < 0.005
    assert abs(bias(noiseless, interior_only)) > 0.03


def test_the_region_is_satisfied_with_few_full_views():
    found = []
    for views in (2, 19, 97):
        pair = make_pair(full_views=views)
        found.append(max(pair.psnr(cgne(both(pair), pair.data, iterations=n)) for n in (15, 20, 30)))
    assert found[1] > found[0] + 2
    assert found[2] - found[1] < (found[1] - found[0]) / 2


def test_an_off_centre_region_does_as_well(noiseless):
    pair = make_pair(full_views=19, centre=(12.0, -15.0))
    found = cgne(both(pair), pair.data, iterations=30)
    central = noiseless.psnr(cgne(both(noiseless), noiseless.data, iterations=30))
    assert pair.psnr(found) > central - 3  # the light of the shifted scan is interpolated, which blurs it
    wrong = replace(pair, interior=_mirrored(pair.interior))
    assert wrong.psnr(cgne(both(wrong), wrong.data, iterations=30)) < pair.psnr(found) - 5


def _mirrored(geometry):
    return ParallelGeometry(
        angles_deg=geometry.angles_deg,
        columns=geometry.columns,
        slices=geometry.slices,
        pixel_size_nm=geometry.pixel_size_nm,
        column_offset_px=-np.asarray(geometry.column_offset_px),
    )


def test_photon_weights_and_total_variation_gain_with_noise():
    """The paper names weights as better and leaves them undone: they gain, as does a prior on top."""
    pair = make_pair(full_views=19, photons=150.0)
    weights = [
        poisson_weights(data, np.full(len(data), photons))
        for data, photons in zip(pair.data, (150.0, 600.0), strict=True)
    ]
    plain = max(pair.psnr(cgne(both(pair), pair.data, iterations=n)) for n in (2, 3, 4, 6, 9))
    A, y = weighted(both(pair), pair.data, weights)
    known = max(pair.psnr(cgne(A, y, iterations=n)) for n in (2, 3, 4, 6, 9))
    assert known > plain + 0.2
    smooth = max(pair.psnr(tv(both(pair), pair.data, weight=w, iterations=60, data_weights=weights)) for w in (4, 8))
    assert smooth > known


def test_deconvolution_gains_where_the_lens_is_resolved():
    """Lenses of 35 and 60 nm have widths of 1.75 and 3 pixels of 20 nm: half a decibel and more (check m)."""
    pair = make_pair(full_views=23, photons=2e3, blur_px=(1.75 / 2.355, 3 / 2.355))
    direct = max(pair.psnr(cgne(both(pair), pair.data, iterations=n)) for n in (3, 5, 7, 10))
    A = both(pair, blur_nm=(1.75 * VOXEL_NM, 3 * VOXEL_NM))
    sharp = max(pair.psnr(cgne(A, pair.data, iterations=n)) for n in (3, 5, 7, 10))
    assert sharp >= direct + 0.5


def test_residuals_fall(noiseless):
    A, misfits = both(noiseless), {"cgne": [], "sirt": []}

    def watch(name):
        def add(iteration, x):
            images = A(x)
            misfits[name].append(sum(float(np.sum((y - i) ** 2)) for y, i in zip(noiseless.data, images, strict=True)))

        return add

    cgne(A, noiseless.data, iterations=10, callback=watch("cgne"))
    sirt(A, noiseless.data, iterations=10, callback=watch("sirt"))
    for values in misfits.values():
        assert values == sorted(values, reverse=True)
    assert misfits["cgne"][-1] < misfits["sirt"][-1]


def test_a_sparse_reconstruction_completes_truncated_views(noiseless):
    options = {"volume_shape": SHAPE, "filter": "hamming"}
    alone = fbp_interior(noiseless.data[0], noiseless.interior, **options)
    coarse = cgne(scan_operator(noiseless.full, SHAPE, VOXEL_NM), noiseless.data[1], iterations=15)
    completed = fbp_interior(noiseless.data[0], noiseless.interior, beyond=coarse, **options)
    assert noiseless.psnr(completed) > noiseless.psnr(alone) + 3
    assert abs(bias(noiseless, completed)) < 0.01 < abs(bias(noiseless, alone))


def test_a_sparse_reconstruction_is_a_start_without_bias(noiseless, interior_only):
    """Least squares leave in the null space what they start with: the interior scan alone then keeps the level."""
    coarse = cgne(scan_operator(noiseless.full, SHAPE, VOXEL_NM), noiseless.data[1], iterations=15)
    A = scan_operator(noiseless.interior, SHAPE, VOXEL_NM)
    found = cgne(A, noiseless.data[0], iterations=10, x0=coarse)
    assert noiseless.psnr(found) > max(noiseless.psnr(interior_only), noiseless.psnr(coarse)) + 3
    assert abs(bias(noiseless, found)) < 0.005


def test_total_variation_comes_to_its_end_sooner_from_a_sparse_start():
    pair = make_pair(full_views=19, photons=150.0)
    weights = [
        poisson_weights(data, np.full(len(data), photons))
        for data, photons in zip(pair.data, (150.0, 600.0), strict=True)
    ]
    coarse = cgne(scan_operator(pair.full, SHAPE, VOXEL_NM), pair.data[1], iterations=4)
    options = {"weight": 6.0, "data_weights": weights}
    end = tv(both(pair), pair.data, iterations=100, x0=coarse, **options)
    distance = {
        name: float(np.linalg.norm((tv(both(pair), pair.data, iterations=20, x0=x0, **options) - end)[pair.region]))
        for name, x0 in (("zero", None), ("sparse", coarse))
    }
    assert distance["sparse"] < 0.7 * distance["zero"]


def geometry(**changes):
    options = {"angles_deg": [0, 60, 120], "columns": WIDTH, "slices": ROWS, "pixel_size_nm": VOXEL_NM, **changes}
    return ParallelGeometry(**options)


FULL = {"columns": N // 2, "slices": ROWS // 2, "pixel_size_nm": 2 * VOXEL_NM}


@pytest.mark.parametrize(
    ("interior", "full", "message"),
    [
        ({"column_offset_px": 60.0}, FULL, "the interior scan: the region lies outside the field of view"),
        ({"slices": ROWS + 2}, FULL, "the interior scan has no common frame with the volume"),
        ({}, {**FULL, "pixel_size_nm": 1.5 * VOXEL_NM}, "the full-field scan: pixel sizes do not nest"),
        ({"angles_deg": [0]}, FULL, "the interior scan has 1 view, expected at least 2"),
        ({}, {**FULL, "columns": 8}, "are they exchanged"),
        ({"column_offset_px": 30.0}, {**FULL, "columns": 36}, "of view of the full-field scan: it reaches 4320 nm"),
        ({}, {**FULL, "column_offset_px": 10.0}, "the full-field scan: the region lies outside the field of view"),
        ({"slice_offset_px": ROWS}, FULL, "no common frame with the volume: its 4 rows are shifted by 4"),
    ],
)
def test_bad_pairs_get_one_line(interior, full, message):
    with pytest.raises(InputError, match=message) as caught:
        pair_operator(geometry(**interior), geometry(**full), SHAPE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "voxel", "options", "message"),
    [
        ((N, N), VOXEL_NM, {}, "volume_shape is"),
        (SHAPE, 0.0, {}, "voxel_size_nm is 0.0, expected"),
        (SHAPE, VOXEL_NM, {"blur_nm": 60.0}, "blur_nm is 60.0, expected two widths"),
    ],
)
def test_bad_grids_and_lenses_get_one_line(shape, voxel, options, message):
    with pytest.raises(InputError, match=message) as caught:
        pair_operator(geometry(), geometry(**FULL), shape, voxel, **options)
    assert "\n" not in str(caught.value)


def test_a_full_detector_may_be_wider_than_the_field_or_a_little_off_the_axis():
    """The paper's spans the slice's diagonal; of a real one the axis is seldom the middle."""
    for changes in ({"columns": 91}, {"column_offset_px": 3.0}):
        A = pair_operator(geometry(), geometry(**{**FULL, **changes}), SHAPE)
        assert check_adjoint(A) < 1e-5


def test_bad_weights_and_priors_get_one_line(noiseless):
    with pytest.raises(InputError, match="negative values, expected inverse variances"):
        weighted(both(noiseless), noiseless.data, [-data for data in noiseless.data])
    with pytest.raises(InputError, match=r"beyond has shape \(1, 2, 2\)"):
        fbp_interior(noiseless.data[0], noiseless.interior, SHAPE, beyond=np.zeros((1, 2, 2), np.float32))
    with pytest.raises(InputError, match="projections have shape"):
        fbp_interior(noiseless.data[0][1:], noiseless.interior, SHAPE)
