"""From arrays to tensors: the dataset that is trained on, and the statistics of its training split."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .array_file import Array


def build_dataset(x: Array, y: Array) -> Dataset[tuple[Tensor, Tensor]]:
    """Return a dataset of samples x (N, C, ...) and encoded targets y (N, ...).

    All commands make theirs here: put another `torch.utils.data.Dataset` in its place, and a DataLoader serves it.
    """
    return ArrayDataset(x, y)


class BatchDataset(Dataset[tuple[Tensor, Tensor]]):
    """A dataset that gives whole batches at once, and one sample as a batch of one.

    Should a subclass have a `__getitem__` of its own, then that is what counts: a DataLoader calls it for every sample.
    """

    device = torch.device("cpu")

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return one sample (C, ...), and its target."""
        x, y = self.__getitems__(torch.tensor([index], device=self.device))
        return x[0], y[0]

    def __getitems__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the samples (B, C, ...) at `indices` (B,) as floats, and their targets (B, ...)."""
        raise TypeError(f"{type(self).__name__} has neither a __getitems__ nor a __getitem__ of its own")

    def to(self, device: torch.device) -> None:
        """Give batches on this device from now on."""
        self.device = device


class ArrayDataset(BatchDataset):
    """Samples x (N, C, ...) and targets y (N, ...), kept in their own dtype until they are asked for (lesson 1).

    Change in `__getitems__` what a sample is: add a feature, or an augmentation `if self.training`. Training, scores
    and predictions follow.
    """

    training = False  # only the training split is set to True, once its statistics are measured

    def __init__(self, x: Array, y: Array) -> None:
        self.x = to_tensor(x)
        self.y = to_tensor(y)

    def __len__(self) -> int:
        return len(self.x)

    def __getitems__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the samples (B, C, ...) at `indices` (B,) as floats, and their targets (B, ...)."""
        return self.x.index_select(0, indices).float(), self.y.index_select(0, indices)

    def to(self, device: torch.device) -> None:
        """Move the arrays to the device, where batches are then gathered."""
        super().to(device)
        self.x, self.y = on_device(self.x, device), on_device(self.y, device)


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a tensor to a device, in 32 bits to one that has no floats of 64 (Apple's)."""
    small = device.type == "mps" and tensor.dtype == torch.float64
    return (tensor.float() if small else tensor).to(device)


def to_tensor(array: Array) -> Tensor:
    """Return the array as a tensor, of the same dtype where torch can index and cast it."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and size > 1:  # torch has only a few operations on these
        array = array.astype({2: np.int32, 4: np.int64, 8: np.float64}[size])
    if kind == "f" and size > 8:
        array = array.astype(np.float64)
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel (C, 1, ...) or feature (F,) of the training split."""

    mean: Tensor
    std: Tensor

    @classmethod
    def measure(cls, batches: Iterable[Tensor]) -> "Normalisation":
        """Measure samples, batch by batch (B, C, ...), in double precision; a constant channel keeps a deviation of 1.

        Batches are merged as by Chan, Golub and LeVeque (1979), which loses nothing to large means.
        """
        count = 0
        for x in batches:
            axes = [0, *range(2, x.ndim)]
            more = x.numel() // x.shape[1]
            variances, means = torch.var_mean(x.double(), axes, correction=0, keepdim=True)  # (1, C, 1, ...)
            ends = torch.stack([x.amin(axes, keepdim=True), x.amax(axes, keepdim=True)])
            if count == 0:
                mean, squares, low, high = means, variances * more, *ends
            else:
                difference, total = means - mean, count + more
                squares += variances * more + difference.square() * count * more / total
                mean += difference * more / total
                low, high = low.minimum(ends[0]), high.maximum(ends[1])
            count += more
        std = torch.where(low == high, 1.0, (squares / count).sqrt())
        return cls(mean[0].float(), std[0].float())

    def apply(self, x: Tensor) -> Tensor:
        """Return the samples with mean 0 and standard deviation 1."""
        return (x - self.mean).div_(self.std)  # in place in the difference, which is ours

    def to(self, device: torch.device) -> "Normalisation":
        """Return the same statistics on the device."""
        return Normalisation(self.mean.to(device), self.std.to(device))
