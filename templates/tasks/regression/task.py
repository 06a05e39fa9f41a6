"""The task: one or several numbers per sample. It owns loss, metrics and predictions, and knows no model."""

import torch
from torch import Tensor
from torch.nn import functional

from .config import TaskSettings
from .targets import Array, Targets

LOSSES = {"mse": functional.mse_loss, "mae": functional.l1_loss, "huber": functional.smooth_l1_loss}


class Task:
    """Regression. Model and loss see standardised targets; metrics and predictions are in the units of the file."""

    figure_of_merit = "r2"

    def __init__(self, targets: Targets, settings: TaskSettings, device: torch.device) -> None:
        self.targets = targets
        self.loss_function = LOSSES[settings.loss]
        # What validation returns, and whether more of it is better.
        self.maximize = {"loss": False, "r2": True, "mae": False, "rmse": False}

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of outputs (B, T) for standardised targets (B, T). Raises ValueError for other shapes.

        Shapes such as (B, 1) and (B,) would be broadcast to (B, B), and nothing would be learned.
        """
        if output.ndim != 2 or output.shape != target.shape:
            raise ValueError(
                f"loss(output, target) takes outputs and targets (B, {self.targets.out_size}), in this order; "
                f"it was given {tuple(output.shape)} and {tuple(target.shape)}"
            )
        return self.loss_function(output.float(), target.float())

    def metrics(self, device: torch.device, count: int) -> "Metrics":
        """Return an empty tally for one pass over a split of `count` samples."""
        return Metrics(self.targets, torch.empty(2, count, self.targets.out_size, device=device))

    def predict(self, output: Tensor) -> dict[str, Array]:
        """Return for outputs (N, T) the numbers in their own units: (N,) for one target, else (N, T), float64."""
        mean, std = (torch.tensor(numbers, dtype=torch.float64) for numbers in (self.targets.mean, self.targets.std))
        numbers = output.cpu().double() * std + mean
        return {"prediction": (numbers[:, 0] if self.targets.out_size == 1 else numbers).numpy()}

    def column_names(self) -> dict[str, list[str]]:
        """Return names for the columns of those predictions that have several."""
        return {"prediction": [str(target) for target in self.targets.names]}


class Metrics:
    """All outputs of one pass, since a variance needs them; they stay on the device until the end.

    `pairs` (2, N, T) is filled batch by batch: many small tensors would lie scattered in the memory.
    """

    def __init__(self, targets: Targets, pairs: Tensor) -> None:
        self.std = targets.std
        self.pairs, self.done = pairs, 0

    def update(self, output: Tensor, target: Tensor) -> None:
        """Keep a batch: standardised outputs and targets (B, T)."""
        batch = slice(self.done, self.done + len(output))
        self.pairs[:, batch] = torch.stack([output.float(), target.float()])
        self.done = batch.stop

    def compute(self) -> dict[str, float]:
        """Return R², mean absolute error and root mean squared error, each the mean over the targets."""
        return {name: sum(numbers) / len(numbers) for name, numbers in self.per_target().items()}

    def details(self) -> dict[str, float]:
        """Return each metric of each target, if there are several."""
        per_target = self.per_target() if len(self.std) > 1 else {}
        return {f"{name}/{k}": number for name, numbers in per_target.items() for k, number in enumerate(numbers)}

    def per_target(self) -> dict[str, list[float]]:
        """Return R² (1 is perfect, 0 as good as the mean), and the errors in the units of the targets."""
        output, target = self.pairs[:, : self.done].cpu().double()  # (N, T)
        error = output - target
        squared, std = error.square().mean(0), torch.tensor(self.std, dtype=torch.float64)  # (T,)
        variance = target.var(0, correction=0)
        constant = target.amin(0) == target.amax(0)  # there is nothing to explain
        r2 = torch.where(constant, (squared == 0).double(), 1 - squared / variance)
        return {"r2": r2.tolist(), "mae": (error.abs().mean(0) * std).tolist(), "rmse": (squared.sqrt() * std).tolist()}
