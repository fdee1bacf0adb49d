"""Metrics: one file a family, and the registry that declares them."""

from sxtbench.metrics.overlap import dice, iou, share_called, union_iou
from sxtbench.metrics.registry import Metric, get_metric, score_labels

__all__ = ["Metric", "dice", "get_metric", "iou", "score_labels", "share_called", "union_iou"]
