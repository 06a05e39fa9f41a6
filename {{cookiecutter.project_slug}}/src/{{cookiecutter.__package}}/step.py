"""One training step: forward, loss, backward, update. The trainer only calls it."""

import math
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .errors import ConfigError, DivergedError
from .optimizer import require_trained
from .task import Task
from .workers import Workers

# What an optimizer knows of the device, and of the schedule: not from a checkpoint, unlike its other numbers.
NOT_FROM_CHECKPOINT = {"lr", "fused", "foreach", "capturable", "differentiable"}
MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}  # how samples with so many sides are enlarged


@dataclass(eq=False, repr=False)
class Step:
    """Takes optimizer steps in the given precision; fp16 scales the loss, so that small gradients survive."""

    model: nn.Module
    task: Task
    optimizer: torch.optim.Optimizer
    _: KW_ONLY
    device: torch.device
    workers: Workers
    precision: torch.dtype = torch.float32
    sides: tuple[int, ...] = ()  # to which samples are resized, if any
    accumulate: int = 1  # in so many parts a batch is computed
    clip_norm: float = 0.0  # the gradient's largest norm; 0 for any

    def __post_init__(self) -> None:
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]  # as the schedule begins
        self.factor = 1.0  # what they are multiplied by
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == torch.float16)
        self.zero = torch.zeros((), device=self.device)
        self.scaler.scale(self.zero)  # makes its state, which a step without samples needs, too

    def __call__(self, x: Tensor, y: Tensor, count: int) -> Tensor:
        """Learn from the samples of this process in a batch of `count`.

        Return what they add to its mean loss (0-d, on the device, so that nothing waits for it).
        """
        self.optimizer.zero_grad()
        parts = zip(x.chunk(self.accumulate), y.chunk(self.accumulate), strict=True) if len(x) else ()
        losses = [self.backward(*part, weight=len(part[0]) / count) for part in parts]  # none of an empty share
        self.workers.add_gradients(self.model, len(x) / count)
        if self.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return reduce(torch.add, losses or [self.zero])

    def backward(self, x: Tensor, y: Tensor, *, weight: float) -> Tensor:
        """Add the gradients of a part of a batch, weighted by its share of the samples; return its weighted loss."""
        loss = self.task.loss(self.forward(x), y)
        if not (isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1):
            raise TypeError(f"the loss, in task.py, is no number that depends on trained weights: it is {loss!r:.50}")
        if weight < 1:  # by 1, it would be two more operations per step, and change nothing
            loss = loss * weight
        self.scaler.scale(loss).backward()
        return loss.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Return the model's outputs for one batch."""
        return forward(self.model, x, precision=self.precision, sides=self.sides)

    def scale_learning_rates(self, factor: float) -> None:
        """Take the next steps with so much of each group's learning rate. Raises ConfigError if others set it, too."""
        groups = list(zip(self.optimizer.param_groups, self.rates, strict=True))
        if not all(math.isclose(g["lr"], rate * self.factor, rel_tol=1e-5, abs_tol=1e-30) for g, rate in groups):
            fix = "let build_schedule in optimizer.py return it, or leave out this call of scale_learning_rates"
            raise ConfigError("the learning rate is set by something else, too", "in trainer.py", fix)
        self.factor = factor
        for group, rate in groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * factor)  # where a recorded step finds it
            else:
                group["lr"] = float(rate * factor)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs to take the next step exactly. Raises DivergedError if fp16 takes none."""
        require_trained(self.model, self.optimizer)
        if self.scaler.is_enabled() and self.scaler.get_scale() < 1:  # halved at each step that it has left out
            raise DivergedError("the gradients are not finite", "in fp16", "train a new run with --precision bf16")
        return {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "scaler")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        saved, groups = state["optimizer"], []
        for old, new in zip(saved["param_groups"], self.optimizer.state_dict()["param_groups"], strict=True):
            groups.append({**old, **{key: new[key] for key in NOT_FROM_CHECKPOINT & new.keys()}})
        self.optimizer.load_state_dict({**saved, "param_groups": groups})
        for old, new in zip(saved["state"].values(), self.optimizer.state.values(), strict=False):  # which torch casts
            new |= {key: v.to(new[key].device) for key, v in old.items() if isinstance(v, Tensor) and key in new}
        self.scaler.load_state_dict(state["scaler"])


def check_refused(error: Exception) -> None:
    """Raise ConfigError if torch refuses to train the model: it would not be exact, or sees one sample alone."""
    operation, refused, _ = str(error).partition(" does not have a deterministic implementation")
    if refused:
        what = f"torch has no {operation} that gives the same bits each time"
        raise ConfigError(what, "in the model", "train without --deterministic, or use another layer") from error
    if str(error).startswith("Expected more than 1 value per channel"):
        what, where = "batch norm cannot learn from one sample alone", "in a batch, or a part of one"
        fix = "in a new run, choose another --batch-size, so that the last batch has more, or a smaller --accumulate"
        raise ConfigError(what, where, fix) from error


def forward(model: nn.Module, x: Tensor, *, precision: torch.dtype, sides: tuple[int, ...]) -> Tensor:
    """Return the model's outputs for one batch (B, C, ...), computed in this precision.

    The model gets samples with these sides, if any. Outputs at each position have those of the samples as they came.
    """
    original = x.shape[2:]
    with nullcontext() if precision == torch.float32 else torch.autocast(x.device.type, dtype=precision):
        output = model(resize(x, sides))
    if not isinstance(output, Tensor):
        raise TypeError(f"forward of the model, in model.py, returned a {type(output).__name__}, not a tensor")
    return resize(output.float(), original) if output.ndim > 2 and output.shape[2:] == sides else output


def resize(x: Tensor, sides: tuple[int, ...]) -> Tensor:
    """Return samples (B, C, ...) with these sides: means of what falls together, and what lies between neighbours."""
    if sides in ((), x.shape[2:]):
        return x
    smaller = tuple(map(min, x.shape[2:], sides))
    if smaller != x.shape[2:]:
        x = functional.interpolate(x, smaller, mode="area")
    return x if smaller == sides else functional.interpolate(x, sides, mode=MODES[len(sides)])
