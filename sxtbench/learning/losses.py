"""The losses: focal loss and soft Dice over the labelled voxels, mean square error of LAC where it is known."""

import torch
from torch.nn.functional import cross_entropy, one_hot

from sxtbench.errors import InputError

_SMOOTH = 1e-5  # MONAI's, so that the two agree


def dice_focal_loss(
    logits: torch.Tensor, labels: torch.Tensor, *, dice_weight: float = 1.0, gamma: float = 2.0, ignore: int = 255
) -> torch.Tensor:
    """Return the mean focal loss of the labelled voxels and `dice_weight` times the soft Dice loss of the batch.

    The focal term is `(1 - p)^gamma * -ln p`, with p the softmax probability of the true class, averaged over voxels
    (MONAI's `FocalLoss` averages over classes too: its value is this one over the number of classes). Dice sums over
    the whole batch and is averaged over the foreground classes that the batch holds: the background, which the score
    leaves out, and classes that no voxel has take no part in it and are left to the focal term. All is computed in
    float32, whatever the precision of the logits.

    Parameters
    ----------
    logits : torch.Tensor, shape (n, classes, *spatial), float
        At least two classes, the first of which is the background.
    labels : torch.Tensor, shape (n, *spatial), any integer dtype
        From 0 to classes - 1, or `ignore`.
    dice_weight : float
        Weight of the Dice term.
    gamma : float
        0 (cross-entropy), or at least 1, below which the gradient is not bounded.
    ignore : int
        The label of voxels that count for nothing and get no gradient.

    Returns
    -------
    torch.Tensor, shape (), float32
        0 where every voxel is ignored.

    Raises
    ------
    InputError
        For shapes that do not fit, labels of a float dtype or outside the classes, and another gamma.

    References
    ----------
    Lin et al., Focal loss for dense object detection, ICCV 2017, eq. 4; Milletari et al., V-Net, 3DV 2016.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[[9.0, -9.0]], [[-9.0, 9.0]]]).movedim(0, 1)
    >>> round(dice_focal_loss(logits, torch.tensor([[0, 1]])).item(), 4)
    0.0
    """
    labels = _checked(logits, labels, gamma, ignore)
    logits = logits.float()
    labelled = labels != ignore
    entropy = cross_entropy(logits, labels, ignore_index=ignore, reduction="none")
    # 1 - p, without the cancellation where p is nearly 1.
    missed = -torch.expm1(-entropy)
    focal = (missed**gamma * entropy).sum() / labelled.sum().clamp(min=1)
    if dice_weight == 0:
        return focal
    return focal + dice_weight * _dice_loss(logits, labels, labelled)


def lac_loss(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean square error over the voxels whose target is known.

    Parameters
    ----------
    answer, target : torch.Tensor, shape (n, *spatial), float, 1/um
        LAC; NaN in the target where it counts for nothing.

    Returns
    -------
    torch.Tensor, shape (), float32
        0 where no voxel is known.

    Raises
    ------
    InputError
        For shapes that differ.

    Examples
    --------
    >>> import torch
    >>> lac_loss(torch.tensor([[0.25, 9.0]]), torch.tensor([[0.5, torch.nan]])).item()
    0.0625
    """
    if answer.shape != target.shape:
        raise InputError(f"the answer has shape {tuple(answer.shape)}, the target {tuple(target.shape)}")
    known = target.isfinite()
    # filled before the difference: the gradient of a NaN that is left out afterwards is NaN
    error = answer.float() - target.where(known, answer.detach()).float()
    return error.square().sum() / known.sum().clamp(min=1)


def _dice_loss(logits: torch.Tensor, labels: torch.Tensor, labelled: torch.Tensor) -> torch.Tensor:
    """Return 1 - Dice, the mean over the foreground classes that `labels` hold; 0 if there are none."""
    mask = labelled.unsqueeze(1)
    probability = torch.where(mask, logits.softmax(dim=1), 0.0)[:, 1:]
    truth = (one_hot(labels.where(labelled, 0), logits.shape[1]).movedim(-1, 1) * mask)[:, 1:]
    over = [0, *range(2, logits.ndim)]
    size = truth.sum(dim=over)
    common = (probability * truth).sum(dim=over)
    dice = (2 * common + _SMOOTH) / (probability.sum(dim=over) + size + _SMOOTH)
    present = size > 0
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)


def _checked(logits: torch.Tensor, labels: torch.Tensor, gamma: float, ignore: int) -> torch.Tensor:
    """Return the labels as int64."""
    if logits.ndim < 3 or logits.shape[1] < 2:
        raise InputError(f"logits have shape {tuple(logits.shape)}, expected (n, classes, ...) with at least 2 classes")
    expected = (logits.shape[0], *logits.shape[2:])
    if tuple(labels.shape) != expected:
        raise InputError(f"labels have shape {tuple(labels.shape)}, expected {expected}, that of the logits")
    if labels.dtype.is_floating_point or labels.dtype == torch.bool:
        raise InputError(f"labels have dtype {labels.dtype}, expected an integer dtype")
    if gamma != 0 and not gamma >= 1:
        raise InputError(f"gamma is {gamma}, expected 0 or at least 1")
    labels = labels.long()
    classes = logits.shape[1]
    wrong = labels[((labels < 0) | (labels >= classes)) & (labels != ignore)]
    if wrong.numel():
        raise InputError(f"labels hold {wrong[0].item()}, expected 0 to {classes - 1}, or {ignore} where unlabelled")
    return labels
