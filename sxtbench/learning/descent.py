"""A short training without validation, for methods that are fitted whenever they are run; `train` is for the rest."""

from collections.abc import Callable

import torch


def minimise(
    network: torch.nn.Module, loss_of_batch: Callable[[], torch.Tensor], *, steps: int, learning_rate: float
) -> list[float]:
    """Take steps of AdamW, whose rate falls along a line to zero; gradients are cut to a norm of 1.

    Parameters
    ----------
    network : Module
        What is trained, in place; left in evaluation mode.
    loss_of_batch : callable
        Draws a batch, asks the network and returns the loss, a scalar.
    steps : int
        How many.
    learning_rate : float
        Of the first step.

    Returns
    -------
    list of float
        The loss of each step.

    Examples
    --------
    >>> line = torch.nn.Linear(1, 1)
    >>> losses = minimise(line, lambda: (line(torch.ones(1, 1)) - 2).square().mean(), steps=100, learning_rate=0.1)
    >>> losses[-1] < 0.01 * losses[0]
    True
    """
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate)
    losses = []
    for step in range(steps):
        loss = loss_of_batch()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (1 - step / steps)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return losses
