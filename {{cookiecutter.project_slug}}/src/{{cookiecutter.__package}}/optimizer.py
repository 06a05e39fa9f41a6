"""The optimizer and the schedule of its learning rate."""

import math
from collections.abc import Callable
from inspect import unwrap
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim import optimizer as torch_optimizer

from .errors import ConfigError, RefusedError

# Where torch keeps the hooks of one optimizer, and those of all. Should it rename them, it is as if there were some.
HOOKS = "_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"
GLOBAL_HOOKS = [getattr(torch_optimizer, f"_global_optimizer_{when}_hooks", True) for when in ("pre", "post")]


class AdamW(torch.optim.AdamW):
    """AdamW (Loshchilov and Hutter, 2019) without what torch wraps around its methods.

    To keep torch.compile out, the wrappers import it, which would take as long as all the rest of a start.
    """

    add_param_group = unwrap(torch.optim.AdamW.add_param_group)
    state_dict = unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = unwrap(torch.optim.AdamW.load_state_dict)
    bare_step = torch.no_grad()(unwrap(torch.optim.AdamW.step))
    hooked_step = Optimizer.profile_hook_step(bare_step)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the weights; only if there are hooks, by torch's way to call them, which marks each step, too."""
        hooks = [getattr(self, name, True) for name in HOOKS] + GLOBAL_HOOKS
        return self.hooked_step(closure) if any(hooks) else self.bare_step(closure)

    step.hooked = True  # type: ignore[attr-defined]  # else torch would take that way each time

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, or make them zero; torch's own marks that for a profiler, which takes far longer."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None if set_to_none or weight.grad is None else torch.zeros_like(weight)


def build_optimizer(model: nn.Module, *, lr: float, weight_decay: float, capturable: bool = False) -> Optimizer:
    """Return a fused AdamW; biases and norms are not decayed. A group may have an `lr` of its own (fine-tuning).

    If its steps are to be recorded in a CUDA graph (`capturable`), it reads the learning rate from the GPU.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    for group in groups if capturable else ():  # each a tensor of its own: torch would give all the same one
        group["lr"] = torch.tensor(group.get("lr", lr), device=parameters[0].device)
    return AdamW(groups, lr=lr, fused=True, capturable=capturable)


def require_trained(model: nn.Module, optimizer: Optimizer) -> None:
    """Raise ConfigError if a weight should learn, perhaps by now only, and the optimizer does not have it."""
    has = {weight for group in optimizer.param_groups for weight in group["params"]}
    if lacks := [name for name, weight in model.named_parameters() if weight.requires_grad and weight not in has]:
        fix = "make all layers in __init__; freeze some for good in build_model, or for some epochs in train_epoch"
        raise ConfigError(f"the optimizer lacks the weight {lacks[0]}", "in model.py or optimizer.py", fix)


def layout(model: nn.Module, optimizer: Optimizer, *, began: list[Any] | None) -> list[Any]:
    """Return which optimizer it is, and the weights in each of its groups: in this order, it keeps what it learns.

    Raises ConfigError if it lacks one that should learn, and RefusedError if a run `began` with another layout.
    """
    require_trained(model, optimizer)
    names = {weight: name for name, weight in model.named_parameters()}
    groups = [[names.get(weight) for weight in group["params"]] for group in optimizer.param_groups]
    found = [type(optimizer).__name__, *groups]
    if began not in (None, found):
        what = "the optimizer is another one than when the run began, or has other weights, or in another order"
        fix = "undo the change, or start a new run with --init-from this one"
        raise RefusedError(what, "in model.py or optimizer.py", fix)
    return found


def build_schedule(*, epochs: int) -> Callable[[int], float]:
    """Return what to multiply learning rates by, of the epochs done: a half cosine (Loshchilov and Hutter, 2017).

    It starts at 1 and would reach 0 after the last epoch. A function needs no state in the checkpoint; a scheduler of
    torch would, and is refused beside this one.
    """
    return lambda epoch: 0.5 * (1 + math.cos(math.pi * epoch / epochs))
