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

    def metrics(self, device: torch.device) -> "Metrics":
        """Return an empty tally for one pass over a split."""
        return Metrics(self.targets, device)

    def predict(self, output: Tensor) -> dict[str, Array]:
        """Return for outputs (N, T) the numbers in their own units: (N,) for one target, else (N, T), float64."""
        mean, std = torch.tensor(self.targets.mean).double(), torch.tensor(self.targets.std).double()
        numbers = output.cpu().double() * std + mean
        return {"prediction": (numbers[:, 0] if self.targets.out_size == 1 else numbers).numpy()}

    def column_names(self) -> dict[str, list[str]]:
        """Return names for the columns of those predictions that have several."""
        return {"prediction": [str(target) for target in self.targets.names]}


class Metrics:
    """Sums over one pass: every sample weighs the same. They stay on the device, so no batch waits for the host."""

    def __init__(self, targets: Targets, device: torch.device) -> None:
        self.std = targets.std
        self.samples = 0
        self.sums = torch.zeros(4, targets.out_size, device=device)  # of |error|, error², target, target²

    def update(self, output: Tensor, target: Tensor) -> None:
        """Count a batch: standardised outputs and targets (B, T)."""
        error = output.float() - target
        self.samples += len(target)
        self.sums += torch.stack([error.abs().sum(0), error.square().sum(0), target.sum(0), target.square().sum(0)])

    def compute(self) -> dict[str, float]:
        """Return R², mean absolute error and root mean squared error, each the mean over the targets."""
        per_target = self.per_target()
        return {name: sum(numbers) / len(numbers) for name, numbers in per_target.items()}

    def details(self) -> dict[str, float]:
        """Return each metric of each target, if there are several."""
        per_target = self.per_target() if len(self.std) > 1 else {}
        return {f"{name}/{k}": number for name, numbers in per_target.items() for k, number in enumerate(numbers)}

    def per_target(self) -> dict[str, list[float]]:
        """Return R² (1 is perfect, 0 as good as the mean), and the errors in the units of the targets."""
        absolute, squared, total, squares = (self.sums.cpu().double() / self.samples).tolist()
        numbers: dict[str, list[float]] = {"r2": [], "mae": [], "rmse": []}
        for k, std in enumerate(self.std):
            variance = squares[k] - total[k] ** 2
            constant = variance <= 1e-12 * squares[k]  # there is nothing to explain
            numbers["r2"].append(float(squared[k] == 0) if constant else 1 - squared[k] / variance)
            numbers["mae"].append(absolute[k] * std)
            numbers["rmse"].append(squared[k] ** 0.5 * std)
        return numbers
