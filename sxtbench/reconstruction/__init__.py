"""Reconstruction: from projections to a volume of LAC."""

from sxtbench.reconstruction._loop import Interrupted
from sxtbench.reconstruction.alignment import align
from sxtbench.reconstruction.cgne import cgne
from sxtbench.reconstruction.extended import extended
from sxtbench.reconstruction.fbp import fbp, view_weights
from sxtbench.reconstruction.interior import fbp_interior, pair_operator, scan_operator, weighted
from sxtbench.reconstruction.null_space import null_component
from sxtbench.reconstruction.sirt import sart, sirt
from sxtbench.reconstruction.tv import tv
from sxtbench.reconstruction.weights import noise_norm, poisson_weights

__all__ = [
    "Interrupted",
    "align",
    "cgne",
    "extended",
    "fbp",
    "fbp_interior",
    "noise_norm",
    "null_component",
    "pair_operator",
    "poisson_weights",
    "sart",
    "scan_operator",
    "sirt",
    "tv",
    "view_weights",
    "weighted",
]
