"""Filters that make contrast visible: Paganin's in its forms, unsharp masking, and how to choose their strength."""

from sxtbench.enhancement.choice import NoiseBands, length_by_noise, noise_bands
from sxtbench.enhancement.materials import Material, material
from sxtbench.enhancement.phase import (
    paganin,
    paganin_absorbance,
    paganin_length_nm,
    paganin_transfer,
    paganin_volume,
)
from sxtbench.enhancement.response import Chain, transfer_figure
from sxtbench.enhancement.unsharp import amount_from_log, amount_from_mask_weight, unsharp_mask, unsharp_transfer

__all__ = [
    "Chain",
    "Material",
    "NoiseBands",
    "amount_from_log",
    "amount_from_mask_weight",
    "length_by_noise",
    "material",
    "noise_bands",
    "paganin",
    "paganin_absorbance",
    "paganin_length_nm",
    "paganin_transfer",
    "paganin_volume",
    "transfer_figure",
    "unsharp_mask",
    "unsharp_transfer",
]
