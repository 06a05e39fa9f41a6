"""What a person should look at: which classes are mistaken for which, and the worst mistakes."""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from .data import Pairs
from .errors import shorten
from .plots import worst, worst_mistakes
from .task import Task

SAMPLES = 10_000  # how many are looked at, at most
MOST_CLASSES, MOST_NAMES, MOST_COUNTS = 1000, 100, 40  # that get a matrix, names beside it, and numbers in it


def draw(dataset: Pairs, output: Tensor, target: Tensor, task: Task) -> dict[str, Figure]:
    """Return the confusion matrix and, unless samples are rows of a table, the mistakes that were the surest.

    Outputs are (N, K), targets (N,) or (N, 1).
    """
    target = target.reshape(-1).long()
    figures, names = {}, [shorten(str(name), 20) for name in task.targets.names]
    if task.targets.out_size <= MOST_CLASSES:
        figures["confusion"] = confusion_matrix(output.argmax(1), target, names)
    sure, predicted = output.softmax(1).max(1)  # (N,)
    mistaken = worst(torch.where(predicted == target, 0, sure))
    titles = {n: f"{names[target[n]]}, taken for {names[predicted[n]]} ({sure[n]:.0%})" for n in mistaken}
    return figures | worst_mistakes(dataset, titles)


def confusion_matrix(predicted: Tensor, target: Tensor, names: list[str]) -> Figure:
    """Return a picture of how many samples of each class (row) were predicted as each class (column)."""
    classes = len(names)
    counts = np.bincount((target * classes + predicted).numpy(), minlength=classes**2).reshape(classes, classes)
    side = min(12.0, 2.5 + 0.3 * classes)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shares = counts / counts.sum(1, keepdims=True).clip(1)  # of the samples of the class
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true")
    if classes <= MOST_NAMES:
        size = min(10, 400 / classes)  # points
        axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 3 else 0, fontsize=size)
        axes.set_yticks(range(classes), names, fontsize=size)
        for row, column in np.argwhere(counts) if classes <= MOST_COUNTS else ():
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", size=0.8 * size, color=colour)
    return figure
