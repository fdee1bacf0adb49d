"""Metrics: one file a family, and the registry that declares them."""

from sxtbench.metrics.alignment import score_shifts
from sxtbench.metrics.consistency import data_consistency
from sxtbench.metrics.contrast import cnr, gcnr, score_contrast
from sxtbench.metrics.counting import match_objects, score_quantities
from sxtbench.metrics.dose import DoseInformation, equivalent_dose, hallucination, kept_contrast, score_dose
from sxtbench.metrics.fidelity import affine_fit, lac_bias, lac_regression, psnr, psnr_affine, psnr_lac, rmse, ssim
from sxtbench.metrics.interior import cupping, score_interior, slice_frc
from sxtbench.metrics.morphology import Quantities, quantify
from sxtbench.metrics.overlap import dice, iou, share_called, union_iou
from sxtbench.metrics.registry import Metric, get_metric, score_labels
from sxtbench.metrics.resolution import CorrelationCurve, TransferCurve, bit_threshold, first_crossing, frc, fsc, mtf
from sxtbench.metrics.surfaces import surface_distances
from sxtbench.metrics.volume import score_volume

__all__ = [
    "CorrelationCurve",
    "DoseInformation",
    "Metric",
    "Quantities",
    "TransferCurve",
    "affine_fit",
    "bit_threshold",
    "cnr",
    "cupping",
    "data_consistency",
    "dice",
    "equivalent_dose",
    "first_crossing",
    "frc",
    "fsc",
    "gcnr",
    "get_metric",
    "hallucination",
    "iou",
    "kept_contrast",
    "lac_bias",
    "lac_regression",
    "match_objects",
    "mtf",
    "psnr",
    "psnr_affine",
    "psnr_lac",
    "quantify",
    "rmse",
    "score_contrast",
    "score_dose",
    "score_interior",
    "score_labels",
    "score_quantities",
    "score_shifts",
    "score_volume",
    "share_called",
    "slice_frc",
    "ssim",
    "surface_distances",
    "union_iou",
]
