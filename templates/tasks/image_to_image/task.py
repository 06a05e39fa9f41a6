"""The task: numbers at each position of a sample. It owns loss, metrics and predictions, and knows no model."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .config import TaskSettings
from .targets import Array, Targets

LOSSES = {"mse": functional.mse_loss, "mae": functional.l1_loss}


class Task:
    """Image to image. Model and loss see standardised targets; metrics and predictions are in the units of the file."""

    figure_of_merit = "psnr"

    def __init__(self, targets: Targets, settings: TaskSettings, device: torch.device) -> None:
        self.targets = targets
        self.loss_function = LOSSES[settings.loss]
        # What validation returns, and whether more of it is better.
        self.maximize = {"loss": False, "psnr": True, "mae": False}
        if targets.sides == 2:
            self.maximize["ssim"] = True
        self.mean = torch.tensor(targets.mean, device=device)  # (C,)
        self.std = torch.tensor(targets.std, device=device)  # (C,)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of outputs (B, C, ...), which are standardised, for targets (B, C, ...), which are not.

        Raises ValueError if their shapes differ.
        """
        if output.ndim < 3 or output.shape != target.shape:
            raise ValueError(
                f"loss(output, target) takes outputs and targets (B, {self.targets.out_size}, ...), in this order; "
                f"it was given {tuple(output.shape)} and {tuple(target.shape)}"
            )
        mean, std = per_channel(self.mean, output), per_channel(self.std, output)
        return self.loss_function(output.float(), (target.float() - mean) / std)

    def metrics(self, device: torch.device, count: int) -> "Metrics":
        """Return an empty tally for one pass over a split of `count` samples."""
        return Metrics(self, device)

    def restore(self, output: Tensor) -> Tensor:
        """Return outputs (B, C, ...) in the units of the file."""
        return output.float() * per_channel(self.std, output) + per_channel(self.mean, output)

    def predict(self, output: Tensor) -> dict[str, Array]:
        """Return for outputs (N, C, ...) the numbers in their own units (N, C, ...), float32."""
        return {"prediction": self.restore(output).cpu().numpy()}

    def column_names(self) -> dict[str, list[str]]:
        """Return names for the columns of those predictions that have several: an image has none."""
        return {}


class Metrics:
    """Sums over one pass: every sample weighs the same. They stay on the device, so no batch waits for the host."""

    def __init__(self, task: Task, device: torch.device) -> None:
        self.task = task
        self.low, self.span = task.targets.low, task.targets.high - task.targets.low
        self.samples = 0
        self.sums = {name: torch.zeros((), device=device) for name in task.maximize if name != "loss"}

    def update(self, output: Tensor, target: Tensor) -> None:
        """Count a batch: standardised outputs (B, C, ...), targets (B, C, ...)."""
        self.samples += len(target)
        output, target = (torch.stack([self.task.restore(output), target.float()]) - self.low) / self.span  # 0 to 1
        squared = (output - target).square().flatten(1).mean(1)  # (B,)
        self.sums["psnr"] -= 10 * torch.log10(squared.clamp(min=1e-10)).sum()
        self.sums["mae"] += self.span * (output - target).abs().flatten(1).mean(1).sum()
        if "ssim" in self.sums:
            self.sums["ssim"] += ssim(output, target).sum()

    def compute(self) -> dict[str, float]:
        """Return the means over samples of PSNR (dB, at most 100), absolute error and, for images, SSIM."""
        return {name: (total / self.samples).item() for name, total in self.sums.items()}

    def details(self) -> dict[str, float]:
        """Return nothing more."""
        return {}


def per_channel(numbers: Tensor, like: Tensor) -> Tensor:
    """Return numbers (C,) as (C, 1, ...), to go with outputs (B, C, ...), wherever those are."""
    return numbers.to(like.device).view(-1, *[1] * (like.ndim - 2))


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Return the structural similarity (B,) of images (B, C, H, W) with values from 0 to 1 (Wang et al., 2004).

    Windows are Gaussian, 11 x 11 with a deviation of 1.5; smaller images get smaller ones. Only whole windows count.
    """
    size = min(11, *first.shape[2:])
    size -= 1 - size % 2  # odd
    weights = [math.exp(-((k - size // 2) ** 2) / (2 * 1.5**2)) for k in range(size)]

    def mean(x: Tensor) -> Tensor:
        for axis in (2, 3):  # sums, not convolutions: those are too coarse on a GPU (TF32) for what is subtracted below
            length = x.shape[axis] - size + 1
            x = sum(
                (w * x.narrow(axis, k, length) for k, w in enumerate(weights)), torch.zeros((), device=x.device)
            ) / sum(weights)
        return x

    mean1, mean2 = mean(first), mean(second)
    variance1, variance2 = mean(first * first) - mean1**2, mean(second * second) - mean2**2
    covariance = mean(first * second) - mean1 * mean2
    brightness = (2 * mean1 * mean2 + 0.01**2) / (mean1**2 + mean2**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variance1 + variance2 + 0.03**2)
    return (brightness * structure).flatten(1).mean(1)
