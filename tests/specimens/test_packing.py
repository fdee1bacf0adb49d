import numpy as np
import pytest

from sxtbench.specimens.packing import apollonian_fragments, pack_discs


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_discs_do_not_overlap_and_lie_close(n: int) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        radii = rng.uniform(1.7, 2.5, n)
        centres = pack_discs(radii, np.random.default_rng(seed))
        assert np.array_equal(centres, pack_discs(radii, np.random.default_rng(seed)))
        distance = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2)) - radii[:, None] - radii[None]
        np.fill_diagonal(distance, np.inf)
        assert distance.min() >= 0.0
        if n > 1:
            assert distance.min(axis=1).max() < 0.05  # each has a neighbour at its side
            assert np.abs(centres).max() < 1.1 * radii.sum()
        else:
            assert np.array_equal(centres, np.zeros((1, 2)))


def test_fragments_are_tangent_disjoint_and_fill_the_unit_sphere() -> None:
    for seed in range(20):
        centres, radii = apollonian_fragments(np.random.default_rng(seed))
        assert radii.min() > 0
        assert (np.sqrt((centres**2).sum(axis=1)) + radii).max() == pytest.approx(1.0)
        gap = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2)) - radii[:, None] - radii[None]
        np.fill_diagonal(gap, np.inf)
        assert gap.min() == pytest.approx(0.0, abs=1e-9)
        assert (np.abs(gap) < 1e-9).sum() // 2 == 6 + 4 * 3 + 4  # the four, the outer four, the middle one
        assert 0.33 < (radii**3).sum() < 0.6
        assert radii[:4].std() > 0.005
