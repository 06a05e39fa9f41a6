"""The task: one class per sample. It owns targets, loss, metrics and predictions, and knows no model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


class Task:
    """Classification by cross entropy (lesson 2 of the notes)."""

    figure_of_merit = "accuracy"

    def __init__(self, class_names: Sequence[str | int], *, label_smoothing: float = 0.0) -> None:
        self.class_names = list(class_names)
        self.label_smoothing = label_smoothing
        # What validation returns, and whether more of it is better.
        self.maximize = {"loss": False, "accuracy": True, "macro_f1": True}
        if self.out_size > 5:
            self.maximize["top_5_accuracy"] = True

    @property
    def out_size(self) -> int:
        """How many numbers the model returns per sample."""
        return len(self.class_names)

    @staticmethod
    def strata(y: Array) -> Array:
        """Return what every split should hold in equal shares: the labels."""
        return labels(y)

    @classmethod
    def from_targets(cls, y: Array, *, label_smoothing: float) -> "Task":
        """Learn the classes from the training labels. Raises DataError if there is only one."""
        classes = np.unique(labels(y)).tolist()
        if len(classes) < 2:
            what = f"all labels are {classes[0]!r}"
            raise DataError(what, "in the training split", "give samples of at least two classes")
        return cls(classes, label_smoothing=label_smoothing)

    def encode(self, y: Array, where: str) -> Tensor:
        """Return labels (N,) or (N, 1) as class indices (N,). Raises DataError for a class that was not trained."""
        y = labels(y)
        classes = np.array(self.class_names)
        unknown = ~np.isin(y, classes)
        if unknown.any():
            first = int(unknown.argmax())
            raise DataError(
                f"label {y[first].item()!r} at index {first} is not a class of the training split",
                where,
                f"train on samples of each class; it has {self.describe()}",
            )
        return torch.from_numpy(np.searchsorted(classes, y)).long()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean cross entropy of outputs (B, K) for targets (B,) or (B, 1), whatever their number type.

        Raises ValueError for anything else; most often the arguments are swapped.
        """
        if output.ndim != 2 or len(output) != target.numel():
            raise ValueError(
                f"loss(output, target) takes outputs (B, {self.out_size}) and B targets, in this order; "
                f"it was given {tuple(output.shape)} and {tuple(target.shape)}"
            )
        # reshape, not squeeze: a batch of one stays (1,)
        return functional.cross_entropy(output.float(), target.reshape(-1).long(), label_smoothing=self.label_smoothing)

    def metrics(self, device: torch.device) -> "Metrics":
        """Return an empty tally for one pass over a split."""
        return Metrics(self.out_size, device)

    def describe(self) -> str:
        """Return what is learned, in a few words."""
        names = ", ".join(map(repr, self.class_names[:10]))
        return f"{self.out_size} classes: {names}{', ...' if self.out_size > 10 else ''}"

    def balance(self, target: Tensor) -> str:
        """Return how the targets (N,) of a split are spread, in a few words."""
        counts = target.bincount(minlength=self.out_size)
        return f"{counts.min()} to {counts.max()} samples of each class"

    def state_dict(self) -> dict[str, Any]:
        """Return what predictions need besides the model."""
        return {"class_names": self.class_names}


class Metrics:
    """Counts over one pass: every sample weighs the same. They stay on the device, so no batch waits for the host."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self.hits = torch.zeros(classes, device=device)  # (K,) rightly predicted samples of each class
        self.predicted = torch.zeros(classes, device=device)  # (K,) samples predicted as each class
        self.actual = torch.zeros(classes, device=device)  # (K,) samples of each class
        self.top_5_hits = torch.zeros((), device=device)

    def update(self, output: Tensor, target: Tensor) -> None:
        """Count a batch: outputs (B, K), targets (B,) or (B, 1)."""
        target = target.reshape(-1).long()
        prediction = output.argmax(dim=1)  # (B,)
        right = prediction == target
        self.hits.index_add_(0, target, right.to(self.hits.dtype))
        ones = torch.ones_like(target, dtype=self.hits.dtype)
        self.predicted.index_add_(0, prediction, ones)
        self.actual.index_add_(0, target, ones)
        if len(self.hits) > 5:
            best_5 = output.topk(5, dim=1).indices  # (B, 5)
            self.top_5_hits += (best_5 == target[:, None]).sum()

    def compute(self) -> dict[str, float]:
        """Return accuracy, macro F1 (over the classes that occur) and, for more than five classes, top-5 accuracy."""
        samples = self.actual.sum()
        f1 = 2 * self.hits / (self.predicted + self.actual).clamp(min=1)
        numbers = {
            "accuracy": self.hits.sum() / samples,
            "macro_f1": f1[self.predicted + self.actual > 0].mean(),
        }
        if len(self.hits) > 5:
            numbers["top_5_accuracy"] = self.top_5_hits / samples
        return {name: number.item() for name, number in numbers.items()}


def labels(y: Array) -> Array:
    """Return labels (N,) or (N, 1), whole numbers or strings, as (N,). Raises DataError for anything else."""
    if y.ndim > 2 or (y.ndim == 2 and y.shape[1] != 1):
        what = f"the labels have shape {y.shape}"
        raise DataError(what, "in the targets", "give one class per sample: (N,) or (N, 1)")
    y = y.reshape(-1)
    if y.dtype.kind == "f":
        broken = (y != np.floor(y)) | (np.abs(y.astype(np.float64)) >= 2**53)  # above, floats skip whole numbers
        if broken.any():
            first = int(broken.argmax())
            what = f"label {y[first]} at index {first} is not a whole number, or too large to be exact"
            raise DataError(what, "in the targets", "number the classes, or name them by strings")
        y = y.astype(np.int64)
    return y
