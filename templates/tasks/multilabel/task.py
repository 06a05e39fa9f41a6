"""The task: any number of labels per sample. It owns loss, metrics and predictions, and knows no model."""

import torch
from torch import Tensor
from torch.nn import functional

from .config import TaskSettings
from .targets import Array, Targets


class Task:
    """Every label is a question of its own, answered yes or no: binary cross entropy over all of them."""

    figure_of_merit = "mean_average_precision"

    def __init__(self, targets: Targets, settings: TaskSettings, device: torch.device) -> None:
        self.targets = targets
        self.threshold = settings.threshold
        # What validation returns, and whether more of it is better.
        self.maximize = {"loss": False, "mean_average_precision": True, "macro_f1": True, "subset_accuracy": True}
        counts = torch.tensor(targets.counts, device=device)  # (L,) training samples that have the label
        weights = targets.samples / (2 * torch.stack([targets.samples - counts, counts]))  # (2, L), of no and of yes
        self.weights = weights if settings.class_weights == "balanced" else torch.ones_like(weights)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean binary cross entropy of outputs (B, L) for targets (B, L) of 0 and 1.

        With balanced weights, both answers to a label weigh the same over the training split. Raises ValueError for
        other shapes, and if the arguments are swapped.
        """
        shape = (len(output), self.targets.out_size)
        if not (output.shape == target.shape == shape and output.is_floating_point()):
            raise ValueError(
                f"loss(output, target) takes outputs and targets (B, {self.targets.out_size}), in this order; "
                f"it was given {tuple(output.shape)} and {tuple(target.shape)}"
            )
        target = target.float()
        weights = torch.where(target > 0.5, self.weights[1], self.weights[0])  # (B, L)
        return functional.binary_cross_entropy_with_logits(output.float(), target, weights)

    def metrics(self, device: torch.device, count: int) -> "Metrics":
        """Return an empty tally for one pass over a split of `count` samples."""
        return Metrics(self.threshold, torch.empty(2, count, self.targets.out_size, device=device))

    def predict(self, output: Tensor) -> dict[str, Array]:
        """Return for outputs (N, L) which labels are predicted (N, L), as 0 and 1, and the probabilities (N, L)."""
        probability = output.float().sigmoid().cpu()
        return {
            "prediction": (probability >= self.threshold).to(torch.uint8).numpy(),
            "probability": probability.numpy(),
        }

    def column_names(self) -> dict[str, list[str]]:
        """Return names for the columns of those predictions that have several."""
        labels = [str(label) for label in self.targets.names]
        return {"prediction": labels, "probability": labels}


class Metrics:
    """All outputs of one pass, since average precision ranks them; they stay on the device until the end.

    `pairs` (2, N, L) is filled batch by batch: many small tensors would lie scattered in the memory.
    """

    def __init__(self, threshold: float, pairs: Tensor) -> None:
        self.threshold = threshold
        self.pairs, self.done = pairs, 0

    def update(self, output: Tensor, target: Tensor) -> None:
        """Keep a batch: outputs and targets (B, L)."""
        batch = slice(self.done, self.done + len(output))
        self.pairs[:, batch] = torch.stack([output.float(), target.float()])
        self.done = batch.stop

    def compute(self) -> dict[str, float]:
        """Return mean average precision (over the labels that occur), macro F1 and subset accuracy.

        F1 is the mean over the labels that occur or are predicted, as in scikit-learn with zero_division=nan.
        """
        output, target = self.pairs[:, : self.done]  # (N, L)
        predicted, target = output.sigmoid() >= self.threshold, target.bool()
        counts = predicted.sum(0) + target.sum(0)  # (L,)
        f1 = 2 * (predicted & target).sum(0) / counts.clamp(min=1)
        precision = list(self.details().values())
        return {
            "mean_average_precision": sum(precision) / max(1, len(precision)),
            "macro_f1": (f1.sum() / (counts > 0).sum().clamp(min=1)).item(),
            "subset_accuracy": (predicted == target).all(1).float().mean().item(),
        }

    def details(self) -> dict[str, float]:
        """Return the average precision of each label that occurs."""
        output, target = self.pairs[:, : self.done].cpu()  # (N, L)
        target = target.bool()
        occurs = target.any(0).nonzero().flatten().tolist()
        return {f"average_precision/{k}": average_precision(output[:, k], target[:, k]) for k in occurs}


def average_precision(output: Tensor, target: Tensor) -> float:
    """Return the area under precision over recall, in steps, for outputs (N,) and targets (N,), some of them true."""
    precision, recall = precision_and_recall(output, target)
    return (precision * recall.diff(prepend=torch.zeros(1))).sum().item()


def precision_and_recall(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return both (M,), as samples with outputs (N,) and targets (N,) come in: the surest first, equal ones at once."""
    output, order = output.sort(descending=True)
    found = target[order].cumsum(0)  # (N,)
    last = torch.cat([output[:-1] != output[1:], torch.tensor([True])]).nonzero().flatten()  # (M,) of equal outputs
    return found[last] / (last + 1), found[last] / found[-1]
