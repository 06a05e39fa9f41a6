"""What a person should look at: true and predicted masks over samples."""

from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.data import Dataset

from .plots import grid, show, show_mask
from .task import Task

SAMPLES = 6  # how many are looked at, at most


def draw(dataset: Dataset[tuple[Tensor, Tensor]], output: Tensor, target: Tensor, task: Task) -> dict[str, Figure]:
    """Return the first samples, alone, under their true masks and under the predicted ones.

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
