"""Reconstruction: from projections to a volume of LAC."""

from sxtbench.reconstruction.cgne import cgne
from sxtbench.reconstruction.fbp import fbp, view_weights

__all__ = ["cgne", "fbp", "view_weights"]
