"""One training step: forward, loss, backward, update. The trainer only calls it."""

from typing import Any

import torch
from torch import Tensor, nn

from .task import Task


class Step:
    """Takes optimizer steps in the given precision; fp16 scales the loss, so that small gradients survive."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        optimizer: torch.optim.Optimizer,
        *,
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.model = model
        self.task = task
        self.optimizer = optimizer
        self.device = device
        self.precision = precision
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Learn from one batch; return its mean loss (0-d, on the device, so that nothing waits for it)."""
        self.optimizer.zero_grad()
        loss = self.task.loss(self.forward(x), y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Return the model's outputs for one batch."""
        return forward(self.model, x, precision=self.precision)

    def set_learning_rate(self, lr: float) -> None:
        """Take the next steps with this learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs to take the next step exactly."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])


def forward(model: nn.Module, x: Tensor, *, precision: torch.dtype) -> Tensor:
    """Return the model's outputs for one batch, computed in this precision."""
    with torch.autocast(x.device.type, dtype=precision, enabled=precision != torch.float32):
        return model(x)
