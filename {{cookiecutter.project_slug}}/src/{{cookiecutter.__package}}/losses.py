"""The losses of the running epoch, and what is said when one of them, or a weight, is no number any more."""

import torch
from torch import nn

from .errors import DivergedError
from .workers import Workers


class Losses:
    """The loss of each batch of the running epoch. They stay on the device: no step waits for them."""

    def __init__(self, sizes: list[int], device: torch.device, workers: Workers) -> None:
        self.sizes = torch.tensor(sizes)
        self.values = torch.zeros(len(sizes), device=device)  # with several processes: of this one's shares
        self.workers = workers

    def collect(self, batches: int, step: int, epoch: int) -> torch.Tensor:
        """Return the losses (batches,) up to this step, which one process keeps for all. Raises DivergedError."""
        self.workers.add([self.values])
        losses = self.values[:batches].to("cpu", copy=True)
        if not self.workers.leads:
            self.values.zero_()  # they are counted: the leader has all
        if len(wrong := (~losses.isfinite()).nonzero()):
            batch = int(wrong[0])
            number = step - batches + batch + 1
            fix = "try a smaller --lr" if number > 1 else "look at the model and the loss: nothing was learned before"
            raise diverged(f"the loss is {losses[batch].item()}", f"at step {number}, batch {batch + 1}", epoch, fix)
        return losses

    def mean(self, batches: int, step: int, epoch: int) -> float:
        """Return their mean, each sample weighing the same. Raises DivergedError if it would not be finite."""
        losses, sizes = self.collect(batches, step, epoch), self.sizes[:batches]
        return float((losses.double() * sizes).sum() / sizes.sum())


def check_weights(model: nn.Module, step: int, epoch: int) -> None:
    """Raise DivergedError if a weight is a NaN or an infinity."""
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise diverged("the weights are not finite", f"after step {step}", epoch)


def diverged(what: str, where: str, epoch: int, fix: str = "try a smaller --lr") -> DivergedError:
    """Return the error that says so; what was saved before is still there."""
    return DivergedError(what, f"{where} of epoch {epoch}", fix)
