"""The blur against scipy's filters, and its adjoint at every edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sxtbench.errors import InputError
from sxtbench.operators import Blur, LinearOperator, check_adjoint

MODES = {"edge": "nearest", "zero": "constant"}


def views(shape=(3, 9, 14)):
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize("padding", MODES)
def test_a_gaussian_is_scipys(padding):
    x = views()
    for sigma in (0.4, 1.274, 3.0):
        expected = [ndimage.gaussian_filter(v, sigma, mode=MODES[padding], radius=int(3 * sigma)) for v in x]
        assert np.allclose(Blur(x.shape, sigma_px=sigma, padding=padding)(x), expected, atol=1e-6)


@pytest.mark.parametrize("padding", MODES)
def test_a_kernel_is_convolved_not_correlated(padding):
    x, rng = views(), np.random.default_rng(1)
    kernels = rng.normal(size=(3, 5, 3)).astype(np.float32)
    blurred = Blur(x.shape, kernel=kernels, padding=padding)(x)
    expected = [ndimage.convolve(v, k, mode=MODES[padding]) for v, k in zip(x, kernels, strict=True)]
    assert np.allclose(blurred, expected, atol=1e-5)
    one = Blur(x.shape, kernel=kernels[1], padding=padding)(x)
    assert np.allclose(one[1], blurred[1], atol=1e-6)
    assert not np.allclose(one[0], blurred[0], atol=1e-2)


def test_the_paper_s_kernels():
    """Interior SXT: zone plates of 60 and 35 nm at 20 nm pixels have 7 and 5 taps, and the width is the full one."""
    point = np.zeros((1, 41, 41), np.float32)
    point[0, 20, 20] = 1
    for fwhm, taps in ((60, 7), (35, 5)):
        image = Blur(point.shape, fwhm_nm=fwhm, pixel_size_nm=20)(point)[0]
        assert np.count_nonzero(image.sum(axis=0)) == np.count_nonzero(image.sum(axis=1)) == taps
        assert image.sum() == pytest.approx(1, abs=1e-6)
    wide = Blur(point.shape, fwhm_nm=200, pixel_size_nm=20)(point)[0]
    assert wide[20, 25] / wide[20, 20] == pytest.approx(0.5, rel=1e-5)


def test_one_width_a_view():
    x = views()
    sigmas = [0.0, 1.0, 2.2]
    blurred = Blur(x.shape, sigma_px=sigmas)(x)
    assert np.array_equal(blurred[0], x[0])
    for i, sigma in enumerate(sigmas):
        assert np.allclose(blurred[i], Blur((1, 9, 14), sigma_px=sigma)(x[i : i + 1])[0], atol=1e-7)
    chosen = Blur(x.shape, sigma_px=sigmas).views([2, 0])
    assert chosen.domain_shape == (2, 9, 14)
    assert np.array_equal(chosen(x[[2, 0]]), blurred[[2, 0]])


def test_edge_padding_keeps_a_constant_and_zero_padding_does_not():
    ones = np.ones((1, 6, 7), np.float32)
    assert np.allclose(Blur(ones.shape, sigma_px=2)(ones), 1, atol=1e-6)
    assert Blur(ones.shape, sigma_px=2, padding="zero")(ones)[0, 0, 0] < 0.5


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_adjoint(data):
    size = st.integers(1, 12)
    shape = data.draw(st.tuples(st.integers(1, 3), size, size))
    padding = data.draw(st.sampled_from(list(MODES)))
    if data.draw(st.booleans()):
        options = dict(sigma_px=data.draw(st.lists(st.floats(0, 5), min_size=shape[0], max_size=shape[0])))
    else:
        odd = st.integers(0, 4).map(lambda n: 2 * n + 1)
        kernel = np.random.default_rng(0).random((shape[0], data.draw(odd), data.draw(odd)))
        options = dict(kernel=kernel)
    B = Blur(shape, padding=padding, **options)
    assert check_adjoint(B) <= 1e-6
    assert check_adjoint(B.T) <= 1e-6


def test_the_adjoint_is_the_transposed_matrix():
    shape = (1, 3, 4)
    for padding in MODES:
        B = Blur(shape, kernel=np.arange(15).reshape(3, 5), padding=padding)
        units = np.eye(12, dtype=np.float32).reshape(12, *shape)
        forward = np.stack([B(unit).ravel() for unit in units], axis=1)
        adjoint = np.stack([B.T(unit).ravel() for unit in units], axis=1)
        assert np.array_equal(forward.T, adjoint)


def test_it_is_an_operator_and_leaves_its_input_alone():
    x = views()
    kept = x.copy()
    B = Blur(x.shape, sigma_px=1)
    assert isinstance(B, LinearOperator)
    assert B.T.T is B
    assert B(x).dtype == B.T(x).dtype == B.dtype == np.float32
    assert B(x.astype(np.float64)).dtype == np.float32
    assert np.array_equal(x, kept)


@pytest.mark.parametrize("padding", MODES)
def test_tensors(padding):
    torch = pytest.importorskip("torch")
    x = views()
    for options in (dict(sigma_px=[0.5, 1, 2]), dict(sigma_px=1.3), dict(kernel=np.arange(15).reshape(3, 5) / 60)):
        B = Blur(x.shape, padding=padding, **options)
        batch = torch.from_numpy(np.stack([x, 2 * x]))
        assert np.allclose(B(batch)[1].numpy(), 2 * B(x), atol=1e-5)
        assert np.allclose(B.T(batch)[1].numpy(), 2 * B.T(x), atol=1e-5)
        assert check_adjoint(B, device="cpu") <= 1e-6
    small = Blur((2, 3, 4), sigma_px=1, padding=padding)
    values = torch.rand(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(small, values)
    assert torch.autograd.gradgradcheck(small, values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(), "exactly one of sigma_px, fwhm_nm and kernel"),
        (dict(sigma_px=1, fwhm_nm=40), "exactly one"),
        (dict(fwhm_nm=40), "pixel_size_nm is None"),
        (dict(sigma_px=-1), "negative or non-finite"),
        (dict(sigma_px=np.nan), "negative or non-finite"),
        (dict(sigma_px=[1, 2]), r"sigma_px has shape \(2,\), expected a number or one for each of 3 views"),
        (dict(sigma_px=1, padding="reflect"), "padding is 'reflect', expected one of: edge, zero"),
        (dict(sigma_px=1, truncate=0), "truncate is 0"),
        (dict(kernel=np.ones((2, 3))), r"kernel has shape \(2, 3\)"),
        (dict(kernel=np.ones((2, 3, 3))), r"kernel has shape \(2, 3, 3\)"),
        (dict(kernel=[[np.inf]]), "kernel holds NaN or infinity"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        Blur((3, 9, 14), **options)


def test_bad_arrays():
    with pytest.raises(InputError, match="shape is"):
        Blur((3, 9), sigma_px=1)
    B = Blur((3, 9, 14), sigma_px=1)
    with pytest.raises(InputError, match=r"projections has shape \(9, 14\), expected \(3, 9, 14\)"):
        B(np.zeros((9, 14)))
    with pytest.raises(InputError, match="indices run from 0 to 3, expected views of 3"):
        B.views([0, 3])
