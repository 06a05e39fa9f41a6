"""The task: a class at each position of a sample. It owns loss, metrics and predictions, and knows no model."""

import torch
from torch import Tensor
from torch.nn import functional

from .config import TaskSettings
from .targets import IGNORED, Array, Targets


class Task:
    """Segmentation by cross entropy at each position; positions that are to be ignored count nowhere."""

    figure_of_merit = "mean_iou"

    def __init__(self, targets: Targets, settings: TaskSettings, device: torch.device) -> None:
        self.targets = targets
        # What validation returns, and whether more of it is better.
        self.maximize = {"loss": False, "mean_iou": True, "mean_dice": True, "pixel_accuracy": True}
        self.weights = torch.ones(targets.out_size, device=device)  # of each class, (K,)
        if settings.class_weights == "balanced":
            amounts = torch.tensor(targets.amounts, dtype=torch.float32, device=device)
            self.weights = amounts.sum() / (len(amounts) * amounts)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean cross entropy of outputs (B, K, ...) for class numbers (B, ...): each sample weighs the same.

        With balanced weights, each class counts the same over the training split. Raises ValueError for other shapes.
        """
        if output.shape != (len(target), self.targets.out_size, *target.shape[1:]):
            raise ValueError(
                f"loss(output, target) takes outputs (B, {self.targets.out_size}, ...) and targets (B, ...), in this "
                f"order; it was given {tuple(output.shape)} and {tuple(target.shape)}"
            )
        target = target.long()
        losses = functional.cross_entropy(output.float(), target, self.weights, ignore_index=IGNORED, reduction="none")
        known = (target != IGNORED).flatten(1).sum(1).clamp(min=1)  # positions (B,), where losses are (B, ...)
        return (losses.flatten(1).sum(1) / known).mean()

    def metrics(self, device: torch.device, count: int) -> "Metrics":
        """Return an empty tally for one pass over a split of `count` samples."""
        return Metrics(self.targets.names, device)

    def predict(self, output: Tensor) -> dict[str, Array]:
        """Return for outputs (N, K, ...) the likeliest class at each position (N, ...), by its original value."""
        values = torch.tensor(self.targets.names)[output.argmax(dim=1).cpu()]
        small = min(self.targets.names) >= 0 and max(self.targets.names) < 256
        return {"prediction": values.to(torch.uint8 if small else torch.int64).numpy()}

    def column_names(self) -> dict[str, list[str]]:
        """Return names for the columns of those predictions that have several: a mask has none."""
        return {}


class Metrics:
    """Counts of positions over one pass. They stay on the device, so no batch waits for the host."""

    def __init__(self, values: list[int], device: torch.device) -> None:
        self.values = values
        # (K, K) positions by true class (row) and predicted class (column)
        self.confusion = torch.zeros(len(values), len(values), dtype=torch.int64, device=device)

    def update(self, output: Tensor, target: Tensor) -> None:
        """Count a batch: outputs (B, K, ...), class numbers (B, ...)."""
        classes = len(self.values)
        if output.shape[1] != classes:
            raise ValueError(f"metrics take outputs (B, {classes}, ...), and they were given {tuple(output.shape)}")
        pairs = target.long() * classes + output.argmax(dim=1)  # (B, ...), negative where ignored
        counts = torch.zeros(classes**2 + 1, dtype=torch.int64, device=output.device)  # the last is for the ignored
        pairs = torch.where(target == IGNORED, classes**2, pairs).flatten()
        counts.index_add_(0, pairs, torch.ones_like(pairs))
        self.confusion += counts[:-1].view(classes, classes)

    def compute(self) -> dict[str, float]:
        """Return mean IoU and mean Dice (over the classes that occur or are predicted), and pixel accuracy."""
        hits, errors = self.hits_and_errors()
        numbers = {
            "mean_iou": (hits / (hits + errors)).nanmean(),  # a class that neither occurs nor is predicted has 0 / 0
            "mean_dice": (2 * hits / (2 * hits + errors)).nanmean(),
            "pixel_accuracy": hits.sum() / self.confusion.sum(),
        }
        return {name: float(number) for name, number in numbers.items()}

    def details(self) -> dict[str, float]:
        """Return the intersection over union of each class that occurs or is predicted."""
        hits, errors = self.hits_and_errors()
        rows = zip(self.values, (hits / (hits + errors)).tolist(), strict=True)
        return {f"iou/{value}": iou for value, iou in rows if iou >= 0}  # which NaN is not

    def hits_and_errors(self) -> tuple[Tensor, Tensor]:
        """Return for each class (K,) the positions that are rightly of it, and those that wrongly are, or are not."""
        hits = self.confusion.diagonal()
        return hits, self.confusion.sum(0) + self.confusion.sum(1) - 2 * hits
