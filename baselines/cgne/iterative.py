"""Iterative reconstruction of a flat-grid tilt series: the solvers of sxtbench on a grid that holds the ice."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.reconstruction import cgne, extended, poisson_weights, sart, sirt, tv

SOLVERS = {"cgne": cgne, "sart": sart, "sirt": sirt, "tv": tv}


class Iterative:
    """Solve on a grid wider than the answer and as deep as the ice, then take the answer's part.

    Parameters
    ----------
    name : str
        Of the method.
    tiers : dict of dict
        Keyword arguments of `extended` and of the solver by tier and level, found by `sxtbench tune` on validation.
        `systematic_sd`, where it is given, stands for data weights from the photons.
    solver : str, optional
        A key of `SOLVERS`; the method's name where left out.
    """

    def __init__(self, name: str, tiers: dict[str, dict[str, Any]], solver: str | None = None) -> None:
        self.name, self.tiers, self.solver = name, tiers, solver or name

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the LAC, shape (z, y, x), 1/um."""
        series = sample.tilt_series
        options = constants_for(self.tiers, sample)
        if "systematic_sd" in options:
            options["data_weights"] = poisson_weights(
                series.projections, series.incident_photons, systematic_sd=options.pop("systematic_sd")
            )
        return extended(SOLVERS[self.solver], series.projections, series.geometry, sample.shape, **options)
