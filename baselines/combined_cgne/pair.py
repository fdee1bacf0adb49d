"""Iterative reconstruction of a region from an interior scan, a sparse full-field scan, or both."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sxtbench.benchmark.constants import constants_for
from sxtbench.operators import Stack
from sxtbench.reconstruction import cgne, poisson_weights, scan_operator, sirt, tv, weighted

SOLVERS = {"cgne": cgne, "sirt": sirt, "tv": tv}


class Pair:
    """Solve on the whole field, on voxels as large as the interior scan's pixels.

    Parameters
    ----------
    name : str
        Of the method.
    solver : str
        A key of `SOLVERS`.
    tiers : dict of dict
        Keyword arguments of the solver by tier and level, found by `sxtbench tune` on validation. With
        `coarse_iterations` it starts from CGNE on the sparse full-field scan alone.
    scans : list of str
        Which of `interior` and `full` are used.
    lenses_nm : dict of float, optional
        Outermost zone width of each scan's lens: the solver deconvolves a Gaussian of that width. None: it does not.
    photon_weights : bool
        Whether data count by their photons (inverse variance of the absorbance) or all alike.
    """

    def __init__(
        self,
        name: str,
        solver: str,
        tiers: dict[str, dict[str, Any]],
        scans: list[str],
        lenses_nm: dict[str, float] | None = None,
        photon_weights: bool = False,
    ) -> None:
        self.name, self.solver, self.tiers, self.scans = name, solver, tiers, scans
        self.lenses_nm, self.photon_weights = lenses_nm or {}, photon_weights

    def predict(self, sample: Any) -> NDArray[np.float32]:
        """Return the LAC of the whole field, shape (z, y, x), 1/um."""
        series = [sample.series[name] for name in self.scans]
        A = Stack(
            [
                scan_operator(
                    one.geometry, sample.shape, sample.voxel_size_nm, blur_nm=self.lenses_nm.get(name), name=name
                )
                for name, one in zip(self.scans, series, strict=True)
            ]
        )
        y = [one.projections for one in series]
        options = constants_for(self.tiers, sample)
        if "coarse_iterations" in options:
            full = sample.series["full"]
            coarse = scan_operator(full.geometry, sample.shape, sample.voxel_size_nm, name="full")
            options["x0"] = cgne(coarse, full.projections, iterations=options.pop("coarse_iterations"))
        if self.photon_weights:
            weights = [poisson_weights(one.projections, one.incident_photons) for one in series]
            if self.solver == "tv":
                options["data_weights"] = weights
            else:
                return SOLVERS[self.solver](*weighted(A, y, weights), **options)
        return SOLVERS[self.solver](A, y, **options)
