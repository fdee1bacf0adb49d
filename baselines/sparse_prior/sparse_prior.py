"""The sparse full-field scan as a prior: it fills what the interior scan's detector did not see."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.reconstruction import cgne, fbp_interior, scan_operator


class SparsePrior:
    """Reconstruct the sparse scan, reproject it beside the interior views, and backproject those.

    Parameters
    ----------
    tiers : dict of dict
        `iterations` of the sparse reconstruction and `filter` by tier and level, found by `sxtbench tune`.
    """

    name = "sparse-prior"

    def __init__(self, tiers: dict[str, dict[str, Any]]) -> None:
        self.tiers = tiers

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the LAC, shape (z, y, x), 1/um."""
        interior, full = sample.series["interior"], sample.series["full"]
        constants = constants_for(self.tiers, sample)
        A = scan_operator(full.geometry, sample.shape, sample.voxel_size_nm, name="full")
        coarse = cgne(A, full.projections, iterations=constants["iterations"])
        return fbp_interior(
            interior.projections,
            interior.geometry,
            sample.shape,
            sample.voxel_size_nm,
            beyond=coarse,
            filter=constants["filter"],
        )
