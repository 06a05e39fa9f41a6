"""From arrays to tensors: the dataset that is trained on, and the statistics of its training split."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .array_file import Array
from .data_config import DataSettings
from .splits import Rows, Samples
from .stream import Stream
from .tensors import fits, on_device, to_tensor

Pairs = Dataset[tuple[Tensor, Tensor]]  # at each position a sample (C, ...) and its target


def build_dataset(x: Samples, y: Array, settings: DataSettings) -> Pairs:
    """Return a dataset of samples x (N, C, ...), an array or `Rows` of a file, and encoded targets y (N, ...).

    All commands make theirs here, with the run's settings, among which there may be some of your own; for `predict`, y
    is zeros (N,). Put another `torch.utils.data.Dataset` in its place, and a DataLoader serves it. Give it `training =
    False`, if it needs to know: on the training split, it is set to True, also within Subset and ConcatDataset.
    """
    return ArrayDataset(x, y)


def one_sample(dataset: "ArrayDataset", index: int) -> tuple[Tensor, Tensor]:
    """Return a sample (C, ...) and its target, of a batch of one."""
    x, y = dataset.batch(torch.tensor([index], device=dataset.device))
    if not len(x) == len(y) == 1:
        raise ValueError(f"batch, in data.py, returned {len(x)} samples and {len(y)} targets for one position")
    return x[0], y[0]


class ArrayDataset(Pairs):
    """Samples x (N, C, ...) and targets y (N, ...), kept in their own dtype until they are asked for (lesson 1).

    Both lie on the device if they fit. Else `x` stays in its file, or both stay in the memory of the host, and the next
    batch is read while this one is computed. Change in `batch` what a sample is: add a feature, or an augmentation `if
    self.training`, drawn for each sample by itself, as in augment.py (there may be those of many batches). Training,
    scores and predictions follow. Write a `__getitem__`, and a DataLoader calls that instead, for every sample.
    """

    device = torch.device("cpu")  # of the positions that are asked for
    training = False  # only the training split is set to True, once its statistics are measured
    __getitem__ = one_sample

    def __init__(self, x: Samples, y: Array) -> None:
        self.x = Stream(x) if isinstance(x, Rows) else to_tensor(x)
        self.y: Stream | Tensor = to_tensor(y)
        self.block = self.x.block if isinstance(self.x, Stream) else 1  # read together

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the samples (B, C, ...) at `indices` (B,) as floats, and their targets (B, ...)."""
        return self.x.index_select(0, indices).float(), self.y.index_select(0, indices)

    def read_ahead(self, indices: Tensor) -> None:
        """Begin to read what is at `indices` (B,), unless it is in memory."""
        for part in (self.x, self.y):
            if isinstance(part, Stream):
                part.read_ahead(indices)

    def to(self, device: torch.device) -> None:
        """Move the arrays to the device, where batches are then gathered; if they do not fit there, move each batch."""
        if isinstance(self.x, Tensor) and isinstance(self.y, Tensor) and fits(self.x, self.y, device=device):
            self.x, self.y, self.device = on_device(self.x, device), on_device(self.y, device), device
        elif device.type == "cuda":  # targets come in the same way, so that no step waits for their copy
            rows = [part.rows if isinstance(part, Stream) else Rows(part.numpy()) for part in (self.x, self.y)]
            self.x, self.y = (Stream(part, gpu=device) for part in rows)


def gives_batches(dataset: object) -> TypeGuard[ArrayDataset]:
    """Return whether whole batches come from the dataset; otherwise, a DataLoader collects samples."""
    return isinstance(dataset, ArrayDataset) and type(dataset).__getitem__ is one_sample


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel (C, 1, ...) or feature (F,) of the training split."""

    mean: Tensor
    std: Tensor

    @classmethod
    def measure(cls, batches: Iterable[Tensor]) -> "Normalisation":
        """Measure batches (B, C, ...) in double precision; a constant channel, of which nothing is learned, stays 0.

        Batches are merged as by Chan, Golub and LeVeque (1979), which loses nothing to large means.
        """
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for x in batches:
            axes, more = [0, *range(2, x.ndim)], x.numel() // x.shape[1]
            variances, means = torch.var_mean(x.double(), axes, correction=0, keepdim=True)  # (1, C, 1, ...)
            difference, total = means - mean, count + more
            squares = squares + variances * more + difference.square() * (count * more / total)
            mean, count = mean + difference * (more / total), total
        std = (squares / count).sqrt()
        std = torch.where(std.float() <= 1e-12 * mean.abs(), torch.inf, std)  # by rounding, 0 may come out as 1e-16
        return cls(mean[0].float(), std[0].float())

    def apply(self, x: Tensor) -> Tensor:
        """Return the samples with mean 0 and standard deviation 1."""
        return (x - self.mean).div_(self.std)  # in place in the difference, which is ours

    def to(self, device: torch.device) -> "Normalisation":
        """Return the same statistics on the device."""
        return Normalisation(self.mean.to(device), self.std.to(device))
