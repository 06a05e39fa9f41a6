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
        share = torch.tensor(targets.counts, device=device) / targets.samples  # (L,) of samples that have the label
        balanced = settings.class_weights == "balanced"
        self.weights = (
            torch.stack([0.5 / (1 - share), 0.5 / share]) if balanced else torch.ones(2, len(share)).to(share)
        )

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean binary cross entropy of outputs (B, L) for targets (B, L) of 0 and 1.

        With balanced weights, both answers to a label weigh the same over the training split. Raises ValueError for
        other shapes.
        """
        if output.ndim != 2 or output.shape != target.shape:
            raise ValueError(
                f"loss(output, target) takes outputs and targets (B, {self.targets.out_size}), in this order; "
                f"it was given {tuple(output.shape)} and {tuple(target.shape)}"
            )
        target = target.float()
        losses = functional.binary_cross_entropy_with_logits(output.float(), target, reduction="none")  # (B, L)
        return (losses * torch.where(target > 0.5, self.weights[1], self.weights[0])).mean()

    def metrics(self, device: torch.device) -> "Metrics":
        """Return an empty tally for one pass over a split."""
        return Metrics(self.threshold)

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
    """All outputs of one pass, since average precision ranks them; they stay on the device until the end."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.outputs: list[Tensor] = []
        self.targets: list[Tensor] = []

    def update(self, output: Tensor, target: Tensor) -> None:
        """Keep a batch: outputs and targets (B, L)."""
        self.outputs.append(output.float())
        self.targets.append(target.bool())

    def compute(self) -> dict[str, float]:
        """Return mean average precision and macro F1 (over the labels that occur), and subset accuracy."""
        target = torch.cat(self.targets)  # (N, L)
        predicted = torch.cat(self.outputs).sigmoid() >= self.threshold  # (N, L)
        hits = (predicted & target).sum(0)  # (L,)
        f1 = 2 * hits / (predicted.sum(0) + target.sum(0)).clamp(min=1)
        occurs = target.any(0)
        numbers = {
            "mean_average_precision": self.average_precision()[occurs].mean(),
            "macro_f1": f1[occurs].mean(),
            "subset_accuracy": (predicted == target).all(1).float().mean(),
        }
        return {name: number.item() for name, number in numbers.items()}

    def details(self) -> dict[str, float]:
        """Return the average precision of each label."""
        return {f"average_precision/{label}": number for label, number in enumerate(self.average_precision().tolist())}

    def average_precision(self) -> Tensor:
        """Return the area under precision over recall, in steps, of each label (L,); 0 for one that never occurs."""
        output, order = torch.cat(self.outputs).sort(dim=0, descending=True)  # (N, L), the surest sample first
        hits = torch.cat(self.targets).gather(0, order).float()  # (N, L)
        found = hits.cumsum(0)
        rank = torch.arange(1, len(hits) + 1, device=hits.device)[:, None]
        # Samples with equal outputs come in at once, so precision and recall count at the last of them.
        last = torch.ones_like(hits, dtype=torch.bool)
        last[:-1] = output[:-1] != output[1:]
        recall = found / found[-1].clamp(min=1)
        before = torch.where(last, recall, 0).cummax(0).values.roll(1, 0)
        before[0] = 0
        return ((recall - before) * found / rank * last).sum(0)
