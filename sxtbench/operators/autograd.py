"""Linear operators inside torch's automatic differentiation: the gradient of `A` is `A.T`. Needs torch."""

from collections.abc import Callable
from typing import Any, cast

import torch

from sxtbench.errors import InputError
from sxtbench.operators.protocol import LinearOperator

Map = Callable[[torch.Tensor], torch.Tensor]


class _LinearMap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, forward: Map, adjoint: Map) -> torch.Tensor:
        """Apply `forward`."""
        ctx.maps = forward, adjoint
        return forward(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Apply `adjoint` to the gradient of the result."""
        forward, adjoint = ctx.maps
        return linear_map(gradient, adjoint, forward), None, None


def linear_map(x: torch.Tensor, forward: Map, adjoint: Map) -> torch.Tensor:
    """Return `forward(x)` as an operation whose gradient is `adjoint`; nothing is kept for it.

    Gradients of gradients go through the same two maps.
    """
    return cast(torch.Tensor, _LinearMap.apply(x, forward, adjoint))  # type: ignore[no-untyped-call]


def project(operator: LinearOperator, x: torch.Tensor) -> torch.Tensor:
    """Apply an operator of numpy arrays to a tensor in memory, so that gradients pass through it.

    It is meant for training on a CPU with whole volumes: the numba projector keeps no table of weights and is 5 to 7
    times as fast as torch's sums from 512 x 512 voxels and 120 views on. On a GPU, and for batches of a few slices of
    up to 256 x 256, `ParallelBeam(..., backend="torch")` is the faster one; it takes tensors as it is.

    Parameters
    ----------
    operator : LinearOperator
        An operator from one array to one array, such as `ParallelBeam` or `Blur @ ParallelBeam`.
    x : torch.Tensor, shape (..., *operator.domain_shape), float32 or float64, on the CPU
        Volumes; each of a batch is projected by itself. The operator computes in float32.

    Returns
    -------
    torch.Tensor, shape (..., *operator.range_shape), dtype of `x`

    Raises
    ------
    InputError
        For another shape, for integers, for a tensor on a GPU, and for a `Stack` (project its blocks).

    Examples
    --------
    >>> import torch
    >>> from sxtbench.geometry import ParallelGeometry
    >>> from sxtbench.operators import ParallelBeam
    >>> geometry = ParallelGeometry(angles_deg=[0, 90], columns=8, slices=1, pixel_size_nm=1000)
    >>> x = torch.ones(3, 1, 8, 8, requires_grad=True)
    >>> y = project(ParallelBeam(geometry, (1, 8, 8)), x)
    >>> y.sum().backward()
    >>> y.shape, x.grad.mean()
    (torch.Size([3, 2, 1, 8]), tensor(2.))
    """
    if isinstance(operator.range_shape[0], tuple):
        raise InputError("project takes an operator with one range, expected one block of the Stack at a time")
    domain = tuple(operator.domain_shape)
    if tuple(x.shape[-len(domain) :]) != domain:
        raise InputError(f"x has shape {tuple(x.shape)}, expected {domain}, with any axes in front")
    if x.dtype not in (torch.float32, torch.float64):
        raise InputError(f"x has dtype {x.dtype}, expected torch.float32 or torch.float64")
    if x.device.type != "cpu":
        raise InputError(f'x is on {x.device}, expected the CPU: ParallelBeam(..., backend="torch") runs on a GPU')
    return linear_map(x, _batched(operator), _batched(operator.T))


def _batched(operator: LinearOperator) -> Map:
    """Return the operator as a map of tensors with any axes in front."""
    domain, image = tuple(operator.domain_shape), tuple(operator.range_shape)

    def apply(x: torch.Tensor) -> torch.Tensor:
        ahead = x.shape[: x.ndim - len(domain)]
        parts = [torch.from_numpy(operator(part.numpy())) for part in x.detach().reshape(-1, *domain)]
        out = torch.stack(parts) if parts else torch.empty(0, *image)
        return out.to(x.dtype).reshape(*ahead, *image)

    return apply
