"""The torch backend against numba, its transpose, its gradients, and batches."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from backends import CASES, beam, pair, relative

from sxtbench.errors import InputError
from sxtbench.operators import LinearOperator, check_adjoint

torch = pytest.importorskip("torch")
SMALL = dict(columns=9, slices=3, shape=(4, 6, 7), angles=[-50, 0, 20, 77], column_offset_px=0.3, slice_offset_px=0.2)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_equal_to_numba(case):
    A, B = beam(**case), beam("torch", **case)
    x, y = pair(A)
    weights = np.random.default_rng(1).random(len(y))
    for made, expected in (
        (B(x), A(x)),
        (B.T(y), A.T(y)),
        (B.backproject(y), A.backproject(y)),
        (B.backproject(y, weights), A.backproject(y, weights)),
    ):
        assert isinstance(made, np.ndarray)
        assert made.dtype == np.float32
        assert made.flags.c_contiguous
        assert relative(made, expected) < 1e-6


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_adjoint(case):
    B = beam("torch", **case)
    assert B.exact_adjoint
    assert check_adjoint(B) <= 1e-6
    assert check_adjoint(B, device="cpu") <= 1e-6
    x, y = (torch.from_numpy(array).double() for array in pair(B))
    left, right = float((B(x) * y).sum()), float((x * B.T(y)).sum())
    assert abs(left - right) < 1e-13 * abs(left)  # exact in the type it is computed in


def test_many_terms_are_not_kept_and_change_nothing(monkeypatch):
    """In small pieces, kept or not, the sums are the same, bit by bit."""
    from sxtbench.operators import _torch

    case = CASES["offsets"]
    x, y = pair(beam("torch", **case))

    def results(B):
        return [B(x), B.T(y), B.backproject(y), B(x)]

    kept = results(beam("torch", **case))
    monkeypatch.setattr(_torch, "_TERMS_AT_ONCE", 100)
    pieces = results(beam("torch", **case))
    monkeypatch.setattr(_torch, "_TERMS_KEPT", 0)
    B = beam("torch", **case)
    for one, two, three in zip(kept, pieces, results(B), strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, three)
    assert not B._engine._kept


def test_tensors_keep_their_type_and_batches_their_axes():
    B = beam("torch", **SMALL)
    x, y = pair(B)
    for dtype in (torch.float32, torch.float64):
        volumes = torch.from_numpy(x).to(dtype) * torch.arange(1, 7, dtype=dtype).reshape(2, 3, 1, 1, 1)
        views = B(volumes)
        assert views.shape == (2, 3, 4, 3, 9)
        assert views.dtype == dtype
        assert np.allclose(views[1, 2].numpy(), 6 * B(x), rtol=1e-5)
        back = B.T(torch.from_numpy(y).to(dtype).expand(2, 5, *y.shape))
        assert back.shape == (2, 5, 4, 6, 7)
        assert np.allclose(back[1, 3].numpy(), B.T(y), rtol=1e-5)
        assert np.allclose(B.backproject(torch.from_numpy(y).to(dtype)).numpy(), B.backproject(y), rtol=1e-5)
    assert B(torch.zeros(0, 4, 6, 7)).shape == (0, 4, 3, 9)


def test_gradients():
    B = beam("torch", **SMALL)
    x = torch.rand(2, 4, 6, 7, dtype=torch.float64, requires_grad=True)
    y = torch.rand(4, 3, 9, dtype=torch.float64, requires_grad=True)
    for function, value in ((B, x), (B.T, y)):
        assert torch.autograd.gradcheck(function, value)
        assert torch.autograd.gradgradcheck(function, value, fast_mode=True)
    assert torch.autograd.gradcheck(B.backproject, y)
    leaf = torch.from_numpy(pair(B)[0]).requires_grad_()
    B(leaf).sum().backward()
    assert np.allclose(leaf.grad.numpy(), B.T(np.ones(B.range_shape)), rtol=1e-6)


def test_results_repeat():
    B = beam("torch", **CASES["plain"])
    x, y = pair(B)
    assert np.array_equal(B(x), B(x))
    assert np.array_equal(B.T(y), B.T(y))


def test_it_is_an_operator_with_views():
    A, B = beam(**CASES["offsets"]), beam("torch", **CASES["offsets"])
    x, _ = pair(A)
    assert isinstance(B, LinearOperator)
    assert B.T.T is B
    some = B.views([7, 0, 3])
    assert some.backend == "torch"
    assert relative(some(x), A(x)[[7, 0, 3]]) < 1e-6
    B(x)
    again = pickle.loads(pickle.dumps(B))
    assert np.array_equal(again(x), B(x))


def test_solvers_take_it():
    from sxtbench.reconstruction import cgne

    A, B = beam(**CASES["plain"]), beam("torch", **CASES["plain"])
    y = A(pair(A)[0])
    assert relative(cgne(B, y, iterations=5), cgne(A, y, iterations=5)) < 1e-4


def test_bad_input():
    B = beam("torch", **SMALL)
    with pytest.raises(
        InputError, match=r"volume has shape \(6, 7\), expected \(4, 6, 7\), \(z, y, x\), with any axes"
    ):
        B(torch.zeros(6, 7))
    with pytest.raises(InputError, match=r"dtype torch.float16, expected torch.float32 or torch.float64"):
        B(torch.zeros(4, 6, 7, dtype=torch.float16))
    with pytest.raises(InputError, match=r"projections has shape .* expected \(4, 3, 9\)"):
        B.T(torch.zeros(4, 6, 7))
    with pytest.raises(InputError, match=r"a torch tensor, but backend 'numba' computes numpy arrays: .*autograd"):
        beam(**SMALL)(torch.zeros(4, 6, 7))
    with pytest.raises(InputError, match="device is 'tpu', expected one of: cpu, cuda"):
        beam("torch", "tpu", **SMALL)
    with pytest.raises(InputError, match="device is 'cuda', but backend 'numba' runs on the CPU"):
        beam("numba", "cuda", **SMALL)


def test_cuda_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device is 'cuda', but torch finds no CUDA device: expected 'cpu'"):
        beam("torch", "cuda", **SMALL)


def test_torch_not_installed():
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from sxtbench.geometry import ParallelGeometry\n"
        "from sxtbench.operators import ParallelBeam\n"
        "g = ParallelGeometry(angles_deg=[0], columns=8, slices=1, pixel_size_nm=1000)\n"
        "ParallelBeam(g, (1, 8, 8)).T\n"
        "try: ParallelBeam(g, (1, 8, 8), backend='torch')\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "backend 'torch' needs torch, which is not installed: pip install \"sxtbench[learn]\"\n"


def test_torch_is_loaded_only_when_it_is_chosen():
    code = (
        "import sys, numpy as np\n"
        "from sxtbench.geometry import ParallelGeometry\n"
        "from sxtbench.operators import ParallelBeam, Blur\n"
        "g = ParallelGeometry(angles_deg=[0], columns=8, slices=1, pixel_size_nm=1000)\n"
        "(Blur(g.shape, sigma_px=1) @ ParallelBeam(g, (1, 8, 8)))(np.ones((1, 8, 8)))\n"
        "print('torch' in sys.modules, 'astra' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_on_a_gpu(case):
    A, B = beam(**case), beam("torch", "cuda", **case)
    x, y = pair(A)
    assert relative(B(x), A(x)) < 1e-6
    assert relative(B.T(y), A.T(y)) < 1e-6
    assert relative(B.backproject(y), A.backproject(y)) < 1e-6
    on_gpu = B(torch.from_numpy(x).cuda())
    assert on_gpu.is_cuda
    assert torch.equal(on_gpu, B(torch.from_numpy(x).cuda()))
    assert check_adjoint(B, device="cuda") <= 1e-6
