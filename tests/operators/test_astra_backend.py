"""The astra backend against numba, and what it must never do."""

import subprocess
import sys

import numpy as np
import pytest
from backends import ANGLES, CASES, beam, pair, relative

from sxtbench.errors import InputError
from sxtbench.geometry import ParallelGeometry
from sxtbench.operators import check_adjoint

PLAIN = CASES["plain"]


def test_astra_not_installed():
    code = (
        "import sys\n"
        "sys.modules['astra'] = None\n"
        "from sxtbench.geometry import ParallelGeometry\n"
        "from sxtbench.operators import ParallelBeam\n"
        "g = ParallelGeometry(angles_deg=[0], columns=8, slices=1, pixel_size_nm=1000)\n"
        "try: ParallelBeam(g, (1, 8, 8), backend='astra')\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "backend 'astra' needs astra, which is not installed: pip install \"sxtbench[astra]\"\n"


class TestAstra:
    """Where ASTRA is installed."""

    @pytest.fixture(autouse=True)
    def astra(self):
        return pytest.importorskip("astra")

    @pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
    def test_equal_to_numba(self, case):
        A, B = beam(**case), beam("astra", **case)
        x, y = pair(A)
        assert B(x).dtype == B.T(y).dtype == np.float32
        assert relative(B(x), A(x)) < 3e-6
        assert relative(B.T(y), A.T(y)) < 3e-6

    @pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
    def test_adjoint(self, case):
        B = beam("astra", **case)
        assert B.exact_adjoint
        assert check_adjoint(B) <= 1e-6

    def test_views_and_solvers(self):
        from sxtbench.reconstruction import cgne

        A, B = beam(**PLAIN), beam("astra", **PLAIN)
        x, _ = pair(A)
        assert relative(B.views([3, 1])(x), A(x)[[3, 1]]) < 3e-6
        assert relative(cgne(B, A(x), iterations=5), cgne(A, A(x), iterations=5)) < 1e-3

    def test_nothing_is_left_in_astra(self, astra):
        B = beam("astra", **PLAIN)
        x, y = pair(B)
        B(x)
        B.T(y)
        before = astra.data2d.create("-vol", astra.create_vol_geom(4, 4))
        B(x)
        B.T(y)
        after = astra.data2d.create("-vol", astra.create_vol_geom(4, 4))
        for left in range(before + 1, after):
            with pytest.raises(Exception, match="not"):
                astra.data2d.get(left)
        astra.data2d.delete([before, after])

    def test_vectors_are_astras_own(self, astra):
        """ASTRA turns its angles into vectors itself: its 2-D angles run the other way."""
        from sxtbench.operators._astra import vectors_2d, vectors_3d

        g = ParallelGeometry(angles_deg=ANGLES, columns=40, slices=5, pixel_size_nm=30.0)
        theta = np.deg2rad(ANGLES)
        plane = astra.geom_2vec(astra.create_proj_geom("parallel", 1.5, 40, -theta))["Vectors"]
        assert np.allclose(vectors_2d(g, 20.0, (0, 0, 0)), plane, atol=1e-12)
        space = astra.geom_2vec(astra.create_proj_geom("parallel3d", 1.5, 1.5, 5, 40, theta))["Vectors"]
        assert np.allclose(vectors_3d(g, 20.0, (0, 0, 0)), space, atol=1e-12)

    def test_3d_vectors_move_with_offsets(self, astra):
        """ASTRA shifts its detector (post-alignment) in its own pixels; the origin moves the detector back."""
        from sxtbench.operators._astra import vectors_3d

        du, dz = np.linspace(-3, 4, len(ANGLES)), np.linspace(1, -2, len(ANGLES))
        g = ParallelGeometry(
            angles_deg=ANGLES, columns=40, slices=5, pixel_size_nm=20.0, column_offset_px=du, slice_offset_px=dz
        )
        plain = astra.create_proj_geom("parallel3d", 1.0, 1.0, 5, 40, np.deg2rad(ANGLES))
        for i, one in enumerate(vectors_3d(g, 20.0, (0, 0, 0))):
            aligned = astra.geom_postalignment(plain, (du[i], dz[i]))
            assert np.allclose(one, aligned["Vectors"][i], atol=1e-12)
        back = vectors_3d(g, 20.0, (60.0, 40.0, -100.0)) - vectors_3d(g, 20.0, (0, 0, 0))
        theta = np.deg2rad(ANGLES)
        shift = -5 * np.cos(theta) + 2 * np.sin(theta)
        assert np.allclose(back[:, 3:6], -np.stack([shift * np.cos(theta), shift * np.sin(theta), 0 * theta + 3], 1))

    def test_cuda_without_a_gpu_is_refused_before_astra_is_asked(self, astra, monkeypatch):
        """ASTRA ends the process when a CUDA projector is made without a GPU."""
        monkeypatch.setattr(astra, "use_cuda", lambda: False)
        for name in ("create_projector", "create_vol_geom", "create_proj_geom"):
            monkeypatch.setattr(astra, name, lambda *_: pytest.fail("ASTRA was asked for a projector"))
        with pytest.raises(InputError, match="device is 'cuda', but astra finds no CUDA device: expected device 'cpu'"):
            beam("astra", "cuda", **PLAIN)

    def test_bad_input(self):
        B = beam("astra", **PLAIN)
        with pytest.raises(InputError, match="backend 'astra' has no pixel-driven backprojection"):
            B.backproject(np.zeros(B.range_shape))
        with pytest.raises(InputError, match=r"volume has shape \(30, 30\), expected \(3, 30, 30\)"):
            B(np.zeros((30, 30)))

    @pytest.mark.gpu
    @pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
    def test_on_a_gpu(self, case):
        """ASTRA samples smooth volumes alike; it is its own discretisation, so the tolerance is one of physics."""
        A, B = beam(**case), beam("astra", "cuda", **case)
        axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in A.domain_shape], indexing="ij")
        x = np.exp(-4 * sum(axis**2 for axis in axes)).astype(np.float32)
        assert not B.exact_adjoint
        assert relative(B(x), A(x)) < 0.02
        assert relative(B.T(A(x)), A.T(A(x))) < 0.05
