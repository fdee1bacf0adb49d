"""The torch-radon adapter, with modules that have the signatures of its two forms."""

import sys

import numpy as np
import pytest
from backends import beam, relative

from sxtbench.errors import InputError
from sxtbench.operators import check_adjoint

torch = pytest.importorskip("torch")
from fake_torch_radon import version_1, version_2  # noqa: E402

from sxtbench.operators import _torch_radon  # noqa: E402

FORMS = {"1": version_1, "2": version_2, "fork": lambda: version_2(with_size=False)}
SQUARE = dict(columns=40, slices=2, shape=(2, 32, 32), angles=[-60, -20, 0, 30, 75])


@pytest.fixture(params=FORMS.values(), ids=FORMS.keys())
def library(request, monkeypatch):
    monkeypatch.setattr(_torch_radon, "cuda_device", lambda: torch.device("cpu"))
    module = request.param()
    monkeypatch.setitem(sys.modules, "torch_radon", module)
    return module


def blob(shape):
    """A smooth picture off the centre, so that every flip and sign is seen."""
    _, y, x = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")
    scale = np.arange(1, shape[0] + 1)[:, None, None]
    return (scale * np.exp(-((x - 5) ** 2 + (y + 3) ** 2) / 18)).astype(np.float32)


@pytest.mark.parametrize("case", [{}, dict(columns=30, voxel_size_nm=14.0, slices=1, shape=(1, 32, 32))])
def test_near_numba(library, case):
    A, B = beam(**SQUARE | case), beam("torch-radon", **SQUARE | case)
    x = blob(A.domain_shape)
    assert relative(B(x), A(x)) < 0.02
    # Its backprojection is pixel-driven, like ours, but scaled as an adjoint: a ray's length, shared by its voxels.
    voxel = A.voxel_size_nm
    assert relative(B.T(A(x)), A.backproject(A(x)) * voxel / 1000 * voxel / A.geometry.pixel_size_nm) < 0.03
    assert B(x).dtype == B.T(A(x)).dtype == np.float32


def test_the_adjoint_is_marked_inexact(library):
    B = beam("torch-radon", **SQUARE)
    assert not B.exact_adjoint
    assert not B.T.exact_adjoint
    assert 1e-6 < check_adjoint(B) < 0.05


def test_tensors_and_gradients(library):
    B = beam("torch-radon", **SQUARE)
    x = torch.from_numpy(np.stack([blob(B.domain_shape)] * 3)).requires_grad_()
    y = B(x)
    assert y.shape == (3, 5, 2, 40)
    assert np.allclose(y[2].detach().numpy(), B(blob(B.domain_shape)), atol=1e-6)
    y.sum().backward()
    assert np.allclose(x.grad[1].numpy(), B.T(np.ones(B.range_shape)), rtol=1e-5)
    assert B(x.detach().double()).dtype == torch.float64


def test_views(library):
    B = beam("torch-radon", **SQUARE)
    x = blob(B.domain_shape)
    assert np.allclose(B.views([4, 0])(x), B(x)[[4, 0]], atol=1e-6)


def test_non_square_slices(library):
    case = SQUARE | dict(shape=(2, 24, 36))
    if hasattr(library, "Radon"):
        with pytest.raises(InputError, match="slices of 24 x 36 voxels do not go with torch-radon 1"):
            beam("torch-radon", **case)
    else:
        A = beam(**case)
        x = blob(A.domain_shape)
        assert relative(beam("torch-radon", **case)(x), A(x)) < 0.02


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (dict(column_offset_px=0.5), "no detector offset and no origin, expected zeros, or backend 'torch'"),
        (dict(slice_offset_px=[0, 0, 1, 0, 0]), "no detector offset"),
        (dict(origin_nm=(0, 10, 0)), "no detector offset and no origin"),
        (dict(slices=3), "got 2 slices of 20.0 nm for 3 rows of 20.0 nm"),
        (dict(voxel_size_nm=10.0), "got 2 slices of 10.0 nm for 2 rows of 20.0 nm"),
    ],
)
def test_what_it_cannot_is_refused(library, case, message):
    with pytest.raises(InputError, match=message):
        beam("torch-radon", **SQUARE | case)


def test_version_1_wants_a_multiple_of_16(monkeypatch):
    monkeypatch.setattr(_torch_radon, "cuda_device", lambda: torch.device("cpu"))
    monkeypatch.setitem(sys.modules, "torch_radon", version_1())
    with pytest.raises(InputError, match=r"slices of 30 x 30 voxels .* squares of a multiple of 16"):
        beam("torch-radon", **SQUARE | dict(shape=(2, 30, 30)))


def test_no_pixel_driven_backprojection(library):
    B = beam("torch-radon", **SQUARE)
    with pytest.raises(InputError, match="backend 'torch-radon' has no pixel-driven backprojection"):
        B.backproject(np.zeros(B.range_shape))


def test_another_library(library, monkeypatch):
    class Flipped:
        """Sees everything mirrored."""

        def __init__(self, det_count, angles, det_spacing=1.0, volume=None):
            self.inner = version_2().ParallelBeam(det_count, angles, det_spacing, volume)

        def forward(self, x):
            return self.inner.forward(x).flip(-1)

        def backward(self, y):
            return self.inner.backward(y.flip(-1).contiguous())

    module = version_2()
    module.ParallelBeam = Flipped
    monkeypatch.setitem(sys.modules, "torch_radon", module)
    with pytest.raises(InputError, match="this version is not known"):
        beam("torch-radon", **SQUARE)
    monkeypatch.setitem(sys.modules, "torch_radon", type(sys)("torch_radon"))
    with pytest.raises(InputError, match="neither a class ParallelBeam nor Radon"):
        beam("torch-radon", **SQUARE)


def test_not_installed_and_no_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_radon", None)
    with pytest.raises(InputError, match=r"needs torch_radon, .*github.com/matteo-ronchetti/torch-radon"):
        beam("torch-radon", **SQUARE)
    monkeypatch.setitem(sys.modules, "torch_radon", version_2())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch finds no CUDA device: expected backend 'torch'"):
        beam("torch-radon", **SQUARE)


@pytest.mark.gpu
def test_for_real():
    pytest.importorskip("torch_radon")
    A, B = beam(**SQUARE), beam("torch-radon", **SQUARE)
    x = blob(A.domain_shape)
    assert relative(B(x), A(x)) < 0.05
    assert relative(B.T(A(x)), A.T(A(x))) < 0.05
