"""What a person should look at: how precise each label is as more samples get it, and the worst mistakes."""

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

from .data import Pairs
from .plots import worst, worst_mistakes
from .task import Task, precision_and_recall

SAMPLES = 10_000  # how many are looked at, at most
MOST_LABELS = 10  # that get a curve


def draw(dataset: Pairs, output: Tensor, target: Tensor, task: Task) -> dict[str, Figure]:
    """Return precision over recall of each label that occurs and, but for rows of a table, the samples of largest loss.

    Outputs and targets are (N, L).
    """
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    for label in target.any(0).nonzero().flatten().tolist()[:MOST_LABELS]:  # of those that occur
        precision, recall = precision_and_recall(output[:, label], target[:, label])
        axes.plot(recall, precision, marker=".", markersize=2, label=str(label), linewidth=1)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(title="label", fontsize=8)

    predicted = output.sigmoid() >= task.threshold  # (N, L)
    losses = functional.binary_cross_entropy_with_logits(output, target.float(), reduction="none").mean(1)
    wrong = (predicted != target.bool()).any(1)
    titles = {n: f"{labels(target[n])}, taken for {labels(predicted[n])}" for n in worst(torch.where(wrong, losses, 0))}
    return {"precision_recall": figure} | worst_mistakes(dataset, titles)


def labels(row: Tensor) -> str:
    """Return the labels that a row (L,) has, by number."""
    has = row.nonzero().flatten().tolist()
    return "+".join(map(str, has[:4])) + ("+..." if len(has) > 4 else "") or "none"
