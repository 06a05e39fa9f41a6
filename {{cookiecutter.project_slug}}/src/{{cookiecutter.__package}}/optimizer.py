"""The optimizer and the schedule of its learning rate."""

import math
from collections.abc import Callable

import torch
from torch import nn


def build_optimizer(model: nn.Module, *, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return a fused AdamW (Loshchilov and Hutter, 2019); biases and norms are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, fused=True)


def build_schedule(*, lr: float, epochs: int) -> Callable[[int], float]:
    """Return the learning rate as a function of the epochs done: a half cosine (Loshchilov and Hutter, 2017).

    It starts at `lr` and would reach 0 after the last epoch. A function needs no state in the checkpoint.
    """
    return lambda epoch: lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
