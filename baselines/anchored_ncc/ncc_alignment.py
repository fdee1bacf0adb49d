"""Alignment by normalised cross-correlation: of all views with anchors and neighbours, or with neighbours alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.reconstruction.alignment import align


class NccAlignment:
    """Equation 14 of the interior-tomography paper, as `sxtbench.reconstruction.alignment.align` solves it.

    Parameters
    ----------
    name : str
        Of the method.
    anchored : bool
        Whether the full-field views are looked at.
    tiers : dict of dict
        Keyword arguments of `align` by tier and level, found by `sxtbench tune` on validation.
    """

    def __init__(self, name: str, anchored: bool, tiers: dict[str, dict[str, Any]]) -> None:
        self.name, self.anchored, self.tiers = name, anchored, tiers

    def predict(self, sample: Any) -> NDArray[np.float64]:
        """Return the shift (dz, du) to apply to each interior view, shape (n, 2), interior pixels."""
        interior, full = sample.series["interior"], sample.series["full"]
        constants = constants_for(self.tiers, sample)
        if not self.anchored:
            return align(interior.projections, interior.angles_deg, **constants)
        return align(
            interior.projections,
            interior.angles_deg,
            full.projections,
            full.angles_deg,
            pixel_ratio=full.pixel_size_nm / interior.pixel_size_nm,
            column_offset_px=interior.geometry.column_offset_px,
            **constants,
        )
