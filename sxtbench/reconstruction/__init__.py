"""Reconstruction: from projections to a volume of LAC."""

from sxtbench.reconstruction._loop import Interrupted
from sxtbench.reconstruction.cgne import cgne
from sxtbench.reconstruction.extended import extended
from sxtbench.reconstruction.fbp import fbp, view_weights
from sxtbench.reconstruction.sirt import sart, sirt
from sxtbench.reconstruction.tv import tv
from sxtbench.reconstruction.weights import noise_norm, poisson_weights

__all__ = [
    "Interrupted",
    "cgne",
    "extended",
    "fbp",
    "noise_norm",
    "poisson_weights",
    "sart",
    "sirt",
    "tv",
    "view_weights",
]
