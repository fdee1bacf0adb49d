"""Total variation: the minimum against independent oracles, the order of solvers, weights."""

import numpy as np
import pytest
from problems import Dense, limited_angle, psnr

from sxtbench.errors import InputError
from sxtbench.operators import Stack
from sxtbench.reconstruction import cgne, fbp, poisson_weights, sirt, tv
from sxtbench.reconstruction._gradient import ascend, descend
from sxtbench.reconstruction.tv import operator_norm


class Identity:
    """Denoising."""

    dtype = np.dtype(np.float32)

    def __init__(self, shape):
        self.domain_shape = self.range_shape = shape

    def __call__(self, x):
        return np.array(x, np.float32)

    @property
    def T(self):
        return self


def gradient(x):
    parts = np.zeros((3, *x.shape))
    parts[0, :-1] = np.diff(x, axis=0)
    parts[1, :, :-1] = np.diff(x, axis=1)
    parts[2, :, :, :-1] = np.diff(x, axis=2)
    return parts


def objective(A, x, y, weight, data_weights=1.0):
    residual = A(x).astype(np.float64) - y
    return 0.5 * float(np.sum(data_weights * residual**2)) + weight * float(
        np.sqrt((gradient(x.astype(np.float64)) ** 2).sum(0)).sum()
    )


def test_the_kernels_are_gradient_and_its_adjoint():
    rng = np.random.default_rng(0)
    x = rng.random((4, 5, 6)).astype(np.float32)
    dual = np.zeros((3, 4, 5, 6), np.float32)
    for begin, end in ((0, 3), (3, 4)):
        ascend(dual, x, 1.0, 1e9, begin, end)
    np.testing.assert_allclose(dual, gradient(x), atol=1e-6)
    p = rng.standard_normal((3, 4, 5, 6)).astype(np.float32)
    out, ahead = np.zeros_like(x), np.zeros_like(x)
    descend(out, ahead, np.zeros_like(x), p, 1.0, -np.inf, np.inf, 0, 4)  # x' = divergence(p) = -gradient^T p
    assert float((out * x).sum()) == pytest.approx(-float((gradient(x) * p).sum()), rel=1e-4)
    np.testing.assert_allclose(ahead, 2 * out, atol=1e-5)


def test_denoising_equals_scikit_image():
    """`denoise_tv_chambolle` minimises |x - y|^2 / (2 weight) + TV by another algorithm."""
    from skimage.restoration import denoise_tv_chambolle

    rng = np.random.default_rng(1)
    y = np.kron(rng.random((2, 3, 3)), np.ones((4, 5, 5))) + rng.normal(0, 0.1, (8, 15, 15))
    expected = denoise_tv_chambolle(y, weight=0.15, eps=1e-9, max_num_iter=2000)
    A = Identity(y.shape)
    found = tv(A, y, 1000, weight=0.15, bounds=None)
    assert np.abs(found - expected).max() < 0.02
    assert objective(A, found, y, 0.15) <= objective(A, expected, y, 0.15) * (1 + 1e-5)


def test_the_objective_falls_to_its_limit():
    A, _, y, counts = limited_angle()
    weights = np.maximum(counts, 1)
    values = []
    tv(
        A, y, 400, weight=2.0, data_weights=weights,
        callback=lambda i, x: values.append(objective(A, x, y, 2.0, weights)) if i in (50, 100, 200, 400) else None,
    )  # fmt: skip
    assert values[0] > values[1] > values[2] > values[3]
    assert values[2] - values[3] < 0.02 * values[3]


def test_solvers_stand_in_the_expected_order():
    """On noisy limited-angle data: FBP, then SIRT and CGNE, then TV; each with constants that suit it."""
    A, truth, y, _ = limited_angle()
    scores = {
        "fbp": psnr(fbp(y, A.geometry, A.volume_shape, filter="hamming"), truth),
        "cgne": psnr(cgne(A, y, 10), truth),
        "sirt": psnr(sirt(A, y, 60, bounds=(0, None)), truth),
        "tv": psnr(tv(A, y, 200, weight=4.0, data_weights=poisson_weights(y, np.full(len(y), 800.0))), truth),
    }
    assert scores["fbp"] + 1 < min(scores["cgne"], scores["sirt"]), scores
    assert max(scores["cgne"], scores["sirt"]) + 2 < scores["tv"], scores


def test_a_stack_is_one_operator_and_weights_act_on_its_blocks():
    A, _, y, counts = limited_angle()
    stack = Stack([A.views(range(15)), A.views(range(15, 41))])
    one = tv(A, y, 20, weight=2.0, data_weights=counts)
    two = tv(stack, [y[:15], y[15:]], 20, weight=2.0, data_weights=[counts[:15], counts[15:]])
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_views_of_no_weight_do_not_act():
    A, _, y, counts = limited_angle()
    weights = counts.copy()
    weights[7] = 0
    spoiled = y.copy()
    spoiled[7] = 5
    kwargs = {"weight": 2.0, "data_weights": weights}
    np.testing.assert_array_equal(tv(A, y, 15, **kwargs), tv(A, spoiled, 15, **kwargs))


def test_no_weight_of_variation_is_bounded_least_squares():
    M = np.abs(np.random.default_rng(5).standard_normal((30, 8)))

    class Line(Dense):
        def __init__(self, matrix, volume_in=True):
            super().__init__(matrix)
            self.volume_in = volume_in
            if volume_in:
                self.domain_shape = (1, 1, 8)
            else:
                self.range_shape = (1, 1, 8)

        def __call__(self, x):
            return super().__call__(np.ravel(x)).reshape(self.range_shape)

        @property
        def T(self):
            return Line(self.matrix.T, not self.volume_in)

    from scipy.optimize import nnls

    y = M @ np.random.default_rng(6).standard_normal(8)
    found = tv(Line(M), y, 5000, weight=0.0)
    np.testing.assert_allclose(found[0, 0], nnls(M, y)[0], atol=2e-3)


def test_the_norm_is_the_greatest_singular_value():
    M = np.random.default_rng(7).random((9, 5))
    assert operator_norm(Dense(M), np.zeros(5)) == pytest.approx(np.linalg.norm(M, 2), rel=1e-4)
    assert operator_norm(Dense(np.zeros((3, 2))), np.zeros(2)) == 0


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"weight": -1.0}, "weight is -1.0"),
        ({"weight": float("nan")}, "weight is nan"),
        ({"weight": 1.0, "iterations": -2}, "iterations is -2"),
        ({"weight": 1.0, "bounds": (1.0, 0.0)}, "bounds are"),
        ({"weight": 1.0, "data_weights": np.ones((2, 2, 2))}, "data_weights has shape"),
        ({"weight": 1.0, "data_weights": np.full((41, 6, 48), -1.0)}, "data_weights hold negative"),
    ],
)
def test_bad_parameters(kwargs, said):
    A, _, y, _ = limited_angle()
    with pytest.raises(InputError, match=said):
        tv(A, y, **kwargs)


def test_a_domain_that_is_no_volume():
    with pytest.raises(InputError, match="tv needs a volume"):
        tv(Dense(np.ones((3, 2))), np.ones(3), weight=1.0)
