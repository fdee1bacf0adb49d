"""The loss: MONAI's values, ignored voxels, absent classes, low precision."""

import pytest
import torch
from monai.losses import DiceLoss, FocalLoss

from sxtbench.errors import InputError
from sxtbench.learning.losses import dice_focal_loss, lac_loss


def batch(
    shape: tuple[int, ...] = (2, 8, 9), classes: int = 4, scale: float = 2.0, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, shape, generator=generator)
    logits = scale * torch.randn(shape[0], classes, *shape[1:], generator=generator)
    return logits.requires_grad_(), labels


@pytest.mark.parametrize("shape", [(2, 8, 9), (1, 4, 5, 6)])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
def test_it_is_monais(shape: tuple[int, ...], gamma: float):
    logits, labels = batch(shape)
    # MONAI averages the focal term over classes too; its DiceFocalLoss has the focal loss of a sigmoid.
    focal = FocalLoss(to_onehot_y=True, use_softmax=True, gamma=gamma)
    dice = DiceLoss(to_onehot_y=True, softmax=True, include_background=False, batch=True)
    expected = 4 * focal(logits, labels[:, None]) + 0.7 * dice(logits, labels[:, None])
    found = dice_focal_loss(logits, labels, dice_weight=0.7, gamma=gamma)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    (ours,) = torch.autograd.grad(found, logits)
    (theirs,) = torch.autograd.grad(expected, logits)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_ignored_voxels_count_for_nothing():
    logits, labels = batch((1, 6, 8))
    kept = dice_focal_loss(logits[..., :5], labels[..., :5])
    labels[..., 5:] = 255
    found = dice_focal_loss(logits, labels)
    assert found.item() == pytest.approx(kept.item(), rel=1e-6)
    (gradient,) = torch.autograd.grad(found, logits)
    assert (gradient[..., 5:] == 0).all()
    assert (gradient[..., :5] != 0).all()


def test_ignored_voxels_may_hold_anything():
    logits, labels = batch()
    labels[0] = 255
    with torch.no_grad():
        logits[0] = float("inf")
    found = dice_focal_loss(logits, labels)
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.isfinite()
    assert gradient[1].isfinite().all()


def test_another_ignore_label():
    logits, labels = batch()
    other = labels.clone()
    labels[0, :4], other[0, :4] = 255, -1
    assert dice_focal_loss(logits, labels).item() == dice_focal_loss(logits, other, ignore=-1).item()


def test_all_ignored():
    logits, labels = batch()
    found = dice_focal_loss(logits, torch.full_like(labels, 255))
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.item() == 0
    assert (gradient == 0).all()


def test_an_absent_class_has_no_dice():
    """The whole loss of a perfect answer is 0, and a class that no voxel has adds none to an imperfect one."""
    logits, labels = batch()
    labels[labels == 3] = 1
    perfect = 40 * torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).float()
    assert dice_focal_loss(perfect, labels).item() == pytest.approx(0, abs=1e-5)
    dice = dice_focal_loss(logits, labels) - dice_focal_loss(logits, labels, dice_weight=0)
    each = DiceLoss(to_onehot_y=True, softmax=True, include_background=False, batch=True, reduction="none")
    assert dice.item() == pytest.approx(each(logits, labels[:, None]).flatten()[:2].mean().item(), rel=1e-4)


def test_background_alone_has_no_dice():
    logits, labels = batch()
    nothing = torch.zeros_like(labels)
    assert dice_focal_loss(logits, nothing).item() == dice_focal_loss(logits, nothing, dice_weight=0).item()


def test_dice_is_that_of_the_batch_and_not_the_mean_of_its_parts():
    logits, labels = batch()
    labels[0] = 0
    labels[0, 0, 0] = 1
    whole = dice_focal_loss(logits, labels) - dice_focal_loss(logits, labels, dice_weight=0)
    joined = logits.movedim(0, 1).flatten(1)[None], labels.flatten()[None]
    alone = dice_focal_loss(*joined) - dice_focal_loss(*joined, dice_weight=0)
    assert whole.item() == pytest.approx(alone.item(), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision(dtype: torch.dtype):
    """A sum over 2 x 10^5 voxels overflows float16; the loss of rounded logits is that of float32."""
    logits, labels = batch((2, 320, 320))
    rounded = logits.detach().to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = dice_focal_loss(rounded, labels)
    expected = dice_focal_loss(rounded.detach().float(), labels)
    found.backward()
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    assert rounded.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_confident_answers_have_finite_gradients(gamma: float):
    logits, labels = batch(scale=1e4)
    found = dice_focal_loss(logits, labels, gamma=gamma)
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.isfinite()
    assert gradient.isfinite().all()


def test_bad_input():
    logits, labels = batch()
    with pytest.raises(InputError, match=r"labels hold 7, expected 0 to 3, or 255 where unlabelled"):
        dice_focal_loss(logits, labels.where(labels != 1, 7))
    with pytest.raises(InputError, match=r"labels hold -1, expected 0 to 3"):
        dice_focal_loss(logits, labels - 1)
    with pytest.raises(InputError, match=r"labels have shape \(2, 8, 8\), expected \(2, 8, 9\)"):
        dice_focal_loss(logits, labels[..., 1:])
    with pytest.raises(InputError, match=r"labels have dtype torch.float32, expected an integer dtype"):
        dice_focal_loss(logits, labels.float())
    with pytest.raises(InputError, match=r"logits have shape \(2, 1, 8, 9\), expected .* at least 2 classes"):
        dice_focal_loss(logits[:, :1], labels)
    with pytest.raises(InputError, match=r"gamma is 0.5, expected 0 or at least 1"):
        dice_focal_loss(logits, labels, gamma=0.5)


def test_lac_is_compared_where_it_is_known():
    answer = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.zeros(2, 5, 6)
    assert lac_loss(answer, target).item() == pytest.approx(torch.nn.functional.mse_loss(answer, target).item())
    target[0], target[1, 2:] = torch.nan, torch.nan
    loss = lac_loss(answer, target)
    assert loss.item() == pytest.approx(answer[1, :2].square().mean().item())
    (gradient,) = torch.autograd.grad(loss, answer)
    assert gradient.isfinite().all()
    assert torch.equal(gradient != 0, target.isfinite())
    assert lac_loss(answer, torch.full_like(target, torch.nan)).item() == 0
    with pytest.raises(InputError, match=r"answer has shape \(2, 5, 6\), the target \(2, 5\)"):
        lac_loss(answer, target[..., 0])
