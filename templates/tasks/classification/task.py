"""The task: one class per sample. It owns loss, metrics and predictions, and knows no model."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .config import TaskSettings
from .targets import Array, Targets


class Task:
    """Classification by cross entropy (lesson 2 of the notes)."""

    figure_of_merit = "accuracy"

    def __init__(self, targets: Targets, settings: TaskSettings, device: torch.device) -> None:
        self.targets = targets
        self.label_smoothing = settings.label_smoothing
        counts = torch.tensor(targets.counts, device=device)  # (K,) training samples of each class
        self.weights = counts.sum() / (len(counts) * counts) if settings.class_weights == "balanced" else None
        # What validation returns, and whether more of it is better.
        self.maximize = {"loss": False, "accuracy": True, "macro_f1": True}
        if targets.out_size > 5:
            self.maximize["top_5_accuracy"] = True

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean cross entropy of outputs (B, K) for targets (B,) or (B, 1), whatever their number type.

        With balanced weights, each sample weighs N / (K x samples of its class): 1 on average.

        Raises ValueError for anything else; most often the arguments are swapped.
        """
        if output.shape != (target.numel(), self.targets.out_size):
            raise ValueError(
                f"loss(output, target) takes outputs (B, {self.targets.out_size}) and B targets, in this order; "
                f"it was given {tuple(output.shape)} and {tuple(target.shape)}"
            )
        output, target = output.float(), target.reshape(-1).long()  # not squeeze: a batch of one stays (1,)
        if self.weights is None:
            return functional.cross_entropy(output, target, label_smoothing=self.label_smoothing)
        losses = functional.cross_entropy(output, target, label_smoothing=self.label_smoothing, reduction="none")
        return (losses * self.weights[target]).mean()

    def metrics(self, device: torch.device, count: int) -> "Metrics":
        """Return an empty tally for one pass over a split of `count` samples."""
        return Metrics(self.targets.names, device)

    def predict(self, output: Tensor) -> dict[str, Array]:
        """Return for outputs (N, K) the likeliest class (N,) by its original name, and the probabilities (N, K)."""
        probabilities = output.float().softmax(dim=1).cpu().numpy()
        names = np.array(self.targets.names)
        return {"prediction": names[output.argmax(dim=1).cpu().numpy()], "probability": probabilities}

    def column_names(self) -> dict[str, list[str]]:
        """Return names for the columns of those predictions that have several."""
        return {"probability": [str(name) for name in self.targets.names]}


class Metrics:
    """Counts over one pass: every sample weighs the same. They stay on the device, so no batch waits for the host."""

    def __init__(self, class_names: list[str | int], device: torch.device) -> None:
        self.class_names = class_names
        zeros = torch.zeros(len(class_names), dtype=torch.int64, device=device)
        self.hits = zeros  # (K,) rightly predicted samples of each class
        self.predicted = zeros.clone()  # (K,) samples predicted as each class
        self.actual = zeros.clone()  # (K,) samples of each class
        self.top_5_hits = zeros.sum()

    def update(self, output: Tensor, target: Tensor) -> None:
        """Count a batch: outputs (B, K), targets (B,) or (B, 1)."""
        target, prediction = target.reshape(-1).long(), output.argmax(dim=1)  # (B,)
        self.hits.index_add_(0, target, (prediction == target).long())
        ones = torch.ones_like(target)
        self.predicted.index_add_(0, prediction, ones)
        self.actual.index_add_(0, target, ones)
        if len(self.hits) > 5:
            best_5 = output.topk(5, dim=1).indices  # (B, 5)
            self.top_5_hits += (best_5 == target[:, None]).sum()

    def compute(self) -> dict[str, float]:
        """Return accuracy, macro F1 (over classes that occur or are predicted) and, above 5 classes, top-5 accuracy."""
        samples = self.actual.sum().item()
        numbers = {
            "accuracy": self.hits.sum().item() / samples,
            "macro_f1": self.f1().nanmean().item(),
        }
        if len(self.hits) > 5:
            numbers["top_5_accuracy"] = self.top_5_hits.item() / samples
        return numbers

    def details(self) -> dict[str, float]:
        """Return the F1 of each class that occurs or is predicted."""
        return {f"f1/{name}": f1 for name, f1 in zip(self.class_names, self.f1().tolist(), strict=True) if f1 >= 0}

    def f1(self) -> Tensor:
        """Return the F1 of each class (K,); NaN for one that neither occurs nor is predicted."""
        return 2 * self.hits / (self.predicted + self.actual)
