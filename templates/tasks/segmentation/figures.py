"""What a person should look at: true and predicted masks over samples."""

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from .data import Pairs
from .plots import grid, show
from .task import Task

SAMPLES = 6  # how many are looked at, at most
MOST_NAMES = 40  # in the legend
TAB20 = colormaps["tab20"](range(20))
COLOURS = [*TAB20[::2], *TAB20[1::2]]  # 1, 2, ..., 20, and again: the strong ones first


def draw(dataset: Pairs, output: Tensor, target: Tensor, task: Task) -> dict[str, Figure]:
    """Return some samples, alone, under their true masks and under the predicted ones.

    Outputs are (N, K, ...), targets (N, ...). The lowest class, if its value is 0, and what is ignored are see-through.
    """
    figure, axes = grid(len(output), 3)
    first = int(task.targets.names[0] != 0)  # the colour of the first class; 0 is none
    target, predicted = target.long() + first, output.argmax(1) + first
    for n in range(len(output)):
        for each, title in zip(axes[3 * n :], ("sample", "true", "predicted"), strict=False):
            show(each, dataset[n][0], title if n == 0 else "")
        show_mask(axes[3 * n + 1], target[n])
        show_mask(axes[3 * n + 2], predicted[n])
    classes = [k for k in torch.cat([target, predicted]).unique().tolist() if k > 0][:MOST_NAMES]
    longest = max((len(str(task.targets.names[k - first])) for k in classes), default=1)
    names = [Patch(color=COLOURS[(k - 1) % len(COLOURS)], label=str(task.targets.names[k - first])) for k in classes]
    figure.legend(handles=names, loc="outside lower center", ncols=max(1, 80 // (8 + longest)), fontsize=7)
    return {"masks": figure}


def show_mask(axes: Axes, mask: Tensor) -> None:
    """Lay the colours (L,), (H, W) or (D, H, W) of classes over what is drawn; 0 and those below are see-through."""
    if mask.ndim == 3:
        mask = mask[mask.shape[0] // 2]
    low, high = axes.get_ylim()
    shown = np.ma.masked_less(np.atleast_2d(mask.cpu().numpy()) - 1, 0) % len(COLOURS)
    image = axes.imshow(shown, cmap=ListedColormap(COLOURS), vmin=0, vmax=len(COLOURS) - 1, alpha=0.6)
    if mask.ndim == 1:  # a signal: over the height of its lines
        image.set_extent((-0.5, len(mask) - 0.5, low, high))
        axes.set_aspect("auto")
