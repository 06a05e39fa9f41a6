"""What a person should look at: predicted against true, and the worst mistakes."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from .data import Pairs
from .plots import worst, worst_mistakes
from .task import Task

SAMPLES = 10_000  # how many are looked at, at most
MOST_TARGETS = 9  # that are drawn


def draw(dataset: Pairs, output: Tensor, target: Tensor, task: Task) -> dict[str, Figure]:
    """Return predicted against true and, unless samples are rows of a table, those with the largest errors.

    Outputs and targets are (N, T), standardised; what is drawn is in the units of the file.
    """
    mean, std = (torch.tensor(numbers, dtype=torch.float64) for numbers in (task.targets.mean, task.targets.std))
    predicted, true = output * std + mean, target * std + mean  # (N, T)
    true = torch.where(true.abs() < 1e-6 * std, 0, true)  # it was, before it was rounded to 32 bits
    count = min(MOST_TARGETS, task.targets.out_size)
    columns = min(3, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(4 * columns, 4 * rows), layout="constrained")
    for k in range(count):
        axes = figure.add_subplot(rows, columns, k + 1)
        ends = [min(true[:, k].min(), predicted[:, k].min()), max(true[:, k].max(), predicted[:, k].max())]
        axes.plot(ends, ends, color="gray", linewidth=0.8)
        axes.scatter(true[:, k], predicted[:, k], s=6, alpha=0.6)
        axes.set(xlabel="true", ylabel="predicted", title=f"target {k}" if count > 1 else "")
        axes.ticklabel_format(scilimits=(-2, 4))
        axes.locator_params(axis="x", nbins=6)

    titles = {n: f"{row(true[n])}, predicted {row(predicted[n])}" for n in worst((output - target).square().mean(1))}
    return {"predicted_against_true": figure} | worst_mistakes(dataset, titles)


def row(numbers: Tensor) -> str:
    """Return the first numbers of a row (T,), short enough for a title."""
    return ", ".join(f"{number:.5g}" for number in numbers[:2].tolist()) + (", ..." if len(numbers) > 2 else "")
