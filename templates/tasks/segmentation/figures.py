"""What a person should look at: true and predicted masks over samples."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.data import Dataset

from .plots import grid, show
from .task import Task

SAMPLES = 6  # how many are looked at, at most
COLOURS = "tab20"  # of the classes


def draw(dataset: Dataset[tuple[Tensor, Tensor]], output: Tensor, target: Tensor, task: Task) -> dict[str, Figure]:
    """Return some samples, alone, under their true masks and under the predicted ones.

    Outputs are (N, K, ...), targets (N, ...). Class 0 and what is ignored are see-through.
    """
    figure, axes = grid(len(output), 3)
    predicted = output.argmax(1)
    for n in range(len(output)):
        sample = dataset[n][0]
        for each, title, mask in zip(
            axes[3 * n :], ("sample", "true", "predicted"), (None, target, predicted), strict=False
        ):
            show(each, sample, title if n == 0 else "")
            if mask is not None:
                show_mask(each, mask[n], task.targets.out_size)
    return {"masks": figure}


def show_mask(axes: Axes, mask: Tensor, classes: int) -> None:
    """Lay class numbers (L,), (H, W) or (D, H, W) over what is drawn; class 0 and those below are see-through."""
    if mask.ndim == 3:
        mask = mask[mask.shape[0] // 2]
    low, high = axes.get_ylim()
    shown = np.ma.masked_less_equal(np.atleast_2d(mask.cpu().numpy()), 0)
    image = axes.imshow(shown, cmap=COLOURS, vmin=0, vmax=max(19, classes - 1), alpha=0.6)
    if mask.ndim == 1:  # a signal: over the height of its lines
        image.set_extent((-0.5, len(mask) - 0.5, low, high))
        axes.set_aspect("auto")
