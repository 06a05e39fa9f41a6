"""What a person should look at: samples before and after, and what they should have become."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from .data import Pairs
from .plots import grid, show
from .task import Task

SAMPLES = 6  # how many are looked at, at most


def draw(dataset: Pairs, output: Tensor, target: Tensor, task: Task) -> dict[str, Figure]:
    """Return some samples, what the model makes of them, and their targets.

    Outputs and targets are (N, C, ...).
    """
    figure, axes = grid(len(output), 3)
    after = torch.from_numpy(task.predict(output)["prediction"])
    shown = torch.cat([after, target.to(after.dtype)])  # one range for all: what is wrong must look so
    for n in range(len(output)):
        titles = ("before", "after", "target") if n == 0 else ("", "", "")
        show(axes[3 * n], dataset[n][0], titles[0])
        show(axes[3 * n + 1], after[n], titles[1], like=shown)
        show(axes[3 * n + 2], target[n], titles[2], like=shown)
    return {"before_and_after": figure}
