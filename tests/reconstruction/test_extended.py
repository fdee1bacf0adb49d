"""Grids other than the answer's, and data weights."""

import numpy as np
import pytest

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import ParallelBeam
from sxtbench.reconstruction import extended, poisson_weights, sirt, tv
from sxtbench.reconstruction.extended import cgne_extended, extended_shape, placed


def slab(extra):
    """A slab of ice that leaves the field in x, seen by a detector of 40 columns."""
    angles = np.arange(-50.0, 51.0, 4.0)
    geometry = ParallelGeometry(angles_deg=angles, columns=40, slices=2, pixel_size_nm=100)
    lac = np.zeros((2, 40, 40 + 2 * extra), np.float32)
    lac[:, 10:30] = 0.1
    lac[:, 16:24, extra + 12 : extra + 28] = 0.35
    truth = lac[:, :, extra : extra + 40]
    return geometry, truth, ParallelBeam(geometry, lac.shape)(lac)


def test_matter_beside_the_field_needs_room():
    geometry, truth, y = slab(40)

    def error(x):
        return float(np.sqrt(np.mean((x - truth)[:, 10:30, 8:32] ** 2)))

    narrow = error(extended(sirt, y, geometry, truth.shape, extension_x=1.0, depth_um=4.0, iterations=30))
    wide = error(extended(sirt, y, geometry, truth.shape, extension_x=3.0, depth_um=4.0, iterations=30))
    tight = error(extended(sirt, y, geometry, truth.shape, extension_x=3.0, depth_um=2.0, iterations=30))
    assert wide < narrow
    assert tight < 0.8 * wide  # knowing how thick the ice is helps


def test_a_shallow_grid_leaves_vacuum():
    geometry, truth, y = slab(20)
    x = extended(sirt, y, geometry, truth.shape, depth_um=2.0, iterations=3)
    assert x.shape == truth.shape
    assert not x[:, :10].any()
    assert not x[:, 30:].any()
    assert x[:, 10:30].all()


def test_weights_pass_through():
    geometry, truth, y = slab(20)
    weights = poisson_weights(y, np.full(len(y), 500.0))
    x = extended(tv, y, geometry, truth.shape, depth_um=2.0, iterations=5, weight=1.0, data_weights=weights)
    assert np.isfinite(x).all()


def test_cgne_extended_is_the_protocol_s_grid():
    geometry, truth, y = slab(20)
    found = cgne_extended(y, geometry, truth.shape, iterations=3)
    assert extended_shape(truth.shape, 100.0) == (2, 90, 64)
    from sxtbench.reconstruction import cgne

    whole = cgne(ParallelBeam(geometry, (2, 90, 64)), y, 3)
    np.testing.assert_array_equal(found, whole[:, 25:65, 12:52])


@pytest.mark.parametrize("wanted", [(4, 4, 4), (2, 6, 8), (4, 10, 2)])
def test_placing_keeps_the_centre(wanted):
    volume = np.zeros((4, 6, 6), np.float32)
    volume[1:3, 2:4, 2:4] = 1
    out = placed(volume, wanted)
    assert out.shape == wanted
    assert out.sum() == 8
    for axis in range(3):
        profile = np.flatnonzero(out.any(axis=tuple(a for a in range(3) if a != axis)))
        assert profile.mean() == (wanted[axis] - 1) / 2


def test_bad_grids():
    with pytest.raises(InputError, match=r"extension_x is 0\.5"):
        extended_shape((4, 4, 4), 100, extension_x=0.5)
    with pytest.raises(InputError, match=r"depth_um is 0\.1"):
        extended_shape((4, 4, 4), 100, depth_um=0.1)


def test_weights_are_inverse_variances():
    rng = np.random.default_rng(0)
    incident, absorbance = 2000.0, np.array([[[0.5, 1.5]]])
    counts = rng.poisson(incident * np.exp(-absorbance), (20000, 1, 2))
    flat = rng.normal(0, 0.03, (20000, 1, 2))
    measured = -np.log(counts / incident) + flat
    weights = poisson_weights(absorbance, [incident], systematic_sd=0.03)
    np.testing.assert_allclose(1 / measured.var(axis=0)[0], weights[0, 0], rtol=0.04)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((np.zeros((3, 1, 4)), np.ones(2)), "one number for each angle"),
        ((np.zeros((1, 4)), np.ones(1)), "expected .angle, z, u."),
        ((np.zeros((2, 1, 4)), [1.0, 0.0]), "not positive and finite"),
    ],
)
def test_bad_photons(args, said):
    with pytest.raises(InputError, match=said):
        poisson_weights(*args)
    with pytest.raises(InputError, match="systematic_sd is -1"):
        poisson_weights(np.zeros((1, 1, 1)), [1.0], systematic_sd=-1)
