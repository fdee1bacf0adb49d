import numpy as np
import pytest
from scipy.special import j0, j1, jv

from sxtbench.acquisition.diffraction import point_intensity
from sxtbench.errors import InputError


def test_in_focus_it_is_the_airy_pattern():
    v = np.array([0.3, 3.8317, 10.0, 300.0])
    np.testing.assert_allclose(point_intensity([0.0], v)[0], (2 * j1(v) / v) ** 2, atol=1e-14)


def test_on_the_axis_it_is_a_squared_sinc():
    u = np.array([1.0, 12.0, 60.0, 400.0])
    np.testing.assert_allclose(point_intensity(u, [0.0])[:, 0], (np.sin(u / 4) / (u / 4)) ** 2, atol=1e-14)


@pytest.mark.parametrize("u", [5.0, 60.0, 250.0])
def test_at_the_edge_of_the_cone_it_is_lommels_closed_form(u):
    expected = (1 - 2 * j0(u) * np.cos(u) + j0(u) ** 2) / u**2
    np.testing.assert_allclose(point_intensity([u, -u], [u])[:, 0], expected, rtol=1e-9)


def test_lommels_series_where_it_converges():
    u, v = 3.0, 7.0
    m = np.arange(30)
    first, second = (np.sum((-1.0) ** m * (u / v) ** (n + 2 * m) * jv(n + 2 * m, v)) for n in (1, 2))
    assert point_intensity([u], [v])[0, 0] == pytest.approx((2 / u) ** 2 * (first**2 + second**2), rel=1e-10)


def test_shapes():
    assert point_intensity([1.0, 2.0, 3.0], [0.0, 1.0]).shape == (3, 2)
    assert point_intensity([], [0.0, 1.0]).shape == (0, 2)
    with pytest.raises(InputError, match="one-dimensional"):
        point_intensity([[1.0]], [0.0])
